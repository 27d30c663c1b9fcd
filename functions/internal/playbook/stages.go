package playbook

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// queue judges the customers and stores the queue of the day, unless the same was stored already. The guardrails are
// asked before anything is written. When an earlier message is sent again, nothing is built: its own queue and files
// stand as they are.
func (w *run) queue(ctx context.Context) error {
	if w.stored != nil { // a replay
		return nil
	}
	w.enter(ctx, stageQueue, "Building the priority queue")
	if err := w.assess(ctx); err != nil {
		return err
	}
	if w.row.NotificationReason == reasonRepeated {
		if err := w.resume(ctx); err != nil || w.stored != nil {
			return err
		}
	}
	lastSent, err := w.Log.LastSent(ctx)
	if err != nil {
		return err
	}
	w.built, err = w.Builder.Build(ctx, w.Book, w.assessment,
		priority.Options{Override: w.in.Override, LastSent: lastSent, Today: w.Alert.Today(), ReuseSame: true})
	w.counted()
	if err != nil {
		if w.built.Guardrails.Verdict == functions.VerdictStop {
			w.enter(ctx, stageGuardrails, "A guardrail stops the run")
			w.row.NotificationReason = reasonGuardrail
		}
		return err
	}
	w.enter(ctx, stageGuardrails, guardrailWords(w.built.Guardrails))
	return nil
}

func (w *run) counted() {
	w.out.P1Count, w.out.P2Count, w.out.P3Count = w.built.P1Count, w.built.P2Count, w.built.P3Count
	w.out.Guardrails, w.row.ForcedBy = w.built.Guardrails, w.built.Guardrails.Overridden
}

func guardrailWords(said functions.Guardrails) string {
	switch {
	case said.Overridden != "":
		return "A guardrail was passed by " + said.Overridden
	case said.Verdict == functions.VerdictWarn:
		return "The guardrails warn: " + retention.Counted(len(said.Findings), "finding")
	default:
		return "The guardrails have nothing to say"
	}
}

// export delivers the tiers of the severity, as they were judged and as the guardrails saw them.
func (w *run) export(ctx context.Context) error {
	if w.stored != nil {
		return nil
	}
	w.enter(ctx, stageExport, "Exporting the audiences")
	if len(w.assessment.Rows) == 0 {
		w.notes = append(w.notes, "No customer is in any tier: there is nothing to export.")
		return nil
	}
	target := w.target()
	sheets, standIns := len(w.play.Export) > 0, 0
	for _, tier := range w.play.Export {
		exported, err := w.Exporter.Deliver(ctx, w.assessment, tier, target, w.rollout.Folder)
		if err != nil {
			return fmt.Errorf("export %s: %w", tier, err)
		}
		w.out.Artifacts.Exports = append(w.out.Artifacts.Exports, functions.TierExports{
			Tier: tier, Rows: exported.RowsExported, Link: cmp.Or(exported.GSheetURL, exported.CSVURL),
		})
		w.noteExport(exported)
		sheets = sheets && exported.GSheetURL != ""
		if target == functions.TargetBoth && exported.GSheetURL == "" {
			standIns++
		}
	}
	w.out.Artifacts.GSheetsUploaded = sheets
	switch {
	case target == functions.TargetBoth && standIns == 0:
		w.row.ExportState = "csv and gsheet"
	case standIns > 0:
		w.row.ExportState = fmt.Sprintf("csv stood in for gsheet (%d of %d tiers)", standIns, len(w.play.Export))
	default:
		w.row.ExportState = string(target)
	}
	return nil
}

// noteExport tells a reader of the brief what an audience does not hold. Ids are not named: a brief is read by many.
func (w *run) noteExport(exported functions.ExportAudienceOutput) {
	for _, note := range exported.Notes {
		w.notes = append(w.notes, fmt.Sprintf("%s: %s.", exported.Tier, note))
	}
	if exported.Truncated {
		w.notes = append(w.notes, fmt.Sprintf("%s: the export holds the first %d of %d customers.",
			exported.Tier, exported.RowsExported, exported.RowsAvailable))
	}
	for _, left := range exported.LeftOut {
		w.notes = append(w.notes, fmt.Sprintf("%s: the export is without %s: %s.", exported.Tier, retention.Counted(left.Customers, "customer"), left.Reason))
	}
}

// brief writes the brief in every format and keeps it. When the message of an earlier run is sent again, the brief that
// was kept with that message stays: it is what people get to see.
func (w *run) brief(ctx context.Context) error {
	if w.stored != nil {
		return nil
	}
	w.enter(ctx, stageBrief, "Writing the brief")
	known := w.known()
	data, top := brief.Compose(known), brief.Top(known)
	written := make([]functions.GenerateBriefOutput, 0, len(functions.Formats))
	for _, format := range functions.Formats {
		one, err := w.Templates.Render(format, data)
		if err != nil {
			return err
		}
		one.Currency, one.TopCustomers = known.Settings.Currency, top
		w.briefs[format] = one
		written = append(written, one)
	}
	return brief.Store(ctx, w.Archive, w.out.Date, written)
}

// known is what the run knows, for the brief to tell.
func (w *run) known() brief.Input {
	return brief.Input{
		Decision: w.decision, Assessment: w.assessment, Playbook: w.play, Rollout: w.rollout, Settings: w.Book.Brief(),
		Guardrails: w.out.Guardrails, Exports: w.out.Artifacts.Exports, Notes: w.notes, RunID: w.out.RunID,
	}
}

// send stores the payload and sends what is stored. A phase that does not send stores it too, so that people see what
// would have been sent.
func (w *run) send(ctx context.Context) error {
	w.enter(ctx, stageSend, "Sending the playbook")
	ours, err := w.claim.stillOurs(ctx)
	if err != nil {
		return fmt.Errorf("look at the claim: %w", err)
	}
	if !ours {
		return functions.Errorf(functions.FailedPrecondition, "the run took so long that the day is free for another").
			WithHint("trigger the day again: it is sent once")
	}
	sent := w.stored
	if sent == nil {
		if sent, err = w.keep(ctx); err != nil {
			return err
		}
	}
	if !w.rollout.Sends {
		w.skip(reasonShadow, fmt.Sprintf("the phase %s sends nothing: queue, exports and brief were made, and nothing left", w.rollout.Phase))
		return nil
	}
	s, err := w.sender()
	if err != nil {
		return err
	}
	s.mayHaveRun = w.stored != nil && (w.earlier.mayHaveRun || w.earlier.result != nil)
	got := s.send(ctx, sent, func(attempt int) {
		// From here on something may have left: a run that breaks down in between must say so.
		w.out.WebhookCalled, w.out.Attempts, w.out.DeliveryState = true, attempt, functions.DeliveryUnknown
		functions.Report(ctx, functions.Progress{Stage: stageSend, Message: fmt.Sprintf("Sending, attempt %d of %d", attempt, sendAttempts)})
	})
	w.out.DeliveryState, w.out.ResponseStatus, w.out.Attempts = got.state, got.status, got.attempts
	w.out.Artifacts.SlackMessageTS = string(got.receipt.SlackMessageTS)
	w.out.Artifacts.SlackPosted = got.receipt.SlackMessageTS != ""
	w.out.Artifacts.JiraTicket = string(got.receipt.TicketID)
	w.out.Reason = got.why
	if sent.RunID != w.out.RunID {
		w.out.Reason += "; sent was the message that run " + sent.RunID + " stored"
	}
	return undelivered(got)
}

// hintAgain is what a person must know before triggering a day again after an unknown outcome.
const hintAgain = "the same message is sent under the same id"

// undelivered is the error of a delivery that is not confirmed or accepted; nil for one that is.
func undelivered(got delivery) error {
	switch got.state {
	case functions.DeliveryConfirmed, functions.DeliveryAccepted:
		return nil
	case functions.DeliveryRefused:
		return functions.Errorf(functions.FailedPrecondition, "the playbook was refused: %s", got.why).WithHint(got.mend)
	case functions.DeliveryUnconfirmed, functions.DeliveryUnknown, functions.DeliveryNone:
		fallthrough
	default:
		return functions.Errorf(functions.Unavailable, "the delivery is %s: %s", got.state, got.why).
			WithHint("look at the scenario, then trigger the day again: " + hintAgain + ", and a receiver that worked it answers with its first receipt")
	}
}

// payload puts the message together.
func (w *run) payload() brief.Payload {
	planned := w.ticket()
	payload := brief.Payload{
		Date: w.out.Date, Severity: w.decision.Severity, AlertFlag: w.decision.AlertFlag,
		Metrics: brief.PayloadMetrics{
			CurrentValue: w.decision.CurrentValue, BaselineValue: w.decision.BaselineValue,
			DeltaRelativePct: w.decision.DeltaRelativePct,
		},
		PriorityCounts: brief.PriorityCounts{P1: w.out.P1Count, P2: w.out.P2Count, P3: w.out.P3Count},
		ExportURLs:     brief.ExportURLsOf(w.out.Artifacts.Exports),
		RunID:          w.out.RunID, IdempotencyKey: w.webhookID, Phase: w.rollout.Phase,
		ExpiresAt: w.row.RunTimestamp.Add(cmp.Or(w.Fresh, DefaultFresh)),
		Slack:     brief.SlackMessage{Channel: w.rollout.Channel, Mention: w.play.Mention},
		Ticket: brief.PayloadTicket{
			Project: planned.Project, Type: planned.Type, Priority: planned.Priority, Title: planned.Title, Due: planned.Due,
			Label: w.webhookID, Update: w.supersedes,
		},
		RulesVersion: w.out.RulesVersion,
	}
	for _, written := range w.briefs {
		payload.Tell(written)
	}
	return payload
}

// ticket is the ticket that the playbook opens.
func (w *run) ticket() functions.PlannedTicket {
	rules := w.play.Ticket
	return functions.PlannedTicket{
		Project: w.rollout.TicketProject, Type: rules.Type, Priority: rules.Priority,
		Title: strings.NewReplacer("{date}", w.out.Date.String(), "{severity}", string(w.decision.Severity)).Replace(rules.Title),
		Due:   w.row.RunTimestamp.Add(rules.AnswerWithin),
	}
}
