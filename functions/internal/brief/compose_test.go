package brief_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// warning is the input of an alert day, to be changed by a test.
func warning() brief.Input { return brief.Fixtures()[0].Input }

func TestTopOfATierIsTheFirstOfTheQueue(t *testing.T) {
	t.Parallel()
	in := warning()
	in.Settings.TopCustomers, in.Settings.ShowCustomerIDs = 2, true
	got := brief.Compose(in).Tiers[0]
	want := brief.Tier{
		Name: "P1", Purpose: "Prevention", Customers: 87, Value: "€59,174.01", InPlaybook: true,
		Actions: []brief.Action{
			{Text: "VIP outreach + 10% loyalty incentive", Customers: 50},
			{Text: "Personal email + free shipping offer", Customers: 23},
			{Text: "Personal email + reminder", Customers: 14},
		},
		Top: []brief.Customer{
			{
				Rank: 1, ID: "C-P1-0001", Value: "€1,154.13", Score: 94.5, Days: 24,
				Reason: "ACTIVE + HIGH risk (frequency drop)", Action: "VIP outreach + 10% loyalty incentive",
			},
			{
				Rank: 2, ID: "C-P1-0002", Value: "€1,141.17", Score: 94.48, Days: 24,
				Reason: "ACTIVE + HIGH risk (frequency drop)", Action: "VIP outreach + 10% loyalty incentive",
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tier differs (-want +got):\n%s", diff)
	}
}

func TestCustomerIDsAreShownOnlyBySetting(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	for _, show := range []bool{false, true} {
		in := warning()
		in.Settings.ShowCustomerIDs = show
		for _, format := range functions.Formats {
			out := render(t, templates, format, brief.Compose(in))
			for what, text := range map[string]string{"text": out.Text, "html": out.HTML, "blocks": string(out.Blocks)} {
				if text != "" && strings.Contains(text, "C-P1-0001") != show {
					t.Errorf("%s %s shows the customer id: %t, want %t", format, what, !show, show)
				}
			}
		}
	}
}

func TestAmountsAreExactAndGrouped(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, currency, amount string
		want                   brief.Amount
	}{
		{"nothing", "EUR", "0", "€0.00"},
		{"below a thousand", "EUR", "999.99", "€999.99"},
		{"thousands", "EUR", "1234.5", "€1,234.50"},
		{"half a cent is rounded up", "USD", "0.005", "$0.01"},
		{"a loss keeps its sign in front", "GBP", "-1234567.891", "-£1,234,567.89"},
		{"other currencies by their code", "SEK", "1000000", "SEK 1,000,000.00"},
		{"no currency", "", "12", "12.00"},
		{"more digits than a float holds", "EUR", "12345678901234567890.12", "€12,345,678,901,234,567,890.12"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			amount, err := functions.ParseMoney(test.amount)
			if err != nil {
				t.Fatal(err)
			}
			in := warning()
			in.Settings.Currency = test.currency
			in.Assessment = &retention.Assessment{Tiers: []functions.TierTotal{{Tier: functions.P1, ValueAtRisk: amount}}}
			if got := brief.Compose(in).QueueValue; got != test.want {
				t.Errorf("%s is written %q, want %q", test.amount, got, test.want)
			}
		})
	}
}

func TestFiguresAreWrittenForReaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value fmt.Stringer
		want  string
	}{
		{brief.Count(0), "0"},
		{brief.Count(999), "999"},
		{brief.Count(1000), "1,000"},
		{brief.Count(-1234567), "-1,234,567"},
		{brief.Percent(25.2), "25.2%"},
		{brief.Percent(28.17), "28.17%"},
		{brief.Percent(0), "0.0%"},
		{brief.Percent(-0.001), "0.0%"},
		{brief.Change(17.76), "+17.76%"},
		{brief.Change(14.96), "+14.96%"},
		{brief.Change(-3), "-3.0%"},
		{brief.Change(0), "+0.0%"},
		{brief.Score(94.49), "94.5"},
		{brief.Score(100), "100.0"},
	} {
		if got := test.value.String(); got != test.want {
			t.Errorf("%T(%v) is written %q, want %q", test.value, test.value, got, test.want)
		}
	}
}

func TestPhaseSaysAtTheTopWhatItMeans(t *testing.T) {
	t.Parallel()
	both := []functions.Severity{functions.Warning, functions.Critical}
	only := []functions.Severity{functions.Warning}
	for _, test := range []struct {
		name     string
		rollout  rulebook.Rollout
		severity functions.Severity
		want     string
		sends    bool
	}{
		{"shadow sends nothing", rulebook.Rollout{Phase: "shadow", ActsOn: both}, "CRITICAL", "Shadow: nothing was sent.", false},
		{"pilot names its channel", rulebook.Rollout{Phase: "pilot", ActsOn: only, Sends: true, Channel: "#test"}, "WARNING", "Pilot: for #test only.", true},
		{"pilot does not act on everything", rulebook.Rollout{Phase: "pilot", ActsOn: only, Sends: true, Channel: "#test"}, "CRITICAL", "Pilot: no playbook runs for CRITICAL yet, nothing was sent.", false},
		{"pilot without a channel", rulebook.Rollout{Phase: "pilot", ActsOn: only, Sends: true}, "WARNING", "Pilot.", true},
		{"production needs no word", rulebook.Rollout{Phase: "production", ActsOn: both, Sends: true}, "CRITICAL", "", true},
		{"production that does not send says so", rulebook.Rollout{Phase: "production", ActsOn: both}, "CRITICAL", "Nothing was sent.", false},
		{"production that does not act says so", rulebook.Rollout{Phase: "production", ActsOn: only, Sends: true}, "CRITICAL", "No playbook runs for CRITICAL in this phase, nothing was sent.", false},
		{"disabled stops everything", rulebook.Rollout{Phase: "disabled"}, "CRITICAL", "Disabled: no playbook runs, nothing was sent.", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := warning()
			in.Rollout, in.Decision.Severity, in.Playbook.Mention = test.rollout, test.severity, "channel"
			data := brief.Compose(in)
			if data.PhaseNote != test.want {
				t.Errorf("note %q, want %q", data.PhaseNote, test.want)
			}
			if notified := data.Mention != ""; notified != test.sends || (data.Ticket.Title != "") != test.sends {
				t.Errorf("mention %q and ticket %q, want them: %t", data.Mention, data.Ticket.Title, test.sends)
			}
			if data.PhaseNote == "" {
				return
			}
			text := render(t, shipped(t), functions.FormatMarkdown, data).Text
			if at := strings.Index(text, strings.ReplaceAll(data.PhaseNote, "_", `\_`)); at < 0 || at > 100 {
				t.Errorf("the note stands at %d, want it at the top:\n%s", at, text[:200])
			}
		})
	}
}

func TestMentionIsNobodyUnlessTheRulesSayOneOfTwoWords(t *testing.T) {
	t.Parallel()
	for mention, want := range map[string]brief.Mention{"nobody": "", "": "", "here": "here", "channel": "channel", "<!everyone>": ""} {
		in := warning()
		in.Playbook.Mention = mention
		if got := brief.Compose(in).Mention; got != want {
			t.Errorf("mention %q becomes %q, want %q", mention, got, want)
		}
	}
}

func TestTimeToAnswerIsInWords(t *testing.T) {
	t.Parallel()
	for answer, want := range map[time.Duration]string{
		0: "", time.Hour: "1 hour", 24 * time.Hour: "24 hours", 72 * time.Hour: "3 days", 90 * time.Minute: "90 minutes",
	} {
		in := warning()
		in.Playbook.Ticket.AnswerWithin = answer
		if got := brief.Compose(in).AnswerWithin; got != want {
			t.Errorf("%v is %q, want %q", answer, got, want)
		}
	}
}

func TestCustomersThatWereNotReadAreNotZero(t *testing.T) {
	t.Parallel()
	in := warning()
	in.Assessment = nil
	for _, format := range functions.Formats {
		text := render(t, shipped(t), format, brief.Compose(in)).Text
		if !strings.Contains(text, "The customers were not read") || strings.Contains(text, "P1 Prevention") {
			t.Errorf("%s does not say that the customers were not read:\n%s", format, text)
		}
	}
}

func TestLongListsAndTextsAreBounded(t *testing.T) {
	t.Parallel()
	in := warning()
	in.Settings.TopCustomers = 1000
	in.Notes = slices.Repeat([]string{strings.Repeat("x", 2000)}, 30)
	for i := range in.Assessment.Rows {
		in.Assessment.Rows[i].Action = fmt.Sprintf("action %d", i%40)
	}
	data := brief.Compose(in)
	if n := len(data.Tiers[1].Top); n != 50 {
		t.Errorf("%d customers are shown, want 50", n)
	}
	if n, last := len(data.Notes), data.Notes[len(data.Notes)-1]; n != 21 || last != "… and 10 more." {
		t.Errorf("%d notes, the last %q", n, last)
	}
	if n := len([]rune(data.Notes[0])); n != 500 {
		t.Errorf("a note of %d characters, want 500", n)
	}
	actions := data.Tiers[1].Actions
	var customers brief.Count
	for _, action := range actions {
		customers += action.Customers
	}
	if last := actions[len(actions)-1]; len(actions) != 11 || last.Text != "30 other actions" || customers != 312 {
		t.Errorf("%d actions for %d customers, the last %+v", len(actions), customers, last)
	}
}

// A template can follow fields and call methods. This walks everything that it can reach.
func TestTemplatesReachValuesOnly(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var walk func(of reflect.Type)
	walk = func(of reflect.Type) {
		if seen[of] {
			return
		}
		seen[of] = true
		for method := range of.Methods() {
			if method.Name != "String" && method.Name != "Web" {
				t.Errorf("a template can call %s of %s", method.Name, of)
			}
		}
		switch of.Kind() {
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		case reflect.Slice:
			walk(of.Elem())
		case reflect.Struct:
			for field := range of.Fields() {
				if field.Tag.Get("doc") == "" || !field.IsExported() {
					t.Errorf("%s.%s is not exported and documented", of, field.Name)
				}
				walk(field.Type)
			}
		default:
			t.Errorf("a template can reach %s, a %s", of, of.Kind())
		}
	}
	walk(reflect.TypeFor[brief.Data]())
}
