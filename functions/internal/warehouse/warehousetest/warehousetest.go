// Package warehousetest is the conformance suite of package warehouse: what every driver does, told as tests. A driver
// runs it with a harness of its own, in one short test file.
//
// It is not a test of the detection: its input rows are written by hand, the ugly ones too.
package warehousetest

import (
	"context"
	"database/sql"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// Harness makes a warehouse that no other test uses, whose input tables hold the rows given and whose own tables are
// empty. The suite closes it.
type Harness func(t *testing.T, inputs Inputs) driver.Warehouse

// Inputs are the rows of the four input tables (§5). A column that is not valid is NULL.
type Inputs struct {
	Alerts   []Alert
	Snapshot []Snapshot
	Churn    []Churn
	Base     []Base
	// Exclusions are the customer_ids of a table of that name (ExclusionsTable), which has another column beside it.
	Exclusions []sql.Null[string]
	// Lacking names what is not there at all: a table ("alert_logic") or a column ("base_customers.total_revenue").
	Lacking []string
}

// ExclusionsTable is the table of customers never to be contacted. Harnesses make it as
// (customer_id STRING, why STRING); nobody reads why, and it may be NULL.
const ExclusionsTable = "retention_exclusions"

// Alert is a row of alert_logic.
type Alert struct {
	Date                     functions.Date
	Severity                 sql.Null[string]
	Flag                     sql.Null[bool]
	Current, Baseline, Delta sql.Null[float64]
	SampleSize               sql.Null[int64]
}

// Snapshot is a row of retention_snapshot.
type Snapshot struct {
	CustomerID, Status sql.Null[string]
	Days               sql.Null[int64]
}

// Churn is a row of churn_detection.
type Churn struct {
	CustomerID                                   sql.Null[string]
	Score                                        sql.Null[int64]
	Level                                        sql.Null[string]
	FrequencyDrop, StatusInconsistent, ValueDrop sql.Null[bool]
}

// Base is a row of base_customers.
type Base struct {
	CustomerID    sql.Null[string]
	TotalRevenue  sql.Null[functions.Money]
	TotalOrders   sql.Null[int64]
	AvgOrderValue sql.Null[functions.Money]
	LastOrderDate sql.Null[functions.Date]
}

// Run runs the suite against the driver of the harness.
func Run(t *testing.T, harness Harness) {
	t.Helper()
	for _, group := range [][]check{alertChecks, customerChecks, exclusionChecks, queueChecks, runChecks, contextChecks} {
		for _, check := range group {
			t.Run(check.name, func(t *testing.T) {
				t.Parallel()
				check.run(trial{t, harness})
			})
		}
	}
}

// check is one thing that every driver does; its name says which.
type check struct {
	name string
	run  func(trial)
}

// trial is one check of one driver.
type trial struct {
	*testing.T

	harness Harness
}

// open makes a warehouse that is closed at the end of the trial.
func (t trial) open(inputs Inputs) driver.Warehouse {
	t.Helper()
	w := t.harness(t.T, inputs)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close the warehouse: %v", err)
		}
	})
	return w
}

// inMoney lets cmp compare amounts by their value: 2.50 is 2.5.
var inMoney = cmp.Comparer(func(a, b functions.Money) bool { return a.Equal(b.Decimal) })

// same fails the test unless got is want; in the difference "-" is wanted and "+" is what came.
func same(t trial, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, inMoney); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// everyFieldSet fails the trial when a row of the suite leaves a field empty: the suite would then not notice a driver
// that forgets its column.
func everyFieldSet(t trial, row any) {
	t.Helper()
	v := reflect.ValueOf(row)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the suite's %s has no %s", v.Type(), v.Type().Field(i).Name)
		}
	}
}

func wantCode(t trial, what string, want functions.Code, err error) {
	t.Helper()
	if got := functions.CodeOf(err); got != want {
		t.Errorf("%s: got code %q (%v), want %q", what, got, err, want)
	}
}

func some[T any](v T) sql.Null[T] { return sql.Null[T]{V: v, Valid: true} }

// exact reads an amount written by hand.
func exact(text string) functions.Money {
	return functions.Money{Decimal: decimal.RequireFromString(text)}
}

func day(year int, month time.Month, d int) functions.Date {
	return functions.Date{Year: year, Month: month, Day: d}
}

// Days of the fixtures. They lie in the past of any clock, in one order.
var (
	sunday  = day(2026, time.January, 11)
	monday  = day(2026, time.January, 12)
	tuesday = day(2026, time.January, 13)
)

var contextChecks = []check{
	{"a cancelled context ends every call and changes nothing", func(t trial) {
		w := t.open(Sound())
		rows := []queueRow{row(monday, "1", functions.P1, 90)}
		mustReplace(t, w, monday, rows)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, err := range everyCall(ctx, t, w) {
			wantCode(t, name, functions.Unavailable, err)
		}
		same(t, "queue after cancelled calls", rows, queueOf(t, w, monday, ""))
		if runs := runsOf(t, w, driver.RunQuery{}); len(runs) != 0 {
			t.Errorf("got %d runs after a cancelled append, want none", len(runs))
		}
	}},
	{"a deadline that has passed is deadline_exceeded", func(t trial) {
		w := t.open(Sound())
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
		defer cancel()
		for name, err := range everyCall(ctx, t, w) {
			wantCode(t, name, functions.DeadlineExceeded, err)
		}
	}},
}

func everyCall(ctx context.Context, t trial, w driver.Warehouse) map[string]error {
	t.Helper()
	errs := map[string]error{}
	_, errs["AlertOn"] = w.AlertOn(ctx, monday)
	_, errs["NewestAlert"] = w.NewestAlert(ctx)
	_, errs["Customers"] = w.Customers(ctx, func(customer) error { return nil })
	errs["Exclusions"] = w.Exclusions(ctx, ExclusionsTable, func(string) error { return nil })
	_, errs["ReplaceQueue"] = w.ReplaceQueue(ctx, monday, nil, functions.Date{})
	errs["Queue"] = w.Queue(ctx, monday, "", func(queueRow) error { return nil })
	_, errs["QueueSummary"] = w.QueueSummary(ctx, monday)
	errs["AppendRun"] = w.AppendRun(ctx, begun("01RUN", monday))
	_, errs["Runs"] = w.Runs(ctx, driver.RunQuery{})
	return errs
}
