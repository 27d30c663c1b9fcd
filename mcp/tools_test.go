package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

// seen are the tools that a caller sees, with the size of the list.
func (s *served) seen(t *testing.T, e era) (names []string, tools []json.RawMessage, size int) {
	t.Helper()
	got := s.ask(t, e, 1, "tools/list", nil)
	if got.status != 200 || got.Error != nil {
		t.Fatalf("%s: %d %s", e, got.status, got.body)
	}
	if e == modern && (got.Result.TTLMs == nil || *got.Result.TTLMs == 0 || got.Result.CacheScope != "private") {
		t.Errorf("hints for caches: %v %s", got.Result.TTLMs, got.Result.CacheScope)
	}
	for _, tool := range got.Result.Tools {
		var look struct{ Name string }
		if err := json.Unmarshal(tool, &look); err != nil {
			t.Fatal(err)
		}
		names = append(names, look.Name)
	}
	return names, got.Result.Tools, len(got.body)
}

// TestTheListOfToolsIsWholeAndSmall holds tools/list against golden files, one for each form: everybody pays for each
// byte of it.
func TestTheListOfToolsIsWholeAndSmall(t *testing.T) {
	t.Parallel()
	const most = 12 << 10 // bytes
	for file, scopes := range map[string]string{"tools.json": "read+act", "tools_read.json": "read"} {
		gateway := serve(t, keyed(scopes, nil), Local(nil))
		for _, e := range eras {
			_, tools, size := gateway.seen(t, e)
			if len(tools) != len(functions.Tools) || size > most {
				t.Errorf("%s: %d tools in %d bytes, at most %d", e, len(tools), size, most)
			}
			var pretty bytes.Buffer
			for _, tool := range tools {
				checkTold(t, tool, scopes)
				if err := json.Indent(&pretty, tool, "", "  "); err != nil {
					t.Fatal(err)
				}
				pretty.WriteByte('\n')
			}
			golden(t, file, pretty.Bytes())
		}
	}
}

// checkTold asserts that a tool states what a host decides by.
func checkTold(t *testing.T, tool json.RawMessage, scopes string) {
	t.Helper()
	var look struct {
		Name, Title, Description  string
		InputSchema, OutputSchema map[string]any
		Annotations               map[string]*bool
	}
	if err := json.Unmarshal(tool, &look); err != nil {
		t.Fatal(err)
	}
	if look.Title == "" || look.Description == "" || look.InputSchema["additionalProperties"] != false || look.OutputSchema["type"] != "object" {
		t.Errorf("%s is not told of as it should be: %s", look.Name, tool)
	}
	known, _ := functions.ToolNamed(look.Name)
	want := known.Hints
	if scopes == "read" { // a dry run changes nothing, so no host need ask before it
		want = functions.Hints{ReadOnly: true, Idempotent: true}
	}
	for hint, value := range map[string]bool{
		"readOnlyHint": want.ReadOnly, "destructiveHint": want.Destructive, "idempotentHint": want.Idempotent, "openWorldHint": want.OpenWorld,
	} {
		if got := look.Annotations[hint]; got == nil || *got != value {
			t.Errorf("%s does not state that %s is %v", look.Name, hint, value)
		}
	}
}

func golden(t *testing.T, name string, fresh []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), string(fresh)); diff != "" {
		t.Errorf("%s is stale; -update rewrites it (-kept +fresh):\n%s", name, diff)
	}
}

func TestWhatMayNotBeAskedIsSaidReadably(t *testing.T) {
	t.Parallel()
	gateway := serve(t, keyed("read", nil), Local(doorsWith(t, "local", work{})))
	for name, tc := range map[string]struct {
		tool, arguments string
		says            []string
	}{
		"an unknown argument":      {"get_alert_decision", `{"dte": "latest"}`, []string{`"dte"`, "known: date", "invalid_argument"}},
		"no object":                {"get_alert_decision", `"latest"`, []string{"not an object", "known: date"}},
		"a wrong value":            {"get_alert_decision", `{"date": "yesterday"}`, []string{`"yesterday" is not a day`, "YYYY-MM-DD"}},
		"acting":                   {"trigger_playbook", `{"date": "latest"}`, []string{"retention:act", "dry_run true", "permission_denied"}},
		"acting, said openly":      {"export_audience", `{"tier": "P1", "dry_run": false}`, []string{"retention:act"}},
		"acting, a word for true":  {"build_priority_queue", `{"dry_run": "true"}`, []string{"retention:act"}},
		"a key there twice":        {"build_priority_queue", `{"dry_run": true, "dry_run": false}`, []string{"retention:act"}},
		"what goes with acting":    {"trigger_playbook", `{"dry_run": true, "resend": true}`, []string{`"resend"`, "known: date, dry_run"}},
		"a link without login":     {"export_audience", `{"tier": "P1", "dry_run": true, "signed_minutes": 5}`, []string{`"signed_minutes"`}},
		"passing a guardrail":      {"build_priority_queue", `{"dry_run": true, "override": {"by": "a", "why": "b"}}`, []string{`"override"`}},
		"a function without a URL": {"generate_brief", `{}`, []string{"generate_brief", "unavailable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range eras {
				got := gateway.tool(t, e, tc.tool, tc.arguments)
				if !got.Result.IsError || got.Error != nil || got.Result.StructuredContent != nil {
					t.Fatalf("%s: %s", e, got.body)
				}
				for _, words := range tc.says {
					if !strings.Contains(got.text(), words) {
						t.Errorf("%s: %q does not say %q", e, got.text(), words)
					}
				}
			}
		})
	}
}

// TestWhoSeesWhat lists and calls for each setting and each scope: what is not listed is not there to be called.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	const reading, all = "generate_brief get_alert_decision get_operational_context",
		"build_priority_queue export_audience generate_brief get_alert_decision get_operational_context trigger_playbook"
	key := strings.Repeat("ab", keySize)
	for name, tc := range map[string]struct {
		scopes   string // empty: a program of this machine
		settings map[string]string
		sees     string
		acts     bool
	}{
		"as shipped":                 {"read+act", map[string]string{"RETENTIONOPS_MCP_ACTIONS": ""}, reading, false},
		"switched off":               {"read+act", map[string]string{"RETENTIONOPS_MCP_ACTIONS": "false"}, reading, false},
		"read only beats it":         {"read+act", map[string]string{"RETENTIONOPS_MCP_READ_ONLY": "true"}, reading, false},
		"without a key":              {"read+act", map[string]string{"RETENTIONOPS_MCP_CONFIRM_KEYS": ""}, reading, false},
		"acting":                     {"read+act", nil, all, true},
		"with two keys":              {"read+act", map[string]string{"RETENTIONOPS_MCP_CONFIRM_KEYS": key + ", " + strings.Repeat("cd", keySize)}, all, true},
		"reading":                    {"read", nil, all, false},
		"this machine needs no key":  {"", map[string]string{"RETENTIONOPS_MCP_CONFIRM_KEYS": ""}, all, true},
		"this machine asks for none": {"", map[string]string{"RETENTIONOPS_MCP_ACTIONS": ""}, reading, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := serve(t, keyed(tc.scopes, tc.settings), Local(doorsWith(t, "local", work{queue: aQueue(1)})))
			for _, e := range eras {
				if names, _, _ := gateway.seen(t, e); strings.Join(names, " ") != tc.sees {
					t.Errorf("%s: it sees %q, want %q", e, names, tc.sees)
				}
				got := gateway.tool(t, e, "build_priority_queue", `{}`)
				switch listed := tc.sees == all; {
				case tc.acts && (got.Result.IsError || got.Error != nil || !strings.Contains(got.text(), "was built")):
					t.Errorf("%s: it may not act: %s", e, got.body)
				case !tc.acts && listed && !strings.Contains(got.text(), "permission_denied"):
					t.Errorf("%s: it may act: %s", e, got.body)
				case !tc.acts && !listed && (got.Error == nil || got.Error.Code != -32602):
					t.Errorf("%s: what is hidden is there: %s", e, got.body)
				}
				if !tc.acts && !strings.Contains(gateway.log.String(), `"decision":"denied"`) {
					t.Errorf("%s: what was denied is not in the log: %s", e, gateway.log)
				}
			}
		})
	}
}

// TestAnAnswerThatIsTooLargeIsShortened keeps it as the contract promises it, and says what is missing.
func TestAnAnswerThatIsTooLargeIsShortened(t *testing.T) {
	t.Parallel()
	tool, err := offer(functions.ExportAudience, true)
	if err != nil {
		t.Fatal(err)
	}
	out := functions.ExportAudienceOutput{
		Date: day, Tier: functions.P1, RowsExported: 5, Digest: "d", DryRun: true,
		Guardrails: functions.Guardrails{Verdict: functions.VerdictOK},
	}
	for i := range 900 {
		out.LeftOut = append(out.LeftOut, functions.LeftOut{Reason: fmt.Sprint("reason ", i, strings.Repeat("x", 90)), Customers: 1})
	}
	data, err := functions.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	result, err := tool.result(data)
	if err != nil {
		t.Fatal(err)
	}
	short, is := result.StructuredContent.(json.RawMessage)
	if !is || len(short) > maxResult || len(short) < maxResult/2 {
		t.Fatalf("%d bytes of %d", len(short), len(data))
	}
	var back functions.ExportAudienceOutput
	if err := json.Unmarshal(short, &back); err != nil || len(back.LeftOut) < 300 {
		t.Errorf("%d rows: %v", len(back.LeftOut), err)
	}
	if _, err := tool.result(short); err != nil {
		t.Errorf("what is left is not as promised: %v", err)
	}
	last := result.Content[len(result.Content)-1]
	if encoded, _ := json.Marshal(last); !strings.Contains(string(encoded), fmt.Sprint(900-len(back.LeftOut), " of left_out")) || !strings.Contains(string(encoded), "limit") {
		t.Errorf("the notice: %s", encoded)
	}
}

// TestDigitsArriveUnchanged sends an amount that no float holds.
func TestDigitsArriveUnchanged(t *testing.T) {
	t.Parallel()
	amount, err := functions.ParseMoney("12345678901234567.10")
	if err != nil {
		t.Fatal(err)
	}
	tool, err := offer(functions.BuildPriorityQueue, true)
	if err != nil {
		t.Fatal(err)
	}
	data, err := functions.Marshal(functions.BuildPriorityQueueOutput{Date: day, MedianRevenue: amount, Guardrails: functions.Guardrails{Verdict: functions.VerdictOK}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := tool.result(data)
	if err != nil {
		t.Fatal(err)
	}
	if encoded, err := json.Marshal(result); err != nil || !strings.Contains(string(encoded), `"median_revenue":12345678901234567.1`) {
		t.Errorf("%s, %v", encoded, err)
	}
}
