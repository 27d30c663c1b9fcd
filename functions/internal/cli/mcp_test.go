package cli_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/retentionops/retentionops/functions"
)

// assistant is a client that has started the gateway as a process, and talks with it line by line.
type assistant struct {
	t    *testing.T
	cmd  *exec.Cmd
	say  func(string)
	hear *bufio.Scanner
	hush func() error
}

// newAssistant starts the gateway on the embedded warehouse.
func newAssistant(t *testing.T, folder string, args ...string) *assistant {
	t.Helper()
	return listening(t, program(t, folder, append([]string{"mcp"}, args...)...))
}

// listening starts a gateway that acts.
func listening(t *testing.T, cmd *exec.Cmd) *assistant {
	t.Helper()
	cmd.Env = append(cmd.Environ(), "RETENTIONOPS_MCP_ACTIONS=true")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hear := bufio.NewScanner(out)
	hear.Buffer(nil, 1<<20)
	return &assistant{t: t, cmd: cmd, say: func(line string) { _, _ = fmt.Fprintln(in, line) }, hear: hear, hush: in.Close}
}

// mcpAnswer is what the gateway says to one request.
type mcpAnswer struct {
	ID     int
	Result struct {
		IsError           bool
		Content           []struct{ Text string }
		StructuredContent json.RawMessage
		Tools             []struct {
			Name         string
			OutputSchema json.RawMessage
		}
		Contents     []struct{ Text string }
		ResultType   string
		RequestState string
	}
	Error *struct{ Message string }
}

// text is what the answer says first.
func (a mcpAnswer) text() string {
	if len(a.Result.Content) == 0 {
		return ""
	}
	return a.Result.Content[0].Text
}

func (a *assistant) ask(id int, method, params string) mcpAnswer {
	a.t.Helper()
	a.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params))
	for a.hear.Scan() {
		var answer mcpAnswer
		if err := json.Unmarshal(a.hear.Bytes(), &answer); err != nil {
			a.t.Fatalf("%v in %s", err, a.hear.Text())
		}
		if answer.ID == id {
			return answer
		}
	}
	a.t.Fatalf("no answer to %s: %v", method, a.hear.Err())
	return mcpAnswer{}
}

// TestAssistantsGetWhatIsPromised asks every tool over the real doors on the embedded warehouse, in this process and at a
// running serve, and holds each answer against the schema that was declared for it.
func TestAssistantsGetWhatIsPromised(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, args := range [][]string{
		{"import", "--generate", "600", "--date", "2026-01-12"},
		{"call", "build_priority_queue", "--date", "latest"},
	} {
		if output, err := program(t, folder, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	t.Run("in this process", func(t *testing.T) { talk(t, newAssistant(t, folder)) })
	t.Run("at a running serve", func(t *testing.T) {
		free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := free.Addr().String()
		_ = free.Close()
		served := program(t, folder, "serve", "--addr", addr)
		if err := served.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = served.Process.Kill(); _ = served.Wait() })
		base := "http://" + addr
		for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
			if response, err := http.Get(base + "/get_alert_decision"); err == nil { //nolint:noctx // the test's own deadline holds
				_ = response.Body.Close()
				break
			}
		}
		talk(t, newAssistant(t, folder, "--url", base))
	})
}

func talk(t *testing.T, a *assistant) {
	t.Helper()
	begun := a.ask(1, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
	if begun.Error != nil {
		t.Fatal(begun.Error.Message)
	}
	a.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	arguments := map[string]string{
		"export_audience": `{"date":"latest","tier":"P1","dry_run":true}`, "build_priority_queue": `{"date":"latest","dry_run":true}`,
		"trigger_playbook": `{"date":"latest","dry_run":true}`,
	}
	tools := a.ask(2, "tools/list", `{}`).Result.Tools
	if len(tools) != len(functions.Tools) {
		t.Fatalf("%d tools", len(tools))
	}
	for i, tool := range tools {
		given, has := arguments[tool.Name]
		if !has {
			given = `{"date":"latest"}`
		}
		answer := a.ask(10+i, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool.Name, given))
		if answer.Error != nil || answer.Result.IsError || len(answer.Result.Content) == 0 || !strings.Contains(answer.Result.Content[0].Text, "2026-01-12") {
			t.Errorf("%s: %+v", tool.Name, answer)
			continue
		}
		holds(t, tool.Name, tool.OutputSchema, answer.Result.StructuredContent)
	}
	for i, uri := range []string{"retention://rules", "retention://vocabulary", "retention://brief/latest", "retention://runs/2026-01"} {
		answer := a.ask(30+i, "resources/read", fmt.Sprintf(`{"uri":%q}`, uri))
		if answer.Error != nil || len(answer.Result.Contents) == 0 || answer.Result.Contents[0].Text == "" {
			t.Errorf("%s: %+v", uri, answer)
		}
	}
	// Nothing that reaches people is done at once.
	if answer := a.ask(40, "tools/call", `{"name":"trigger_playbook","arguments":{"date":"latest"}}`); !strings.HasPrefix(answer.text(), "confirmation_required") {
		t.Errorf("a playbook ran: %+v", answer)
	}
	a.leave()
}

// leave ends the input, at which the gateway ends by itself.
func (a *assistant) leave() {
	a.t.Helper()
	if err := a.hush(); err != nil {
		a.t.Fatal(err)
	}
	if a.hear.Scan() {
		a.t.Errorf("it says %s", a.hear.Text())
	}
	if err := a.cmd.Wait(); err != nil {
		a.t.Errorf("it ends with %v", err)
	}
}

// holds asserts that an answer is as its schema says.
func holds(t *testing.T, tool string, promised, given json.RawMessage) {
	t.Helper()
	var schema jsonschema.Schema
	if err := json.Unmarshal(promised, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(given, &value); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("%s: %v in %s", tool, err, given)
	}
}

// TestMCPThatCannotBeginLeavesStandardOutputAlone: standard output is the protocol's, and a problem document is none of
// its messages.
func TestMCPThatCannotBeginLeavesStandardOutputAlone(t *testing.T) {
	t.Parallel()
	cmd := program(t, t.TempDir(), "mcp")
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err == nil || out.String() != "" || !strings.Contains(said.String(), "there is no warehouse") {
		t.Errorf("ended with %v, wrote %q, and told %q", err, out.String(), said.String())
	}
}
