package playbook

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/runlog"
)

// The deadlines of what the end of a run does besides the log's rows, which have their own.
const (
	claimDeadline         = 5 * time.Second
	stoppingClaimDeadline = 500 * time.Millisecond // once the program was told to end
	stoppingMarkDeadline  = 250 * time.Millisecond
)

// writeBegin writes the begin row, once.
func (w *run) writeBegin(ctx context.Context) {
	if w.logged {
		return
	}
	w.logged = true
	w.fill()
	row := w.row
	row.Status, row.DeliveryState = functions.RunRunning, functions.DeliveryNone
	w.out.LogWritten = w.Log.Begin(ctx, row)
}

// end writes down how the run ended: the log's row first, then the end of the claim. In this order a run that is killed
// in between is taken over and asks the receiver again, and never stands as done without a row.
func (w *run) end(ctx context.Context, err error) (functions.TriggerPlaybookOutput, error) {
	failure := w.failure(err)
	marking, cancel := functions.Outlive(ctx, runlog.ArchiveDeadline, stoppingMarkDeadline)
	w.enter(marking, stageEnd, "Writing down how it ended")
	cancel()
	w.writeBegin(ctx)
	w.out.Status = functions.RunSuccess
	switch {
	case failure != nil:
		w.out.Status = functions.RunFailed
		w.out.Reason = cmp.Or(failure.Detail, "an internal fault; the log has it under the run's id")
		if !w.out.WebhookCalled && w.row.NotificationReason != reasonGuardrail {
			w.row.NotificationReason = reasonFailed
		}
		w.row.ErrorMessage = logText(failure)
		w.backup(ctx, failure)
		w.row.ErrorMessage += mailText(w.out.BackupMail)
	case w.skipped:
		w.out.Status = functions.RunSkipped
	}
	if failure == nil && w.claim != nil {
		w.row.Stage = stageEnd
	}
	w.fill()
	took := w.Now().Sub(w.row.RunTimestamp).Milliseconds()
	w.row.ExecutionTimeMS = &took
	w.out.LogWritten = w.Log.Finish(ctx, w.row) && w.out.LogWritten
	if w.claim != nil {
		w.endClaim(ctx)
	}
	if failure == nil {
		return w.out, nil
	}
	failure.RunID, failure.Result = w.out.RunID, w.out
	return w.out, failure
}

// endClaim ends the claim. A claim that is not ended runs out by itself: the next run then asks the receiver again.
func (w *run) endClaim(ctx context.Context) {
	ctx, cancel := functions.Outlive(ctx, claimDeadline, stoppingClaimDeadline)
	defer cancel()
	if err := w.claim.end(ctx, w.webhookID, w.out); err != nil {
		w.Logger.WarnContext(ctx, "the claim of a run was not ended; it runs out by itself",
			"run_id", w.out.RunID, "expires_at", w.claim.doc.ExpiresAt.Format(time.RFC3339), "error", err.Error())
	}
}

// failure turns a stage's error into the run's: the closed table of outcomes knows faults that the caller can mend and
// faults that pass, and a breakdown of the program.
func (w *run) failure(err error) *functions.Error {
	if err == nil {
		return nil
	}
	coded, known := errors.AsType[*functions.Error](err)
	switch code := functions.CodeOf(err); {
	case known && code == functions.InvalidArgument:
		// The caller's input was checked before the run: what a stage refuses is ours, and its text may be of a customer.
		return functions.Errorf(functions.FailedPrecondition, "stage %s met something that it cannot take", w.row.Stage).
			WithHint("the cause is in the log under this run_id").WithCause(err)
	case known && (code == functions.FailedPrecondition || code == functions.NotFound || code == functions.Unavailable ||
		code == functions.ResourceExhausted || code == functions.PermissionDenied):
		failure := *coded
		if err.Error() != coded.Error() { // what was being done stays in the log's text
			return failure.WithCause(err)
		}
		return &failure
	case known && w.broke:
		return coded
	case code == functions.DeadlineExceeded:
		return functions.Errorf(functions.Unavailable, "stage %s did not end in time", w.row.Stage).
			WithHint("trigger the day again").WithCause(err)
	default:
		return functions.Errorf(functions.Unavailable, "stage %s failed", w.row.Stage).
			WithHint("the cause is in the log under this run_id; trigger the day again when it is gone").WithCause(err)
	}
}

// logText is what the log keeps of a failure: our code, words and hint, never the cause, which may hold a remote text.
func logText(failure *functions.Error) string {
	text := string(failure.Code)
	if failure.Detail != "" {
		text += ": " + failure.Detail
	}
	if failure.Hint != "" {
		text += " (" + failure.Hint + ")"
	}
	return text
}

// mailText is what the log keeps of the mail of a failed run.
func mailText(said *functions.BackupMail) string {
	switch {
	case said == nil:
		return ""
	case said.Sent && said.Error == "":
		return "; mailed to " + said.ToRole
	case said.Sent:
		return "; mailed to " + said.ToRole + ", not to everybody: " + said.Error
	default:
		return "; not mailed to " + said.ToRole + ": " + said.Error
	}
}

// fill puts what is known of the run into its row.
func (w *run) fill() {
	row, out := &w.row, &w.out
	row.Severity, row.Phase, row.RulesVersion, row.IdempotencyKey = out.Severity, out.Phase, out.RulesVersion, w.webhookID
	row.Status, row.DeliveryState, row.WebhookAttempts = out.Status, out.DeliveryState, int64(out.Attempts)
	row.SlackPosted, row.SlackMessageTS, row.TicketID = out.Artifacts.SlackPosted, out.Artifacts.SlackMessageTS, out.Artifacts.JiraTicket
	if w.decision.Severity != "" {
		row.AlertFlag, row.CurrentValue = &w.decision.AlertFlag, &w.decision.CurrentValue
		row.BaselineValue, row.DeltaRelativePct = w.decision.BaselineValue, w.decision.DeltaRelativePct
		row.SampleSize = &w.decision.SampleSize
	}
	if w.assessment != nil {
		row.InputFingerprint = w.assessment.Fingerprint
	}
	if w.built.RulesVersion != "" || w.stored != nil {
		row.P1Count, row.P2Count, row.P3Count = &out.P1Count, &out.P2Count, &out.P3Count
	}
	if len(out.Artifacts.Exports) > 0 {
		var total int64
		for _, export := range out.Artifacts.Exports {
			total += export.Rows
		}
		urls := brief.ExportURLsOf(out.Artifacts.Exports)
		row.TotalExported, row.ExportP1Link, row.ExportP2Link, row.ExportP3Link = &total, urls.P1, urls.P2, urls.P3
	}
}
