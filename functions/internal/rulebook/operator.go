package rulebook

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// asksEmpty puts a field that may be empty in the form that can be nil: where it is compared, or replaced when empty.
func asksEmpty(node ast.Node, s sense) {
	if n, ok := node.(*ast.IdentifierNode); ok && s.field != nil && s.field.mayBeEmpty {
		n.Value = maybePrefix + s.field.name
	}
}

// equal reads == and !=.
func (c *check) equal(n *ast.BinaryNode, k known) sense {
	left, right := c.visit(&n.Left, k), c.visit(&n.Right, k)
	truth := sense{sort: aTruth}
	switch {
	case left.sort == bad || right.sort == bad:
		return sense{}
	case left.sort == nothing || right.sort == nothing:
		side, node := left, n.Left
		if left.sort == nothing {
			side, node = right, n.Right
		}
		if side.field == nil || !side.field.mayBeEmpty {
			c.at(node, idNotAllowed, "this is never empty", "only a field that may be empty is compared with nil")
			return sense{}
		}
		asksEmpty(node, side)
		return truth
	case left.sort == aField && right.sort == aText:
		return c.compareWord(left, n.Left, right, n.Right)
	case left.sort == aText && right.sort == aField:
		return c.compareWord(right, n.Right, left, n.Left)
	case left.sort != right.sort, left.sort == aText, left.sort == aField:
		c.at(n, idType, fmt.Sprintf("%s cannot be compared with %s", describe(left), describe(right)), wordHint(left, right))
		return sense{}
	}
	asksEmpty(n.Left, left)
	asksEmpty(n.Right, right)
	return truth
}

func wordHint(sides ...sense) string {
	for _, s := range sides {
		if s.sort == aField {
			return s.field.name + " is one of " + strings.Join(s.field.values, ", ") + ", each in quotes"
		}
	}
	return ""
}

// compareWord reads a choice beside a literal text.
func (c *check) compareWord(choice sense, node ast.Node, word sense, literal ast.Node) sense {
	asksEmpty(node, choice)
	if !slices.Contains(choice.field.values, word.word) {
		finding := neverThat(choice.field, word.word)
		c.at(literal, finding.ID, finding.Message, finding.Hint)
		return sense{}
	}
	return sense{sort: aTruth}
}

// order reads < <= > >=.
func (c *check) order(n *ast.BinaryNode, k known) sense {
	left, right := c.visit(&n.Left, k), c.visit(&n.Right, k)
	for _, side := range []struct {
		sense sense
		node  ast.Node
	}{{left, n.Left}, {right, n.Right}} {
		if side.sense.sort == aField {
			c.at(n, idNotAllowed, fmt.Sprintf("the values of %s have no size: %s would compare them by the alphabet", side.sense.field.name, n.Operator),
				fmt.Sprintf("name the values: %s in [%q, …]", side.sense.field.name, side.sense.field.values[0]))
			return sense{}
		}
	}
	left, right = c.solid(left, n.Left), c.solid(right, n.Right)
	switch {
	case left.sort == bad || right.sort == bad:
		return sense{}
	case left.sort != aNumber || right.sort != aNumber:
		hint := ""
		if left.sort == aTruth {
			hint = "to negate a comparison write not (x > 1)"
		}
		c.at(n, idType, fmt.Sprintf("%s compares numbers; here stand %s and %s", n.Operator, describe(left), describe(right)),
			hint)
		return sense{}
	}
	return sense{sort: aTruth}
}

// member reads in [X, Y].
func (c *check) member(n *ast.BinaryNode, k known) sense {
	left := c.visit(&n.Left, k)
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok || len(list.Nodes) == 0 {
		c.at(n.Right, idNotAllowed, "in needs a list of values", `write in ["X", "Y"]`)
		return sense{}
	}
	sound := left.sort == aField || left.sort == aNumber
	if !sound && left.sort != bad {
		c.at(n.Left, idType, "in asks for a choice or a number; this is "+describe(left), "")
	}
	asksEmpty(n.Left, left)
	for i := range list.Nodes {
		item := c.visit(&list.Nodes[i], k)
		switch {
		case item.sort == bad || left.sort == bad:
			sound = false
		case left.sort == aField && item.sort == aText:
			sound = c.compareWord(left, n.Left, item, list.Nodes[i]).sort != bad && sound
		case left.sort == aNumber && item.sort == aNumber && item.interval.isConstant():
		case sound:
			c.at(list.Nodes[i], idType, fmt.Sprintf("%s cannot stand in this list", describe(item)), wordHint(left))
			sound = false
		}
	}
	if !sound {
		return sense{}
	}
	return sense{sort: aTruth}
}

// otherwise reads a ?? b: b when a is empty.
func (c *check) otherwise(n *ast.BinaryNode, k known) sense {
	left := c.visit(&n.Left, k)
	right := c.solid(c.visit(&n.Right, k), n.Right)
	switch {
	case left.sort == bad || right.sort == bad:
		return sense{}
	case left.field == nil || !left.field.mayBeEmpty:
		hint := ""
		if !c.scope.ofCustomers() {
			hint = "where a figure is not known, nothing is said at all"
		}
		c.at(n.Left, idNotAllowed, "this is never empty, so what stands after ?? has no use", hint)
		return sense{}
	case left.sort != right.sort || left.sort == aField:
		c.at(n, idType, fmt.Sprintf("%s cannot stand in for %s", describe(right), describe(left)), "")
		return sense{}
	}
	asksEmpty(n.Left, left)
	return sense{sort: left.sort, interval: left.interval.with(right.interval)}
}

// arithmetic reads + - * /.
func (c *check) arithmetic(n *ast.BinaryNode, k known) sense {
	left, okLeft := c.number(&n.Left, k)
	right, okRight := c.number(&n.Right, k)
	if !okLeft || !okRight {
		return sense{}
	}
	var result interval
	switch n.Operator {
	case "+":
		result = left.interval.plus(right.interval)
	case "-":
		result = left.interval.plus(right.interval.negative())
	case "*":
		result = left.interval.times(right.interval)
	case "/":
		if !right.interval.isConstant() {
			c.at(n.Right, idMayBeNaN, "a division needs a constant below the line", "write safe_div(a, b, 0): its third value stands in when b is 0")
			return sense{}
		}
		if right.interval.low == 0 {
			c.at(n.Right, idMayBeNaN, "this divides by 0", "")
			return sense{}
		}
		result = left.interval.over(right.interval.low)
	}
	return c.bounded(n, result, left.interval, right.interval)
}

// bounded makes a number of an arithmetic result, and reports one that may grow without end.
func (c *check) bounded(node ast.Node, result interval, operands ...interval) sense {
	endless := !result.isBounded()
	for _, operand := range operands {
		endless = endless || !operand.isBounded()
	}
	if endless {
		c.at(node, idMayBeNaN, "this may grow without end", "put a cap inside: min(100, safe_div(a, b, 0))")
		return sense{}
	}
	return sense{sort: aNumber, interval: result}
}

// functionNames are the functions that a rule may call.
var functionNames = []string{"ln", "min", "max", "abs", "round", "floor", "ceil", "safe_div"}

// functionHints are functions of other languages, each with ours.
var functionHints = map[string]string{
	"log": "the natural logarithm is ln(x)", "log10": "the natural logarithm is ln(x)", "sqrt": "there is no root", "pow": "there is no power: write x * x",
	"coalesce": "write (x ?? 0)", "now": "a verdict does not depend on the clock", "if": "write c ? a : b", "len": "", "int": "use floor, ceil or round",
}

// call reads a function call.
func (c *check) call(node ast.Node, name string, arguments []ast.Node, k known) sense {
	if !slices.Contains(functionNames, name) {
		hint, known := functionHints[name]
		if !known || hint == "" {
			hint = didYouMean(name, "functions", functionNames)
		}
		c.at(node, idUnknownName, fmt.Sprintf("unknown function %q", name), hint)
		return sense{}
	}
	wanted, exact := map[string]int{"min": 2, "max": 2, "safe_div": 3}[name], true
	switch wanted {
	case 0:
		wanted = 1
	case 2:
		exact = false
	}
	if len(arguments) < wanted || exact && len(arguments) > wanted {
		c.at(node, idType, fmt.Sprintf("%s takes %s", name, counted(wanted, exact)), "")
		return sense{}
	}
	ranges, sound := make([]interval, len(arguments)), true
	for i := range arguments {
		argument, ok := c.number(&arguments[i], k)
		ranges[i], sound = argument.interval, sound && ok
	}
	if !sound {
		return sense{}
	}
	return c.result(node, name, ranges)
}

func counted(wanted int, exact bool) string {
	text := fmt.Sprintf("%d values", wanted)
	if wanted == 1 {
		text = "1 value"
	}
	if !exact {
		text += " or more"
	}
	return text
}

// result is the range of a function's result.
func (c *check) result(node ast.Node, name string, ranges []interval) sense {
	first := ranges[0]
	if name == "ln" && first.low <= 0 {
		c.at(node, idMayBeNaN, fmt.Sprintf("the logarithm of %s may be asked for", plainNumber(first.low)), "write ln(1 + x) for an x that is never below 0")
		return sense{}
	}
	within := rangeOfCall(name, ranges)
	switch name {
	case "min", "max", "safe_div":
		return sense{sort: aNumber, interval: within}
	default:
		return c.bounded(node, within, first)
	}
}

// rangeOfCall is the range of a function's result.
func rangeOfCall(name string, ranges []interval) interval {
	first := ranges[0]
	switch name {
	case "ln":
		return first.through(math.Log)
	case "min":
		for _, next := range ranges[1:] {
			first = first.lowest(next)
		}
		return first
	case "max":
		for _, next := range ranges[1:] {
			first = first.highest(next)
		}
		return first
	case "safe_div":
		return safeDivision(first, ranges[1], ranges[2])
	case "abs":
		return first.absolute()
	case "floor":
		return first.through(math.Floor)
	case "ceil":
		return first.through(math.Ceil)
	default:
		return first.through(math.Round)
	}
}
