package functions_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

func TestInputsThatAreSound(t *testing.T) {
	t.Parallel()
	person := &functions.Override{By: "Ada", Why: "known migration"}
	tests := []struct {
		name   string
		input  functions.Input
		dryRun bool
	}{
		{"no date is today", functions.GetAlertDecisionInput{}, false},
		{"a day", functions.GetAlertDecisionInput{Date: "2026-01-12"}, false},
		{"a leap day", functions.GetOperationalContextInput{Date: "2024-02-29"}, false},
		{"the newest day", functions.GetOperationalContextInput{Date: functions.Latest}, false},
		{"a queue without override", functions.BuildPriorityQueueInput{}, false},
		{"a queue that is only shown", functions.BuildPriorityQueueInput{DryRun: true}, true},
		{"a queue past a guardrail", functions.BuildPriorityQueueInput{Override: person}, false},
		{"a brief in the default format", functions.GenerateBriefInput{}, false},
		{"a brief as mail", functions.GenerateBriefInput{Format: functions.FormatEmail}, false},
		{"a tier to the default destination", functions.ExportAudienceInput{Tier: functions.P1}, false},
		{"the smallest audience", functions.ExportAudienceInput{Tier: functions.P2, Limit: new(1)}, false},
		{"the largest audience", functions.ExportAudienceInput{Tier: functions.P3, Destination: functions.TargetBoth, Limit: new(functions.MaxLimit)}, false},
		{"an audience that is only counted", functions.ExportAudienceInput{Tier: functions.P3, DryRun: true}, true},
		{"a playbook", functions.TriggerPlaybookInput{Date: "2026-01-12", ExpectDigest: "abc", Resend: true, Override: person}, false},
		{"a message once more", functions.TriggerPlaybookInput{Replay: "01KF2Z8M3T9Q6W1E5R7Y0V4N2P"}, false},
		{"the newest runs", functions.ReadRecordInput{Record: functions.RecordRuns, Limit: new(1000)}, false},
		{"one run", functions.ReadRecordInput{Record: functions.RecordRun, RunID: "01J"}, false},
		{"why of a customer", functions.ReadRecordInput{Record: functions.RecordExplanation, CustomerID: "17865"}, false},
		{"why of a customer on a day", functions.ReadRecordInput{Record: functions.RecordExplanation, CustomerID: "17865", Date: "2026-01-12"}, false},
		{"the rules as deployed", functions.ReadRecordInput{Record: functions.RecordRules}, false},
		{"the rules of a version", functions.ReadRecordInput{Record: functions.RecordRules, RulesVersion: "0123456789ab"}, false},
		{"the health of the runs", functions.CheckHealthInput{}, false},
		{"the health over more than a year, only shown", functions.CheckHealthInput{DryRun: true, WindowDays: new(400)}, true},
		{"a note about no single run", functions.CheckHealthInput{Note: &functions.NoteInput{What: functions.NoteBriefApproved, Who: "Ada", Why: "read it"}}, false},
		{"a note about a run", functions.CheckHealthInput{Note: &functions.NoteInput{
			What: functions.NoteCampaignStarted, Who: "Ada", Why: "seen in the CRM", RunID: "01J", At: "2026-01-12T08:30:00+01:00",
		}}, false},
		{"a playbook's plan", functions.TriggerPlaybookInput{DryRun: true}, true},
		{"an override of the longest texts", functions.TriggerPlaybookInput{
			Override: &functions.Override{By: strings.Repeat("b", 200), Why: strings.Repeat("w", 200)},
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := test.input.Check(); err != nil {
				t.Error(err)
			}
			if got := test.input.IsDryRun(); got != test.dryRun {
				t.Errorf("IsDryRun is %t, want %t", got, test.dryRun)
			}
		})
	}
}

func TestInputsThatAreRefused(t *testing.T) {
	t.Parallel()
	const (
		dateHint     = `write YYYY-MM-DD, "latest" for the newest alert date, or leave date out for today`
		overrideHint = `write {"by": "name", "why": "reason"}, each one line of at most 200 bytes`
		noOverride   = "override needs a person and a reason"
		replayDetail = "replay goes with no other field"
		windowHint   = "write 1 to 400, or leave it out for what the rules say"
		noNote       = "a note needs a person and a reason"
		noteHint     = `write {"what": "brief_approved", "who": "name", "why": "reason"}, each one line of at most 200 bytes`
		limitHint    = "write 1 to 100000, or leave it out for 2000"
	)
	tests := []struct {
		name   string
		input  functions.Input
		detail string
		hint   string
	}{
		{"a day that is not in the calendar", functions.GetAlertDecisionInput{Date: "2026-02-30"}, `date "2026-02-30" is not a day`, dateHint},
		{"no leap year", functions.GetOperationalContextInput{Date: "2025-02-29"}, `date "2025-02-29" is not a day`, dateHint},
		{"the year nought", functions.GenerateBriefInput{Date: "0000-00-00"}, `date "0000-00-00" is not a day`, dateHint},
		{"another order", functions.BuildPriorityQueueInput{Date: "12.01.2026"}, `date "12.01.2026" is not a day`, dateHint},
		{"a time behind the day", functions.TriggerPlaybookInput{Date: "2026-01-12T00:00:00Z"}, `date "2026-01-12T00:00:00Z" is not a day`, dateHint},
		{"a word in capitals", functions.GetAlertDecisionInput{Date: "LATEST"}, `date "LATEST" is not a day`, dateHint},
		{"spaces around a day", functions.ExportAudienceInput{Date: " 2026-01-12", Tier: functions.P1}, `date " 2026-01-12" is not a day`, dateHint},
		{"quotes in a day", functions.GetAlertDecisionInput{Date: `" OR 1=1`}, `date "\" OR 1=1" is not a day`, dateHint},
		{"an unknown format", functions.GenerateBriefInput{Format: "pdf"}, `format "pdf" is not known`, "valid: markdown, slack, email, teams"},
		{"no tier", functions.ExportAudienceInput{}, `tier "" is not known`, "valid: P1, P2, P3"},
		{"a tier in lower case", functions.ExportAudienceInput{Tier: "p1"}, `tier "p1" is not known`, "valid: P1, P2, P3"},
		{"an unknown destination", functions.ExportAudienceInput{Tier: functions.P1, Destination: "ftp"}, `destination "ftp" is not known`, "valid: csv, gsheet, both"},
		{"a limit of nought", functions.ExportAudienceInput{Tier: functions.P1, Limit: new(0)}, "limit 0 is out of range", limitHint},
		{"a limit below nought", functions.ExportAudienceInput{Tier: functions.P1, Limit: new(-1)}, "limit -1 is out of range", limitHint},
		{"a limit too high", functions.ExportAudienceInput{Tier: functions.P1, Limit: new(100001)}, "limit 100001 is out of range", limitHint},
		{"no record", functions.ReadRecordInput{}, `record "" is not known`, "valid: runs, run, explanation, rules, rulebook"},
		{"one run without its id", functions.ReadRecordInput{Record: functions.RecordRun}, "record run needs a run_id", "record runs lists them"},
		{
			"an id with the list",
			functions.ReadRecordInput{Record: functions.RecordRuns, RunID: "01J"},
			"run_id goes with record run only", "leave run_id out",
		},
		{
			"too many runs",
			functions.ReadRecordInput{Record: functions.RecordRuns, Limit: new(1001)},
			"limit 1001 cannot be used", "write 1 to 1000, with record runs only",
		},
		{"no month", functions.ReadRecordInput{Record: functions.RecordRuns, Month: "2026-13"}, `month "2026-13" is not a month`, "write YYYY-MM"},
		{"a day as a month", functions.ReadRecordInput{Record: functions.RecordRuns, Month: "2026-01-12"}, `month "2026-01-12" is not a month`, "write YYYY-MM"},
		{"a month of one run", functions.ReadRecordInput{Record: functions.RecordRun, RunID: "01J", Month: "2026-01"}, "month goes with record runs only", "leave month out"},
		{
			"why of nobody",
			functions.ReadRecordInput{Record: functions.RecordExplanation, CustomerID: " "},
			"record explanation needs a customer_id", "every row of the queue carries one",
		},
		{"why on no day", functions.ReadRecordInput{Record: functions.RecordExplanation, CustomerID: "1", Date: "today"}, `date "today" is not a day`, dateHint},
		{
			"a customer with the log",
			functions.ReadRecordInput{Record: functions.RecordRuns, CustomerID: "1"},
			"customer_id goes with record explanation only", "leave customer_id out",
		},
		{"a day with the log", functions.ReadRecordInput{Record: functions.RecordRuns, Date: "latest"}, "date goes with record explanation only", "leave date out"},
		{
			"a version with an explanation",
			functions.ReadRecordInput{Record: functions.RecordExplanation, CustomerID: "1", RulesVersion: "0123456789ab"},
			"rules_version goes with record rules, rulebook only", "leave rules_version out",
		},
		{
			"a version that leads out of its folder",
			functions.ReadRecordInput{Record: functions.RecordRules, RulesVersion: "../../secret"},
			`"../../secret" is not a version of the rules`, "write the twelve digits that a queue row or a run carries as rules_version",
		},
		{"a window of no day", functions.CheckHealthInput{WindowDays: new(0)}, "window_days 0 is out of range", windowHint},
		{"a window that is too long", functions.CheckHealthInput{WindowDays: new(401)}, "window_days 401 is out of range", windowHint},
		{
			"a note that is only shown",
			functions.CheckHealthInput{DryRun: true, Note: &functions.NoteInput{What: functions.NoteBriefApproved, Who: "Ada", Why: "read it"}},
			"a dry run writes nothing down", "leave out note or dry_run",
		},
		{
			"a note of an unknown kind",
			functions.CheckHealthInput{Note: &functions.NoteInput{What: "approved", Who: "Ada", Why: "x"}},
			`note.what "approved" is not known`,
			"valid: brief_approved, export_approved, campaign_started, false_positive, false_positive_withdrawn, disable_requested, disable_withdrawn",
		},
		{"a note by nobody", functions.CheckHealthInput{Note: &functions.NoteInput{What: functions.NoteBriefApproved, Why: "x"}}, noNote, noteHint},
		{"a note with a second line", functions.CheckHealthInput{Note: &functions.NoteInput{What: functions.NoteBriefApproved, Who: "Ada", Why: "x\ny"}}, noNote, noteHint},
		{
			"a false positive of no run",
			functions.CheckHealthInput{Note: &functions.NoteInput{What: functions.NoteFalsePositive, Who: "Ada", Why: "x"}},
			"a note of false_positive needs a run_id", "the list of runs names them",
		},
		{
			"a campaign that began at no time",
			functions.CheckHealthInput{Note: &functions.NoteInput{What: functions.NoteCampaignStarted, Who: "Ada", Why: "x", RunID: "01J", At: "8:30"}},
			`at "8:30" is not a time`, "write something like 2026-01-12T08:30:00Z, or leave it out for now",
		},
		{"an override by nobody", functions.BuildPriorityQueueInput{Override: &functions.Override{Why: "x"}}, noOverride, overrideHint},
		{"an override for nothing", functions.TriggerPlaybookInput{Override: &functions.Override{By: "Ada", Why: " \t"}}, noOverride, overrideHint},
		{"an override of a novel", functions.TriggerPlaybookInput{Override: &functions.Override{By: "Ada", Why: strings.Repeat("w", 201)}}, noOverride, overrideHint},
		{"a replay of a day", functions.TriggerPlaybookInput{Replay: "01J", Date: "latest"}, replayDetail, "it sends a stored message as it is; leave the other fields out"},
		{"a plan of a replay", functions.TriggerPlaybookInput{Replay: "01J", DryRun: true}, replayDetail, "it sends a stored message as it is; leave the other fields out"},
		{"a replay of what cannot be a run", functions.TriggerPlaybookInput{Replay: "../01J"}, "replay does not name a run", "write a run_id, as the list of runs shows them"},
		{"an override with a second line", functions.TriggerPlaybookInput{Override: &functions.Override{By: "Ada\nBob", Why: "x"}}, noOverride, overrideHint},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got *functions.Error
			if err := test.input.Check(); !errors.As(err, &got) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if diff := cmp.Diff(functions.InvalidArgument, got.Code); diff != "" {
				t.Errorf("code (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.detail, got.Detail); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.hint, got.Hint); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDateRefAndSchemaAgree holds texts against the pattern that callers are shown: what Check takes, the pattern takes.
func TestDateRefAndSchemaAgree(t *testing.T) {
	t.Parallel()
	resolved, err := functions.GetAlertDecision.InputSchema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"2026-01-12", "latest", "2024-02-29", "today", "2026-1-12", "12026-01-12", "2026-01-12\n", "Latest", "٢٠٢٦-01-12"} {
		checked := functions.DateRef(text).Check() == nil
		if shown := resolved.Validate(map[string]any{"date": text}) == nil; checked != shown {
			t.Errorf("%q: Check says %t, the schema %t", text, checked, shown)
		}
	}
}

func TestMoneyKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"more digits than a float has", "12345678901234567.10", "12345678901234567.1"},
		{"all digits of a NUMERIC", "99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"},
		{"a cent", "0.01", "0.01"},
		{"nought", "0", "0"},
		{"below nought", "-3847.10", "-3847.1"},
		{"what a float cannot hold", "0.1", "0.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			amount, err := functions.ParseMoney(test.text)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(amount)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(data)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			var back functions.Money
			if err := json.Unmarshal([]byte(test.text), &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(amount, back); diff != "" {
				t.Errorf("round trip (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMoneyIsAPlainNumber(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1e9", "1e999999999", "NaN", "Infinity", "1,5", "1_000", " 1", "1 ", "+1", ".5", "5.", "0x10", "-", "€5", "１"} {
		if amount, err := functions.ParseMoney(text); err == nil {
			t.Errorf("%q was read as %v", text, amount)
		}
	}
	for _, text := range []string{`null`, `true`, `"x"`, `[]`, `1e999999999`} {
		var amount functions.Money
		if err := amount.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("JSON %s was read as %v", text, amount)
		}
	}
}

func TestMoneyAddsExactly(t *testing.T) {
	t.Parallel()
	sum := functions.Money{}
	for range 10 {
		sum = sum.Plus(money("0.1"))
	}
	if diff := cmp.Diff(money("1"), sum); diff != "" {
		t.Errorf("ten times 0.1 (-want +got):\n%s", diff)
	}
}

func FuzzMoney(f *testing.F) {
	for _, text := range []string{"0", "-0.00", "12345678901234567.10", "1e5", "00012.3400"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := functions.ParseMoney(text)
		if err != nil {
			return
		}
		again, err := functions.ParseMoney(amount.String())
		if err != nil {
			t.Fatalf("%q became %s, which is not read: %v", text, amount, err)
		}
		if !again.Equal(amount.Decimal) {
			t.Errorf("%q became %s and then %s", text, amount, again)
		}
	})
}
