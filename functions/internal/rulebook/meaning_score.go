package rulebook

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/retentionops/retentionops/functions"
)

// TierScore is the range that the scores of a tier are proven to lie in, both ends in.
type TierScore struct {
	Tier functions.Tier `json:"tier"`
	Low  float64        `json:"low"`
	High float64        `json:"high"`
}

// String is the range as a person reads it, such as P1 70..100.
func (s TierScore) String() string {
	return fmt.Sprintf("%s %s..%s", s.Tier, plainNumber(s.Low), plainNumber(s.High))
}

// ScoreRanges gives the range of the scores of each tier that a rule gives, in the order of work. It is proven of every
// customer that the vocabulary allows.
func (b *Book) ScoreRanges() []TierScore { return slices.Clone(b.priority.ranges) }

// tierPoints is what the parts of the score can add in a tier.
type tierPoints struct {
	tier  functions.Tier
	parts []interval // before their caps
	total interval   // before the cap of all
	known bool       // worked out of the tier's own customers, not of all
	found interval   // scores that customers can be shown for; none when the low end is the higher
}

// scores works out the ranges, and reports parts that rank nobody and caps that never act.
func (p *proof) scores() {
	var all []*tierPoints
	for _, tier := range p.rules.tiers() {
		t := p.points(tier, p.facts, true)
		all = append(all, t)
		p.rules.ranges = append(p.rules.ranges, TierScore{Tier: tier, Low: p.final(t.total.low), High: p.final(t.total.high)})
		if !t.known {
			p.leave("the exact range of the scores of " + string(tier))
		}
	}
	for i := range p.rules.score.parts {
		p.constantPart(i, all)
		p.idleCap(i, all)
	}
	p.idleTotal(all)
	p.scoreOverlaps(all)
}

// final is a score as it is shown.
func (p *proof) final(total float64) float64 {
	return roundTo(min(total, p.rules.score.atMost), p.rules.score.decimals)
}

// points works out what the score can be in a tier, cell by cell.
func (p *proof) points(tier functions.Tier, facts []*provenFact, show bool) *tierPoints {
	score := &p.rules.score
	nothing := interval{math.Inf(1), math.Inf(-1)}
	t := &tierPoints{tier: tier, total: nothing, found: nothing, known: true}
	for range score.parts {
		t.parts = append(t.parts, nothing)
	}
	w := &witness{}
	for i, r := range p.proven {
		if r.tier != tier {
			continue
		}
		s := &search{must: append(noneOf(p.proven[:i]), r.takes), facts: facts, about: p.scored, watch: p.choices}
		s.visit = func() bool {
			total := only(score.start[tier])
			for k := range score.parts {
				points := p.within(score.parts[k].points.tree)
				t.parts[k] = t.parts[k].with(points)
				total = total.plus(points.lowest(only(score.parts[k].atMost)))
			}
			t.total = t.total.with(total)
			if show {
				p.show(s, t, w, i)
			}
			return false
		}
		if p.run(s) == unknown {
			t.known = false
		}
	}
	if !t.known {
		t.total = only(score.start[tier])
		for k := range score.parts {
			t.parts[k] = score.parts[k].points.within
			t.total = t.total.plus(t.parts[k].lowest(only(score.parts[k].atMost)))
		}
	}
	return t
}

// show notes the scores of customers that the cell in hand surely holds: whom that rule takes.
func (p *proof) show(s *search, t *tierPoints, w *witness, rule int) {
	p.corners(func(r *row) {
		w.row = r
		if s.isApproximate() && (w.breaks(s.facts) || w.first(p.whens(rule+1)) != rule) {
			return
		}
		if score, err := p.rules.score.of(t.tier, &w.machine, r); err == nil {
			t.found = t.found.with(only(score))
		}
	})
}

// constantPart reports a part of the score that is the same for everyone in a tier.
func (p *proof) constantPart(part int, all []*tierPoints) {
	one := &p.rules.score.parts[part]
	tiers := map[float64][]*tierPoints{}
	for _, t := range all {
		if points := t.parts[part].lowest(only(one.atMost)); t.known && points.isConstant() && !one.points.within.isConstant() {
			tiers[points.low] = append(tiers[points.low], t)
		}
	}
	for _, points := range slices.Sorted(maps.Keys(tiers)) {
		same := tiers[points]
		facts := p.fewestFacts(func(facts []*provenFact) bool {
			return !slices.ContainsFunc(same, func(t *tierPoints) bool {
				return p.points(t.tier, facts, false).parts[part].lowest(only(one.atMost)) != only(points)
			})
		})
		always := plainNumber(points)
		if points == one.atMost {
			always = "at its maximum " + always
		}
		one.points.where.add(Finding{
			ID: idConstantPart, Severity: SeverityNote, Facts: facts,
			Message: fmt.Sprintf("%s is always %s for %s: it ranks nobody there", one.name, always, tierNames(same)),
		})
	}
}

// idleCap reports the cap of a part that no customer of a tier reaches beyond.
func (p *proof) idleCap(part int, all []*tierPoints) {
	one := &p.rules.score.parts[part]
	if math.IsInf(one.atMost, 1) {
		return
	}
	var idle []*tierPoints
	most := math.Inf(-1)
	for _, t := range all {
		if t.known && t.parts[part].high <= one.atMost && !t.parts[part].isConstant() {
			idle = append(idle, t)
			most = max(most, t.parts[part].high)
		}
	}
	if len(idle) == 0 {
		return
	}
	facts := p.fewestFacts(func(facts []*provenFact) bool {
		return !slices.ContainsFunc(idle, func(t *tierPoints) bool { return p.points(t.tier, facts, false).parts[part].high > one.atMost })
	})
	one.limit.add(Finding{
		ID: idCapNeverActs, Severity: SeverityNote, Facts: facts,
		Message: fmt.Sprintf("the cap of %s never acts for %s: it adds up to %s there", one.name, tierNames(idle), plainNumber(most)),
	})
}

// idleTotal reports a cap of the whole score that no customer reaches beyond.
func (p *proof) idleTotal(all []*tierPoints) {
	score := &p.rules.score
	highest := all[0]
	for _, t := range all {
		if t.total.high > score.atMost {
			return
		}
		if t.total.high > highest.total.high {
			highest = t
		}
	}
	facts := p.fewestFacts(func(facts []*provenFact) bool {
		return !slices.ContainsFunc(all, func(t *tierPoints) bool { return p.points(t.tier, facts, false).total.high > score.atMost })
	})
	score.limit.add(Finding{
		ID: idCapNeverActs, Severity: SeverityNote, Facts: facts,
		Message: fmt.Sprintf("the cap of %s never acts: no score is over %s, the highest of %s",
			plainNumber(score.atMost), plainNumber(p.final(highest.total.high)), highest.tier),
	})
}

// scoreOverlaps reports a tier whose customers can have a higher score than those of a tier before it.
func (p *proof) scoreOverlaps(all []*tierPoints) {
	for i, later := range all {
		for _, before := range all[:i] {
			if later.found.high <= before.found.low {
				continue
			}
			p.rules.score.starts[later.tier].add(Finding{
				ID: idScoreOverlap, Severity: SeverityNote,
				Message: fmt.Sprintf("a %s can outscore a %s: %s goes up to %s, %s begins at %s", later.tier, before.tier,
					later.tier, plainNumber(later.found.high), before.tier, plainNumber(before.found.low)),
				Hint: "the tier comes first in every list all the same",
			})
		}
	}
}

func tierNames(all []*tierPoints) string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = string(t.tier)
	}
	if len(names) > 1 {
		names = append(names[:len(names)-2], names[len(names)-2]+" and "+names[len(names)-1])
	}
	return strings.Join(names, ", ")
}

// within is the range of a formula on the cell in hand.
func (p *proof) within(node ast.Node) interval {
	switch n := node.(type) {
	case *ast.FloatNode:
		return only(n.Value)
	case *ast.IdentifierNode:
		numbers, _ := p.pieces.domains[fieldIn(n)].held()
		return numbers
	case *ast.UnaryNode:
		if n.Operator == "-" {
			return p.within(n.Node).negative()
		}
		return p.within(n.Node)
	case *ast.BinaryNode:
		return p.arithmeticWithin(n)
	case *ast.ConditionalNode:
		switch p.choiceOf[n].now() {
		case isTrue:
			return p.within(n.Exp1)
		case isFalse:
			return p.within(n.Exp2)
		case isOpen:
		}
		return p.within(n.Exp1).with(p.within(n.Exp2))
	case *ast.BuiltinNode:
		return p.calledWithin(n.Name, n.Arguments)
	case *ast.CallNode:
		return p.calledWithin(n.Callee.String(), n.Arguments)
	}
	return unbounded
}

func (p *proof) arithmeticWithin(n *ast.BinaryNode) interval {
	if n.Operator == "??" {
		numbers, empty := p.pieces.domains[fieldIn(n.Left)].held()
		if empty {
			return numbers.with(p.within(n.Right))
		}
		return numbers
	}
	left, right := p.within(n.Left), p.within(n.Right)
	switch n.Operator {
	case "+":
		return left.plus(right)
	case "-":
		return left.plus(right.negative())
	case "*":
		return left.times(right)
	default:
		return left.over(right.low) // a constant that is not zero
	}
}

func (p *proof) calledWithin(name string, arguments []ast.Node) interval {
	ranges := make([]interval, len(arguments))
	for i, argument := range arguments {
		ranges[i] = p.within(argument)
	}
	return rangeOfCall(name, ranges)
}

// held is the range of the numbers that the cell in hand lets a field have, with the low end above the high one when it
// has none; and whether the field may be empty there.
func (d *domain) held() (numbers interval, empty bool) {
	first, behind := d.at, d.together
	if d.at == nowhere {
		first, behind = 0, len(d.pieces)
	}
	given := len(d.pieces)
	if d.field.mayBeEmpty {
		given--
	}
	empty = behind > given
	last := min(behind, given) - 1
	if first > last {
		return interval{math.Inf(1), math.Inf(-1)}, empty
	}
	numbers = interval{d.pieces[first].number, d.pieces[last].number}
	if d.field.kind == kindAmount { // points and the open spaces between them take turns
		if first%2 == 1 {
			numbers.low = d.pieces[first-1].number
		}
		if last%2 == 1 {
			numbers.high = d.pieces[last+1].number
		}
	}
	return numbers, empty
}

// corners makes customers at the ends of the cell in hand.
func (p *proof) corners(visit func(*row)) {
	var r row
	for _, name := range sortedKeys(p.pieces.domains) {
		if d := p.pieces.domains[name]; d.field != nil {
			d.field.set(&r, d.pieces[max(d.at, 0)])
		}
	}
	tried := 0
	var set func(i int)
	set = func(i int) {
		if tried++; tried > mostWitnesses {
			return
		}
		if i == len(p.scored) {
			visit(&r)
			return
		}
		d := p.scored[i]
		for _, value := range d.ends() {
			d.field.set(&r, value)
			set(i + 1)
		}
	}
	set(0)
}

// cent is how near a customer can come to an amount.
const cent = 0.01

// ends are values of the cell in hand at its ends.
func (d *domain) ends() []representative {
	if !d.field.kind.isNumber() || d.at == nowhere {
		return []representative{d.pieces[max(d.at, 0)]}
	}
	numbers, empty := d.held()
	var ends []representative
	if empty {
		ends = append(ends, representative{empty: true})
	}
	if numbers.low > numbers.high {
		return ends
	}
	if d.field.kind == kindAmount {
		middle := d.pieces[d.at].number
		if d.at%2 == 1 {
			if numbers.low += cent; numbers.low > middle {
				numbers.low = middle
			}
		}
		given := d.together
		if d.field.mayBeEmpty {
			given = min(given, len(d.pieces)-1)
		}
		if last := given - 1; last%2 == 1 {
			numbers.high = max(numbers.high-cent, d.pieces[last].number)
		}
	}
	return append(ends, representative{number: numbers.low}, representative{number: numbers.high})
}
