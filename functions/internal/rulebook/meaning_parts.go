package rulebook

import (
	"slices"

	"github.com/expr-lang/expr/ast"
	"gopkg.in/yaml.v3"
)

// removableKind is what a part is to its whole.
type removableKind int

const (
	aCondition    removableKind = iota // one of several that all hold
	aValue                             // one of a list
	anAlternative                      // one of several of which one holds
)

// removable is a part of a condition that could be left out.
type removable struct {
	conjunct
	kind    removableKind
	part    int    // of which part of the condition
	without *logic // that part, without this
	word    string // of a value
	within  *removable
}

// lies tells whether a part lies in another.
func (r *removable) lies(other *removable) bool {
	for at := r.within; at != nil; at = at.within {
		if at == other {
			return true
		}
	}
	return false
}

// label is how a part is called.
func (r *removable) label() string {
	if r.kind == aValue {
		return r.word
	}
	return r.text
}

// removables are the parts of a condition that could be left out, each before those that lie in it.
func (e *expression) removables(parts []conjunct) []*removable {
	var all []*removable
	for i, part := range parts {
		if len(part.logic.comparisons(nil)) == 0 {
			continue // true and false are said on purpose
		}
		whole := &removable{conjunct: part, kind: aCondition, part: i, without: alwaysTrue}
		all = append(all, whole)
		switch {
		case e.where.node.Kind != yaml.MappingNode:
			inner := &taking{expression: e, part: i, found: all}
			inner.apart(part.tree, part.logic, whole, func(l *logic) *logic { return l })
			all = inner.found
		case part.where.node.Kind == yaml.SequenceNode:
			all = append(all, e.listed(whole, e.where.node.Content[2*i].Value)...)
		}
	}
	return all
}

// listed are the values of a cell that is a list.
func (e *expression) listed(whole *removable, field string) []*removable {
	_, operands := joined(whole.tree)
	items := whole.where.items()
	if len(items) < 2 || len(items) != len(operands) {
		return nil
	}
	values := make([]*removable, len(items))
	for i, item := range items {
		values[i] = &removable{
			conjunct: conjunct{logic: whole.logic.parts[i], text: field + " " + item.raw(), tree: operands[i], place: place{where: item}},
			kind:     aValue, part: whole.part, word: item.raw(), within: whole, without: anyOf(without(whole.logic.parts, i)...),
		}
	}
	return values
}

func without[T any](all []T, at int) []T { return slices.Delete(slices.Clone(all), at, at+1) }

// taking takes an expression apart.
type taking struct {
	expression *expression
	part       int
	found      []*removable
}

// apart adds what can be left out of a node. Whole is what the node lies in, and rebuild makes the part of the condition
// anew with other logic in the node's place.
func (t *taking) apart(node ast.Node, l *logic, whole *removable, rebuild func(*logic) *logic) {
	operator, operands := joined(node)
	switch {
	case operator == "not":
		t.apart(operands[0], l.parts[0], whole, func(inner *logic) *logic { return rebuild(not(inner)) })
	case operator != "":
		kind := aCondition
		if operator == "or" {
			kind = anAlternative
		}
		for i, operand := range operands {
			one := &removable{
				conjunct: t.expression.part(operand), kind: kind, part: t.part, within: whole,
				without: rebuild(&logic{operator: operator, parts: without(l.parts, i)}),
			}
			one.logic = l.parts[i]
			t.found = append(t.found, one)
			t.apart(operand, l.parts[i], one, func(inner *logic) *logic {
				parts := slices.Clone(l.parts)
				parts[i] = inner
				return rebuild(&logic{operator: operator, parts: parts})
			})
		}
	default:
		t.values(node, l, whole, rebuild)
	}
}

// values adds the values of a list behind in.
func (t *taking) values(node ast.Node, l *logic, whole *removable, rebuild func(*logic) *logic) {
	in, is := node.(*ast.BinaryNode)
	if !is || in.Operator != "in" || l.domain == nil || l.domain.field == nil {
		return
	}
	list, is := in.Right.(*ast.ArrayNode)
	if !is || len(list.Nodes) < 2 {
		return
	}
	for _, item := range list.Nodes {
		truth := slices.Clone(l.truth)
		for i, piece := range l.domain.pieces {
			switch constant := item.(type) {
			case *ast.StringNode:
				truth[i] = truth[i] && (piece.empty || piece.text != constant.Value)
			case *ast.FloatNode:
				truth[i] = truth[i] && (piece.empty || piece.number != constant.Value)
			}
		}
		one := &removable{
			conjunct: t.expression.part(item), kind: aValue, part: t.part, within: whole,
			without: rebuild(&logic{domain: l.domain, truth: truth}),
		}
		one.logic, one.word = l, one.text
		one.text = l.domain.name + " " + one.text
		t.found = append(t.found, one)
	}
}
