package rulebook

import (
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Judge judges customers, one after another: it belongs to one goroutine.
type Judge struct {
	engine    *engine
	subject   subject
	reason    []byte
	reasons   map[string]string // every reason that was given, once
	reference *reference        // judges instead of the engine
}

// mostReasons bounds what a judge keeps: reasons with a number in them are many.
const mostReasons = 10_000

// NewJudge makes a judge that compares with the median revenue of all customers.
func (b *Book) NewJudge(medianRevenue functions.Money) *Judge {
	j := &Judge{engine: b.engine, reasons: map[string]string{}}
	j.subject.median = medianRevenue.StringFixed(2)
	j.subject.numbers[medianSlot] = nearestFloat(medianRevenue)
	return j
}

// Judge gives the verdict on a customer. The customer must be vetted: a fault in it is not looked for again. A customer
// whom no rule fits gets no tier and nothing else. An error is a fault of the program, never of the customer.
func (j *Judge) Judge(c *retention.Customer) (Verdict, error) {
	if j.reference != nil {
		return j.reference.judge(c)
	}
	s := &j.subject
	s.take(c)
	for i := range j.engine.rules {
		if r := &j.engine.rules[i]; r.when(s) {
			j.reason = j.engine.reason(j.reason[:0], r, s)
			return Verdict{
				Tier: r.tier, RuleID: r.id, Score: j.engine.score(r, s), Reason: j.kept(j.reason), Action: r.action(s),
				ValueProxy: j.engine.share.shareOf(j.engine.share.of.amount(c).V),
			}, nil
		}
	}
	return Verdict{}, nil
}

// kept gives the text of a reason, which is made once for all customers with that reason.
func (j *Judge) kept(reason []byte) string {
	if known, has := j.reasons[string(reason)]; has {
		return known
	}
	text := string(reason)
	if len(j.reasons) < mostReasons {
		j.reasons[text] = text
	}
	return text
}
