package health

import (
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// mostRunIDs is how many runs an answer names behind a figure or an alarm.
const mostRunIDs = 10

// Figures are the figures of a span, as rulebook.Figures lists them. No target is asked yet.
func (h *History) Figures(s Span) []functions.HealthFigure {
	t := h.tally(s)
	figures := make([]functions.HealthFigure, 0, len(rulebook.Figures))
	for _, known := range rulebook.Figures {
		figure := t.figure(known.Name)
		figure.Name, figure.Meaning, figure.Unit = known.Name, known.Meaning, unitOf(known.Unit)
		figure.RunIDs = figure.RunIDs[:min(len(figure.RunIDs), mostRunIDs)]
		figure.Verdict = functions.TargetNone
		figures = append(figures, figure)
	}
	return figures
}

// figure is a figure of the tally; one that is not known here has no value.
func (t *tally) figure(name string) functions.HealthFigure {
	switch name {
	case SuccessRate:
		return functions.HealthFigure{Value: t.runs.rightPct(), Of: t.runs.of, RunIDs: t.runs.runs}
	case WebhookFailureRate:
		return functions.HealthFigure{Value: t.sends.wrongPct(), Of: t.sends.of, RunIDs: t.sends.runs}
	case ExportSuccessRate:
		return functions.HealthFigure{Value: t.exports.rightPct(), Of: t.exports.of, RunIDs: t.exports.runs}
	case MeanSeconds:
		return functions.HealthFigure{Value: t.took.mean(), Of: t.took.runs, RunIDs: t.took.mostRunIDs}
	case LongestSeconds:
		return functions.HealthFigure{Value: t.took.longest(), Of: t.took.runs, RunIDs: t.took.mostRunIDs}
	case Runs:
		return functions.HealthFigure{Value: whole(t.runs.of), Of: t.runs.of}
	case FailedRuns:
		return functions.HealthFigure{Value: whole(t.runs.wrong), Of: t.runs.of, RunIDs: t.runs.runs}
	case Alerts:
		return functions.HealthFigure{Value: whole(t.alerts.of), Of: t.alerts.of, RunIDs: t.alertRuns}
	case FalsePositiveRate:
		return functions.HealthFigure{Value: t.alerts.wrongPct(), Of: t.alerts.of, RunIDs: t.alerts.runs}
	case DaysSinceAlert:
		return functions.HealthFigure{Value: t.sinceAlert.past, Of: t.alerts.of, RunIDs: t.sinceAlert.runs}
	case HoursSinceRun:
		return functions.HealthFigure{Value: t.sinceRun.past, Of: t.runs.of, RunIDs: t.sinceRun.runs}
	case HoursSinceSuccess:
		return functions.HealthFigure{Value: t.sinceSuccess.past, Of: t.runs.of, RunIDs: t.sinceSuccess.runs}
	default:
		return functions.HealthFigure{}
	}
}

func whole(n int64) *float64 { return new(float64(n)) }

func unitOf(unit string) functions.FigureUnit {
	switch unit {
	case "%":
		return functions.UnitPercent
	case "s":
		return functions.UnitSeconds
	case "hours":
		return functions.UnitHours
	case "days":
		return functions.UnitDays
	default:
		return functions.UnitCount
	}
}

// Judged are the figures of a span held against the targets of the rules. A target of a count is about so many days as
// the rules look at: over another span, or while the log is younger than that, nothing can be said of it.
func (h *History) Judged(s Span, rules rulebook.Monitoring) []functions.HealthFigure {
	figures := h.Figures(s)
	values := Values(figures)
	first, has := h.first()
	whole := has && !first.After(s.From) && s.Days() == rules.Window
	for i := range figures {
		figure := &figures[i]
		for _, target := range rules.Targets {
			if target.Figure != figure.Name {
				continue
			}
			figure.Target = strings.TrimPrefix(figure.Target+" and "+target.Text, " and ")
			holds, known := target.Holds.Holds(values)
			switch {
			case !known || figure.Unit == functions.UnitCount && !whole:
				figure.Verdict = functions.TargetUnknown
			case !holds:
				figure.Verdict = functions.TargetMissed
			case figure.Verdict == functions.TargetNone:
				figure.Verdict = functions.TargetMet
			}
		}
	}
	return figures
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
