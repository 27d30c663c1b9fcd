package rulebook

import (
	"reflect"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// condition is a truth, or what is known of it already.
type condition struct {
	truth
	settled, value bool
}

func settled(value bool) condition {
	return condition{truth: func(*subject) bool { return value }, settled: true, value: value}
}

func open(t truth) condition { return condition{truth: t} }

// truth translates a node that is yes or no.
func (t *translator) truth(node ast.Node) condition {
	switch n := node.(type) {
	case *ast.BoolNode:
		return settled(n.Value)
	case *ast.IdentifierNode:
		if c := columnNamed(n.Value); c != nil && c.yes != nil {
			return t.yesField(c)
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return opposite(t.truth(n.Node))
		}
	case *ast.ConditionalNode:
		return t.chooseTruth(n)
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return every(t.chain(n, "and", "&&"))
		case "or", "||":
			return some(t.chain(n, "or", "||"))
		case "==":
			return t.equal(n)
		case "!=":
			return opposite(t.equal(n))
		case "<":
			return less(t.number(n.Left), t.number(n.Right))
		case ">":
			return less(t.number(n.Right), t.number(n.Left))
		case "<=":
			return atMost(t.number(n.Left), t.number(n.Right))
		case ">=":
			return atMost(t.number(n.Right), t.number(n.Left))
		case "in":
			return t.member(n)
		}
	}
	t.unknown(node)
	return settled(false)
}

// yesField reads a yes/no field.
func (t *translator) yesField(c *column) condition {
	if t.profile != nil {
		return settled(t.profile.yes[c.name])
	}
	return open(func(s *subject) bool { return c.yes(s.customer).V })
}

func opposite(a condition) condition {
	if a.settled {
		return settled(!a.value)
	}
	return open(func(s *subject) bool { return !a.truth(s) })
}

// chooseTruth is c ? a : b.
func (t *translator) chooseTruth(n *ast.ConditionalNode) condition {
	when, first, second := t.truth(n.Cond), t.truth(n.Exp1), t.truth(n.Exp2)
	if when.settled {
		if when.value {
			return first
		}
		return second
	}
	return open(func(s *subject) bool {
		if when.truth(s) {
			return first.truth(s)
		}
		return second.truth(s)
	})
}

// chain gives the conditions that one operator joins, from left to right: a and (b and c) asks the same as a and b and c.
func (t *translator) chain(node ast.Node, operators ...string) []condition {
	if n, is := node.(*ast.BinaryNode); is && slices.Contains(operators, n.Operator) {
		return append(t.chain(n.Left, operators...), t.chain(n.Right, operators...)...)
	}
	return []condition{t.truth(node)}
}

// unsettled gives the truths that are still to be asked, unless one is settled with the value that decides.
func unsettled(of []condition, decides bool) (left []truth, decided bool) {
	for _, one := range of {
		switch {
		case !one.settled:
			left = append(left, one.truth)
		case one.value == decides:
			return nil, true
		}
	}
	return left, false
}

// every is a and b and … .
func every(of []condition) condition {
	left, decided := unsettled(of, false)
	switch {
	case decided:
		return settled(false)
	case len(left) == 0:
		return settled(true)
	case len(left) == 1:
		return open(left[0])
	case len(left) == 2:
		a, b := left[0], left[1]
		return open(func(s *subject) bool { return a(s) && b(s) })
	}
	return open(func(s *subject) bool {
		for _, one := range left {
			if !one(s) {
				return false
			}
		}
		return true
	})
}

// some is a or b or … .
func some(of []condition) condition {
	left, decided := unsettled(of, true)
	switch {
	case decided:
		return settled(true)
	case len(left) == 0:
		return settled(false)
	case len(left) == 1:
		return open(left[0])
	case len(left) == 2:
		a, b := left[0], left[1]
		return open(func(s *subject) bool { return a(s) || b(s) })
	}
	return open(func(s *subject) bool {
		for _, one := range left {
			if one(s) {
				return true
			}
		}
		return false
	})
}

// less is a < b.
func less(left, right operand) condition {
	a, b := left.number, right.number
	switch {
	case left.constant && right.constant:
		return settled(left.value < right.value)
	case left.slot >= 0 && right.constant:
		slot, k := left.slot, right.value
		return open(func(s *subject) bool { return s.number(slot) < k })
	case left.constant && right.slot >= 0:
		k, slot := left.value, right.slot
		return open(func(s *subject) bool { return k < s.number(slot) })
	}
	return open(func(s *subject) bool { return a(s) < b(s) })
}

// atMost is a <= b.
func atMost(left, right operand) condition {
	a, b := left.number, right.number
	switch {
	case left.constant && right.constant:
		return settled(left.value <= right.value)
	case left.slot >= 0 && right.constant:
		slot, k := left.slot, right.value
		return open(func(s *subject) bool { return s.number(slot) <= k })
	case left.constant && right.slot >= 0:
		k, slot := left.value, right.slot
		return open(func(s *subject) bool { return k <= s.number(slot) })
	}
	return open(func(s *subject) bool { return a(s) <= b(s) })
}

// equal is a == b: of a choice and a word, of yes and no, of numbers, or with nothing.
func (t *translator) equal(n *ast.BinaryNode) condition {
	switch {
	case isNil(n.Right):
		return t.isEmpty(n.Left)
	case isNil(n.Left):
		return t.isEmpty(n.Right)
	}
	switch kindOf(n.Left) {
	case reflect.String:
		if _, is := n.Left.(*ast.StringNode); is {
			return t.oneOf(n.Right, n.Left)
		}
		return t.oneOf(n.Left, n.Right)
	case reflect.Bool:
		return same(t.truth(n.Left), t.truth(n.Right))
	default:
		return equalNumbers(t.number(n.Left), t.number(n.Right))
	}
}

// same is a == b of yes and no.
func same(a, b condition) condition {
	if a.settled {
		a, b = b, a
	}
	switch {
	case b.settled && b.value:
		return a
	case b.settled:
		return opposite(a)
	}
	return open(func(s *subject) bool { return a.truth(s) == b.truth(s) })
}

// kindOf is what expr's checker found a node to be; what may be empty is of the kind of its value.
func kindOf(node ast.Node) reflect.Kind {
	of := node.Type()
	if of == nil {
		return reflect.Invalid
	}
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	return of.Kind()
}

// isEmpty is a == nil.
func (t *translator) isEmpty(node ast.Node) condition {
	if field := t.number(node); field.empty != nil {
		return open(field.empty)
	}
	t.unknown(node)
	return settled(false)
}

// equalNumbers is a == b. What is empty equals only what is empty.
func equalNumbers(left, right operand) condition {
	if left.constant {
		left, right = right, left
	}
	a, b := left.number, right.number
	equal := func(s *subject) bool { return a(s) == b(s) }
	switch {
	case left.constant:
		return settled(left.value == right.value)
	case left.slot >= 0 && right.constant:
		slot, k := left.slot, right.value
		equal = func(s *subject) bool { return s.number(slot) == k }
	}
	noA, noB := left.empty, right.empty
	switch {
	case noA == nil && noB == nil:
		return open(equal)
	case noA == nil:
		return open(func(s *subject) bool { return !noB(s) && equal(s) })
	case noB == nil:
		return open(func(s *subject) bool { return !noA(s) && equal(s) })
	}
	return open(func(s *subject) bool {
		if noA(s) || noB(s) {
			return noA(s) && noB(s)
		}
		return equal(s)
	})
}

// member is a in [X, Y].
func (t *translator) member(n *ast.BinaryNode) condition {
	list, is := n.Right.(*ast.ArrayNode)
	if !is {
		t.unknown(n)
		return settled(false)
	}
	if kindOf(n.Left) == reflect.String {
		return t.oneOf(n.Left, list.Nodes...)
	}
	asked := t.number(n.Left)
	of := make([]condition, len(list.Nodes))
	for i, item := range list.Nodes {
		of[i] = equalNumbers(asked, t.number(item))
	}
	return some(of)
}

// oneOf tells whether a choice is one of some words.
func (t *translator) oneOf(choice ast.Node, literals ...ast.Node) condition {
	var words []string
	for _, literal := range literals {
		word, is := literal.(*ast.StringNode)
		if !is {
			t.unknown(literal)
			return settled(false)
		}
		words = append(words, word.Value)
	}
	n, is := choice.(*ast.IdentifierNode)
	if !is {
		t.unknown(choice)
		return settled(false)
	}
	c := columnNamed(n.Value)
	switch {
	case c == nil || c.choice == nil:
		t.unknown(choice)
		return settled(false)
	case t.profile != nil:
		return settled(slices.Contains(words, t.profile.words[c.name]))
	}
	return open(func(s *subject) bool { return slices.Contains(words, c.choice(s.customer).V) })
}
