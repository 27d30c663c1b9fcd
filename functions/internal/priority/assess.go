// Package priority turns customers into the priority queue: it reads them, sets aside those that cannot be judged,
// lets the rulebook judge the rest, orders and compares the result, holds it against the guardrails and stores it.
//
// It is not the rules: who is in which tier, with which score and action, is said in rules/ and decided by rulebook.
package priority

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Customers reads the customers of the newest alert date, in the order of their ids.
type Customers interface {
	Customers(ctx context.Context, visit func(retention.Customer) error) (asOf functions.Date, err error)
}

// Exclusions tell who is never to be contacted.
type Exclusions interface {
	Has(customerID string) bool
	Len() int // 0: nobody is excluded
}

// Assess reads every customer and judges each by the book. Who is excluded is in no tier, whatever the rules say, and
// else counts like everybody: in the statuses, in the data's faults and in the median, so that the list changes nobody
// else's verdict. Nil excludes nobody. The input tables hold one day only: when that is not date,
// the answer is failed_precondition, naming both, and never today's customers under another day's name.
func Assess(
	ctx context.Context, source Customers, book *rulebook.Book, excluded Exclusions, date functions.Date,
) (*retention.Assessment, error) {
	functions.Report(ctx, functions.Progress{Stage: "read", Message: "Reading the customers"})
	a := &retention.Assessment{RulesVersion: book.Version()}
	quality := map[string]*functions.QualityIssue{}
	print := fingerprint{hash: sha256.New()}
	var sound []retention.Customer
	var barred []bool // which of the sound ones are excluded
	asOf, err := source.Customers(ctx, func(c retention.Customer) error {
		a.Customers++
		never := excluded != nil && excluded.Has(c.ID)
		if never {
			a.Excluded++
		}
		print.add(&c, never)
		faults := book.Vet(&c)
		if len(faults) == 0 {
			sound, barred = append(sound, c), append(barred, never)
			return nil
		}
		a.Quality.SetAside++
		for _, fault := range faults {
			if quality[fault.Issue] == nil {
				quality[fault.Issue] = &functions.QualityIssue{Issue: fault.Issue, Meaning: fault.Meaning}
			}
			quality[fault.Issue].Customers++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if asOf != date {
		return nil, functions.Errorf(functions.FailedPrecondition, "the customer tables are as of %s, not of %s", asOf, date).
			WithHint(fmt.Sprintf("they hold one day only: ask for %s, or for %q", asOf, functions.Latest))
	}
	a.AsOf = asOf
	a.Fingerprint = print.sum()
	a.MedianRevenue = medianRevenue(sound)
	a.Quality.Issues = []functions.QualityIssue{}
	for _, issue := range quality {
		a.Quality.Issues = append(a.Quality.Issues, *issue)
	}
	slices.SortFunc(a.Quality.Issues, func(x, y functions.QualityIssue) int {
		return cmp.Or(cmp.Compare(y.Customers, x.Customers), cmp.Compare(x.Issue, y.Issue))
	})
	functions.Report(ctx, functions.Progress{Stage: "judge", Message: fmt.Sprintf("Judging %d customers", len(sound))})
	return a, judge(ctx, a, book, sound, barred)
}

// judge fills the assessment's table, rows and totals from the sound customers.
func judge(ctx context.Context, a *retention.Assessment, book *rulebook.Book, sound []retention.Customer, barred []bool) error {
	judge := book.NewJudge(a.MedianRevenue)
	counts := map[functions.Status]map[functions.Risk]int64{}
	for _, status := range functions.Statuses {
		counts[status] = map[functions.Risk]int64{}
	}
	totals := map[functions.Tier]functions.TierTotal{}
	for i := range sound {
		if i%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c := &sound[i]
		counts[functions.Status(c.Status.V)][functions.Risk(c.RiskLevel.V)]++
		if barred[i] {
			continue
		}
		verdict, err := judge.Judge(c)
		if err != nil {
			return fmt.Errorf("judge a customer by rules %s: %w", a.RulesVersion, err)
		}
		if verdict.Tier == "" {
			continue
		}
		total := totals[verdict.Tier]
		total.Customers++
		total.ValueAtRisk = total.ValueAtRisk.Plus(verdict.ValueProxy.Money())
		totals[verdict.Tier] = total
		a.Rows = append(a.Rows, queueRow(a, c, verdict))
	}
	slices.SortFunc(a.Rows, func(x, y retention.QueueRow) int {
		return cmp.Or(cmp.Compare(x.Tier, y.Tier), cmp.Compare(y.Score, x.Score), cmp.Compare(x.CustomerID, y.CustomerID))
	})
	for _, status := range functions.Statuses {
		for _, risk := range functions.Risks {
			a.StatusByRisk = append(a.StatusByRisk,
				functions.StatusRiskCell{Status: status, Risk: risk, Customers: counts[status][risk]})
		}
	}
	for _, tier := range functions.Tiers {
		total := totals[tier]
		total.Tier = tier
		a.Tiers = append(a.Tiers, total)
	}
	return nil
}

func queueRow(a *retention.Assessment, c *retention.Customer, v rulebook.Verdict) retention.QueueRow {
	return retention.QueueRow{
		RunDate: a.AsOf, CustomerID: c.ID,
		Status: functions.Status(c.Status.V), RiskLevel: functions.Risk(c.RiskLevel.V), RiskScore: c.RiskScore.V,
		Tier: v.Tier, Score: v.Score, Reason: v.Reason, Action: v.Action, ValueProxy: v.ValueProxy.Money(),
		RuleID: v.RuleID, RulesVersion: a.RulesVersion,
		DaysSinceLastOrder: c.DaysSinceLastOrder.V, TotalRevenue: c.TotalRevenue.V, TotalOrders: c.TotalOrders.V,
		AvgOrderValue: c.AvgOrderValue,
		FrequencyDrop: c.FrequencyDrop.V, StatusInconsistent: c.StatusInconsistent.V, ValueDrop: c.ValueDrop.V,
	}
}

// medianRevenue is the exact median of total_revenue: the middle amount, or the mean of the two middle ones. It is 0
// without customers.
func medianRevenue(customers []retention.Customer) functions.Money {
	if len(customers) == 0 {
		return functions.Money{}
	}
	// Floats order nearly all amounts; where two are equal as floats the exact amounts decide.
	type amount struct {
		near  float64
		exact functions.Money
	}
	amounts := make([]amount, len(customers))
	for i := range customers {
		exact := customers[i].TotalRevenue.V
		amounts[i] = amount{near: exact.InexactFloat64(), exact: exact}
	}
	slices.SortFunc(amounts, func(x, y amount) int {
		if order := cmp.Compare(x.near, y.near); order != 0 {
			return order
		}
		return x.exact.Cmp(y.exact.Decimal)
	})
	upper := amounts[len(amounts)/2].exact
	if len(amounts)%2 == 1 {
		return upper
	}
	lower := amounts[len(amounts)/2-1].exact
	sum := lower.Plus(upper)
	return functions.Money{Decimal: sum.Mul(decimal.New(5, -1))}
}

// fingerprint stands for a set of customers as they were read, in the order of their ids.
type fingerprint struct {
	hash hash.Hash
	line []byte
}

func (f *fingerprint) sum() string { return hex.EncodeToString(f.hash.Sum(nil)[:16]) }

// add takes in every column that a verdict or a file can depend on, and whether the customer is excluded. Fields are
// told apart by their length. The list itself is not taken in: entries that are nobody's change no queue.
func (f *fingerprint) add(c *retention.Customer, never bool) {
	line := f.line[:0]
	text := func(value string, valid bool) {
		if !valid {
			line = append(line, '-', ';')
			return
		}
		line = strconv.AppendInt(line, int64(len(value)), 10)
		line = append(line, ':')
		line = append(line, value...)
		line = append(line, ';')
	}
	number := func(value int64, valid bool) {
		if valid {
			line = strconv.AppendInt(line, value, 10)
		} else {
			line = append(line, '-')
		}
		line = append(line, ';')
	}
	truth := func(value, valid bool) {
		if valid {
			line = strconv.AppendBool(line, value)
		} else {
			line = append(line, '-')
		}
		line = append(line, ';')
	}
	text(c.ID, true)
	number(c.Rows.Snapshot, true)
	number(c.Rows.Churn, true)
	number(c.Rows.Base, true)
	text(c.Status.V, c.Status.Valid)
	number(c.DaysSinceLastOrder.V, c.DaysSinceLastOrder.Valid)
	text(c.RiskLevel.V, c.RiskLevel.Valid)
	number(c.RiskScore.V, c.RiskScore.Valid)
	truth(c.FrequencyDrop.V, c.FrequencyDrop.Valid)
	truth(c.StatusInconsistent.V, c.StatusInconsistent.Valid)
	truth(c.ValueDrop.V, c.ValueDrop.Valid)
	text(c.TotalRevenue.V.String(), c.TotalRevenue.Valid)
	number(c.TotalOrders.V, c.TotalOrders.Valid)
	text(c.AvgOrderValue.V.String(), c.AvgOrderValue.Valid)
	if never {
		line = append(line, '!')
	}
	f.line = line
	_, _ = f.hash.Write(line) // a hash never fails to take bytes
}
