package rulebook

import (
	"fmt"

	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Judge judges customers, one after another: it belongs to one goroutine.
type Judge struct {
	book      *Book
	reference bool // asks expr's machine
	machine   vm.VM
	row       row
	median    string
	reason    []byte
	reasons   map[string]string // every reason that was given, once
}

// mostReasons bounds what a judge keeps: reasons with a number in them are many.
const mostReasons = 10_000

// NewJudge makes a judge that compares with the median revenue of all customers.
func (b *Book) NewJudge(medianRevenue functions.Money) *Judge {
	j := &Judge{book: b, median: medianRevenue.StringFixed(2), reasons: map[string]string{}}
	j.row.MedianRevenue = nearestFloat(medianRevenue)
	return j
}

// NewReferenceJudge makes a judge that gives the same verdicts the long way: expr's own machine evaluates every
// condition and formula. It is what the engine is compared with.
func (b *Book) NewReferenceJudge(medianRevenue functions.Money) *Judge {
	j := b.NewJudge(medianRevenue)
	j.reference = true
	return j
}

// Judge gives the verdict on a customer. The customer must be vetted: a fault in it is not looked for again. A customer
// whom no rule fits gets no tier and nothing else. An error is a fault of the program, never of the customer.
func (j *Judge) Judge(c *retention.Customer) (Verdict, error) {
	j.row.fill(c)
	p := j.book.priority
	for _, r := range p.rules {
		fits, err := r.when.truth(&j.machine, &j.row)
		if err != nil {
			return Verdict{}, fmt.Errorf("rule %s: %w", r.id, err)
		}
		if fits {
			return j.verdict(r, c)
		}
	}
	return Verdict{}, nil
}

// verdict works out what follows from a rule that fits.
func (j *Judge) verdict(r *rule, c *retention.Customer) (Verdict, error) {
	p := j.book.priority
	v := Verdict{Tier: r.tier, RuleID: r.id}
	var err error
	if v.Score, err = p.score.of(r.tier, &j.machine, &j.row); err != nil {
		return Verdict{}, err
	}
	if v.Reason, err = j.reasonOf(r, c); err != nil {
		return Verdict{}, err
	}
	if v.Action, err = j.actionOf(r.tier); err != nil {
		return Verdict{}, err
	}
	v.ValueProxy = p.share.shareOf(p.share.of.amount(c).V)
	return v, nil
}

// reasonOf writes the reason: that of the rule, the bracketed mentions behind it, the others after commas.
func (j *Judge) reasonOf(r *rule, c *retention.Customer) (string, error) {
	j.reason = r.reason.write(j.reason[:0], c, j.median)
	opened := false
	for _, brackets := range []bool{true, false} {
		for i := range j.book.priority.mentions {
			m := &j.book.priority.mentions[i]
			if m.brackets != brackets {
				continue
			}
			fits, err := m.when.truth(&j.machine, &j.row)
			if err != nil {
				return "", err
			}
			if !fits {
				continue
			}
			switch {
			case brackets && !opened:
				j.reason, opened = append(j.reason, " ("...), true
			default:
				j.reason = append(j.reason, ", "...)
			}
			j.reason = m.say.write(j.reason, c, j.median)
		}
		if brackets && opened {
			j.reason = append(j.reason, ')')
		}
	}
	if known, has := j.reasons[string(j.reason)]; has {
		return known, nil
	}
	text := string(j.reason)
	if len(j.reasons) < mostReasons {
		j.reasons[text] = text
	}
	return text, nil
}

// actionOf finds the first action that fits.
func (j *Judge) actionOf(tier functions.Tier) (string, error) {
	for _, a := range j.book.priority.actions[tier] {
		if a.when == nil {
			return a.do, nil
		}
		fits, err := a.when.truth(&j.machine, &j.row)
		if err != nil {
			return "", err
		}
		if fits {
			return a.do, nil
		}
	}
	return "", fmt.Errorf("tier %s has no action that fits everyone", tier)
}
