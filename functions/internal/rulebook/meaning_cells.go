package rulebook

import (
	"fmt"
	"slices"
	"strings"
)

// The bounds of a proof: the steps that one question may take, and all questions together, which is about a second. A
// step is one comparison on one cell. What would need more is not proven, and a note says so.
const (
	maxSteps    = 10_000_000
	maxAllSteps = 40_000_000
)

// answer is what the cells say to a question.
type answer int

const (
	nobody   answer = iota // no customer can fit: a proof
	somebody               // some cell fits
	unknown                // it would take too many steps
)

// search goes through the cells that exist and on which all conditions hold. It cuts a field where a condition of the
// question does, or a fact that ties it to another field, and nowhere else.
type search struct {
	must  []*logic // conditions that hold
	watch []*logic // conditions that the visit asks of
	about []*domain
	last  *domain // the field that changes fastest
	facts []*provenFact
	visit func() bool // whether the search may end here; without one it ends at the first cell

	axes []*cutField
	cost int // steps that a cell takes
	left int
}

// cutField is a field as one question sees it: neighbouring pieces that it does not tell apart are one run.
type cutField struct {
	*domain
	runs []run
	on   int // the run that the cell in hand lies in
}

// run is the first and last of some neighbouring pieces.
type run struct{ first, last int }

// ask tells whether some customer fits all conditions.
func (p *proof) ask(facts []*provenFact, must ...*logic) answer {
	return p.run(&search{must: must, facts: facts})
}

// run makes a search.
func (p *proof) run(s *search) answer {
	if p.steps <= 0 {
		return unknown
	}
	p.prepare(s)
	s.left = min(maxSteps, max(p.steps, 0))
	before := s.left
	result := s.from(0)
	p.steps -= before - s.left
	return result
}

// prepare finds the fields that a question involves, with those that facts tie to them, and cuts them into runs.
func (p *proof) prepare(s *search) {
	involved := map[*domain]bool{}
	for _, d := range s.about {
		involved[d] = true
	}
	var compared []*logic
	for _, l := range append(slices.Clone(s.must), s.watch...) {
		compared = l.comparisons(compared)
	}
	for _, l := range compared {
		involve(involved, l.domain)
	}
	s.facts = tie(s.facts, involved)
	s.cost = 1
	for _, f := range s.facts {
		compared = f.consequence.comparisons(f.condition.comparisons(compared))
	}
	s.cost += len(compared)
	byDomain := map[*domain][]*logic{}
	for _, l := range compared {
		byDomain[l.domain] = append(byDomain[l.domain], l)
	}
	s.axes = make([]*cutField, 0, len(involved))
	for d := range involved {
		d.at = nowhere
		s.axes = append(s.axes, &cutField{domain: d, runs: d.runs(byDomain[d])})
		p.steps -= len(d.pieces) * len(byDomain[d])
	}
	slices.SortFunc(s.axes, func(a, b *cutField) int {
		switch {
		case a.domain == s.last:
			return 1
		case b.domain == s.last:
			return -1
		}
		return strings.Compare(a.order(), b.order())
	})
}

// order puts comparisons that no piece settles behind the fields.
func (a *cutField) order() string {
	if a.field == nil {
		return "~" + a.name
	}
	return a.name
}

func involve(involved map[*domain]bool, d *domain) {
	involved[d] = true
	for _, about := range d.about {
		involved[about] = true
	}
}

// runs joins neighbouring pieces on which no comparison differs.
func (d *domain) runs(compared []*logic) []run {
	runs := []run{{0, 0}}
	for i := 1; i < len(d.pieces); i++ {
		differ := slices.ContainsFunc(compared, func(l *logic) bool { return l.truth[i] != l.truth[i-1] })
		if differ {
			runs = append(runs, run{i, i})
			continue
		}
		runs[len(runs)-1].last = i
	}
	return runs
}

// tie adds the fields that facts bring in, and gives the facts that matter.
func tie(facts []*provenFact, involved map[*domain]bool) []*provenFact {
	var ties []*provenFact
	for grown := true; grown; {
		grown = false
		for _, f := range facts {
			if slices.Contains(ties, f) {
				continue
			}
			named := f.consequence.comparisons(f.condition.comparisons(nil))
			if !slices.ContainsFunc(named, func(l *logic) bool { return involved[l.domain] }) {
				continue
			}
			ties, grown = append(ties, f), true
			for _, l := range named {
				involve(involved, l.domain)
			}
		}
	}
	return ties
}

// from goes through the runs of one axis and what lies behind it. A beginning of a cell that already breaks a condition
// or a fact is not gone into.
func (s *search) from(i int) answer {
	if s.left -= s.cost; s.left < 0 {
		return unknown
	}
	for _, l := range s.must {
		if l.now() == isFalse {
			return nobody
		}
	}
	if !exists(s.facts) {
		return nobody
	}
	if i == len(s.axes) {
		if s.visit == nil || s.visit() {
			return somebody
		}
		return nobody
	}
	a := s.axes[i]
	for on, r := range a.runs {
		a.on, a.at, a.together = on, r.first, r.last+1
		if result := s.from(i + 1); result != nobody {
			return result
		}
	}
	a.at = nowhere
	return nobody
}

// cell gives the runs of the cell in hand, axis by axis.
func (s *search) cell() []int {
	at := make([]int, len(s.axes))
	for i, a := range s.axes {
		at[i] = a.on
	}
	return at
}

// isApproximate tells whether the cells hold a comparison that pieces do not settle: a cell may then be one that no
// customer lies in.
func (s *search) isApproximate() bool {
	return slices.ContainsFunc(s.axes, func(a *cutField) bool { return a.field == nil })
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

func domainsOf(l *logic) []*domain {
	var domains []*domain
	for _, compared := range l.comparisons(nil) {
		if !slices.Contains(domains, compared.domain) {
			domains = append(domains, compared.domain)
		}
	}
	return domains
}

// leave notes that something could not be proven.
func (p *proof) leave(what string) {
	if !slices.Contains(p.unproven, what) {
		p.unproven = append(p.unproven, what)
	}
}

// mostUnproven is how many questions are named that were not answered.
const mostUnproven = 3

func (p *proof) tellUnproven() {
	if len(p.unproven) == 0 {
		return
	}
	named := strings.Join(p.unproven[:min(mostUnproven, len(p.unproven))], ", ")
	if more := len(p.unproven) - mostUnproven; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	p.proven[0].label.add(Finding{
		ID: idNotProven, Severity: SeverityNote, Message: "not proven, as there are too many cases to look at: " + named,
		Hint: "the rules work all the same; fewer thresholds in fewer fields make fewer cases",
	})
}

// fewest gives premises by which nobody is left and none of which can be left out: the first are tried first.
func (p *proof) fewest(premises []premise) []premise {
	needed := slices.Clone(premises)
	for i := 0; i < len(needed); {
		if fewer := without(needed, i); p.ask(p.facts, premiseLogics(fewer)...) == nobody {
			needed = fewer
		} else {
			i++
		}
	}
	return needed
}

func premiseLogics(premises []premise) []*logic {
	all := make([]*logic, len(premises))
	for i := range premises {
		all[i] = premises[i].logic
	}
	return all
}

// fewestFacts names facts that something holds by, none of which can be left out.
func (p *proof) fewestFacts(holds func(facts []*provenFact) bool) []string {
	if len(p.facts) == 0 || holds(nil) {
		return nil
	}
	needed := slices.Clone(p.facts)
	for i := 0; i < len(needed); {
		if fewer := without(needed, i); holds(fewer) {
			needed = fewer
		} else {
			i++
		}
	}
	var names []string
	for _, f := range needed {
		names = append(names, f.name)
	}
	return names
}
