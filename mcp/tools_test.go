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

// TestTheListOfToolsIsWholeAndSmall holds tools/list against a golden file: everybody pays for each byte of it.
func TestTheListOfToolsIsWholeAndSmall(t *testing.T) {
	t.Parallel()
	const most = 12 << 10 // bytes
	gateway := serve(t, nil, Local(nil))
	for _, e := range eras {
		got := gateway.ask(t, e, 1, "tools/list", nil)
		if got.status != 200 || len(got.Result.Tools) != len(functions.Tools) || len(got.body) >= most {
			t.Fatalf("%s: %d, %d tools in %d bytes, at most %d", e, got.status, len(got.Result.Tools), len(got.body), most)
		}
		if e == modern && (got.Result.TTLMs == nil || *got.Result.TTLMs == 0 || got.Result.CacheScope != "private") {
			t.Errorf("hints for caches: %v %s", got.Result.TTLMs, got.Result.CacheScope)
		}
		var pretty bytes.Buffer
		for _, tool := range got.Result.Tools {
			var look struct {
				Name, Title, Description  string
				InputSchema, OutputSchema map[string]any
				Annotations               map[string]*bool
			}
			if err := json.Unmarshal(tool, &look); err != nil {
				t.Fatal(err)
			}
			for _, hint := range []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} {
				if look.Annotations[hint] == nil {
					t.Errorf("%s does not state %s", look.Name, hint)
				}
			}
			// What is offered changes nothing, so no host need ask before it.
			if hint := look.Annotations["readOnlyHint"]; hint != nil && !*hint {
				t.Errorf("%s is offered as writing", look.Name)
			}
			if look.Title == "" || look.Description == "" || look.InputSchema["additionalProperties"] != false || look.OutputSchema["type"] != "object" {
				t.Errorf("%s is not told of as it should be: %s", look.Name, tool)
			}
			if err := json.Indent(&pretty, tool, "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
		}
		golden(t, "tools.json", pretty.Bytes())
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
	gateway := serve(t, nil, Local(doorsWith(t, "local", work{})))
	for name, tc := range map[string]struct {
		tool, arguments string
		says            []string
	}{
		"an unknown argument":      {"get_alert_decision", `{"dte": "latest"}`, []string{`"dte"`, "known: date", "invalid_argument"}},
		"no object":                {"get_alert_decision", `"latest"`, []string{"not an object", "known: date"}},
		"a wrong value":            {"get_alert_decision", `{"date": "yesterday"}`, []string{`"yesterday" is not a day`, "YYYY-MM-DD"}},
		"acting":                   {"trigger_playbook", `{"date": "latest"}`, []string{"not enabled", "dry_run true", "permission_denied"}},
		"acting, said openly":      {"export_audience", `{"tier": "P1", "dry_run": false}`, []string{"not enabled"}},
		"acting, a word for true":  {"build_priority_queue", `{"dry_run": "true"}`, []string{"not enabled"}},
		"a key there twice":        {"build_priority_queue", `{"dry_run": true, "dry_run": false}`, []string{"not enabled"}},
		"what goes with acting":    {"trigger_playbook", `{"dry_run": true, "resend": true}`, []string{`"resend"`, "known: date, dry_run"}},
		"a link without login":     {"export_audience", `{"tier": "P1", "dry_run": true, "signed_minutes": 5}`, []string{`"signed_minutes"`}},
		"passing a guardrail":      {"build_priority_queue", `{"dry_run": true, "override": {"by": "a", "why": "b"}}`, []string{`"override"`}},
		"a function without a URL": {"generate_brief", `{}`, []string{"generate_brief", "unavailable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range eras {
				got := gateway.tool(t, e, tc.tool, tc.arguments)
				if !got.Result.IsError || got.Error != nil {
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

// TestAnAnswerThatIsTooLargeIsShortened keeps it as the contract promises it, and says what is missing.
func TestAnAnswerThatIsTooLargeIsShortened(t *testing.T) {
	t.Parallel()
	tool, err := offer(functions.ExportAudience)
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
	tool, err := offer(functions.BuildPriorityQueue)
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
