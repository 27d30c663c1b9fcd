package health

import (
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// The names of the figures, as rulebook.Figures lists them.
const (
	SuccessRate        = "success_rate"
	WebhookFailureRate = "webhook_failure_rate"
	ExportSuccessRate  = "export_success_rate"
	FalsePositiveRate  = "false_positive_rate"
	MeanSeconds        = "mean_seconds"
	LongestSeconds     = "longest_seconds"
	Runs               = "runs"
	FailedRuns         = "failed_runs"
	Alerts             = "alerts"
	DaysSinceAlert     = "days_since_alert"
	HoursSinceRun      = "hours_since_run"
	HoursSinceSuccess  = "hours_since_success"
)

// share counts cases and those that went wrong, with the runs that did.
type share struct {
	of, wrong int64
	runs      []string
}

func (s *share) count(run retention.Run, wrong bool) {
	s.of++
	if wrong {
		s.wrong++
		s.runs = append(s.runs, run.RunID)
	}
}

// percent is the share of so many of the cases; nil without a case.
func (s *share) percent(many int64) *float64 {
	if s.of == 0 {
		return nil
	}
	return new(100 * float64(many) / float64(s.of))
}

func (s *share) wrongPct() *float64 { return s.percent(s.wrong) }

func (s *share) rightPct() *float64 { return s.percent(s.of - s.wrong) }

// newest is a moment in the past, as the newest run that makes it; unknown when there is none.
type newest struct {
	past *float64 // hours or days
	runs []string
}

func (n *newest) look(past float64, runID string) {
	if n.past == nil || past < *n.past {
		n.past, n.runs = &past, []string{runID}
	}
}

// times is how long runs took, in seconds.
type times struct {
	runs       int64
	sum, most  float64
	mostRunIDs []string
}

func (t *times) count(run retention.Run) {
	seconds := float64(*run.ExecutionTimeMS) / 1000
	t.runs++
	t.sum += seconds
	if t.runs == 1 || seconds > t.most {
		t.most, t.mostRunIDs = seconds, []string{run.RunID}
	}
}

func (t *times) mean() *float64 {
	if t.runs == 0 {
		return nil
	}
	return new(t.sum / float64(t.runs))
}

func (t *times) longest() *float64 {
	if t.runs == 0 {
		return nil
	}
	return &t.most
}

// tally is what is counted over a span.
type tally struct {
	runs, sends, exports, alerts       share // of alerts, those that people say were none are wrong
	alertRuns                          []string
	took                               times
	sinceRun, sinceSuccess, sinceAlert newest
}

// tally goes through the runs of a span.
//
// A run counts once it has ended or is abandoned. It went well when it succeeded or was skipped: a day without an alert,
// a silence, a phase that does not act are what a healthy system says. It failed when it says so or was abandoned; a run
// that was repeated with success stays a failed run beside a good one.
//
// A run has sent when its webhook was called, or it was killed while it did so; what is not confirmed, or accepted where the rules ask for no receipt, is
// a failure of the webhook. A run has exported when it says how, or ended in that stage; a file that stood in for a
// sheet is a failure of the export, as nobody would notice otherwise that the sheet is never written.
//
// A run took time when it went beyond the decision; the many days without an alert take none and would hide the others.
func (h *History) tally(s Span) tally {
	var t tally
	until := h.until(s)
	for _, run := range h.runs {
		if run.RunTimestamp.After(until) || run.Status == functions.RunRunning {
			continue
		}
		t.since(run, until)
		if !s.holds(h.day(run.RunTimestamp)) {
			continue
		}
		t.runs.count(run, failed(run))
		if called(run) {
			t.sends.count(run, !arrived(run))
		}
		if cut := failed(run) && run.Stage == "export"; cut || run.ExportState != "" {
			t.exports.count(run, cut || strings.Contains(run.ExportState, "stood in for"))
		}
		if worked(run) {
			t.took.count(run)
		}
	}
	h.countAlerts(&t, s, until)
	return t
}

// since notes when a run ended last, and when one last went well. An abandoned run has not ended.
func (t *tally) since(run retention.Run, until time.Time) {
	if run.Status == functions.RunAbandoned {
		return
	}
	hours := max(0, until.Sub(run.CreatedAt).Hours())
	t.sinceRun.look(hours, run.RunID)
	if !failed(run) {
		t.sinceSuccess.look(hours, run.RunID)
	}
}

// countAlerts counts the alert days that became known in the span. Days since the last alert are counted from the day
// on which it became known; when there never was one, from the first run: for so long at least nothing was raised.
func (h *History) countAlerts(t *tally, s Span, until time.Time) {
	for _, alert := range h.alerts {
		known := h.day(alert.known)
		if alert.known.After(until) {
			continue
		}
		t.sinceAlert.look(float64(s.To.DaysSince(known)), alert.runs[0].RunID)
		if s.holds(known) {
			t.alerts.count(alert.runs[0], h.unreal[alert.date])
			t.alertRuns = append([]string{alert.runs[0].RunID}, t.alertRuns...)
		}
	}
	if first, has := h.first(); has && t.sinceAlert.past == nil && !s.To.Before(first) {
		t.sinceAlert.past = new(float64(s.To.DaysSince(first)))
	}
}

func failed(run retention.Run) bool {
	return run.Status == functions.RunFailed || run.Status == functions.RunAbandoned
}

func called(run retention.Run) bool {
	return run.WebhookAttempts > 0 || run.DeliveryState != "" && run.DeliveryState != functions.DeliveryNone
}

func arrived(run retention.Run) bool {
	return run.DeliveryState == functions.DeliveryConfirmed || run.DeliveryState == functions.DeliveryAccepted
}

// worked tells whether a run did more than to decide that there is nothing to do.
func worked(run retention.Run) bool {
	return run.ExecutionTimeMS != nil && run.Stage != "" && run.Stage != "setup" && run.Stage != "decide"
}
