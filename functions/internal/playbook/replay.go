package playbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// recall is the first stage of a replay: it finds the stored message of the run that is named, and asks of it what
// decide asks of a day. Nothing is judged, built or written again.
func (w *run) recall(ctx context.Context) error {
	w.enter(ctx, stageDecide, "Looking for the message of run "+w.in.Replay)
	w.out.ReplayOf = w.in.Replay
	first, err := w.Log.Show(ctx, w.in.Replay)
	if err != nil {
		return err
	}
	found, err := w.messageOf(ctx, first)
	if err != nil {
		return err
	}
	w.decision = found.Made.Decision
	date := w.decision.AlertDate
	w.out.Date, w.row.AlertDate, w.out.Severity = date, &date, w.decision.Severity
	if err := w.mayReplay(first, found); err != nil {
		return err
	}
	if err := w.choose(ctx); err != nil || w.skipped {
		return err
	}
	if err := w.contactable(ctx, found); err != nil {
		return err
	}
	w.adopt(found)
	w.row.ForcedBy = "replay of run " + w.in.Replay
	return w.Config.Check()
}

// contactable refuses a message whose files may hold somebody who is never to be contacted any more: who was put on the
// list of exclusions after they were written. The message itself cannot be told from before: it links to the files.
func (w *run) contactable(ctx context.Context, found *stored) error {
	if w.Exclusions == nil {
		return nil
	}
	list, err := w.Exclusions(ctx)
	if err != nil {
		return err
	}
	var tiers []functions.Tier
	for _, export := range found.Made.Exports {
		tiers = append(tiers, export.Tier)
	}
	if list == nil || list.Len() == 0 || len(tiers) == 0 {
		return nil
	}
	const hint = "trigger the day with resend, which makes new files and a new message"
	excluded, known, err := w.Builder.ExcludedSince(ctx, w.out.Date, found.Made.RulesVersion, found.Made.InputFingerprint, tiers, list)
	switch {
	case err != nil:
		return fmt.Errorf("look for excluded customers in the files of run %s: %w", found.RunID, err)
	case !known:
		return functions.Errorf(functions.FailedPrecondition, "the queue of %s was built anew since run %s exported it: whether its "+
			"files hold somebody who is on the exclusion list now is not known", w.out.Date, found.RunID).WithHint(hint)
	case excluded > 0:
		return functions.Errorf(functions.FailedPrecondition, "the files of run %s hold %s of the present exclusion list",
			found.RunID, retention.Counted(excluded, "customer")).WithHint(hint)
	default:
		return nil
	}
}

// messageOf reads the message that a run made, or sent for an earlier one.
func (w *run) messageOf(ctx context.Context, first retention.Run) (*stored, error) {
	none := functions.Errorf(functions.FailedPrecondition, "run %s stored no message and sent none", first.RunID).
		WithHint("there is nothing to send again; trigger its day")
	if first.AlertDate == nil || first.IdempotencyKey == "" {
		return nil, none
	}
	// A resend that was killed may not have come to write down the id of its own message.
	own := resendID(Key(*first.AlertDate, first.Severity, first.Phase), first.RunID)
	for _, id := range []string{own, first.IdempotencyKey} {
		found, err := w.claims().stored(ctx, id)
		switch {
		case errors.Is(err, archive.ErrNotFound):
		case err != nil:
			return nil, err
		case found.RunID == first.RunID, first.DeliveryState != functions.DeliveryNone:
			return found, nil
		}
	}
	return nil, none
}

// mayReplay refuses what must not leave, or would be dropped.
func (w *run) mayReplay(first retention.Run, found *stored) error {
	phase := w.rollout.Phase
	switch {
	case first.Phase != phase:
		return functions.Errorf(functions.FailedPrecondition, "the message of run %s is of the phase %s; the present one is %s",
			first.RunID, first.Phase, phase).WithHint("a message goes where its own phase sends; trigger the day in the present one")
	case !w.rollout.Sends:
		return functions.Errorf(functions.FailedPrecondition, "the phase %s sends nothing", phase).
			WithHint("rules/rollout.yaml holds the phase")
	case !w.Now().Before(found.ExpiresAt):
		return functions.Errorf(functions.FailedPrecondition, "the message of run %s has expired at %s: a receiver drops it",
			first.RunID, found.ExpiresAt.UTC().Format(time.RFC3339)).
			WithHint("while its day is the newest, trigger it with resend, which makes a new message")
	default:
		return nil
	}
}
