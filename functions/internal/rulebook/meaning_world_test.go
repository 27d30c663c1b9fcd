package rulebook

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
)

// world is every customer of the small vocabulary, with values of each piece, who breaks no fact.
type world struct {
	*testing.T
	machine vm.VM
	scope   *scope
	p       *priority
	freely  bool
	rows    []*row
	taker   []int // of each row, the rule
	line    []int // of each row in a tier, the action
}

func newWorld(t *testing.T, a *author, v *vocabulary, p *priority) *world {
	t.Helper()
	w := &world{T: t, p: p, freely: a.freely, scope: &scope{vocabulary: v, parameters: p.parameters}}
	named := slices.Clone(a.fields)
	if a.freely {
		named = append(named, "total_orders", "days_since_last_order")
	}
	named = append(named, "is_value_drop")
	var make func(i int, r row)
	make = func(i int, r row) {
		if i < len(v.fields) {
			f := v.fields[i]
			values := f.everyValue()
			if !slices.Contains(named, f.name) {
				values = values[:1]
			}
			for _, value := range values {
				next := r
				f.set(&next, value)
				make(i+1, next)
			}
			return
		}
		if r.MaybeAvgOrderValue != nil {
			r.MaybeAvgOrderValue = &r.AvgOrderValue
		}
		for _, f := range v.facts {
			if broken, err := f.brokenBy(&w.machine, &r); err != nil || broken {
				return
			}
		}
		w.rows = append(w.rows, &r)
	}
	make(0, row{})
	for _, r := range w.rows {
		taker := slices.IndexFunc(p.rules, func(one *rule) bool { return w.fits(one.when, r) })
		line := -1
		if taker >= 0 {
			line = slices.IndexFunc(p.actions[p.rules[taker].tier], func(one action) bool { return w.fits(one.when, r) })
		}
		w.taker, w.line = append(w.taker, taker), append(w.line, line)
	}
	return w
}

// everyValue are all whole numbers, all words, and of an amount the whole numbers and some between them.
func (f *field) everyValue() []representative {
	var values []representative
	switch f.kind {
	case kindChoice:
		for _, word := range f.values {
			values = append(values, representative{text: word})
		}
	case kindYesNo:
		values = []representative{{yes: false}, {yes: true}}
	default:
		for number := f.low; number <= f.high; number++ {
			values = append(values, representative{number: number})
			if f.kind == kindAmount && number < f.high {
				values = append(values, representative{number: number + 0.01}, representative{number: number + 0.5}, representative{number: number + 0.99})
			}
		}
	}
	if f.mayBeEmpty {
		values = append(values, representative{empty: true})
	}
	return values
}

func (w *world) fits(e *expression, r *row) bool {
	if e == nil {
		return true
	}
	is, err := e.truth(&w.machine, r)
	if err != nil {
		w.Fatal(err)
	}
	return is
}

// some tells whether a customer is one of those.
func (w *world) some(is func(i int, r *row) bool) bool {
	for i, r := range w.rows {
		if is(i, r) {
			return true
		}
	}
	return false
}

func (w *world) tier(i int) functions.Tier {
	if w.taker[i] < 0 {
		return ""
	}
	return w.p.rules[w.taker[i]].tier
}

// reread compiles a condition with a part of it left out, as its author would write it.
func (w *world) reread(e *expression, r *removable) *expression {
	out := &collector{}
	node := e.where.node
	doc := &document{file: "left out", source: newSource(""), out: out}
	var compiled *expression
	if node.Kind == yaml.MappingNode {
		rest := &yaml.Node{Kind: yaml.MappingNode}
		for k := 0; k < len(node.Content); k += 2 {
			cell := node.Content[k+1]
			switch {
			case cell == r.where.node: // left out
			case cell.Kind == yaml.SequenceNode && slices.Contains(cell.Content, r.where.node):
				list := &yaml.Node{Kind: yaml.SequenceNode}
				for _, item := range cell.Content {
					if item != r.where.node {
						list.Content = append(list.Content, item)
					}
				}
				rest.Content = append(rest.Content, node.Content[k], list)
			default:
				rest.Content = append(rest.Content, node.Content[k], cell)
			}
		}
		if len(rest.Content) == 0 {
			compiled = w.scope.compileText("true", value{doc, node}, kindYesNo)
		} else {
			compiled = w.scope.condition(value{doc, rest})
		}
	} else {
		text := []rune(e.text)
		instead := map[removableKind]string{aCondition: "true", anAlternative: "false"}[r.kind]
		from, to := r.from, r.to
		if to == 0 {
			to = len(text)
		}
		if r.kind == aValue { // another value of the list takes its place
			start := strings.LastIndex(string(text[:from]), "[")
			list := string(text[start : from+strings.Index(string(text[from:]), "]")+1])
			for other := range strings.SplitSeq(strings.Trim(list, "[]"), ", ") {
				if other != string(text[from:to]) {
					instead = other
				}
			}
		}
		compiled = w.scope.compileText(string(text[:from])+" "+instead+" "+string(text[to:]), value{doc, node}, kindYesNo)
	}
	if compiled == nil {
		w.Fatalf("without %q: %v", r.text, out.findings)
	}
	return compiled
}

// claim is what is said, and of which place.
type claim struct {
	id           string
	severity     Severity
	line, column int
	what         string
}

func (w *world) claimAt(at place, id string, severity Severity, what string) claim {
	out := &collector{}
	copied := *at.where.doc
	copied.out = out
	at.where.doc = &copied
	at.add(Finding{})
	return claim{id, severity, out.findings[0].Line, out.findings[0].Column, what}
}

// idle are the parts of a condition that could be left out as far as those customers go.
func (w *world) idle(e *expression, population, afterEarlier func(i int, r *row) bool) []claim {
	var claims []claim
	var idle []*removable
	proof := newProof(w.p, w.scope.vocabulary)
	parts, _ := proof.settled(e)
	for _, r := range e.removables(parts) {
		if slices.ContainsFunc(idle, r.lies) {
			continue
		}
		among := population
		if r.kind == aValue {
			among = afterEarlier
		}
		shorter := w.reread(e, r)
		if w.some(func(i int, one *row) bool { return among(i, one) && w.fits(e, one) != w.fits(shorter, one) }) {
			continue
		}
		if !w.freely { // there the whole may be more than can be proven
			idle = append(idle, r)
		}
		severity := SeverityWarning
		if r.kind == aValue || strings.Contains(r.text, "two") {
			severity = SeverityNote
		}
		claims = append(claims, w.claimAt(r.place, idNoEffect, severity, ""))
	}
	return claims
}

// errors are the rules that get nobody.
func (w *world) errors() (claims []claim) {
	for k, r := range w.p.rules {
		switch {
		case !w.some(func(_ int, one *row) bool { return w.fits(r.when, one) }):
			claims = append(claims, claim{id: idNeverMatches, what: r.id})
		case !w.some(func(i int, _ *row) bool { return w.taker[i] == k }):
			claims = append(claims, claim{id: idShadowed, what: r.id})
		}
	}
	return claims
}

// claims are what is true of rules that all get somebody.
func (w *world) claims() (claims []claim) {
	for k, r := range w.p.rules {
		for e, first := range w.p.rules[:k] {
			both := func(i int, one *row) bool { return w.taker[i] == e && w.fits(r.when, one) }
			if first.tier != r.tier && w.some(both) {
				claims = append(claims, w.claimAt(place{where: r.label}, idOverlap, SeverityWarning, first.id))
			}
		}
		all := func(int, *row) bool { return true }
		left := func(i int, _ *row) bool { return w.taker[i] < 0 || w.taker[i] >= k }
		claims = append(claims, w.idle(r.when, all, left)...)
	}
	for _, tier := range w.p.tiers() {
		claims = append(claims, w.lineClaims(tier)...)
		claims = append(claims, w.holeClaims(tier)...)
	}
	for _, m := range w.p.mentions {
		tiered := func(i int, _ *row) bool { return w.taker[i] >= 0 }
		at := place{where: m.when.where}
		never := !w.some(func(i int, one *row) bool { return tiered(i, one) && w.fits(m.when, one) })
		always := !w.some(func(i int, one *row) bool { return tiered(i, one) && !w.fits(m.when, one) })
		if never {
			claims = append(claims, w.claimAt(at, idNeverSaid, SeverityNote, ""))
		}
		if always && (!never || w.freely) {
			claims = append(claims, w.claimAt(at, idAlwaysSaid, SeverityNote, ""))
		}
		if !never && !always || w.freely {
			claims = append(claims, w.idle(m.when, tiered, tiered)...)
		}
	}
	return claims
}

func (w *world) lineClaims(tier functions.Tier) (claims []claim) {
	for k, line := range w.p.actions[tier] {
		if !w.some(func(i int, _ *row) bool { return w.tier(i) == tier && w.line[i] == k }) {
			if line.when == nil {
				claims = append(claims, w.claimAt(place{where: line.says}, idDeadAction, SeverityNote, ""))
			} else {
				claims = append(claims, claim{id: idDeadAction, severity: SeverityWarning, line: line.when.where.node.Line})
			}
			if !w.freely {
				continue
			}
		}
		if line.when == nil {
			continue
		}
		of := func(_ int, one *row) bool { // without the rules before, as a part must hold wherever its line stands
			return slices.ContainsFunc(w.p.rules, func(r *rule) bool { return r.tier == tier && w.fits(r.when, one) })
		}
		left := func(i int, _ *row) bool { return w.tier(i) == tier && w.line[i] >= k }
		claims = append(claims, w.idle(line.when, of, left)...)
	}
	return claims
}

// holeClaims walks every number field with all others held still.
func (w *world) holeClaims(tier functions.Tier) (claims []claim) {
	actions := w.p.actions[tier]
	for _, f := range w.scope.vocabulary.fields {
		if !f.kind.isNumber() || !slices.ContainsFunc(actions, func(a action) bool { return a.when != nil && strings.Contains(a.when.text, f.name) }) {
			continue
		}
		type step struct {
			number float64
			line   int
		}
		walks := map[row][]step{}
		for i, r := range w.rows {
			if w.tier(i) != tier {
				continue
			}
			if f.mayBeEmpty && r.MaybeAvgOrderValue == nil {
				continue
			}
			others, number := *r, f.numberIn(r)
			others.MaybeAvgOrderValue = nil
			if !f.mayBeEmpty && r.MaybeAvgOrderValue == nil {
				others.AvgOrderValue = -1
			}
			f.set(&others, representative{empty: true})
			walks[others] = append(walks[others], step{number, w.line[i]})
		}
		found := map[[2]int]bool{}
		for _, steps := range walks {
			slices.SortFunc(steps, func(a, b step) int { return int(1000 * (a.number - b.number)) })
			below, gap := -1, false
			for _, s := range steps {
				switch {
				case s.line == len(actions)-1:
					gap = below >= 0
				default:
					if gap && below != s.line {
						found[[2]int{below, s.line}] = true
					}
					below, gap = s.line, false
				}
			}
		}
		for pair := range found {
			claims = append(claims, claim{id: idHole, what: fmt.Sprint(tier, f.name, actions[pair[0]].do, actions[pair[1]].do)})
		}
	}
	return claims
}

func (f *field) numberIn(r *row) float64 {
	return map[string]float64{
		"days_since_last_order": r.Days, "churn_risk_score": r.RiskScore, "total_revenue": r.Revenue,
		"total_orders": r.Orders, "avg_order_value": r.AvgOrderValue, medianRevenue: r.MedianRevenue,
	}[f.name]
}

// claimed are the claims of the check in the same form.
func claimed(findings Findings, p *priority) (claims []claim) {
	for _, f := range findings {
		c := claim{f.ID, f.Severity, f.Line, f.Column, ""}
		switch f.ID {
		case idNeverMatches, idShadowed:
			id, _, _ := strings.Cut(f.Message, " ")
			c = claim{id: f.ID, what: id}
		case idOverlap:
			_, rest, _ := strings.Cut(f.Message, "customers that ")
			c.what, _, _ = strings.Cut(rest, " ")
		case idDeadAction:
			if f.Severity == SeverityWarning {
				c.column = 0
			}
		case idHole:
			c = holeSaid(f, p)
		case idNoEffect, idAlwaysSaid, idNeverSaid:
		default:
			continue // of scores
		}
		claims = append(claims, c)
	}
	return claims
}

// holeSaid reads which lines a hole lies between.
func holeSaid(f Finding, p *priority) claim {
	words := strings.Fields(f.Message)
	tier, field := functions.Tier(words[1]), words[3]
	var dos []string
	quoted := strings.Split(f.Message, ` falls between "`)[1]
	for _, text := range strings.SplitN(strings.TrimSuffix(quoted, `" and is left to otherwise`), `" and "`, 2) {
		text = strings.ReplaceAll(text, `\"`, `"`)
		for _, a := range p.actions[tier] {
			if a.when != nil && slices.ContainsFunc(a.when.conjuncts(), func(c conjunct) bool { return c.text == text }) {
				dos = append(dos, a.do)
				break
			}
		}
	}
	return claim{id: idHole, what: fmt.Sprint(tier, field, strings.Join(dos, ""))}
}

func sortedClaims(claims []claim) []string {
	texts := make([]string, len(claims))
	for i, c := range claims {
		texts[i] = fmt.Sprintf("%+v", c)
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}
