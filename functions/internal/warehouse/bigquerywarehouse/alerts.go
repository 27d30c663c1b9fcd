package bigquerywarehouse

import (
	"context"

	"cloud.google.com/go/bigquery"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// AlertOn implements driver.Warehouse.
func (w *Warehouse) AlertOn(ctx context.Context, date functions.Date) (retention.Alert, error) {
	alerts, err := w.alerts(ctx, date)
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
	alerts, err := w.alerts(ctx, functions.Date{})
	if err != nil {
		return retention.Alert{}, err
	}
	if len(alerts) == 0 {
		return retention.Alert{}, noAlerts()
	}
	return alerts[0], nil
}

func noAlerts() error {
	return functions.Errorf(functions.NotFound, "alert_logic has no rows").WithHint("the detection fills it: run SQL1 to SQL5")
}

// alerts reads the one alert of a day, or none; the newest when the day is zero. Two rows of one day that contradict each
// other are a fault of the data that nobody should act on.
func (w *Warehouse) alerts(ctx context.Context, date functions.Date) ([]retention.Alert, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var alerts []retention.Alert
	err := w.read(ctx, alertStatement, w.sql[alertStatement], alertParams(date), func(row []bigquery.Value) error {
		alert, err := alertOf(row)
		alerts = append(alerts, alert)
		return err
	})
	if err != nil {
		return nil, w.explained(ctx, "read the alert", err)
	}
	if len(alerts) > 1 {
		return nil, functions.Errorf(functions.FailedPrecondition, "alert_logic has contradicting rows for %s", alerts[0].Date).
			WithHint("leave one row a day there")
	}
	return alerts, nil
}

func alertParams(date functions.Date) []bigquery.QueryParameter {
	return []bigquery.QueryParameter{param("date", nullDate(date))}
}

func alertOf(row []bigquery.Value) (retention.Alert, error) {
	alert := retention.Alert{
		Date: dateOf(row[0]), Severity: wordOf[functions.Severity](row[1]), Flag: plain[bool](row[2]),
		Baseline: nullable[float64](row[4]), Delta: nullable[float64](row[5]),
	}
	current, sample := nullable[float64](row[3]), nullable[int64](row[6])
	if !current.Valid || !sample.Valid { // a missing figure is not a zero
		return alert, functions.Errorf(functions.FailedPrecondition, "alert_logic has no current_value or no sample_size on %s", alert.Date).
			WithHint("look at SQL5: an alert without its figures cannot be acted on")
	}
	alert.Current, alert.SampleSize = current.V, sample.V
	return alert, nil
}
