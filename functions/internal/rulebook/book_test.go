package rulebook_test

import (
	"database/sql"
	"encoding/json"
	"flag"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// shipped loads the rules as shipped.
func shipped(tb testing.TB) *rulebook.Book {
	tb.Helper()
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		tb.Fatal(err)
	}
	return book
}

// shippedWith is the shipped rules with one text replaced in one file, which must be there.
func shippedWith(tb testing.TB, name, old, replacement string) fs.FS {
	tb.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(rules.FS, "*.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range names {
		data, err := fs.ReadFile(rules.FS, file)
		if err != nil {
			tb.Fatal(err)
		}
		text := string(data)
		if file == name {
			if !strings.Contains(text, old) {
				tb.Fatalf("%s does not hold %q", name, old)
			}
			text = strings.Replace(text, old, replacement, 1)
		}
		files[file] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func money(tb testing.TB, text string) functions.Money {
	tb.Helper()
	m, err := functions.ParseMoney(text)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func given[T any](v T) sql.Null[T] { return sql.Null[T]{V: v, Valid: true} }

// soundCustomer has no fault.
func soundCustomer() retention.Customer {
	zero, _ := functions.ParseMoney("0")
	return retention.Customer{
		ID: "c1", Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1},
		Status: given("ACTIVE"), DaysSinceLastOrder: given(int64(10)),
		RiskLevel: given("HIGH"), RiskScore: given(int64(50)),
		FrequencyDrop: given(true), StatusInconsistent: given(false), ValueDrop: given(false),
		TotalRevenue: given(zero), TotalOrders: given(int64(4)), AvgOrderValue: given(zero),
	}
}

func TestVersionStandsForTheFilesThatJudge(t *testing.T) {
	t.Parallel()
	base := shipped(t).Version()
	if len(base) != 12 || strings.Trim(base, "0123456789abcdef") != "" {
		t.Errorf("version %q is not twelve hex digits", base)
	}
	tests := map[string]struct {
		file, old, replacement string
		same                   bool
	}{
		"a word in a playbook keeps it":           {"playbooks.yaml", "Assign the ticket", "Give the ticket", true},
		"a guardrail keeps it":                    {"playbooks.yaml", "stop_over: 60", "stop_over: 61", true},
		"the phase keeps it":                      {"rollout.yaml", "phase: shadow", "phase: pilot", true},
		"an example keeps it":                     {"priority_test.yaml", "median_revenue: 625", "median_revenue: 626", true},
		"a threshold changes it":                  {"priority.yaml", "high_value: 2000", "high_value: 2001", false},
		"a bound in the vocabulary changes it":    {"fields.yaml", "max: 36500", "max: 36501", false},
		"a comment in a file that judges changes": {"priority.yaml", "# Who is", "# Whoever is", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book, err := rulebook.Load(shippedWith(t, tc.file, tc.old, tc.replacement))
			if err != nil {
				t.Fatal(err)
			}
			if got := book.Version(); (got == base) != tc.same {
				t.Errorf("version %s, shipped %s, want the same: %v", got, base, tc.same)
			}
		})
	}
}

func TestFilesAreTheBytesThatJudge(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	want := map[string][]byte{}
	for _, name := range []string{"fields.yaml", "priority.yaml"} {
		data, err := fs.ReadFile(rules.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = data
	}
	if diff := cmp.Diff(want, book.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	book.Files()["fields.yaml"][0] = 'x'
	if book.Files()["fields.yaml"][0] == 'x' {
		t.Error("a caller can change the book's files")
	}
}

func TestRolloutOfEachPhase(t *testing.T) {
	t.Parallel()
	both := []functions.Severity{functions.Warning, functions.Critical}
	want := map[functions.Phase]rulebook.Rollout{
		functions.PhaseShadow: {Phase: functions.PhaseShadow, ActsOn: both, Folder: "shadow"},
		functions.PhasePilot: {
			Phase: functions.PhasePilot, ActsOn: both[:1], Sends: true, Channel: "#retention-test", TicketProject: "RETTEST", Folder: "pilot",
		},
		functions.PhaseProduction: {
			Phase: functions.PhaseProduction, ActsOn: both, Sends: true, Channel: "#retention-alerts", TicketProject: "RETENTION",
		},
		functions.PhaseDisabled: {Phase: functions.PhaseDisabled},
	}
	book := shipped(t)
	if got := book.Rollout().Phase; got != functions.PhaseShadow {
		t.Errorf("shipped in phase %s, want shadow", got)
	}
	got := map[functions.Phase]rulebook.Rollout{}
	for _, phase := range functions.Phases {
		got[phase] = book.WithPhase(phase).Rollout()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rollouts (-want +got):\n%s", diff)
	}
	if got := book.WithPhase("someday").Rollout().Phase; got != functions.PhaseDisabled {
		t.Errorf("an unknown phase is %s, want disabled", got)
	}
	if got := book.Rollout().Phase; got != functions.PhaseShadow {
		t.Errorf("WithPhase changed the book it was asked of: %s", got)
	}
}

func TestOthersMayGetTheMail(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	others := rulebook.Mail{RetentionTeam: []string{"ann@example.com"}, DataTeam: []string{"ben@example.com"}, AttachUpTo: 1}
	want := rulebook.Mail{RetentionTeam: others.RetentionTeam, DataTeam: others.DataTeam, AttachUpTo: book.Mail().AttachUpTo}
	if diff := cmp.Diff(want, book.WithMail(others).Mail()); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
	if got := book.Mail(); len(got.RetentionTeam)+len(got.DataTeam) > 0 {
		t.Errorf("WithMail changed the book it was asked of: %v", got)
	}
}

func TestPlaybooksAsShipped(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	warning, hasWarning := book.Playbook(functions.Warning)
	critical, hasCritical := book.Playbook(functions.Critical)
	if _, hasInfo := book.Playbook(functions.Info); !hasWarning || !hasCritical || hasInfo {
		t.Fatalf("playbooks for WARNING %v, CRITICAL %v, INFO %v", hasWarning, hasCritical, hasInfo)
	}
	if len(warning.Do) == 0 || len(critical.Do) == 0 || cmp.Equal(warning.Do, critical.Do) {
		t.Error("WARNING and CRITICAL must ask for different things")
	}
	warning.Do, critical.Do = nil, nil
	want := []rulebook.Playbook{
		{
			Severity: functions.Warning, Export: []functions.Tier{functions.P1, functions.P2}, Mention: "nobody",
			Ticket: rulebook.Ticket{Type: "Task", Priority: "High", Title: "Retention Alert WARNING - {date}", AnswerWithin: 24 * time.Hour},
		},
		{
			Severity: functions.Critical, Export: functions.Tiers, Mention: "channel",
			Ticket: rulebook.Ticket{Type: "Task", Priority: "Highest", Title: "Retention Alert CRITICAL - {date}", AnswerWithin: 4 * time.Hour},
		},
	}
	if diff := cmp.Diff(want, []rulebook.Playbook{warning, critical}); diff != "" {
		t.Errorf("playbooks (-want +got):\n%s", diff)
	}
	settings := []any{book.Detection(), book.Guardrails(), book.Brief(), book.ReceiptRequired()}
	wantSettings := []any{
		rulebook.Detection{WarningPct: 15, CriticalPct: 25, BaselineDays: 7, MinCustomers: 100},
		rulebook.Guardrails{
			TierShare: rulebook.Limit{WarnOver: 30, StopOver: 60}, TierGrowth: rulebook.Limit{WarnOver: 50, StopOver: 300},
			TierShrinkage: rulebook.Limit{WarnOver: 50, StopOver: 90}, SetAsideShare: rulebook.Limit{WarnOver: 1, StopOver: 10}, MinTierSize: 20,
			UnknownStatusShare: rulebook.Limit{WarnOver: 0.5, StopOver: 5}, StaleDays: rulebook.Limit{WarnOver: 1, StopOver: 3},
		},
		rulebook.BriefSettings{TopCustomers: 3, Currency: "EUR"},
		true,
	}
	if diff := cmp.Diff(wantSettings, settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

// TestShippedRulesHaveNotesOnly pins all that the check says of the shipped rules, in words and to a program.
func TestShippedRulesHaveNotesOnly(t *testing.T) {
	t.Parallel()
	book, findings := rulebook.Check(rules.FS)
	if notes := findings.Count(rulebook.SeverityNote); notes != len(findings) {
		t.Errorf("%d of %d findings are notes", notes, len(findings))
	}
	var out strings.Builder
	if err := findings.Under("rules").Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, scores := range book.ScoreRanges() {
		out.WriteString(scores.String() + "\n")
	}
	compareGolden(t, "testdata/shipped.txt", out.String())
	program, err := json.MarshalIndent(map[string]any{"score_ranges": book.ScoreRanges(), "findings": findings}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "testdata/shipped.json", string(program)+"\n")
}

func TestShippedExamplesPass(t *testing.T) {
	t.Parallel()
	report, err := rulebook.Test(shipped(t), rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report.Write(&out); err != nil {
		t.Fatal(err)
	}
	if report.Failed > 0 || report.Passed < 15 {
		t.Error(out.String())
	}
}

func TestAFailingExampleNamesItsLineWantAndGot(t *testing.T) {
	t.Parallel()
	files := shippedWith(t, "priority.yaml", "total_revenue: over high_value}\n      do", "total_revenue: at least high_value}\n      do")
	book, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	report, err := rulebook.Test(book, files)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report.Under("rules").Write(&out); err != nil {
		t.Fatal(err)
	}
	want := `FAIL rules/priority_test.yaml:33: exactly 2000 EUR is still the offer: action: ` +
		`want "Personal email + free shipping offer", got "VIP outreach + 10% loyalty incentive"` + "\n17 of 18 examples passed\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
