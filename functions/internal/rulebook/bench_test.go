package rulebook_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// byHand is what the shipped rules say, written as a program, simply: a second opinion on verdicts.
func byHand(c *retention.Customer) rulebook.Verdict {
	var v rulebook.Verdict
	revenue, _ := c.TotalRevenue.V.Float64()
	days := c.DaysSinceLastOrder.V
	high := c.RiskLevel.V == "HIGH"
	start := 0.0
	switch {
	case c.Status.V == "ACTIVE" && high:
		v.Tier, v.RuleID, start = functions.P1, "active-high", 70
		switch {
		case revenue > 2000:
			v.Action = "VIP outreach + 10% loyalty incentive"
		case revenue >= 1000:
			v.Action = "Personal email + free shipping offer"
		default:
			v.Action = "Personal email + reminder"
		}
	case c.Status.V == "AT_RISK" && (high || c.RiskLevel.V == "MEDIUM"):
		v.Tier, v.RuleID, start = functions.P2, "at-risk", 50
		v.Action = "Win-back email sequence (3 emails, 7 days) + free shipping"
	case c.Status.V == "INACTIVE" && high && days <= 180:
		v.Tier, v.RuleID, start = functions.P3, "inactive-high", 30
		v.Action = "Strong comeback offer (20% discount) + survey"
	default:
		return v
	}
	points := start + math.Min(20, math.Log(1+revenue)*2) + math.Min(10, float64(days)/3)
	v.Score = math.Round(math.Min(100, points)*10) / 10
	v.Reason = c.Status.V + " + " + c.RiskLevel.V + " risk"
	signals := ""
	for _, signal := range []struct {
		is   bool
		word string
	}{{c.FrequencyDrop.V, "frequency drop"}, {c.StatusInconsistent.V, "unsteady buyer"}, {c.ValueDrop.V, "value drop"}} {
		if signal.is && signals != "" {
			signals += ", "
		}
		if signal.is {
			signals += signal.word
		}
	}
	if signals != "" {
		v.Reason += " (" + signals + ")"
	}
	if c.Status.V == "INACTIVE" {
		v.Reason += ", last order " + strconv.FormatInt(days, 10) + " days ago"
	}
	switch {
	case revenue > 2000:
		v.Reason += ", high value"
	case revenue >= 1000:
		v.Reason += ", medium value"
	}
	v.ValueProxy = rulebook.NewAmount(c.TotalRevenue.V.Mul(decimal.New(3, -1)).Round(2).Shift(2).IntPart(), 2)
	return v
}

// syntheticCustomers makes customers in every combination of status, risk and signals, about a third of them in a tier.
func syntheticCustomers(count int, seed uint64) []retention.Customer {
	random := rand.New(rand.NewPCG(seed, 1))
	customers := make([]retention.Customer, count)
	for i := range customers {
		c := &customers[i]
		*c = soundCustomer()
		c.ID = fmt.Sprintf("c%07d", i)
		c.Status.V = string(functions.Statuses[random.IntN(3)])
		c.RiskLevel.V = string(functions.Risks[random.IntN(3)])
		c.DaysSinceLastOrder.V = []int64{0, 24, 30, 31, 90, 91, 180, 181, 36500, random.Int64N(400)}[random.IntN(10)]
		c.FrequencyDrop.V, c.StatusInconsistent.V = random.IntN(2) == 0, random.IntN(4) == 0
		c.ValueDrop.V = random.IntN(10) == 0
		cents := []int64{0, 99999, 100000, 100001, 199999, 200000, 200001, 100_000_000_000, random.Int64N(500_000), random.Int64N(500_000)}
		c.TotalRevenue.V = functions.Money{Decimal: decimal.New(cents[random.IntN(len(cents))], -2)}
		c.TotalOrders.V = 1 + random.Int64N(50)
		c.AvgOrderValue.Valid = random.IntN(5) > 0
	}
	return customers
}

// BenchmarkJudge judges a million customers, and measures vetting apart. How that compares with the same rules as a
// program, and with other engines, is told by go -C .ci/bench run . at the top of the repository.
func BenchmarkJudge(b *testing.B) {
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		b.Fatal(err)
	}
	customers := syntheticCustomers(1_000_000, 7)
	perCustomer := func(took time.Duration) float64 {
		return float64(took.Nanoseconds()) / float64(b.N) / float64(len(customers))
	}
	var vetting, judging time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		for i := range customers {
			if book.Vet(&customers[i]) != nil {
				b.Fatal("a synthetic customer has a fault")
			}
		}
		vetting += time.Since(start)

		start = time.Now()
		judge := book.NewJudge(money(b, "625"))
		for i := range customers {
			if _, err := judge.Judge(&customers[i]); err != nil {
				b.Fatal(err)
			}
		}
		judging += time.Since(start)
	}
	b.ReportMetric(perCustomer(judging), "ns/customer")
	b.ReportMetric(perCustomer(vetting), "vet-ns/customer")
}

// BenchmarkLoad reads, checks, proves and compiles the shipped rules: what a function does once, when it starts.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := rulebook.Load(rules.FS); err != nil {
			b.Fatal(err)
		}
	}
}
