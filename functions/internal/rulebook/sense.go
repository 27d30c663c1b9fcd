package rulebook

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// fault is a finding inside an expression, before its place in the file is known.
type fault struct {
	from, to          int
	id, message, hint string
}

// check reads the tree of an expression: which nodes it may have, what every name and value means, where a field can
// be empty, and in which range every number lies. It puts parameters in as constants, node by node, and turns every
// whole number into a float.
type check struct {
	scope  *scope
	text   []rune
	faults *[]fault
	nodes  int
}

func (c *check) fault(from, to int, id, message, hint string) {
	*c.faults = append(*c.faults, fault{from, to, id, message, hint})
}

// at reports a fault at a node with all that belongs to it.
func (c *check) at(node ast.Node, id, message, hint string) {
	from, to := span(node)
	c.fault(from, to, id, message, hint)
}

// sort is what a node stands for.
type sort int

const (
	bad sort = iota // was reported
	aNumber
	aTruth
	aText  // a literal text
	aField // a choice field, which can only be compared
	nothing
)

// sense is what a node means.
type sense struct {
	sort       sort
	field      *field   // when the node is a field alone
	interval   interval // of a number
	word       string   // of a text
	mayBeEmpty bool
}

// known are the fields that are proven not to be empty at some place of an expression.
type known map[string]bool

func (k known) and(other known) known {
	if len(other) == 0 {
		return k
	}
	both := maps.Clone(other)
	maps.Copy(both, k)
	return both
}

// top reads a whole expression.
func (c *check) top(tree *parser.Tree, want kind) sense {
	s := c.solid(c.visit(&tree.Node, nil), tree.Node)
	switch {
	case s.sort == bad:
	case want == kindYesNo && s.sort != aTruth:
		c.at(tree.Node, idType, "a condition is yes or no; this is "+describe(s), "compare it with something, such as "+c.scope.example())
	case want != kindYesNo && s.sort != aNumber:
		c.at(tree.Node, idType, "expected a number; this is "+describe(s), "")
	}
	return s
}

func describe(s sense) string {
	switch s.sort {
	case aNumber:
		return "a number"
	case aTruth:
		return "yes or no"
	case aText:
		return "a text"
	case aField:
		return "a choice"
	default:
		return "nothing (nil)"
	}
}

// solid reports a field that can be empty where a value is needed.
func (c *check) solid(s sense, node ast.Node) sense {
	if !s.mayBeEmpty {
		return s
	}
	instead := map[sort]string{aNumber: "0", aTruth: "false", aField: `"X"`}[s.sort]
	c.at(node, idMayBeEmpty, s.field.name+" can be empty here",
		fmt.Sprintf("write (%s ?? %s) or test %s != nil first", s.field.name, instead, s.field.name))
	return sense{}
}

// number reads a node that must be a number and given.
func (c *check) number(node *ast.Node, k known) (sense, bool) {
	s := c.solid(c.visit(node, k), *node)
	if s.sort != aNumber && s.sort != bad {
		c.at(*node, idType, "expected a number; this is "+describe(s), "")
	}
	return s, s.sort == aNumber
}

// truth reads a node that must be yes or no and given.
func (c *check) truth(node *ast.Node, k known) bool {
	s := c.solid(c.visit(node, k), *node)
	if s.sort != aTruth && s.sort != bad {
		c.at(*node, idType, "expected yes or no; this is "+describe(s), "")
	}
	return s.sort == aTruth
}

// visit reads a node and what is below it.
func (c *check) visit(node *ast.Node, k known) sense {
	if c.nodes++; c.nodes > maxNodes {
		if c.nodes == maxNodes+1 {
			c.at(*node, idTooLong, fmt.Sprintf("the expression has more than %d parts", maxNodes), "split it into several rules")
		}
		return sense{}
	}
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		return c.name(node, n, k)
	case *ast.IntegerNode:
		ast.Patch(node, &ast.FloatNode{Value: float64(n.Value)})
		return sense{sort: aNumber, interval: only(float64(n.Value))}
	case *ast.FloatNode:
		return sense{sort: aNumber, interval: only(n.Value)}
	case *ast.BoolNode:
		return sense{sort: aTruth}
	case *ast.StringNode:
		return sense{sort: aText, word: n.Value}
	case *ast.NilNode:
		return sense{sort: nothing}
	case *ast.UnaryNode:
		return c.unary(n, k)
	case *ast.BinaryNode:
		return c.binary(n, k)
	case *ast.ConditionalNode:
		return c.choose(n, k)
	case *ast.BuiltinNode:
		return c.call(*node, n.Name, n.Arguments, k)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.call(*node, callee.Value, n.Arguments, k)
		}
	}
	c.at(*node, idNotAllowed, "this kind of expression is not allowed", "allowed: "+c.scope.grammar())
	return sense{}
}

// grammar is all that an expression may hold, for hints.
const grammar = `names, numbers, "texts", + - * /, < <= > >= == !=, and or not, in [X, Y], ??, c ? a : b, ` +
	"ln min max abs round floor ceil safe_div"

// figureGrammar is the same over figures, which are numbers and never empty.
const figureGrammar = "names, numbers, + - * /, < <= > >= == !=, and or not, in [1, 2], c ? a : b, " +
	"ln min max abs round floor ceil safe_div"

// name reads a field or a parameter.
func (c *check) name(node *ast.Node, n *ast.IdentifierNode, k known) sense {
	if p := c.scope.parameters[n.Value]; p != nil {
		p.used = true
		ast.Patch(node, &ast.FloatNode{Value: p.number})
		return sense{sort: aNumber, interval: only(p.number)}
	}
	f := c.scope.vocabulary.byName[n.Value]
	if f == nil {
		c.unknownName(n)
		return sense{}
	}
	s := sense{field: f, mayBeEmpty: f.mayBeEmpty && !k[f.name]}
	switch f.kind {
	case kindYesNo:
		s.sort = aTruth
	case kindChoice:
		s.sort = aField
	default:
		s.sort, s.interval = aNumber, interval{f.low, f.high}
	}
	return s
}

func (c *check) unknownName(n *ast.IdentifierNode) {
	for _, f := range c.scope.vocabulary.fields {
		if slices.Contains(f.values, n.Value) {
			c.at(n, idUnknownName, fmt.Sprintf("text must be in quotes: %s is a value of %s", n.Value, f.name), fmt.Sprintf("write %q", n.Value))
			return
		}
	}
	if slices.Contains(functionNames, n.Value) {
		c.at(n, idUnknownName, n.Value+" is a function", "write "+n.Value+"(…)")
		return
	}
	names := append(c.scope.vocabulary.names(), slices.Sorted(maps.Keys(c.scope.parameters))...)
	hint := c.scope.meant(n.Value, "names here", names)
	if (n.Value == "null" || n.Value == "None") && c.scope.ofCustomers() {
		hint = "an empty field is nil: write avg_order_value == nil"
	}
	c.at(n, idUnknownName, fmt.Sprintf("unknown name %q", n.Value), hint)
}

func (c *check) unary(n *ast.UnaryNode, k known) sense {
	switch n.Operator {
	case "not", "!":
		s := c.visit(&n.Node, k)
		if s.sort == aNumber || s.sort == aField {
			c.at(n, idType, "not stands before "+describe(s), "write not (x > 1): not belongs to what follows it at once")
			return sense{}
		}
		if s = c.solid(s, n.Node); s.sort == bad {
			return s
		}
		if s.sort != aTruth {
			c.at(n.Node, idType, "expected yes or no; this is "+describe(s), "")
			return sense{}
		}
		return sense{sort: aTruth}
	case "-", "+":
		s, ok := c.number(&n.Node, k)
		if !ok {
			return sense{}
		}
		if n.Operator == "-" {
			s.interval = s.interval.negative()
		}
		return sense{sort: aNumber, interval: s.interval}
	}
	c.at(n, idNotAllowed, n.Operator+" is not allowed here", "allowed: "+c.scope.grammar())
	return sense{}
}

func (c *check) binary(n *ast.BinaryNode, k known) sense {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left := c.truth(&n.Left, k)
		right := c.truth(&n.Right, k.and(given(n.Left, n.Operator == "and" || n.Operator == "&&")))
		if !left || !right {
			return sense{}
		}
		return sense{sort: aTruth}
	case "==", "!=":
		return c.equal(n, k)
	case "<", "<=", ">", ">=":
		return c.order(n, k)
	case "in":
		return c.member(n, k)
	case "??":
		return c.otherwise(n, k)
	case "+", "-", "*", "/":
		return c.arithmetic(n, k)
	}
	c.fault(n.Location().From, n.Location().To, idNotAllowed, n.Operator+" is not allowed here", "allowed: "+c.scope.grammar())
	return sense{}
}

// choose reads c ? a : b.
func (c *check) choose(n *ast.ConditionalNode, k known) sense {
	sound := c.truth(&n.Cond, k)
	first := c.solid(c.visit(&n.Exp1, k.and(given(n.Cond, true))), n.Exp1)
	second := c.solid(c.visit(&n.Exp2, k.and(given(n.Cond, false))), n.Exp2)
	switch {
	case !sound || first.sort == bad || second.sort == bad:
		return sense{}
	case first.sort != second.sort:
		c.at(n, idType, fmt.Sprintf("one side is %s, the other %s", describe(first), describe(second)), "both sides of ? : are of one kind")
		return sense{}
	case first.sort != aNumber && first.sort != aTruth:
		c.at(n, idNotAllowed, "? : chooses between numbers, or between yes and no", "")
		return sense{}
	}
	return sense{sort: first.sort, interval: first.interval.with(second.interval)}
}

// span is the characters that a node and all below it take.
func span(node ast.Node) (from, to int) {
	s := &spanner{from: math.MaxInt}
	ast.Walk(&node, s)
	return s.from, s.to
}

type spanner struct{ from, to int }

// Visit implements ast.Visitor.
func (s *spanner) Visit(node *ast.Node) {
	at := (*node).Location()
	s.from, s.to = min(s.from, at.From), max(s.to, at.To)
}

// fieldIn gives the field name of a node that is a field alone, also in the form that can be nil.
func fieldIn(node ast.Node) string {
	if n, ok := node.(*ast.IdentifierNode); ok {
		return strings.TrimPrefix(n.Value, maybePrefix)
	}
	return ""
}

// given says which fields are proven not to be empty when a condition is true, or false.
func given(node ast.Node, truth bool) known {
	switch n := node.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return given(n.Node, !truth)
		}
	case *ast.BinaryNode:
		both := n.Operator == "and" || n.Operator == "&&"
		either := n.Operator == "or" || n.Operator == "||"
		switch {
		case both && truth, either && !truth:
			return given(n.Left, truth).and(given(n.Right, truth))
		case n.Operator == "!=" && truth, n.Operator == "==" && !truth:
			return nilTest(n)
		case n.Operator == "==" && truth && !isNil(n.Left) && !isNil(n.Right), n.Operator == "in" && truth:
			return fieldsOf(n.Left, n.Right) // an empty field equals nothing
		}
	}
	return nil
}

func isNil(node ast.Node) bool {
	_, is := node.(*ast.NilNode)
	return is
}

// nilTest gives the field that is compared with nil.
func nilTest(n *ast.BinaryNode) known {
	switch {
	case isNil(n.Right):
		return fieldsOf(n.Left)
	case isNil(n.Left):
		return fieldsOf(n.Right)
	}
	return nil
}

func fieldsOf(nodes ...ast.Node) known {
	k := known{}
	for _, node := range nodes {
		if name := fieldIn(node); name != "" {
			k[name] = true
		}
	}
	return k
}
