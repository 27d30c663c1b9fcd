package duckdbwarehouse

import (
	"context"
	"database/sql"
	_ "embed"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

//go:embed sql/alert.sql
var alertSQL string

// AlertOn implements driver.Warehouse.
func (w *Warehouse) AlertOn(ctx context.Context, date functions.Date) (retention.Alert, error) {
	alerts, err := w.alerts(ctx, date.String())
	if err != nil {
		return retention.Alert{}, err
	}
	if len(alerts) == 0 {
		return retention.Alert{}, functions.Errorf(functions.NotFound, "alert_logic has no row for %s", date)
	}
	return alerts[0], nil
}

// NewestAlert implements driver.Warehouse.
func (w *Warehouse) NewestAlert(ctx context.Context) (retention.Alert, error) {
	alerts, err := w.alerts(ctx, nil)
	if err != nil {
		return retention.Alert{}, err
	}
	if len(alerts) == 0 {
		return retention.Alert{}, noAlerts()
	}
	return alerts[0], nil
}

func noAlerts() error {
	return functions.Errorf(functions.NotFound, "alert_logic has no rows").
		WithHint("the detection fills it: run retentionops import")
}

// alerts reads the one alert of a day, or none. Two rows of one day that contradict each other are a fault of the
// data that nobody should act on.
func (w *Warehouse) alerts(ctx context.Context, date any) ([]retention.Alert, error) {
	const doing = "read the alert"
	rows, err := w.db.QueryContext(ctx, alertSQL, date)
	if err != nil {
		return nil, w.inputFault(ctx, doing, err)
	}
	defer rows.Close() //nolint:errcheck // how the read ended is already known
	var alerts []retention.Alert
	for rows.Next() {
		var alert retention.Alert
		var on time.Time
		var current sql.Null[float64]
		var sample sql.Null[int64]
		if err := rows.Scan(&on, &alert.Severity, &alert.Flag, &current, &alert.Baseline, &alert.Delta, &sample); err != nil {
			return nil, fault(doing, err)
		}
		alert.Date = civil.DateOf(on)
		if !current.Valid || !sample.Valid { // a missing figure is not a zero
			return nil, functions.Errorf(functions.FailedPrecondition, "alert_logic has no current_value or no sample_size on %s", alert.Date).
				WithHint("look at SQL5: an alert without its figures cannot be acted on")
		}
		alert.Current, alert.SampleSize = current.V, sample.V
		alerts = append(alerts, alert)
	}
	if err := rows.Err(); err != nil {
		return nil, w.inputFault(ctx, doing, err)
	}
	if len(alerts) > 1 {
		return nil, functions.Errorf(functions.FailedPrecondition, "alert_logic has contradicting rows for %s", alerts[0].Date).
			WithHint("leave one row a day there")
	}
	return alerts, nil
}
