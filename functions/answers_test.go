package functions_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

var (
	day   = civil.Date{Year: 2026, Month: time.January, Day: 12}
	tiers = []functions.TierTotal{
		{Tier: functions.P1, Customers: 87, ValueAtRisk: money("12345678901234567.10")},
		{Tier: functions.P2, Customers: 312, ValueAtRisk: money("58500")},
		{Tier: functions.P3, Customers: 189, ValueAtRisk: money("0")},
	}
	guarded = functions.Guardrails{
		Verdict:    functions.VerdictWarn,
		Findings:   []functions.GuardrailFinding{{Guardrail: "tier_share", Verdict: functions.VerdictWarn, Message: "P2 holds 41 %; warns over 30 %"}},
		Overridden: "Ada: known migration", ComparedWith: "run 01H of 2026-01-05",
	}
	noon  = time.Date(2026, 1, 12, 12, 0, 0, 0, time.UTC)
	asked = []functions.Condition{{
		Text: "total_revenue over high_value", Holds: new(true), Shown: "total_revenue 3847.00 over high_value 2000",
		Saw: []functions.NamedValue{{Name: "total_revenue", Value: "3847.00"}},
	}}
	explained = functions.Explanation{
		CustomerID: "17865", Date: &day, Origin: functions.OriginQueue, RulesVersion: "0123456789ab", MedianRevenue: money("625.55"),
		Signals: asked[0].Saw, SetAside: []functions.CustomerFault{{Issue: "unknown_status", Meaning: "a status outside the vocabulary"}},
		Tier: functions.P1, RuleID: "active-high",
		Rules: []functions.AskedRule{{
			Rule: "active-high", Tier: functions.P1, File: "priority.yaml", Line: 12, Fits: true, Gives: true, Conditions: asked,
		}},
		Score: &functions.ScoreReceipt{
			Start: 70, Sum: 86.51, AtMost: 100, Decimals: 1, Score: 86.5, Parts: []functions.ScorePart{{
				Name: "value", Formula: "ln(1 + total_revenue) * 2", Filled: "ln(1 + 3847.00) * 2", Points: 16.51, AtMost: new(20.0), Added: 16.51, Line: 34,
			}},
		},
		Reason: &functions.ReasonReceipt{
			Text: "still buying, high value", Mentions: []functions.AskedMention{{Say: "high value", Line: 30, Fits: true, Conditions: asked}},
		},
		Action:     &functions.ActionReceipt{Text: "call", Lines: []functions.AskedAction{{Do: "call", Line: 41, Fits: true, Conditions: asked}}},
		ValueProxy: &functions.ValueReceipt{Share: money("0.3"), Of: "total_revenue", Amount: money("3847"), Decimals: 2, Value: money("1154.10")},
		Changes:    []functions.TierChange{{If: "churn_risk_level were MEDIUM"}, {If: "days_since_last_order were 31", Tier: functions.P2}},
		Differences: []functions.StoredDifference{
			{What: "score", Stored: "94.4", Rules: "94.5"},
		},
	}
	quality = functions.DataQuality{
		SetAside: 3, Issues: []functions.QualityIssue{{Issue: "unknown_status", Customers: 3, Meaning: "a status outside the vocabulary"}},
	}
)

// ioTypes holds the types of each tool with an answer in which every field is filled.
var ioTypes = []struct {
	tool   *functions.Tool
	input  functions.Input
	zero   any
	sample any
}{
	{functions.GetAlertDecision, functions.GetAlertDecisionInput{}, functions.GetAlertDecisionOutput{}, functions.GetAlertDecisionOutput{
		AlertDate: day, Severity: functions.Warning, AlertFlag: true, CurrentValue: 25.2, BaselineValue: new(21.4), DeltaRelativePct: new(17.76),
		SampleSize: 49378, Thresholds: functions.Thresholds{WarningPct: 15, CriticalPct: 25}, BaselineReady: true, ActionRequired: true,
		Reason: "25.2 % against 21.4 %",
	}},
	{functions.GetOperationalContext, functions.GetOperationalContextInput{}, functions.GetOperationalContextOutput{}, functions.GetOperationalContextOutput{
		Date: day, TotalCustomers: 49378, StatusDistribution: functions.StatusCounts{Active: 19012, AtRisk: 12450, Inactive: 17916},
		AtRiskByRiskLevel: functions.RiskCounts{High: 2891, Medium: 5178, Low: 4381},
		StatusByRisk:      []functions.StatusRiskCell{{Status: functions.AtRisk, Risk: functions.RiskHigh, Customers: 2891}},
		TierPreview:       tiers, DataQuality: quality, Excluded: 12, RulesVersion: "0123456789ab",
	}},
	{functions.BuildPriorityQueue, functions.BuildPriorityQueueInput{}, functions.BuildPriorityQueueOutput{}, functions.BuildPriorityQueueOutput{
		Date: day, P1Count: 87, P2Count: 312, P3Count: 189, Total: 588, TableUpdated: "customer_priority", RowsReplaced: 580, Tiers: tiers,
		Changes: functions.QueueChanges{
			ComparedWith: new(day.AddDays(-7)), Added: 20, Removed: 12, Unchanged: 560,
			Moved: []functions.TierMovement{{From: functions.P1, To: functions.P2, Customers: 8}},
		},
		Guardrails: guarded, DataQuality: quality, Excluded: 12, RulesVersion: "0123456789ab", MedianRevenue: money("625.55"),
	}},
	{functions.GenerateBrief, functions.GenerateBriefInput{}, functions.GenerateBriefOutput{}, functions.GenerateBriefOutput{
		Date: day, Format: functions.FormatSlack, Severity: functions.Critical, Phase: functions.PhaseShadow, Subject: "CRITICAL",
		Text: "*CRITICAL* <now> & here", HTML: "<p>CRITICAL</p>", Blocks: json.RawMessage(`[{"type":"divider"}]`),
		Card: functions.JSONObject(`{"type":"message"}`), RulesVersion: "0123456789ab", RunID: "01J", Currency: "EUR",
		TopCustomers: []functions.TopCustomer{{
			Tier: functions.P1, Rank: 1, CustomerID: "12345", ValueProxy: money("1154.32"), Score: 94.5, Reason: "ACTIVE + HIGH risk", Action: "VIP outreach",
		}},
	}},
	{functions.ExportAudience, functions.ExportAudienceInput{}, functions.ExportAudienceOutput{}, functions.ExportAudienceOutput{
		Date: day, Tier: functions.P1, RowsExported: 86, RowsAvailable: 87, Truncated: true,
		LeftOut: []functions.LeftOut{{Reason: "formula", Customers: 1, CustomerIDs: []string{"=1+1"}}},
		CSVURL:  "file:///out/p1.csv", SignedURL: "https://storage.googleapis.com/b/p1.csv?X-Goog-Signature=0", GSheetURL: "https://docs.google.com/spreadsheets/d/x", Columns: []string{"customer_id"}, Guardrails: guarded, Notes: []string{"a note"},
		Digest: "abc", RulesVersion: "0123456789ab",
	}},
	{functions.TriggerPlaybook, functions.TriggerPlaybookInput{}, functions.TriggerPlaybookOutput{}, functions.TriggerPlaybookOutput{
		RunID: "01J", Date: day, Severity: functions.Warning, Phase: functions.PhaseProduction, Status: functions.RunSuccess,
		DeliveryState: functions.DeliveryConfirmed, Reason: "a receipt came back", WebhookCalled: true, ResponseStatus: 200, Attempts: 1,
		Artifacts: functions.Artifacts{
			SlackPosted: true, SlackMessageTS: "1768200000.000100", JiraTicket: "RET-2401", GSheetsUploaded: true,
			Exports: []functions.TierExports{{Tier: functions.P1, Rows: 87, Link: "file:///out/p1.csv"}},
		},
		LogWritten: true, ReplayOf: "01H", BackupMail: &functions.BackupMail{ToRole: functions.RetentionTeam, Sent: true, Error: "1 of 2 has it"}, P1Count: 87, P2Count: 312, P3Count: 189, Excluded: 12, Guardrails: guarded, RulesVersion: "0123456789ab",
		Plan: &functions.Plan{
			Tiers:        []functions.PlannedTier{{TierTotal: tiers[0], Exported: true}},
			Destinations: []string{"file:///out"}, Sends: true, Channel: "#retention-alerts", Mention: "nobody", Digest: "abc",
			Ticket: &functions.PlannedTicket{
				Project: "RETENTION", Type: "Task", Priority: "High", Title: "Retention Alert WARNING - 2026-01-12",
				Due: time.Date(2026, 1, 13, 6, 0, 0, 0, time.UTC),
			},
		},
	}},
	{functions.ReadRecord, functions.ReadRecordInput{}, functions.ReadRecordOutput{}, functions.ReadRecordOutput{
		Record: functions.RecordRuns, Runs: []functions.Run{
			{
				RunID: "01J", RunTimestamp: time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC), AlertDate: &day, Severity: functions.Warning,
				AlertFlag: new(true), SampleSize: new(int64(49378)), Status: functions.RunSuccess, Phase: functions.PhaseProduction,
				DeliveryState: functions.DeliveryConfirmed,
			},
			{RunID: "01K", Status: functions.RunFailed}, // ended before it knew its day
		},
		Explanation: &explained,
		Rulebook:    &functions.RuleText{RulesVersion: "0123456789ab", Text: "# The rules"},
		Rules:       &functions.RuleFiles{RulesVersion: "0123456789ab", Files: []functions.RuleFile{{Name: "fields.yaml", Text: "fields:"}}},
	}},
	{functions.CheckHealth, functions.CheckHealthInput{}, functions.CheckHealthOutput{}, functions.CheckHealthOutput{
		CheckedAt: noon, Phase: functions.PhasePilot, From: day.AddDays(-29), To: day, WindowDays: 30,
		Figures: []functions.HealthFigure{
			{
				Name: "success_rate", Meaning: "runs that ended as they should", Unit: functions.UnitPercent, Value: new(96.7), Of: 30,
				Target: "over 95 %", Verdict: functions.TargetMet, RunIDs: []string{"01J"},
			},
			{Name: "mean_seconds", Meaning: "time of a run", Unit: functions.UnitSeconds, Verdict: functions.TargetUnknown},
		},
		Days: []functions.HealthDay{{Date: day, Runs: 2, FailedRuns: 1, Alerts: 1, SuccessRate: new(50.0), MeanSeconds: new(4.2)}},
		Alarms: []functions.HealthAlarm{{
			Name: "runs_fail", What: "runs fail", When: "success_rate < 90", ForDays: 2, Tell: []string{"data_team"},
			State: functions.AlarmStanding, Change: functions.AlarmBegan, BeganAt: &noon, EndedAt: &noon, Mail: functions.MailFailed,
			MailWhy: "the server does not answer", Saw: asked[0].Saw, RunIDs: []string{"01J"},
		}},
		Rollout: functions.RolloutView{
			Phase: functions.PhasePilot, Since: &day, Next: functions.PhaseProduction, Ready: true, Change: "phase: production",
			Criteria: []functions.RolloutCriterion{{
				Name: "warnings_handled", Text: "2 WARNING alerts handled", Met: true, Found: "2 of 2", Days: []functions.Date{day},
				RunIDs: []string{"01J"}, NoteIDs: []string{"01N"},
			}},
			Triggers: []functions.RollbackTrigger{{
				Name: "downtime", Text: "System downtime >24 hours", State: functions.AlarmQuiet, Found: "a run ended 2 hours ago",
				RunIDs: []string{"01J"}, NoteIDs: []string{"01N"},
			}},
			Notes: []functions.RolloutNote{{
				ID: "01N", What: functions.NoteCampaignStarted, Who: "Ada", Why: "seen in the CRM", RunID: "01J", At: noon, WrittenAt: noon,
				Caller: "local", Phase: functions.PhasePilot,
			}},
		},
		LateRows: 1, Notices: []string{"mail is not configured"},
	}},
}

// TestSampleAnswersKeepTheirSchema encodes an answer with every field filled, and the same with every list emptied.
func TestSampleAnswersKeepTheirSchema(t *testing.T) {
	t.Parallel()
	for _, io := range ioTypes {
		t.Run(io.tool.Name, func(t *testing.T) {
			t.Parallel()
			resolved, err := io.tool.OutputSchema().Resolve(nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, answer := range map[string]any{"full": io.sample, "without lists": withoutLists(io.sample)} {
				plain := roundTrip(t, answer)
				if err := resolved.Validate(plain); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			checkFilled(t, io.tool.Name, reflect.ValueOf(io.sample))
		})
	}
}

// TestZeroAnswersHoldEveryField encodes the zero value of each answer: all that is required is there, and no list is
// null. A word that is not set is all that keeps it from being a valid answer.
func TestZeroAnswersHoldEveryField(t *testing.T) {
	t.Parallel()
	for _, io := range ioTypes {
		t.Run(io.tool.Name, func(t *testing.T) {
			t.Parallel()
			plain := roundTrip(t, io.zero)
			schema := io.tool.OutputSchema().CloneSchemas()
			for _, name := range schema.Required {
				if _, there := plain[name]; !there {
					t.Errorf("%s is not there", name)
				}
			}
			for name, property := range schema.Properties {
				if property.Type == "array" && plain[name] == nil && slices.Contains(schema.Required, name) {
					t.Errorf("%s is null", name)
				}
				property.Enum = nil
			}
			for _, inner := range schema.Properties {
				for _, property := range inner.Properties {
					property.Enum = nil
				}
			}
			resolved, err := schema.Resolve(nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := resolved.Validate(plain); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSourceFieldsAreThere holds the outputs of §8.2, field by field, with the kind of value that the source shows.
func TestSourceFieldsAreThere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tool   *functions.Tool
		fields map[string]string
	}{
		{functions.GetAlertDecision, map[string]string{
			"alert_date": "string", "severity": "string", "alert_flag": "boolean", "current_value": "number", "baseline_value": "number",
			"delta_relative_pct": "number", "sample_size": "integer",
		}},
		{functions.GetOperationalContext, map[string]string{
			"total_customers":            "integer",
			"status_distribution.ACTIVE": "integer", "status_distribution.AT_RISK": "integer", "status_distribution.INACTIVE": "integer",
			"at_risk_by_risk_level.HIGH": "integer", "at_risk_by_risk_level.MEDIUM": "integer", "at_risk_by_risk_level.LOW": "integer",
		}},
		{functions.BuildPriorityQueue, map[string]string{
			"p1_count": "integer", "p2_count": "integer", "p3_count": "integer", "total": "integer", "table_updated": "string",
		}},
		{functions.GenerateBrief, map[string]string{"text": "string"}}, // the source names no field: "Markdown text"
		{functions.ExportAudience, map[string]string{"rows_exported": "integer", "gsheet_url": "string"}},
		{functions.TriggerPlaybook, map[string]string{
			"webhook_called": "boolean", "response_status": "integer", "artifacts.slack_posted": "boolean", "artifacts.jira_ticket": "string",
			"artifacts.gsheets_uploaded": "boolean", "log_written": "boolean",
		}},
	}
	for _, test := range tests {
		for field, want := range test.fields {
			schema := part(t, test.tool, "out."+field)
			got := schema.Type
			if got == "" {
				got = strings.Join(schema.Types, "")
			}
			if strings.TrimPrefix(got, "null") != want {
				t.Errorf("%s: %s is %s, want %s", test.tool.Name, field, got, want)
			}
		}
	}
	inputs := map[*functions.Tool][]string{
		functions.GetAlertDecision: {"date"}, functions.GetOperationalContext: {"date"}, functions.BuildPriorityQueue: {"date"},
		functions.GenerateBrief: {"date", "format"}, functions.ExportAudience: {"date", "tier", "destination", "limit"},
		functions.TriggerPlaybook: {"date"},
	}
	for tool, names := range inputs {
		for _, name := range names {
			part(t, tool, "in."+name)
		}
	}
}

func TestMarshalLeavesTheAnswerAsItIs(t *testing.T) {
	t.Parallel()
	answer := functions.TriggerPlaybookOutput{Plan: &functions.Plan{}}
	got, err := functions.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"exports":[]`, `"findings":[]`, `"destinations":[]`, `"plan":{"tiers":[]`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if answer.Plan.Tiers != nil || answer.Artifacts.Exports != nil {
		t.Error("Marshal has changed its argument")
	}
}

func TestMarshalOfOtherValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer any
		want   string
	}{
		{"nothing", nil, `null`},
		{"a nil pointer", (*functions.Plan)(nil), `null`},
		{
			"an answer within a problem",
			functions.Problem{Code: functions.Unavailable, Result: functions.QueueChanges{}},
			`{"type":"","title":"","status":0,"code":"unavailable","run_id":"","result":{"compared_with":null,"added":0,"removed":0,"moved":[],"unchanged":0}}`,
		},
		{"money and time encode themselves", []any{money("1.50"), time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC)}, `[1.5,"2026-01-12T00:00:00Z"]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := functions.Marshal(test.answer)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := functions.Marshal(func() {}); err == nil {
		t.Error("a function has been encoded")
	}
}

func money(text string) functions.Money {
	amount, err := functions.ParseMoney(text)
	if err != nil {
		panic(err)
	}
	return amount
}

func roundTrip(t *testing.T, answer any) map[string]any {
	t.Helper()
	data, err := functions.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// withoutLists sets every list of an answer to nil.
func withoutLists(answer any) any {
	copied := reflect.New(reflect.TypeOf(answer)).Elem()
	copied.Set(reflect.ValueOf(answer))
	var empty func(reflect.Value)
	empty = func(value reflect.Value) {
		for _, field := range value.Fields() {
			switch {
			case !field.CanSet():
			case field.Kind() == reflect.Slice:
				field.SetZero()
			case field.Kind() == reflect.Struct:
				empty(field)
			}
		}
	}
	empty(copied)
	return copied.Interface()
}

// checkFilled makes sure that a sample leaves nothing out, so that a new field must be added to it.
func checkFilled(t *testing.T, at string, value reflect.Value) {
	t.Helper()
	for field, content := range value.Fields() {
		if !field.IsExported() || field.Type.Kind() == reflect.Bool { // false is a value
			continue
		}
		if content.IsZero() {
			t.Errorf("%s: the sample does not fill %s", at, field.Name)
		}
	}
}
