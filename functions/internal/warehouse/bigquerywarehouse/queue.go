package bigquerywarehouse

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

const queueTable = "customer_priority"

// ReplaceQueue implements driver.Warehouse. A day with rows is one load job that truncates the day's partition; a day
// without is one DELETE. BigQuery expires old days by itself; the DELETE of those is run only when some are still there,
// as when the setting has become shorter than the table's expiry, and after the day stands.
func (w *Warehouse) ReplaceQueue(ctx context.Context, date functions.Date, rows []retention.QueueRow, expireBefore functions.Date) (int64, error) {
	const doing = "replace the queue"
	if err := driver.CheckQueue(date, rows, expireBefore); err != nil {
		return 0, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	before, err := w.queueState(ctx, date, expireBefore)
	if err != nil {
		return 0, err
	}
	id := "retops-queue-" + strings.ReplaceAll(date.String(), "-", "") + "-" + w.operation(ctx)
	switch {
	case len(rows) > 0:
		err = w.loadDay(ctx, doing, id, date, rows, before.now)
	case before.standing > 0:
		err = w.modify(ctx, emptyDayStatement, doing, id, dayParams(date))
	}
	if err != nil {
		return 0, err
	}
	if err := w.checkStanding(ctx, date, len(rows)); err != nil {
		return 0, err
	}
	if before.expired > 0 {
		if err := w.modify(ctx, expireStatement, "remove the days that have expired", id+"-expire", expireParams(expireBefore)); err != nil {
			return 0, err
		}
	}
	return before.standing, nil
}

// checkStanding asserts that the day holds what was written. A load whose rows have expired by the table's own measure
// reports success and leaves none.
func (w *Warehouse) checkStanding(ctx context.Context, date functions.Date, want int) error {
	after, err := w.queueState(ctx, date, functions.Date{})
	switch {
	case err != nil:
		return err
	case after.standing == int64(want):
		return nil
	case after.standing == 0:
		return functions.Errorf(functions.FailedPrecondition, "BigQuery took the queue of %s and kept no row of it", date).
			WithHint("the partitions of customer_priority expire earlier than the day is old: run retentionops schema apply")
	default:
		return functions.Errorf(functions.Unavailable, "another write of the queue of %s came in between", date).WithHint("try again")
	}
}

// queueState is what queue_state.sql tells.
type queueState struct {
	standing, expired int64
	now               time.Time
}

func (w *Warehouse) queueState(ctx context.Context, date, expireBefore functions.Date) (state queueState, err error) {
	err = w.read(ctx, queueStateStatement, w.sql[queueStateStatement], queueStateParams(date, expireBefore), func(row []bigquery.Value) error {
		state = queueState{plain[int64](row[0]), plain[int64](row[1]), timeOf(row[2])}
		return nil
	})
	if err != nil {
		return state, w.explained(ctx, "look at the queue", err)
	}
	return state, nil
}

func queueStateParams(date, expireBefore functions.Date) []bigquery.QueryParameter {
	return append(dayParams(date), expireParams(expireBefore)...)
}

func dayParams(date functions.Date) []bigquery.QueryParameter {
	return []bigquery.QueryParameter{param("date", date)}
}

func expireParams(expireBefore functions.Date) []bigquery.QueryParameter {
	return []bigquery.QueryParameter{param("expire_before", nullDate(expireBefore))}
}

// Queue implements driver.Warehouse.
func (w *Warehouse) Queue(ctx context.Context, date functions.Date, tier functions.Tier, visit func(retention.QueueRow) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var visitErr error
	err := w.read(ctx, queueStatement, w.sql[queueStatement], queueParams(date, tier), func(values []bigquery.Value) error {
		row, err := queueRowOf(values)
		if err != nil {
			return err
		}
		row.RunDate = date
		visitErr = visit(row)
		return visitErr
	})
	switch {
	case visitErr != nil:
		return visitErr
	case err != nil:
		return w.explained(ctx, "read the queue", err)
	}
	return nil
}

func queueParams(date functions.Date, tier functions.Tier) []bigquery.QueryParameter {
	return append(dayParams(date), param("tier", string(tier)))
}

// queueRowOf makes a row of what queue.sql gives.
func queueRowOf(values []bigquery.Value) (row retention.QueueRow, err error) {
	row = retention.QueueRow{
		CustomerID: plain[string](values[0]), Status: wordOf[functions.Status](values[1]), RiskLevel: wordOf[functions.Risk](values[2]),
		RiskScore: plain[int64](values[3]), Tier: wordOf[functions.Tier](values[4]), Score: plain[float64](values[5]), Reason: plain[string](values[6]),
		DaysSinceLastOrder: plain[int64](values[7]), TotalOrders: plain[int64](values[9]), Action: plain[string](values[11]),
		RuleID: plain[string](values[13]), RulesVersion: plain[string](values[14]),
		FrequencyDrop: plain[bool](values[15]), StatusInconsistent: plain[bool](values[16]), ValueDrop: plain[bool](values[17]),
		CreatedAt: timeOf(values[18]),
	}
	revenue, err := moneyOf(values[8])
	if err != nil {
		return row, err
	}
	proxy, err := moneyOf(values[12])
	if err != nil {
		return row, err
	}
	row.TotalRevenue, row.ValueProxy = revenue.V, proxy.V
	row.AvgOrderValue, err = moneyOf(values[10])
	return row, err
}

// QueueSummary implements driver.Warehouse.
func (w *Warehouse) QueueSummary(ctx context.Context, date functions.Date) (retention.QueueSummary, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var summary retention.QueueSummary
	totals := map[functions.Tier]functions.TierTotal{}
	err := w.read(ctx, queueSummaryStatement, w.sql[queueSummaryStatement], dayParams(date), func(row []bigquery.Value) error {
		money, err := moneyOf(row[5])
		if err != nil {
			return err
		}
		summary.Date, summary.RulesVersion = dateOf(row[0]), plain[string](row[1])
		if written := timeOf(row[2]); written.After(summary.CreatedAt) {
			summary.CreatedAt = written
		}
		tier := wordOf[functions.Tier](row[3])
		totals[tier] = functions.TierTotal{Tier: tier, Customers: plain[int64](row[4]), ValueAtRisk: money.V}
		return nil
	})
	if err != nil {
		return retention.QueueSummary{}, w.explained(ctx, "sum up the queue", err)
	}
	if len(totals) == 0 {
		return retention.QueueSummary{}, functions.Errorf(functions.NotFound, "no queue has been built on or before %s", date).
			WithHint("build one with build_priority_queue")
	}
	for _, tier := range functions.Tiers {
		total := totals[tier]
		total.Tier = tier
		summary.Tiers = append(summary.Tiers, total)
	}
	return summary, nil
}
