package rulebook_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
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
			customers := anyCustomers(t, 1500, 23)
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
				if kinds[kind] < 20 {
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
