package rulebook

import (
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/expr-lang/expr/vm"
	"github.com/shopspring/decimal"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/rules"
)

// typedGrammar makes expressions that the check accepts, of numbers, truths and texts over every field, every parameter
// and the constants where things break. What it makes is decided by draws: below(n) is a number below n.
type typedGrammar struct{ below func(n int) int }

func (g typedGrammar) one(of ...string) string { return of[g.below(len(of))] }

// mostDeep is how deep an expression goes.
const mostDeep = 4

func (g typedGrammar) number(depth int) string {
	if depth == 0 {
		return g.one("total_revenue", "days_since_last_order", "total_orders", "churn_risk_score", "median_revenue",
			"(avg_order_value ?? 0)", "(avg_order_value ?? -2)", "(avg_order_value != nil ? avg_order_value : 0.1)",
			"limit", "high_value", "nothing", "0", "-0", "1", "-2", "0.1", "1000000000000",
			"30", "31", "90", "91", "999.99", "1000", "1000.01", "1999.99", "2000", "2000.01")
	}
	next := func() string { return g.number(g.below(depth)) }
	switch g.below(11) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", next(), g.one("+", "-", "*"), next())
	case 2:
		return fmt.Sprintf("(%s / %s)", next(), g.one("3", "limit", "0.5", "-7", "1000000000000"))
	case 3:
		return fmt.Sprintf("%s(%s, %s)", g.one("min", "max"), next(), next())
	case 4:
		return fmt.Sprintf("%s(%s, %s, %s)", g.one("min", "max"), next(), next(), next())
	case 5:
		return fmt.Sprintf("%s(%s)", g.one("abs", "round", "floor", "ceil"), next())
	case 6:
		return fmt.Sprintf("ln(1 + abs(%s))", next())
	case 7:
		return fmt.Sprintf("min(9, max(-9, safe_div(%s, %s, %s)))", next(), next(), g.number(0))
	case 8:
		return fmt.Sprintf("(%s ? %s : %s)", g.truth(g.below(depth)), next(), next())
	case 9:
		return fmt.Sprintf("%s(%s)", g.one("-", "+"), next())
	default:
		return g.number(0)
	}
}

func (g typedGrammar) truth(depth int) string {
	if depth == 0 {
		return g.one("true", "false", "is_value_drop", "is_frequency_drop", "is_status_inconsistent == true", "is_value_drop != false",
			`retention_status == "ACTIVE"`, `"AT_RISK" != retention_status`, `churn_risk_level in ["HIGH", "LOW"]`,
			`churn_risk_level not in ["MEDIUM"]`, "avg_order_value == nil", "nil != avg_order_value", "avg_order_value == 50",
			"avg_order_value != limit", "avg_order_value in [0, 7, 49.99]", "avg_order_value == avg_order_value", "total_orders in [1, 4]")
	}
	number := func() string { return g.number(g.below(depth)) }
	next := func() string { return g.truth(g.below(depth)) }
	switch g.below(9) {
	case 0, 1, 2:
		return fmt.Sprintf("(%s %s %s)", number(), g.one("<", "<=", ">", ">=", "==", "!="), number())
	case 3:
		return fmt.Sprintf("(%s %s %s)", next(), g.one("and", "or", "&&", "||"), next())
	case 4:
		return fmt.Sprintf("(%s %s %s %s %s)", next(), "and", next(), "and", next())
	case 5:
		return fmt.Sprintf("%s (%s)", g.one("not", "!"), next())
	case 6:
		return fmt.Sprintf("((%s) %s (%s))", next(), g.one("==", "!="), next())
	case 7:
		return fmt.Sprintf("(%s ? %s : %s)", next(), next(), next())
	default:
		return fmt.Sprintf("(%s %s %s)", g.one("avg_order_value != nil and avg_order_value >", "avg_order_value == nil or avg_order_value <="), number(),
			g.one("and is_value_drop", "or is_value_drop", ""))
	}
}

// text is a template, of fixed texts, some of them strange, and of fields.
func (g typedGrammar) text() string {
	text := "x"
	for range g.below(5) {
		text += g.one(" ", `"`, "'", `O'Neil \`, "ünï", "%s", "{retention_status}", "{churn_risk_level}", "{days_since_last_order}",
			"{is_value_drop}", "{total_revenue}", "{avg_order_value}", "{total_orders}", "{median_revenue}", "{high_value}")
	}
	return text
}

// customer is one within the bounds, often on an edge, or with a word that nobody knows.
func (g typedGrammar) customer() *retention.Customer {
	amount := func() functions.Money {
		cents := []int64{0, 1, 4999, 5000, 99999, 100000, 100001, 199999, 200000, 200001, 100_000_000_000, int64(g.below(1_000_000))}
		return functions.Money{Decimal: decimal.New(cents[g.below(len(cents))], -2)}
	}
	whole := func(of ...int64) sql.Null[int64] {
		return sql.Null[int64]{V: of[g.below(len(of))], Valid: true}
	}
	word := func(of ...string) sql.Null[string] {
		at := g.below(len(of) + 1)
		if at == len(of) && g.below(4) > 0 {
			at = 0
		}
		if at == len(of) {
			return []sql.Null[string]{{}, {V: "", Valid: true}, {V: "O'Neil", Valid: true}, {V: `"`, Valid: true}}[g.below(4)]
		}
		return sql.Null[string]{V: of[at], Valid: true}
	}
	yes := func() sql.Null[bool] { return sql.Null[bool]{V: g.below(2) == 0, Valid: true} }
	return &retention.Customer{
		ID: "c", Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1},
		Status: word("ACTIVE", "AT_RISK", "INACTIVE"), RiskLevel: word("HIGH", "MEDIUM", "LOW"),
		DaysSinceLastOrder: whole(0, 29, 30, 31, 90, 91, 180, 181, 36500, int64(g.below(400))),
		RiskScore:          whole(0, 100, int64(g.below(101))), TotalOrders: whole(1, 4, 1_000_000, int64(1+g.below(50))),
		FrequencyDrop: yes(), StatusInconsistent: yes(), ValueDrop: yes(),
		TotalRevenue:  sql.Null[functions.Money]{V: amount(), Valid: true},
		AvgOrderValue: []sql.Null[functions.Money]{{}, {V: amount(), Valid: true}, {V: amount(), Valid: true}}[g.below(3)],
	}
}

// bothWays evaluates expressions and templates by closures and by expr's machine.
type bothWays struct {
	scope   *scope
	machine vm.VM
	median  functions.Money
}

func newBothWays(tb testing.TB) *bothWays {
	tb.Helper()
	out := &collector{}
	v, _ := loadVocabulary(rules.FS, out)
	if len(out.findings) > 0 {
		tb.Fatal(out.findings)
	}
	return &bothWays{
		scope: &scope{vocabulary: v, parameters: map[string]*parameter{
			"limit": {number: 7, text: "7"}, "high_value": {number: 2000, text: "2000"}, "nothing": {number: math.Copysign(0, -1), text: "-0"},
		}},
		median: functions.Money{Decimal: decimal.New(62550, -2)},
	}
}

func scalar(text string) (value, *document) {
	d := &document{file: "x.yaml", source: newSource(text), out: &collector{}}
	return value{d, &yaml.Node{Kind: yaml.ScalarNode, Value: text, Line: 1, Column: 1}}, d
}

// compile gives nothing when the check refuses the text.
func (b *bothWays) compile(tb testing.TB, text string, want kind) *expression {
	tb.Helper()
	v, d := scalar(text)
	e := b.scope.compile(v, want)
	for _, finding := range d.out.findings {
		if finding.ID != idMayBeNaN && finding.ID != idTooLong {
			tb.Fatalf("%s is refused:\n%s", text, d.out.findings)
		}
	}
	return e
}

// holdEqual compares on one customer, both with what its profile settles and without. A nil expression is left out.
func (b *bothWays) holdEqual(tb testing.TB, condition, formula *expression, words template, c *retention.Customer) {
	tb.Helper()
	r := row{MedianRevenue: nearestFloat(b.median)}
	r.fill(c)
	s := &subject{median: b.median.StringFixed(2)}
	s.numbers[medianSlot] = r.MedianRevenue
	for _, of := range []*profile{nil, profileAt(profileOf(c), r.MedianRevenue)} {
		t := &translator{profile: of}
		s.take(c)
		if condition != nil {
			want, err := condition.truth(&b.machine, &r)
			if got := t.truth(condition.tree).truth(s); err != nil || got != want {
				tb.Fatalf("%s\nof %+v\nis %v by closures, %v by expr's machine, %v", condition.text, r, got, want, err)
			}
		}
		if formula != nil {
			want, err := formula.number(&b.machine, &r)
			got := t.number(formula.tree).number(s)
			if err != nil || got != want && math.Float64bits(got) != math.Float64bits(want) {
				tb.Fatalf("%s\nof %+v\nis %v by closures, %v by expr's machine, %v", formula.text, r, got, want, err)
			}
		}
		want := words.write(nil, c, s.median)
		if got := t.phrase(words).text(nil, s); string(got) != string(want) {
			tb.Fatalf("%+v of %+v is %q by closures, and should be %q", words, r, got, want)
		}
		if t.fault != nil {
			tb.Fatal(t.fault)
		}
	}
}

// TestClosuresEqualVM holds that closures say what expr's machine says, to the last bit, for 2,000 random conditions, as
// many formulas and texts, on customers at the edges.
func TestClosuresEqualVM(t *testing.T) {
	t.Parallel()
	g := typedGrammar{rand.New(rand.NewPCG(2026, 12)).IntN}
	both := newBothWays(t)
	accepted := map[kind]int{}
	for range 2000 {
		condition := both.compile(t, g.truth(1+g.below(mostDeep)), kindYesNo)
		formula := both.compile(t, g.number(1+g.below(mostDeep)), kindAmount)
		v, _ := scalar(g.text())
		words := both.scope.template(v)
		if condition != nil {
			accepted[kindYesNo]++
		}
		if formula != nil {
			accepted[kindAmount]++
		}
		for range 20 {
			both.holdEqual(t, condition, formula, words, g.customer())
		}
	}
	if accepted[kindYesNo] < 1900 || accepted[kindAmount] < 1800 {
		t.Errorf("only %v were accepted: the test proves little", accepted)
	}
}

// FuzzClosuresEqualVM is the same with draws from foreign bytes.
func FuzzClosuresEqualVM(f *testing.F) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 200)
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		f.Add(data)
	}
	both := newBothWays(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b := *both // a machine belongs to one goroutine
		b.machine = vm.VM{}
		left := data
		g := typedGrammar{func(n int) int {
			if len(left) < 2 {
				return 0
			}
			drawn := int(left[0])<<8 | int(left[1])
			left = left[2:]
			return drawn % n
		}}
		condition := b.compile(t, g.truth(mostDeep), kindYesNo)
		formula := b.compile(t, g.number(mostDeep), kindAmount)
		v, _ := scalar(g.text())
		words := b.scope.template(v)
		for range 1 + len(left)/40 {
			b.holdEqual(t, condition, formula, words, g.customer())
		}
	})
}

// TestEveryColumnHasAPlaceInTheEngine fails for a column that was added and that the engine cannot read.
func TestEveryColumnHasAPlaceInTheEngine(t *testing.T) {
	t.Parallel()
	c := typedGrammar{rand.New(rand.NewPCG(1, 1)).IntN}.customer()
	of := profileAt(0, 1)
	for _, column := range columns {
		switch {
		case column.kind.isNumber():
			if slot, has := slotOf[column.name]; !has || column.canBeEmpty != (emptyIn(slot) != nil) {
				t.Errorf("%s has slot %v", column.name, has)
			}
		case column.kind == kindYesNo:
			if _, has := of.yes[column.name]; !has {
				t.Errorf("the profile has no %s", column.name)
			}
		default:
			if _, has := of.words[column.name]; !has {
				t.Errorf("the profile has no %s", column.name)
			}
		}
	}
	if len(functions.Statuses) != 3 || len(functions.Risks) != 3 {
		t.Error("a word was added to the contract: the numbers of the profiles must make room for it")
	}
	for _, status := range functions.Statuses {
		for _, risk := range functions.Risks {
			c.Status.V, c.RiskLevel.V, c.Status.Valid, c.RiskLevel.Valid = string(status), string(risk), true, true
			of := profileAt(profileOf(c), 1)
			if of == nil || of.words["retention_status"] != c.Status.V || of.words["churn_risk_level"] != c.RiskLevel.V {
				t.Errorf("%s and %s have the profile %+v", status, risk, of)
			}
		}
	}
}

// TestMoneyIsWrittenAsDecimalsAre compares the short way of writing an amount with the long one.
func TestMoneyIsWrittenAsDecimalsAre(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8, 8))
	for range 20_000 {
		coefficient := random.Int64() - random.Int64()
		for range random.IntN(19) {
			coefficient /= 10
		}
		m := functions.Money{Decimal: decimal.New(coefficient, 2-random.Int32N(6))}
		if got := string(appendMoney(nil, m)); got != m.StringFixed(2) {
			t.Fatalf("%s is written %s", m.StringFixed(2), got)
		}
	}
}

// TestAVerdictTakesNoMemory judges customers again that were judged before: every text is there already.
func TestAVerdictTakesNoMemory(t *testing.T) {
	book, err := Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	g := typedGrammar{rand.New(rand.NewPCG(9, 9)).IntN}
	customers := make([]*retention.Customer, 2000)
	for i := range customers {
		customers[i] = g.customer()
	}
	judge := book.NewJudge(functions.Money{Decimal: decimal.New(625, 0)})
	tiered := 0
	if allocations := testing.AllocsPerRun(3, func() {
		for _, c := range customers {
			verdict, err := judge.Judge(c)
			if err != nil {
				t.Fatal(err)
			}
			if verdict.Tier != "" {
				tiered++
			}
		}
	}); allocations > 0 {
		t.Errorf("%v allocations for %d customers", allocations, len(customers))
	}
	if tiered < 1000 {
		t.Errorf("only %d verdicts: the test proves little", tiered)
	}
}

// TestTheReferenceGivesTheSameVerdicts compares whole verdicts by rules that use most of the language, also when they
// are too large to be planned for each profile.
func TestTheReferenceGivesTheSameVerdicts(t *testing.T) {
	t.Parallel()
	const file = `rules: priority
parameters: {high_value: 2000, share_of_points: 0.1}
tiers:
  - {rule: gone, tier: P3, when: "retention_status == 'INACTIVE' and (avg_order_value ?? 0) < 50", reason: "{retention_status}, usually {avg_order_value}"}
  - {rule: rich, tier: P1, when: {churn_risk_level: not LOW, total_revenue: over high_value}, reason: "{total_revenue} and {is_value_drop}"}
  - {rule: above, tier: P2, when: "total_revenue > median_revenue or is_value_drop", reason: above the median}
also_mention:
  - {when: "avg_order_value == nil", in_brackets: no order value}
  - {when: "total_orders in [1, 4]", in_brackets: "{total_orders} orders"}
  - {when: {is_frequency_drop: yes}, say: "since {days_since_last_order} days, over {high_value}"}
  - {when: "(is_value_drop ? total_revenue : 0) >= 1000", say: "drop, median {median_revenue}"}
score:
  start: {P1: 50, P2: 40, P3: 30.5}
  add:
    - {name: a, points: "max(0, min(10, safe_div(total_revenue, total_orders, 0) * share_of_points))", at_most: 10}
    - {name: b, points: "is_value_drop ? churn_risk_score / 7 : ln(1 + days_since_last_order)", at_most: 15}
  at_most: 100
  decimals: 3
value_proxy: {share: 0.125, of: total_revenue, decimals: 3}
actions:
  P1: [{when: "days_since_last_order > 30 and not is_frequency_drop", do: call}, {otherwise: write}]
  P2: [{otherwise: wait}]
  P3: [{when: {churn_risk_level: [HIGH, LOW]}, do: offer}, {otherwise: nothing}]
`
	files := overlay{rules.FS, map[string][]byte{priorityFile: []byte(file)}}
	padded := strings.Replace(file, "also_mention:", "also_mention:\n"+
		strings.Repeat("  - {when: \""+strings.Repeat("false or ", 98)+"total_orders == 77\", say: never}\n", 36), 1)
	large := overlay{rules.FS, map[string][]byte{priorityFile: []byte(padded)}}
	for name, files := range map[string]overlay{"planned for each profile": files, "too large for that": large} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book, err := LoadJudging(files)
			if err != nil {
				t.Fatal(err)
			}
			median := functions.Money{Decimal: decimal.New(62550, -2)}
			judge, reference := book.NewJudge(median), book.NewReferenceJudge(median)
			if judge.large != (name == "too large for that") {
				t.Fatalf("the rules have %d characters", book.priority.size())
			}
			g := typedGrammar{rand.New(rand.NewPCG(10, 10)).IntN}
			tiers := map[functions.Tier]int{}
			for range 10_000 {
				c := g.customer()
				want, err := reference.Judge(c)
				if err != nil {
					t.Fatal(err)
				}
				got, err := judge.Judge(c)
				if err != nil || got != want {
					t.Fatalf("%+v\nis judged\n%+v, %v\nand should be\n%+v", c, got, err, want)
				}
				tiers[got.Tier]++
			}
			if len(tiers) != 4 {
				t.Errorf("only %v: the test proves little", tiers)
			}
		})
	}
}
