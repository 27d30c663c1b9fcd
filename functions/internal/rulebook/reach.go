package rulebook

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Reach counts what of the rules customers reach, in the order in which the judge asks: what comes after a rule that
// fits is not asked. It belongs to one goroutine.
type Reach struct {
	subject  subject
	items    []Covered
	seen     []Seen // of each item
	rules    []reachable
	mentions []reachable
	actions  map[functions.Tier][]reachable
	tiers    []functions.Tier // of each rule
	noTier   int              // the item of those whom no rule fits
	fault    error            // of the program: a condition that cannot be taken apart
}

// reachable is a line of the rules with its condition.
type reachable struct {
	item int
	when *inquiry // nil: everyone
}

// inquiry is a condition as and, or, not over its parts, each an item of its own.
type inquiry struct {
	operator string // and, or, not; empty for a part
	parts    []*inquiry
	holds    truth // of a part
	item     int   // of a part; -1 for one that is the same for all
}

// NewReach makes a count that stands at nothing.
func (b *Book) NewReach() (*Reach, error) {
	r := &Reach{actions: map[functions.Tier][]reachable{}}
	p := b.priority
	for _, one := range p.rules {
		r.rules = append(r.rules, r.line(CoversRule, one.id, one.label, one.when))
		r.tiers = append(r.tiers, one.tier)
	}
	r.noTier = len(r.items)
	r.items = append(r.items, itemAt(p.rules[0].label, CoversNoTier, CoversNoTier))
	for i := range p.mentions {
		m := &p.mentions[i]
		r.mentions = append(r.mentions, r.line(CoversMention, fmt.Sprintf("%q", m.say.String()), m.when.where, m.when))
	}
	for _, tier := range p.tiers() {
		for i := range p.actions[tier] {
			a := &p.actions[tier][i]
			r.actions[tier] = append(r.actions[tier], r.line(CoversAction, fmt.Sprintf("%s %q", tier, a.do), a.says, a.when))
		}
	}
	r.seen = make([]Seen, len(r.items))
	return r, r.fault
}

func itemAt(at value, kind, of string) Covered {
	place := spot{at.node.Line, at.node.Column}
	if at.isScalar() {
		place = at.doc.source.places(at.node)[0]
	}
	return Covered{File: at.doc.file, Line: place.line, Column: place.column, Kind: kind, Of: of}
}

// line adds a line of the rules and the parts of its condition.
func (r *Reach) line(kind, of string, at value, when *expression) reachable {
	one := reachable{item: len(r.items)}
	r.items = append(r.items, itemAt(at, kind, of))
	if when == nil {
		return one
	}
	if when.where.node.Kind == yaml.MappingNode {
		one.when = r.cells(of, when)
	} else {
		one.when = r.expression(of, when, when.tree)
	}
	if one.when.operator == "" && one.when.item >= 0 {
		r.items[one.when.item].alone = true
	}
	return one
}

// cells takes a map apart: its cells, and the values of a list.
func (r *Reach) cells(of string, when *expression) *inquiry {
	content := when.where.node.Content
	trees := split(when.tree, len(content)/2)
	all := &inquiry{operator: "and"}
	for i, tree := range trees {
		name, cell := content[2*i].Value, value{when.where.doc, content[2*i+1]}
		if cell.isScalar() {
			all.parts = append(all.parts, r.part(of, name+" "+strings.Join(strings.Fields(cell.raw()), " "), cell, tree))
			continue
		}
		anyOf := &inquiry{operator: "or"}
		for j, one := range split(tree, len(cell.node.Content)) {
			item := value{when.where.doc, cell.node.Content[j]}
			anyOf.parts = append(anyOf.parts, r.part(of, name+" "+strings.TrimSpace(item.raw()), item, one))
		}
		all.parts = append(all.parts, anyOf.orPart())
	}
	return all.orPart()
}

// orPart is the inquiry, or its only part.
func (q *inquiry) orPart() *inquiry {
	if len(q.parts) == 1 {
		return q.parts[0]
	}
	return q
}

// split takes a tree apart that was joined from the left.
func split(tree ast.Node, count int) []ast.Node {
	trees := make([]ast.Node, count)
	for i := count - 1; i > 0; i-- {
		trees[i] = tree
		if joined, is := tree.(*ast.BinaryNode); is {
			trees[i], tree = joined.Right, joined.Left
		}
	}
	trees[0] = tree
	return trees
}

// expression takes an expression apart at and, or, not.
func (r *Reach) expression(of string, e *expression, node ast.Node) *inquiry {
	switch n := node.(type) {
	case *ast.BinaryNode:
		operator := n.Operator
		if word, has := usualOperators[operator]; has {
			operator = word
		}
		if operator == "and" || operator == "or" {
			return &inquiry{operator: operator, parts: []*inquiry{r.expression(of, e, n.Left), r.expression(of, e, n.Right)}}
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return &inquiry{operator: "not", parts: []*inquiry{r.expression(of, e, n.Node)}}
		}
	}
	from, to := e.extent(node)
	one := r.part(of, strings.Join(strings.Fields(string([]rune(e.text)[from:to])), " "), e.where, node)
	if one.item >= 0 {
		at := e.where.doc.source.places(e.where.node)[from]
		r.items[one.item].Line, r.items[one.item].Column = at.line, at.column
	}
	return one
}

// part adds a part of a condition.
func (r *Reach) part(of, text string, at value, tree ast.Node) *inquiry {
	var t translator
	one := &inquiry{holds: t.truth(tree).truth, item: -1}
	if t.fault != nil && r.fault == nil {
		r.fault = fmt.Errorf("take a condition of %s apart: %w", of, t.fault)
	}
	if _, constant := tree.(*ast.BoolNode); !constant {
		one.item = len(r.items)
		item := itemAt(at, CoversCondition, of)
		item.Condition = text
		r.items = append(r.items, item)
	}
	return one
}

// Add counts what one customer reaches. The customer must be vetted.
func (r *Reach) Add(c *retention.Customer, medianRevenue functions.Money) {
	r.subject.numbers[medianSlot] = nearestFloat(medianRevenue)
	r.subject.take(c)
	at := r.first(r.rules)
	r.count(r.noTier, at < 0)
	if at < 0 {
		return
	}
	for i := range r.mentions {
		r.ask(&r.mentions[i])
	}
	r.first(r.actions[r.tiers[at]])
}

// first asks one line after the other until one fits.
func (r *Reach) first(lines []reachable) int {
	for i := range lines {
		if r.ask(&lines[i]) {
			return i
		}
	}
	return -1
}

// ask counts what a line comes to.
func (r *Reach) ask(one *reachable) bool {
	fits := one.when == nil || r.inquire(one.when)
	r.count(one.item, fits)
	return fits
}

// inquire asks as the judge does: from left to right, and no further than it must.
func (r *Reach) inquire(q *inquiry) bool {
	switch q.operator {
	case "and", "or":
		for _, part := range q.parts {
			if holds := r.inquire(part); holds == (q.operator == "or") {
				return holds
			}
		}
		return q.operator == "and"
	case "not":
		return !r.inquire(q.parts[0])
	}
	holds := q.holds(&r.subject)
	if q.item >= 0 {
		r.count(q.item, holds)
	}
	return holds
}

func (r *Reach) count(item int, so bool) {
	if so {
		r.seen[item].True++
	} else {
		r.seen[item].False++
	}
}
