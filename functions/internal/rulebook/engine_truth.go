package rulebook

import (
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// truth translates a node that is yes or no.
func (t *translator) truth(node ast.Node) truth {
	switch n := node.(type) {
	case *ast.BoolNode:
		value := n.Value
		return func(*subject) bool { return value }
	case *ast.IdentifierNode:
		if c := columnNamed(n.Value); c != nil && c.kind == kindYesNo {
			if slot, has := slotOf[n.Value]; has {
				return func(s *subject) bool { return s.truths[slot] }
			}
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return opposite(t.truth(n.Node))
		}
	case *ast.ConditionalNode:
		when, first, second := t.truth(n.Cond), t.truth(n.Exp1), t.truth(n.Exp2)
		return func(s *subject) bool {
			if when(s) {
				return first(s)
			}
			return second(s)
		}
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
	return func(*subject) bool { return false }
}

func opposite(a truth) truth { return func(s *subject) bool { return !a(s) } }

// chain gives the conditions that one operator joins, from left to right: a and (b and c) asks the same as a and b and c.
func (t *translator) chain(node ast.Node, operators ...string) []truth {
	if n, is := node.(*ast.BinaryNode); is && slices.Contains(operators, n.Operator) {
		return append(t.chain(n.Left, operators...), t.chain(n.Right, operators...)...)
	}
	return []truth{t.truth(node)}
}

func every(of []truth) truth {
	a, b := of[0], of[1]
	switch len(of) {
	case 2:
		return func(s *subject) bool { return a(s) && b(s) }
	case 3:
		c := of[2]
		return func(s *subject) bool { return a(s) && b(s) && c(s) }
	}
	return func(s *subject) bool {
		for _, one := range of {
			if !one(s) {
				return false
			}
		}
		return true
	}
}

func some(of []truth) truth {
	a, b := of[0], of[1]
	switch len(of) {
	case 2:
		return func(s *subject) bool { return a(s) || b(s) }
	case 3:
		c := of[2]
		return func(s *subject) bool { return a(s) || b(s) || c(s) }
	}
	return func(s *subject) bool {
		for _, one := range of {
			if one(s) {
				return true
			}
		}
		return false
	}
}

// less is a < b.
func less(left, right operand) truth {
	switch {
	case left.slot >= 0 && right.constant:
		slot, k := left.slot, right.value
		return func(s *subject) bool { return s.number(slot) < k }
	case left.constant && right.slot >= 0:
		k, slot := left.value, right.slot
		return func(s *subject) bool { return k < s.number(slot) }
	}
	a, b := left.number, right.number
	return func(s *subject) bool { return a(s) < b(s) }
}

// atMost is a <= b.
func atMost(left, right operand) truth {
	switch {
	case left.slot >= 0 && right.constant:
		slot, k := left.slot, right.value
		return func(s *subject) bool { return s.number(slot) <= k }
	case left.constant && right.slot >= 0:
		k, slot := left.value, right.slot
		return func(s *subject) bool { return k <= s.number(slot) }
	}
	a, b := left.number, right.number
	return func(s *subject) bool { return a(s) <= b(s) }
}

// equal is a == b: of words, of yes and no, of numbers, or with nothing.
func (t *translator) equal(n *ast.BinaryNode) truth {
	switch {
	case isNil(n.Right):
		return t.isEmpty(n.Left)
	case isNil(n.Left):
		return t.isEmpty(n.Right)
	}
	switch kindOf(n.Left) {
	case reflect.String:
		field, literal := n.Left, n.Right
		if _, is := field.(*ast.StringNode); is {
			field, literal = literal, field
		}
		return t.isWord(field, literal)
	case reflect.Bool:
		a, b := t.truth(n.Left), t.truth(n.Right)
		if constant, is := n.Right.(*ast.BoolNode); is {
			if constant.Value {
				return a
			}
			return opposite(a)
		}
		return func(s *subject) bool { return a(s) == b(s) }
	default:
		return equalNumbers(t.number(n.Left), t.number(n.Right))
	}
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
func (t *translator) isEmpty(node ast.Node) truth {
	if field := t.number(node); field.empty != nil {
		return field.empty
	}
	t.unknown(node)
	return func(*subject) bool { return false }
}

// equalNumbers is a == b. What is empty equals only what is empty.
func equalNumbers(left, right operand) truth {
	if left.constant {
		left, right = right, left
	}
	a, b := left.number, right.number
	same := func(s *subject) bool { return a(s) == b(s) }
	if left.slot >= 0 && right.constant {
		slot, k := left.slot, right.value
		same = func(s *subject) bool { return s.number(slot) == k }
	}
	noA, noB := left.empty, right.empty
	switch {
	case noA == nil && noB == nil:
		return same
	case noA == nil:
		return func(s *subject) bool { return !noB(s) && same(s) }
	case noB == nil:
		return func(s *subject) bool { return !noA(s) && same(s) }
	}
	return func(s *subject) bool {
		if noA(s) || noB(s) {
			return noA(s) && noB(s)
		}
		return same(s)
	}
}

// wordSlot gives the slot of a choice.
func (t *translator) wordSlot(node ast.Node) (slot int, ok bool) {
	n, is := node.(*ast.IdentifierNode)
	if is && !strings.HasPrefix(n.Value, maybePrefix) {
		if c := columnNamed(n.Value); c != nil && c.kind == kindChoice {
			slot, ok = slotOf[n.Value]
		}
	}
	if !ok {
		t.unknown(node)
	}
	return slot, ok
}

// isWord is field == "X".
func (t *translator) isWord(field, literal ast.Node) truth {
	slot, ok := t.wordSlot(field)
	word, is := literal.(*ast.StringNode)
	if !ok || !is {
		t.unknown(literal)
		return func(*subject) bool { return false }
	}
	value := word.Value
	return func(s *subject) bool { return s.words[slot] == value }
}

// member is a in [X, Y].
func (t *translator) member(n *ast.BinaryNode) truth {
	list, is := n.Right.(*ast.ArrayNode)
	if !is {
		t.unknown(n)
		return func(*subject) bool { return false }
	}
	if kindOf(n.Left) != reflect.String {
		return t.memberNumber(n.Left, list)
	}
	var words []string
	for _, item := range list.Nodes {
		if word, is := item.(*ast.StringNode); is {
			words = append(words, word.Value)
			continue
		}
		t.unknown(item)
	}
	slot, _ := t.wordSlot(n.Left)
	return func(s *subject) bool { return slices.Contains(words, s.words[slot]) }
}

func (t *translator) memberNumber(left ast.Node, list *ast.ArrayNode) truth {
	asked := t.number(left)
	var of []truth
	for _, item := range list.Nodes {
		of = append(of, equalNumbers(asked, t.number(item)))
	}
	if len(of) == 1 {
		return of[0]
	}
	return some(of)
}
