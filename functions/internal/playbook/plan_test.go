package playbook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/filedestination"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

func TestADryRunWritesNothing(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != functions.RunSuccess || out.DeliveryState != functions.DeliveryNone || !out.DryRun || out.LogWritten {
		t.Errorf("got %+v", out)
	}
	want := &functions.Plan{
		Tiers: []functions.PlannedTier{
			{TierTotal: functions.TierTotal{Tier: functions.P1, Customers: 10}, Exported: true},
			{TierTotal: functions.TierTotal{Tier: functions.P2, Customers: 20}, Exported: true},
			{TierTotal: functions.TierTotal{Tier: functions.P3, Customers: 15}},
		},
		Destinations: []string{"csv"}, Sends: true, Channel: "#retention-alerts", Mention: "nobody",
		Ticket: &functions.PlannedTicket{
			Project: "RETENTION", Type: "Task", Priority: "High", Title: "Retention Alert WARNING - 2026-01-12",
			Due: time.Date(2026, 1, 13, 8, 0, 0, 0, time.UTC),
		},
		Digest: out.Plan.Digest,
	}
	for i := range out.Plan.Tiers {
		out.Plan.Tiers[i].ValueAtRisk = functions.Money{}
	}
	if diff := cmp.Diff(want, out.Plan); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = h.warehouse.QueueSummary(t.Context(), day)
	if left := append(files(t, h.papers), files(t, h.exports)...); len(left) != 0 || len(h.rows(t)) != 0 ||
		len(hook.requests()) != 0 || functions.CodeOf(err) != functions.NotFound {
		t.Errorf("files %v, %d runs, %d requests, queue %v; want nothing", left, len(h.rows(t)), len(hook.requests()), err)
	}
}

func TestARunTakesOnlyThePlanThatWasExpected(t *testing.T) {
	t.Parallel()
	override := &functions.Override{By: "Ada", Why: "a sale"}
	tests := []struct {
		name   string
		change func(*house)
		in     functions.TriggerPlaybookInput // of the real call
		fits   bool
	}{
		{name: "nothing has changed", fits: true},
		{name: "an hour has passed", change: func(h *house) { h.clock.advance(time.Hour) }, fits: true},
		{name: "a customer has bought", change: func(h *house) {
			h.exec(`UPDATE base_customers SET total_revenue = total_revenue + 0.01 WHERE customer_id = 'customer-003'`)
		}},
		{name: "a customer has gone", change: func(h *house) {
			h.exec(`DELETE FROM base_customers WHERE customer_id = 'customer-003'`)
		}},
		{name: "the alert has changed", change: func(h *house) {
			h.exec(`UPDATE alert_logic SET severity = 'CRITICAL' WHERE alert_date = '2026-01-12'`)
		}},
		{name: "a figure of the alert has changed", change: func(h *house) {
			h.exec(`UPDATE alert_logic SET current_value = 25.3 WHERE alert_date = '2026-01-12'`)
		}},
		{name: "there is no alert any more", change: func(h *house) { h.exec(`UPDATE alert_logic SET alert_flag = false`) }},
		{name: "the ticket has changed", change: func(h *house) {
			h.Book = shipped(h.t, functions.PhaseProduction, "24 hours", "48 hours")
		}},
		{name: "a guardrail has changed", change: func(h *house) {
			h.Book = shipped(h.t, functions.PhaseProduction, "min_tier_size: 20", "min_tier_size: 21")
		}},
		{name: "the phase has changed", change: func(h *house) { h.Book = shipped(h.t, functions.PhasePilot) }},
		{name: "a template has changed", change: func(h *house) { h.Templates = reworded(h.t) }},
		{name: "the webhook has changed", change: func(h *house) { h.Config.URL += "x" }},
		{name: "the webhook's key has changed", change: func(h *house) { h.Config.APIKey += "x" }},
		{name: "the webhook's key has gone", change: func(h *house) { h.Config.APIKey = "" }},
		{name: "the kind of destination has changed", change: func(h *house) { h.Target = functions.TargetBoth }},
		{name: "the destination has moved", change: func(h *house) { h.Exporter.CSVAt = "file:///elsewhere" }},
		{name: "the files look otherwise", change: func(h *house) { h.Exporter.Settings.Delimiter = audience.Tab }},
		{name: "the call resends", in: functions.TriggerPlaybookInput{Resend: true}},
		{name: "the call passes guardrails", in: functions.TriggerPlaybookInput{Override: override}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			planned, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
			if err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(h)
			}
			test.in.ExpectDigest = planned.Plan.Digest
			out, err := h.Run(t.Context(), test.in)
			if test.fits {
				if err != nil || out.DeliveryState != functions.DeliveryConfirmed {
					t.Errorf("got %+v, %v; want a confirmed run", out, err)
				}
				return
			}
			if left := h.made(t); functions.CodeOf(err) != functions.FailedPrecondition || len(hook.requests()) != 0 || len(left) != 0 {
				t.Errorf("got %v, %d requests, %v; want failed_precondition and nothing claimed or made", err, len(hook.requests()), left)
			}
			if rows := h.rows(t); len(rows) != 1 || rows[0].Status != functions.RunFailed || rows[0].Stage != "decide" || rows[0].NotificationReason != "failed" {
				t.Errorf("the log has %+v, want a run that failed", rows)
			}
		})
	}
}

// made names what runs left behind besides the log and its papers.
func (h *house) made(t *testing.T) []string {
	t.Helper()
	left := files(t, h.exports)
	for _, folder := range []string{"claims/", "queues/", "briefs/", "payloads/"} {
		left = append(left, h.kept(t, folder)...)
	}
	return left
}

// reworded are the shipped templates with another subject.
func reworded(t *testing.T) *brief.Templates {
	t.Helper()
	changed := fstest.MapFS{}
	names, err := fs.Glob(brieftemplates.FS, "*.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(brieftemplates.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "subject") {
			content = append([]byte("New: "), content...)
		}
		changed[name] = &fstest.MapFile{Data: content}
	}
	templates, err := brief.Load(changed)
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// A mismatch is one also where a run would do nothing: what was looked at is no longer so.
func TestAnotherPlanIsRefusedOnEveryDay(t *testing.T) {
	t.Parallel()
	t.Run("a day that was sent", func(t *testing.T) {
		t.Parallel()
		hook := newHook(t, says(200, receipt))
		h := newHouse(t, functions.PhaseProduction, hook.address())
		planned, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		expecting := functions.TriggerPlaybookInput{ExpectDigest: planned.Plan.Digest}
		for _, done := range []bool{false, true} {
			if out, err := h.Run(t.Context(), expecting); err != nil || out.AlreadyDone != done {
				t.Fatalf("got %+v, %v; want already_done %t", out, err, done)
			}
		}
		before := h.made(t)
		h.exec(`UPDATE base_customers SET total_revenue = 5000`)
		if out, err := h.Run(t.Context(), expecting); functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("got %+v, %v; want failed_precondition", out, err)
		}
		if diff := cmp.Diff(before, h.made(t)); diff != "" {
			t.Errorf("the archive (-before +after):\n%s", diff)
		}
	})
	t.Run("a day without an alert", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, functions.PhaseProduction, "http://127.0.0.1:1/hook")
		h.exec(`UPDATE alert_logic SET alert_flag = false`)
		planned, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{ExpectDigest: planned.Plan.Digest}); err != nil || out.Status != functions.RunSkipped {
			t.Errorf("got %+v, %v; want a skipped run", out, err)
		}
		if out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{ExpectDigest: "another"}); functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("got %+v, %v; want failed_precondition", out, err)
		}
	})
}

func TestForecasts(t *testing.T) {
	t.Parallel()
	crowd := func(h *house) {
		h.exec(`UPDATE retention_snapshot SET retention_status = 'ACTIVE', days_since_last_order = 20`)
		h.exec(`UPDATE churn_detection SET churn_risk_level = 'HIGH'`)
	}
	tests := []struct {
		name   string
		phase  functions.Phase
		in     functions.TriggerPlaybookInput
		change func(*house)
		want   string
	}{
		{"an ordinary day", functions.PhaseProduction, functions.TriggerPlaybookInput{}, nil, "would send the WARNING playbook to #retention-alerts"},
		{"a day without an alert", functions.PhaseProduction, functions.TriggerPlaybookInput{}, func(h *house) {
			h.exec(`UPDATE alert_logic SET alert_flag = false`)
		}, "would be skipped: no alert"},
		{"the shadow phase", functions.PhaseShadow, functions.TriggerPlaybookInput{}, nil, "send nothing: the phase is shadow"},
		{"no webhook", functions.PhaseProduction, functions.TriggerPlaybookInput{}, func(h *house) { h.Config.URL = "" }, "would be refused: RETENTIONOPS_WEBHOOK_URL is not set"},
		{"no directory", functions.PhaseShadow, functions.TriggerPlaybookInput{}, func(h *house) { h.Exporter.CSV = nil }, "would be refused: no directory for CSV files"},
		{"a guardrail", functions.PhaseProduction, functions.TriggerPlaybookInput{}, crowd, "would be stopped: a guardrail stops this"},
		{
			"a guardrail that is passed", functions.PhaseProduction,
			functions.TriggerPlaybookInput{Override: &functions.Override{By: "Ada", Why: "a sale"}},
			crowd, "would send the WARNING playbook",
		},
		{"a day that was sent", functions.PhaseProduction, functions.TriggerPlaybookInput{}, func(h *house) {
			if _, err := h.Run(h.t.Context(), functions.TriggerPlaybookInput{}); err != nil {
				h.t.Fatal(err)
			}
		}, "answer with the result of run 01KRUN0001"},
		{"a digest of another plan on a day without an alert", functions.PhaseProduction, functions.TriggerPlaybookInput{ExpectDigest: "0"}, func(h *house) {
			h.exec(`UPDATE alert_logic SET alert_flag = false`)
		}, "this is not the plan that was expected"},
		{"a digest of another plan", functions.PhaseProduction, functions.TriggerPlaybookInput{ExpectDigest: "0"}, nil, "this is not the plan that was expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, test.phase, newHook(t, says(200, receipt)).address())
			if test.change != nil {
				test.change(h)
			}
			test.in.DryRun = true
			out, err := h.Run(t.Context(), test.in)
			if err != nil || !strings.Contains(out.Reason, test.want) || out.Plan == nil || out.Plan.Digest == "" || out.Status != functions.RunSuccess {
				t.Errorf("got %q, %v; want something with %q", out.Reason, err, test.want)
			}
		})
	}
}

func TestSheets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		sheets bool // configured and writable
		state  string
		link   string // what people are sent
		note   string // in the brief
	}{
		{"sheets and files", true, "csv and gsheet", "/sheets/2026-01-12_P1.csv", ""},
		{"a file stands in for a sheet", false, "csv stood in for gsheet (2 of 2 tiers)", "/exports/2026-01-12_P1.csv", "the CSV file stands in for it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			h.Target = functions.TargetBoth
			h.Exporter.CSV = directory(t, "exports")
			if test.sheets { // any destination can stand where the spreadsheet is
				h.Exporter.Sheets = directory(t, "sheets")
			}
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err != nil {
				t.Fatal(err)
			}
			row := h.rows(t)[0]
			if row.ExportState != test.state || out.Artifacts.GSheetsUploaded != test.sheets || !strings.HasSuffix(row.ExportP1Link, test.link) {
				t.Errorf("export_state %q, uploaded %t, link %s", row.ExportState, out.Artifacts.GSheetsUploaded, row.ExportP1Link)
			}
			if body := hook.requests()[0].body; !strings.Contains(body, test.note) {
				t.Errorf("the brief does not say %q: %s", test.note, body)
			}
		})
	}
}

// directory opens a directory of that name as a destination.
func directory(t *testing.T, name string) func(context.Context) (destination.Destination, error) {
	t.Helper()
	to, err := filedestination.Open(&url.URL{Scheme: "file", Path: t.TempDir() + "/" + name})
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context) (destination.Destination, error) { return to, nil }
}

func TestAnOverridePassesAndIsLogged(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.exec(`UPDATE retention_snapshot SET retention_status = 'ACTIVE', days_since_last_order = 20`)
	h.exec(`UPDATE churn_detection SET churn_risk_level = 'HIGH'`)
	_, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err == nil || !strings.Contains(err.Error(), "P1 takes 100 of 100 customers: 100.0 %, stops over 60 %") {
		t.Errorf("got %v; the figure and the limit are to be named", err)
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Override: &functions.Override{By: "Ada", Why: "a sale"}})
	if err != nil || out.Guardrails.Verdict != functions.VerdictWarn {
		t.Fatalf("got %+v, %v", out, err)
	}
	rows, err := h.Log.List(t.Context(), warehouse.RunQuery{RunID: out.RunID})
	if err != nil || rows[0].ForcedBy != "Ada: a sale" {
		t.Errorf("forced_by %q, %v", rows[0].ForcedBy, err)
	}
}

// TestThePayload holds the message against the fields of §9.1, and looks for customers in it.
func TestThePayload(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		severity functions.Severity
		exports  string
		mention  string
		priority string
		hours    int
	}{
		{functions.Warning, `["p1","p2"]`, "nobody", "High", 24},
		{functions.Critical, `["p1","p2","p3"]`, "channel", "Highest", 4},
	} {
		t.Run(string(test.severity), func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			h.exec(`UPDATE alert_logic SET severity = '` + string(test.severity) + `' WHERE alert_date = '2026-01-12'`)
			if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
				t.Fatal(err)
			}
			body := hook.requests()[0].body
			if strings.Contains(body, "customer-0") {
				t.Error("the payload names a customer")
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			exports := []string{}
			urls, _ := got["export_urls"].(map[string]any)
			for _, tier := range []string{"p1", "p2", "p3"} {
				if link, has := urls[tier]; has {
					exports = append(exports, tier)
					if text, _ := link.(string); !strings.HasSuffix(text, "2026-01-12_"+strings.ToUpper(tier)+".csv") {
						t.Errorf("%s links to %v", tier, link)
					}
				}
			}
			if named, _ := json.Marshal(exports); string(named) != test.exports {
				t.Errorf("exports %s, want %s", named, test.exports)
			}
			slack, _ := got["slack"].(map[string]any)
			for _, long := range []any{got["brief_markdown"], got["subject"], slack["text"], got["slack_blocks"], got["jira_body"]} {
				if text, _ := long.(string); text == "" {
					t.Errorf("a text of the payload is empty: %s", body)
				}
			}
			if blocks, _ := slack["blocks"].([]any); len(blocks) == 0 {
				t.Errorf("no blocks: %s", body)
			}
			delete(got, "brief_markdown")
			delete(got, "subject")
			delete(got, "slack_blocks")
			delete(got, "jira_body")
			delete(slack, "text")
			delete(slack, "blocks")
			delete(got, "export_urls")
			key := fmt.Sprintf("rop_2026-01-12_%s_production", test.severity)
			want := map[string]any{
				"date": "2026-01-12", "severity": string(test.severity), "alert_flag": true,
				"metrics":         map[string]any{"current_value": 25.2, "baseline_value": 21.4, "delta_relative_pct": 17.8},
				"priority_counts": map[string]any{"p1": 10.0, "p2": 20.0, "p3": 15.0},
				"run_id":          "01KRUN0001", "idempotency_key": key, "phase": "production", "expires_at": "2026-01-13T08:00:00Z",
				"expires_unix": float64(time.Date(2026, 1, 13, 8, 0, 0, 0, time.UTC).Unix()),
				"slack":        map[string]any{"channel": "#retention-alerts", "mention": test.mention},
				"ticket": map[string]any{
					"project": "RETENTION", "type": "Task", "priority": test.priority,
					"title": fmt.Sprintf("Retention Alert %s - 2026-01-12", test.severity),
					"due":   time.Date(2026, 1, 12, 8+test.hours, 0, 0, 0, time.UTC).Format(time.RFC3339), "label": key, "update": "",
				},
				"rules_version": h.Book.Version(),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNothingTellsASecret makes a run of each ending and looks everywhere that people look: in answers, errors, the
// structured log, the run log, the archive and the exports.
func TestNothingTellsASecret(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		says(500, fmt.Sprint(r.URL, r.Header))(w, r)
	}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/other", http.StatusFound)
	}
	for name, script := range map[string]http.HandlerFunc{
		"confirmed": says(200, receipt), "unknown": cuts, "refused": says(410, "Webhook not found."), "echoed": echo, "redirected": redirect,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, script)
			h := newHouse(t, functions.PhaseProduction, hook.address())
			planned, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			var text strings.Builder
			fmt.Fprintf(&text, "%+v %+v %v %+v %v %s %+v", planned, out, err, functions.ProblemOf(err, ""), h.rows(t), h.logged, h.Config)
			for _, dir := range []string{h.papers, h.exports} {
				for _, file := range files(t, dir) {
					content, err := os.ReadFile(dir + "/" + file)
					if err != nil {
						t.Fatal(err)
					}
					text.WriteString(file)
					text.Write(content)
				}
			}
			secrets := []string{hook.URL, hookPath, apiKey, strings.TrimPrefix(secret, "whsec_"), "0123456789abcdef0123456789abcdef"}
			for _, request := range hook.requests() {
				secrets = append(secrets, strings.TrimPrefix(request.header.Get("webhook-signature"), "v1,"))
			}
			for _, secret := range secrets {
				if strings.Contains(text.String(), secret) {
					t.Errorf("%q is told", secret)
				}
			}
		})
	}
}

func TestProgressIsReported(t *testing.T) {
	t.Parallel()
	h := newHouse(t, functions.PhaseProduction, newHook(t, says(200, receipt)).address())
	var reached []string
	ctx := functions.WithReporter(t.Context(), func(p functions.Progress) {
		if p.Steps > 0 {
			reached = append(reached, fmt.Sprintf("%s %d/%d", p.Stage, p.Step, p.Steps))
		}
	})
	ctx = functions.WithCall(ctx, functions.Call{RunID: "01KFROMTHEDOOR", Caller: "daily"})
	out, err := h.Run(ctx, functions.TriggerPlaybookInput{})
	if err != nil || out.RunID != "01KFROMTHEDOOR" || h.rows(t)[0].Caller != "daily" {
		t.Errorf("got run %s, %v; the call's id is the run's", out.RunID, err)
	}
	want := []string{"decide 1/8", "begin 2/8", "queue 3/8", "guardrails 4/8", "export 5/8", "brief 6/8", "send 7/8", "end 8/8"}
	if diff := cmp.Diff(want, reached); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stage, err := h.Archive.Get(t.Context(), "runs/01KFROMTHEDOOR/stage")
	if err != nil || string(stage) != "end confirmed" {
		t.Errorf("the archive keeps stage %q, %v", stage, err)
	}
}
