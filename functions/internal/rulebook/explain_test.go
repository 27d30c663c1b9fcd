package rulebook_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// receipt gives the receipt on one customer.
func receipt(tb testing.TB, book *rulebook.Book, c *retention.Customer) rulebook.Explanation {
	tb.Helper()
	e, err := book.Explain(c, money(tb, "625"))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// explainedBooks are the shipped rules, and rules that use every form there is.
func explainedBooks(t *testing.T) map[string]*rulebook.Book {
	t.Helper()
	rich, err := rulebook.Load(shippedBeside(t, "priority.yaml", []byte(richRules)))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*rulebook.Book{"shipped": shipped(t), "every form": rich}
}

// richRules have lists, ranges, negations, empty fields, expressions with guards, choices, caps and negative points.
const richRules = `rules: priority
parameters: {high: 2000, low: 10.5}
tiers:
  - rule: guarded
    tier: P1
    when: avg_order_value != nil and avg_order_value > 400 and churn_risk_level in ["HIGH"] and (total_orders > 3 or is_value_drop)
    reason: "big baskets of {avg_order_value}"
  - rule: cells
    tier: P2
    when:
      retention_status: not INACTIVE
      churn_risk_level: [HIGH, MEDIUM]
      total_revenue: low..high
      avg_order_value: not empty
      total_orders: not 7
      is_value_drop: no
    reason: "{churn_risk_level}"
  - rule: against-median
    tier: P3
    when: {total_revenue: over median_revenue, days_since_last_order: at least 40, avg_order_value: below high}
    reason: over {median_revenue}
  - rule: either
    tier: P3
    when: '1 < total_orders < 4 and not is_frequency_drop && (avg_order_value ?? 0) <= low or churn_risk_level == "LOW" and total_orders == 9'
    reason: either
also_mention:
  - {when: avg_order_value == nil or avg_order_value < 20, say: small baskets}
  - {when: {is_frequency_drop: yes}, in_brackets: rarer}
score:
  start: {P1: 60, P2: 50, P3: 40}
  add:
    - {name: value, points: ln(1 + total_revenue) * 2}
    - {name: baskets, points: 'avg_order_value == nil ? 0 : min(30, avg_order_value / 10) - 2', at_most: 20}
    - {name: late, points: 'max(-9, -(days_since_last_order / 7))'}
    - {name: share, points: 'min(9, safe_div(total_revenue, median_revenue, 0))', at_most: 3}
  at_most: 75
  decimals: 3
value_proxy: {share: 0.333, of: total_revenue, decimals: 4}
actions:
  P1:
    - when: {total_revenue: over high}
      do: call
    - otherwise: write
  P2:
    - otherwise: write
  P3:
    - when: total_revenue > median_revenue * 2 and total_orders > 1
      do: ring
    - otherwise: wait
`

// anyCustomers are customers with every kind of value, edges and faults among them.
func anyCustomers(t *testing.T, count int, seed uint64) []retention.Customer {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 5))
	customers := syntheticCustomers(count, seed)
	amounts := []string{"0", "10.5", "10.49", "2000", "2000.01", "2000.004", "1000000000", "625", "625.01", "400", "400.01", "12345.6789"}
	for i := range customers {
		c := &customers[i]
		if random.IntN(2) == 0 {
			c.TotalRevenue.V = money(t, amounts[random.IntN(len(amounts))])
		}
		c.AvgOrderValue.Valid = random.IntN(3) > 0
		c.AvgOrderValue.V = money(t, amounts[random.IntN(len(amounts))])
		c.TotalOrders.V = 1 + random.Int64N(10)
		c.ValueDrop.V = random.IntN(4) == 0
		switch random.IntN(20) {
		case 0:
			c.Status.V = "DATA_QUALITY_ISSUE"
		case 1:
			c.Rows.Base = 2
		case 2:
			c.TotalRevenue.V = money(t, "-1")
		}
	}
	return customers
}

// TestTheReceiptIsTheVerdict holds every figure of the receipt against the judge, on customers of every kind, and adds
// it up again as a reader would.
func TestTheReceiptIsTheVerdict(t *testing.T) {
	t.Parallel()
	for name, book := range explainedBooks(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judge := book.NewJudge(money(t, "625"))
			kinds := map[string]int{}
			customers := anyCustomers(t, 600, 23)
			for i := range customers {
				c := &customers[i]
				e := receipt(t, book, c)
				if faults := book.Vet(c); len(faults) > 0 {
					kinds["set aside"]++
					if len(e.SetAside) != len(faults) || e.Tier != "" || len(e.Rules) > 0 || e.Score != nil {
						t.Fatalf("%+v: a customer that is set aside got %+v", c, e)
					}
					continue
				}
				want, err := judge.Judge(c)
				if err != nil {
					t.Fatal(err)
				}
				kinds["tier "+string(want.Tier)]++
				if diff := cmp.Diff(want, verdictOf(e)); diff != "" {
					t.Fatalf("%+v (-judge +receipt):\n%s", c, diff)
				}
				addUp(t, &e)
				if data, err := functions.Marshal(functions.Explanation(e)); err != nil || !json.Valid(data) {
					t.Fatalf("%+v: %v", c, err)
				}
			}
			for _, kind := range []string{"set aside", "tier ", "tier P1", "tier P2", "tier P3"} {
				if kinds[kind] < 10 {
					t.Errorf("only %d customers are %q: the comparison proves little: %v", kinds[kind], kind, kinds)
				}
			}
		})
	}
}

// verdictOf is what the receipt comes to.
func verdictOf(e rulebook.Explanation) rulebook.Verdict {
	v := rulebook.Verdict{Tier: e.Tier, RuleID: e.RuleID}
	if e.Tier == "" {
		return v
	}
	v.Score, v.Reason, v.Action = e.Score.Score, e.Reason.Text, e.Action.Text
	value := e.ValueProxy.Value.Shift(int32(e.ValueProxy.Decimals))
	v.ValueProxy = rulebook.NewAmount(value.IntPart(), int32(e.ValueProxy.Decimals))
	return v
}

// addUp works the receipt out again from its own lines.
func addUp(t *testing.T, e *rulebook.Explanation) {
	t.Helper()
	gave := ""
	for _, rule := range e.Rules {
		all := true
		for _, c := range rule.Conditions {
			all = all && c.Holds != nil && *c.Holds
		}
		if rule.Fits != all || rule.Gives != (all && gave == "") {
			t.Fatalf("%s: fits %v, gives %v, its conditions %+v", rule.Rule, rule.Fits, rule.Gives, rule.Conditions)
		}
		if rule.Gives {
			gave = rule.Rule
		}
	}
	if gave != e.RuleID {
		t.Fatalf("the lines give %q, the receipt %q", gave, e.RuleID)
	}
	if e.Tier == "" {
		return
	}
	sum := e.Score.Start
	for _, part := range e.Score.Parts {
		added := part.Points
		if part.AtMost != nil {
			added = math.Min(added, *part.AtMost)
		}
		if added != part.Added {
			t.Fatalf("%s: %v at most %v adds %v", part.Name, part.Points, part.AtMost, part.Added)
		}
		sum += added
	}
	scale := math.Pow10(e.Score.Decimals)
	if score := math.Round(math.Min(sum, e.Score.AtMost)*scale) / scale; sum != e.Score.Sum || score != e.Score.Score {
		t.Fatalf("the lines sum up to %v and %v, the receipt to %v and %v", sum, score, e.Score.Sum, e.Score.Score)
	}
	for _, mention := range e.Reason.Mentions {
		if said := strings.Contains(e.Reason.Text, mention.Say); !strings.Contains(mention.Say, "{") && said != mention.Fits {
			t.Fatalf("%q in %q is %v, the receipt says %v", mention.Say, e.Reason.Text, said, mention.Fits)
		}
	}
	for i, line := range e.Action.Lines {
		if last := i == len(e.Action.Lines)-1; line.Fits != last || last && line.Do != e.Action.Text {
			t.Fatalf("line %d of the action: %+v gives %q", i, line, e.Action.Text)
		}
	}
}

// TestTheChangesAreTrue makes each change that a receipt names and asks the judge again.
func TestTheChangesAreTrue(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	seen := map[string]bool{}
	for _, status := range []string{"ACTIVE", "AT_RISK", "INACTIVE"} {
		for _, risk := range []string{"LOW", "MEDIUM", "HIGH"} {
			for _, days := range []int64{0, 7, 30, 31, 60, 90, 91, 150, 180, 181, 400} {
				c := soundCustomer()
				c.Status.V, c.RiskLevel.V, c.DaysSinceLastOrder.V = status, risk, days
				c.RiskScore.V = map[string]int64{"LOW": 0, "MEDIUM": 30, "HIGH": 60}[risk]
				c.FrequencyDrop.V, c.StatusInconsistent.V = risk == "HIGH", risk == "MEDIUM"
				if (status == "ACTIVE") != (days <= 30) || (status == "INACTIVE") != (days > 90) {
					continue // there is no such customer
				}
				for _, change := range receipt(t, book, &c).Changes {
					changed := apply(t, c, change.If)
					if got := judged(t, book, &changed).Tier; got != change.Tier {
						t.Errorf("%s %s %d days, if %s: got %q, want %q", status, risk, days, change.If, got, change.Tier)
					}
					seen[change.If] = true
				}
			}
		}
	}
	for _, want := range []string{
		"churn_risk_level were LOW or MEDIUM", "churn_risk_level were HIGH", "days_since_last_order were 180",
		"days_since_last_order were 31 and retention_status AT_RISK", "days_since_last_order were 90 and retention_status AT_RISK",
		"days_since_last_order were 91 and retention_status INACTIVE", "days_since_last_order were 30 and retention_status ACTIVE",
	} {
		if !seen[want] {
			t.Errorf("no receipt says %q", want)
		}
	}
}

// apply makes a change to a customer.
func apply(t *testing.T, c retention.Customer, change string) retention.Customer {
	t.Helper()
	for part := range strings.SplitSeq(strings.Replace(change, " were ", " ", 1), " and ") {
		name, value, _ := strings.Cut(part, " ")
		value, _, _ = strings.Cut(value, " or ")
		switch name {
		case "retention_status":
			c.Status.V = value
		case "churn_risk_level":
			c.RiskLevel.V = value
		case "days_since_last_order":
			c.DaysSinceLastOrder.V = int64(number(t, value))
		case "total_revenue":
			cent := 0.0
			if rest, is := strings.CutPrefix(value, "just over "); is {
				value, cent = rest, 0.01
			} else if rest, is := strings.CutPrefix(value, "just below "); is {
				value, cent = rest, -0.01
			}
			c.TotalRevenue.V = money(t, strconv.FormatFloat(number(t, value)+cent, 'f', 2, 64))
		default:
			t.Fatalf("no such change: %q", change)
		}
	}
	return c
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTheReceiptAsAPersonReadsIt compares with a file; -update rewrites it.
func TestTheReceiptAsAPersonReadsIt(t *testing.T) {
	t.Parallel()
	books := explainedBooks(t)
	var got strings.Builder
	for _, one := range []struct {
		name, book string
		change     func(*retention.Customer)
	}{
		{"the highest tier", "shipped", func(c *retention.Customer) { c.TotalRevenue.V = money(t, "10526.32"); c.DaysSinceLastOrder.V = 30 }},
		{"no tier", "shipped", func(c *retention.Customer) { c.RiskLevel.V, c.RiskScore.V, c.FrequencyDrop.V = "LOW", 0, false }},
		{"otherwise", "shipped", func(c *retention.Customer) { c.TotalRevenue.V = money(t, "999.995") }},
		{"set aside", "shipped", func(c *retention.Customer) {
			c.Status.V, c.Rows.Churn, c.TotalOrders.Valid = "unknown", 2, false
		}},
		{"a guard that was not asked", "every form", func(c *retention.Customer) {
			c.AvgOrderValue.Valid, c.TotalRevenue.V, c.DaysSinceLastOrder.V = false, money(t, "700"), 40
		}},
		{"every form of a cell", "every form", func(c *retention.Customer) {
			c.AvgOrderValue.V, c.TotalRevenue.V = money(t, "12.3"), money(t, "10.5")
		}},
		{"a cap on the sum, and an expression as the action's reason", "every form", func(c *retention.Customer) {
			c.Status.V, c.AvgOrderValue.V, c.TotalRevenue.V, c.TotalOrders.V = "INACTIVE", money(t, "380"), money(t, "90000000"), 7
			c.DaysSinceLastOrder.V = 41
		}},
	} {
		c := soundCustomer()
		one.change(&c)
		e := receipt(t, books[one.book], &c)
		e.RulesVersion = "0123456789ab"
		got.WriteString("== " + one.name + "\n")
		if err := e.Write(&got); err != nil {
			t.Fatal(err)
		}
	}
	const path = "testdata/explained.txt"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACustomerIsReadFromJSON(t *testing.T) {
	t.Parallel()
	const anna = `"retention_status": "ACTIVE", "days_since_last_order": 24, "churn_risk_level": "HIGH", "churn_risk_score": 50,
		"is_frequency_drop": true, "is_status_inconsistent": false, "is_value_drop": false, "total_orders": 12`
	book := shipped(t)
	got, err := book.ReadCustomer([]byte(`{"customer_id": "anna", ` + anna + `, "total_revenue": 12345678901234.56, "avg_order_value": null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := soundCustomer()
	want.ID, want.DaysSinceLastOrder.V, want.TotalOrders.V, want.AvgOrderValue.Valid = "anna", 24, 12, false
	want.TotalRevenue.V = money(t, "12345678901234.56")
	if diff := cmp.Diff(&want, got, cmp.Comparer(func(a, b functions.Money) bool { return a.Equal(b.Decimal) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tests := map[string]struct{ text, want string }{
		"nothing":                 {``, "the customer is not a JSON object"},
		"a list":                  {`[]`, "the customer is not a JSON object"},
		"null":                    {`null`, "the customer is not a JSON object"},
		"two customers":           {`{` + anna + `, "total_revenue": 1} {}`, "something stands behind the customer"},
		"a field that is missing": {`{` + anna + `}`, "missing: total_revenue"},
		"a name that is unknown":  {`{` + anna + `, "total_revenue": 1, "median_revenue": 5}`, `a customer has no "median_revenue"`},
		"a text for an amount":    {`{` + anna + `, "total_revenue": "much"}`, "total_revenue is not an amount such as 3847.10"},
		"a number of a gigabyte":  {`{` + anna + `, "total_revenue": 1e999999999}`, "total_revenue is not an amount such as 3847.10"},
		"half an order":           {`{` + strings.Replace(anna, "12", "1.5", 1) + `, "total_revenue": 1}`, "total_orders is not a whole number"},
		"a number for a word":     {`{` + strings.Replace(anna, `"ACTIVE"`, "5", 1) + `, "total_revenue": 1}`, "retention_status is not a text"},
		"a word for yes":          {`{` + strings.Replace(anna, "true", `"yes"`, 1) + `, "total_revenue": 1}`, "is_frequency_drop is not true or false"},
		"an id that is none":      {`{"customer_id": 5, ` + anna + `, "total_revenue": 1}`, "customer_id is not a text"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := book.ReadCustomer([]byte(tc.text))
			problem := functions.ProblemOf(err, "")
			if problem.Code != functions.InvalidArgument || problem.Detail != tc.want || !strings.Contains(problem.Hint, `"avg_order_value": 3847.10 or null`) {
				t.Errorf("got %+v", problem)
			}
		})
	}
}

// TestExplainedAtTheSameTime explains by one book from several goroutines: nothing of the book is written to.
func TestExplainedAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, book := range explainedBooks(t) {
		for range 4 {
			t.Run("reader", func(t *testing.T) {
				t.Parallel()
				c := soundCustomer()
				for range 5 {
					receipt(t, book, &c)
				}
			})
		}
	}
}

// TestKeptRulesJudgeAlthoughTheCheckBecameStricter loads rules that today's check refuses for what they mean.
func TestKeptRulesJudgeAlthoughTheCheckBecameStricter(t *testing.T) {
	t.Parallel()
	files := shippedWith(t, "priority.yaml", "recent_days: 180", "recent_days: 90")
	if _, err := rulebook.Load(files); err == nil {
		t.Fatal("the check takes these rules: the test proves nothing")
	}
	book, err := rulebook.LoadJudging(files)
	if err != nil {
		t.Fatal(err)
	}
	c := soundCustomer()
	if e := receipt(t, book, &c); e.Tier != functions.P1 || e.RulesVersion != book.Version() {
		t.Errorf("got %+v", e)
	}
	if _, has := book.Playbook(functions.Warning); has || book.Rollout().Sends || book.Rollout().Phase != "" && book.Rollout().Phase != functions.PhaseDisabled {
		t.Errorf("kept rules act: %+v", book.Rollout())
	}
	if _, err := rulebook.LoadKept(map[string][]byte{"fields.yaml": shipped(t).Files()["fields.yaml"]}); err == nil {
		t.Error("rules without priority.yaml were loaded")
	}
}
