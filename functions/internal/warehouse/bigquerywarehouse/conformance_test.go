package bigquerywarehouse_test

import (
	"database/sql"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse/bigquerytest"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
	"github.com/retentionops/retentionops/functions/internal/warehouse/warehousetest"
)

func TestMain(m *testing.M) { os.Exit(bigquerytest.Main(m)) }

// place is where the tests' tables lie.
var place = bigquerywarehouse.Place{
	Project: "the-project", Dataset: "retention", InputsProject: "their-project", InputsDataset: "detection", Location: "EU",
}

const (
	ours   = "the-project.retention."
	inputs = "their-project.detection."
)

var monday = functions.Date{Year: 2026, Month: time.January, Day: 12}

func TestConformance(t *testing.T) {
	t.Parallel()
	warehousetest.Run(t, func(t *testing.T, inputs warehousetest.Inputs) driver.Warehouse {
		t.Helper()
		server := serve(t, inputs)
		server.PageSize = 10 // an answer of some length has pages
		return connect(t, server, place)
	})
}

// serve starts a BigQuery that holds the inputs and our two tables, empty.
func serve(tb testing.TB, in warehousetest.Inputs) *bigquerytest.Server {
	tb.Helper()
	server := bigquerytest.New(tb)
	server.Today, server.Datasets = monday, []string{"the-project.retention", "their-project.detection"}
	for _, table := range inputTables(in) {
		server.Put(table)
	}
	w := connect(tb, server, place)
	defer w.Close()
	findings, err := w.ApplySchema(tb.Context(), 90)
	if err != nil || len(findings) != 0 {
		tb.Fatalf("make our tables: %v, %v", findings, err)
	}
	for _, name := range in.Lacking {
		table, column, _ := strings.Cut(name, ".")
		server.Drop(inputs+table, column)
	}
	return server
}

// connect makes a driver that speaks to the server.
func connect(tb testing.TB, server *bigquerytest.Server, at bigquerywarehouse.Place) *bigquerywarehouse.Warehouse {
	tb.Helper()
	w, err := bigquerywarehouse.New(tb.Context(), at, option.WithEndpoint(server.URL()), option.WithoutAuthentication())
	if err != nil {
		tb.Fatal(err)
	}
	return w.Impatient()
}

func columns(pairs ...string) (made []bigquerytest.Column) {
	for i := 0; i < len(pairs); i += 2 {
		made = append(made, bigquerytest.Column{Name: pairs[i], Type: pairs[i+1]})
	}
	return made
}

// inputTables are the tables of the detection as §5 says them, with the suite's rows.
func inputTables(in warehousetest.Inputs) []bigquerytest.Table {
	alerts := bigquerytest.Table{Name: inputs + "alert_logic", Columns: columns("alert_date", "DATE", "severity", "STRING", "alert_flag", "BOOL",
		"current_value", "FLOAT64", "baseline_value", "FLOAT64", "delta_relative_pct", "FLOAT64", "sample_size", "INT64")}
	for _, r := range in.Alerts {
		alerts.Rows = append(alerts.Rows, []any{
			r.Date, cell(r.Severity), cell(r.Flag), cell(r.Current), cell(r.Baseline), cell(r.Delta), cell(r.SampleSize),
		})
	}
	snapshot := bigquerytest.Table{Name: inputs + "retention_snapshot", Columns: columns("customer_id", "STRING",
		"retention_status", "STRING", "days_since_last_order", "INT64")}
	for _, r := range in.Snapshot {
		snapshot.Rows = append(snapshot.Rows, []any{cell(r.CustomerID), cell(r.Status), cell(r.Days)})
	}
	churn := bigquerytest.Table{Name: inputs + "churn_detection", Columns: columns("customer_id", "STRING", "churn_risk_score", "INT64",
		"churn_risk_level", "STRING", "is_frequency_drop", "BOOL", "is_status_inconsistent", "BOOL", "is_value_drop", "BOOL")}
	for _, r := range in.Churn {
		churn.Rows = append(churn.Rows, []any{
			cell(r.CustomerID), cell(r.Score), cell(r.Level), cell(r.FrequencyDrop), cell(r.StatusInconsistent), cell(r.ValueDrop),
		})
	}
	base := bigquerytest.Table{Name: inputs + "base_customers", Columns: columns("customer_id", "STRING", "total_revenue", "NUMERIC",
		"total_orders", "INT64", "avg_order_value", "NUMERIC", "last_order_date", "DATE")}
	for _, r := range in.Base {
		base.Rows = append(base.Rows, []any{
			cell(r.CustomerID), amount(r.TotalRevenue), cell(r.TotalOrders), amount(r.AvgOrderValue), cell(r.LastOrderDate),
		})
	}
	excluded := bigquerytest.Table{Name: inputs + warehousetest.ExclusionsTable, Columns: columns("customer_id", "STRING", "why", "STRING")}
	for _, id := range in.Exclusions {
		excluded.Rows = append(excluded.Rows, []any{cell(id), nil})
	}
	return []bigquerytest.Table{alerts, snapshot, churn, base, excluded}
}

func cell[T string | bool | int64 | float64 | civil.Date](v sql.Null[T]) bigquerytest.Value {
	if !v.Valid {
		return nil
	}
	return v.V
}

func amount(v sql.Null[functions.Money]) bigquerytest.Value {
	if !v.Valid {
		return nil
	}
	return new(big.Rat).Set(v.V.Rat())
}

// connectNowhere makes a driver that is asked for nothing remote.
func connectNowhere(tb testing.TB) *bigquerywarehouse.Warehouse {
	tb.Helper()
	w, err := bigquerywarehouse.New(tb.Context(), place, option.WithEndpoint("http://127.0.0.1:1"), option.WithoutAuthentication())
	if err != nil {
		tb.Fatal(err)
	}
	return w
}
