package cli_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

// TestAnAssistantActsAfterAYes lets an assistant run a WARNING day over the real functions, the embedded warehouse and the
// shop's receiver: the plan, the question, the run after a yes, and what the audit log knows of it.
func TestAnAssistantActsAfterAYes(t *testing.T) {
	t.Parallel()
	s := newStand(t, newShop(t))
	process, log := s.command(t, "", "mcp"), &bytes.Buffer{}
	process.Stderr = log
	a := listening(t, process)
	id := 0
	call := func(tool, arguments, beside string) mcpAnswer {
		t.Helper()
		id++
		answer := a.ask(id, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s%s}`, tool, arguments, beside))
		if answer.Error != nil {
			t.Fatal(answer.Error.Message)
		}
		return answer
	}
	quiet := func(after string) {
		t.Helper()
		if ledger := s.receiver.Ledger(); len(ledger) > 0 {
			t.Fatalf("%s: the receiver got %+v", after, ledger)
		}
	}
	if plan := call("trigger_playbook", `{"date":"latest","dry_run":true}`, ""); !strings.Contains(plan.text(), "a run would send the WARNING playbook") {
		t.Fatalf("the plan: %s", plan.text())
	}
	first := questionIn(t, call("trigger_playbook", `{"date":"latest"}`, ""))
	quiet("asked")
	// The rules change while a person thinks.
	change(t, filepath.Join(s.folder, "rules", "rollout.yaml"), "#retention-alerts", "#somewhere-else")
	stale := call("trigger_playbook", fmt.Sprintf(`{"date":"latest","confirm_token":%q}`, first.token), "")
	if !stale.Result.IsError || !strings.Contains(stale.text(), "not the plan that was expected") {
		t.Errorf("the rules have changed: %s", stale.text())
	}
	quiet("changed")

	second := questionIn(t, call("trigger_playbook", `{"date":"latest"}`, ""))
	if !strings.Contains(second.summary, "#somewhere-else") {
		t.Errorf("the question does not say what is so now: %s", second.summary)
	}
	confirmed := fmt.Sprintf(`{"date":"latest","confirm_token":%q}`, second.token)
	ran := call("trigger_playbook", confirmed, "")
	var out functions.TriggerPlaybookOutput
	if err := json.Unmarshal(ran.Result.StructuredContent, &out); err != nil || ran.Result.IsError || out.DeliveryState != functions.DeliveryConfirmed {
		t.Fatalf("%v: %s", err, ran.text())
	}
	s.once(t)
	again := call("trigger_playbook", confirmed, "") // brought once more
	if want := "was run before, as " + out.RunID + ": nothing was done now. That run: success, delivery confirmed"; !strings.Contains(again.text(), want) {
		t.Errorf("brought once more: %s", again.text())
	}
	s.once(t)

	export := questionIn(t, call("export_audience", `{"tier":"P1"}`, ""))
	written := call("export_audience", fmt.Sprintf(`{"tier":"P1","confirm_token":%q}`, export.token), "")
	var file functions.ExportAudienceOutput
	if err := json.Unmarshal(written.Result.StructuredContent, &file); err != nil || written.Result.IsError {
		t.Fatalf("%v: %s", err, written.text())
	}
	if data, err := os.ReadFile(strings.TrimPrefix(file.CSVURL, "file://")); err != nil || strings.Count(string(data), "\n") != int(file.RowsExported)+1 {
		t.Errorf("%s: %v, %d rows", file.CSVURL, err, file.RowsExported)
	}

	s.byForm(t, call)
	a.leave()
	s.logged(t, out.RunID, second, log.String())
}

// TestAYesIsUsedOnceBehindKeys brings one confirmation twice to a serve that asks for keys, its own gateway too. The doors
// must believe that gateway, or the second call would send once more.
func TestAYesIsUsedOnceBehindKeys(t *testing.T) {
	t.Parallel()
	s := newStand(t, newShop(t))
	process := s.command(t, "", "serve", "--addr", "127.0.0.1:0")
	sum := func(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }
	process.Env = append(process.Env, "RETENTIONOPS_AUTH=key", "RETENTIONOPS_API_KEYS=make:read+act:"+sum("k1"),
		"RETENTIONOPS_MCP_KEYS=ada:read+act:"+sum("k2"), "RETENTIONOPS_MCP_ACTIONS=true", "RETENTIONOPS_MCP_CONFIRM_KEYS="+sum("seal"))
	base := started(t, process)
	call := func(arguments string) (answer mcpAnswer) {
		t.Helper()
		got := sent(t, http.MethodPost, base+"/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"trigger_playbook","arguments":`+
			arguments+`}}`, plain("Authorization", "Bearer k2"))
		if err := json.Unmarshal([]byte(got.text), &answer); err != nil || answer.Result.IsError {
			t.Fatalf("%d, %v: %s", got.status, err, got.text)
		}
		return answer
	}
	confirmed := fmt.Sprintf(`{"resend":true,"confirm_token":%q}`, questionIn(t, call(`{"resend":true}`)).token)
	var first, second functions.TriggerPlaybookOutput
	for _, out := range []*functions.TriggerPlaybookOutput{&first, &second} {
		if err := json.Unmarshal(call(confirmed).Result.StructuredContent, out); err != nil {
			t.Fatal(err)
		}
	}
	if !second.AlreadyDone || second.RunID != first.RunID {
		t.Errorf("run %s, then %s, already done %t", first.RunID, second.RunID, second.AlreadyDone)
	}
	s.once(t)
}

// byForm sends the day again for a client that asks a person: first with a no. A yes that is brought once more, as after a
// lost answer, gets the outcome and sends nothing.
func (s *stand) byForm(t *testing.T, call func(tool, arguments, beside string) mcpAnswer) {
	t.Helper()
	const asks = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},` +
		`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`
	before := s.receiver.Ledger()
	for _, said := range []string{`{"action":"decline"}`, `{"action":"accept","content":{"approve":true}}`} {
		question := call("trigger_playbook", `{"resend":true}`, asks)
		if question.Result.ResultType != "input_required" || question.Result.RequestState == "" {
			t.Fatalf("no question: %+v", question)
		}
		answered := asks + fmt.Sprintf(`,"requestState":%q,"inputResponses":{"confirm":%s}`, question.Result.RequestState, said)
		answer := call("trigger_playbook", `{"resend":true}`, answered)
		yes := strings.Contains(said, "true")
		if sent := len(s.receiver.Ledger()) - len(before); answer.Result.IsError || yes != (sent == 1) {
			t.Errorf("%s: %d messages, %s", said, sent, answer.text())
		}
		if !yes {
			continue
		}
		var out, again functions.TriggerPlaybookOutput
		once := call("trigger_playbook", `{"resend":true}`, answered)
		if err := errors.Join(json.Unmarshal(answer.Result.StructuredContent, &out), json.Unmarshal(once.Result.StructuredContent, &again)); err != nil ||
			!again.AlreadyDone || again.RunID != out.RunID || len(s.receiver.Ledger())-len(before) != 1 {
			t.Errorf("brought once more: %v, %d messages, %s", err, len(s.receiver.Ledger())-len(before), once.text())
		}
	}
}

// logged asserts that the gateway's log and the claim of the day name the confirmation of a run, and the audit log who asked.
func (s *stand) logged(t *testing.T, run string, by confirmation, log string) {
	t.Helper()
	payload, _, _ := strings.Cut(by.token, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	var ticket struct{ ID string }
	if err != nil || json.Unmarshal(data, &ticket) != nil {
		t.Fatal(err, by.token)
	}
	if line := fmt.Sprintf(`"confirmation_id":%q,"decision":"confirmed","outcome":"ok","run_id":%q`, ticket.ID, run); !strings.Contains(log, line) {
		t.Errorf("the gateway's log does not hold %s:\n%s", line, log)
	}
	claims, err := filepath.Glob(filepath.Join(s.folder, ".retentionops/archive/claims/*/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	claimed := false
	for _, name := range claims {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		claimed = claimed || strings.Contains(string(data), run) && strings.Contains(string(data), ticket.ID)
	}
	if !claimed {
		t.Errorf("no claim of %v names run %s with confirmation %s", claims, run, ticket.ID)
	}
	text, err := s.command(t, "", "runs", "list", "--json").Output()
	var runs []functions.Run
	if err != nil || json.Unmarshal(text, &runs) != nil {
		t.Fatalf("%v: %s", err, text)
	}
	at := slices.IndexFunc(runs, func(kept functions.Run) bool { return kept.RunID == run })
	if at < 0 || runs[at].Status != functions.RunSuccess || runs[at].Caller != "local" || runs[at].ConfirmationID != ticket.ID {
		t.Errorf("the audit log holds %s", text)
	}
}

// confirmation is a question that came as a result.
type confirmation struct{ token, summary string }

func questionIn(t *testing.T, answer mcpAnswer) confirmation {
	t.Helper()
	var content struct {
		Confirmation string
		Token        string `json:"confirm_token"`
		Summary      string
	}
	if err := json.Unmarshal(answer.Result.StructuredContent, &content); err != nil || content.Confirmation != "confirmation_required" {
		t.Fatalf("%v: no question: %s", err, answer.text())
	}
	return confirmation{content.Token, content.Summary}
}
