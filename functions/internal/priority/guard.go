package priority

import (
	"fmt"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Against is what an assessment is held against beside the limits.
type Against struct {
	// LastSent is the newest run that really reached its receiver: what was only built, or made in the shadow phase, moves
	// no baseline. Without one growth, shrinkage and emptiness are not asked for, and the answer says so.
	LastSent *retention.Run
	// Today is set where something is about to leave: data that is too old must not. Zero: it is not asked for.
	Today functions.Date
}

// Guard holds an assessment against the guardrails of the rules.
func Guard(limits rulebook.Guardrails, a *retention.Assessment, against Against) functions.Guardrails {
	g := newGuard()
	g.out.ComparedWith = "no run was sent yet: growth, shrinkage and empty tiers were not looked at"
	if last := against.LastSent; last != nil {
		g.out.ComparedWith = "run " + last.RunID
		if last.AlertDate != nil {
			g.out.ComparedWith += " of " + last.AlertDate.String()
		}
	}
	if a.Customers == 0 {
		g.find("no_customers", functions.VerdictStop, "the customer tables are empty: nobody could be judged")
	}
	g.age(limits, a.AsOf, against.Today)
	g.percent("set_aside_share", limits.SetAsideShare, a.Quality.SetAside, a.Customers,
		fmt.Sprintf("%d of %d customers could not be judged", a.Quality.SetAside, a.Customers))
	unknown := unknownStatuses(a)
	g.percent("unknown_status_share", limits.UnknownStatusShare, unknown, a.Customers,
		fmt.Sprintf("%d of %d customers have a status that nobody knows", unknown, a.Customers))
	for _, tier := range a.Tiers {
		g.percent("tier_share", limits.TierShare, tier.Customers, a.Customers,
			fmt.Sprintf("%s takes %d of %d customers", tier.Tier, tier.Customers, a.Customers))
		g.change(limits, tier, against.LastSent)
	}
	g.emptiness(limits, a, against.LastSent)
	return g.out
}

// GuardDay asks the one guardrail that an export of a stored queue can be held against: whether its day is too long ago.
func GuardDay(limits rulebook.Guardrails, asOf, today functions.Date) functions.Guardrails {
	g := newGuard()
	g.age(limits, asOf, today)
	return g.out
}

// The words by which the rulebook tells of a status that is none.
const (
	unknownStatus = "unknown_status"
	emptyStatus   = "empty_retention_status"
)

// ofStatus tells the faults of a status that is no word that the rules know, an empty one included. A customer whom the
// detection itself marked as a fault of the data has a known one; it counts among those set aside.
func ofStatus(issue string) bool { return issue == unknownStatus || issue == emptyStatus }

func unknownStatuses(a *retention.Assessment) (customers int64) {
	for _, issue := range a.Quality.Issues {
		if ofStatus(issue.Issue) {
			customers += issue.Customers
		}
	}
	return customers
}

// guard collects findings; the sharpest is the verdict.
type guard struct{ out functions.Guardrails }

func newGuard() guard {
	return guard{out: functions.Guardrails{Verdict: functions.VerdictOK, Findings: []functions.GuardrailFinding{}}}
}

// age asks how old the data is.
func (g *guard) age(limits rulebook.Guardrails, asOf, today functions.Date) {
	if today.IsZero() {
		return
	}
	days, form := today.DaysSince(asOf), "%.0f days, %s over %g"
	if days == 1 {
		form = "%.0f day, %s over %g"
	}
	g.hold("stale_days", limits.StaleDays, float64(days), fmt.Sprintf("the data is as of %s, and today is %s", asOf, today), form)
}

// change asks how much a tier has grown or shrunk.
func (g *guard) change(limits rulebook.Guardrails, tier functions.TierTotal, lastSent *retention.Run) {
	before, known := sentCount(lastSent, tier.Tier)
	if !known || max(before, tier.Customers) < limits.MinTierSize {
		return
	}
	change := fmt.Sprintf("%s has %s, %d in the run sent last (%s)", tier.Tier, retention.Counted(tier.Customers, "customer"), before, lastSent.RunID)
	switch {
	case before == 0:
		// From nothing there is no percentage; tier_share watches the size.
	case tier.Customers > before:
		g.percent("tier_growth", limits.TierGrowth, tier.Customers-before, before, change)
	default:
		g.percent("tier_shrinkage", limits.TierShrinkage, before-tier.Customers, before, change)
	}
}

// emptiness finds zero where there was something in the run sent last. A refresh that failed upstream looks like
// "everybody has left", and that of a small tier is not seen by its shrinkage.
func (g *guard) emptiness(limits rulebook.Guardrails, a *retention.Assessment, lastSent *retention.Run) {
	var before, now int64
	for _, tier := range a.Tiers {
		was, _ := sentCount(lastSent, tier.Tier)
		before, now = before+was, now+tier.Customers
		if was > 0 && tier.Customers == 0 {
			g.find("tier_empty", functions.VerdictWarn,
				fmt.Sprintf("%s is empty; it had %s in the run sent last (%s)", tier.Tier, retention.Counted(was, "customer"), lastSent.RunID))
		}
	}
	if before == 0 || now > 0 {
		return
	}
	verdict := functions.VerdictWarn
	if before >= limits.MinTierSize {
		verdict = functions.VerdictStop
	}
	g.find("queue_empty", verdict, fmt.Sprintf("nobody is in any tier; the run sent last (%s) had %s", lastSent.RunID, retention.Counted(before, "customer")))
}

func (g *guard) percent(name string, limit rulebook.Limit, part, whole int64, what string) {
	if whole > 0 {
		g.hold(name, limit, 100*float64(part)/float64(whole), what, "%.1f %%, %s over %g %%")
	}
}

// hold finds a figure that is over a limit. The form takes the figure, "warns" or "stops", and the limit.
func (g *guard) hold(name string, limit rulebook.Limit, figure float64, what, form string) {
	switch {
	case figure > limit.StopOver:
		g.find(name, functions.VerdictStop, what+": "+fmt.Sprintf(form, figure, "stops", limit.StopOver))
	case figure > limit.WarnOver:
		g.find(name, functions.VerdictWarn, what+": "+fmt.Sprintf(form, figure, "warns", limit.WarnOver))
	}
}

func (g *guard) find(name string, verdict functions.Verdict, message string) {
	g.out.Findings = append(g.out.Findings, functions.GuardrailFinding{Guardrail: name, Verdict: verdict, Message: message})
	if verdict == functions.VerdictStop || g.out.Verdict == functions.VerdictOK {
		g.out.Verdict = verdict
	}
}

// Pass applies an override to a verdict: a stop becomes a warning with the person's name on it. Without an override
// a stop is failed_precondition, naming every figure that stopped and its limit.
func Pass(verdict functions.Guardrails, override *functions.Override) (functions.Guardrails, error) {
	if verdict.Verdict != functions.VerdictStop {
		return verdict, nil
	}
	if override != nil {
		verdict.Verdict = functions.VerdictWarn
		verdict.Overridden = override.String()
		return verdict, nil
	}
	var stops []string
	for _, finding := range verdict.Findings {
		if finding.Verdict == functions.VerdictStop {
			stops = append(stops, finding.Message)
		}
	}
	return verdict, functions.Errorf(functions.FailedPrecondition, "a guardrail stops this: %s", strings.Join(stops, "; ")).
		WithHint(`check the data; to go on all the same, send "override": {"by": "name", "why": "reason"}`)
}

func sentCount(run *retention.Run, tier functions.Tier) (int64, bool) {
	if run == nil {
		return 0, false
	}
	count := map[functions.Tier]*int64{functions.P1: run.P1Count, functions.P2: run.P2Count, functions.P3: run.P3Count}[tier]
	if count == nil {
		return 0, false
	}
	return *count, true
}
