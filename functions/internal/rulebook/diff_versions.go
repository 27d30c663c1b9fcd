package rulebook

import (
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
)

// versions are two books as logic over the same pieces.
type versions struct {
	pieces  *pieces // by the words of both vocabularies
	sides   [2]side
	redrawn []*domain // the fields that the two vocabularies bound differently
	trees   map[*expression]ast.Node
	free    map[*domain]*openTest
	left    int // cells that may still be looked at
}

// side is one of the two books, as logic.
type side struct {
	book     *Book
	facts    []*provenFact
	redrawn  []*domain
	rules    []*logic
	actions  map[functions.Tier][]settledAction
	mentions map[mentionKey]*logic
	saidWhen map[mentionKey]string // the condition of each, as text
	order    []mentionKey
}

type settledAction struct {
	when *logic
	do   string
}

// mentionKey is a mention by what it adds. A text that stands there twice is two.
type mentionKey struct {
	text     string
	brackets bool
	again    int
}

func (k mentionKey) shown() string {
	if k.brackets {
		return "(" + k.text + ")"
	}
	return k.text
}

// freePrefix begins the name of the domain of such a comparison.
const freePrefix = "? "

// openTest is a comparison that no single field settles, such as total_revenue > median_revenue. It is taken as a yes or
// no of its own.
type openTest struct {
	name    string
	program *vm.Program
}

func newVersions(before, after *Book) *versions {
	v := &versions{
		pieces: &pieces{vocabulary: joinedVocabulary(before.vocabulary, after.vocabulary), domains: map[string]*domain{}, freely: true},
		trees:  map[*expression]ast.Node{},
		free:   map[*domain]*openTest{},
		left:   maxDiffSteps,
	}
	books := [2]*Book{before, after}
	for _, book := range books {
		book.eachCondition(func(e *expression) {
			v.trees[e] = ownTree(e)
			v.pieces.collect(v.trees[e])
		})
	}
	redrawn := v.redraw(before.vocabulary, after.vocabulary)
	for _, book := range books {
		for _, r := range book.priority.rules {
			v.ensure(r.reason)
		}
	}
	for _, d := range v.pieces.domains {
		d.divide()
	}
	for _, name := range redrawn {
		v.redrawn = append(v.redrawn, v.pieces.domains[name])
	}
	for i, book := range books {
		v.sides[i] = v.sideOf(book)
	}
	for _, tree := range v.trees {
		v.remember(tree)
	}
	return v
}

// ownTree is a copy of an expression's tree. What is settled is checked anew, which writes into the tree, and books are
// shared.
func ownTree(e *expression) ast.Node {
	tree, err := parser.ParseWithConfig(e.tree.String(), newConfig())
	if err != nil {
		return e.tree // it was written by the parser's own printer
	}
	ast.Walk(&tree.Node, oneNumberType{})
	return tree.Node
}

// oneNumberType makes every number of a tree a float, as the check of a rule file does.
type oneNumberType struct{}

// Visit implements ast.Visitor.
func (oneNumberType) Visit(node *ast.Node) {
	if n, is := (*node).(*ast.IntegerNode); is {
		ast.Patch(node, &ast.FloatNode{Value: float64(n.Value)})
	}
}

// eachCondition visits every condition of a book.
func (b *Book) eachCondition(visit func(*expression)) {
	for _, f := range b.vocabulary.facts {
		if f.condition != nil {
			visit(f.condition)
		}
		visit(f.consequence)
	}
	for _, r := range b.priority.rules {
		visit(r.when)
	}
	for _, m := range b.priority.mentions {
		visit(m.when)
	}
	for _, tier := range functions.Tiers {
		for _, a := range b.priority.actions[tier] {
			if a.when != nil {
				visit(a.when)
			}
		}
	}
}

// joinedVocabulary holds every field with all that either vocabulary lets it hold.
func joinedVocabulary(before, after *vocabulary) *vocabulary {
	joined := &vocabulary{byName: map[string]*field{}}
	for _, c := range columns {
		was, is := before.byName[c.name], after.byName[c.name]
		if was == nil {
			was = is
		}
		if is == nil {
			is = was
		}
		if was == nil {
			continue
		}
		f := &field{
			column: c, values: slices.Clone(was.values), unit: is.unit, mayBeEmpty: was.mayBeEmpty || is.mayBeEmpty,
			low: math.Min(was.low, is.low), high: math.Max(was.high, is.high),
		}
		for _, word := range is.values {
			if !slices.Contains(f.values, word) {
				f.values = append(f.values, word)
			}
		}
		if f.kind == kindWhole {
			f.low, f.high = math.Ceil(f.low), math.Floor(f.high)
		}
		joined.fields = append(joined.fields, f)
		joined.byName[c.name] = f
	}
	return joined
}

// redraw cuts the fields that the two vocabularies bound differently at the bounds of both.
func (v *versions) redraw(before, after *vocabulary) []string {
	var names []string
	for _, f := range v.pieces.vocabulary.fields {
		was, is := before.byName[f.name], after.byName[f.name]
		if f.isStatistic() || was == nil || is == nil {
			continue
		}
		sameWords := len(was.values) == len(f.values) && len(is.values) == len(f.values)
		if was.low == is.low && was.high == is.high && was.mayBeEmpty == is.mayBeEmpty && sameWords {
			continue
		}
		d := v.pieces.domainOf(f)
		d.cuts = append(d.cuts, was.low, was.high, is.low, is.high)
		names = append(names, f.name)
	}
	return names
}

// ensure makes domains of the words that a text puts in.
func (v *versions) ensure(t template) {
	for _, p := range t.pieces {
		if p.field != nil && !p.field.kind.isNumber() {
			v.pieces.domainOf(v.pieces.vocabulary.byName[p.field.name])
		}
	}
}

// wordsIn are the domains of the words that a text puts in.
func (v *versions) wordsIn(t template) []*domain {
	var whole []*domain
	for _, p := range t.pieces {
		if p.field != nil && !p.field.kind.isNumber() {
			whole = append(whole, v.pieces.domains[p.field.name])
		}
	}
	return whole
}

// settled is a text with the words of the cell in hand put in. Numbers stay in braces.
func (v *versions) settled(t template) string {
	var out strings.Builder
	for _, p := range t.pieces {
		switch {
		case p.field == nil:
			out.WriteString(p.text)
		case p.field.kind.isNumber():
			out.WriteString("{" + p.field.name + "}")
		default:
			d := v.pieces.domains[p.field.name]
			out.WriteString(d.pieceWord(d.at))
		}
	}
	return out.String()
}

// pieceWord is the word of a piece of a choice or of a yes or no.
func (d *domain) pieceWord(at int) string {
	switch piece := d.pieces[at]; {
	case piece.empty:
		return "empty"
	case d.field.kind == kindChoice:
		return piece.text
	case piece.yes:
		return "yes"
	default:
		return "no"
	}
}

func (v *versions) settle(e *expression) *logic { return v.pieces.settle(v.trees[e]) }

func (v *versions) sideOf(book *Book) side {
	s := side{
		book: book, redrawn: v.redrawn, actions: map[functions.Tier][]settledAction{},
		mentions: map[mentionKey]*logic{}, saidWhen: map[mentionKey]string{},
	}
	for _, f := range book.vocabulary.facts {
		settled := &provenFact{fact: f, condition: &logic{constant: isTrue}, consequence: v.settle(f.consequence)}
		if f.condition != nil {
			settled.condition = v.settle(f.condition)
		}
		s.facts = append(s.facts, settled)
	}
	for _, r := range book.priority.rules {
		s.rules = append(s.rules, v.settle(r.when))
	}
	for _, tier := range functions.Tiers {
		for _, a := range book.priority.actions[tier] {
			settled := settledAction{when: &logic{constant: isTrue}, do: a.do}
			if a.when != nil {
				settled.when = v.settle(a.when)
			}
			s.actions[tier] = append(s.actions[tier], settled)
		}
	}
	for _, m := range book.priority.mentions {
		key := mentionKey{text: m.say.String(), brackets: m.brackets}
		for s.mentions[key] != nil {
			key.again++
		}
		s.mentions[key], s.saidWhen[key] = v.settle(m.when), m.when.tree.String()
		s.order = append(s.order, key)
	}
	slices.SortStableFunc(s.order, func(a, b mentionKey) int { // as they are said: what stands in brackets comes first
		switch {
		case a.brackets == b.brackets:
			return 0
		case a.brackets:
			return -1
		default:
			return 1
		}
	})
	return s
}

// remember keeps the comparisons of a condition that no single field settles, so that they can be asked of customers.
func (v *versions) remember(node ast.Node) {
	if _, parts := connective(node); parts != nil {
		for _, part := range parts {
			v.remember(part)
		}
		return
	}
	text := node.String()
	d := v.pieces.domains[freePrefix+text]
	if d == nil || v.free[d] != nil {
		return
	}
	if program, err := assemble(&parser.Tree{Node: node}, newConfig(), kindYesNo); err == nil { // it was part of one that compiled
		v.free[d] = &openTest{name: strings.ReplaceAll(text, maybePrefix, ""), program: program}
	}
}

func (v *versions) freeNames() []string {
	var names []string
	for _, open := range v.free {
		names = append(names, open.name)
	}
	slices.Sort(names)
	return names
}

// holds tells whether the vocabulary of this side lets a customer of the cell in hand be judged.
func (s *side) holds() bool {
	for _, d := range s.redrawn {
		f, piece := s.book.vocabulary.byName[d.field.name], d.pieces[d.at]
		switch {
		case piece.empty:
			if !f.mayBeEmpty {
				return false
			}
		case f.kind == kindChoice:
			if !slices.Contains(f.values, piece.text) {
				return false
			}
		case f.kind.isNumber() && (piece.number < f.low || piece.number > f.high):
			return false
		}
	}
	return true
}

// rule is the number of the rule that takes the cell in hand, or -1.
func (s *side) rule() int {
	return slices.IndexFunc(s.rules, func(l *logic) bool { return l.now() == isTrue })
}

func (s *side) place() Place {
	if !s.holds() {
		return PlaceSetAside
	}
	if at := s.rule(); at >= 0 {
		return PlaceOf(s.book.priority.rules[at].tier)
	}
	return PlaceNone
}

// kept is the tier that both sides give the cell in hand, and by which rules. It is empty when there is no such tier.
func (v *versions) kept() (tier functions.Tier, rules [2]int) {
	for i := range v.sides {
		s := &v.sides[i]
		if rules[i] = s.rule(); rules[i] < 0 {
			return "", rules
		}
		given := s.book.priority.rules[rules[i]].tier
		if i > 0 && given != tier {
			return "", rules
		}
		tier = given
	}
	return tier, rules
}

// actionFor is the first action that fits the cell in hand.
func (s *side) actionFor(tier functions.Tier) string {
	for _, a := range s.actions[tier] {
		if a.when.now() == isTrue {
			return a.do
		}
	}
	return ""
}

// oneOf tells whether all rules of both sides that give a tier have one text: then it cannot change.
func (v *versions) oneOf(tier functions.Tier, text func(*rule) string) bool {
	texts := map[string]bool{}
	for i := range v.sides {
		for _, r := range v.sides[i].book.priority.rules {
			if r.tier == tier {
				texts[text(r)] = true
			}
		}
	}
	return len(texts) <= 1
}

// actionTexts are the actions of a tier with their conditions as text.
func (s *side) actionTexts(tier functions.Tier) []string {
	var texts []string
	for _, a := range s.book.priority.actions[tier] {
		text := a.do
		if a.when != nil {
			text = a.when.tree.String() + ": " + text
		}
		texts = append(texts, text)
	}
	return texts
}

// saying is the mention where it is said of the cell in hand, else nothing.
func (s *side) saying(key mentionKey) string {
	if m := s.mentions[key]; m != nil && m.now() == isTrue {
		return key.shown()
	}
	return ""
}

// mentionKeys are the mentions of both sides, each once.
func (v *versions) mentionKeys() []mentionKey {
	keys := slices.Clone(v.sides[0].order)
	for _, key := range v.sides[1].order {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// mentionsReordered tells whether two mentions that both sides have may be said the other way round.
func (v *versions) mentionsReordered() bool {
	var common [2][]mentionKey
	for i := range v.sides {
		for _, key := range v.sides[i].order {
			if v.sides[1-i].mentions[key] != nil {
				common[i] = append(common[i], key)
			}
		}
	}
	return !slices.Equal(common[0], common[1])
}

func (s *side) mentionOrder() string {
	var texts []string
	for _, key := range s.order {
		texts = append(texts, key.shown())
	}
	return strings.Join(texts, ", ")
}
