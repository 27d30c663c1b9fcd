package health

import (
	"math"

	"github.com/retentionops/retentionops/functions"
)

// mostRunIDs is how many runs an answer names behind a figure or an alarm.
const mostRunIDs = 10

// Figures are the figures of a span, always the same ones in the same order.
func (h *History) Figures(s Span) []functions.HealthFigure {
	t := h.tally(s)
	figures := t.figures()
	for i := range figures {
		figures[i].Meaning = meanings[figures[i].Name]
		figures[i].Target, figures[i].Verdict = h.judge(figures[i], s)
		figures[i].RunIDs = figures[i].RunIDs[:min(len(figures[i].RunIDs), mostRunIDs)]
	}
	return figures
}

func (t *tally) figures() []functions.HealthFigure {
	percent, seconds, count := functions.UnitPercent, functions.UnitSeconds, functions.UnitCount
	return []functions.HealthFigure{
		{Name: SuccessRate, Unit: percent, Value: t.runs.rightPct(), Of: t.runs.of, RunIDs: t.runs.runs},
		{Name: WebhookFailureRate, Unit: percent, Value: t.sends.wrongPct(), Of: t.sends.of, RunIDs: t.sends.runs},
		{Name: ExportSuccessRate, Unit: percent, Value: t.exports.rightPct(), Of: t.exports.of, RunIDs: t.exports.runs},
		{Name: MeanSeconds, Unit: seconds, Value: t.took.mean(), Of: t.took.runs, RunIDs: t.took.mostRunIDs},
		{Name: LongestSeconds, Unit: seconds, Value: t.took.longest(), Of: t.took.runs, RunIDs: t.took.mostRunIDs},
		{Name: Runs, Unit: count, Value: whole(t.runs.of), Of: t.runs.of},
		{Name: FailedRuns, Unit: count, Value: whole(t.runs.wrong), Of: t.runs.of, RunIDs: t.runs.runs},
		{Name: Alerts, Unit: count, Value: whole(t.alerts.of), Of: t.alerts.of, RunIDs: t.alertRuns},
		{Name: FalsePositiveRate, Unit: percent, Value: t.alerts.wrongPct(), Of: t.alerts.of, RunIDs: t.alerts.runs},
		{Name: DaysSinceAlert, Unit: functions.UnitDays, Value: t.sinceAlert.past, Of: t.alerts.of, RunIDs: t.sinceAlert.runs},
		{Name: HoursSinceRun, Unit: functions.UnitHours, Value: t.sinceRun.past, Of: t.runs.of, RunIDs: t.sinceRun.runs},
		{Name: HoursSinceSuccess, Unit: functions.UnitHours, Value: t.sinceSuccess.past, Of: t.runs.of, RunIDs: t.sinceSuccess.runs},
	}
}

func whole(n int64) *float64 { return new(float64(n)) }

// The targets of §15.
const (
	leastSuccessPct  = 95.0
	mostWebhookPct   = 5.0
	leastExportPct   = 95.0
	mostMeanSeconds  = 60.0
	fewestAlerts     = 2.0 // a month
	mostAlerts       = 3.0
	daysOfAMonth     = 30
	targetSuccess    = "over 95 %"
	targetWebhook    = "under 5 %"
	targetExport     = "over 95 %"
	targetMeanTime   = "under 60 s"
	targetAlertCount = "2 to 3 a month"
)

// judge holds a figure against its target of §15. How often alerts come can be judged over a month at least, and only
// when the log reaches back as far as the span.
func (h *History) judge(figure functions.HealthFigure, s Span) (target string, verdict functions.FigureVerdict) {
	var met func(float64) bool
	switch figure.Name {
	case SuccessRate:
		target, met = targetSuccess, func(v float64) bool { return v > leastSuccessPct }
	case WebhookFailureRate:
		target, met = targetWebhook, func(v float64) bool { return v < mostWebhookPct }
	case ExportSuccessRate:
		target, met = targetExport, func(v float64) bool { return v > leastExportPct }
	case MeanSeconds:
		target, met = targetMeanTime, func(v float64) bool { return v < mostMeanSeconds }
	case Alerts:
		days := s.To.DaysSince(s.From) + 1
		if first, has := h.first(); !has || days < daysOfAMonth || first.After(s.From) {
			return targetAlertCount, functions.TargetUnknown
		}
		target, met = targetAlertCount, func(v float64) bool {
			monthly := math.Round(v * daysOfAMonth / float64(days))
			return monthly >= fewestAlerts && monthly <= mostAlerts
		}
	default:
		return "", functions.TargetNone
	}
	switch {
	case figure.Value == nil:
		return target, functions.TargetUnknown
	case met(*figure.Value):
		return target, functions.TargetMet
	default:
		return target, functions.TargetMissed
	}
}

// Values are the figures that are known, by name, as conditions ask for them.
func Values(figures []functions.HealthFigure) map[string]float64 {
	values := map[string]float64{}
	for _, figure := range figures {
		if figure.Value != nil {
			values[figure.Name] = *figure.Value
		}
	}
	return values
}

// Days are the days of a span, oldest first.
func (h *History) Days(s Span) []functions.HealthDay {
	var days []functions.HealthDay
	for day := s.From; !day.After(s.To); day = day.AddDays(1) {
		t := h.tally(Span{day, day})
		days = append(days, functions.HealthDay{
			Date: day, Runs: t.runs.of, FailedRuns: t.runs.wrong, Alerts: t.alerts.of, SuccessRate: t.runs.rightPct(),
			WebhookFailureRate: t.sends.wrongPct(), ExportSuccessRate: t.exports.rightPct(), MeanSeconds: t.took.mean(),
		})
	}
	return days
}
