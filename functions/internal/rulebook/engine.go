package rulebook

import (
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

// subject is the customer in hand. Numbers are converted to floats when a closure first asks for one.
type subject struct {
	customer *retention.Customer
	numbers  [numberSlots]float64
	pending  uint32 // a bit for each number that was not converted yet
	revenue  short  // of the customer, once it was converted
	median   string // as texts write it
}

// The numbers of a subject.
const (
	daysSlot = iota
	riskScoreSlot
	revenueSlot
	ordersSlot
	avgOrderValueSlot
	medianSlot
	numberSlots
)

// slotOf says where in a subject a number stands.
var slotOf = map[string]int{
	"days_since_last_order": daysSlot, "churn_risk_score": riskScoreSlot, "total_revenue": revenueSlot,
	"total_orders": ordersSlot, "avg_order_value": avgOrderValueSlot, medianRevenue: medianSlot,
}

// take puts a customer into the subject.
func (s *subject) take(c *retention.Customer) {
	s.customer = c
	s.pending = 1<<medianSlot - 1 // all but the median
}

// number gives the number in a slot.
func (s *subject) number(slot int) float64 {
	if s.pending>>slot&1 != 0 {
		s.convert(slot)
	}
	return s.numbers[slot]
}

// convert makes a float of a number. An empty one is nought, as in a row.
func (s *subject) convert(slot int) {
	s.pending &^= 1 << slot
	c := s.customer
	switch slot {
	case daysSlot:
		s.numbers[slot] = float64(c.DaysSinceLastOrder.V)
	case riskScoreSlot:
		s.numbers[slot] = float64(c.RiskScore.V)
	case revenueSlot:
		s.revenue = shortOf(c.TotalRevenue.V)
		s.numbers[slot] = s.revenue.float(c.TotalRevenue.V)
	case ordersSlot:
		s.numbers[slot] = float64(c.TotalOrders.V)
	case avgOrderValueSlot:
		s.numbers[slot] = nearestFloat(c.AvgOrderValue.V)
	}
}

// emptyIn tells whether a customer lacks a number that may be empty; nil for all others.
func emptyIn(slot int) truth {
	if slot != avgOrderValueSlot {
		return nil
	}
	return func(s *subject) bool { return !s.customer.AvgOrderValue.Valid }
}
