package duckdbwarehouse_test

import (
	"database/sql"
	_ "embed"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/warehousetest"
)

//go:embed testdata/inputs.sql
var inputsSQL string

func TestConformanceInMemory(t *testing.T) {
	t.Parallel()
	warehousetest.Run(t, func(t *testing.T, inputs warehousetest.Inputs) driver.Warehouse {
		t.Helper()
		return load(t, open(t, ""), inputs)
	})
}

func TestConformanceOnFile(t *testing.T) {
	t.Parallel()
	warehousetest.Run(t, func(t *testing.T, inputs warehousetest.Inputs) driver.Warehouse {
		t.Helper()
		return load(t, open(t, filepath.Join(t.TempDir(), "warehouse.duckdb")), inputs)
	})
}

func open(tb testing.TB, path string) *duckdbwarehouse.Warehouse {
	tb.Helper()
	w, err := duckdbwarehouse.Open(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func run(tb testing.TB, db *sql.DB, statement string, args ...any) {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), statement, args...); err != nil {
		tb.Fatal(err)
	}
}

// load writes the input tables of the suite.
func load(t *testing.T, w *duckdbwarehouse.Warehouse, inputs warehousetest.Inputs) *duckdbwarehouse.Warehouse {
	t.Helper()
	run(t, w.DB(), inputsSQL)
	for _, r := range inputs.Alerts {
		run(t, w.DB(), "INSERT INTO alert_logic VALUES (?, ?, ?, ?, ?, ?, ?)",
			r.Date.String(), r.Severity, r.Flag, r.Current, r.Baseline, r.Delta, r.SampleSize)
	}
	for _, r := range inputs.Snapshot {
		run(t, w.DB(), "INSERT INTO retention_snapshot VALUES (?, ?, ?)", r.CustomerID, r.Status, r.Days)
	}
	for _, r := range inputs.Churn {
		run(t, w.DB(), "INSERT INTO churn_detection VALUES (?, ?, ?, ?, ?, ?)",
			r.CustomerID, r.Score, r.Level, r.FrequencyDrop, r.StatusInconsistent, r.ValueDrop)
	}
	for _, r := range inputs.Base {
		var lastOrder any
		if r.LastOrderDate.Valid {
			lastOrder = r.LastOrderDate.V.String()
		}
		run(t, w.DB(), "INSERT INTO base_customers VALUES (?, CAST(? AS DECIMAL(38,9)), ?, CAST(? AS DECIMAL(38,9)), ?)",
			r.CustomerID, amount(r.TotalRevenue), r.TotalOrders, amount(r.AvgOrderValue), lastOrder)
	}
	run(t, w.DB(), "CREATE TABLE "+warehousetest.ExclusionsTable+" (customer_id VARCHAR, why VARCHAR)")
	for _, id := range inputs.Exclusions {
		run(t, w.DB(), "INSERT INTO "+warehousetest.ExclusionsTable+" (customer_id) VALUES (?)", id)
	}
	for _, name := range inputs.Lacking {
		if table, column, is := strings.Cut(name, "."); is {
			run(t, w.DB(), "ALTER TABLE "+table+" DROP COLUMN "+column)
		} else {
			run(t, w.DB(), "DROP TABLE "+table)
		}
	}
	return w
}

// amount makes a parameter of an amount: DuckDB takes text and casts it.
func amount(money sql.Null[functions.Money]) any {
	if !money.Valid {
		return nil
	}
	return money.V.String()
}

func TestACheckNamesEveryDifferenceOfTheInputs(t *testing.T) {
	t.Parallel()
	lacking := warehousetest.Inputs{Lacking: []string{"retention_snapshot", "churn_detection.is_value_drop"}}
	w := load(t, open(t, ""), lacking)
	defer w.Close()
	run(t, w.DB(), "ALTER TABLE base_customers ALTER total_revenue TYPE DOUBLE")
	findings, err := w.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, finding := range findings {
		got = append(got, finding.String())
	}
	want := []string{
		"the warehouse has no table retention_snapshot",
		"the table churn_detection has no column is_value_drop (a BOOLEAN)",
		"the column total_revenue of base_customers is DOUBLE; it must be a DECIMAL, as money must be exact",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
