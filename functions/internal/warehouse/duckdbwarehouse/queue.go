package duckdbwarehouse

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

var (
	//go:embed sql/queue.sql
	queueSQL string
	//go:embed sql/queue_summary.sql
	queueSummarySQL string
)

// queueColumns are the columns of customer_priority in the order of valuesOf.
var queueColumns = []string{
	"run_date", "customer_id", "retention_status", "churn_risk_level", "churn_risk_score",
	"priority_tier", "priority_score", "priority_reason", "days_since_last_order",
	"total_revenue", "total_orders", "avg_order_value", "recommended_action", "value_proxy",
	"rule_id", "rules_version", "is_frequency_drop", "is_status_inconsistent", "is_value_drop", "created_at",
}

// ReplaceQueue implements driver.Warehouse.
func (w *Warehouse) ReplaceQueue(ctx context.Context, date functions.Date, rows []retention.QueueRow, expireBefore functions.Date) (replaced int64, err error) {
	const doing = "replace the queue"
	if err := driver.CheckQueue(date, rows, expireBefore); err != nil {
		return 0, err
	}
	done, err := w.takeTurn(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return 0, fault(doing, err)
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	// With a context that can end, database/sql would roll back behind our back, and the appender could go on outside
	// of any transaction. The context is watched at each step instead.
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return 0, fault(doing, err)
	}
	defer func() {
		if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
			err = errors.Join(err, rollbackErr)
		}
	}()

	deleted, err := tx.ExecContext(ctx, "DELETE FROM customer_priority WHERE run_date = CAST($1 AS DATE)", date.String())
	if err != nil {
		return 0, fault(doing, err)
	}
	if replaced, err = deleted.RowsAffected(); err != nil {
		return 0, fault(doing, err)
	}
	if !expireBefore.IsZero() {
		if _, err := tx.ExecContext(ctx, "DELETE FROM customer_priority WHERE run_date < CAST($1 AS DATE)", expireBefore.String()); err != nil {
			return 0, fault(doing, err)
		}
	}
	var now time.Time
	if err := tx.QueryRowContext(ctx, "SELECT current_timestamp").Scan(&now); err != nil {
		return 0, fault(doing, err)
	}
	err = conn.Raw(func(raw any) error { return appendQueue(ctx, raw, rows, now) })
	if err != nil {
		return 0, fault(doing, err)
	}
	// Commit says nothing when the transaction was aborted; a statement in it does.
	var standing int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM customer_priority WHERE run_date = CAST($1 AS DATE)", date.String()).Scan(&standing); err != nil {
		return 0, fault(doing, err)
	}
	if standing != len(rows) {
		return 0, functions.Errorf(functions.Internal, "%s: %d rows stand where %d were written", doing, standing, len(rows))
	}
	if err := tx.Commit(); err != nil {
		return 0, fault(doing, err)
	}
	return replaced, nil
}

// appendQueue writes the rows through DuckDB's appender, which takes part in the connection's transaction.
func appendQueue(ctx context.Context, raw any, rows []retention.QueueRow, now time.Time) (err error) {
	conn, ok := raw.(sqldriver.Conn)
	if !ok {
		return fmt.Errorf("a %T takes no rows", raw)
	}
	appender, err := duckdb.NewAppenderWithColumns(conn, "", "", "customer_priority", queueColumns)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = appender.Clear() // else closing writes what was appended so far, only to be rolled back
			_ = appender.Close()
			return
		}
		err = appender.CloseWithCancel(ctx)
	}()
	values := make([]sqldriver.Value, len(queueColumns))
	for i := range rows {
		if i%between == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := valuesOf(&rows[i], now, values); err != nil {
			return functions.Errorf(functions.InvalidArgument, "a row cannot be stored: %v", err)
		}
		if err := appender.AppendRow(values...); err != nil {
			return err
		}
	}
	return nil
}

// valuesOf fills in the values of a row in the order of queueColumns.
func valuesOf(row *retention.QueueRow, now time.Time, values []sqldriver.Value) error {
	revenue, err := decimalOf(row.TotalRevenue)
	if err != nil {
		return fmt.Errorf("total_revenue: %w", err)
	}
	proxy, err := decimalOf(row.ValueProxy)
	if err != nil {
		return fmt.Errorf("value_proxy: %w", err)
	}
	var average sqldriver.Value
	if row.AvgOrderValue.Valid {
		if average, err = decimalOf(row.AvgOrderValue.V); err != nil {
			return fmt.Errorf("avg_order_value: %w", err)
		}
	}
	created := row.CreatedAt
	if created.IsZero() {
		created = now
	}
	values[0] = row.RunDate.In(time.UTC) // midnight UTC: the appender turns any other time to UTC first
	values[1] = row.CustomerID
	values[2] = string(row.Status)
	values[3] = string(row.RiskLevel)
	values[4] = row.RiskScore
	values[5] = string(row.Tier)
	values[6] = row.Score
	values[7] = row.Reason
	values[8] = row.DaysSinceLastOrder
	values[9] = revenue
	values[10] = row.TotalOrders
	values[11] = average
	values[12] = row.Action
	values[13] = proxy
	values[14] = row.RuleID
	values[15] = row.RulesVersion
	values[16] = row.FrequencyDrop
	values[17] = row.StatusInconsistent
	values[18] = row.ValueDrop
	values[19] = created
	return nil
}

// Queue implements driver.Warehouse.
func (w *Warehouse) Queue(ctx context.Context, date functions.Date, tier functions.Tier, visit func(retention.QueueRow) error) error {
	args := []sqldriver.NamedValue{{Ordinal: 1, Value: date.String()}, {Ordinal: 2, Value: string(tier)}}
	var visitErr error
	err := w.read(ctx, queueSQL, args, func(values []sqldriver.Value) error {
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
		return fault("read the queue", err)
	}
	return nil
}

// queueRowOf makes a row of what queue.sql gives, whose columns have the types of our table.
func queueRowOf(values []sqldriver.Value) (row retention.QueueRow, err error) {
	row.CustomerID = wordOf[string](values[0])
	row.Status = wordOf[functions.Status](values[1])
	row.RiskLevel = wordOf[functions.Risk](values[2])
	row.RiskScore, _ = values[3].(int64)
	row.Tier = wordOf[functions.Tier](values[4])
	row.Score, _ = values[5].(float64)
	row.Reason = wordOf[string](values[6])
	row.DaysSinceLastOrder, _ = values[7].(int64)
	row.TotalOrders, _ = values[9].(int64)
	row.Action = wordOf[string](values[11])
	row.RuleID = wordOf[string](values[13])
	row.RulesVersion = wordOf[string](values[14])
	row.FrequencyDrop, _ = values[15].(bool)
	row.StatusInconsistent, _ = values[16].(bool)
	row.ValueDrop, _ = values[17].(bool)
	row.CreatedAt, _ = values[18].(time.Time)

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

func wordOf[W ~string](value sqldriver.Value) W {
	word, _ := value.(string)
	return W(word)
}

// QueueSummary implements driver.Warehouse.
func (w *Warehouse) QueueSummary(ctx context.Context, date functions.Date) (retention.QueueSummary, error) {
	const doing = "sum up the queue"
	rows, err := w.db.QueryContext(ctx, queueSummarySQL, date.String())
	if err != nil {
		return retention.QueueSummary{}, fault(doing, err)
	}
	defer rows.Close() //nolint:errcheck // how the read ended is already known
	var summary retention.QueueSummary
	totals := map[functions.Tier]functions.TierTotal{}
	for rows.Next() {
		var on, written time.Time
		var total functions.TierTotal
		var atRisk any
		if err := rows.Scan(&on, &summary.RulesVersion, &written, &total.Tier, &total.Customers, &atRisk); err != nil {
			return retention.QueueSummary{}, fault(doing, err)
		}
		money, err := moneyOf(atRisk)
		if err != nil {
			return retention.QueueSummary{}, fault(doing, err)
		}
		summary.Date, total.ValueAtRisk = civil.DateOf(on), money.V
		if written.After(summary.CreatedAt) {
			summary.CreatedAt = written
		}
		totals[total.Tier] = total
	}
	if err := rows.Err(); err != nil {
		return retention.QueueSummary{}, fault(doing, err)
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
