// Package alert reads the decision of the day from the detection's alert table and says what follows from it, and
// puts the state of the customers into words and figures.
//
// It is not the detection: severity and flag are SQL5's, trusted and never changed here (§2.1).
package alert

import (
	"context"
	"fmt"
	"math"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Alerts reads alert_logic. Both methods answer not_found when there is no such row.
type Alerts interface {
	AlertOn(ctx context.Context, date functions.Date) (retention.Alert, error)
	NewestAlert(ctx context.Context) (retention.Alert, error)
}

// Decider answers what the detection says of a day.
type Decider struct {
	Alerts    Alerts
	Detection rulebook.Detection    // the thresholds shown beside an alert
	Today     func() functions.Date // the present day in the configured time zone
}

// Resolve turns the caller's name for a day into the day: empty is today, "latest" the newest date in alert_logic.
func (d *Decider) Resolve(ctx context.Context, ref functions.DateRef) (functions.Date, error) {
	switch ref {
	case "":
		return d.Today(), nil
	case functions.Latest:
		newest, err := d.Alerts.NewestAlert(ctx)
		return newest.Date, err
	default:
		if err := ref.Check(); err != nil {
			return functions.Date{}, err
		}
		return civil.ParseDate(string(ref))
	}
}

// Decide reads the alert of a day. A day without an alert row is not_found, naming the newest day that has one; a row
// that says what no detection of ours says is failed_precondition.
func (d *Decider) Decide(ctx context.Context, date functions.Date) (functions.GetAlertDecisionOutput, error) {
	row, err := d.Alerts.AlertOn(ctx, date)
	if functions.CodeOf(err) == functions.NotFound {
		return functions.GetAlertDecisionOutput{}, d.missing(ctx, date)
	}
	if err != nil {
		return functions.GetAlertDecisionOutput{}, err
	}
	switch row.Severity {
	case functions.Info, functions.Warning, functions.Critical:
	default:
		return functions.GetAlertDecisionOutput{}, functions.Errorf(functions.FailedPrecondition,
			"alert_logic says severity %q on %s", string(row.Severity), date).WithHint("it must be INFO, WARNING or CRITICAL")
	}
	if !finite(row.Current) {
		return functions.GetAlertDecisionOutput{}, functions.Errorf(functions.FailedPrecondition,
			"alert_logic has no usable current_value on %s", date).WithHint("look at SQL5: the value is not a number")
	}
	out := functions.GetAlertDecisionOutput{
		AlertDate: row.Date, Severity: row.Severity, AlertFlag: row.Flag,
		CurrentValue: row.Current, SampleSize: row.SampleSize,
		Thresholds: functions.Thresholds{WarningPct: d.Detection.WarningPct, CriticalPct: d.Detection.CriticalPct},
	}
	// A division by a baseline of zero may have left an infinity; to a caller that is "no figure".
	if row.Baseline.Valid && finite(row.Baseline.V) {
		baseline := math.Round(row.Baseline.V*100) / 100 // the mean as its author publishes it; the delta is of the exact one
		out.BaselineValue = &baseline
	}
	if row.Delta.Valid && finite(row.Delta.V) {
		out.DeltaRelativePct = &row.Delta.V
	}
	out.BaselineReady = out.BaselineValue != nil
	out.ActionRequired = row.Flag && row.Severity != functions.Info && out.BaselineReady
	out.Reason = d.reason(out)
	return out, nil
}

// missing says that a day has no alert row, and which day is the newest that has one.
func (d *Decider) missing(ctx context.Context, date functions.Date) error {
	newest, err := d.Alerts.NewestAlert(ctx)
	switch functions.CodeOf(err) {
	case "":
		return functions.Errorf(functions.NotFound, "no alert row for %s", date).
			WithHint(fmt.Sprintf("the newest is %s; ask for it, or for %q", newest.Date, functions.Latest))
	case functions.NotFound:
		return functions.Errorf(functions.NotFound, "no alert row for %s: alert_logic is empty", date).
			WithHint("run the detection first (locally: retentionops import or retentionops demo)")
	default:
		return err
	}
}

// reason puts the decision into one sentence.
func (d *Decider) reason(out functions.GetAlertDecisionOutput) string {
	share := fmt.Sprintf("%.2f %% of %d customers are AT_RISK", out.CurrentValue, out.SampleSize)
	switch {
	case !out.BaselineReady:
		return fmt.Sprintf("%s; no baseline yet, it needs %d days", share, d.Detection.BaselineDays)
	case out.DeltaRelativePct == nil:
		return fmt.Sprintf("%s; the baseline is %.2f %%, so there is no relative change", share, *out.BaselineValue)
	}
	against := fmt.Sprintf("%s, against %.2f %% over the %d days before: %+.2f %%",
		share, *out.BaselineValue, d.Detection.BaselineDays, *out.DeltaRelativePct)
	switch out.Severity {
	case functions.Critical:
		return fmt.Sprintf("%s, CRITICAL from %+g %%", against, out.Thresholds.CriticalPct)
	case functions.Warning:
		return fmt.Sprintf("%s, WARNING from %+g %%", against, out.Thresholds.WarningPct)
	default:
		return fmt.Sprintf("%s, below the %+g %% of a WARNING", against, out.Thresholds.WarningPct)
	}
}

func finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

// Context puts an assessment into the form of get_operational_context.
func Context(a *retention.Assessment) functions.GetOperationalContextOutput {
	out := functions.GetOperationalContextOutput{
		Date: a.AsOf, TotalCustomers: a.Customers, StatusByRisk: a.StatusByRisk, TierPreview: a.Tiers,
		DataQuality: a.Quality, Excluded: a.Excluded, RulesVersion: a.RulesVersion,
	}
	statuses := map[functions.Status]*int64{
		functions.Active: &out.StatusDistribution.Active, functions.AtRisk: &out.StatusDistribution.AtRisk,
		functions.Inactive: &out.StatusDistribution.Inactive,
	}
	risks := map[functions.Risk]*int64{
		functions.RiskHigh: &out.AtRiskByRiskLevel.High, functions.RiskMedium: &out.AtRiskByRiskLevel.Medium,
		functions.RiskLow: &out.AtRiskByRiskLevel.Low,
	}
	for _, cell := range a.StatusByRisk {
		*statuses[cell.Status] += cell.Customers
		if cell.Status == functions.AtRisk {
			*risks[cell.Risk] += cell.Customers
		}
	}
	return out
}
