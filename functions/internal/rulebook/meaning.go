package rulebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// meaning tells what sound rules mean beyond what they say: where two of them meet, which of their parts change
// nothing, which lines are never reached, and which parts of the score rank nobody. What is claimed of all customers is
// proven on every cell; what is claimed of some is shown to a customer who is one of them.
func (p *proof) meaning() {
	p.overlaps()
	for i, r := range p.proven {
		p.idleParts(&asked{
			what: r.id, crowds: [][]premise{p.before(i)}, expression: r.when, parts: r.parts,
		})
	}
	for _, tier := range p.rules.tiers() {
		p.actionLines(tier)
		p.holes(tier)
	}
	p.mentionLines()
	p.scores()
}

// premise is one of the conditions that together rule everybody out.
type premise struct {
	logic   *logic
	text    string
	of      premiseOf
	earlier string // the rule that takes the others
}

// premiseOf is where a premise comes from.
type premiseOf int

const (
	ofEarlierRule premiseOf = iota // nobody whom it takes
	ofEarlierLine
	ofRule // a part of the rule that gives the tier
	ofPart // a part of the condition itself
	ofQuestion
)

// before is who is left for a rule.
func (p *proof) before(rule int) []premise {
	premises := make([]premise, rule)
	for i, e := range p.proven[:rule] {
		premises[i] = premise{logic: not(e.takes), of: ofEarlierRule, earlier: e.id}
	}
	return premises
}

// crowds are the customers of a tier, rule by rule; without a tier, those of all tiers.
func (p *proof) crowds(tier functions.Tier) [][]premise {
	var crowds [][]premise
	for i, r := range p.proven {
		if tier != "" && r.tier != tier {
			continue
		}
		crowd := p.before(i)
		for _, part := range r.parts {
			crowd = append(crowd, premise{logic: part.logic, text: part.text, of: ofRule})
		}
		crowds = append(crowds, crowd)
	}
	return crowds
}

// reason is why nobody fits.
type reason struct {
	facts   []string
	needed  []premise // of the first crowd
	earlier []string  // rules that take the others first
	lines   bool      // an earlier line does
}

// texts are those of the premises of one origin.
func (r *reason) texts(of premiseOf) []string {
	var texts []string
	for _, n := range r.needed {
		if n.of == of {
			texts = append(texts, n.text)
		}
	}
	return texts
}

// refuted tells whether nobody in any crowd fits what is asked, and why. It tries first without the rules and lines that
// come before: what holds without them holds wherever the line stands.
func (p *proof) refuted(crowds [][]premise, asked []premise, what string) *reason {
	return p.refutedBy(crowds, asked, what, false, true)
}

// refutedBy is refuted without the rules and lines before, or with them.
func (p *proof) refutedBy(crowds [][]premise, asked []premise, what string, tries ...bool) *reason {
	for i, withEarlier := range tries {
		cases := make([][]premise, len(crowds))
		for k, crowd := range crowds {
			for _, one := range crowd {
				if withEarlier || one.of != ofEarlierRule && one.of != ofEarlierLine {
					cases[k] = append(cases[k], one)
				}
			}
			cases[k] = append(cases[k], asked...)
		}
		result := nobody
		for _, one := range cases {
			if result = p.ask(p.facts, premiseLogics(one)...); result != nobody {
				break
			}
		}
		switch {
		case result == nobody:
			return p.why(cases)
		case result == unknown && i == len(tries)-1:
			p.leave(what)
		}
	}
	return nil
}

// why finds the fewest premises and facts by which nobody fits.
func (p *proof) why(cases [][]premise) *reason {
	r := &reason{}
	for i := range cases {
		cases[i] = p.fewest(cases[i])
	}
	r.facts = p.fewestFacts(func(facts []*provenFact) bool {
		for _, one := range cases {
			if p.ask(facts, premiseLogics(one)...) != nobody {
				return false
			}
		}
		return true
	})
	for i, one := range cases {
		if i == 0 {
			r.needed = one
		}
		for _, n := range one {
			if n.of == ofEarlierRule && !slices.Contains(r.earlier, n.earlier) {
				r.earlier = append(r.earlier, n.earlier)
			}
			r.lines = r.lines || n.of == ofEarlierLine
		}
	}
	return r
}

// asked is a condition whose parts are looked at, with the customers that it is asked of.
type asked struct {
	what       string // whose condition
	crowds     [][]premise
	expression *expression
	parts      []conjunct
	everyone   string // how the customers are called
}

// idleParts reports the parts of a condition whose removal changes nothing.
func (p *proof) idleParts(a *asked) {
	var idle []*removable
	for _, r := range a.expression.removables(a.parts) {
		if slices.ContainsFunc(idle, r.lies) {
			continue // its whole was told
		}
		var rest []premise
		for i, part := range a.parts {
			if i != r.part {
				rest = append(rest, premise{logic: part.logic, text: part.text, of: ofPart})
			}
		}
		rest = append(rest, premise{logic: differs(a.parts[r.part].logic, r.without), text: r.text, of: ofQuestion})
		tries := []bool{false}
		if r.kind == aValue {
			// Of a condition that only what stands before it makes needless nothing is said: it keeps its line true wherever
			// the line stands.
			tries = append(tries, true)
		}
		why := p.refutedBy(a.crowds, rest, "whether every condition of "+a.what+" has an effect", tries...)
		if why == nil {
			continue
		}
		idle = append(idle, r)
		p.tellIdle(a, r, why)
	}
}

// tellIdle says why a part has no effect.
func (p *proof) tellIdle(a *asked, r *removable, why *reason) {
	f := Finding{ID: idNoEffect, Severity: SeverityWarning, Facts: why.facts}
	own := append(why.texts(ofRule), why.texts(ofPart)...)
	switch {
	case r.kind == anAlternative:
		f.Message = "without it the same customers fit"
	case why.lines:
		f.Message = "the lines above take them first"
	case len(why.earlier) > 0:
		f.Message = strings.Join(why.earlier, " or ") + " takes them first"
	case r.kind == aValue && len(own) == 0:
		f.Message = "nobody has " + r.text
	case r.kind == aValue:
		f.Message = strings.Join(own, " and ") + " and " + r.text + " never meet"
	case len(why.texts(ofPart)) > 0:
		f.Message = "whoever has " + strings.Join(why.texts(ofPart), " and ") + " has it"
	case len(own) > 0:
		f.Message = a.everyone + " has it"
	default:
		f.Message = "every customer has it"
	}
	f.Message = r.label() + " has no effect: " + f.Message
	parameters := p.parametersOf(r.text)
	if r.kind == aValue || len(parameters) > 0 { // a list may say more than is so today, and a parameter may be set to act
		f.Severity = SeverityNote
	}
	hints := parameters
	if len(why.facts) == 0 && len(own) == 0 {
		hints = append(hints, p.boundsOf(r.conjunct)...)
	}
	f.Hint = strings.Join(hints, "; ")
	r.add(f)
}

// overlaps reports two rules of different tiers that fit the same customers: there the order of the rules decides.
func (p *proof) overlaps() {
	for j, later := range p.proven {
		for i, first := range p.proven[:j] {
			if first.tier == later.tier {
				continue
			}
			both := []*logic{first.takes, later.takes}
			if p.ask(p.facts, both...) == nobody {
				continue
			}
			must := append(noneOf(p.proven[:i]), both...)
			s := &search{must: must, facts: p.facts}
			s.visit = func() bool {
				return !s.isApproximate() || p.shown(s.facts, func(w *witness) bool {
					return w.first(p.whens(j)) == i && w.fits(later.when)
				})
			}
			switch p.run(s) {
			case nobody:
				continue
			case unknown:
				p.leave("whether " + later.id + " and " + first.id + " fit the same customers")
				continue
			case somebody:
			}
			later.label.add(Finding{
				ID: idOverlap, Severity: SeverityWarning,
				Message: fmt.Sprintf("%s (%s) also fits customers that %s (%s) takes: %s", later.id, later.tier, first.id, first.tier, p.region(must)),
				Hint:    "the first rule that fits wins; if that is meant, say so in one of the two: give it a condition that keeps them apart",
			})
		}
	}
}

// whens are the conditions of the rules before one.
func (p *proof) whens(rule int) []*expression {
	all := make([]*expression, rule)
	for i, r := range p.proven[:rule] {
		all[i] = r.when
	}
	return all
}
