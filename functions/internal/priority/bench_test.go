package priority_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
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

// stockedWithMany is a warehouse file with so many customers, and the rules as shipped.
func stockedWithMany(b *testing.B, customers int) (*warehouse.Warehouse, *sql.DB, *rulebook.Book) {
	b.Helper()
	opened, err := warehouse.Open(b.Context(), "duckdb://"+b.TempDir()+"/warehouse.duckdb")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = opened.Close() })
	db := opened.Driver().(interface{ DB() *sql.DB }).DB()
	if _, err := db.ExecContext(b.Context(), fmt.Sprintf(many, customers)); err != nil {
		b.Fatal(err)
	}
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		b.Fatal(err)
	}
	return opened, db, book
}

// BenchmarkQueueOfAMillion reads, judges and stores a million customers in an embedded file, next to the same selection as one
// plain statement of the same engine. customers/s and MB (the most the Go side held at once) are of ours; ratio is our
// time over that of the statement, both of this run.
func BenchmarkQueueOfAMillion(b *testing.B) {
	customers := 1_000_000
	if testing.Short() {
		customers = 10_000
	}
	ctx := context.Background()
	opened, db, book := stockedWithMany(b, customers)
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

// BenchmarkExclusionsOfAHundredThousand reads and judges a million customers without a list, with a hundred thousand ids
// and with as many keyed hashes, in turn in one run. The ratios are of the whole call, the reading of the list included,
// to the one without a list; read-… is the reading alone in milliseconds.
func BenchmarkExclusionsOfAHundredThousand(b *testing.B) {
	customers := 1_000_000
	if testing.Short() {
		customers = 10_000
	}
	opened, _, book := stockedWithMany(b, customers)
	const key = "a key of the benchmark"
	lists := map[string]exclusion.Settings{"none": {}}
	for kind, entry := range map[string]func(id string) string{
		"ids": func(id string) string { return id }, "hashes": func(id string) string { return exclusion.Hash(key, id) },
	} {
		content := []byte("customer_id\n")
		for i := range customers / 10 {
			content = append(content, entry(fmt.Sprintf("C%07d", 10*i))+"\n"...)
		}
		path := filepath.Join(b.TempDir(), kind+".csv")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.Fatal(err)
		}
		lists[kind] = exclusion.Settings{List: "file://" + path, Key: key}
	}
	whole, reading := map[string]time.Duration{}, map[string]time.Duration{}
	for b.Loop() {
		for _, kind := range []string{"none", "ids", "hashes"} {
			began := time.Now()
			list, err := exclusion.Reader{Settings: lists[kind], Folder: archive.Open}.Read(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			reading[kind] += time.Since(began)
			a, err := priority.Assess(b.Context(), opened, book, list, today)
			if err != nil {
				b.Fatal(err)
			}
			whole[kind] += time.Since(began)
			if want := map[bool]int64{true: int64(customers / 10)}[kind != "none"]; a.Excluded != want {
				b.Fatalf("%s: %d are excluded, want %d", kind, a.Excluded, want)
			}
		}
	}
	for _, kind := range []string{"ids", "hashes"} {
		b.ReportMetric(whole[kind].Seconds()/whole["none"].Seconds(), kind+"-ratio")
		b.ReportMetric(float64(reading[kind].Milliseconds())/float64(b.N), "read-"+kind+"-ms")
	}
}
