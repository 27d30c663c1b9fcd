package playbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// inhibit skips a WARNING beside a CRITICAL of its day: one that was sent, or that a run is sending now. A CRITICAL never
// waits for a WARNING: rather a message too many than one that is missed.
func (w *run) inhibit(ctx context.Context) error {
	if w.decision.Severity != functions.Warning {
		return nil
	}
	critical, err := w.claims().read(ctx, Key(w.out.Date, functions.Critical, w.rollout.Phase))
	if err != nil {
		return err
	}
	switch sent := critical.success(); {
	case sent != nil:
		w.skip(reasonInhibited, fmt.Sprintf("run %s has sent a CRITICAL of this day: a WARNING after it is no news", sent.Outcome.RunID))
	case critical.held(w.Now()):
		w.skip(reasonInhibited, fmt.Sprintf("run %s is at work on a CRITICAL of this day: a WARNING beside it is no news", critical.open().RunID))
	}
	return nil
}

// escalates tells whether this is a CRITICAL whose day's WARNING was sent before, and looks for the ticket that it opened:
// a CRITICAL updates that one and opens none beside it.
func (w *run) escalates(ctx context.Context) (bool, error) {
	if w.decision.Severity != functions.Critical {
		return false, nil
	}
	before, err := w.claims().read(ctx, Key(w.out.Date, functions.Warning, w.rollout.Phase))
	if err != nil {
		return false, err
	}
	w.supersedes = before.ticket()
	return before.success() != nil || w.supersedes != "", nil
}

// ticket is the newest ticket that an attempt on the day is known to have opened. A part of a playbook counts too: what
// is in a receipt is there.
func (h history) ticket() string {
	for attempt := h.newest; attempt > 0; attempt-- {
		if end := h.ended[attempt]; end != nil && end.Outcome.Artifacts.JiraTicket != "" {
			return end.Outcome.Artifacts.JiraTicket
		}
	}
	return ""
}

// resolved is the archive's document of an alert that is over: the first day without one after it.
type resolved struct {
	RunID string         `json:"run_id"`
	Date  functions.Date `json:"date"`
}

// quiet says why nothing is sent on a day without an alert. The first such day after an alert that was sent resolves it;
// nothing is sent then either, the log says so.
func (w *run) quiet(ctx context.Context) (reason, sentence string) {
	sentence = "no alert: " + w.decision.Reason
	if w.decision.Severity != functions.Info || !w.rollout.Sends {
		return reasonNoAlert, sentence
	}
	over, err := w.resolves(ctx)
	if err != nil { // whether it is the first such day is worth knowing, and no reason to fail
		w.Logger.WarnContext(ctx, "whether the day resolves an alert is not known", "run_id", w.out.RunID, "error", err.Error())
	}
	if over == nil {
		return reasonNoAlert, sentence
	}
	return reasonResolved, fmt.Sprintf("%s; the %s of %s, which run %s sent, is over", sentence, over.Severity, over.AlertDate, over.RunID)
}

// resolves finds the alert that this day is the first after; nil when there is none. The same day asks twice and hears
// the same.
func (w *run) resolves(ctx context.Context) (*retention.Run, error) {
	last, err := w.Log.LastSent(ctx)
	if err != nil || last == nil || last.AlertDate == nil || !last.AlertDate.Before(w.out.Date) {
		return nil, err
	}
	name := "resolved/" + Key(*last.AlertDate, last.Severity, last.Phase) + ".json"
	if !w.in.DryRun {
		document, err := json.Marshal(resolved{w.out.RunID, w.out.Date})
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		err = w.Archive.PutIfAbsent(ctx, name, document)
		if err == nil {
			return last, nil
		}
		if !errors.Is(err, archive.ErrExists) {
			return nil, err
		}
	}
	var by resolved
	err = w.claims().get(ctx, name, &by)
	switch {
	case errors.Is(err, archive.ErrNotFound): // a plan, of a day that would be the first
		return last, nil
	case err != nil || by.Date != w.out.Date:
		return nil, err
	default:
		return last, nil
	}
}

// missed writes the begin row of the run that this one takes the day over from, if that one was killed before it could.
func (w *run) missed(ctx context.Context) {
	seen, err := w.claims().read(ctx, w.key)
	before := w.claim.attempt - 1
	if err != nil || seen.ended[before] != nil || seen.claimed[before] == nil {
		return // a claim that cannot be read is the business of what comes next
	}
	killed := seen.claimed[before]
	w.Log.Missed(ctx, retention.Run{
		RunID: killed.RunID, RunTimestamp: killed.ClaimedAt, AlertDate: &w.out.Date, Severity: w.decision.Severity,
		Phase: w.rollout.Phase, Stage: stageBegin, IdempotencyKey: w.key, DeliveryState: functions.DeliveryNone,
	})
}
