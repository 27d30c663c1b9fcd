package shop_test

import (
	"database/sql"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions/internal/shop"
)

// fileShop is a fresh database in a file, as the command uses it.
func fileShop(b *testing.B) *sql.DB {
	b.Helper()
	db, err := sql.Open("duckdb", filepath.Join(b.TempDir(), "shop.duckdb"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

const manyCustomers = 1_000_000

func BenchmarkGenerateMany(b *testing.B) {
	if testing.Short() {
		b.Skip("a million customers take a while")
	}
	for b.Loop() {
		b.StopTimer()
		db := fileShop(b)
		b.StartTimer()
		start := time.Now()
		report, err := shop.Generate(b.Context(), db, shop.Plan{Customers: manyCustomers})
		if err != nil {
			b.Fatal(err)
		}
		seconds := time.Since(start).Seconds()
		b.ReportMetric(float64(report.Orders)/seconds, "orders/s")
		b.ReportMetric(float64(report.Customers)/seconds, "customers/s")
		reportMemory(b, db)
	}
}

// The whole detection next to its plainest part: the status and the risk of each customer, counted in one statement
// that writes nothing and keeps no history.
func BenchmarkDetectMany(b *testing.B) {
	if testing.Short() {
		b.Skip("a million customers take a while")
	}
	db := fileShop(b)
	if _, err := shop.Generate(b.Context(), db, shop.Plan{Customers: manyCustomers}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		start := time.Now()
		report := detect(b, db, day(2026, 1, 12))
		whole := time.Since(start)
		b.StopTimer()
		b.ReportMetric(float64(report.Orders)/whole.Seconds(), "orders/s")
		b.ReportMetric(float64(report.Customers)/whole.Seconds(), "customers/s")
		reportMemory(b, db)

		start = time.Now()
		var high int64
		err := db.QueryRowContext(b.Context(), `WITH facts AS (
				SELECT customer_id, count(*) AS orders, sum(order_amount) AS revenue,
					date_diff('day', max(order_date), DATE '2026-01-12') AS days,
					date_diff('day', min(order_date), max(order_date)) AS span
				FROM shop_orders WHERE order_date <= DATE '2026-01-12' GROUP BY customer_id
			) SELECT count(*) FROM facts WHERE span > 0 AND 2 * days * (orders - 1) > 3 * span`).Scan(&high)
		if err != nil {
			b.Fatal(err)
		}
		if high != report.Risks[0].Customers {
			b.Fatalf("the plain statement finds %d customers of HIGH risk, the detection %d", high, report.Risks[0].Customers)
		}
		b.ReportMetric(whole.Seconds()/time.Since(start).Seconds(), "times-plain")
		if flaw := storyOf(b, db).flaw(manyCustomers); flaw != "" {
			b.Error(flaw)
		}
		b.StartTimer()
	}
}

// reportMemory reports what the engine and Go hold now.
func reportMemory(b *testing.B, db *sql.DB) {
	b.Helper()
	var engine float64
	if err := db.QueryRowContext(b.Context(), `SELECT sum(memory_usage_bytes) FROM duckdb_memory()`).Scan(&engine); err != nil {
		b.Fatal(err)
	}
	var own runtime.MemStats
	runtime.ReadMemStats(&own)
	b.ReportMetric(engine/1e6, "MB-engine")
	b.ReportMetric(float64(own.Sys)/1e6, "MB-go")
}
