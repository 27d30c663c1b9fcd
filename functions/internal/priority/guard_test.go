package priority_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	limits := rulebook.Guardrails{
		TierShare:     rulebook.Limit{WarnOver: 30, StopOver: 60},
		TierGrowth:    rulebook.Limit{WarnOver: 50, StopOver: 300},
		TierShrinkage: rulebook.Limit{WarnOver: 50, StopOver: 90},
		SetAsideShare: rulebook.Limit{WarnOver: 1, StopOver: 10},
		MinTierSize:   20,

		UnknownStatusShare: rulebook.Limit{WarnOver: 0, StopOver: 5},
		StaleDays:          rulebook.Limit{WarnOver: 1, StopOver: 3},
	}
	sent := func(p1 int64) *retention.Run { return &retention.Run{RunID: "R1", P1Count: &p1} }
	for _, test := range []struct {
		name          string
		p1, aside, of int64
		last          *retention.Run
		want          functions.Verdict
		says          string
	}{
		{"nothing is unusual", 100, 0, 1000, sent(100), functions.VerdictOK, ""},
		{"no customers at all stop", 0, 0, 0, nil, functions.VerdictStop, "the customer tables are empty"},
		{"a limit itself is not over it", 300, 10, 1000, sent(200), functions.VerdictOK, ""},
		{"a large tier warns", 301, 0, 1000, nil, functions.VerdictWarn, "P1 takes 301 of 1000 customers: 30.1 %, warns over 30 %"},
		{"a huge tier stops", 601, 0, 1000, nil, functions.VerdictStop, "stops over 60 %"},
		{"many set aside stop", 0, 101, 1000, nil, functions.VerdictStop, "101 of 1000 customers could not be judged"},
		{"growth against the run sent last", 151, 0, 1000, sent(100), functions.VerdictWarn, "P1 has 151 customers, 100 in the run sent last (R1): 51.0 %"},
		{"shrinkage to nothing stops", 0, 0, 1000, sent(100), functions.VerdictStop, "100.0 %, stops over 90 %"},
		{"nobody where there was somebody stops", 0, 0, 1000, sent(20), functions.VerdictStop, "nobody is in any tier; the run sent last (R1) had 20 customers"},
		{"nobody where there were a few warns", 0, 0, 1000, sent(19), functions.VerdictWarn, "P1 is empty; it had 19 customers in the run sent last (R1)"},
		{"nobody where there was nobody", 0, 0, 1000, sent(0), functions.VerdictOK, ""},
		{"small tiers may jump", 19, 0, 1000, sent(2), functions.VerdictOK, ""},
		{"growth from nothing has no percentage", 100, 0, 1000, sent(0), functions.VerdictOK, ""},
		{"without a run sent before nothing is compared", 290, 0, 1000, nil, functions.VerdictOK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := &retention.Assessment{
				Customers: test.of, Quality: functions.DataQuality{SetAside: test.aside},
				Tiers: []functions.TierTotal{{Tier: functions.P1, Customers: test.p1}, {Tier: functions.P2}, {Tier: functions.P3}},
			}
			got := priority.Guard(limits, a, priority.Against{LastSent: test.last})
			if got.Verdict != test.want {
				t.Errorf("got %+v, want %s", got, test.want)
			}
			said := ""
			for _, finding := range got.Findings {
				said += finding.Message + "\n"
			}
			if !strings.Contains(said, test.says) || (test.says == "") != (said == "") {
				t.Errorf("said %q, want %q", said, test.says)
			}
		})
	}
}

func ExampleGuard() {
	before := int64(400)
	verdict := priority.Guard(
		rulebook.Guardrails{TierShrinkage: rulebook.Limit{WarnOver: 50, StopOver: 90}, TierShare: rulebook.Limit{WarnOver: 100, StopOver: 100}},
		&retention.Assessment{Customers: 6000, Tiers: []functions.TierTotal{{Tier: functions.P2, Customers: 12}}},
		priority.Against{LastSent: &retention.Run{RunID: "yesterday", P2Count: &before}},
	)
	fmt.Println(verdict.Verdict, verdict.Findings[0].Message)
	// Output:
	// stop P2 has 12 customers, 400 in the run sent last (yesterday): 97.0 %, stops over 90 %
}

func findings(g functions.Guardrails) (found []string) {
	for _, one := range g.Findings {
		found = append(found, fmt.Sprintf("%s %s: %s", one.Guardrail, one.Verdict, one.Message))
	}
	return found
}

func TestDataThatIsTooOldMustNotLeave(t *testing.T) {
	t.Parallel()
	limits := rulebook.Guardrails{StaleDays: rulebook.Limit{WarnOver: 1, StopOver: 3}}
	for _, test := range []struct {
		name  string
		today functions.Date
		want  functions.Verdict
		says  string
	}{
		{"where nothing leaves it is not asked for", functions.Date{}, functions.VerdictOK, ""},
		{"data of today", today, functions.VerdictOK, ""},
		{"data of yesterday", today.AddDays(1), functions.VerdictOK, ""},
		{"two days warn", today.AddDays(2), functions.VerdictWarn, "the data is as of 2026-01-12, and today is 2026-01-14: 2 days, warns over 1"},
		{"three days warn", today.AddDays(3), functions.VerdictWarn, "3 days, warns over 1"},
		{"four days stop", today.AddDays(4), functions.VerdictStop, "the data is as of 2026-01-12, and today is 2026-01-16: 4 days, stops over 3"},
		{"a year stops", today.AddDays(365), functions.VerdictStop, "365 days, stops over 3"},
		{"data of tomorrow, in another zone", today.AddDays(-1), functions.VerdictOK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := &retention.Assessment{AsOf: today, Customers: 1}
			for name, got := range map[string]functions.Guardrails{
				"a queue": priority.Guard(limits, a, priority.Against{Today: test.today}), "an export": priority.GuardDay(limits, today, test.today),
			} {
				said := strings.Join(findings(got), "\n")
				if got.Verdict != test.want || !strings.Contains(said, test.says) || (test.says == "") != (said == "") {
					t.Errorf("%s: %s, %q; want %s, %q", name, got.Verdict, said, test.want, test.says)
				}
			}
		})
	}
}

func TestStatusesThatNobodyKnowsHaveALimitOfTheirOwn(t *testing.T) {
	t.Parallel()
	customers := []customer{
		sound("sleeping", "SLEEPING", 10, "HIGH", "100"), sound("empty", "", 10, "HIGH", "100"), sound("null", "", 10, "HIGH", "100"),
		sound("marked", "DATA_QUALITY_ISSUE", 10, "HIGH", "100"),
	}
	customers[2].status = "NULL"
	for i := range 96 {
		customers = append(customers, sound(fmt.Sprintf("fine-%d", i), "ACTIVE", 3, "LOW", "100"))
	}
	a := assess(t, stocked(t, customers...))
	limits := rulebook.Guardrails{UnknownStatusShare: rulebook.Limit{WarnOver: 0, StopOver: 2.5}, SetAsideShare: rulebook.Limit{WarnOver: 50, StopOver: 50}, TierShare: rulebook.Limit{WarnOver: 100, StopOver: 100}}
	got := priority.Guard(limits, a, priority.Against{})
	want := "[unknown_status_share stop: 3 of 100 customers have a status that nobody knows: 3.0 %, stops over 2.5 %]"
	if said := fmt.Sprint(findings(got)); said != want || got.Verdict != functions.VerdictStop {
		t.Errorf("got %s %s, want %s", got.Verdict, said, want)
	}
}

func TestTheAnswerSaysWhatItWasComparedWith(t *testing.T) {
	t.Parallel()
	a, p1 := &retention.Assessment{Customers: 1, AsOf: today}, int64(3)
	for want, last := range map[string]*retention.Run{
		"no run was sent yet: growth, shrinkage and empty tiers were not looked at": nil,
		"run R1 of 2026-01-12": {RunID: "R1", AlertDate: &today, P1Count: &p1}, "run R2": {RunID: "R2"},
	} {
		if got := priority.Guard(rulebook.Guardrails{}, a, priority.Against{LastSent: last}).ComparedWith; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
