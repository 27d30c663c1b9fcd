package rulebook

import (
	"fmt"

	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// reference judges by expr's own machine and by decimals of any length. It shares nothing with the engine but the files
// that were read, is slow, and says what is right.
type reference struct {
	priority *priority
	machine  vm.VM
	row      row
	median   string
}

// NewReferenceJudge makes a judge that gives the same verdicts the long way: expr's own machine evaluates every
// condition and formula. It is what the engine is compared with.
func (b *Book) NewReferenceJudge(medianRevenue functions.Money) *Judge {
	r := &reference{priority: b.priority, median: medianRevenue.StringFixed(2)}
	r.row.MedianRevenue, _ = medianRevenue.Float64()
	return &Judge{reference: r}
}

// judge gives the verdict on a customer.
func (r *reference) judge(c *retention.Customer) (Verdict, error) {
	r.row.fill(c)
	for _, rule := range r.priority.rules {
		fits, err := rule.when.truth(&r.machine, &r.row)
		if err != nil {
			return Verdict{}, fmt.Errorf("rule %s: %w", rule.id, err)
		}
		if fits {
			return r.verdict(rule, c)
		}
	}
	return Verdict{}, nil
}

// verdict works out what follows from a rule that fits.
func (r *reference) verdict(rule *rule, c *retention.Customer) (Verdict, error) {
	v := Verdict{Tier: rule.tier, RuleID: rule.id}
	var err error
	if v.Score, err = r.priority.score.of(rule.tier, &r.machine, &r.row); err != nil {
		return Verdict{}, err
	}
	if v.Reason, err = r.reason(rule, c); err != nil {
		return Verdict{}, err
	}
	if v.Action, err = r.action(rule.tier); err != nil {
		return Verdict{}, err
	}
	v.ValueProxy = r.priority.share.longShareOf(r.priority.share.of.amount(c).V)
	return v, nil
}

// reason writes the reason: that of the rule, the bracketed mentions behind it, the others after commas.
func (r *reference) reason(rule *rule, c *retention.Customer) (string, error) {
	reason := rule.reason.write(nil, c, r.median)
	opened := false
	for _, brackets := range []bool{true, false} {
		for i := range r.priority.mentions {
			m := &r.priority.mentions[i]
			if m.brackets != brackets {
				continue
			}
			fits, err := m.when.truth(&r.machine, &r.row)
			if err != nil {
				return "", err
			}
			if !fits {
				continue
			}
			switch {
			case brackets && !opened:
				reason, opened = append(reason, " ("...), true
			default:
				reason = append(reason, ", "...)
			}
			reason = m.say.write(reason, c, r.median)
		}
		if brackets && opened {
			reason = append(reason, ')')
		}
	}
	return string(reason), nil
}

// action finds the first action that fits.
func (r *reference) action(tier functions.Tier) (string, error) {
	for _, a := range r.priority.actions[tier] {
		if a.when == nil {
			return a.do, nil
		}
		fits, err := a.when.truth(&r.machine, &r.row)
		if err != nil {
			return "", err
		}
		if fits {
			return a.do, nil
		}
	}
	return "", fmt.Errorf("tier %s has no action that fits everyone", tier)
}
