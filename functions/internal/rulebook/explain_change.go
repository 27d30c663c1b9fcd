package rulebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
)

// mostTried bounds the customers that are made up to tell whether one like the changed one can exist. What would need
// more is not said.
const mostTried = 20_000

// changeSearch looks for the smallest changes of a customer that would give another tier: one field that a rule asks
// about, and where the facts want it one word more. Only what can be proven is said: a customer with the changed fields
// exists, as far as the facts go, and the rules give it that tier.
type changeSearch struct {
	*explainer
	machine vm.VM
	tier    functions.Tier // of the customer as it is
	facts   [][]*fact      // those that the customer keeps, by how many open fields must be known to ask them
	pieces  *pieces
	asked   []*field  // the fields that rules ask about, in the order of the vocabulary
	open    []*domain // the other fields that facts name: they may be anything
	unclear map[string]bool
}

// changes gives the smallest changes that would give another tier.
func (x *explainer) changes(tier functions.Tier) ([]functions.TierChange, error) {
	s := &changeSearch{
		explainer: x, tier: tier, unclear: map[string]bool{},
		pieces: &pieces{vocabulary: x.book.vocabulary, domains: map[string]*domain{}},
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	changes := []functions.TierChange{}
	for _, f := range s.asked {
		if f.isStatistic() || s.unclear[f.name] {
			continue
		}
		found, err := s.of(f)
		if err != nil {
			return nil, err
		}
		changes = append(changes, found...)
	}
	return changes, nil
}

// prepare gathers the fields, the pieces they fall into, and the facts.
func (s *changeSearch) prepare() error {
	named := map[string]bool{}
	for _, r := range s.book.priority.rules {
		tree := copyOf(r.when.tree)
		for _, name := range namesIn(tree) {
			named[strings.TrimPrefix(name, maybePrefix)] = true
		}
		s.collect(tree)
	}
	factual := map[string][]*fact{} // the facts that name a field
	for _, f := range s.book.vocabulary.facts {
		for _, e := range []*expression{f.condition, f.consequence} {
			if e == nil {
				continue
			}
			tree := copyOf(e.tree)
			for _, name := range namesIn(tree) {
				name = strings.TrimPrefix(name, maybePrefix)
				factual[name] = append(factual[name], f)
			}
			s.collect(tree)
		}
	}
	for _, f := range s.book.vocabulary.fields {
		if !named[f.name] && factual[f.name] == nil {
			continue
		}
		d := s.domain(f)
		if f.kind.isNumber() && s.numberOf(f) != nil {
			d.cuts = append(d.cuts, *s.numberOf(f))
		}
		d.divide()
		switch {
		case named[f.name]:
			s.asked = append(s.asked, f)
		case !f.isStatistic():
			s.open = append(s.open, d)
		}
	}
	s.facts = make([][]*fact, len(s.open)+1)
	for _, f := range s.book.vocabulary.facts {
		broken, err := f.brokenBy(&s.machine, &s.row)
		if err != nil {
			return err
		}
		if broken {
			continue // the data has it otherwise already
		}
		known := 0
		for i, d := range s.open {
			if slices.Contains(factual[d.field.name], f) {
				known = i + 1
			}
		}
		s.facts[known] = append(s.facts[known], f)
	}
	return nil
}

// numberOf is the customer's number in a field, or nothing when it is empty.
func (s *changeSearch) numberOf(f *field) *float64 {
	switch {
	case f.isStatistic():
		return &s.row.MedianRevenue
	case f.whole != nil:
		if whole := f.whole(s.customer); whole.Valid {
			return new(float64(whole.V))
		}
	default:
		if amount := f.amount(s.customer); amount.Valid {
			return new(nearestFloat(amount.V))
		}
	}
	return nil
}

// collect notes the cuts of a condition. Two fields compared with one another cut each at the other's present number;
// of what is more involved than that, nothing is said.
func (s *changeSearch) collect(node ast.Node) {
	if _, parts := connective(node); parts != nil {
		for _, part := range parts {
			s.collect(part)
		}
		return
	}
	if f, cuts, simple := s.pieces.comparison(node); simple {
		d := s.domain(f)
		d.cuts = append(d.cuts, cuts...)
		return
	}
	fields := make([]*field, 0, 2)
	for _, name := range namesIn(node) {
		if f := s.book.vocabulary.byName[strings.TrimPrefix(name, maybePrefix)]; f != nil {
			fields = append(fields, f)
		}
	}
	n, is := node.(*ast.BinaryNode)
	if !is || len(fields) != 2 || fieldIn(n.Left) != fields[0].name || fieldIn(n.Right) != fields[1].name {
		for _, f := range fields {
			s.unclear[f.name] = true
		}
		return
	}
	for i, f := range fields {
		if number := s.numberOf(fields[1-i]); f.kind.isNumber() && number != nil {
			d := s.domain(f)
			d.cuts = append(d.cuts, *number)
		}
	}
}

func (s *changeSearch) domain(f *field) *domain {
	if s.pieces.domains[f.name] == nil {
		s.pieces.domains[f.name] = &domain{field: f}
	}
	return s.pieces.domains[f.name]
}

// of gives the changes of one field: for a number the nearest below and above, for a word every other one, those that
// give the same tier together.
func (s *changeSearch) of(f *field) ([]functions.TierChange, error) {
	if f.kind.isNumber() {
		return s.ofNumber(f)
	}
	var changes []functions.TierChange
	texts := map[string][]string{} // of each outcome, the words that lead to it
	var order []changeOutcome
	for _, value := range s.pieces.domains[f.name].pieces {
		result, err := s.outcome(f, value)
		if err != nil {
			return nil, err
		}
		if !result.exists || result.tier == s.tier {
			continue
		}
		key := string(result.tier) + "\n" + result.with
		if texts[key] == nil {
			order = append(order, result)
		}
		texts[key] = append(texts[key], value.name(f))
	}
	for _, result := range order {
		words := texts[string(result.tier)+"\n"+result.with]
		changes = append(changes, functions.TierChange{If: f.name + " were " + strings.Join(words, " or ") + result.with, Tier: result.tier})
	}
	return changes, nil
}

func (s *changeSearch) ofNumber(f *field) ([]functions.TierChange, error) {
	number := s.numberOf(f)
	if number == nil {
		return nil, nil
	}
	var below, above []representative
	for _, value := range s.pieces.domains[f.name].pieces {
		switch {
		case value.empty:
		case value.number < *number:
			below = append(below, value)
		case value.number > *number:
			above = append(above, value)
		}
	}
	slices.Reverse(below)
	var changes []functions.TierChange
	for side, values := range [][]representative{below, above} {
		for i, value := range values {
			result, err := s.outcome(f, value)
			if err != nil {
				return nil, err
			}
			if !result.exists || result.tier == s.tier {
				continue
			}
			words := value.name(f)
			if f.kind == kindAmount && i%2 == 0 { // it stands for what lies between two numbers that are named
				edge := *number
				if i > 0 {
					edge = values[i-1].number
				}
				words = []string{"just below ", "just over "}[side] + amountText(edge)
			}
			changes = append(changes, functions.TierChange{If: f.name + " were " + words + result.with, Tier: result.tier})
			break
		}
	}
	return changes, nil
}

func amountText(number float64) string {
	text := plainNumber(number)
	if !strings.Contains(text, ".") || len(text)-strings.Index(text, ".") < 3 {
		return fmt.Sprintf("%.2f", number)
	}
	return text
}

// name is the value as a person reads it.
func (v representative) name(f *field) string {
	switch {
	case v.empty:
		return emptyValue
	case f.kind == kindChoice:
		return v.text
	case f.kind == kindYesNo && v.yes:
		return "yes"
	case f.kind == kindYesNo:
		return "no"
	case f.kind == kindAmount:
		return amountText(v.number)
	default:
		return plainNumber(v.number)
	}
}

// changeOutcome is what the rules say of a changed customer.
type changeOutcome struct {
	exists bool
	tier   functions.Tier
	with   string // what the facts want changed besides
}

// outcome tells what the rules say of the customer with another value in one field. Where no such customer exists, one
// more word may differ, if there is only one that helps.
func (s *changeSearch) outcome(f *field, value representative) (changeOutcome, error) {
	changed := s.row.copied()
	f.set(changed, value)
	exists, err := s.exists(changed)
	if err != nil {
		return changeOutcome{}, err
	}
	if exists {
		tier, err := s.tierOf(changed)
		return changeOutcome{exists: true, tier: tier}, err
	}
	var found changeOutcome
	for _, other := range s.asked {
		if other == f || other.kind.isNumber() {
			continue
		}
		for _, word := range s.pieces.domains[other.name].pieces {
			both := changed.copied()
			other.set(both, word)
			exists, err := s.exists(both)
			switch {
			case err != nil:
				return changeOutcome{}, err
			case !exists:
				continue
			case found.exists:
				return changeOutcome{}, nil // there are several ways: which is meant cannot be said
			}
			found.exists, found.with = true, fmt.Sprintf(" and %s %s", other.name, word.name(other))
			if found.tier, err = s.tierOf(both); err != nil {
				return changeOutcome{}, err
			}
		}
	}
	return found, nil
}

func (s *changeSearch) tierOf(r *row) (functions.Tier, error) {
	for _, rule := range s.book.priority.rules {
		if fits, err := rule.when.truth(&s.machine, r); err != nil || fits {
			return rule.tier, err
		}
	}
	return "", nil
}

// exists tells whether some customer with these asked fields breaks no fact. The fields that no rule asks about may be
// anything.
func (s *changeSearch) exists(r *row) (bool, error) {
	left := mostTried
	return s.existsFrom(0, r.copied(), &left)
}

// existsFrom looks for values of the open fields from one on. The facts that name no later field are asked first.
func (s *changeSearch) existsFrom(at int, r *row, left *int) (bool, error) {
	if *left--; *left < 0 {
		return false, nil
	}
	for _, f := range s.facts[at] {
		if broken, err := f.brokenBy(&s.machine, r); err != nil || broken {
			return false, err
		}
	}
	if at == len(s.open) {
		return true, nil
	}
	for _, value := range s.open[at].pieces {
		s.open[at].field.set(r, value)
		if found, err := s.existsFrom(at+1, r, left); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// copied is the row again, with an empty field that is its own.
func (r *row) copied() *row {
	other := *r
	if other.MaybeAvgOrderValue != nil {
		other.MaybeAvgOrderValue = &other.AvgOrderValue
	}
	return &other
}
