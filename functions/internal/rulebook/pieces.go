package rulebook

import (
	"math"
	"reflect"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// A condition is built from comparisons of one field with constants. So each field falls into pieces, inside of which
// no condition can tell two values apart: the exact numbers that some condition names, the runs between them, every
// value of a choice, yes and no, and empty. One representative of each piece, asked of the real evaluator, settles the
// comparison for all of it.

// domain is the pieces of one field. A comparison that no piece settles, such as one of two fields, is a domain of its
// own: yes and no, and both are taken to be possible.
type domain struct {
	name   string
	field  *field // nil when it is such a comparison
	cuts   []float64
	pieces []representative
	at     int       // the piece that the cell in hand lies in, or nowhere
	about  []*domain // the fields that such a comparison names

	together int // the piece behind those that the cell in hand does not tell apart
}

// nowhere is where a domain lies that the cell in hand says nothing of.
const nowhere = -1

// representative is a value that stands for its piece.
type representative struct {
	text   string
	number float64
	yes    bool
	empty  bool
}

// divide makes the representatives, once all cuts are known.
func (d *domain) divide() {
	f := d.field
	switch f.kind {
	case kindChoice:
		for _, value := range f.values {
			d.pieces = append(d.pieces, representative{text: value})
		}
	case kindYesNo:
		d.pieces = []representative{{yes: true}, {yes: false}}
	default:
		numbers := []float64{f.low, f.high}
		for _, cut := range d.cuts {
			if f.kind == kindWhole {
				numbers = append(numbers, math.Floor(cut)-1, math.Floor(cut), math.Ceil(cut), math.Ceil(cut)+1)
			} else {
				numbers = append(numbers, cut)
			}
		}
		numbers = slices.DeleteFunc(numbers, func(n float64) bool { return n < f.low || n > f.high })
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		if f.kind == kindAmount {
			for i := len(numbers) - 1; i > 0; i-- {
				numbers = slices.Insert(numbers, i, numbers[i-1]+(numbers[i]-numbers[i-1])/2)
			}
		}
		for _, number := range numbers {
			d.pieces = append(d.pieces, representative{number: number})
		}
	}
	if f.mayBeEmpty {
		d.pieces = append(d.pieces, representative{empty: true})
	}
}

// set puts a value into the column of a row.
func (f *field) set(r *row, value representative) {
	switch f.name {
	case "retention_status":
		r.Status = value.text
	case "churn_risk_level":
		r.RiskLevel = value.text
	case "is_frequency_drop":
		r.FrequencyDrop = value.yes
	case "is_status_inconsistent":
		r.StatusInconsistent = value.yes
	case "is_value_drop":
		r.ValueDrop = value.yes
	case "days_since_last_order":
		r.Days = value.number
	case "churn_risk_score":
		r.RiskScore = value.number
	case "total_revenue":
		r.Revenue = value.number
	case "total_orders":
		r.Orders = value.number
	case "avg_order_value":
		r.AvgOrderValue = value.number
	case medianRevenue:
		r.MedianRevenue = value.number
	}
	if f.canBeEmpty {
		r.MaybeAvgOrderValue = &r.AvgOrderValue
		if value.empty {
			r.MaybeAvgOrderValue = nil
		}
	}
}

// truthValue is what is known of a condition on some pieces.
type truthValue int8

const (
	isFalse truthValue = iota
	isOpen             // the cell in hand does not say
	isTrue
)

// logic is a condition as and, or, not over comparisons, each with its truth on every piece of its field.
type logic struct {
	operator string // and, or, not; empty for a comparison
	parts    []*logic
	domain   *domain // of a comparison; nil when it is constant
	truth    []bool
	constant truthValue
}

// alwaysTrue is the condition that everybody fits.
var alwaysTrue = &logic{constant: isTrue}

func not(l *logic) *logic { return &logic{operator: "not", parts: []*logic{l}} }

func allOf(parts ...*logic) *logic { return &logic{operator: "and", parts: parts} }

func anyOf(parts ...*logic) *logic { return &logic{operator: "or", parts: parts} }

// differs is true where two conditions do not say the same.
func differs(a, b *logic) *logic { return anyOf(allOf(a, not(b)), allOf(not(a), b)) }

// pieces are the domains of all fields that conditions name, and the machine that settles comparisons.
type pieces struct {
	vocabulary *vocabulary
	domains    map[string]*domain
	machine    vm.VM
	config     *conf.Config
	freely     bool // a comparison that no piece settles is a domain of its own, and not open
}

// assemble makes a program of a part of a checked condition.
func (p *pieces) assemble(node ast.Node, want kind) (*vm.Program, error) {
	if p.config == nil {
		p.config = p.vocabulary.newConfig()
	}
	return assemble(&parser.Tree{Node: node}, p.config, want)
}

// comparison says which one field a node asks about, and the constants it is compared with. It is open when the node is
// anything but a comparison of one field with constants.
func (p *pieces) comparison(node ast.Node) (f *field, cuts []float64, simple bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		f = p.vocabulary.byName[fieldIn(n)]
		return f, nil, f != nil && f.kind == kindYesNo
	case *ast.BinaryNode:
		sides := []ast.Node{n.Left, n.Right}
		if list, is := n.Right.(*ast.ArrayNode); is && n.Operator == "in" {
			sides = append([]ast.Node{n.Left}, list.Nodes...)
		}
		for _, side := range sides {
			if name, cut := p.askedField(side); name != nil {
				if f != nil {
					return nil, nil, false // two fields with one another
				}
				f, cuts = name, append(cuts, cut...)
				continue
			}
			switch constant := side.(type) {
			case *ast.StringNode, *ast.BoolNode, *ast.NilNode:
			case *ast.FloatNode:
				cuts = append(cuts, constant.Value)
			default:
				number, is := p.number(side)
				if !is {
					return nil, nil, false
				}
				cuts = append(cuts, number)
			}
		}
		return f, cuts, f != nil
	}
	return nil, nil, false
}

// askedField gives the field of a side that is a field alone, or a field with a constant that stands in when empty.
func (p *pieces) askedField(side ast.Node) (f *field, cuts []float64) {
	if n, is := side.(*ast.BinaryNode); is && n.Operator == "??" {
		if number, constant := p.number(n.Right); constant {
			return p.vocabulary.byName[fieldIn(n.Left)], []float64{number}
		}
		return nil, nil
	}
	return p.vocabulary.byName[fieldIn(side)], nil
}

// number works out a side that names no field.
func (p *pieces) number(side ast.Node) (number float64, constant bool) {
	search := &nameSearch{}
	ast.Walk(&side, search)
	if len(search.names) > 0 {
		return 0, false
	}
	program, err := p.assemble(side, kindAmount)
	if err != nil {
		return 0, false
	}
	result, err := p.machine.Run(program, p.vocabulary.newTrial().env())
	if err != nil {
		return 0, false
	}
	number, constant = result.(float64)
	return number, constant
}

// nameSearch looks for fields in a tree, and for the choices that it makes.
type nameSearch struct {
	names   []string
	choices []*ast.ConditionalNode
}

// Visit implements ast.Visitor.
func (s *nameSearch) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if !slices.Contains(functionNames, n.Value) {
			s.names = append(s.names, fieldIn(n))
		}
	case *ast.ConditionalNode:
		s.choices = append(s.choices, n)
	}
}

// connective says whether a node joins conditions, and which.
func connective(node ast.Node) (operator string, parts []ast.Node) {
	switch n := node.(type) {
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return "and", []ast.Node{n.Left, n.Right}
		case "or", "||":
			return "or", []ast.Node{n.Left, n.Right}
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return "not", []ast.Node{n.Node}
		}
	}
	return "", nil
}

// joined is connective with a and b and c as three.
func joined(node ast.Node) (operator string, parts []ast.Node) {
	operator, sides := connective(node)
	if operator == "not" {
		return operator, sides
	}
	for _, side := range sides {
		if inner, more := joined(side); inner == operator {
			parts = append(parts, more...)
		} else {
			parts = append(parts, side)
		}
	}
	return operator, parts
}

// decided gives the conditions that a node is made of in another way: c ? a : b, and conditions compared for equality.
func (p *pieces) decided(node ast.Node) []ast.Node {
	switch n := node.(type) {
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.BinaryNode:
		if _, _, simple := p.comparison(n); !simple && (n.Operator == "==" || n.Operator == "!=") && isTruth(n.Left) && isTruth(n.Right) {
			return []ast.Node{n.Left, n.Right}
		}
	}
	return nil
}

func isTruth(node ast.Node) bool { return node.Type() != nil && node.Type().Kind() == reflect.Bool }

// collect notes the cuts of a condition.
func (p *pieces) collect(node ast.Node) {
	_, parts := connective(node)
	if parts == nil {
		parts = p.decided(node)
	}
	for _, part := range parts {
		p.collect(part)
	}
	if parts != nil {
		return
	}
	f, cuts, simple := p.comparison(node)
	if !simple {
		p.collectNames(node)
		return
	}
	d := p.domainOf(f)
	d.cuts = append(d.cuts, cuts...)
}

// collectNames gives every field that a tree names a domain, and notes the cuts of the choices it makes on its way.
func (p *pieces) collectNames(node ast.Node) {
	seen := &nameSearch{}
	ast.Walk(&node, seen)
	for _, name := range seen.names {
		if f := p.vocabulary.byName[name]; f != nil {
			p.domainOf(f)
		}
	}
	for _, choice := range seen.choices {
		p.collect(choice.Cond)
	}
}

func (p *pieces) domainOf(f *field) *domain {
	if p.domains[f.name] == nil {
		p.domains[f.name] = &domain{name: f.name, field: f, at: nowhere}
	}
	return p.domains[f.name]
}

// free is the domain of a comparison that pieces do not settle. Two of the same text are one.
func (p *pieces) free(node ast.Node) *logic {
	if !p.freely {
		return &logic{constant: isOpen}
	}
	name := "? " + node.String()
	d := p.domains[name]
	if d == nil {
		d = &domain{name: name, at: nowhere, pieces: []representative{{yes: true}, {yes: false}}}
		seen := &nameSearch{}
		ast.Walk(&node, seen)
		for _, named := range seen.names {
			if about := p.domains[named]; about != nil && !slices.Contains(d.about, about) {
				d.about = append(d.about, about)
			}
		}
		p.domains[name] = d
	}
	return &logic{domain: d, truth: []bool{true, false}}
}

// settle turns a condition into logic, with the truth of each comparison on each piece.
func (p *pieces) settle(node ast.Node) *logic {
	if operator, parts := joined(node); parts != nil {
		all := &logic{operator: operator}
		for _, part := range parts {
			all.parts = append(all.parts, p.settle(part))
		}
		return all
	}
	if constant, is := node.(*ast.BoolNode); is {
		if constant.Value {
			return alwaysTrue
		}
		return &logic{constant: isFalse}
	}
	if parts := p.decided(node); parts != nil && p.freely {
		settled := make([]*logic, len(parts))
		for i, part := range parts {
			settled[i] = p.settle(part)
		}
		switch n, compares := node.(*ast.BinaryNode); {
		case !compares:
			return anyOf(allOf(settled[0], settled[1]), allOf(not(settled[0]), settled[2]))
		case n.Operator == "==":
			return not(differs(settled[0], settled[1]))
		default:
			return differs(settled[0], settled[1])
		}
	}
	f, _, simple := p.comparison(node)
	if !simple {
		return p.free(node)
	}
	program, err := p.assemble(node, kindYesNo)
	if err != nil {
		return p.free(node)
	}
	settled := &logic{domain: p.domains[f.name]}
	one := p.vocabulary.newTrial()
	for _, value := range settled.domain.pieces {
		one.set(f, value)
		result, err := p.machine.Run(program, one.env())
		truth, is := result.(bool)
		if err != nil || !is {
			return p.free(node)
		}
		settled.truth = append(settled.truth, truth)
	}
	return settled
}

// now gives the truth of a condition on the cell in hand, as far as the cell says.
func (l *logic) now() truthValue {
	switch l.operator {
	case "and":
		least := isTrue
		for _, part := range l.parts {
			if least = min(least, part.now()); least == isFalse {
				return isFalse
			}
		}
		return least
	case "or":
		most := isFalse
		for _, part := range l.parts {
			if most = max(most, part.now()); most == isTrue {
				return isTrue
			}
		}
		return most
	case "not":
		return isTrue - l.parts[0].now()
	}
	switch {
	case l.domain == nil:
		return l.constant
	case l.domain.at == nowhere:
		return isOpen
	case l.truth[l.domain.at]:
		return isTrue
	}
	return isFalse
}

// comparisons lists the comparisons of a condition.
func (l *logic) comparisons(into []*logic) []*logic {
	if l.domain != nil {
		into = append(into, l)
	}
	for _, part := range l.parts {
		into = part.comparisons(into)
	}
	return into
}
