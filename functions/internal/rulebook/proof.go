package rulebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"gopkg.in/yaml.v3"
)

// The bounds of a proof: the cells that one question may look at, and all questions together, which is a second or
// two. What would need more is not proven, and nothing is said of it.
const (
	maxCells    = 2_000_000
	maxAllCells = 20_000_000
)

// proof asks of the rules, without any data, whether each can get a customer at all. A cell is one combination of
// pieces; the cells that break a fact do not exist.
type proof struct {
	pieces *pieces
	rules  []*provenRule
	left   int // cells that may still be looked at
	facts  []*provenFact
}

// provenRule is a rule as logic: the parts of its condition all hold.
type provenRule struct {
	*rule
	parts []conjunct
}

// conjunct is one part of a condition: a cell of a map, or the whole of an expression.
type conjunct struct {
	logic *logic
	text  string
	where value
}

type provenFact struct {
	*fact
	condition, consequence *logic
}

// prove reports rules that can never match and rules that never get a customer because an earlier one takes them all.
func (p *priority) prove(v *vocabulary) {
	proof := &proof{left: maxAllCells, pieces: &pieces{vocabulary: v, domains: map[string]*domain{}}}
	for _, f := range v.facts {
		if f.condition != nil {
			proof.pieces.collect(f.condition.tree)
		}
		proof.pieces.collect(f.consequence.tree)
	}
	for _, r := range p.rules {
		proof.pieces.collect(r.when.tree)
	}
	for _, d := range proof.pieces.domains {
		d.divide()
	}
	for _, f := range v.facts {
		settled := &provenFact{fact: f, condition: &logic{constant: isTrue}, consequence: proof.pieces.settle(f.consequence.tree)}
		if f.condition != nil {
			settled.condition = proof.pieces.settle(f.condition.tree)
		}
		proof.facts = append(proof.facts, settled)
	}
	for _, r := range p.rules {
		proven := &provenRule{rule: r}
		for _, part := range r.when.conjuncts() {
			part.logic = proof.pieces.settle(part.tree)
			proven.parts = append(proven.parts, part.conjunct)
		}
		proof.rules = append(proof.rules, proven)
	}
	for i, r := range proof.rules {
		if !proof.neverMatches(p, r) {
			proof.shadowed(r, proof.rules[:i])
		}
	}
}

// treePart is a conjunct with its tree.
type treePart struct {
	conjunct
	tree ast.Node
}

// conjuncts are the parts of a condition: the cells of a map, in their order, or the expression as one.
func (e *expression) conjuncts() []treePart {
	if e.where.node.Kind != yaml.MappingNode {
		return []treePart{{conjunct{text: strings.Join(strings.Fields(e.text), " "), where: e.where}, e.tree}}
	}
	content := e.where.node.Content
	parts := make([]treePart, len(content)/2)
	tree := e.tree
	for i := len(parts) - 1; i >= 0; i-- {
		cell := value{e.where.doc, content[2*i+1]}
		text := cell.raw()
		if cell.node.Kind == yaml.SequenceNode {
			var words []string
			for _, item := range cell.node.Content {
				words = append(words, item.Value)
			}
			text = strings.Join(words, " or ")
		}
		parts[i] = treePart{conjunct{text: content[2*i].Value + " " + text, where: cell}, tree}
		if joined, is := tree.(*ast.BinaryNode); is && i > 0 {
			parts[i].tree, tree = joined.Right, joined.Left // cells were joined from the left
		}
	}
	return parts
}

// possible tells whether some existing cell makes all parts of a condition true, or leaves them open. Cells for which
// passed is true are passed over. It is true as well where there are too many cells to look at.
func (p *proof) possible(parts []conjunct, facts []*provenFact, passed func() bool, also ...*logic) bool {
	involved := map[*domain]bool{}
	for _, part := range parts {
		part.logic.fields(involved)
	}
	for _, l := range also {
		l.fields(involved)
	}
	ties := tie(facts, involved)
	order := make([]*domain, 0, len(involved))
	cells := 1
	for _, name := range sortedKeys(p.pieces.domains) {
		if d := p.pieces.domains[name]; involved[d] {
			order = append(order, d)
			if cells *= len(d.pieces); cells > maxCells {
				return true
			}
		}
	}
	for _, d := range order {
		d.at = 0
	}
	for range cells {
		if p.left--; p.left < 0 {
			return true
		}
		if exists(ties) && all(parts) && (passed == nil || !passed()) {
			return true
		}
		for _, d := range order { // the next cell
			if d.at++; d.at < len(d.pieces) {
				break
			}
			d.at = 0
		}
	}
	return false
}

// tie adds the fields that facts bring in, and gives the facts that matter.
func tie(facts []*provenFact, involved map[*domain]bool) []*provenFact {
	var ties []*provenFact
	for grown := true; grown; {
		grown = false
		for _, f := range facts {
			named := f.consequence.fields(f.condition.fields(map[*domain]bool{}))
			matters := false
			for d := range named {
				matters = matters || involved[d]
			}
			if !matters || slices.Contains(ties, f) {
				continue
			}
			ties, grown = append(ties, f), true
			for d := range named {
				involved[d] = true
			}
		}
	}
	return ties
}

// exists tells whether the cell in hand breaks no fact.
func exists(facts []*provenFact) bool {
	for _, f := range facts {
		if f.condition.now() == isTrue && f.consequence.now() == isFalse {
			return false
		}
	}
	return true
}

// all tells whether no part is surely false on the cell in hand.
func all(parts []conjunct) bool {
	for _, part := range parts {
		if part.logic.now() == isFalse {
			return false
		}
	}
	return true
}

// neverMatches reports a rule whose condition no customer can fit, at the part that is to blame, with the part and the
// facts that it contradicts.
func (p *proof) neverMatches(rules *priority, r *provenRule) bool {
	if p.possible(r.parts, p.facts, nil) {
		return false
	}
	blamed := p.contradiction(r.parts)
	last := blamed[len(blamed)-1]
	message := fmt.Sprintf("%s can never match: nobody has %s", r.id, last.text)
	if len(blamed) > 1 {
		var others []string
		for _, part := range blamed[:len(blamed)-1] {
			others = append(others, part.text)
		}
		message = fmt.Sprintf("%s can never match: %s contradicts %s", r.id, strings.Join(others, " and "), last.text)
	}
	var hints, names []string
	for _, f := range p.facts {
		without := slices.DeleteFunc(slices.Clone(p.facts), func(other *provenFact) bool { return other == f })
		if p.possible(blamed, without, nil) {
			names, hints = append(names, f.name), append(hints, f.name+" says "+f.text())
		}
	}
	if len(names) > 0 {
		message += " (fact " + strings.Join(names, ", ") + ")"
	}
	for d := range last.logic.fields(map[*domain]bool{}) {
		if len(blamed) == 1 && len(names) == 0 && d.field.kind.isNumber() {
			hints = append(hints, fmt.Sprintf("fields.yaml lets %s lie between %s and %s", d.field.name, plainNumber(d.field.low), plainNumber(d.field.high)))
		}
	}
	for _, part := range partsOf(strings.NewReplacer("..", " ", "(", " ", ")", " ").Replace(last.text)) {
		if parameter := rules.parameters[part.text]; parameter != nil {
			hints = append(hints, part.text+" is "+parameter.text)
		}
	}
	last.where.report(idNeverMatches, message, strings.Join(hints, "; "))
	return true
}

// contradiction gives the fewest parts that already cannot hold together: one, a pair, or all.
func (p *proof) contradiction(parts []conjunct) []conjunct {
	for i := range parts {
		if one := parts[i : i+1]; !p.possible(one, p.facts, nil) {
			return one
		}
	}
	for j := range parts {
		for i := range j {
			if pair := []conjunct{parts[i], parts[j]}; !p.possible(pair, p.facts, nil) {
				return pair
			}
		}
	}
	return parts
}

// shadowed reports a rule whose customers are all taken by earlier rules.
func (p *proof) shadowed(r *provenRule, earlier []*provenRule) {
	takers := map[string]bool{}
	taken := func() bool {
		for _, e := range earlier {
			surely := true
			for _, part := range e.parts {
				surely = surely && part.logic.now() == isTrue
			}
			if surely {
				takers[e.id] = true
				return true
			}
		}
		return false
	}
	var also []*logic
	for _, e := range earlier {
		for _, part := range e.parts {
			also = append(also, part.logic)
		}
	}
	if len(earlier) == 0 || p.possible(r.parts, p.facts, taken, also...) {
		return
	}
	r.label.report(idShadowed, fmt.Sprintf("%s never gets a customer: %s takes everyone it matches", r.id, strings.Join(sortedKeys(takers), " or ")),
		"the first rule that fits wins: put the narrower rule first, or delete this one")
}
