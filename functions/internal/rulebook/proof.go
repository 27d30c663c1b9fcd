package rulebook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
)

// proof asks of the rules, without any data, whether each can get a customer at all, and what its parts are good for.
// A cell is one combination of pieces; the cells that break a fact do not exist.
type proof struct {
	rules    *priority
	pieces   *pieces
	proven   []*provenRule
	facts    []*provenFact
	lines    map[functions.Tier][]*provenLine
	mentions []*provenLine
	scored   []*domain                       // the fields that the score counts
	choices  []*logic                        // what the score chooses by
	choiceOf map[*ast.ConditionalNode]*logic // the same, by place
	steps    int                             // how many may still be taken
	unproven []string
}

// provenRule is a rule as logic: the parts of its condition all hold.
type provenRule struct {
	*rule
	parts []conjunct
	takes *logic
}

// provenLine is a line of a list of actions or of mentions, as logic. The last line of actions has no parts.
type provenLine struct {
	parts []conjunct
	takes *logic
	says  string
	where value
}

// conjunct is one part of a condition: a cell of a map, or an operand of the and of an expression.
type conjunct struct {
	logic *logic
	tree  ast.Node
	text  string
	place
}

// place is a value of a file, or some characters of it.
type place struct {
	where    value
	from, to int // of a scalar; without any, all of it
}

func (p place) add(finding Finding) {
	if p.to > p.from {
		p.where.reportPart(p.from, p.to, finding)
		return
	}
	p.where.add(finding)
}

type provenFact struct {
	*fact
	condition, consequence *logic
}

// prove reports rules that can never match and rules that never get a customer because an earlier one takes them all;
// and, where there are none of these, what the rules mean beyond what they say.
func (p *priority) prove(v *vocabulary) {
	proof := newProof(p, v)
	if proof.nobodyAtAll() {
		return
	}
	sound := true
	for i, r := range proof.proven {
		if proof.neverMatches(r) || proof.shadowed(r, proof.proven[:i]) {
			sound = false
		}
	}
	if sound { // what follows from a rule that gets nobody would be told of many times
		proof.meaning()
	}
	proof.tellUnproven()
}

// nobodyAtAll reports facts that contradict one another: of nobody anything can be proven.
func (p *proof) nobodyAtAll() bool {
	holds := func(facts []*provenFact) bool {
		s := &search{facts: facts}
		for _, f := range facts {
			s.about = append(s.about, append(domainsOf(f.condition), domainsOf(f.consequence)...)...)
		}
		return p.run(s) == nobody
	}
	if !holds(p.facts) {
		return false
	}
	names := p.fewestFacts(holds)
	last := p.facts[slices.IndexFunc(p.facts, func(f *provenFact) bool { return f.name == names[len(names)-1] })]
	hint := "the facts say what every customer fits"
	if len(names) == 1 {
		last.label.report(idNeverMatches, fmt.Sprintf("nobody can fit the fact %s", last.name), hint)
	} else {
		last.label.report(idNeverMatches, fmt.Sprintf("nobody can fit the facts %s: they contradict one another", strings.Join(names, ", ")), hint)
	}
	return true
}

// newProof turns all conditions into logic.
func newProof(p *priority, v *vocabulary) *proof {
	proof := &proof{
		rules: p, steps: maxAllSteps, lines: map[functions.Tier][]*provenLine{}, choiceOf: map[*ast.ConditionalNode]*logic{},
		pieces: &pieces{vocabulary: v, domains: map[string]*domain{}, freely: true},
	}
	for _, e := range p.conditions() {
		proof.pieces.collect(e.tree)
	}
	for _, f := range v.facts {
		if f.condition != nil {
			proof.pieces.collect(f.condition.tree)
		}
		proof.pieces.collect(f.consequence.tree)
	}
	for i := range p.score.parts {
		proof.pieces.collectNames(p.score.parts[i].points.tree)
	}
	for _, d := range proof.pieces.domains {
		d.divide()
	}
	for _, f := range v.facts {
		settled := &provenFact{fact: f, condition: alwaysTrue, consequence: proof.pieces.settle(f.consequence.tree)}
		if f.condition != nil {
			settled.condition = proof.pieces.settle(f.condition.tree)
		}
		proof.facts = append(proof.facts, settled)
	}
	for _, r := range p.rules {
		proven := &provenRule{rule: r}
		proven.parts, proven.takes = proof.settled(r.when)
		proof.proven = append(proof.proven, proven)
	}
	for tier, actions := range p.actions {
		for _, a := range actions {
			line := &provenLine{says: a.do, where: a.says}
			line.parts, line.takes = proof.settled(a.when)
			proof.lines[tier] = append(proof.lines[tier], line)
		}
	}
	for _, m := range p.mentions {
		line := &provenLine{says: m.say.String(), where: m.when.where}
		line.parts, line.takes = proof.settled(m.when)
		proof.mentions = append(proof.mentions, line)
	}
	for i := range p.score.parts {
		proof.counts(p.score.parts[i].points.tree)
	}
	return proof
}

// counts notes what a formula of the score names and chooses by.
func (p *proof) counts(formula ast.Node) {
	seen := &nameSearch{}
	ast.Walk(&formula, seen)
	for _, name := range seen.names {
		if d := p.pieces.domains[name]; d != nil && !slices.Contains(p.scored, d) {
			p.scored = append(p.scored, d)
		}
	}
	for _, choice := range seen.choices {
		p.choiceOf[choice] = p.pieces.settle(choice.Cond)
		p.choices = append(p.choices, p.choiceOf[choice])
	}
}

// conditions are those of rules, mentions and actions.
func (p *priority) conditions() []*expression {
	var all []*expression
	for _, r := range p.rules {
		all = append(all, r.when)
	}
	for _, m := range p.mentions {
		all = append(all, m.when)
	}
	for _, tier := range functions.Tiers {
		for _, a := range p.actions[tier] {
			if a.when != nil {
				all = append(all, a.when)
			}
		}
	}
	return all
}

// settled gives a condition as logic: its parts, and all of them. Without a condition everybody fits.
func (p *proof) settled(e *expression) ([]conjunct, *logic) {
	if e == nil {
		return nil, alwaysTrue
	}
	parts := e.conjuncts()
	logics := make([]*logic, len(parts))
	for i := range parts {
		parts[i].logic = p.pieces.settle(parts[i].tree)
		logics[i] = parts[i].logic
	}
	return parts, allOf(logics...)
}

// conjuncts are the parts of a condition: the cells of a map, in their order, or the operands of the and of an
// expression.
func (e *expression) conjuncts() []conjunct {
	if e.where.node.Kind != yaml.MappingNode {
		return e.operands()
	}
	content := e.where.node.Content
	parts := make([]conjunct, len(content)/2)
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
		parts[i] = conjunct{text: content[2*i].Value + " " + text, tree: tree, place: place{where: cell}}
		if joined, is := tree.(*ast.BinaryNode); is && i > 0 {
			parts[i].tree, tree = joined.Right, joined.Left // cells were joined from the left
		}
	}
	return parts
}

// operands are the parts of an expression that all must hold.
func (e *expression) operands() []conjunct {
	operator, operands := joined(e.tree)
	if operator != "and" {
		return []conjunct{{text: strings.Join(strings.Fields(e.text), " "), tree: e.tree, place: place{where: e.where}}}
	}
	parts := make([]conjunct, len(operands))
	for i, operand := range operands {
		parts[i] = e.part(operand)
	}
	return parts
}

// part is a node of an expression with the text that it was written as.
func (e *expression) part(node ast.Node) conjunct {
	from, to := e.extent(node)
	text := string([]rune(e.text)[from:to])
	return conjunct{text: strings.Join(strings.Fields(text), " "), tree: node, place: place{e.where, from, to}}
}

// extent is where in the text of an expression a node stands. The tree keeps no brackets, and of a call only the name.
func (e *expression) extent(node ast.Node) (from, to int) {
	runes := []rune(e.text)
	from, to = span(node)
	from, to = max(0, min(from, len(runes))), max(0, min(to, len(runes)))
	for {
		depth, least := 0, 0
		for _, sign := range runes[from:to] {
			switch sign {
			case '(', '[':
				depth++
			case ')', ']':
				depth--
			}
			least = min(least, depth)
		}
		switch {
		case least < 0 && from > 0:
			from--
		case depth > 0 && to < len(runes):
			to++
		default:
			return from, to
		}
	}
}

// possible tells whether some customer fits all parts of a condition. It is true as well where too many cells would have
// to be looked at.
func (p *proof) possible(parts []conjunct, facts []*provenFact) bool {
	return p.ask(facts, logics(parts)...) != nobody
}

func logics(parts []conjunct) []*logic {
	all := make([]*logic, len(parts))
	for i, part := range parts {
		all[i] = part.logic
	}
	return all
}

// neverMatches reports a rule whose condition no customer can fit, at the part that is to blame, with the part and the
// facts that it contradicts.
func (p *proof) neverMatches(r *provenRule) bool {
	if p.possible(r.parts, p.facts) {
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
		if p.possible(blamed, without) {
			names, hints = append(names, f.name), append(hints, f.name+" says "+f.text())
		}
	}
	if len(names) > 0 {
		message += " (fact " + strings.Join(names, ", ") + ")"
	}
	if len(blamed) == 1 && len(names) == 0 {
		hints = append(hints, p.boundsOf(last)...)
	}
	hints = append(hints, p.parametersOf(last.text)...)
	last.add(Finding{ID: idNeverMatches, Message: message, Hint: strings.Join(hints, "; ")})
	return true
}

// boundsOf says within which bounds the number fields of a part lie.
func (p *proof) boundsOf(part conjunct) []string {
	var hints []string
	for _, d := range domainsOf(part.logic) {
		if d.field != nil && d.field.kind.isNumber() {
			hints = append(hints, fmt.Sprintf("fields.yaml lets %s lie between %s and %s", d.name, plainNumber(d.field.low), plainNumber(d.field.high)))
		}
	}
	return hints
}

var nameInText = regexp.MustCompile(`[a-z][a-z0-9_]*`)

// parametersOf says what the parameters that a text names are.
func (p *proof) parametersOf(texts ...string) []string {
	var hints []string
	for _, text := range texts {
		for _, name := range nameInText.FindAllString(text, -1) {
			parameter := p.rules.parameters[name]
			if parameter == nil {
				continue
			}
			if hint := name + " is " + parameter.text; !slices.Contains(hints, hint) {
				hints = append(hints, hint)
			}
		}
	}
	return hints
}

// contradiction gives the fewest parts that already cannot hold together: one, a pair, or all.
func (p *proof) contradiction(parts []conjunct) []conjunct {
	for i := range parts {
		if one := parts[i : i+1]; !p.possible(one, p.facts) {
			return one
		}
	}
	for j := range parts {
		for i := range j {
			if pair := []conjunct{parts[i], parts[j]}; !p.possible(pair, p.facts) {
				return pair
			}
		}
	}
	return parts
}

// shadowed reports a rule whose customers are all taken by earlier rules.
func (p *proof) shadowed(r *provenRule, earlier []*provenRule) bool {
	if len(earlier) == 0 {
		return false
	}
	var takers []string
	switch p.ask(p.facts, append(logics(r.parts), noneOf(earlier)...)...) {
	case somebody:
		return false
	case nobody:
		takers = p.takersOf(r, earlier)
	case unknown: // at least one by one
		for _, e := range earlier {
			if p.ask(p.facts, append(logics(r.parts), not(e.takes))...) == nobody {
				takers = []string{e.id}
				break
			}
		}
		if takers == nil {
			p.leave("whether " + r.id + " ever gets a customer")
			return false
		}
	}
	r.label.report(idShadowed, fmt.Sprintf("%s never gets a customer: %s takes everyone it matches", r.id, strings.Join(takers, " or ")),
		"the first rule that fits wins: put the narrower rule first, or delete this one")
	return true
}

// noneOf is what a customer fits whom none of the rules takes.
func noneOf(rules []*provenRule) []*logic {
	none := make([]*logic, len(rules))
	for i, r := range rules {
		none[i] = not(r.takes)
	}
	return none
}

// takersOf names the earlier rules that take the customers of a rule.
func (p *proof) takersOf(r *provenRule, earlier []*provenRule) []string {
	takers := map[string]bool{}
	s := search{must: logics(r.parts), facts: p.facts}
	for _, e := range earlier {
		s.watch = append(s.watch, e.takes)
	}
	s.visit = func() bool {
		for _, e := range earlier {
			if e.takes.now() == isTrue {
				takers[e.id] = true
				break
			}
		}
		return false
	}
	p.run(&s)
	return sortedKeys(takers)
}
