package rulebook

import (
	"fmt"
	"math"

	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
)

// score ranks customers inside a tier.
type score struct {
	start    map[functions.Tier]float64
	starts   map[functions.Tier]value // in the file
	limit    value                    // of the cap, in the file
	parts    []scorePart
	atMost   float64
	decimals int
}

// scorePart is a named addition to the score.
type scorePart struct {
	name   string
	points *expression
	atMost float64 // infinite when there is no cap
	limit  value   // of the cap, in the file
}

// highestScore is the most that a score can be, by the contract.
const highestScore = 100

// readScore reads how customers are ranked, and proves from the bounds of the fields that no score lies outside 0 to
// 100.
func readScore(s *scope, content value, tiers []functions.Tier) score {
	result := score{start: map[functions.Tier]float64{}, starts: map[functions.Tier]value{}}
	one := content.section("start", "add", "at_most", "decimals")
	if one.missing() {
		return result
	}
	starts := one.need("start").names("tier")
	for _, name := range starts.order {
		tier := starts.labels[name].word("tier", texts(functions.Tiers))
		result.start[functions.Tier(tier)] = s.constant(starts.keys[name], 0, highestScore)
		result.starts[functions.Tier(tier)] = starts.keys[name]
	}
	for _, tier := range tiers {
		if _, has := result.start[tier]; !has && !starts.missing() {
			starts.report(idMissingKey, fmt.Sprintf("the tier %s has no start", tier), fmt.Sprintf("add %s: and a number", tier))
		}
	}
	result.limit = one.need("at_most")
	result.atMost = s.constant(result.limit, 0, highestScore)
	result.decimals = one.need("decimals").wholeIn(0, 6)
	lowest := 0.0
	seen := map[string]bool{}
	if add, has := one.maybe("add"); has {
		for _, item := range add.items() {
			part, low := readScorePart(s, item, seen)
			if part.points != nil {
				result.parts = append(result.parts, part)
				lowest += low
			}
		}
	}
	for _, name := range starts.order {
		if start := result.start[functions.Tier(name)]; start+lowest < 0 {
			starts.keys[name].report(idOutOfBounds, fmt.Sprintf("the score of %s can fall to %s", name, plainNumber(start+lowest)),
				"a score lies between 0 and 100: keep the points from going below 0 with max(0, …)")
		}
	}
	return result
}

// readScorePart reads one addition, and gives the least that it can add.
func readScorePart(s *scope, item value, seen map[string]bool) (part scorePart, lowest float64) {
	one := item.section("name", "points", "at_most")
	if one.missing() {
		return part, 0
	}
	part.name = one.need("name").identifier("part of the score", seen)
	points := one.need("points")
	part.points = s.compile(points, kindAmount)
	part.atMost = math.Inf(1)
	limit, has := one.maybe("at_most")
	if has {
		part.limit = limit
		part.atMost = s.constant(limit, -highestScore, highestScore)
	}
	if part.points == nil {
		return part, 0
	}
	within := part.points.within.lowest(only(part.atMost))
	if !within.isBounded() {
		points.report(idMayBeNaN, "these points may grow without end", "give them at_most, and keep them from falling with max(0, …)")
		return part, 0
	}
	return part, within.low
}

// constant reads a number or the name of a parameter.
func (s *scope) constant(v value, low, high float64) float64 {
	if p := s.parameters[v.raw()]; p != nil && v.isScalar() {
		p.used = true
		if p.number < low || p.number > high {
			v.report(idOutOfBounds, fmt.Sprintf("%s is %s, not between %s and %s", v.raw(), p.text, plainNumber(low), plainNumber(high)), "")
		}
		return p.number
	}
	if v.isScalar() && nameForm.MatchString(v.raw()) {
		v.report(idUnknownName, fmt.Sprintf("unknown parameter %q", v.raw()), didYouMean(v.raw(), "parameters", sortedKeys(s.parameters)))
		return 0
	}
	return v.numberIn(low, high)
}

// of computes the score of a customer in a tier.
func (s *score) of(tier functions.Tier, machine *vm.VM, r *row) (float64, error) {
	total := s.start[tier]
	for i := range s.parts {
		points, err := s.parts[i].points.number(machine, r)
		if err != nil {
			return 0, err
		}
		total += min(points, s.parts[i].atMost)
	}
	return roundTo(min(total, s.atMost), s.decimals), nil
}

// roundTo rounds half away from zero.
func roundTo(number float64, decimals int) float64 {
	scale := powersOfTen[decimals]
	return math.Round(number*scale) / scale
}
