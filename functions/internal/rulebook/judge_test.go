package rulebook_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// judged gives the shipped rules' verdict on one customer.
func judged(tb testing.TB, book *rulebook.Book, c *retention.Customer) rulebook.Verdict {
	tb.Helper()
	if faults := book.Vet(c); faults != nil {
		tb.Fatalf("the customer has faults: %v", faults)
	}
	verdict, err := book.NewJudge(money(tb, "625")).Judge(c)
	if err != nil {
		tb.Fatal(err)
	}
	return verdict
}

// TestPriorityLogic is §7 as a table: every status with every risk level, and the actions by value.
func TestPriorityLogic(t *testing.T) {
	t.Parallel()
	const (
		vip     = "VIP outreach + 10% loyalty incentive"
		offer   = "Personal email + free shipping offer"
		remind  = "Personal email + reminder"
		winBack = "Win-back email sequence (3 emails, 7 days) + free shipping"
		comeb   = "Strong comeback offer (20% discount) + survey"
	)
	tests := map[string]struct {
		status, risk string
		days         int64
		revenue      string
		drop         bool
		want         rulebook.Verdict
	}{
		"active, high, over 2000": {
			"ACTIVE", "HIGH", 24, "3847", true,
			rulebook.Verdict{
				Tier: functions.P1, RuleID: "active-high", Score: 94.5, Action: vip,
				Reason: "ACTIVE + HIGH risk (frequency drop), high value", ValueProxy: rulebook.NewAmount(115410, 2),
			},
		},
		"active, high, 1000 to 2000": {
			"ACTIVE", "HIGH", 0, "1500", true,
			rulebook.Verdict{
				Tier: functions.P1, RuleID: "active-high", Score: 84.6, Action: offer,
				Reason: "ACTIVE + HIGH risk (frequency drop), medium value", ValueProxy: rulebook.NewAmount(45000, 2),
			},
		},
		"active, high, below 1000": {
			"ACTIVE", "HIGH", 30, "10.10", false,
			rulebook.Verdict{
				Tier: functions.P1, RuleID: "active-high", Score: 84.8, Action: remind,
				Reason: "ACTIVE + HIGH risk", ValueProxy: rulebook.NewAmount(303, 2),
			},
		},
		"active and medium has no tier": {status: "ACTIVE", risk: "MEDIUM", days: 10, revenue: "5000"},
		"active and low has no tier":    {status: "ACTIVE", risk: "LOW", days: 10, revenue: "5000"},
		"at risk, high": {
			"AT_RISK", "HIGH", 60, "1000", true,
			rulebook.Verdict{
				Tier: functions.P2, RuleID: "at-risk", Score: 73.8, Action: winBack,
				Reason: "AT_RISK + HIGH risk (frequency drop), medium value", ValueProxy: rulebook.NewAmount(30000, 2),
			},
		},
		"at risk, medium": {
			"AT_RISK", "MEDIUM", 60, "0", false,
			rulebook.Verdict{
				Tier: functions.P2, RuleID: "at-risk", Score: 60, Action: winBack,
				Reason: "AT_RISK + MEDIUM risk", ValueProxy: rulebook.NewAmount(0, 2),
			},
		},
		"at risk and low has no tier": {status: "AT_RISK", risk: "LOW", days: 60, revenue: "5000"},
		"inactive, high, recent": {
			"INACTIVE", "HIGH", 180, "25000", true,
			rulebook.Verdict{
				Tier: functions.P3, RuleID: "inactive-high", Score: 60, Action: comeb,
				Reason: "INACTIVE + HIGH risk (frequency drop), last order 180 days ago, high value", ValueProxy: rulebook.NewAmount(750000, 2),
			},
		},
		"inactive, high, long gone has no tier": {status: "INACTIVE", risk: "HIGH", days: 181, revenue: "25000", drop: true},
		"inactive and medium has no tier":       {status: "INACTIVE", risk: "MEDIUM", days: 100, revenue: "25000"},
		"inactive and low has no tier":          {status: "INACTIVE", risk: "LOW", days: 100, revenue: "25000"},
	}
	book := shipped(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := soundCustomer()
			c.Status.V, c.RiskLevel.V, c.DaysSinceLastOrder.V = tc.status, tc.risk, tc.days
			c.TotalRevenue.V, c.FrequencyDrop.V = money(t, tc.revenue), tc.drop
			got := judged(t, book, &c)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParametersChangeVerdicts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, replacement string
		days             int64
		revenue          string
		want             functions.Tier
	}{
		"P1 from 1000 EUR on lets 1000 in":          {"p1_min_revenue: 0", "p1_min_revenue: 1000", 10, "1000", functions.P1},
		"P1 from 1000 EUR on leaves 999.99 out":     {"p1_min_revenue: 0", "p1_min_revenue: 1000", 10, "999.99", ""},
		"recent_days 181 lets day 181 in":           {"recent_days: 180", "recent_days: 181", 181, "0", functions.P3},
		"recent_days 120 leaves day 121 out":        {"recent_days: 180", "recent_days: 120", 121, "0", ""},
		"a threshold that no float holds is exact":  {"p1_min_revenue: 0", "p1_min_revenue: 0.30", 10, "0.30", functions.P1},
		"a cent below such a threshold is outside":  {"p1_min_revenue: 0", "p1_min_revenue: 0.30", 10, "0.29", ""},
		"a large threshold is exact to the cent":    {"p1_min_revenue: 0", "p1_min_revenue: 999999999.99", 10, "999999999.99", functions.P1},
		"a cent below a large threshold is outside": {"p1_min_revenue: 0", "p1_min_revenue: 999999999.99", 10, "999999999.98", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book, err := rulebook.Load(shippedWith(t, "priority.yaml", tc.old, tc.replacement))
			if err != nil {
				t.Fatal(err)
			}
			c := soundCustomer()
			c.DaysSinceLastOrder.V, c.TotalRevenue.V = tc.days, money(t, tc.revenue)
			if tc.days > 90 {
				c.Status.V = "INACTIVE"
			}
			if got := judged(t, book, &c).Tier; got != tc.want {
				t.Errorf("got tier %q, want %q", got, tc.want)
			}
		})
	}
}

// TestTheShippedRulesSayWhatAProgramWouldSay compares with the same rules written as a program, on customers of every
// combination, and holds what every verdict must be: one tier or none, a score from 0 to 100, nothing left empty.
func TestTheShippedRulesSayWhatAProgramWouldSay(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	judge := book.NewJudge(money(t, "625"))
	tiers := map[functions.Tier]int{}
	customers := syntheticCustomers(30_000, 11)
	for i := range customers {
		c := &customers[i]
		got, err := judge.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(byHand(c), got); diff != "" {
			t.Fatalf("%+v (-by hand +rules):\n%s", c, diff)
		}
		tiers[got.Tier]++
		if got.Tier == "" {
			continue
		}
		if got.Score < 0 || got.Score > 100 || got.Reason == "" || got.Action == "" || got.RuleID == "" {
			t.Fatalf("%+v: %+v", c, got)
		}
	}
	for _, tier := range append([]functions.Tier{""}, functions.Tiers...) {
		if tiers[tier] < 1000 {
			t.Errorf("tier %q has only %d customers: the comparison proves little", tier, tiers[tier])
		}
	}
}

// TestAJudgeMayBeUsedAgainAndBooksBeShared judges the same customers by judges at work at the same time.
func TestAJudgeMayBeUsedAgainAndBooksBeShared(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	customers := syntheticCustomers(2000, 3)
	for range 4 {
		t.Run("judge", func(t *testing.T) {
			t.Parallel()
			judge := book.NewJudge(money(t, "625"))
			for range 2 {
				for i := range customers {
					got, err := judge.Judge(&customers[i])
					if err != nil || got.Tier != byHand(&customers[i]).Tier {
						t.Fatalf("customer %d: %+v, %v", i, got, err)
					}
				}
			}
		})
	}
}

// TestExpressionsMean holds what cells and expressions mean, with an average order value of 50, or an empty one.
func TestExpressionsMean(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		when                string
		whenFifty, whenNone bool
	}{
		"a map means all of them":               {`{churn_risk_level: HIGH, total_orders: 4}`, true, true},
		"one part that fails is enough":         {`{churn_risk_level: HIGH, total_orders: 5}`, false, false},
		"a list means any":                      {`{churn_risk_level: [LOW, HIGH]}`, true, true},
		"a list of numbers means any":           {`{total_orders: [3, 4]}`, true, true},
		"not a value":                           {`{churn_risk_level: not HIGH}`, false, false},
		"not a number":                          {`{total_orders: not 5}`, true, true},
		"not a range":                           {`{total_orders: not 1..4}`, false, false},
		"yes and no":                            {`{is_frequency_drop: yes, is_value_drop: no}`, true, true},
		"true and false are the same":           {`{is_frequency_drop: true, is_value_drop: false}`, true, true},
		"not yes":                               {`{is_frequency_drop: not yes}`, false, false},
		"over excludes the number":              {`{total_orders: over 4}`, false, false},
		"at least includes the number":          {`{total_orders: at least 4}`, true, true},
		"below excludes the number":             {`{total_orders: below 4}`, false, false},
		"up to includes the number":             {`{total_orders: up to 4}`, true, true},
		"a range includes its low end":          {`{total_orders: 4..9}`, true, true},
		"a range includes its high end":         {`{total_orders: 1 .. 4}`, true, true},
		"a parameter stands for a number":       {`{total_orders: four}`, true, true},
		"a range of parameters":                 {`{total_orders: four..four}`, true, true},
		"a field stands for a number":           {`{median_revenue: over total_orders}`, true, true},
		"an empty field fits no number":         {`{avg_order_value: below 100}`, true, false},
		"an empty field fits no range":          {`{avg_order_value: 0..100}`, true, false},
		"an empty field fits no not":            {`{avg_order_value: not 7}`, true, false},
		"an empty field fits empty":             {`{avg_order_value: empty}`, false, true},
		"a given field fits not empty":          {`{avg_order_value: not empty}`, true, false},
		"?? stands in for an empty field":       {`(avg_order_value ?? 0) > 49`, true, false},
		"a test for nil guards what follows":    {`avg_order_value != nil and avg_order_value > 49`, true, false},
		"a guard through or":                    {`avg_order_value == nil or avg_order_value > 49`, true, true},
		"a guard through not":                   {`not (avg_order_value == nil) and avg_order_value > 49`, true, false},
		"a guard in a choice":                   {`"(avg_order_value == nil ? 0 : avg_order_value) > 49"`, true, false},
		"equality needs no guard":               {`avg_order_value == 50`, true, false},
		"inequality is true for an empty field": {`avg_order_value != 7`, true, true},
		"in needs no guard":                     {`avg_order_value in [7, 50]`, true, false},
		"not in":                                {`churn_risk_level not in ["LOW"]`, true, true},
		"chained comparison":                    {`3 < total_orders < 5`, true, true},
		"&& and || and !":                       {`total_orders == 4 && !is_value_drop || is_value_drop`, true, true},
		"arithmetic":                            {`total_orders * 2 - 4 + 8 / 4 == 6`, true, true},
		"a whole number divided is no whole":    {`total_orders / 3 > 1.33`, true, true},
		"functions":                             {`min(9, total_orders, 5) + max(1, 2) + abs(-1) + floor(1.5) + ceil(1.5) + round(2.5) == 13`, true, true},
		"the logarithm":                         {`ln(1 + total_orders) > 1.6 and ln(1 + total_orders) < 1.61`, true, true},
		"safe_div by zero gives its third":      {`safe_div(total_orders, total_revenue, 7) == 7`, true, true},
		"safe_div divides":                      {`safe_div(total_orders, total_orders, 7) == 1`, true, true},
		"a mixed minimum is no trap":            {`min(total_orders, 0.1) == 0.1`, true, true},
		"a large number is no trap":             {`1000000000000 * 1000000000000 > 0`, true, true},
		"always":                                {`true`, true, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(minimal, "WHEN", tc.when, 1)
			book, err := rulebook.Load(shippedBeside(t, "priority.yaml", []byte(text)))
			if err != nil {
				t.Fatal(err)
			}
			c := soundCustomer()
			c.AvgOrderValue.V = money(t, "50")
			fifty := judged(t, book, &c).Tier != ""
			c.AvgOrderValue.V, c.AvgOrderValue.Valid = functions.Money{}, false
			none := judged(t, book, &c).Tier != ""
			if fifty != tc.whenFifty || none != tc.whenNone {
				t.Errorf("got %v with 50 and %v when empty, want %v and %v", fifty, none, tc.whenFifty, tc.whenNone)
			}
		})
	}
}

// minimal is a rule file with one condition.
const minimal = `rules: priority
parameters: {four: 4}
tiers:
  - rule: one
    tier: P1
    when: WHEN
    reason: "{four} {avg_order_value} {is_value_drop} {total_revenue} {median_revenue}"
score: {start: {P1: 70}, at_most: 100, decimals: 0}
value_proxy: {share: 0.5, of: total_revenue, decimals: 2}
actions:
  P1:
    - otherwise: call
`

func TestReasonsFillInValuesAsAPersonReadsThem(t *testing.T) {
	t.Parallel()
	book, err := rulebook.Load(shippedBeside(t, "priority.yaml", []byte(strings.Replace(minimal, "WHEN", "true", 1))))
	if err != nil {
		t.Fatal(err)
	}
	c := soundCustomer()
	c.AvgOrderValue.Valid = false
	c.TotalRevenue.V = money(t, "12.5")
	if got, want := judged(t, book, &c).Reason, "4 unknown no 12.50 625.00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScoresAreRoundedAndCapped(t *testing.T) {
	t.Parallel()
	text := strings.Replace(minimal, "WHEN", "true", 1)
	text = strings.Replace(text, "score: {start: {P1: 70}, at_most: 100, decimals: 0}", `score:
  start: {P1: 70}
  add:
    - {name: orders, points: total_orders / 8, at_most: 20}
    - {name: days, points: days_since_last_order}
  at_most: 95
  decimals: 2`, 1)
	book, err := rulebook.Load(shippedBeside(t, "priority.yaml", []byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := soundCustomer()
		c.TotalOrders.V, c.DaysSinceLastOrder.V = 1+random.Int64N(300), random.Int64N(10)
		sum := 70 + math.Min(20, float64(c.TotalOrders.V)/8) + float64(c.DaysSinceLastOrder.V)
		want := math.Round(math.Min(95, sum)*100) / 100
		if got := judged(t, book, &c).Score; got != want {
			t.Fatalf("%d orders, %d days: got %v, want %v", c.TotalOrders.V, c.DaysSinceLastOrder.V, got, want)
		}
	}
}
