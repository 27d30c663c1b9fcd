package playbook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/priority"
)

// The words of notification_reason in the log: why people were notified, or why not.
const (
	reasonFirst     = "first"
	reasonEscalated = "escalated" // the day's WARNING was sent before
	reasonRepeated  = "repeated"  // the same message again, after an attempt that was not confirmed
	reasonForced    = "forced"    // resend: a new message on purpose
	reasonNoAlert   = "no_alert"
	reasonPhase     = "phase" // it does not act on the severity
	reasonShadow    = "shadow"
	reasonGuardrail = "guardrail"
	reasonFailed    = "failed" // a stage before the sending
)

// decide resolves the day and reads its alert. What calls for no playbook is skipped, with the reason. What the sending
// needs is looked at here, before anything is claimed.
func (w *run) decide(ctx context.Context) error {
	w.enter(ctx, stageDecide, "Reading the alert of the day")
	date, err := w.Alert.Resolve(ctx, w.in.Date)
	if err != nil {
		return err
	}
	w.out.Date, w.row.AlertDate = date, &date
	if w.decision, err = w.Alert.Decide(ctx, date); err != nil {
		return err
	}
	w.out.Severity = w.decision.Severity
	if !w.decision.ActionRequired {
		w.skip(reasonNoAlert, "no alert: "+w.decision.Reason)
		return nil
	}
	play, has := w.Book.Playbook(w.decision.Severity)
	if !has || !slices.Contains(w.rollout.ActsOn, w.decision.Severity) {
		w.skip(reasonPhase, fmt.Sprintf("the phase %s does not act on %s; it acts on %s",
			w.rollout.Phase, w.decision.Severity, cmp.Or(severities(w.rollout.ActsOn), "nothing")))
		return nil
	}
	w.play = play
	w.key = Key(date, w.decision.Severity, w.rollout.Phase)
	w.webhookID = w.key
	if w.rollout.Sends && !w.in.DryRun {
		return w.Config.Check()
	}
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

// begin claims the day. It answers the result of an earlier run that sent it, or held with an error when another run
// is at work.
func (w *run) begin(ctx context.Context) (earlier *functions.TriggerPlaybookOutput, held bool, err error) {
	w.enter(ctx, stageBegin, "Claiming the day")
	stored, err := w.hasPayload(ctx, w.key)
	if err != nil {
		return nil, false, err
	}
	w.row.NotificationReason = reasonFirst
	switch {
	case w.in.Resend && stored:
		w.webhookID = resendID(w.key, w.out.RunID)
		w.row.NotificationReason = reasonForced
	case stored:
		w.row.NotificationReason = reasonRepeated
	case w.decision.Severity == functions.Critical:
		before, err := w.claims().read(ctx, Key(w.out.Date, functions.Warning, w.rollout.Phase))
		if err != nil {
			return nil, false, err
		}
		if before.success != nil {
			w.row.NotificationReason = reasonEscalated
		}
	}
	w.claim, earlier, err = w.claims().take(ctx, w.key, w.out.RunID, w.webhookID, w.in.Resend)
	return earlier, errors.Is(err, errHeld), err
}

// hasPayload tells whether a message of that id was stored to be sent: it may have been, and must be taken for sent.
// What the shadow phase stores was never sent.
func (w *run) hasPayload(ctx context.Context, id string) (bool, error) {
	if !w.rollout.Sends {
		return false, nil
	}
	_, err := w.Archive.Get(ctx, payloadName(id))
	if errors.Is(err, archive.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// queue judges the customers and stores the queue of the day, unless the same was stored already. The guardrails are
// asked before anything is written.
func (w *run) queue(ctx context.Context) error {
	w.enter(ctx, stageQueue, "Building the priority queue")
	var err error
	if w.assessment, err = priority.Assess(ctx, w.Customers, w.Book, w.out.Date); err != nil {
		return err
	}
	if w.in.ExpectDigest != "" && w.in.ExpectDigest != w.digest() {
		return functions.Errorf(functions.FailedPrecondition, "this is not the plan that was expected").
			WithHint("customers, rules or configuration have changed since: look at a new dry_run and send its digest")
	}
	lastSent, err := w.Log.LastSent(ctx)
	if err != nil {
		return err
	}
	w.built, err = w.Builder.Build(ctx, w.Book, w.assessment,
		priority.Options{Override: w.in.Override, LastSent: lastSent, ReuseSame: true})
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
		return fmt.Sprintf("The guardrails warn: %d findings", len(said.Findings))
	default:
		return "The guardrails have nothing to say"
	}
}

// export delivers the tiers of the severity. The queue is read back from the warehouse: one that was replaced in the
// meantime is not what the guardrails saw, and is not sent.
func (w *run) export(ctx context.Context) error {
	w.enter(ctx, stageExport, "Exporting the audiences")
	target := cmp.Or(w.Target, functions.TargetCSV)
	if len(w.assessment.Rows) == 0 {
		w.notes = append(w.notes, "No customer is in any tier: there is nothing to export.")
		return nil
	}
	sheets, standIns := len(w.play.Export) > 0, 0
	for _, tier := range w.play.Export {
		exported, err := w.Exporter.Export(ctx, w.out.Date, functions.ExportAudienceInput{
			Date: functions.DateRef(w.out.Date.String()), Tier: tier, Destination: target,
		}, w.rollout.Folder)
		if err != nil {
			return fmt.Errorf("export %s: %w", tier, err)
		}
		if exported.RulesVersion != w.assessment.RulesVersion || exported.RowsAvailable != w.customersIn(tier) {
			return functions.Errorf(functions.FailedPrecondition, "the queue of %s was replaced while it was being exported", w.out.Date).
				WithHint("trigger the day again")
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
		w.notes = append(w.notes, fmt.Sprintf("%s: %d customers are not in the export: %s.", exported.Tier, left.Customers, left.Reason))
	}
}

func (w *run) customersIn(tier functions.Tier) int64 {
	for _, total := range w.assessment.Tiers {
		if total.Tier == tier {
			return total.Customers
		}
	}
	return 0
}

// brief writes the brief in every format and keeps it. When the message of an earlier run is sent again, the brief that
// was kept with that message stays: it is what people get to see.
func (w *run) brief(ctx context.Context) error {
	w.enter(ctx, stageBrief, "Writing the brief")
	data := brief.Compose(brief.Input{
		Decision: w.decision, Assessment: w.assessment, Playbook: w.play, Rollout: w.rollout, Settings: w.Book.Brief(),
		Guardrails: w.out.Guardrails, Exports: w.out.Artifacts.Exports, Notes: w.notes, RunID: w.out.RunID,
	})
	written := make([]functions.GenerateBriefOutput, 0, len(functions.Formats))
	for _, format := range functions.Formats {
		one, err := w.Templates.Render(format, data)
		if err != nil {
			return err
		}
		w.briefs[format] = one
		written = append(written, one)
	}
	if w.row.NotificationReason == reasonRepeated {
		return nil
	}
	return brief.Store(ctx, w.Archive, w.out.Date, written)
}

// send stores the payload and sends what is stored. A phase that does not send stores it too, so that people see what
// would have been sent.
func (w *run) send(ctx context.Context) error {
	w.enter(ctx, stageSend, "Sending the playbook")
	document, err := json.Marshal(w.payload())
	if err != nil {
		return fmt.Errorf("write the payload: %w", err)
	}
	if !w.rollout.Sends {
		if err := w.Archive.Put(ctx, payloadName(w.webhookID), document); err != nil {
			return fmt.Errorf("keep the payload: %w", err)
		}
		w.skip(reasonShadow, fmt.Sprintf("the phase %s sends nothing: queue, exports and brief were made, and nothing left", w.rollout.Phase))
		return nil
	}
	body, from, err := w.stored(ctx, document)
	if err != nil {
		return err
	}
	ours, err := w.claim.stillOurs(ctx)
	if err != nil {
		return fmt.Errorf("look at the claim: %w", err)
	}
	if !ours {
		return functions.Errorf(functions.FailedPrecondition, "the run took so long that the day is free for another").
			WithHint("trigger the day again: it is sent once")
	}
	s, err := w.sender()
	if err != nil {
		return err
	}
	got := s.send(ctx, w.webhookID, from, body, func(attempt int) {
		// From here on something may have left: a run that breaks down in between must say so.
		w.out.WebhookCalled, w.out.Attempts, w.out.DeliveryState = true, attempt, functions.DeliveryUnknown
		functions.Report(ctx, functions.Progress{Stage: stageSend, Message: fmt.Sprintf("Sending, attempt %d of %d", attempt, sendAttempts)})
	})
	w.out.DeliveryState, w.out.ResponseStatus, w.out.Attempts = got.state, got.status, got.attempts
	w.out.Artifacts.SlackMessageTS = string(got.receipt.SlackMessageTS)
	w.out.Artifacts.SlackPosted = got.receipt.SlackMessageTS != ""
	w.out.Artifacts.JiraTicket = string(got.receipt.TicketID)
	w.row.ConfirmationID = got.receipt.confirmation()
	w.out.Reason = got.why
	if from != w.out.RunID {
		w.out.Reason += "; sent was the message that run " + from + " stored"
	}
	return undelivered(got)
}

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
			WithHint("look at the scenario, then trigger the day again: the same message is sent under the same id, and a receiver that worked it answers with its first receipt")
	}
}

// stored keeps the payload unless one lies there under the same id: what was stored first is the message, and a rebuilt
// one under its id would be another. It answers the bytes to send and the run that made them.
func (w *run) stored(ctx context.Context, document []byte) (body []byte, from string, err error) {
	name := payloadName(w.webhookID)
	err = w.Archive.PutIfAbsent(ctx, name, document)
	switch {
	case err == nil:
		return document, w.out.RunID, nil
	case !errors.Is(err, archive.ErrExists):
		return nil, "", fmt.Errorf("keep the payload: %w", err)
	}
	if body, err = w.Archive.Get(ctx, name); err != nil {
		return nil, "", fmt.Errorf("read the stored payload: %w", err)
	}
	var first struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal(body, &first); err != nil {
		return nil, "", fmt.Errorf("read the stored payload: %w", err)
	}
	return body, first.RunID, nil
}

// payload puts the message together.
func (w *run) payload() payload {
	markdown, slack := w.briefs[functions.FormatMarkdown], w.briefs[functions.FormatSlack]
	planned := w.ticket()
	return payload{
		Date: w.out.Date, Severity: w.decision.Severity, AlertFlag: w.decision.AlertFlag, BriefMarkdown: markdown.Text,
		Metrics: metrics{
			CurrentValue: w.decision.CurrentValue, BaselineValue: w.decision.BaselineValue,
			DeltaRelativePct: w.decision.DeltaRelativePct,
		},
		PriorityCounts: priorityCounts{P1: w.out.P1Count, P2: w.out.P2Count, P3: w.out.P3Count},
		ExportURLs:     links(w.out.Artifacts.Exports),
		RunID:          w.out.RunID, IdempotencyKey: w.webhookID, Phase: w.rollout.Phase,
		ExpiresAt: w.row.RunTimestamp.Add(cmp.Or(w.Fresh, DefaultFresh)), Subject: markdown.Subject,
		Slack: slackMessage{Channel: w.rollout.Channel, Mention: w.play.Mention, Text: slack.Text, Blocks: slack.Blocks},
		Ticket: ticket{
			Project: planned.Project, Type: planned.Type, Priority: planned.Priority, Title: planned.Title, Due: planned.Due,
			Label: w.webhookID,
		},
		RulesVersion: w.out.RulesVersion,
	}
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
