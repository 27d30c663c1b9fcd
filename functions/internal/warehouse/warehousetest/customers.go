package warehousetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// customersOf reads all customers.
func customersOf(t trial, w driver.Warehouse) (asOf functions.Date, customers []retention.Customer) {
	t.Helper()
	asOf, err := w.Customers(t.Context(), func(c retention.Customer) error {
		customers = append(customers, c)
		return nil
	})
	if err != nil {
		t.Fatalf("read the customers: %v", err)
	}
	return asOf, customers
}

var alertChecks = []check{
	{"the alert of a day is read as it stands", func(t trial) {
		w := t.open(Sound())
		got, err := w.AlertOn(t.Context(), monday)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "alert", retention.Alert{
			Date: monday, Severity: functions.Warning, Flag: true, Current: 25.2, Baseline: some(21.4), Delta: some(17.76), SampleSize: 8069,
		}, got)
	}},
	{"a day without baseline has NULLs and no zeros", func(t trial) {
		w := t.open(Sound())
		got, err := w.AlertOn(t.Context(), sunday)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "alert", retention.Alert{Date: sunday, Severity: functions.Info, Current: 21.5, SampleSize: 8001}, got)
	}},
	{"an alert row without its figures is refused, as a missing figure is no zero", func(t trial) {
		w := t.open(Inputs{Alerts: []Alert{{Date: monday}}})
		_, err := w.AlertOn(t.Context(), monday)
		wantCode(t, "AlertOn", functions.FailedPrecondition, err)
		wantText(t, err, "current_value", "sample_size", monday.String())
		_, err = w.NewestAlert(t.Context())
		wantCode(t, "NewestAlert", functions.FailedPrecondition, err)
	}},
	{"the newest alert is found whatever the order of the rows", func(t trial) {
		w := t.open(Sound())
		got, err := w.NewestAlert(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "date of the newest alert", monday, got.Date)
	}},
	{"a day without alert is not_found", func(t trial) {
		w := t.open(Sound())
		_, err := w.AlertOn(t.Context(), tuesday)
		wantCode(t, "AlertOn", functions.NotFound, err)
		wantText(t, err, tuesday.String())
	}},
	{"an empty alert_logic is not_found", func(t trial) {
		inputs := Sound()
		inputs.Alerts = nil
		w := t.open(inputs)
		_, err := w.AlertOn(t.Context(), monday)
		wantCode(t, "AlertOn", functions.NotFound, err)
		_, err = w.NewestAlert(t.Context())
		wantCode(t, "NewestAlert", functions.NotFound, err)
		_, err = w.Customers(t.Context(), func(retention.Customer) error {
			t.Error("a customer was visited, but nobody knows of which day")
			return nil
		})
		wantCode(t, "Customers", functions.NotFound, err)
	}},
	{"an alert row that stands twice is one alert", func(t trial) {
		inputs := Sound()
		inputs.Alerts = append(inputs.Alerts, inputs.Alerts[0])
		w := t.open(inputs)
		got, err := w.AlertOn(t.Context(), monday)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "severity", functions.Warning, got.Severity)
	}},
	{"alert rows that contradict each other are failed_precondition", func(t trial) {
		inputs := Sound()
		other := inputs.Alerts[0]
		other.Severity = some("CRITICAL")
		inputs.Alerts = append(inputs.Alerts, other)
		w := t.open(inputs)
		_, err := w.AlertOn(t.Context(), monday)
		wantCode(t, "AlertOn", functions.FailedPrecondition, err)
		wantText(t, err, monday.String())
	}},
}

var customerChecks = []check{
	{"every customer comes once, ugly ones too, in the order of the id", func(t trial) {
		inputs, want := Ugly()
		w := t.open(inputs)
		asOf, got := customersOf(t, w)
		same(t, "as-of date", monday, asOf)
		same(t, "customers", want, got)
		if !slices.IsSortedFunc(got, func(a, b retention.Customer) int { return strings.Compare(a.ID, b.ID) }) {
			t.Error("the ids are not in bytewise order")
		}
	}},
	{"amounts keep every digit", func(t trial) {
		inputs, _ := Ugly()
		w := t.open(inputs)
		_, got := customersOf(t, w)
		i := slices.IndexFunc(got, func(c retention.Customer) bool { return c.ID == "0007" })
		if i < 0 {
			t.Fatal("customer 0007 is not there")
		}
		same(t, "total_revenue", "12345678901234567890123456789.123456789", got[i].TotalRevenue.V.String())
		same(t, "avg_order_value", "0.000000001", got[i].AvgOrderValue.V.String())
	}},
	{"empty customer tables have no customers but an as-of date", func(t trial) {
		w := t.open(Inputs{Alerts: Sound().Alerts})
		asOf, got := customersOf(t, w)
		same(t, "as-of date", monday, asOf)
		if len(got) != 0 {
			t.Errorf("got %d customers, want none", len(got))
		}
	}},
	{"one empty table leaves its columns NULL", func(t trial) {
		inputs := Sound()
		inputs.Churn = nil
		w := t.open(inputs)
		_, got := customersOf(t, w)
		same(t, "customers", []retention.Customer{
			{
				ID: "0007", Rows: retention.SourceRows{Snapshot: 1, Base: 1}, Status: some("INACTIVE"), DaysSinceLastOrder: some[int64](120),
				TotalRevenue: some(exact("99.5")), TotalOrders: some[int64](2), AvgOrderValue: some(exact("49.75")),
			},
			{
				ID: "0042", Rows: retention.SourceRows{Snapshot: 1, Base: 1}, Status: some("ACTIVE"), DaysSinceLastOrder: some[int64](24),
				TotalRevenue: some(exact("3847.1")), TotalOrders: some[int64](12), AvgOrderValue: some(exact("320.591666667")),
			},
		}, got)
	}},
	{"the error of a visit ends the read and comes back as it is", func(t trial) {
		w := t.open(Sound())
		enough, visits := errors.New("enough"), 0
		_, err := w.Customers(t.Context(), func(retention.Customer) error { visits++; return enough })
		if err != enough || visits != 1 { //nolint:errorlint // it must be this very error
			t.Errorf("got %v after %d visits, want the visit's own error after 1", err, visits)
		}
	}},
	{"a visit may use the warehouse", func(t trial) {
		w := t.open(Sound())
		_, err := w.Customers(t.Context(), func(retention.Customer) error {
			_, err := w.AlertOn(t.Context(), monday)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}},
	{"a missing table is failed_precondition and is named", func(t trial) {
		for _, table := range []string{"alert_logic", "retention_snapshot", "churn_detection", "base_customers"} {
			inputs := Sound()
			inputs.Lacking = []string{table}
			w := t.open(inputs)
			_, err := w.Customers(t.Context(), func(retention.Customer) error { return nil })
			wantCode(t, "Customers without "+table, functions.FailedPrecondition, err)
			wantText(t, err, table)
			if table == "alert_logic" {
				_, err := w.NewestAlert(t.Context())
				wantCode(t, "NewestAlert", functions.FailedPrecondition, err)
				wantText(t, err, table)
			}
		}
	}},
	{"a missing column is failed_precondition and is named with its table", func(t trial) {
		for _, column := range []string{
			"alert_logic.alert_date", "retention_snapshot.retention_status", "churn_detection.is_value_drop", "base_customers.total_revenue",
		} {
			inputs := Sound()
			inputs.Lacking = []string{column}
			w := t.open(inputs)
			_, err := w.Customers(t.Context(), func(retention.Customer) error { return nil })
			wantCode(t, "Customers without "+column, functions.FailedPrecondition, err)
			table, name, _ := strings.Cut(column, ".")
			wantText(t, err, table, name)
		}
	}},
}

// wantText looks for words in what the caller is told: the detail and the hint, not the cause.
func wantText(t trial, err error, words ...string) {
	t.Helper()
	var coded *functions.Error
	if !errors.As(err, &coded) {
		t.Errorf("got %v, want a coded error", err)
		return
	}
	told := coded.Detail + "\n" + coded.Hint
	for _, word := range words {
		if !strings.Contains(told, word) {
			t.Errorf("the caller is told %q, want %q in it", told, word)
		}
	}
}
