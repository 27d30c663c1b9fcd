package rulebook

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// ScoreChange is a piece of the score that changes, for the tiers that both versions give; empty where there is none.
type ScoreChange struct {
	Tiers  []functions.Tier `json:"tiers"`
	What   string           `json:"what"` // start, at_most, decimals, order, or the name of a part
	Before string           `json:"before"`
	After  string           `json:"after"`
}

// ScoreMove is how far the score of a customer can move who keeps the tier: at least by Lowest and at most by Highest.
type ScoreMove struct {
	Tier    functions.Tier `json:"tier"`
	Lowest  float64        `json:"lowest"`
	Highest float64        `json:"highest"`
}

// tellScores compares how customers are ranked who keep their tier, and how far that can move a score.
func (d *BookDiff) tellScores(v *versions) {
	before, after := v.sides[0].book.priority, v.sides[1].book.priority
	var tiers []functions.Tier
	for _, tier := range before.tiers() {
		if slices.Contains(after.tiers(), tier) {
			tiers = append(tiers, tier)
		}
	}
	for _, tier := range tiers {
		was, is := before.score.start[tier], after.score.start[tier]
		if was != is {
			d.Scores = append(d.Scores, ScoreChange{[]functions.Tier{tier}, "start", plainNumber(was), plainNumber(is)})
		}
	}
	all := func(what, was, is string) {
		if was != is && len(tiers) > 0 {
			d.Scores = append(d.Scores, ScoreChange{tiers, what, was, is})
		}
	}
	points, reordered := partPairs(before.score.parts, after.score.parts)
	for _, pair := range points {
		all(pair.name, pair.before.words(), pair.after.words())
	}
	if reordered {
		all("order", partNames(before.score.parts), partNames(after.score.parts))
	}
	all("at_most", plainNumber(before.score.atMost), plainNumber(after.score.atMost))
	all("decimals", fmt.Sprint(before.score.decimals), fmt.Sprint(after.score.decimals))
	for _, tier := range tiers {
		if moves := scoreMove(&before.score, &after.score, tier, points, reordered); moves != (interval{}) {
			d.ScoreMoves = append(d.ScoreMoves, ScoreMove{tier, moves.low, moves.high})
		}
	}
}

// partPair is one part of the score on both sides; nil where there is none.
type partPair struct {
	name          string
	before, after *scorePart
}

// partPairs are the parts of both sides by name, and whether those that both have are added in another order: then a
// sum can differ in its last digit.
func partPairs(before, after []scorePart) (pairs []partPair, reordered bool) {
	named := func(parts []scorePart, name string) *scorePart {
		if at := slices.IndexFunc(parts, func(p scorePart) bool { return p.name == name }); at >= 0 {
			return &parts[at]
		}
		return nil
	}
	last := -1
	for i := range before {
		p := &before[i]
		pairs = append(pairs, partPair{p.name, p, named(after, p.name)})
		if at := slices.IndexFunc(after, func(other scorePart) bool { return other.name == p.name }); at >= 0 {
			reordered = reordered || at < last
			last = at
		}
	}
	for i := range after {
		if p := &after[i]; named(before, p.name) == nil {
			pairs = append(pairs, partPair{p.name, nil, p})
		}
	}
	return pairs, reordered
}

func partNames(parts []scorePart) string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// words is a part of the score as a person reads it, with parameters put in.
func (p *scorePart) words() string {
	if p == nil {
		return ""
	}
	text := p.points.tree.String()
	text = strings.ReplaceAll(text, maybePrefix, "")
	if !math.IsInf(p.atMost, 1) {
		text += ", at most " + plainNumber(p.atMost)
	}
	return text
}

// within is the range of the points of a part; a part that is not there gives none.
func (p *scorePart) within() interval {
	if p == nil {
		return interval{}
	}
	return p.points.within.lowest(only(p.atMost))
}

// move is how far a part can move a score.
func (p partPair) move() interval {
	was, is := p.before.within(), p.after.within()
	if p.before != nil && p.after != nil && p.before.points.tree.String() == p.after.points.tree.String() {
		// The same points under another cap: the move grows or falls with the points, from one end to the other.
		ends := p.before.points.within.with(p.after.points.within)
		capped := func(points float64) float64 { return min(points, p.after.atMost) - min(points, p.before.atMost) }
		low, high := capped(ends.low), capped(ends.high)
		return interval{min(low, high), max(low, high)}
	}
	return interval{is.low - was.high, is.high - was.low}
}

// scoreMove is how far the score of a tier can move, rounding included.
func scoreMove(before, after *score, tier functions.Tier, parts []partPair, reordered bool) interval {
	start := after.start[tier] - before.start[tier]
	move := only(start)
	was, is := only(before.start[tier]), only(after.start[tier])
	for _, p := range parts {
		move = move.plus(p.move())
		was, is = was.plus(p.before.within()), is.plus(p.after.within())
	}
	caps := before.atMost != after.atMost || was.high > before.atMost || is.high > after.atMost
	if caps { // a cap can swallow a move, and can make one
		change := after.atMost - before.atMost
		move = interval{min(move.low, 0) + min(change, 0), max(move.high, 0) + max(change, 0)}
		was, is = was.lowest(only(before.atMost)), is.lowest(only(after.atMost))
	}
	move = interval{max(move.low, is.low-was.high), min(move.high, is.high-was.low)}
	unit := 1 / powersOfTen[min(before.decimals, after.decimals)]
	switch {
	case before.decimals != after.decimals:
		move = interval{move.low - unit, move.high + unit}
	case reordered && move == interval{}:
		move = interval{-unit, unit} // a sum in another order may round the other way
	}
	scale := powersOfTen[max(before.decimals, after.decimals)]
	near := 1e-6                                                                                          // sums of tenths are no exact tenths
	return interval{math.Floor(move.low*scale+near)/scale + 0, math.Ceil(move.high*scale-near)/scale + 0} // + 0: no -0
}
