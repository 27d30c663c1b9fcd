package playbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// The words of notification_reason in the log: why people were notified, or why not.
const (
	reasonFirst     = "first"
	reasonEscalated = "escalated" // the day's WARNING was sent before
	reasonRepeated  = "repeated"  // the same message again, after an attempt that was not confirmed
	reasonForced    = "forced"    // resend: a new message on purpose
	reasonReplayed  = "replayed"  // replay: a stored message again on purpose
	reasonNoAlert   = "no_alert"
	reasonPhase     = "phase" // it does not act on the severity
	reasonShadow    = "shadow"
	reasonSilenced  = "silenced"  // by rules/silences.yaml
	reasonInhibited = "inhibited" // the day's CRITICAL was sent before, or is being sent: a WARNING beside it is no news
	reasonResolved  = "resolved"  // no alert any more, for the first time since one was sent
	reasonGuardrail = "guardrail"
	reasonFailed    = "failed" // a stage before the sending
)

// decide resolves the day and reads its alert. What calls for no playbook is skipped, with the reason. The plan that is
// expected and what the run cannot do without are looked at here, before anything is claimed.
func (w *run) decide(ctx context.Context) error {
	w.enter(ctx, stageDecide, "Reading the alert of the day")
	date, err := w.Alert.Resolve(ctx, w.in.Date)
	if err == nil {
		w.out.Date, w.row.AlertDate = date, &date
		w.decision, err = w.Alert.Decide(ctx, date)
	}
	if err != nil {
		w.dataFault = true
		return err
	}
	w.out.Severity = w.decision.Severity
	if err := w.choose(ctx); err != nil || w.in.DryRun {
		return err
	}
	if err := w.expected(ctx); err != nil || w.skipped {
		return err
	}
	return w.ready(ctx)
}

// choose finds the playbook of the day, or why there is none.
func (w *run) choose(ctx context.Context) error {
	if !w.decision.ActionRequired {
		w.skip(w.quiet(ctx))
		return nil
	}
	play, has := w.Book.Playbook(w.decision.Severity)
	if !has || !slices.Contains(w.rollout.ActsOn, w.decision.Severity) {
		w.skip(reasonPhase, fmt.Sprintf("the phase %s does not act on %s; it acts on %s",
			w.rollout.Phase, w.decision.Severity, cmp.Or(severities(w.rollout.ActsOn), "nothing")))
		return nil
	}
	if silence, has := w.Book.Silence(w.out.Date, w.decision.Severity); has {
		w.skip(reasonSilenced, fmt.Sprintf("silenced from %s to %s by %s: %s", silence.From, silence.To, silence.Who, silence.Why))
		return nil
	}
	if err := w.inhibit(ctx); err != nil || w.skipped {
		return err
	}
	w.play = play
	w.key = Key(w.out.Date, w.decision.Severity, w.rollout.Phase)
	w.webhookID = w.key
	return nil
}

func severities(words []functions.Severity) string {
	text := make([]string, len(words))
	for i, word := range words {
		text[i] = string(word)
	}
	return strings.Join(text, ", ")
}

func (w *run) skip(reason, sentence string) {
	w.skipped, w.row.NotificationReason, w.out.Reason = true, reason, sentence
}

// expected refuses when the caller expects another plan than that of this moment. It is asked of every run, also of one
// that would be skipped or would answer with an earlier result: what was looked at is no longer so.
func (w *run) expected(ctx context.Context) error {
	if w.in.ExpectDigest == "" {
		return nil
	}
	if !w.skipped {
		if used, err := w.confirmationUsed(ctx); used || err != nil {
			return err // who asks again gets to know what came of it, whatever is so by now: see begin
		}
		if err := w.assess(ctx); err != nil {
			return err
		}
	}
	if w.unexpected(w.digest()) {
		return functions.Errorf(functions.FailedPrecondition, "this is not the plan that was expected").
			WithHint("customers, rules, configuration or the call itself have changed since: look at a new dry_run and send its digest")
	}
	return nil
}

// confirmationUsed tells whether another run has used the confirmation of this one.
func (w *run) confirmationUsed(ctx context.Context) (bool, error) {
	confirmation := functions.CallFrom(ctx).Confirmation
	if confirmation == "" {
		return false, nil
	}
	seen, err := w.claims().read(ctx, w.key)
	if err != nil {
		return false, err
	}
	done, spent := seen.spent(confirmation, w.Now())
	return done != nil || spent != nil, nil
}

// assess judges the customers, once a run. A list of exclusions that cannot be read ends the run: nobody may be
// contacted by an accident.
func (w *run) assess(ctx context.Context) (err error) {
	if w.assessment != nil {
		return nil
	}
	var excluded priority.Exclusions
	if w.Exclusions != nil {
		excluded, err = w.Exclusions(ctx)
	}
	var assessment *retention.Assessment
	if err == nil {
		assessment, err = priority.Assess(ctx, w.Customers, w.Book, excluded, w.out.Date)
	}
	if err != nil {
		w.dataFault = true
		return err
	}
	w.assessment, w.out.Excluded = assessment, assessment.Excluded
	return nil
}

// ready looks for what the sending and the exports cannot do without.
func (w *run) ready(ctx context.Context) error {
	if name, known := w.Book.PayloadTemplate(), w.Templates.PayloadNames(); !slices.Contains(known, name) {
		return functions.Errorf(functions.FailedPrecondition, "the rules name the payload template %q, and there is none", name).
			WithHint("templates in brief_templates/: " + strings.Join(known, ", "))
	}
	if w.rollout.Sends {
		if err := w.Config.Check(); err != nil {
			return err
		}
	}
	if len(w.play.Export) == 0 {
		return nil
	}
	if err := w.Exporter.Ready(ctx, w.target()); err != nil {
		return fmt.Errorf("open where the exports go: %w", err)
	}
	return nil
}

func (w *run) target() functions.Target { return cmp.Or(w.Target, functions.TargetCSV) }

// begin claims the day, and finds out which message it is about once nobody else can change that. It answers the result
// of an earlier run that sent the day or used the confirmation, or held with an error when such a run is at work or came
// to nothing.
func (w *run) begin(ctx context.Context) (earlier *functions.TriggerPlaybookOutput, held bool, err error) {
	w.enter(ctx, stageBegin, "Claiming the day")
	w.claim, earlier, err = w.claims().take(ctx, w.key, functions.CallFrom(ctx), w.in.Resend || w.in.Replay != "")
	if earlier != nil || err != nil {
		return earlier, errors.Is(err, errHeld) || errors.Is(err, errSpent), err
	}
	w.row.NotificationReason = reasonFirst
	w.missed(ctx)
	// Asked once more: of a WARNING and a CRITICAL that come at the same moment, one sees the other's claim.
	if err := w.inhibit(ctx); err != nil || w.skipped {
		return nil, false, err
	}
	if !w.rollout.Sends { // what such a phase stores was never sent
		return nil, false, nil
	}
	seen, err := w.claims().read(ctx, w.key)
	if err != nil {
		return nil, false, err
	}
	delete(seen.claimed, w.claim.attempt)
	if w.in.Replay != "" {
		w.earlier, w.row.NotificationReason = seen.about(w.webhookID), reasonReplayed
		return nil, false, nil
	}
	if w.earlier, err = w.claims().message(ctx, seen); err != nil {
		return nil, false, err
	}
	escalated, err := w.escalates(ctx)
	switch {
	case w.earlier.result != nil && w.in.Resend:
		w.webhookID = resendID(w.key, w.out.RunID)
		w.row.NotificationReason = reasonForced
	case w.earlier.id != "":
		w.webhookID = w.earlier.id
		w.row.NotificationReason = reasonRepeated
	case escalated:
		w.row.NotificationReason = reasonEscalated
	}
	return nil, false, err
}
