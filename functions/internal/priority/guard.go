package priority

import (
	"fmt"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Guard holds an assessment against the guardrails of the rules. lastSent is the newest run that really reached its
// receiver; what was only built, or made in the shadow phase, moves no baseline. Without one, growth and shrinkage
// are not asked for.
func Guard(limits rulebook.Guardrails, a *retention.Assessment, lastSent *retention.Run) functions.Guardrails {
	g := guard{out: functions.Guardrails{Verdict: functions.VerdictOK, Findings: []functions.GuardrailFinding{}}}
	g.hold("set_aside_share", limits.SetAsideShare, percent(a.Quality.SetAside, a.Customers),
		fmt.Sprintf("%d of %d customers could not be judged", a.Quality.SetAside, a.Customers))
	for _, tier := range a.Tiers {
		g.hold("tier_share", limits.TierShare, percent(tier.Customers, a.Customers),
			fmt.Sprintf("%s takes %d of %d customers", tier.Tier, tier.Customers, a.Customers))
		before, known := sentCount(lastSent, tier.Tier)
		if !known || max(before, tier.Customers) < limits.MinTierSize {
			continue
		}
		change := fmt.Sprintf("%s has %d customers, %d in the run sent last (%s)", tier.Tier, tier.Customers, before, lastSent.RunID)
		switch {
		case before == 0:
			// From nothing there is no percentage; tier_share watches the size.
		case tier.Customers > before:
			g.hold("tier_growth", limits.TierGrowth, percent(tier.Customers-before, before), change)
		default:
			g.hold("tier_shrinkage", limits.TierShrinkage, percent(before-tier.Customers, before), change)
		}
	}
	return g.out
}

// guard collects findings; the sharpest is the verdict.
type guard struct{ out functions.Guardrails }

func (g *guard) hold(name string, limit rulebook.Limit, figure float64, what string) {
	finding := functions.GuardrailFinding{Guardrail: name}
	switch {
	case figure > limit.StopOver:
		finding.Verdict = functions.VerdictStop
		finding.Message = fmt.Sprintf("%s: %.1f %%, stops over %g %%", what, figure, limit.StopOver)
		g.out.Verdict = functions.VerdictStop
	case figure > limit.WarnOver:
		finding.Verdict = functions.VerdictWarn
		finding.Message = fmt.Sprintf("%s: %.1f %%, warns over %g %%", what, figure, limit.WarnOver)
		if g.out.Verdict == functions.VerdictOK {
			g.out.Verdict = functions.VerdictWarn
		}
	default:
		return
	}
	g.out.Findings = append(g.out.Findings, finding)
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

func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
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
