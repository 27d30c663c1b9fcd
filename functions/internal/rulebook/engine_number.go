package rulebook

import (
	"fmt"
	"math"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// translator makes closures of the tree of an expression, after our check and expr's. What it does not know is a fault
// of the program, as the check lets nothing else through; the first one is kept.
type translator struct {
	profile *profile // what is known of the customers; nil: nothing
	fault   error
}

func (t *translator) unknown(node ast.Node) {
	if t.fault == nil {
		t.fault = fmt.Errorf("the engine has nothing for %s, a %T", node, node)
	}
}

// operand is a number, with what a closure above it can make use of.
type operand struct {
	number
	constant bool
	value    float64 // of a constant
	slot     int     // of a field alone; -1 of all else
	empty    truth   // tells that a field is empty; nil when the number is always there
}

func constantOf(value float64) operand {
	return operand{number: func(*subject) float64 { return value }, constant: true, value: value, slot: -1}
}

// computed makes an operand of a closure, and works it out at once when nothing in it depends on a customer.
func computed(n number, of ...operand) operand {
	for _, o := range of {
		if !o.constant {
			return operand{number: n, slot: -1}
		}
	}
	return constantOf(n(&subject{}))
}

// number translates a node that is a number.
func (t *translator) number(node ast.Node) operand {
	switch n := node.(type) {
	case *ast.FloatNode:
		return constantOf(n.Value)
	case *ast.IdentifierNode:
		return t.numberField(n)
	case *ast.UnaryNode:
		inner := t.number(n.Node)
		switch n.Operator {
		case "+":
			return inner
		case "-":
			return computed(func(s *subject) float64 { return -inner.number(s) }, inner)
		}
	case *ast.BinaryNode:
		if n.Operator == "??" {
			return t.standIn(n)
		}
		return t.arithmetic(n)
	case *ast.ConditionalNode:
		return t.chooseNumber(n)
	case *ast.BuiltinNode:
		return t.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return t.call(n, callee.Value, n.Arguments)
		}
	}
	t.unknown(node)
	return constantOf(0)
}

// numberField reads a field, in the form that can be empty or plainly.
func (t *translator) numberField(n *ast.IdentifierNode) operand {
	name, maybe := strings.CutPrefix(n.Value, maybePrefix)
	slot, has := slotOf[name]
	switch {
	case !has || maybe && emptyIn(slot) == nil:
		t.unknown(n)
		return constantOf(0)
	case slot == medianSlot && t.profile != nil:
		return constantOf(t.profile.median)
	}
	field := operand{number: func(s *subject) float64 { return s.number(slot) }, slot: slot}
	if maybe {
		field.empty = emptyIn(slot)
	}
	return field
}

// standIn is a ?? b.
func (t *translator) standIn(n *ast.BinaryNode) operand {
	left, right := t.number(n.Left), t.number(n.Right).number
	if left.empty == nil {
		t.unknown(n)
		return constantOf(0)
	}
	return computed(func(s *subject) float64 {
		if left.empty(s) {
			return right(s)
		}
		return left.number(s)
	}, left)
}

// chooseNumber is c ? a : b.
func (t *translator) chooseNumber(n *ast.ConditionalNode) operand {
	when := t.truth(n.Cond)
	first, second := t.number(n.Exp1), t.number(n.Exp2)
	if when.settled {
		if when.value {
			return first
		}
		return second
	}
	return operand{slot: -1, number: func(s *subject) float64 {
		if when.truth(s) {
			return first.number(s)
		}
		return second.number(s)
	}}
}

// arithmetic is + - * /. No step is joined with another: a product that is added at once would be rounded once and not
// twice on some machines.
func (t *translator) arithmetic(n *ast.BinaryNode) operand {
	left, right := t.number(n.Left), t.number(n.Right)
	if left.constant && (n.Operator == "+" || n.Operator == "*") {
		left, right = right, left // which changes no bit
	}
	made := withConstant(n.Operator, left, right)
	if made == nil {
		a, b := left.number, right.number
		switch n.Operator {
		case "+":
			made = func(s *subject) float64 { return a(s) + b(s) }
		case "-":
			made = func(s *subject) float64 { return a(s) - b(s) }
		case "*":
			made = func(s *subject) float64 { return a(s) * b(s) }
		case "/":
			made = func(s *subject) float64 { return a(s) / b(s) }
		default:
			t.unknown(n)
			return constantOf(0)
		}
	}
	return computed(made, left, right)
}

// withConstant saves calls where a constant is on the right, and more where a field is on the left; nil elsewhere.
func withConstant(operator string, left, right operand) number {
	a, slot, k := left.number, left.slot, right.value
	switch {
	case !right.constant:
		return nil
	case slot < 0 && operator == "+":
		return func(s *subject) float64 { return a(s) + k }
	case slot < 0 && operator == "*":
		return func(s *subject) float64 { return a(s) * k }
	case slot < 0 && operator == "/":
		return func(s *subject) float64 { return a(s) / k }
	case slot < 0:
		return nil
	case operator == "+":
		return func(s *subject) float64 { return s.number(slot) + k }
	case operator == "*":
		return func(s *subject) float64 { return s.number(slot) * k }
	case operator == "/":
		return func(s *subject) float64 { return s.number(slot) / k }
	}
	return nil
}

// call is a function.
func (t *translator) call(node ast.Node, name string, arguments []ast.Node) operand {
	operands := make([]operand, len(arguments))
	numbers := make([]number, len(arguments))
	for i, argument := range arguments {
		operands[i] = t.number(argument)
		numbers[i] = operands[i].number
	}
	made := function(name, numbers)
	if made == nil {
		t.unknown(node)
		return constantOf(0)
	}
	return computed(made, operands...)
}

// function is a function with its arguments; nil when there is none of this name and number of arguments.
func function(name string, of []number) number {
	switch {
	case name == "min" && len(of) > 1:
		return smallest(of)
	case name == "max" && len(of) > 1:
		return largest(of)
	case name == "safe_div" && len(of) == 3:
		a, b, ifZero := of[0], of[1], of[2]
		return func(s *subject) float64 {
			divisor := b(s)
			if divisor == 0 {
				return ifZero(s)
			}
			return a(s) / divisor
		}
	case len(of) != 1:
		return nil
	}
	a := of[0]
	switch name {
	case "ln":
		return func(s *subject) float64 { return math.Log(a(s)) }
	case "floor":
		return func(s *subject) float64 { return math.Floor(a(s)) }
	case "ceil":
		return func(s *subject) float64 { return math.Ceil(a(s)) }
	case "round":
		return func(s *subject) float64 { return math.Round(a(s)) }
	case "abs":
		return func(s *subject) float64 {
			x := a(s)
			if x < 0 {
				return -x
			}
			return x // -0 stays -0, as with expr
		}
	}
	return nil
}

// smallest is min. Of two equal numbers the first is taken, which is told from the other by the sign of zero only.
func smallest(of []number) number {
	if len(of) == 2 {
		a, b := of[0], of[1]
		return func(s *subject) float64 {
			x, y := a(s), b(s)
			if x > y {
				return y
			}
			return x
		}
	}
	return func(s *subject) float64 {
		least := of[0](s)
		for _, next := range of[1:] {
			if x := next(s); least > x {
				least = x
			}
		}
		return least
	}
}

// largest is max, and takes the first of two equal numbers as well.
func largest(of []number) number {
	if len(of) == 2 {
		a, b := of[0], of[1]
		return func(s *subject) float64 {
			x, y := a(s), b(s)
			if x < y {
				return y
			}
			return x
		}
	}
	return func(s *subject) float64 {
		most := of[0](s)
		for _, next := range of[1:] {
			if x := next(s); most < x {
				most = x
			}
		}
		return most
	}
}
