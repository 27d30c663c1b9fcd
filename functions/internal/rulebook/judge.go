package rulebook

import (
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Judge judges customers, one after another: it belongs to one goroutine.
type Judge struct {
	priority  *priority
	plans     [profiles]*plan // each made for the first customer of its profile
	large     bool            // the rules are so large that there is one plan for all
	ofRevenue bool            // the value at stake is a share of the revenue, which the score has converted
	subject   subject
	reason    []byte
	reasons   map[string]string // every reason that was given, once
	reference *reference        // judges instead of the plans
}

// The bounds of what a judge keeps.
const (
	mostReasons = 10_000   // reasons with a number in them are many
	mostPlanned = 32 << 10 // characters of rules that are planned for each profile
)

// NewJudge makes a judge that compares with the median revenue of all customers.
func (b *Book) NewJudge(medianRevenue functions.Money) *Judge {
	j := &Judge{priority: b.priority, large: b.priority.size() > mostPlanned, reasons: map[string]string{}}
	j.ofRevenue = slotOf[b.priority.share.of.name] == revenueSlot
	j.subject.median = medianRevenue.StringFixed(2)
	j.subject.numbers[medianSlot] = nearestFloat(medianRevenue)
	return j
}

// size is the length of all conditions, formulas and texts.
func (p *priority) size() int {
	length := 0
	for _, r := range p.rules {
		length += len(r.when.text) + r.reason.size()
	}
	for _, m := range p.mentions {
		length += len(m.when.text) + m.say.size()
	}
	for _, part := range p.score.parts {
		length += len(part.points.text)
	}
	for _, actions := range p.actions {
		for _, a := range actions {
			if a.when != nil {
				length += len(a.when.text)
			}
		}
	}
	return length
}

// size is the length of a template, a value counted as a word.
func (t template) size() int {
	const word = 10
	length := 0
	for _, p := range t.pieces {
		length += len(p.text) + word
	}
	return length
}

// Judge gives the verdict on a customer. The customer must be vetted: a fault in it is not looked for again. A customer
// whom no rule fits gets no tier and nothing else. An error is a fault of the program, never of the customer.
func (j *Judge) Judge(c *retention.Customer) (v Verdict, err error) {
	if j.reference != nil {
		return j.reference.judge(c)
	}
	at := anyProfile
	if !j.large {
		at = profileOf(c)
	}
	p := j.plans[at]
	if p == nil {
		p = newPlan(j.priority, profileAt(at, j.subject.numbers[medianSlot]))
		j.plans[at] = p
	}
	s := &j.subject
	s.take(c)
	for i := range p.rules {
		r := &p.rules[i]
		if r.when != nil && !r.when(s) {
			continue
		}
		v.Tier, v.RuleID = r.tier, r.id
		v.Score = r.score(&j.priority.score, s)
		v.Reason = j.reasonOf(r, s)
		v.ValueProxy = j.shareOf(s)
		v.Action, err = r.action(s)
		return v, err
	}
	return v, p.fault
}

// shareOf is the value at stake.
func (j *Judge) shareOf(s *subject) Amount {
	share := &j.priority.share
	if !j.ofRevenue {
		return share.shareOf(share.of.amount(s.customer).V)
	}
	s.number(revenueSlot)
	return share.shareOfShort(s.revenue, s.customer.TotalRevenue.V)
}

// reasonOf gives the text of a reason, which is made once for all customers with that reason.
func (j *Judge) reasonOf(r *plannedRule, s *subject) string {
	if r.reasons == nil {
		j.reason = r.reason(j.reason[:0], s)
		return j.kept(j.reason)
	}
	at := 0
	for i, asked := range r.asked {
		if asked(s) {
			at |= 1 << i
		}
	}
	if r.reasons[at] == "" {
		r.reasons[at] = string(r.reason(nil, s))
	}
	return r.reasons[at]
}

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
