package priority_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/rules"
)

// many fills the input tables with customers that are spread over every status, level and amount.
const many = `
CREATE TABLE alert_logic AS SELECT DATE '2026-01-12' AS alert_date, 'WARNING' AS severity, true AS alert_flag,
  25.2::DOUBLE AS current_value, 21.4::DOUBLE AS baseline_value, 17.76::DOUBLE AS delta_relative_pct, 1000000::BIGINT AS sample_size;
CREATE TABLE seed AS SELECT i, format('C{:07d}', i) AS customer_id, (hash(i) %% 400)::BIGINT AS days,
  hash(i, 1) %% 10 AS luck, ((hash(i, 2) %% 500000) / 100)::DECIMAL(38,9) AS revenue FROM range(%d) t(i);
CREATE TABLE retention_snapshot AS SELECT customer_id,
  CASE WHEN days <= 30 THEN 'ACTIVE' WHEN days <= 90 THEN 'AT_RISK' ELSE 'INACTIVE' END AS retention_status,
  days AS days_since_last_order FROM seed;
CREATE TABLE churn_detection AS SELECT customer_id, (CASE WHEN luck < 4 THEN 50 ELSE 0 END)::BIGINT AS churn_risk_score,
  CASE WHEN luck < 4 THEN 'HIGH' ELSE 'LOW' END AS churn_risk_level, luck < 4 AS is_frequency_drop,
  false AS is_status_inconsistent, false AS is_value_drop FROM seed;
CREATE TABLE base_customers AS SELECT customer_id, revenue AS total_revenue, (1 + luck)::BIGINT AS total_orders,
  revenue AS avg_order_value FROM seed;
DROP TABLE seed;`

// plain is the same selection as one statement, with the score, and the reason and action as constants of the tier. It
// vets nobody, keeps no fingerprint and looks up no actions by value: it is the limit, not an alternative.
const plain = `CREATE OR REPLACE TABLE plain_queue AS
SELECT *, least(100, round((start + least(20, ln(1 + total_revenue::DOUBLE) * 2) + least(10, days_since_last_order / 3)) * 10) / 10) AS priority_score,
  retention_status || ' + ' || churn_risk_level || ' risk' AS priority_reason, round(total_revenue * 0.30::DECIMAL(9,2), 2) AS value_proxy
FROM (
  SELECT s.customer_id, s.retention_status, c.churn_risk_level, c.churn_risk_score, s.days_since_last_order, b.total_revenue,
    b.total_orders, b.avg_order_value,
    CASE WHEN s.retention_status = 'ACTIVE' AND c.churn_risk_level = 'HIGH' THEN 'P1'
         WHEN s.retention_status = 'AT_RISK' AND c.churn_risk_level IN ('HIGH', 'MEDIUM') THEN 'P2'
         WHEN s.retention_status = 'INACTIVE' AND c.churn_risk_level = 'HIGH' AND s.days_since_last_order <= 180 THEN 'P3' END AS tier,
    CASE tier WHEN 'P1' THEN 70 WHEN 'P2' THEN 50 ELSE 30 END AS start
  FROM retention_snapshot s JOIN churn_detection c USING (customer_id) JOIN base_customers b USING (customer_id))
WHERE tier IS NOT NULL ORDER BY tier, priority_score DESC, customer_id`

// BenchmarkQueueOfAMillion reads, judges and stores a million customers in an embedded file, next to the same selection as one
// plain statement of the same engine. customers/s and MB (the most the Go side held at once) are of ours; ratio is our
// time over that of the statement, both of this run.
func BenchmarkQueueOfAMillion(b *testing.B) {
	customers := 1_000_000
	if testing.Short() {
		customers = 10_000
	}
	ctx := context.Background()
	opened, err := warehouse.Open(ctx, "duckdb://"+b.TempDir()+"/warehouse.duckdb")
	if err != nil {
		b.Fatal(err)
	}
	defer opened.Close()
	db := opened.Driver().(interface{ DB() *sql.DB }).DB()
	if _, err := db.ExecContext(ctx, fmt.Sprintf(many, customers)); err != nil {
		b.Fatal(err)
	}
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		b.Fatal(err)
	}
	papers, err := archive.Open(ctx, "file://"+b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	builder := &priority.Builder{Queues: opened, Archive: papers, Now: time.Now, KeepDays: 90}
	var ours, statement time.Duration
	var most uint64
	for b.Loop() {
		began := time.Now()
		assessment, err := priority.Assess(ctx, opened, book, nil, today)
		if err != nil {
			b.Fatal(err)
		}
		out, err := builder.Build(ctx, book, assessment, priority.Options{Override: &functions.Override{By: "benchmark", Why: "size"}})
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		most = max(most, memory.HeapAlloc)

		began = time.Now()
		if _, err := db.ExecContext(ctx, plain); err != nil {
			b.Fatal(err)
		}
		statement += time.Since(began)
		var selected int64
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM plain_queue").Scan(&selected); err != nil || selected != out.Total {
			b.Fatalf("the statement selects %d customers, we %d, %v", selected, out.Total, err)
		}
	}
	b.ReportMetric(float64(customers)*float64(b.N)/ours.Seconds(), "customers/s")
	b.ReportMetric(float64(most)/1e6, "MB")
	b.ReportMetric(ours.Seconds()/statement.Seconds(), "ratio")
}
