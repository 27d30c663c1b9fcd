package playbook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// plan says what a run would do. It writes nothing anywhere: no queue, no claim, no log row.
func (w *run) plan(ctx context.Context) (functions.TriggerPlaybookOutput, error) {
	w.out.Status = functions.RunSuccess
	if err := w.decide(ctx); err != nil {
		return functions.TriggerPlaybookOutput{}, err
	}
	w.out.Plan = &functions.Plan{Tiers: []functions.PlannedTier{}, Destinations: []string{}, Mention: "nobody"}
	if w.skipped {
		w.out.Reason = "a run would be skipped: " + w.out.Reason
		w.out.Plan.Digest = w.digest()
		if w.unexpected(w.out.Plan.Digest) {
			w.out.Reason = forecastUnexpected
		}
		return w.out, nil
	}
	if err := w.preview(ctx); err != nil {
		return functions.TriggerPlaybookOutput{}, err
	}
	plan := w.out.Plan
	plan.Digest = w.digest()
	for _, total := range w.assessment.Tiers {
		plan.Tiers = append(plan.Tiers, functions.PlannedTier{TierTotal: total, Exported: slices.Contains(w.play.Export, total.Tier)})
	}
	switch target := w.target(); target {
	case functions.TargetBoth:
		plan.Destinations = []string{string(functions.TargetCSV), string(functions.TargetGSheet)}
	default:
		plan.Destinations = []string{string(target)}
	}
	if plan.Sends = w.rollout.Sends; plan.Sends {
		planned := w.ticket()
		plan.Channel, plan.Mention, plan.Ticket = w.rollout.Channel, w.play.Mention, &planned
	}
	var err error
	w.out.Reason, err = w.forecast(ctx)
	return w.out, err
}

// preview judges the customers and asks the guardrails.
func (w *run) preview(ctx context.Context) error {
	w.enter(ctx, stageQueue, "Judging the customers; nothing is written")
	if err := w.assess(ctx); err != nil {
		return err
	}
	lastSent, err := w.Log.LastSent(ctx)
	if err != nil {
		return err
	}
	w.built, err = w.Builder.Build(ctx, w.Book, w.assessment, priority.Options{DryRun: true, LastSent: lastSent, Today: w.Alert.Today()})
	w.counted()
	return err
}

const forecastUnexpected = "a run would be refused: this is not the plan that was expected"

// unexpected tells that the caller expects another digest than this one.
func (w *run) unexpected(digest string) bool {
	return w.in.ExpectDigest != "" && w.in.ExpectDigest != digest
}

// forecast says in one sentence how a run would end, as far as that can be known. It looks at things in the order of a
// run.
func (w *run) forecast(ctx context.Context) (string, error) {
	if w.unexpected(w.out.Plan.Digest) {
		return forecastUnexpected, nil
	}
	if err := w.ready(ctx); err != nil {
		return "a run would be refused: " + detail(err), nil
	}
	day, err := w.claims().read(ctx, w.key)
	if err != nil {
		return "", err
	}
	if w.earlier, err = w.claims().message(ctx, day); err != nil {
		return "", err
	}
	switch {
	case w.earlier.result != nil && !w.in.Resend:
		return "a run would send nothing and answer with the result of run " + w.earlier.result.RunID + ", which sent this day", nil
	case day.held(w.Now()):
		return "a run would be refused: run " + day.open().RunID + " works on this day", nil
	case w.rollout.Sends && w.earlier.id != "" && w.earlier.result == nil:
		found, err := w.again(ctx, w.earlier)
		if functions.CodeOf(err) == functions.FailedPrecondition {
			return "a run would be refused: " + detail(err), nil
		}
		if err != nil {
			return "", err
		}
		if found != nil {
			return "a run would send the message that run " + found.RunID + " stored once more, under the same id", nil
		}
	}
	passed, stopped := priority.Pass(w.out.Guardrails, w.in.Override)
	w.out.Guardrails = passed
	switch {
	case stopped != nil:
		return "a run would be stopped: " + detail(stopped), nil
	case !w.rollout.Sends:
		return fmt.Sprintf("a run would make queue, exports and brief, and send nothing: the phase is %s", w.rollout.Phase), nil
	}
	if _, err := w.escalates(ctx); err != nil {
		return "", err
	}
	ticket := "open a ticket in " + w.rollout.TicketProject
	if w.supersedes != "" {
		ticket = "update the ticket " + w.supersedes
	}
	return fmt.Sprintf("a run would send the %s playbook to %s and %s", w.decision.Severity, w.rollout.Channel, ticket), nil
}

func detail(err error) string {
	if coded, ok := errors.AsType[*functions.Error](err); ok {
		return coded.Detail
	}
	return err.Error()
}

// digest stands for exactly this audience, these rules, this configuration and this call. The time is no part of it, and
// of what is nobody's business (addresses and keys) only a hash is.
func (w *run) digest() string {
	planned := struct {
		Form         string
		Date         functions.Date
		Decision     functions.GetAlertDecisionOutput // its figures are in the brief
		Skipped      bool
		RulesVersion string
		Fingerprint  string
		Rows         [][]string // of the tiers that are exported
		Playbook     rulebook.Playbook
		Rollout      rulebook.Rollout
		Guardrails   rulebook.Guardrails
		Brief        rulebook.BriefSettings
		Templates    string
		Receipt      bool
		Payload      string
		Target       functions.Target
		Place        string
		Settings     any
		Webhook      [2]string // where, and with which key
		Resend       bool
		Override     *functions.Override
	}{
		Form: "retentionops plan 3", Date: w.out.Date, Decision: w.decision, Skipped: w.skipped,
		RulesVersion: w.out.RulesVersion, Playbook: w.play, Rollout: w.rollout, Guardrails: w.Book.Guardrails(),
		Brief: w.Book.Brief(), Templates: w.Templates.Version(), Receipt: w.Book.ReceiptRequired(), Payload: w.Book.PayloadTemplate(),
		Target: w.target(), Place: w.Exporter.Place(w.target()), Settings: w.Exporter.Settings,
		Webhook: [2]string{hashed(w.Config.URL), hashed(w.Config.APIKey)}, Resend: w.in.Resend, Override: w.in.Override,
	}
	if w.assessment != nil {
		planned.Fingerprint = w.assessment.Fingerprint
		for i := range w.assessment.Rows {
			row := &w.assessment.Rows[i]
			if slices.Contains(w.play.Export, row.Tier) {
				planned.Rows = append(planned.Rows, []string{
					string(row.Tier), row.CustomerID, fmt.Sprint(row.Score), row.Reason, row.Action, row.ValueProxy.String(), row.RuleID,
				})
			}
		}
	}
	sum := sha256.New()
	_ = json.NewEncoder(sum).Encode(planned) // plain values, and a hash never fails to take bytes
	return hex.EncodeToString(sum.Sum(nil))
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
