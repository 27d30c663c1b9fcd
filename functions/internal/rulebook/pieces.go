package rulebook

import (
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// A condition is built from comparisons of one field with constants. So each field falls into pieces, inside of which
// no condition can tell two values apart: the exact numbers that some condition names, the runs between them, every
// value of a choice, yes and no, and empty. One representative of each piece, asked of the real evaluator, settles the
// comparison for all of it.

// domain is the pieces of one field.
type domain struct {
	field  *field
	cuts   []float64
	pieces []representative
	at     int // the piece that the cell in hand lies in
}

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
	numbers := map[string]*float64{
		"days_since_last_order": &r.Days, "churn_risk_score": &r.RiskScore, "total_revenue": &r.Revenue,
		"total_orders": &r.Orders, "avg_order_value": &r.AvgOrderValue, medianRevenue: &r.MedianRevenue,
	}
	truths := map[string]*bool{
		"is_frequency_drop": &r.FrequencyDrop, "is_status_inconsistent": &r.StatusInconsistent, "is_value_drop": &r.ValueDrop,
	}
	words := map[string]*string{"retention_status": &r.Status, "churn_risk_level": &r.RiskLevel}
	switch {
	case f.kind.isNumber():
		*numbers[f.name] = value.number
	case f.kind == kindYesNo:
		*truths[f.name] = value.yes
	default:
		*words[f.name] = value.text
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
	isOpen             // it compares fields with one another: both may be
	isTrue
)

// logic is a condition as and, or, not over comparisons, each with its truth on every piece of its field.
type logic struct {
	operator string // and, or, not; empty for a comparison
	parts    []*logic
	domain   *domain // of a comparison; nil when it is open or constant
	truth    []bool
	constant truthValue
}

// pieces are the domains of all fields that conditions name, and the machine that settles comparisons.
type pieces struct {
	vocabulary *vocabulary
	domains    map[string]*domain
	machine    vm.VM
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
	if search.found {
		return 0, false
	}
	program, err := assemble(&parser.Tree{Node: side}, newConfig(), kindAmount)
	if err != nil {
		return 0, false
	}
	result, err := p.machine.Run(program, &row{})
	if err != nil {
		return 0, false
	}
	number, constant = result.(float64)
	return number, constant
}

// nameSearch looks for a field in a tree.
type nameSearch struct{ found bool }

// Visit implements ast.Visitor.
func (s *nameSearch) Visit(node *ast.Node) {
	if n, is := (*node).(*ast.IdentifierNode); is && !slices.Contains(functionNames, n.Value) {
		s.found = true
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

// collect notes the cuts of a condition.
func (p *pieces) collect(node ast.Node) {
	if _, parts := connective(node); parts != nil {
		for _, part := range parts {
			p.collect(part)
		}
		return
	}
	f, cuts, simple := p.comparison(node)
	if !simple {
		return
	}
	if p.domains[f.name] == nil {
		p.domains[f.name] = &domain{field: f}
	}
	d := p.domains[f.name]
	d.cuts = append(d.cuts, cuts...)
}

// settle turns a condition into logic, with the truth of each comparison on each piece.
func (p *pieces) settle(node ast.Node) *logic {
	if operator, parts := connective(node); parts != nil {
		joined := &logic{operator: operator}
		for _, part := range parts {
			joined.parts = append(joined.parts, p.settle(part))
		}
		return joined
	}
	if constant, is := node.(*ast.BoolNode); is {
		if constant.Value {
			return &logic{constant: isTrue}
		}
		return &logic{constant: isFalse}
	}
	open := &logic{constant: isOpen}
	f, _, simple := p.comparison(node)
	if !simple {
		return open
	}
	program, err := assemble(&parser.Tree{Node: node}, newConfig(), kindYesNo)
	if err != nil {
		return open
	}
	settled := &logic{domain: p.domains[f.name]}
	var r row
	for _, value := range settled.domain.pieces {
		f.set(&r, value)
		result, err := p.machine.Run(program, &r)
		truth, is := result.(bool)
		if err != nil || !is {
			return open
		}
		settled.truth = append(settled.truth, truth)
	}
	return settled
}

// fields lists the domains that a condition asks about.
func (l *logic) fields(into map[*domain]bool) map[*domain]bool {
	if l.domain != nil {
		into[l.domain] = true
	}
	for _, part := range l.parts {
		part.fields(into)
	}
	return into
}

// now gives the truth of a condition on the cell in hand.
func (l *logic) now() truthValue {
	switch l.operator {
	case "and":
		return min(l.parts[0].now(), l.parts[1].now())
	case "or":
		return max(l.parts[0].now(), l.parts[1].now())
	case "not":
		return isTrue - l.parts[0].now()
	}
	if l.domain == nil {
		return l.constant
	}
	if l.truth[l.domain.at] {
		return isTrue
	}
	return isFalse
}
