package shop_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

// shopOf is a shop with these orders, each "customer date amount".
func shopOf(tb testing.TB, orders ...string) *sql.DB {
	tb.Helper()
	var file strings.Builder
	file.WriteString(orderHeader)
	for i, order := range orders {
		fmt.Fprintf(&file, "o%d,%s,Here\n", i, strings.ReplaceAll(order, " ", ","))
	}
	db := emptyShop(tb)
	if _, err := shop.Import(tb.Context(), db, writeFile(tb, "orders.csv", file.String())); err != nil {
		tb.Fatal(err)
	}
	return db
}

// manyOn are the orders of so many customers who order once, on this day.
func manyOn(date string, first, customers int) []string {
	var orders []string
	for i := range customers {
		orders = append(orders, fmt.Sprintf("c%05d %s 10.00", first+i, date))
	}
	return orders
}

func detect(tb testing.TB, db *sql.DB, date functions.Date) shop.DetectReport {
	tb.Helper()
	report, err := shop.Detect(tb.Context(), db, date)
	if err != nil {
		tb.Fatal(err)
	}
	return report
}

// rowsOf is what a query answers, a line a row.
func rowsOf(tb testing.TB, db *sql.DB, query string) []string {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), "SELECT COLUMNS(*)::VARCHAR FROM ("+query+")")
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		tb.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values, places := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			tb.Fatal(err)
		}
		var words []string
		for _, value := range values {
			if !value.Valid {
				value.String = "NULL"
			}
			words = append(words, value.String)
		}
		lines = append(lines, strings.Join(words, "|"))
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return lines
}

// detected are all rows of all tables of the detection.
func detected(tb testing.TB, db *sql.DB) map[string][]string {
	tb.Helper()
	tables := map[string][]string{}
	for _, table := range []string{
		"base_customers", "retention_snapshot", "churn_detection", "cohort_retention_evolution", "alert_logic",
	} {
		tables[table] = rowsOf(tb, db, "FROM "+table+" ORDER BY ALL")
	}
	return tables
}

// tiersOf counts P1, P2, P3 by the conditions of §7.1 in plain SQL, apart from the rules.
func tiersOf(tb testing.TB, db *sql.DB) [3]int64 {
	tb.Helper()
	var tiers [3]int64
	err := db.QueryRowContext(tb.Context(), `SELECT
		count(*) FILTER (WHERE retention_status = 'ACTIVE' AND churn_risk_level = 'HIGH'),
		count(*) FILTER (WHERE retention_status = 'AT_RISK' AND churn_risk_level IN ('HIGH', 'MEDIUM')),
		count(*) FILTER (WHERE retention_status = 'INACTIVE' AND churn_risk_level = 'HIGH' AND days_since_last_order <= 180)
		FROM retention_snapshot JOIN churn_detection USING (customer_id)`).Scan(&tiers[0], &tiers[1], &tiers[2])
	if err != nil {
		tb.Fatal(err)
	}
	return tiers
}

func alertOf(date functions.Date, severity functions.Severity, current, baseline, delta float64, sample int64) retention.Alert {
	return retention.Alert{
		Date: date, Severity: severity, Flag: severity != functions.Info, Current: current,
		Baseline: sql.Null[float64]{V: baseline, Valid: true}, Delta: sql.Null[float64]{V: delta, Valid: true}, SampleSize: sample,
	}
}

func TestDetectOnTheRealOrdersGivesThePublishedFigures(t *testing.T) {
	t.Parallel()
	path := os.Getenv("RETENTIONOPS_TEST_ORDERS")
	if path == "" {
		path = filepath.Join("..", "..", "..", "..", "shared", "data", "online_retail_orders.csv.gz")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the real orders are not here (%v): set RETENTIONOPS_TEST_ORDERS to the file", err)
	}
	db := emptyShop(t)
	if _, err := shop.Import(t.Context(), db, path); err != nil {
		t.Fatal(err)
	}

	type figures struct {
		Statuses []shop.StatusCount
		Risks    []shop.RiskCount
		Alert    retention.Alert
		Days     [3]int64 // alert rows, WARNING, CRITICAL
		Tiers    [3]int64
	}
	statuses := func(active, atRisk, inactive int64) []shop.StatusCount {
		return []shop.StatusCount{{functions.Active, active}, {functions.AtRisk, atRisk}, {functions.Inactive, inactive}}
	}
	risks := func(high, medium, low int64) []shop.RiskCount {
		return []shop.RiskCount{{functions.RiskHigh, high}, {functions.RiskMedium, medium}, {functions.RiskLow, low}}
	}
	for _, tt := range []struct {
		date functions.Date
		want figures
	}{
		{day(2011, 1, 17), figures{
			statuses(490, 610, 0), risks(127, 407, 566),
			alertOf(day(2011, 1, 17), functions.Critical, 55.45, 310.21/7, 25.12, 1100),
			[3]int64{48, 3, 13},
			[3]int64{31, 96, 0},
		}},
		{day(2011, 1, 18), figures{
			statuses(511, 602, 0), risks(126, 426, 561),
			alertOf(day(2011, 1, 18), functions.Warning, 54.09, 325.30/7, 16.39, 1113),
			[3]int64{49, 4, 13},
			[3]int64{32, 94, 0},
		}},
		{day(2011, 12, 9), figures{
			statuses(1667, 1222, 1449), risks(599, 678, 3061),
			alertOf(day(2011, 12, 9), functions.Info, 28.17, 192.65/7, 2.36, 4338),
			[3]int64{374, 4, 13},
			[3]int64{30, 150, 216},
		}},
	} {
		report := detect(t, db, tt.date)
		got := figures{
			report.Statuses, report.Risks, report.Alert,
			[3]int64{report.AlertDays, report.Warnings, report.Criticals},
			tiersOf(t, db),
		}
		if diff := cmp.Diff(tt.want, got, nearly); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.date, diff)
		}
	}

	cohort := rowsOf(t, db, `SELECT cohort_size, months_since_first, retention_rate_pct FROM cohort_retention_evolution
		WHERE cohort_month = DATE '2010-12-01' AND months_since_first IN (0, 1, 3, 6, 12) ORDER BY months_since_first`)
	if diff := cmp.Diff([]string{"885|0|100.0", "885|1|36.61", "885|3|38.42", "885|6|36.27", "885|12|26.55"}, cohort); diff != "" {
		t.Errorf("the cohort of December 2010 (-want +got):\n%s", diff)
	}
	raised := rowsOf(t, db, `SELECT min(alert_date), max(alert_date), count(*) FROM alert_logic WHERE alert_flag`)
	if diff := cmp.Diff([]string{"2011-01-02|2011-01-18|17"}, raised); diff != "" {
		t.Errorf("the days with a raised flag (-want +got):\n%s", diff)
	}
}

// nearly takes floats as equal that differ only in the last bits of a sum.
var nearly = cmp.Comparer(func(a, b float64) bool { return a == b || a-b < 1e-9 && b-a < 1e-9 })

func TestDetectLooksAtNothingDatedAfterTheDay(t *testing.T) {
	t.Parallel()
	whole := emptyShop(t)
	if _, err := shop.Generate(t.Context(), whole, shop.Plan{Customers: 400}); err != nil {
		t.Fatal(err)
	}
	past := emptyShop(t)
	if _, err := shop.Generate(t.Context(), past, shop.Plan{Customers: 400}); err != nil {
		t.Fatal(err)
	}
	if _, err := past.ExecContext(t.Context(), `DELETE FROM shop_orders WHERE order_date > DATE '2025-06-30'`); err != nil {
		t.Fatal(err)
	}
	detect(t, whole, day(2025, 6, 30))
	detect(t, past, day(2025, 6, 30))
	if diff := cmp.Diff(detected(t, past), detected(t, whole)); diff != "" {
		t.Errorf("with later orders there (-without +with):\n%s", diff)
	}

	// What was said of a day does not change as time goes on either.
	history := detected(t, whole)["alert_logic"]
	detect(t, whole, day(2025, 12, 31))
	if diff := cmp.Diff(history, detected(t, whole)["alert_logic"][:len(history)]); diff != "" {
		t.Errorf("the history half a year later (-then +now):\n%s", diff)
	}
}

func TestDetectCountsTheHistoryAsADailyRecountDoes(t *testing.T) {
	t.Parallel()
	db := emptyShop(t)
	if _, err := shop.Generate(t.Context(), db, shop.Plan{Customers: 300, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	detect(t, db, day(2026, 1, 31))
	want := rowsOf(t, db, `
		SELECT day, count(*) AS customers,
			round(100 * count(*) FILTER (WHERE days BETWEEN 31 AND 90) / count(*), 2) AS share
		FROM (
			SELECT d.day, o.customer_id, date_diff('day', max(o.order_date), d.day) AS days
			FROM (SELECT unnest(generate_series((SELECT min(order_date) FROM shop_orders), DATE '2026-01-31',
				INTERVAL 1 DAY))::DATE AS day) AS d
			JOIN shop_orders AS o ON o.order_date <= d.day
			GROUP BY d.day, o.customer_id
		) GROUP BY day ORDER BY day`)
	got := rowsOf(t, db, `SELECT alert_date, sample_size, current_value FROM alert_logic ORDER BY alert_date`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alert_logic (-recount +got):\n%s", diff)
	}
}

func TestDetectJudgesACustomer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		orders []string // "date amount"
		want   string   // status, days, score, level, frequency drop, inconsistent, orders, revenue, mean
	}{
		{"one order today", []string{"2026-01-12 5.00"}, "ACTIVE|0|20|MEDIUM|false|true|1|5.000000000|5.000000000"},
		{"one order 30 days ago", []string{"2025-12-13 5.00"}, "ACTIVE|30|20|MEDIUM|false|true|1|5.000000000|5.000000000"},
		{"one order 31 days ago", []string{"2025-12-12 5.00"}, "AT_RISK|31|0|LOW|false|false|1|5.000000000|5.000000000"},
		{"one order 90 days ago", []string{"2025-10-14 5.00"}, "AT_RISK|90|0|LOW|false|false|1|5.000000000|5.000000000"},
		{"one order 91 days ago", []string{"2025-10-13 5.00"}, "INACTIVE|91|0|LOW|false|false|1|5.000000000|5.000000000"},
		{
			"several orders on one day have no gap, so there is no break to exceed",
			[]string{"2025-11-01 5.00", "2025-11-01 5.00", "2025-11-01 5.00", "2025-11-01 5.00"},
			"AT_RISK|72|0|LOW|false|false|4|20.000000000|5.000000000",
		},
		{
			"exactly a break of 1.5 gaps is not more than a break", // gap 20, break 30
			[]string{"2025-10-14 5.00", "2025-11-03 5.00", "2025-11-23 5.00", "2025-12-13 5.00"},
			"ACTIVE|30|20|MEDIUM|false|true|4|20.000000000|5.000000000",
		},
		{
			"a day more than a break is a frequency drop", // gap 20, break 30, 31 days
			[]string{"2025-10-13 5.00", "2025-11-02 5.00", "2025-11-22 5.00", "2025-12-12 5.00"},
			"AT_RISK|31|50|HIGH|true|false|4|20.000000000|5.000000000",
		},
		{
			"exactly 0.7 of a break is still consistent", // gap 20, break 30, 21 days
			[]string{"2025-10-23 5.00", "2025-11-12 5.00", "2025-12-02 5.00", "2025-12-22 5.00"},
			"ACTIVE|21|0|LOW|false|false|4|20.000000000|5.000000000",
		},
		{
			"an active customer beyond the break has both signals", // gap 5, break 7.5, 8 days
			[]string{"2025-12-20 5.00", "2025-12-25 5.00", "2025-12-30 5.00", "2026-01-04 5.00"},
			"ACTIVE|8|70|HIGH|true|true|4|20.000000000|5.000000000",
		},
		{
			"a mean that does not end is cut after nine digits, rounded",
			[]string{"2026-01-10 6.66", "2026-01-11 6.67", "2026-01-12 6.67"},
			"ACTIVE|0|20|MEDIUM|false|true|3|20.000000000|6.666666667",
		},
		{
			"a large amount keeps its cents",
			[]string{"2026-01-12 1234567890123.45"},
			"ACTIVE|0|20|MEDIUM|false|true|1|1234567890123.450000000|1234567890123.450000000",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var orders []string
			for _, order := range tt.orders {
				orders = append(orders, "C1 "+order)
			}
			db := shopOf(t, orders...)
			detect(t, db, day(2026, 1, 12))
			got := rowsOf(t, db, `SELECT retention_status, days_since_last_order, churn_risk_score, churn_risk_level,
				is_frequency_drop, is_status_inconsistent, total_orders, total_revenue, avg_order_value
				FROM base_customers JOIN retention_snapshot USING (customer_id) JOIN churn_detection USING (customer_id)`)
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("customer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectRoundsAMeanHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	db := shopOf(t, "C1 2026-01-12 5.00")
	// 1 cent over 256 orders is 0.0000390625, half a unit beyond nine digits; a refund is the same below zero.
	_, err := db.ExecContext(t.Context(), `DELETE FROM shop_orders; INSERT INTO shop_orders
		SELECT 'o' || i, c, DATE '2026-01-12', CASE WHEN i > 0 THEN 0 WHEN c = 'gain' THEN 0.01 ELSE -0.01 END, NULL
		FROM range(256) AS r(i), (VALUES ('gain'), ('loss')) AS v(c)`)
	if err != nil {
		t.Fatal(err)
	}
	detect(t, db, day(2026, 1, 12))
	got := rowsOf(t, db, `SELECT customer_id, avg_order_value FROM base_customers ORDER BY 1`)
	if diff := cmp.Diff([]string{"gain|0.000039063", "loss|-0.000039063"}, got); diff != "" {
		t.Errorf("means (-want +got):\n%s", diff)
	}
}

func TestDetectTellsTheAlertOfADay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		orders []string
		date   functions.Date
		want   string // current, baseline, delta, severity, flag, sample
	}{
		{"the first day has no baseline", manyOn("2026-01-01", 0, 100), day(2026, 1, 1), "0.0|NULL|NULL|INFO|false|100"},
		{"the seventh day has no baseline", manyOn("2026-01-01", 0, 100), day(2026, 1, 7), "0.0|NULL|NULL|INFO|false|100"},
		{"the eighth day has one", manyOn("2026-01-01", 0, 100), day(2026, 1, 8), "0.0|0.0|NULL|INFO|false|100"},
		{"a rise from nothing has no relative change", manyOn("2026-01-01", 0, 100), day(2026, 2, 1), "100.0|0.0|NULL|INFO|false|100"},
		{
			"a rise of exactly 25 % is CRITICAL", // 80 of 200 at risk, then 100
			slices.Concat(manyOn("2026-01-01", 0, 80), manyOn("2026-01-10", 80, 20), manyOn("2026-02-01", 100, 100)),
			day(2026, 2, 10), "50.0|40.0|25.0|CRITICAL|true|200",
		},
		{
			"a rise of exactly 15 % is a WARNING", // 80 of 200 at risk, then 92
			slices.Concat(manyOn("2026-01-01", 0, 80), manyOn("2026-01-10", 80, 12), manyOn("2026-02-01", 92, 108)),
			day(2026, 2, 10), "46.0|40.0|15.0|WARNING|true|200",
		},
		{
			"a rise of a little less is INFO", // 160 of 400 at risk, then 183
			slices.Concat(manyOn("2026-01-01", 0, 160), manyOn("2026-01-10", 160, 23), manyOn("2026-02-01", 183, 217)),
			day(2026, 2, 10), "45.75|40.0|14.38|INFO|false|400",
		},
		{
			"of fewer than 100 customers no flag is raised", // 40 of 99 at risk, then 51
			slices.Concat(manyOn("2026-01-01", 0, 40), manyOn("2026-01-10", 40, 11), manyOn("2026-02-01", 51, 48)),
			day(2026, 2, 10), "51.52|40.4|27.52|CRITICAL|false|99",
		},
		{
			"a day without orders has its row", manyOn("2026-01-01", 0, 100),
			day(2026, 2, 20), "100.0|100.0|0.0|INFO|false|100",
		},
		{"a fall is INFO", manyOn("2026-01-01", 0, 100), day(2026, 4, 2), "0.0|100.0|-100.0|INFO|false|100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := shopOf(t, tt.orders...)
			detect(t, db, tt.date)
			got := rowsOf(t, db, `SELECT current_value, baseline_value, delta_relative_pct, severity, alert_flag, sample_size
				FROM alert_logic WHERE alert_date = (SELECT max(alert_date) FROM alert_logic)`)
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("alert of %s (-want +got):\n%s", tt.date, diff)
			}
		})
	}
}

func TestDetectRefusesADayWithoutOrders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		db   *sql.DB
		want functions.Error
	}{
		{"a shop without orders", emptyShop(t), functions.Error{
			Code: functions.FailedPrecondition, Detail: "the shop has no orders",
			Hint: "import an orders file or generate a shop first",
		}},
		{"a day before the first order", shopOf(t, "C1 2026-01-13 1.00", "C1 2026-02-01 1.00"), functions.Error{
			Code:   functions.InvalidArgument,
			Detail: "there are no orders up to 2026-01-12: they run from 2026-01-13 to 2026-02-01",
			Hint:   "give a day from 2026-01-13 on",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := shop.Detect(t.Context(), tt.db, day(2026, 1, 12))
			coded, ok := errors.AsType[*functions.Error](err)
			if !ok {
				t.Fatalf("got error %v, want a *functions.Error", err)
			}
			got := functions.Error{Code: coded.Code, Detail: coded.Detail, Hint: coded.Hint}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDetectOfNoDayIsAsOfTheNewestOrder(t *testing.T) {
	t.Parallel()
	report := detect(t, shopOf(t, "C1 2026-01-12 5.00", "C1 2026-01-20 5.00"), functions.Date{})
	if want := day(2026, 1, 20); report.AsOf != want || report.Alert.Date != want || report.Orders != 2 {
		t.Errorf("got %+v, want the detection of %s with both orders", report, want)
	}
}

func TestDetectReportsItsSteps(t *testing.T) {
	t.Parallel()
	var steps []int
	ctx := functions.WithReporter(t.Context(), func(p functions.Progress) { steps = append(steps, p.Step) })
	if _, err := shop.Detect(ctx, shopOf(t, "C1 2026-01-12 5.00"), day(2026, 1, 12)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// A detection that stops half way, at whichever step, leaves what stood there before.
func TestDetectThatIsCancelledLeavesTheTables(t *testing.T) {
	t.Parallel()
	db := shopOf(t, "C1 2025-11-01 5.00", "C1 2026-01-12 5.00", "C2 2026-01-13 7.00")
	detect(t, db, day(2026, 1, 12))
	before := detected(t, db)
	for step := 1; step <= 5; step++ {
		ctx, cancel := context.WithCancel(t.Context())
		ctx = functions.WithReporter(ctx, func(p functions.Progress) {
			if p.Step == step {
				cancel()
			}
		})
		if _, err := shop.Detect(ctx, db, day(2026, 1, 13)); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at step %d: got error %v, want %v", step, err, context.Canceled)
		}
		if diff := cmp.Diff(before, detected(t, db)); diff != "" {
			t.Errorf("cancelled at step %d (-before +after):\n%s", step, diff)
		}
	}
}

// Of several detections at once some may be told to try again; the tables are always those of one of them.
func TestDetectSeveralAtOnceNeverMixes(t *testing.T) {
	t.Parallel()
	db := emptyShop(t)
	if _, err := shop.Generate(t.Context(), db, shop.Plan{Customers: 300}); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() {
			_, err := shop.Detect(t.Context(), db, day(2026, 1, 10+i))
			if err != nil && functions.CodeOf(err) != functions.Unavailable {
				t.Errorf("detection %d: %v", i, err)
			}
		})
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		var mixed bool
		err := db.QueryRowContext(t.Context(), `SELECT
			(SELECT max(alert_date) FROM alert_logic) IS DISTINCT FROM (
				SELECT max(last_order_date + days_since_last_order::INTEGER)
				FROM base_customers JOIN retention_snapshot USING (customer_id))
			OR (SELECT count(*) FROM churn_detection) <> (SELECT count(DISTINCT customer_id) FROM base_customers)
			OR coalesce((SELECT sample_size FROM alert_logic ORDER BY alert_date DESC LIMIT 1), 0) <>
				(SELECT count(*) FROM retention_snapshot)`).Scan(&mixed)
		if err != nil {
			if strings.Contains(err.Error(), "does not exist") {
				continue // no detection has made its tables yet
			}
			t.Fatal(err)
		}
		if mixed {
			t.Fatal("a reader saw the tables of two detections mixed")
		}
	}
}
