package rulebook

import (
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// The engine judges by closures that are made of the checked trees: one for each condition, formula and text. They mean
// what expr's machine makes of the same trees, to the last bit, which tests and FuzzClosuresEqualVM hold. A closure
// cannot fail, and it takes no memory.

type (
	// number is a formula.
	number func(*subject) float64
	// truth is a condition.
	truth func(*subject) bool
	// text appends a text.
	text func([]byte, *subject) []byte
)

// subject is the customer in hand, in the form that closures read: every number a float, every value in a slot of its
// own. What costs something to convert is converted when a closure first asks for it.
type subject struct {
	customer *retention.Customer
	words    [wordSlots]string
	truths   [truthSlots]bool
	pending  uint32 // a bit for each number that was not converted yet
	empty    uint32 // a bit for each number that the customer does not have
	numbers  [numberSlots]float64
	median   string // as texts write it
}

// The slots of a subject, by the kind of what stands in them.
const (
	statusSlot = iota
	riskLevelSlot
	wordSlots
)

const (
	frequencyDropSlot = iota
	statusInconsistentSlot
	valueDropSlot
	truthSlots
)

const (
	daysSlot = iota
	riskScoreSlot
	revenueSlot
	ordersSlot
	avgOrderValueSlot
	medianSlot
	numberSlots
)

// slotOf says where in a subject a column stands, among those of its kind.
var slotOf = map[string]int{
	"retention_status": statusSlot, "churn_risk_level": riskLevelSlot,
	"is_frequency_drop": frequencyDropSlot, "is_status_inconsistent": statusInconsistentSlot, "is_value_drop": valueDropSlot,
	"days_since_last_order": daysSlot, "churn_risk_score": riskScoreSlot, "total_revenue": revenueSlot,
	"total_orders": ordersSlot, "avg_order_value": avgOrderValueSlot, medianRevenue: medianSlot,
}

// take puts a customer into the subject.
func (s *subject) take(c *retention.Customer) {
	s.customer = c
	s.words[statusSlot] = c.Status.V
	s.words[riskLevelSlot] = c.RiskLevel.V
	s.truths[frequencyDropSlot] = c.FrequencyDrop.V
	s.truths[statusInconsistentSlot] = c.StatusInconsistent.V
	s.truths[valueDropSlot] = c.ValueDrop.V
	s.numbers[daysSlot] = float64(c.DaysSinceLastOrder.V)
	s.numbers[riskScoreSlot] = float64(c.RiskScore.V)
	s.numbers[ordersSlot] = float64(c.TotalOrders.V)
	s.pending = 1<<revenueSlot | 1<<avgOrderValueSlot
	s.empty = 0
	if !c.AvgOrderValue.Valid {
		s.empty = 1 << avgOrderValueSlot
	}
}

// number gives the number in a slot.
func (s *subject) number(slot int) float64 {
	if s.pending>>slot&1 != 0 {
		s.convert(slot)
	}
	return s.numbers[slot]
}

// convert makes a float of an amount.
func (s *subject) convert(slot int) {
	amount := s.customer.TotalRevenue.V
	if slot == avgOrderValueSlot {
		amount = s.customer.AvgOrderValue.V
	}
	s.numbers[slot] = nearestFloat(amount)
	s.pending &^= 1 << slot
}

// isEmpty tells whether the customer lacks the number in a slot.
func (s *subject) isEmpty(slot int) bool { return s.empty>>slot&1 != 0 }

// engine is priority.yaml made ready: nothing is looked up by name while customers are judged.
type engine struct {
	rules    []engineRule
	mentions []engineMention // those in brackets first
	parts    []enginePart
	atMost   float64
	decimals int
	share    *valueShare
}

type engineRule struct {
	id      string
	tier    functions.Tier
	when    truth
	reason  text
	start   float64
	actions []engineAction // the last has no condition
}

type engineMention struct {
	when     truth
	say      text
	brackets bool
}

type enginePart struct {
	points number
	atMost float64
}

type engineAction struct {
	when truth // nil: everyone
	do   string
}

// newEngine makes an engine of rules that were checked.
func newEngine(p *priority) *engine {
	e := &engine{atMost: p.score.atMost, decimals: p.score.decimals, share: &p.share}
	for _, r := range p.rules {
		made := engineRule{id: r.id, tier: r.tier, when: r.when.fits, reason: r.reason.closure(), start: p.score.start[r.tier]}
		for _, a := range p.actions[r.tier] {
			action := engineAction{do: a.do}
			if a.when != nil {
				action.when = a.when.fits
			}
			made.actions = append(made.actions, action)
		}
		e.rules = append(e.rules, made)
	}
	for _, brackets := range []bool{true, false} {
		for i := range p.mentions {
			if m := &p.mentions[i]; m.brackets == brackets {
				e.mentions = append(e.mentions, engineMention{when: m.when.fits, say: m.say.closure(), brackets: brackets})
			}
		}
	}
	for _, part := range p.score.parts {
		e.parts = append(e.parts, enginePart{points: part.points.counts, atMost: part.atMost})
	}
	return e
}

// score is what a customer gets in the tier of a rule.
func (e *engine) score(r *engineRule, s *subject) float64 {
	total := r.start
	for i := range e.parts {
		total += min(e.parts[i].points(s), e.parts[i].atMost)
	}
	return roundTo(min(total, e.atMost), e.decimals)
}

// action is the first that fits.
func (r *engineRule) action(s *subject) string {
	for i := range r.actions {
		if a := &r.actions[i]; a.when == nil || a.when(s) {
			return a.do
		}
	}
	return "" // there is always one that fits everyone: the check demands it
}

// reason appends the reason: that of the rule, the bracketed mentions behind it, the others after commas.
func (e *engine) reason(to []byte, r *engineRule, s *subject) []byte {
	to = r.reason(to, s)
	opened := false
	for i := range e.mentions {
		m := &e.mentions[i]
		if opened && !m.brackets {
			to, opened = append(to, ')'), false
		}
		if !m.when(s) {
			continue
		}
		if m.brackets && !opened {
			to, opened = append(to, " ("...), true
		} else {
			to = append(to, ", "...)
		}
		to = m.say(to, s)
	}
	if opened {
		to = append(to, ')')
	}
	return to
}
