package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// inspection is a run of the official inspector's command line.
type inspection struct {
	name string
	args []string
	exit int
	says string // on either stream
}

// The inspector ends with these.
const (
	fine       = 0
	toolFailed = 5 // the tool answered that it could not
)

// inspected is what an assistant's user tries first.
var inspected = []inspection{
	{"the list is fit for every client", []string{"--method", "tools/list", "--strict"}, fine, "trigger_playbook"},
	{"an alert", []string{"--method", "tools/call", "--tool-name", "get_alert_decision", "--tool-arg", "date=latest"}, fine, "2026-01-12: WARNING"},
	{"a mistake", []string{"--method", "tools/call", "--tool-name", "get_alert_decision", "--tool-arg", "dte=latest"}, toolFailed, "known: date"},
	{"the version of today", []string{
		"--protocol-era", "modern", "--format", "json", "--method", "tools/call", "--tool-name", "trigger_playbook",
		"--tool-args-json", `{"date":"latest","dry_run":true}`,
	}, fine, `"dry_run":true`},
}

// inspectedToo is the rest of what is served, over HTTP alone: it comes from the same hand.
var inspectedToo = []inspection{
	{"the situation", []string{"--method", "tools/call", "--tool-name", "get_operational_context", "--tool-arg", "date=latest"}, fine, "2026-01-12"},
	{"the brief", []string{"--method", "tools/call", "--tool-name", "generate_brief", "--tool-arg", "date=latest"}, fine, "2026-01-12"},
	{"the queue", []string{"--method", "tools/call", "--tool-name", "build_priority_queue", "--tool-args-json", `{"date":"latest","dry_run":true}`}, fine, "Dry run for 2026-01-12"},
	{"an audience", []string{"--method", "tools/call", "--tool-name", "export_audience", "--tool-args-json", `{"date":"latest","tier":"P1","dry_run":true}`}, fine, "Dry run for 2026-01-12"},
	{"a prompt", []string{"--method", "prompts/get", "--prompt-name", "daily_review", "--prompt-args", "date=2026-01-12"}, fine, "2026-01-12"},
	{"what can be read", []string{"--method", "resources/list"}, fine, "retention://rules"},
	{"what can be read by name", []string{"--method", "resources/templates/list"}, fine, "retention://run/{run_id}"},
	{"the rules", []string{"--method", "resources/read", "--uri", "retention://rules"}, fine, "rules_version"},
	{
		"which tools have a page",
		[]string{"--method", "tools/list", "--app-info", "--advertise-apps"},
		fine,
		`{"hasApp":true,"toolName":"trigger_playbook","resourceUri":"ui://retentionops/action-pack.html"`,
	},
	{"many at once", []string{
		"--method", "tools/call", "--tool-name", "get_alert_decision", "--tool-arg", "date=latest",
		"--load", "--load-concurrency", "16", "--load-requests", "64", "--format", "json",
	}, fine, `"errors":0`},
}

func TestTheInspector(t *testing.T) {
	if err := program.built(); err != nil {
		t.Fatal(err)
	}
	t.Run("standard streams", func(t *testing.T) { // one after the other: a process holds the warehouse
		for _, one := range inspected {
			t.Run(one.name, func(t *testing.T) { one.on(t, program.path, "mcp", "-e", "RETENTIONOPS_MCP_ACTIONS=true") })
		}
	})
	t.Run("streamable HTTP", func(t *testing.T) {
		url := served(t)
		t.Run("all", func(t *testing.T) {
			for _, one := range append(inspected, inspectedToo...) {
				t.Run(one.name, func(t *testing.T) {
					t.Parallel()
					one.on(t, url, "--transport", "http")
				})
			}
		})
	})
}

// TestTheInspectorConfirms an export: it can show no form, so it brings the token back.
func TestTheInspectorConfirms(t *testing.T) {
	if err := program.built(); err != nil {
		t.Fatal(err)
	}
	url := served(t)
	export := func(exit int, says, token string) []byte {
		arguments := `{"date":"latest","tier":"P1","override":{"by":"Mara","why":"the shop is made up"}` + token + "}"
		return inspection{args: []string{
			"--quiet", "--format", "json", "--method", "tools/call", "--tool-name", "export_audience", "--tool-args-json", arguments,
		}, exit: exit, says: says}.on(t, url, "--transport", "http")
	}
	var asked struct {
		Result struct {
			StructuredContent struct {
				Token string `json:"confirm_token"`
			}
		}
	}
	if err := json.Unmarshal(export(fine, "confirmation_required", ""), &asked); err != nil {
		t.Fatal(err)
	}
	token := asked.Result.StructuredContent.Token
	export(toolFailed, "permission_denied", `,"confirm_token":"`+token[:len(token)-2]+`"`)
	export(fine, `"csv_url"`, `,"confirm_token":"`+token+`"`)
}

// on runs the inspector on a target, and tells what it said.
func (i inspection) on(t *testing.T, target ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := node(ctx, t, filepath.Join(installed(t), "@modelcontextprotocol/inspector/clients/launcher/build/index.js"),
		append(append([]string{"--cli"}, target...), i.args...)...)
	said, err := cmd.CombinedOutput()
	exit := 0
	if failed, is := errors.AsType[*exec.ExitError](err); is {
		exit = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if exit != i.exit || !bytes.Contains(said, []byte(i.says)) || bytes.Contains(said, []byte("\nWarning:")) {
		t.Errorf("it ends with %d, want %d and %q:\n%s", exit, i.exit, i.says, said)
	}
	return said
}
