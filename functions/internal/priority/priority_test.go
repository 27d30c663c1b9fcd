package priority_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/rules"
)

var today = civil.Date{Year: 2026, Month: time.January, Day: 12}

// customer is a row in each of the three customer tables, as SQL values.
type customer struct {
	id, status, days, risk, score, frequency, revenue, orders string
}

func sound(id, status string, days int, risk, revenue string) customer {
	score := map[string]string{"HIGH": "50", "MEDIUM": "20", "LOW": "0"}[risk]
	return customer{id, quote(status), fmt.Sprint(days), quote(risk), score, fmt.Sprint(risk == "HIGH"), revenue, "4"}
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// stocked is a warehouse in memory whose input tables hold these customers as of today.
func stocked(t *testing.T, customers ...customer) *warehouse.Warehouse {
	t.Helper()
	opened, err := warehouse.Open(context.Background(), "duckdb::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	stock(t, opened, customers...)
	return opened
}

// stock replaces what the input tables hold.
func stock(t *testing.T, w *warehouse.Warehouse, customers ...customer) {
	t.Helper()
	statements := []string{
		`CREATE OR REPLACE TABLE alert_logic AS SELECT DATE '2026-01-12' AS alert_date, 'WARNING' AS severity, true AS alert_flag,
			25.2::DOUBLE AS current_value, 21.4::DOUBLE AS baseline_value, 17.76::DOUBLE AS delta_relative_pct, 4::BIGINT AS sample_size`,
		`CREATE OR REPLACE TABLE retention_snapshot (customer_id VARCHAR, retention_status VARCHAR, days_since_last_order BIGINT)`,
		`CREATE OR REPLACE TABLE churn_detection (customer_id VARCHAR, churn_risk_score BIGINT, churn_risk_level VARCHAR,
			is_frequency_drop BOOLEAN, is_status_inconsistent BOOLEAN, is_value_drop BOOLEAN)`,
		`CREATE OR REPLACE TABLE base_customers (customer_id VARCHAR, total_revenue DECIMAL(38,9), total_orders BIGINT,
			avg_order_value DECIMAL(38,9), first_order_date DATE, last_order_date DATE)`,
	}
	for _, c := range customers {
		statements = append(statements,
			fmt.Sprintf("INSERT INTO retention_snapshot VALUES (%s, %s, %s)", quote(c.id), c.status, c.days),
			fmt.Sprintf("INSERT INTO churn_detection VALUES (%s, %s, %s, %s, false, false)", quote(c.id), c.score, c.risk, c.frequency),
			fmt.Sprintf("INSERT INTO base_customers VALUES (%s, %s, %s, NULL, NULL, NULL)", quote(c.id), c.revenue, c.orders))
	}
	db := w.Driver().(interface{ DB() *sql.DB }).DB()
	for _, statement := range statements {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%v in %s", err, statement)
		}
	}
}

func shipped(t *testing.T) *rulebook.Book {
	t.Helper()
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

func assess(t *testing.T, w *warehouse.Warehouse) *retention.Assessment {
	t.Helper()
	a, err := priority.Assess(context.Background(), w, shipped(t), nil, today)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func builder(t *testing.T, w *warehouse.Warehouse) *priority.Builder {
	t.Helper()
	papers, err := archive.Open(context.Background(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &priority.Builder{
		Queues: w, Archive: papers, KeepDays: 90,
		Now: func() time.Time { return time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC) },
	}
}

func queue(t *testing.T, w *warehouse.Warehouse) []string {
	t.Helper()
	var rows []string
	err := w.Queue(context.Background(), today, "", func(row retention.QueueRow) error {
		rows = append(rows, fmt.Sprintf("%s %s %g", row.Tier, row.CustomerID, row.Score))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestTheQueueIsOrderedByTierThenScoreThenCustomer(t *testing.T) {
	t.Parallel()
	w := stocked(t,
		sound("late", "AT_RISK", 60, "HIGH", "30000"),     // a P2 can outscore a P1
		sound("b", "ACTIVE", 24, "HIGH", "3847"),          // §7.2's example
		sound("a", "ACTIVE", 24, "HIGH", "3847"),          // the same: the id decides
		sound("small", "ACTIVE", 0, "HIGH", "0"),          // the least a P1 can score
		sound("gone", "INACTIVE", 120, "HIGH", "500"),     //
		sound("longgone", "INACTIVE", 181, "HIGH", "500"), // too long ago for P3
		sound("fine", "ACTIVE", 3, "LOW", "100"),
	)
	a := assess(t, w)
	var got []string
	for _, row := range a.Rows {
		got = append(got, fmt.Sprintf("%s %s %g", row.Tier, row.CustomerID, row.Score))
	}
	want := []string{"P1 a 94.5", "P1 b 94.5", "P1 small 70", "P2 late 80", "P3 gone 52.4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	for _, row := range a.Rows {
		if row.RuleID == "" || row.Reason == "" || row.Action == "" || row.RulesVersion == "" {
			t.Errorf("%s has no reason of its own: %+v", row.CustomerID, row)
		}
	}
	if want := "1154.1"; a.Rows[0].ValueProxy.String() != want {
		t.Errorf("value at stake of 3847 is %s, want %s", a.Rows[0].ValueProxy, want)
	}
}

func TestWhoCannotBeJudgedIsCountedAndInNoTier(t *testing.T) {
	t.Parallel()
	odd := func(change func(*customer)) customer {
		c := sound("", "ACTIVE", 5, "HIGH", "100")
		change(&c)
		return c
	}
	w := stocked(t,
		sound("ok", "ACTIVE", 5, "HIGH", "100"),
		odd(func(c *customer) { c.id, c.status = "quality", "'DATA_QUALITY_ISSUE'" }),
		odd(func(c *customer) { c.id, c.status = "unknown", "'SLEEPING'" }),
		odd(func(c *customer) { c.id, c.risk = "nolevel", "NULL" }),
		odd(func(c *customer) { c.id, c.days = "future", "-1" }),
		odd(func(c *customer) { c.id = "twice" }),
		odd(func(c *customer) { c.id = "twice" }),
	)
	db := w.Driver().(interface{ DB() *sql.DB }).DB()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO base_customers VALUES ('lonely', 1, 1, NULL, NULL, NULL)"); err != nil {
		t.Fatal(err)
	}
	a := assess(t, w)
	if a.Customers != 7 || a.Quality.SetAside != 6 || len(a.Rows) != 1 || a.Rows[0].CustomerID != "ok" {
		t.Errorf("%d customers, %d set aside, rows %+v", a.Customers, a.Quality.SetAside, a.Rows)
	}
	for _, issue := range a.Quality.Issues {
		if issue.Customers < 1 || issue.Meaning == "" {
			t.Errorf("issue without figure or words: %+v", issue)
		}
	}
	if len(a.Quality.Issues) < 6 {
		t.Errorf("%d kinds of issue, want one for each fault at least: %+v", len(a.Quality.Issues), a.Quality.Issues)
	}
}

func TestAnotherDayIsNeverAnsweredWithTodaysCustomers(t *testing.T) {
	t.Parallel()
	_, err := priority.Assess(t.Context(), stocked(t), shipped(t), nil, today.AddDays(-1))
	if functions.CodeOf(err) != functions.FailedPrecondition {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "2026-01-12") || !strings.Contains(text, "2026-01-11") {
		t.Errorf("%q does not name both days", text)
	}
}

func TestTheMedianIsExact(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		revenues []string
		want     string
	}{
		{"of none it is zero", nil, "0"},
		{"of an odd number it is the middle one", []string{"3", "1", "2.000000001"}, "2.000000001"},
		{"of an even number it is the mean of the two", []string{"0.000000001", "0.000000002", "9", "0"}, "0.0000000015"},
		{"amounts that are one float are told apart", []string{"900000000.000000001", "900000000.000000003", "900000000.000000002"}, "900000000.000000002"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var customers []customer
			for i, revenue := range test.revenues {
				customers = append(customers, sound(fmt.Sprint(i), "ACTIVE", 1, "LOW", revenue))
			}
			if got := assess(t, stocked(t, customers...)).MedianRevenue.String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestTheFingerprintStandsForEveryColumn(t *testing.T) {
	t.Parallel()
	base := sound("a", "ACTIVE", 5, "HIGH", "100")
	seen := map[string]string{assess(t, stocked(t, base)).Fingerprint: "nothing"}
	if again := assess(t, stocked(t, base)).Fingerprint; seen[again] == "" {
		t.Error("the same customers give another fingerprint")
	}
	for what, change := range map[string]func(*customer){
		"id": func(c *customer) { c.id = "b" }, "status": func(c *customer) { c.status = "'AT_RISK'" },
		"days": func(c *customer) { c.days = "6" }, "risk": func(c *customer) { c.risk = "'LOW'" },
		"score": func(c *customer) { c.score = "70" }, "frequency": func(c *customer) { c.frequency = "NULL" },
		"revenue": func(c *customer) { c.revenue = "100.000000001" }, "orders": func(c *customer) { c.orders = "5" },
	} {
		changed := base
		change(&changed)
		fingerprint := assess(t, stocked(t, changed)).Fingerprint
		if other := seen[fingerprint]; other != "" {
			t.Errorf("a changed %s has the fingerprint of %s", what, other)
		}
		seen[fingerprint] = what
	}
}

func TestBuildingTwiceLeavesTheSameRows(t *testing.T) {
	t.Parallel()
	w := stocked(t, sound("a", "ACTIVE", 5, "HIGH", "100"), sound("b", "AT_RISK", 50, "HIGH", "100"))
	b, book := builder(t, w), shipped(t)
	first, err := b.Build(t.Context(), book, assess(t, w), priority.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := queue(t, w)
	second, err := b.Build(t.Context(), book, assess(t, w), priority.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, queue(t, w)); diff != "" || len(before) != 2 {
		t.Errorf("rows changed (-first +second):\n%s", diff)
	}
	if first.RowsReplaced != 0 || second.RowsReplaced != 2 || second.TableUpdated != "customer_priority" {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if first.Changes.Added != 2 || first.Changes.ComparedWith != nil || second.Changes.Unchanged != 2 {
		t.Errorf("changes: first %+v, second %+v", first.Changes, second.Changes)
	}
	kept, err := b.Archive.List(t.Context(), "rules/"+book.Version()+"/")
	if err != nil || len(kept) != 2 {
		t.Errorf("kept %v of the rule files, %v", kept, err)
	}
	reused, err := b.Build(t.Context(), book, assess(t, w), priority.Options{ReuseSame: true})
	if err != nil || reused.TableUpdated != "" || reused.Total != 2 {
		t.Errorf("the same customers and rules were written again: %+v, %v", reused, err)
	}
}

func TestBuildCountsWhoCameLeftAndMoved(t *testing.T) {
	t.Parallel()
	others := []customer{sound("x", "ACTIVE", 1, "LOW", "1"), sound("y", "ACTIVE", 1, "LOW", "1"), sound("z", "ACTIVE", 1, "LOW", "1")}
	w := stocked(t, append(others, sound("stays", "ACTIVE", 5, "HIGH", "100"), sound("slides", "ACTIVE", 30, "HIGH", "100"),
		sound("leaves", "AT_RISK", 90, "HIGH", "1"))...)
	b, book := builder(t, w), shipped(t)
	if _, err := b.Build(t.Context(), book, assess(t, w), priority.Options{}); err != nil {
		t.Fatal(err)
	}
	stock(t, w, append(others, sound("stays", "ACTIVE", 6, "HIGH", "100"), sound("slides", "AT_RISK", 31, "HIGH", "100"),
		sound("comes", "INACTIVE", 91, "HIGH", "1"))...)
	got, err := b.Build(t.Context(), book, assess(t, w), priority.Options{DryRun: true, ReuseSame: true})
	if err != nil {
		t.Fatal(err)
	}
	want := functions.QueueChanges{
		ComparedWith: &today, Added: 1, Removed: 1, Unchanged: 1,
		Moved: []functions.TierMovement{{From: functions.P1, To: functions.P2, Customers: 1}},
	}
	if diff := cmp.Diff(want, got.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got.TableUpdated != "" || !slices.ContainsFunc(queue(t, w), func(row string) bool { return strings.Contains(row, "leaves") }) {
		t.Error("a dry run wrote")
	}
}

func TestAGuardrailStopsUnlessSomebodyAnswersForIt(t *testing.T) {
	t.Parallel()
	var customers []customer
	for i := range 10 {
		customers = append(customers, sound(fmt.Sprint(i), "ACTIVE", 5, "HIGH", "100"))
	}
	w := stocked(t, customers...)
	b, book := builder(t, w), shipped(t)
	out, err := b.Build(t.Context(), book, assess(t, w), priority.Options{})
	if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(err.Error(), "P1 takes 10 of 10 customers") {
		t.Fatalf("got %v", err)
	}
	var stopped *functions.Error
	if !errors.As(err, &stopped) || stopped.Result == nil || out.Guardrails.Verdict != functions.VerdictStop {
		t.Errorf("the figures are not in the error: %+v", out)
	}
	if rows := queue(t, w); len(rows) != 0 {
		t.Errorf("a stopped build wrote %v", rows)
	}
	out, err = b.Build(t.Context(), book, assess(t, w), priority.Options{Override: &functions.Override{By: "Ada", Why: "a test shop"}})
	if err != nil || out.Guardrails.Overridden != "Ada: a test shop" || len(queue(t, w)) != 10 {
		t.Errorf("an override did not pass: %+v, %v", out, err)
	}
}
