package rulebook

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/rules"
)

// randomGrammar makes random expressions: mostly of the right types, over every field, with the constants where things break.
type randomGrammar struct{ *rand.Rand }

func (g randomGrammar) one(of ...string) string { return of[g.IntN(len(of))] }

func (g randomGrammar) number(depth int) string {
	if depth == 0 {
		return g.one("total_revenue", "days_since_last_order", "total_orders", "churn_risk_score", "median_revenue", "limit",
			"(avg_order_value ?? 0)", "avg_order_value", "0", "1", "-2", "0.1", "30", "1000", "1000000000000")
	}
	a, b := g.number(depth-1), g.number(depth-1)
	switch g.IntN(9) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", a, g.one("+", "-", "*"), b)
	case 1:
		return fmt.Sprintf("%s / %s", a, g.one("3", "limit", "0.5", "0", b))
	case 2:
		return fmt.Sprintf("%s(%s, %s)", g.one("min", "max"), a, b)
	case 3:
		return fmt.Sprintf("%s(%s)", g.one("abs", "round", "floor", "ceil"), a)
	case 4:
		return fmt.Sprintf("ln(%s)", g.one("1 + abs("+a+")", "max(1, "+a+")", a))
	case 5:
		return fmt.Sprintf("min(9, max(-9, safe_div(%s, %s, %s)))", a, b, g.number(0))
	case 6:
		return fmt.Sprintf("(%s ? %s : %s)", g.truth(depth-1), a, b)
	case 7:
		return fmt.Sprintf("-%s", g.number(0))
	default:
		return a
	}
}

func (g randomGrammar) truth(depth int) string {
	if depth == 0 {
		return g.one("is_value_drop", "is_frequency_drop", `retention_status == "ACTIVE"`, `churn_risk_level in ["HIGH", "LOW"]`,
			`"AT_RISK" != retention_status`, "avg_order_value == nil", "avg_order_value != nil", "true", "total_orders in [1, 4]")
	}
	switch g.IntN(6) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.number(depth-1), g.one("<", "<=", ">", ">=", "==", "!="), g.number(depth-1))
	case 2:
		return fmt.Sprintf("(%s %s %s)", g.truth(depth-1), g.one("and", "or", "&&", "||"), g.truth(depth-1))
	case 3:
		return fmt.Sprintf("not (%s)", g.truth(depth-1))
	case 4:
		return fmt.Sprintf("(avg_order_value != nil and %s > %s)", "avg_order_value", g.number(depth-1))
	default:
		return fmt.Sprintf("(avg_order_value == nil or %s)", g.truth(depth-1))
	}
}

// row is a row within the bounds, often on their edge.
func (g randomGrammar) row(v *vocabulary) *row {
	r := &row{}
	for _, f := range v.fields {
		value := representative{yes: g.IntN(2) == 0, empty: f.mayBeEmpty && g.IntN(3) == 0}
		switch f.kind {
		case kindChoice:
			value.text = f.values[g.IntN(len(f.values))]
		case kindWhole:
			value.number = []float64{f.low, f.high, f.low + float64(g.IntN(100))}[g.IntN(3)]
		default:
			value.number = []float64{f.low, f.high, 0.01, 2000, g.Float64() * 5000}[g.IntN(5)]
		}
		f.set(r, value)
	}
	return r
}

// TestWhatIsAcceptedNeverFailsARun makes expressions at random. Whatever the check accepts must run on every row within
// the bounds without an error, and a number must lie in the range that was proven for it.
func TestWhatIsAcceptedNeverFailsARun(t *testing.T) {
	t.Parallel()
	out := &collector{}
	v, _ := loadVocabulary(rules.FS, out)
	if len(out.findings) > 0 {
		t.Fatal(out.findings)
	}
	g := randomGrammar{rand.New(rand.NewPCG(2026, 1))}
	s := &scope{vocabulary: v, parameters: map[string]*parameter{"limit": {number: 7, text: "7"}}}
	rows := make([]*row, 60)
	for i := range rows {
		rows[i] = g.row(v)
	}
	var machine vm.VM
	accepted := map[kind]int{}
	for range 4000 {
		want, text := kindYesNo, ""
		if g.IntN(2) == 0 {
			want, text = kindAmount, g.number(1+g.IntN(3))
		} else {
			text = g.truth(1 + g.IntN(3))
		}
		d := &document{file: "x.yaml", source: newSource(text), out: &collector{}}
		e := s.compile(value{d, &yaml.Node{Kind: yaml.ScalarNode, Value: text, Line: 1, Column: 1}}, want)
		if e == nil {
			if len(d.out.findings) == 0 {
				t.Fatalf("%s was refused and nothing was said", text)
			}
			for _, finding := range d.out.findings {
				if finding.ID == idType {
					t.Fatalf("%s is of the right types:\n%s", text, d.out.findings)
				}
			}
			continue
		}
		accepted[want]++
		for _, r := range rows {
			if want == kindYesNo {
				if _, err := e.truth(&machine, r); err != nil {
					t.Fatalf("%s on %+v: %v", text, r, err)
				}
				continue
			}
			number, err := e.number(&machine, r)
			if err != nil {
				t.Fatalf("%s on %+v: %v", text, r, err)
			}
			if slack := 1e-9 * max(1, -e.within.low, e.within.high); number < e.within.low-slack || number > e.within.high+slack {
				t.Fatalf("%s on %+v: %v lies outside of %v", text, r, number, e.within)
			}
		}
	}
	if accepted[kindYesNo] < 700 || accepted[kindAmount] < 700 {
		t.Errorf("only %v were accepted: the test proves little", accepted)
	}
}
