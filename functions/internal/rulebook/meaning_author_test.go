package rulebook

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/fstest"

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
