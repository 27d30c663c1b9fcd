package main

import (
	"math"
	"strconv"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// scripted judges by an engine for expressions, used as its authors recommend: every expression compiled once, one
// environment for all customers, numbers as floats. All around the expressions is as in the hand-written way, each text
// kept.
type scripted struct {
	load   func(c *retention.Customer)
	truth  func(condition int) (bool, error)
	number func(formula int) (float64, error)
	reason []byte
	keep   map[string]string
}

// The conditions, in the words that expr and cel-go share.
var conditions = []string{
	activeHigh:    `retention_status == "ACTIVE" && churn_risk_level == "HIGH" && total_revenue >= 0.0`,
	atRisk:        `retention_status == "AT_RISK" && churn_risk_level in ["HIGH", "MEDIUM"]`,
	inactiveHigh:  `retention_status == "INACTIVE" && churn_risk_level == "HIGH" && days_since_last_order <= 180.0`,
	frequencyDrop: `is_frequency_drop`,
	unsteady:      `is_status_inconsistent`,
	valueDrop:     `is_value_drop`,
	inactive:      `retention_status == "INACTIVE"`,
	highValue:     `total_revenue > 2000.0`,
	mediumValue:   `total_revenue >= 1000.0 && total_revenue <= 2000.0`,
}

const (
	activeHigh = iota
	atRisk
	inactiveHigh
	frequencyDrop
	unsteady
	valueDrop
	inactive
	highValue
	mediumValue
)

// The formulas of the score.
var formulas = []string{`ln(1.0 + total_revenue) * 2.0`, `days_since_last_order / 3.0`}

var atMost = []float64{20, 10}

var tiers = []struct {
	condition int
	tier      functions.Tier
	id        string
	start     float64
	actions   []conditionalText
}{
	{activeHigh, functions.P1, "active-high", 70, []conditionalText{
		{highValue, "VIP outreach + 10% loyalty incentive"},
		{mediumValue, "Personal email + free shipping offer"},
		{-1, "Personal email + reminder"},
	}},
	{atRisk, functions.P2, "at-risk", 50, []conditionalText{{-1, "Win-back email sequence (3 emails, 7 days) + free shipping"}}},
	{inactiveHigh, functions.P3, "inactive-high", 30, []conditionalText{{-1, "Strong comeback offer (20% discount) + survey"}}},
}

// conditionalText is said when a condition holds; -1 always does.
type conditionalText struct {
	condition int
	text      string
}

var (
	inBrackets = []conditionalText{{frequencyDrop, "frequency drop"}, {unsteady, "unsteady buyer"}, {valueDrop, "value drop"}}
	behind     = []conditionalText{{highValue, ", high value"}, {mediumValue, ", medium value"}}
)

func (s *scripted) judge(c *retention.Customer) (v rulebook.Verdict, err error) {
	s.load(c)
	for _, t := range tiers {
		fits, err := s.truth(t.condition)
		if err != nil {
			return v, err
		}
		if !fits {
			continue
		}
		v.Tier, v.RuleID = t.tier, t.id
		total := t.start
		for i := range formulas {
			points, err := s.number(i)
			if err != nil {
				return v, err
			}
			total += min(points, atMost[i])
		}
		v.Score = math.Round(min(total, 100)*10) / 10
		for _, a := range t.actions {
			fits := a.condition < 0
			if !fits {
				if fits, err = s.truth(a.condition); err != nil {
					return v, err
				}
			}
			if fits {
				v.Action = a.text
				break
			}
		}
		_, v.ValueProxy = amounts(c.TotalRevenue.V)
		v.Reason, err = s.text(c)
		return v, err
	}
	return v, nil
}

func (s *scripted) text(c *retention.Customer) (string, error) {
	to := append(s.reason[:0], c.Status.V...)
	to = append(to, " + "...)
	to = append(to, c.RiskLevel.V...)
	to = append(to, " risk"...)
	before := " ("
	for _, m := range inBrackets {
		fits, err := s.truth(m.condition)
		if err != nil {
			return "", err
		}
		if fits {
			to = append(append(to, before...), m.text...)
			before = ", "
		}
	}
	if before == ", " {
		to = append(to, ')')
	}
	gone, err := s.truth(inactive)
	if err != nil {
		return "", err
	}
	if gone {
		to = append(to, ", last order "...)
		to = strconv.AppendInt(to, c.DaysSinceLastOrder.V, 10)
		to = append(to, " days ago"...)
	}
	for _, m := range behind {
		fits, err := s.truth(m.condition)
		if err != nil {
			return "", err
		}
		if fits {
			to = append(to, m.text...)
		}
	}
	s.reason = to
	return kept(s.keep, to), nil
}
