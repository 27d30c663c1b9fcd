package rulebook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// ask evaluates a condition as a whole, and each part of it.
func (x *explainer) ask(e *expression) (fits bool, conditions []functions.Condition, err error) {
	if fits, err = e.truth(&x.machine, &x.row); err != nil {
		return false, nil, err
	}
	failed := false
	for _, part := range e.askedParts() {
		condition, err := x.askPart(part, failed)
		if err != nil {
			return false, nil, fmt.Errorf("evaluate %s: %w", e.place(), err)
		}
		failed = failed || condition.Holds != nil && !*condition.Holds
		conditions = append(conditions, condition)
	}
	if fits == failed {
		return false, nil, fmt.Errorf("evaluate %s: its parts and the whole disagree", e.place())
	}
	return fits, conditions, nil
}

// askedPart is a part of a condition: a cell of a map, or what stands between two `and` of an expression.
type askedPart struct {
	text  string
	field string // of a cell
	tree  ast.Node
}

// askedParts breaks a condition at its outermost `and`.
func (e *expression) askedParts() []askedPart {
	var parts []askedPart
	if e.where.node.Kind == yaml.MappingNode {
		for i, cell := range e.conjuncts() {
			parts = append(parts, askedPart{text: cell.text, field: e.where.node.Content[2*i].Value, tree: cell.tree})
		}
		return parts
	}
	texts := splitAtAnd(e.text)
	trees := make([]ast.Node, len(texts))
	tree := e.tree
	for i := len(texts) - 1; i > 0; i-- {
		joined, is := tree.(*ast.BinaryNode)
		if !is || joined.Operator != "and" && joined.Operator != "&&" {
			return []askedPart{{text: inOneLine(e.text), tree: e.tree}}
		}
		trees[i], tree = joined.Right, joined.Left
	}
	trees[0] = tree
	for i, text := range texts {
		parts = append(parts, askedPart{text: inOneLine(text), tree: trees[i]})
	}
	return parts
}

// splitAtAnd cuts an expression at the `and` outside of all brackets. Where an `or` or a choice binds more loosely, it
// stays whole.
func splitAtAnd(text string) []string {
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		return []string{text}
	}
	runes, depth, from := []rune(text), 0, 0
	var parts []string
	for _, token := range tokens {
		switch {
		case token.Is(lexer.Bracket, "(", "[", "{"):
			depth++
		case token.Is(lexer.Bracket):
			depth--
		case depth > 0:
		case token.Is(lexer.Operator, "or", "||", "?", ":"):
			return []string{text}
		case token.Is(lexer.Operator, "and", "&&"):
			parts = append(parts, string(runes[from:token.From]))
			from = token.To
		}
	}
	return append(parts, string(runes[from:]))
}

// askPart evaluates one part by itself. After a part that does not hold, one that reads an empty field was not asked:
// the part before it may be what guards it.
func (x *explainer) askPart(part askedPart, failed bool) (functions.Condition, error) {
	condition := functions.Condition{Text: part.text, Saw: x.saw(part)}
	tree := copyOf(part.tree) // expr's checker writes into the tree, and the book is shared
	if failed && x.readsEmpty(tree) {
		condition.Shown = part.text
		return condition, nil
	}
	program, err := assemble(&parser.Tree{Node: tree}, newConfig(), kindYesNo)
	if err != nil {
		return condition, err
	}
	result, err := x.machine.Run(program, &x.row)
	if err != nil {
		return condition, err
	}
	holds, is := result.(bool)
	if !is {
		return condition, fmt.Errorf("got a %T, not yes or no", result)
	}
	condition.Holds = &holds
	if f := x.book.vocabulary.byName[part.field]; f != nil {
		condition.Shown = x.cellShown(f, strings.TrimPrefix(part.text, f.name+" "), holds)
	} else {
		condition.Shown = part.text
		if filled := inOneLine(x.filled(part.text)); filled != part.text {
			condition.Shown += " (" + filled + ")"
		}
	}
	return condition, nil
}

// readsEmpty tells whether a tree reads a field plainly that is empty in this customer.
func (x *explainer) readsEmpty(tree ast.Node) bool {
	for _, f := range x.book.vocabulary.fields {
		if f.mayBeEmpty && f.isEmptyIn(x.customer) && slices.Contains(namesIn(tree), f.name) {
			return true
		}
	}
	return false
}

// namesIn lists the names in a tree.
func namesIn(tree ast.Node) []string {
	var names nameList
	ast.Walk(&tree, &names)
	return names
}

type nameList []string

// Visit implements ast.Visitor.
func (l *nameList) Visit(node *ast.Node) {
	if n, is := (*node).(*ast.IdentifierNode); is {
		*l = append(*l, n.Value)
	}
}

// saw lists the fields and parameters that a part names, each once, with their values.
func (x *explainer) saw(part askedPart) []functions.NamedValue {
	seen := []functions.NamedValue{}
	for _, name := range wordForm.FindAllString(part.text, -1) {
		value, known := x.named(name)
		if known && !slices.ContainsFunc(seen, func(v functions.NamedValue) bool { return v.Name == name }) {
			seen = append(seen, functions.NamedValue{Name: name, Value: value})
		}
	}
	return seen
}

// wordForm is a name, or a word that looks like one.
var wordForm = regexp.MustCompile(`[A-Za-z0-9_]+`)

// named gives the value of a field or a parameter.
func (x *explainer) named(name string) (value string, known bool) {
	if f := x.book.vocabulary.byName[name]; f != nil {
		return x.valueOf(f), true
	}
	if p := x.book.priority.parameters[name]; p != nil {
		return p.text, true
	}
	return "", false
}

// emptyValue stands for a field in which there is nothing, as in a cell.
const emptyValue = "empty"

// valueOf is the value of a field as a person reads it, with every digit of an amount.
func (x *explainer) valueOf(f *field) string {
	switch {
	case f.isStatistic():
		return exactAmount(x.median)
	case f.isEmptyIn(x.customer):
		return emptyValue
	case f.amount != nil:
		return exactAmount(f.amount(x.customer).V)
	default:
		return string(f.write(nil, x.customer, ""))
	}
}

// isEmptyIn tells whether there is nothing in a customer's column.
func (f *field) isEmptyIn(c *retention.Customer) bool {
	switch {
	case f.choice != nil:
		return !f.choice(c).Valid
	case f.whole != nil:
		return !f.whole(c).Valid
	case f.yes != nil:
		return !f.yes(c).Valid
	default:
		return !f.amount(c).Valid
	}
}

// exactAmount writes an amount with two decimals, or with all it has.
func exactAmount(amount functions.Money) string {
	if two := amount.Round(2); two.Equal(amount.Decimal) {
		return two.StringFixed(2)
	}
	return amount.String()
}

// cellShown is a cell with its values: what stands there, and what was asked for unless that is the same.
func (x *explainer) cellShown(f *field, cell string, holds bool) string {
	asked := wordForm.ReplaceAllStringFunc(cell, func(name string) string {
		if value, known := x.named(name); known {
			return name + " " + value
		}
		return name
	})
	there := f.name + " " + x.valueOf(f)
	first, _, _ := strings.Cut(cell, " ")
	isWord := slices.Contains([]string{"over", "at", "below", "up"}, first)
	switch {
	case !holds:
		return there + ", wanted " + asked
	case isWord:
		return there + " " + asked
	case strings.Contains(cell, ".."):
		return there + " within " + asked
	case first == "not":
		return there + ", " + asked
	default:
		return there
	}
}

// filled is an expression with the values of its names put in.
func (x *explainer) filled(text string) string {
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		return text
	}
	runes := []rune(text)
	var out strings.Builder
	from := 0
	for _, token := range tokens {
		if !token.Is(lexer.Identifier) {
			continue
		}
		value, known := x.named(token.Value)
		if !known {
			continue
		}
		if f := x.book.vocabulary.byName[token.Value]; f != nil {
			value = inExpression(f, value)
		}
		out.WriteString(string(runes[from:token.From]) + value)
		from = token.To
	}
	out.WriteString(string(runes[from:]))
	return out.String()
}

// inExpression is the value of a field as an expression writes it.
func inExpression(f *field, value string) string {
	switch {
	case value == emptyValue:
		return "nil"
	case f.kind == kindChoice:
		return `"` + value + `"`
	case value == "yes":
		return "true"
	case value == "no":
		return "false"
	default:
		return value
	}
}

// inOneLine is a text without line ends and double blanks.
func inOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// copyOf copies the tree of an expression. A node of another kind than rules may have stays as it is.
func copyOf(node ast.Node) ast.Node {
	all := func(nodes []ast.Node) []ast.Node {
		copies := make([]ast.Node, len(nodes))
		for i, n := range nodes {
			copies[i] = copyOf(n)
		}
		return copies
	}
	var copied ast.Node
	switch n := node.(type) {
	case *ast.IdentifierNode:
		copied = &ast.IdentifierNode{Value: n.Value}
	case *ast.IntegerNode:
		copied = &ast.IntegerNode{Value: n.Value}
	case *ast.FloatNode:
		copied = &ast.FloatNode{Value: n.Value}
	case *ast.BoolNode:
		copied = &ast.BoolNode{Value: n.Value}
	case *ast.StringNode:
		copied = &ast.StringNode{Value: n.Value}
	case *ast.NilNode:
		copied = &ast.NilNode{}
	case *ast.UnaryNode:
		copied = &ast.UnaryNode{Operator: n.Operator, Node: copyOf(n.Node)}
	case *ast.BinaryNode:
		copied = &ast.BinaryNode{Operator: n.Operator, Left: copyOf(n.Left), Right: copyOf(n.Right)}
	case *ast.ConditionalNode:
		copied = &ast.ConditionalNode{Ternary: n.Ternary, Cond: copyOf(n.Cond), Exp1: copyOf(n.Exp1), Exp2: copyOf(n.Exp2)}
	case *ast.BuiltinNode:
		copied = &ast.BuiltinNode{Name: n.Name, Arguments: all(n.Arguments)}
	case *ast.CallNode:
		copied = &ast.CallNode{Callee: copyOf(n.Callee), Arguments: all(n.Arguments)}
	case *ast.ArrayNode:
		copied = &ast.ArrayNode{Nodes: all(n.Nodes)}
	default:
		return node
	}
	copied.SetLocation(node.Location())
	return copied
}
