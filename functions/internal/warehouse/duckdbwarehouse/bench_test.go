package duckdbwarehouse_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

// Each benchmark measures ours and a plain DuckDB statement in turn, in one run on one warehouse file, and reports the
// ratio: the machine's mood is then in both.

// report tells rows per second, and how many times as long as the plain statement ours takes.
func report(b *testing.B, rows int, ours, plain time.Duration) {
	b.Helper()
	b.ReportMetric(float64(rows)*float64(b.N)/ours.Seconds(), "rows/s")
	b.ReportMetric(float64(rows)*float64(b.N)/plain.Seconds(), "plain-rows/s")
	b.ReportMetric(ours.Seconds()/plain.Seconds(), "x-plain")
}

func benchWarehouse(b *testing.B) *duckdbwarehouse.Warehouse {
	b.Helper()
	w := open(b, filepath.Join(b.TempDir(), "warehouse.duckdb"))
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	return w
}

// A queue of 100,000 rows that replaces one as large, next to the same rows by DELETE and INSERT … SELECT in DuckDB.
func BenchmarkReplaceQueue(b *testing.B) {
	const count = 100_000
	w := benchWarehouse(b)
	rows := make([]retention.QueueRow, count)
	for i := range rows {
		revenue, err := functions.ParseMoney(fmt.Sprintf("%d.%02d", i, i%100))
		if err != nil {
			b.Fatal(err)
		}
		rows[i] = retention.QueueRow{
			RunDate: monday, CustomerID: fmt.Sprintf("C%07d", i), Status: functions.Active, RiskLevel: functions.RiskHigh,
			RiskScore: 70, Tier: functions.Tiers[i%3], Score: float64(i%300) / 3, Reason: "ACTIVE + HIGH risk (frequency drop)",
			DaysSinceLastOrder: int64(i % 400), TotalRevenue: revenue, TotalOrders: int64(i % 30), ValueProxy: revenue,
			Action: "Call within 24 hours", RuleID: "p1_prevention", RulesVersion: "0123456789ab", CreatedAt: monday.In(time.UTC),
		}
	}
	if _, err := w.ReplaceQueue(b.Context(), monday, rows, functions.Date{}); err != nil {
		b.Fatal(err)
	}
	run(b, w.DB(), "CREATE TABLE made AS SELECT * REPLACE (run_date + 1 AS run_date) FROM customer_priority")

	var ours, plain time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		if _, err := w.ReplaceQueue(b.Context(), monday, rows, functions.Date{}); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(begin)
		begin = time.Now()
		run(b, w.DB(), "BEGIN; DELETE FROM customer_priority WHERE run_date = DATE '2026-01-13'; INSERT INTO customer_priority SELECT * FROM made; COMMIT")
		plain += time.Since(begin)
	}
	report(b, count, ours, plain)
}

// A million customers, next to DuckDB's own work for the same statement with its result left in DuckDB, and next to
// the plainest reading of the same columns by database/sql from a table that is already joined and in order.
func BenchmarkCustomers(b *testing.B) {
	const count = 1_000_000
	w := benchWarehouse(b)
	run(b, w.DB(), inputsSQL)
	for _, statement := range []string{
		"INSERT INTO alert_logic (alert_date) VALUES ('2026-01-12')",
		`INSERT INTO retention_snapshot SELECT printf('C%07d', i), ['ACTIVE', 'AT_RISK', 'INACTIVE'][1 + i % 3], i % 400
			FROM range(1000000) r(i) ORDER BY hash(i)`,
		`INSERT INTO churn_detection SELECT printf('C%07d', i), i % 3 * 20, ['LOW', 'MEDIUM', 'HIGH'][1 + i % 3], i % 2 = 0, i % 5 = 0, false
			FROM range(1000000) r(i) ORDER BY hash(i + 1)`,
		`INSERT INTO base_customers SELECT printf('C%07d', i), (i % 100000) / 7, 1 + i % 30, (i % 1000) / 7, DATE '2025-12-01'
			FROM range(1000000) r(i) ORDER BY hash(i + 2)`,
		`CREATE TABLE joined AS SELECT customer_id, 1::BIGINT AS s, 1::BIGINT AS c, 1::BIGINT AS b, retention_status, days_since_last_order,
			churn_risk_level, churn_risk_score, is_frequency_drop, is_status_inconsistent, is_value_drop,
			total_revenue, total_orders, avg_order_value
			FROM retention_snapshot JOIN churn_detection USING (customer_id) JOIN base_customers USING (customer_id) ORDER BY customer_id`,
		"CHECKPOINT",
	} {
		run(b, w.DB(), statement)
	}

	var ours, plain time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		visited := 0
		_, err := w.Customers(b.Context(), func(retention.Customer) error { visited++; return nil })
		if err != nil || visited != count {
			b.Fatal(visited, err)
		}
		ours += time.Since(begin)
		b.StopTimer() // its allocations are not ours
		begin = time.Now()
		if visited := scanJoined(b, w); visited != count {
			b.Fatal(visited)
		}
		plain += time.Since(begin)
		b.StartTimer()
	}
	report(b, count, ours, plain)
}

// scanJoined reads the joined table by database/sql into plain variables and makes nothing of them.
func scanJoined(b *testing.B, w *duckdbwarehouse.Warehouse) (visited int) {
	b.Helper()
	rows, err := w.DB().QueryContext(b.Context(), "SELECT * FROM joined ORDER BY customer_id")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var id, status, level string
	var inSnapshot, inChurn, inBase, days, score, orders int64
	var drop, inconsistent, value bool
	var revenue, average duckdb.Decimal
	for rows.Next() {
		err := rows.Scan(&id, &inSnapshot, &inChurn, &inBase, &status, &days, &level, &score, &drop, &inconsistent, &value, &revenue, &orders, &average)
		if err != nil {
			b.Fatal(err)
		}
		visited++
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return visited
}
