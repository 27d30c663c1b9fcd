package rulebook

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/expr-lang/expr/vm"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/rules"
)

// smallFields is a vocabulary with so few values that every customer can be tried.
const smallFields = `fields:
  retention_status: {type: choice, values: [ACTIVE, AT_RISK, INACTIVE], from: retention_snapshot}
  days_since_last_order: {type: whole number, min: 0, max: 4, from: retention_snapshot}
  churn_risk_level: {type: choice, values: [LOW, HIGH], from: churn_detection}
  churn_risk_score: {type: whole number, min: 0, max: 3, from: churn_detection}
  is_frequency_drop: {type: yes/no, from: churn_detection}
  is_status_inconsistent: {type: yes/no, from: churn_detection}
  is_value_drop: {type: yes/no, from: churn_detection}
  total_revenue: {type: amount, min: 0, max: 3, from: base_customers}
  total_orders: {type: whole number, min: 1, max: 3, from: base_customers}
  avg_order_value: {type: amount, min: 0, max: 2, may_be_empty: yes, from: base_customers}
  median_revenue: {type: amount, min: 0, max: 2, statistic: median, of: total_revenue}
`

// author writes random rule files over a few of the fields.
type author struct {
	*rand.Rand
	fields []string // that are named
	freely bool     // with comparisons of fields with one another
	plain  bool     // with a score of one part, so that its ends are met at corners
}

func (a *author) one(words ...string) string { return words[a.IntN(len(words))] }

func (a *author) number(name string) string {
	if a.freely && a.IntN(4) == 0 {
		return a.one("total_orders", "days_since_last_order")
	}
	highest := map[string]int{"days_since_last_order": 4, "churn_risk_score": 3, "total_revenue": 3, "total_orders": 3, "avg_order_value": 2}[name]
	if a.IntN(8) == 0 {
		return "two"
	}
	return fmt.Sprint(a.IntN(highest + 1))
}

func (a *author) words(name string) []string {
	if name == "retention_status" {
		return []string{"ACTIVE", "AT_RISK", "INACTIVE"}
	}
	return []string{"LOW", "HIGH"}
}

func (a *author) cell(name string) string {
	switch name {
	case "retention_status", "churn_risk_level":
		words := a.words(name)
		a.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		return a.one(words[0], words[0], "not "+words[0], "["+words[0]+", "+words[1]+"]")
	case "is_frequency_drop", "is_status_inconsistent", "is_value_drop":
		return a.one("yes", "no")
	}
	low, high := a.number(name), a.number(name)
	forms := []string{"over " + low, "at least " + low, "below " + low, "up to " + low, low, "not " + low}
	if low < high && high < "9" {
		forms = append(forms, low+".."+high, low+".."+high, "["+low+", "+high+"]")
	}
	if name == "avg_order_value" {
		forms = append(forms, "empty", "not empty")
	}
	return a.one(forms...)
}

func (a *author) cells(most int) string {
	names := slices.Clone(a.fields)
	a.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var cells []string
	for _, name := range names[:1+a.IntN(min(most, len(names)))] {
		cells = append(cells, name+": "+a.cell(name))
	}
	return "{" + strings.Join(cells, ", ") + "}"
}

func (a *author) atom() string {
	name := a.one(a.fields...)
	switch name {
	case "retention_status", "churn_risk_level":
		words := a.words(name)
		first := a.IntN(len(words))
		word, other := words[first], words[(first+1)%len(words)]
		return a.one(fmt.Sprintf("%s == %q", name, word), fmt.Sprintf("%s != %q", name, word), fmt.Sprintf("%s in [%q, %q]", name, word, other))
	case "is_frequency_drop", "is_status_inconsistent", "is_value_drop":
		return a.one(name, name+" == false", "("+name+" == is_value_drop)")
	case "avg_order_value":
		return a.one("avg_order_value == nil", "(avg_order_value ?? 1) "+a.one("<", ">=")+" "+a.number(name))
	default:
		if a.IntN(5) == 0 {
			return name + " in [1, 2]"
		}
		return name + " " + a.one("<", "<=", ">", ">=", "==") + " " + a.number(name)
	}
}

func (a *author) truth(depth int) string {
	if depth == 0 {
		return a.atom()
	}
	switch a.IntN(6) {
	case 0, 1:
		return a.truth(depth-1) + " and " + a.truth(depth-1)
	case 2:
		return "(" + a.truth(depth-1) + " or " + a.truth(depth-1) + ")"
	case 3:
		return "not (" + a.truth(depth-1) + ")"
	case 4:
		return "(" + a.atom() + " ? " + a.truth(depth-1) + " : " + a.atom() + ")"
	default:
		return a.atom()
	}
}

func (a *author) condition() string {
	if a.IntN(3) == 0 {
		return "'" + a.truth(1+a.IntN(2)) + "'"
	}
	return a.cells(3)
}

func (a *author) points() string {
	part := func(name string) string {
		switch name {
		case "retention_status":
			return `retention_status == "ACTIVE" ? 1 : 0`
		case "churn_risk_level":
			return `churn_risk_level in ["HIGH"] ? 2 : 1`
		case "is_frequency_drop", "is_status_inconsistent", "is_value_drop":
			return name + " ? 3 : 1"
		case "avg_order_value":
			return "(avg_order_value ?? 1) * 2"
		}
		return a.one(name+" / 2", "min("+name+", 2)", "4 - "+name, name+" > 1 ? "+name+" : 0", "max(1, "+name+")")
	}
	var out strings.Builder
	parts := 1
	if !a.plain {
		parts += a.IntN(2)
	}
	for i := range parts {
		fmt.Fprintf(&out, "    - {name: part-%d, points: '%s'", i, part(a.one(a.fields...)))
		if a.IntN(2) == 0 {
			fmt.Fprintf(&out, ", at_most: %d", 1+a.IntN(3))
		}
		out.WriteString("}\n")
	}
	return out.String()
}

// files writes a vocabulary with facts, and rules.
func (a *author) files() fstest.MapFS {
	fields := smallFields
	if facts := a.IntN(4); facts > 0 {
		fields += "facts:\n"
		for i := range facts {
			fields += fmt.Sprintf("  - {fact: fact-%d, if: %s, then: %s}\n", i, a.cells(1), a.cells(1))
		}
	}
	var out strings.Builder
	out.WriteString("rules: priority\nparameters: {two: 2}\ntiers:\n")
	used := map[string]bool{}
	for i := range 1 + a.IntN(3) {
		tier := a.one("P1", "P2")
		used[tier] = true
		fmt.Fprintf(&out, "  - rule: rule-%d\n    tier: %s\n    reason: r\n    when: %s\n", i, tier, a.condition())
	}
	out.WriteString("also_mention:\n")
	for i := range 1 + a.IntN(2) {
		fmt.Fprintf(&out, "  - {say: mention %d, when: %s}\n", i, a.condition())
	}
	fmt.Fprintf(&out, "score:\n  start: {P1: 10, P2: %d}\n  add:\n%s  at_most: %d\n  decimals: 2\n", 6+a.IntN(4), a.points(), 11+a.IntN(5))
	out.WriteString("value_proxy: {share: 0.5, of: total_revenue, decimals: 2}\nactions:\n")
	for _, tier := range sortedKeys(used) {
		fmt.Fprintf(&out, "  %s:\n", tier)
		if name := a.fields[0]; strings.Contains("days_since_last_order total_revenue avg_order_value", name) && a.IntN(2) == 0 {
			fmt.Fprintf(&out, "    - when: {%s: %s}\n      do: low\n", name, a.one("0", "up to 1", "below 1", "0..1"))
			fmt.Fprintf(&out, "    - when: {%s: %s}\n      do: high\n", name, a.one("over 1", "at least 2", "2", "over two"))
		}
		for i := range a.IntN(4) {
			fmt.Fprintf(&out, "    - when: %s\n      do: do %d\n", a.condition(), i)
		}
		out.WriteString("    - otherwise: do nothing\n")
	}
	files := fstest.MapFS{fieldsFile: {Data: []byte(fields)}, priorityFile: {Data: []byte(out.String())}}
	for _, name := range []string{playbooksFile, rolloutFile} {
		data, err := rules.FS.ReadFile(name)
		if err != nil {
			panic(err)
		}
		files[name] = &fstest.MapFile{Data: []byte(strings.NewReplacer("P1, P2, P3", "P1, P2").Replace(string(data)))}
	}
	return files
}

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

// checkScores compares what is said of scores with those of all customers.
func (w *world) checkScores(a *author, ranges []TierScore, findings Findings) {
	type ends struct{ low, high float64 }
	scores, parts := map[functions.Tier]ends{}, map[string]ends{}
	note := func(all map[string]ends, key string, number float64) {
		e, has := all[key]
		if !has {
			e = ends{number, number}
		}
		all[key] = ends{min(e.low, number), max(e.high, number)}
	}
	totals := map[string]ends{}
	uncapped := 0.0
	for i, r := range w.rows {
		tier := w.tier(i)
		if tier == "" {
			continue
		}
		score, err := w.p.score.of(tier, &w.machine, r)
		if err != nil {
			w.Fatal(err)
		}
		note(totals, string(tier), score)
		sum := w.p.score.start[tier]
		for _, part := range w.p.score.parts {
			points, err := part.points.number(&w.machine, r)
			if err != nil {
				w.Fatal(err)
			}
			note(parts, part.name+string(tier), points)
			sum += min(points, part.atMost)
		}
		uncapped = max(uncapped, sum)
	}
	for tier, e := range totals {
		scores[functions.Tier(tier)] = e
	}
	for _, r := range ranges {
		got, has := scores[r.Tier]
		if !has {
			if !w.freely {
				w.Errorf("%s holds nobody", r.Tier)
			}
			continue
		}
		if got.low < r.Low || got.high > r.High {
			w.Errorf("%s: said %v..%v, found %v..%v", r.Tier, r.Low, r.High, got.low, got.high)
		}
	}
	exact := a.plain && !a.freely
	text := findings.Error()
	for _, part := range w.p.score.parts {
		for _, r := range ranges {
			points := parts[part.name+string(r.Tier)]
			low, high := min(points.low, part.atMost), min(points.high, part.atMost)
			constant := saidOf(text, part.name+" is always ", string(r.Tier))
			if constant && low != high {
				w.Errorf("%s is not constant for %s: %v..%v", part.name, r.Tier, low, high)
			}
			idle := saidOf(text, "the cap of "+part.name+" never acts", string(r.Tier))
			if idle && points.high > part.atMost {
				w.Errorf("the cap of %s acts for %s: %v", part.name, r.Tier, points.high)
			}
			if wide := part.points.within; exact && low == high && !constant && !wide.isConstant() && !strings.Contains(part.points.text, "avg") {
				w.Errorf("%s is constant for %s and that is not said: %v", part.name, r.Tier, low)
			}
		}
	}
	if idle := strings.Contains(text, fmt.Sprintf("the cap of %v never acts", w.p.score.atMost)); idle && uncapped > w.p.score.atMost || exact && !idle && uncapped < w.p.score.atMost-0.05 {
		w.Errorf("that the cap of %v never acts is said %v; the highest is %v", w.p.score.atMost, idle, uncapped)
	}
	if len(ranges) == 2 {
		can := scores["P2"].high > scores["P1"].low
		told := strings.Contains(text, "a P2 can outscore a P1")
		if told && !can && !a.freely || exact && can && !told {
			w.Errorf("that a P2 can outscore a P1 is said %v: %v, %v", told, scores["P2"].high, scores["P1"].low)
		}
	}
}

// saidOf tells whether a line says something of a tier.
func saidOf(text, what, tier string) bool {
	return slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.Contains(line, what) && strings.Contains(line, tier)
	})
}

// TestMeaningAgreesWithEveryCustomer writes random small rule files, and compares all that the check claims with what is
// true when each customer that can be is tried. With comparisons of fields with one another it may claim less.
func TestMeaningAgreesWithEveryCustomer(t *testing.T) {
	t.Parallel()
	fields := []string{
		"retention_status", "days_since_last_order", "churn_risk_level", "churn_risk_score", "is_frequency_drop", "total_revenue", "avg_order_value",
	}
	count := 600
	if testing.Short() {
		count = 100
	}
	seen := map[string]int{}
	for seed := range count {
		a := &author{Rand: rand.New(rand.NewPCG(uint64(seed), 3)), fields: slices.Clone(fields), freely: seed%4 == 3, plain: seed%2 == 0}
		a.Shuffle(len(a.fields), func(i, j int) { a.fields[i], a.fields[j] = a.fields[j], a.fields[i] })
		a.fields = a.fields[:2+a.IntN(2)]
		files := a.files()
		out := &collector{kept: true}
		v, _ := loadVocabulary(files, out)
		p, _ := loadPriority(files, v, out)
		if out.findings.Errors() > 0 {
			continue // such as a cell of two numbers of which the first is the higher
		}
		w := newWorld(t, a, v, p)
		book, findings := Check(files)
		if len(w.rows) == 0 {
			if text := findings.Error(); !a.freely && !strings.Contains(text, "nobody can fit the fact") {
				t.Fatalf("seed %d: there is no customer at all:\n%s\n%s", seed, text, files[fieldsFile].Data[len(smallFields):])
			}
			continue
		}
		want := w.errors()
		if len(want) == 0 || a.freely { // there not every error is proven
			want = append(want, w.claims()...)
		}
		got := claimed(findings, p)
		missing, wrong := compareClaims(sortedClaims(want), sortedClaims(got))
		if a.freely {
			missing = nil
		}
		for _, c := range got {
			seen[c.id]++
		}
		if len(missing)+len(wrong) > 0 {
			t.Fatalf("seed %d (%v): not said: %s\nwrongly said: %s\n%s\n%s\n%s", seed, a.fields, strings.Join(missing, "\n"), strings.Join(wrong, "\n"),
				findings, files[fieldsFile].Data[len(smallFields):], files[priorityFile].Data)
		}
		if book != nil {
			w.checkScores(a, book.ScoreRanges(), findings)
			if t.Failed() {
				t.Fatalf("seed %d:\n%s\n%s\n%s", seed, findings, files[fieldsFile].Data[len(smallFields):], files[priorityFile].Data)
			}
		}
	}
	for _, id := range []string{idNeverMatches, idShadowed, idOverlap, idNoEffect, idDeadAction, idHole, idAlwaysSaid, idNeverSaid} {
		if seen[id] < 5 && !testing.Short() {
			t.Errorf("%s was said %d times", id, seen[id])
		}
	}
	t.Log(seen)
}

func compareClaims(want, got []string) (missing, wrong []string) {
	if cmp.Equal(want, got) {
		return nil, nil
	}
	for _, c := range want {
		if !slices.Contains(got, c) {
			missing = append(missing, c)
		}
	}
	for _, c := range got {
		if !slices.Contains(want, c) {
			wrong = append(wrong, c)
		}
	}
	return missing, wrong
}
