package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/retentionops/retentionops/functions"
)

// town is what the acting tools of a test work on: it has a plan that may change, and remembers what was done and by
// which confirmation.
type town struct {
	mu    sync.Mutex
	plan  string
	done  []string // the input that ran
	calls []functions.Call
	block func(context.Context) // held while something is done
}

func newTown() *town { return &town{plan: "d1", block: func(context.Context) {}} }

func (w *town) did() ([]string, []functions.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done, w.calls
}

func (w *town) digest() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plan
}

// acts does what a call says, unless its plan is another.
func (w *town) acts(ctx context.Context, in any, expected string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if expected != "" && expected != w.plan {
		return functions.Errorf(functions.FailedPrecondition, "this is not the plan that was expected")
	}
	data, err := json.Marshal(in)
	w.done, w.calls = append(w.done, string(data)), append(w.calls, functions.CallFrom(ctx))
	return err
}

// work are the doors' insides: they resolve a day as the functions do, and report steps.
func (w *town) work() work {
	resolved := func(ref functions.DateRef) functions.Date {
		if ref == "" || ref == functions.Latest {
			return day
		}
		var date functions.Date
		_ = date.UnmarshalText([]byte(ref)) // it was checked
		return date
	}
	verdict := functions.Guardrails{Verdict: functions.VerdictOK, Findings: []functions.GuardrailFinding{}}
	return work{
		read: kept, queue: aQueue(2),
		audience: func(ctx context.Context, in functions.ExportAudienceInput) (functions.ExportAudienceOutput, error) {
			out := functions.ExportAudienceOutput{
				Date: resolved(in.Date), Tier: in.Tier, RowsExported: 312, RowsAvailable: 320, DryRun: in.DryRun, Digest: w.digest(), Guardrails: verdict,
				Columns: []string{"customer_id"}, LeftOut: []functions.LeftOut{{Reason: "excluded", Customers: 8}},
			}
			if in.DryRun {
				return out, nil
			}
			w.block(ctx)
			out.CSVURL = "https://files.example/P1.csv"
			return out, w.acts(ctx, in, in.ExpectDigest)
		},
		playbook: func(ctx context.Context, in functions.TriggerPlaybookInput) (functions.TriggerPlaybookOutput, error) {
			out := functions.TriggerPlaybookOutput{
				RunID: functions.CallFrom(ctx).RunID, Date: resolved(in.Date), Severity: functions.Critical, Phase: functions.PhaseProduction,
				Status: functions.RunSuccess, DeliveryState: functions.DeliveryNone, Guardrails: verdict, DryRun: in.DryRun,
				Artifacts: functions.Artifacts{Exports: []functions.TierExports{}},
			}
			if in.DryRun {
				out.Plan = &functions.Plan{
					Digest: w.digest(), Sends: true, Channel: "#retention", Mention: "<!channel>", Destinations: []string{"csv"},
					Tiers: []functions.PlannedTier{{TierTotal: functions.TierTotal{Tier: functions.P1, Customers: 312}, Exported: true}},
				}
				return out, nil
			}
			w.block(ctx)
			const steps = 4
			for i := range steps {
				functions.Report(ctx, functions.Progress{Stage: "send", Message: "step", Step: i + 1, Steps: steps})
			}
			out.DeliveryState, out.Artifacts.JiraTicket = functions.DeliveryConfirmed, "RET-7"
			return out, w.acts(ctx, in, in.ExpectDigest)
		},
	}
}

// elicits are the words of a client that can put a form before a person.
var elicits = map[string]any{"io.modelcontextprotocol/clientCapabilities": map[string]any{"elicitation": map[string]any{}}}

// pressed calls a tool as a client that can ask, with what it brings back.
func (s *served) pressed(t *testing.T, name, arguments string, beside map[string]any) answered {
	t.Helper()
	params := map[string]any{"name": name, "arguments": json.RawMessage(arguments), "_meta": maps.Clone(elicits)}
	maps.Copy(params, beside)
	return s.ask(t, modern, 1, "tools/call", params)
}

// answers is what a client says that asked a person.
func answers(state, action string, content any) map[string]any {
	answer := map[string]any{"action": action}
	if content != nil {
		answer["content"] = content
	}
	return map[string]any{"requestState": state, "inputResponses": map[string]any{question: answer}}
}

// offeredToken reads a question that came as a result, and holds it against the schema that was declared.
func (s *served) offeredToken(t *testing.T, e era, tool string, got answered) pending {
	t.Helper()
	var asked pending
	if got.Result.IsError || json.Unmarshal(got.Result.StructuredContent, &asked) != nil || asked.Confirmation != stateRequired || asked.Token == "" {
		t.Fatalf("%s: no question: %s", tool, got.body)
	}
	if !strings.Contains(got.text(), stateRequired) || !strings.Contains(got.text(), asked.Token) || !strings.Contains(got.text(), asked.Summary) {
		t.Errorf("%s: the text does not stand alone: %s", tool, got.text())
	}
	if asked.Expires == nil || !asked.Expires.After(time.Now()) || asked.Expires.After(time.Now().Add(confirmTime+time.Second)) {
		t.Errorf("%s: it expires at %v", tool, asked.Expires)
	}
	s.isPromised(t, e, tool, got.Result.StructuredContent)
	return asked
}

// isPromised holds structured content against the schema that the list of tools declares.
func (s *served) isPromised(t *testing.T, e era, tool string, content json.RawMessage) {
	t.Helper()
	_, tools, _ := s.seen(t, e)
	for _, listed := range tools {
		var look struct {
			Name         string
			OutputSchema *jsonschema.Schema
		}
		if err := json.Unmarshal(listed, &look); err != nil {
			t.Fatal(err)
		}
		if look.Name != tool {
			continue
		}
		schema, err := look.OutputSchema.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(content, &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v in %s", tool, err, content)
		}
		return
	}
	t.Errorf("%s is not listed", tool)
}

// tokened adds the token to the arguments of a call.
func tokened(arguments, token string) string {
	if arguments = strings.TrimSuffix(arguments, "}"); !strings.HasSuffix(arguments, "{") {
		arguments += ","
	}
	return fmt.Sprintf("%s%q:%q}", arguments, tokenName, token)
}

// deeds are calls that need a confirmation, what they are shown as, and what runs of them.
var deeds = map[string]struct {
	tool, arguments string
	shown           []string
	runs            string
	done            string
}{
	"an export": {
		"export_audience", `{"tier":"P1"}`,
		[]string{"Export 312 of the 320 customers in P1 of 2026-01-12 to a CSV file", "8 (excluded)", "Guardrails: ok"},
		`{"date":"2026-01-12","tier":"P1","destination":"csv","limit":2000,"expect_digest":"d1"}`, "https://files.example/P1.csv",
	},
	"an export, said in full": {
		"export_audience", `{"limit":5,"destination":"both","tier":"P2","date":"2026-01-10","override":{"by":"Mara","why":"a sale"}}`,
		[]string{"P2 of 2026-01-10 to a CSV file and a Google Sheet", `OVERRIDE`, `"Mara"`, `"a sale"`},
		`{"date":"2026-01-10","tier":"P2","destination":"both","limit":5,"override":{"by":"Mara","why":"a sale"},"expect_digest":"d1"}`, "Exported 312",
	},
	"a playbook": {
		"trigger_playbook", `{"date":"latest"}`,
		[]string{"Run the playbook of 2026-01-12 (CRITICAL, phase production)", "#retention", "<!channel>", "P1 312"},
		`{"date":"2026-01-12","expect_digest":"d1"}`, "delivery confirmed",
	},
	"a resend": {
		"trigger_playbook", `{"resend":true,"dry_run":false}`, []string{"RESEND"}, `{"date":"2026-01-12","resend":true,"expect_digest":"d1"}`, "RET-7",
	},
	"a replay": {"trigger_playbook", `{"replay":"01A"}`, []string{"REPLAY", "01A", "2025-12-23"}, `{"replay":"01A"}`, "success"},
}

// TestWhatIsConfirmedIsWhatRuns goes both ways to a yes, over both ways to the functions and in both eras.
func TestWhatIsConfirmedIsWhatRuns(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		for name, tc := range deeds {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				world := newTown()
				gateway := serve(t, keyed("read+act", nil), connect(t, world.work()))
				for _, e := range eras {
					token := gateway.offeredToken(t, e, tc.tool, gateway.tool(t, e, tc.tool, tc.arguments))
					says(t, token.Summary, tc.shown)
					got := gateway.tool(t, e, tc.tool, tokened(tc.arguments, token.Token))
					world.ran(t, gateway, got, tc.runs, tc.done)
					gateway.isPromised(t, e, tc.tool, got.Result.StructuredContent)
				}
				got := gateway.pressed(t, tc.tool, tc.arguments, nil)
				form := got.Result.InputRequests[question]
				if got.Result.ResultType != "input_required" || form.Method != "elicitation/create" || !strings.Contains(string(form.Params.RequestedSchema), approve) {
					t.Fatalf("no form: %s", got.body)
				}
				says(t, form.Params.Message, tc.shown)
				got = gateway.pressed(t, tc.tool, tc.arguments, answers(got.Result.RequestState, "accept", map[string]any{approve: true}))
				world.ran(t, gateway, got, tc.runs, tc.done)
			})
		}
	}
}

func says(t *testing.T, text string, words []string) {
	t.Helper()
	for _, part := range words {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

// ran asserts that one call was done, by whom and by which confirmation, and that the log knows as much. Then it is forgotten.
func (w *town) ran(t *testing.T, gateway *served, got answered, runs, done string) {
	t.Helper()
	inputs, calls := w.did()
	if got.Result.IsError || len(inputs) != 1 {
		t.Fatalf("ran %q: %s", inputs, got.text()+string(got.body))
	}
	if diff := cmp.Diff(runs, inputs[0]); diff != "" {
		t.Errorf("what ran (-want +got): %s", diff)
	}
	if !strings.Contains(got.text(), done) {
		t.Errorf("%q does not say %q", got.text(), done)
	}
	id := calls[0].Confirmation
	if id == "" || !strings.HasPrefix(calls[0].Caller, "ada via ") {
		t.Errorf("the function hears of %+v", calls[0])
	}
	for _, decided := range []decision{asked, confirmed} {
		line := fmt.Sprintf(`"confirmation_id":%q,"decision":%q`, id, decided)
		if !strings.Contains(gateway.log.String(), line) {
			t.Errorf("no line holds %s in %s", line, gateway.log)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done, w.calls = nil, nil
}

func (w *town) changes(plan string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan = plan
}
