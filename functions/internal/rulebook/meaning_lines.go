package rulebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// actionLines reports lines of actions that nobody reaches, and parts of their conditions that change nothing.
func (p *proof) actionLines(tier functions.Tier) {
	lines := p.lines[tier]
	crowds := p.crowds(tier)
	for i, line := range lines {
		for k := range crowds {
			crowds[k] = slices.Clone(crowds[k])
			if i > 0 {
				crowds[k] = append(crowds[k], premise{logic: not(lines[i-1].takes), of: ofEarlierLine})
			}
		}
		var own []premise
		for _, part := range line.parts {
			own = append(own, premise{logic: part.logic, text: part.text, of: ofPart})
		}
		name := fmt.Sprintf("%s %q", tier, line.says)
		if why := p.refuted(crowds, own, "whether anybody reaches the action "+name); why != nil {
			p.tellDead(tier, line, why)
			continue
		}
		if len(line.parts) > 0 {
			p.idleParts(&asked{
				what: name, crowds: crowds, expression: p.rules.actions[tier][i].when, parts: line.parts, everyone: "every " + string(tier),
			})
		}
	}
}

// tellDead says why nobody reaches a line of actions. That everybody was taken before is fine for the last line: it must
// be there.
func (p *proof) tellDead(tier functions.Tier, line *provenLine, why *reason) {
	f := Finding{ID: idDeadAction, Severity: SeverityWarning, Facts: why.facts}
	if len(line.parts) == 0 {
		f.Severity = SeverityNote
		f.Message = fmt.Sprintf("no %s is left for otherwise: the lines above it take them all", tier)
		line.where.add(f)
		return
	}
	own, rule := strings.Join(why.texts(ofPart), " and "), strings.Join(why.texts(ofRule), " and ")
	f.Message = fmt.Sprintf("no %s reaches this line: ", tier)
	switch {
	case why.lines:
		f.Message += "the lines above it take everyone it fits"
	case len(why.earlier) > 0:
		f.Message += strings.Join(why.earlier, " or ") + " takes them first"
	case rule == "":
		f.Message += "nobody has " + own
	case own == "":
		f.Message += "nobody has " + rule
	default:
		f.Message += rule + " contradicts " + own
	}
	hints := p.parametersOf(own, rule)
	if len(why.facts) == 0 && len(why.needed) == 1 && len(line.parts) > 0 {
		hints = append(hints, p.boundsOf(line.parts[0])...)
	}
	f.Hint = strings.Join(hints, "; ")
	blamed := line.parts[len(line.parts)-1]
	for _, part := range line.parts {
		if texts := why.texts(ofPart); len(texts) > 0 && part.text == texts[len(texts)-1] {
			blamed = part
		}
	}
	blamed.add(f)
}

// mentionLines reports what is said of everyone or of nobody, and parts of conditions that change nothing.
func (p *proof) mentionLines() {
	crowds := p.crowds("")
	for i, line := range p.mentions {
		if len(line.takes.comparisons(nil)) == 0 {
			continue
		}
		what := fmt.Sprintf("whether %q is ever said", line.says)
		f := Finding{Severity: SeverityNote}
		own := []premise{{logic: line.takes, of: ofQuestion}}
		others := []premise{{logic: not(line.takes), of: ofQuestion}}
		if why := p.refuted(crowds, own, what); why != nil {
			f.ID, f.Message = idNeverSaid, fmt.Sprintf("%q is never said: nobody in a tier has %s", line.says, allTexts(line.parts))
			p.tellSaid(line, f, why)
			continue
		}
		if why := p.refuted(crowds, others, what); why != nil {
			f.ID, f.Message = idAlwaysSaid, fmt.Sprintf("%q is said of everyone: each customer in a tier has %s", line.says, allTexts(line.parts))
			p.tellSaid(line, f, why)
			continue
		}
		p.idleParts(&asked{
			what: fmt.Sprintf("%q", line.says), crowds: crowds, expression: p.rules.mentions[i].when, parts: line.parts,
			everyone: "every customer in a tier",
		})
	}
}

func (p *proof) tellSaid(line *provenLine, f Finding, why *reason) {
	f.Facts = why.facts
	f.Hint = strings.Join(p.parametersOf(allTexts(line.parts)), "; ")
	line.where.add(f)
}

func allTexts(parts []conjunct) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = part.text
	}
	return strings.Join(texts, " and ")
}

// hole is a run of one field that falls between two lines of actions.
type hole struct {
	field        *domain
	words        string
	below, above *provenLine
}

// holes reports customers of a tier that fall between the bounds of two lines of actions and so are left to otherwise:
// 1000..1999 and over 2000 leave what lies between 1999 and 2000.
func (p *proof) holes(tier functions.Tier) {
	lines := p.lines[tier]
	var fields []*domain
	for _, line := range lines {
		for _, d := range domainsOf(line.takes) {
			if d.field != nil && d.field.kind.isNumber() && !slices.Contains(fields, d) {
				fields = append(fields, d)
			}
		}
	}
	slices.SortFunc(fields, func(a, b *domain) int { return strings.Compare(a.name, b.name) })
	var found []hole
	for _, field := range fields {
		h := &holeSearch{proof: p, tier: tier, lines: lines, field: field}
		if !h.run() {
			p.leave(fmt.Sprintf("whether the actions of %s leave a hole in %s", tier, field.name))
		}
		found = append(found, h.found...)
	}
	for _, h := range found {
		p.tellHole(tier, h)
	}
}

func (p *proof) tellHole(tier functions.Tier, h hole) {
	below, above := h.below.about(h.field), h.above.about(h.field)
	last := above
	if below.where.node.Line > above.where.node.Line {
		last = below
	}
	hints := append(p.parametersOf(below.text, above.text), "move one of the two bounds, or give them a line of their own")
	last.add(Finding{
		ID: idHole, Severity: SeverityWarning, Hint: strings.Join(hints, "; "),
		Message: fmt.Sprintf("a %s with %s %s falls between %q and %q and is left to otherwise", tier, h.field.name, h.words, below.text, above.text),
	})
}

// about is the part of a line that asks about a field.
func (l *provenLine) about(d *domain) conjunct {
	for _, part := range l.parts {
		if slices.Contains(domainsOf(part.logic), d) {
			return part
		}
	}
	return l.parts[0]
}

// holeSearch goes along one field, with all other fields held still.
type holeSearch struct {
	*proof
	tier  functions.Tier
	lines []*provenLine
	field *domain
	found []hole

	at    []int // the runs of the other fields
	below *provenLine
	gap   []bool // the pieces of the field that are left to otherwise, since the last line
	any   bool
}

// run tells whether the search came to an end.
func (h *holeSearch) run() bool {
	s := &search{must: []*logic{h.gives(h.tier)}, facts: h.facts, last: h.field}
	for _, line := range h.lines {
		s.watch = append(s.watch, line.takes)
	}
	s.visit = func() bool {
		cell := s.cell()
		if others := cell[:len(cell)-1]; h.gap == nil || !slices.Equal(others, h.at) {
			h.at, h.below, h.gap, h.any = slices.Clone(others), nil, make([]bool, len(h.field.pieces)), false
		}
		taker := slices.IndexFunc(h.lines, func(line *provenLine) bool { return line.takes.now() == isTrue })
		if s.isApproximate() && !h.shows(s, taker) {
			return false
		}
		h.step(s.axes[len(s.axes)-1], taker)
		return false
	}
	return h.proof.run(s) != unknown
}

// shows tells whether a customer of the cell in hand can be shown whom the line takes.
func (h *holeSearch) shows(s *search, taker int) bool {
	return h.shown(s.facts, func(w *witness) bool {
		if at := w.first(h.whens(len(h.proven))); at < 0 || h.proven[at].tier != h.tier {
			return false
		}
		return w.first(h.dos(h.tier)) == taker
	})
}

// dos are the conditions of the actions of a tier; the last has none.
func (p *proof) dos(tier functions.Tier) []*expression {
	var all []*expression
	for _, a := range p.rules.actions[tier] {
		all = append(all, a.when)
	}
	return all
}

// gives is what a customer fits who gets a tier.
func (p *proof) gives(tier functions.Tier) *logic {
	var ways []*logic
	for i, r := range p.proven {
		if r.tier == tier {
			ways = append(ways, allOf(append(noneOf(p.proven[:i]), r.takes)...))
		}
	}
	return anyOf(ways...)
}

// step goes on to the next run of the field.
func (h *holeSearch) step(field *cutField, taker int) {
	r := field.runs[field.on]
	if taker == len(h.lines)-1 { // otherwise
		for piece := r.first; piece <= r.last; piece++ {
			h.gap[piece] = h.below != nil && !h.field.pieces[piece].empty
			h.any = h.any || h.gap[piece]
		}
		return
	}
	line := h.lines[taker]
	if h.any && h.below != line && !h.field.pieces[r.first].empty {
		one := hole{field: h.field, words: h.field.words(h.gap), below: h.below, above: line}
		if !slices.Contains(h.found, one) {
			h.found = append(h.found, one)
		}
	}
	h.below, h.gap, h.any = line, make([]bool, len(h.field.pieces)), false
	if h.field.pieces[r.last].empty {
		h.below = nil
	}
}
