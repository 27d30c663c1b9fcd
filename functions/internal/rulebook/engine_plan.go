package rulebook

import (
	"fmt"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Choices and yes/no fields have few values, so customers fall into few profiles, and most of what the rules ask is
// settled by the profile: which rules are left, which actions, which words of the reason. A plan is the rules with all of
// that worked out, once for each profile that turns up. What stays to be asked of a customer is its numbers.

// profile is what customers have in common who differ in their numbers only.
type profile struct {
	words  map[string]string
	yes    map[string]bool
	median float64
}

// A profile has a number, of these parts.
const (
	aFrequencyDrop = 1 << iota
	aStatusInconsistent
	aValueDrop
	anAtRisk
	anInactive
	aMedium
	aHigh
	profiles

	// anyProfile is that of customers of whom nothing is known: those with a word that nobody knows, or without one. No
	// customer is both at risk and inactive.
	anyProfile = anAtRisk | anInactive
)

// profileOf gives the number of a customer's profile.
func profileOf(c *retention.Customer) int {
	if !c.Status.Valid || !c.RiskLevel.Valid || !c.FrequencyDrop.Valid || !c.StatusInconsistent.Valid || !c.ValueDrop.Valid {
		return anyProfile
	}
	at := 0
	switch functions.Status(c.Status.V) {
	case functions.Active:
	case functions.AtRisk:
		at = anAtRisk
	case functions.Inactive:
		at = anInactive
	default:
		return anyProfile
	}
	switch functions.Risk(c.RiskLevel.V) {
	case functions.RiskLow:
	case functions.RiskMedium:
		at |= aMedium
	case functions.RiskHigh:
		at |= aHigh
	default:
		return anyProfile
	}
	if c.FrequencyDrop.V {
		at |= aFrequencyDrop
	}
	if c.StatusInconsistent.V {
		at |= aStatusInconsistent
	}
	if c.ValueDrop.V {
		at |= aValueDrop
	}
	return at
}

// profileAt is the profile of a number; nil when nothing is known.
func profileAt(at int, median float64) *profile {
	if at == anyProfile {
		return nil
	}
	status, risk := functions.Active, functions.RiskLow
	switch {
	case at&anAtRisk != 0:
		status = functions.AtRisk
	case at&anInactive != 0:
		status = functions.Inactive
	}
	switch {
	case at&aMedium != 0:
		risk = functions.RiskMedium
	case at&aHigh != 0:
		risk = functions.RiskHigh
	}
	return &profile{
		words: map[string]string{"retention_status": string(status), "churn_risk_level": string(risk)},
		yes: map[string]bool{
			"is_frequency_drop": at&aFrequencyDrop != 0, "is_status_inconsistent": at&aStatusInconsistent != 0, "is_value_drop": at&aValueDrop != 0,
		},
		median: median,
	}
}

// plan is the rules for one profile.
type plan struct {
	rules []plannedRule // those that can fit, in order
	fault error
}

// plannedRule is a rule that can fit, with all that follows from it.
type plannedRule struct {
	when     truth // nil: everyone of the profile fits
	tier     functions.Tier
	id       string
	start    float64
	parts    []plannedPart
	actions  []plannedAction // that can fit, in order; the last has no condition
	opening  phrase
	mentions []plannedMention // that can be said, in order
	asked    []truth          // the conditions of those that depend on the customer
	reasons  []string         // by which of them hold, as bits; nil when more than that decides the reason
}

type plannedPart struct {
	points number
	atMost float64
}

type plannedAction struct {
	when truth // nil: everyone
	do   string
}

type plannedMention struct {
	when     truth // nil: everyone
	say      phrase
	brackets bool
}

// mostAsked bounds the reasons that a rule keeps to 64.
const mostAsked = 6

// newPlan works the rules out for a profile.
func newPlan(p *priority, of *profile) *plan {
	t := &translator{profile: of}
	made := &plan{}
	var parts []plannedPart
	for _, part := range p.score.parts {
		parts = append(parts, plannedPart{points: t.number(part.points.tree).number, atMost: part.atMost})
	}
	var mentions []plannedMention
	for _, brackets := range []bool{true, false} {
		for i := range p.mentions {
			if m := &p.mentions[i]; m.brackets == brackets {
				if when := t.truth(m.when.tree); !when.settled || when.value {
					mentions = append(mentions, plannedMention{when: when.toAsk(), say: t.phrase(m.say), brackets: brackets})
				}
			}
		}
	}
	for _, r := range p.rules {
		when := t.truth(r.when.tree)
		if when.settled && !when.value {
			continue
		}
		rule := plannedRule{
			when: when.toAsk(), tier: r.tier, id: r.id, start: p.score.start[r.tier], parts: parts,
			actions: t.actions(p.actions[r.tier]), opening: t.phrase(r.reason), mentions: mentions,
		}
		rule.keepReasons()
		made.rules = append(made.rules, rule)
		if rule.when == nil {
			break // it takes everyone who is left
		}
	}
	made.fault = t.fault
	return made
}

// toAsk is what there is to ask; nil when the answer is yes.
func (c condition) toAsk() truth {
	if c.settled && c.value {
		return nil
	}
	return c.truth
}

// actions are those that can fit.
func (t *translator) actions(of []action) []plannedAction {
	var left []plannedAction
	for _, a := range of {
		when := settled(true)
		if a.when != nil {
			when = t.truth(a.when.tree)
		}
		if when.settled && !when.value {
			continue
		}
		left = append(left, plannedAction{when: when.toAsk(), do: a.do})
		if when.settled {
			break
		}
	}
	return left
}

// keepReasons makes room for every reason of a rule, when the mentions alone decide it and are few.
func (r *plannedRule) keepReasons() {
	finite := r.opening.settled
	for _, m := range r.mentions {
		finite = finite && m.say.settled
		if m.when != nil {
			r.asked = append(r.asked, m.when)
		}
	}
	if finite && len(r.asked) <= mostAsked {
		r.reasons = make([]string, 1<<len(r.asked))
	}
}

// score is what a customer gets.
func (r *plannedRule) score(of *score, s *subject) float64 {
	total := r.start
	for i := range r.parts {
		total += min(r.parts[i].points(s), r.parts[i].atMost)
	}
	return roundTo(min(total, of.atMost), of.decimals)
}

// action is the first that fits.
func (r *plannedRule) action(s *subject) (string, error) {
	for i := range r.actions {
		if a := &r.actions[i]; a.when == nil || a.when(s) {
			return a.do, nil
		}
	}
	return "", fmt.Errorf("tier %s has no action that fits everyone", r.tier)
}

// reason appends the reason: that of the rule, the bracketed mentions behind it, the others after commas.
func (r *plannedRule) reason(to []byte, s *subject) []byte {
	to = r.opening.text(to, s)
	opened := false
	for i := range r.mentions {
		m := &r.mentions[i]
		if opened && !m.brackets {
			to, opened = append(to, ')'), false
		}
		if m.when != nil && !m.when(s) {
			continue
		}
		if m.brackets && !opened {
			to, opened = append(to, " ("...), true
		} else {
			to = append(to, ", "...)
		}
		to = m.say.text(to, s)
	}
	if opened {
		to = append(to, ')')
	}
	return to
}
