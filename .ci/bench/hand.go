package main

import (
	"math"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// hand is what the shipped rules say, written as a program by somebody who wants it fast: whole cents, one buffer for
// all reasons, nothing worked out for a customer whom no rule fits.
type hand struct {
	reason []byte
	keep   map[string]string // nil: every reason is a text of its own
}

func newKeepingHand() *hand { return &hand{keep: map[string]string{}} }

var share = decimal.New(3, -1)

func (h *hand) judge(c *retention.Customer) (v rulebook.Verdict, _ error) {
	high := c.RiskLevel.V == "HIGH"
	days := c.DaysSinceLastOrder.V
	var start float64
	switch {
	case c.Status.V == "ACTIVE" && high && c.TotalRevenue.V.Sign() >= 0:
		v.Tier, v.RuleID, start = functions.P1, "active-high", 70
	case c.Status.V == "AT_RISK" && (high || c.RiskLevel.V == "MEDIUM"):
		v.Tier, v.RuleID, start = functions.P2, "at-risk", 50
		v.Action = "Win-back email sequence (3 emails, 7 days) + free shipping"
	case c.Status.V == "INACTIVE" && high && days <= 180:
		v.Tier, v.RuleID, start = functions.P3, "inactive-high", 30
		v.Action = "Strong comeback offer (20% discount) + survey"
	default:
		return v, nil
	}
	cents, proxy := amounts(c.TotalRevenue.V)
	v.ValueProxy = proxy
	if v.Tier == functions.P1 {
		switch {
		case cents > 2000_00:
			v.Action = "VIP outreach + 10% loyalty incentive"
		case cents >= 1000_00:
			v.Action = "Personal email + free shipping offer"
		default:
			v.Action = "Personal email + reminder"
		}
	}
	points := start + min(math.Log(1+float64(cents)/100)*2, 20) + min(float64(days)/3, 10)
	v.Score = math.Round(min(points, 100)*10) / 10
	v.Reason = h.text(c, cents)
	return v, nil
}

// amounts gives an amount in cents, and three tenths of it to the cent, half a cent away from zero.
func amounts(m functions.Money) (cents int64, proxy rulebook.Amount) {
	if m.Exponent() != -2 || m.NumDigits() > 15 {
		return m.Round(2).Shift(2).IntPart(), rulebook.NewAmount(m.Mul(share).Round(2).Shift(2).IntPart(), 2)
	}
	cents = m.CoefficientInt64()
	tenths := cents * 3
	if tenths < 0 {
		return cents, rulebook.NewAmount((tenths-5)/10, 2)
	}
	return cents, rulebook.NewAmount((tenths+5)/10, 2)
}

// text writes the reason.
func (h *hand) text(c *retention.Customer, cents int64) string {
	to := append(h.reason[:0], c.Status.V...)
	to = append(to, " + "...)
	to = append(to, c.RiskLevel.V...)
	to = append(to, " risk"...)
	before := " ("
	if c.FrequencyDrop.V {
		to = append(append(to, before...), "frequency drop"...)
		before = ", "
	}
	if c.StatusInconsistent.V {
		to = append(append(to, before...), "unsteady buyer"...)
		before = ", "
	}
	if c.ValueDrop.V {
		to = append(append(to, before...), "value drop"...)
		before = ", "
	}
	if before == ", " {
		to = append(to, ')')
	}
	if c.Status.V == "INACTIVE" {
		to = append(to, ", last order "...)
		to = strconv.AppendInt(to, c.DaysSinceLastOrder.V, 10)
		to = append(to, " days ago"...)
	}
	switch {
	case cents > 2000_00:
		to = append(to, ", high value"...)
	case cents >= 1000_00:
		to = append(to, ", medium value"...)
	}
	h.reason = to
	return kept(h.keep, to)
}

// kept gives a text of its own, or the one that was made for the same bytes before.
func kept(keep map[string]string, bytes []byte) string {
	if keep == nil {
		return string(bytes)
	}
	text, has := keep[string(bytes)]
	if !has {
		text = string(bytes)
		keep[text] = text
	}
	return text
}
