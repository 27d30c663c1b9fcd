package playbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

// message is what the archive tells of a message of a day.
type message struct {
	id         string                           // its webhook-id; empty when the day has none
	result     *functions.TriggerPlaybookOutput // of the first run that delivered it; nil while that is not known
	mayHaveRun bool                             // an attempt to send it may have been worked
	refused    bool                             // an attempt to send it met a final no
}

// message finds the newest message of a day: the one that people have, or may have. A message is newest by the attempt
// that made it: a resend that stored its message has put it in the place of the one before, whatever became of it; one
// that did not get so far changes nothing.
func (c *claims) message(ctx context.Context, seen history) (message, error) {
	stored, err := c.archive.List(ctx, payloadPrefix(seen.key))
	if err != nil {
		return message{}, fmt.Errorf("list the messages of %s: %w", seen.key, err)
	}
	id := ""
	if slices.Contains(stored, payloadName(seen.key)) {
		id = seen.key
	}
	for attempt := seen.newest; attempt > 0 && len(stored) > 0; attempt-- {
		if made := seen.claimed[attempt]; made != nil && slices.Contains(stored, payloadName(resendID(seen.key, made.RunID))) {
			id = resendID(seen.key, made.RunID)
			break
		}
	}
	if success := seen.success(); id == "" && success != nil {
		id = success.WebhookID // an archive that keeps payloads for a while only
	}
	return seen.about(id), nil
}

// about tells of the message with that id.
func (h history) about(id string) message {
	about := message{id: id}
	for attempt := 1; attempt <= h.newest; attempt++ {
		end := h.ended[attempt]
		switch {
		case end == nil && h.claimed[attempt] != nil:
			about.mayHaveRun = true // killed
		case end == nil || end.WebhookID != id:
		case end.Outcome.Status == functions.RunSuccess:
			if about.result == nil {
				about.result = &end.Outcome
			}
		case end.Outcome.DeliveryState == functions.DeliveryRefused:
			about.refused = true
		case end.Outcome.DeliveryState != functions.DeliveryNone:
			about.mayHaveRun = true
		}
	}
	about.refused = about.refused && !about.mayHaveRun
	return about
}

// made is what a message was made from, and what a later run that sends it again must tell of it.
type made struct {
	Decision         functions.GetAlertDecisionOutput `json:"decision"`
	InputFingerprint string                           `json:"input_fingerprint"`
	RulesVersion     string                           `json:"rules_version"`
	P1Count          int64                            `json:"p1_count"`
	P2Count          int64                            `json:"p2_count"`
	P3Count          int64                            `json:"p3_count"`
	Exports          []functions.TierExports          `json:"exports"`
	ExportState      string                           `json:"export_state"`
	GSheetsUploaded  bool                             `json:"gsheets_uploaded"`
	Guardrails       functions.Guardrails             `json:"guardrails"`
}

// stored is a message as it lies in the archive: one document, which is there whole or not at all.
type stored struct {
	RunID       string    `json:"run_id"`     // of the run that made it
	WebhookID   string    `json:"webhook_id"` // under which it is sent
	ExpiresAt   time.Time `json:"expires_at"` // the receiver drops it from then on
	ContentType string    `json:"content_type"`
	Body        string    `json:"body"` // byte for byte what is sent, every time
	Made        made      `json:"made_from"`
}

// payloadType is the content type of a message that a run makes.
const payloadType = "application/json"

func payloadName(webhookID string) string { return "payloads/" + webhookID + ".json" }

// payloadPrefix begins the names of all messages of a day.
func payloadPrefix(key string) string { return "payloads/" + key }

// stored reads the message of an id: archive.ErrNotFound when there is none, failed_precondition when it is no message.
func (c *claims) stored(ctx context.Context, webhookID string) (*stored, error) {
	document, err := c.archive.Get(ctx, payloadName(webhookID))
	if err != nil {
		return nil, fmt.Errorf("read the stored message: %w", err)
	}
	found := new(stored)
	err = json.Unmarshal(document, found)
	if err == nil && (found.WebhookID != webhookID || found.Body == "" || found.RunID == "" || found.ContentType == "") {
		err = errors.New("it is no message of this id")
	}
	if err != nil {
		return nil, functions.Errorf(functions.FailedPrecondition, "the stored message %s cannot be read", webhookID).
			WithHint("use resend, which makes a new message").WithCause(err)
	}
	return found, nil
}

// again reads the message that this run sends again; nil when it makes a message of its own, under a new id. A message
// is sent again as it is, so it must still say what is true: when customers or rules have changed since, or it is so old
// that a receiver drops it, only a resend goes on, with a new message that the guardrails see. A resend also makes a new
// one when the old one cannot arrive any more.
func (w *run) again(ctx context.Context, earlier message) (*stored, error) {
	found, err := w.claims().stored(ctx, earlier.id)
	if w.in.Resend && (errors.Is(err, archive.ErrNotFound) || functions.CodeOf(err) == functions.FailedPrecondition) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	same := found.Made.RulesVersion == w.assessment.RulesVersion && found.Made.InputFingerprint == w.assessment.Fingerprint
	expired := !w.Now().Before(found.ExpiresAt)
	switch {
	case w.in.Resend && (!same || earlier.refused || expired):
		return nil, nil
	case !same:
		return nil, functions.Errorf(functions.FailedPrecondition,
			"the data or the rules have changed since run %s stored the message of this day, which is not confirmed", found.RunID).
			WithHint("use resend to send the new state")
	case expired:
		return nil, functions.Errorf(functions.FailedPrecondition, "the message of run %s has expired at %s: a receiver drops it",
			found.RunID, found.ExpiresAt.UTC().Format(time.RFC3339)).WithHint("use resend, which makes a new message")
	default:
		return found, nil
	}
}

// resume looks whether this run sends an earlier message again, and takes over what that one tells: no queue is built
// and no file is written under a message that links to them.
func (w *run) resume(ctx context.Context) error {
	found, err := w.again(ctx, w.earlier)
	if err != nil {
		return err
	}
	if found == nil {
		w.webhookID = resendID(w.key, w.out.RunID)
		w.row.NotificationReason = reasonForced
		return nil
	}
	w.adopt(found)
	return nil
}

// adopt makes a stored message the one of this run.
func (w *run) adopt(found *stored) {
	w.stored, w.webhookID = found, found.WebhookID
	w.out.RulesVersion, w.row.InputFingerprint = found.Made.RulesVersion, found.Made.InputFingerprint
	w.out.P1Count, w.out.P2Count, w.out.P3Count = found.Made.P1Count, found.Made.P2Count, found.Made.P3Count
	w.out.Guardrails, w.row.ForcedBy = found.Made.Guardrails, found.Made.Guardrails.Overridden
	w.out.Artifacts.Exports, w.out.Artifacts.GSheetsUploaded = found.Made.Exports, found.Made.GSheetsUploaded
	w.row.ExportState = found.Made.ExportState
}

// keep stores the message that this run made. From then on it is the message of its id.
func (w *run) keep(ctx context.Context) (*stored, error) {
	planned := w.payload()
	body, err := w.Templates.Payload(w.Book.PayloadTemplate(), planned)
	if err == nil && !utf8.Valid(body) { // what is kept as text must come back as it was
		err = errors.New("the message is not UTF-8")
	}
	if err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	mine := &stored{
		RunID: w.out.RunID, WebhookID: w.webhookID, ExpiresAt: planned.ExpiresAt, ContentType: payloadType, Body: string(body),
		Made: made{
			Decision: w.decision, InputFingerprint: w.assessment.Fingerprint, RulesVersion: w.assessment.RulesVersion,
			P1Count: w.out.P1Count, P2Count: w.out.P2Count, P3Count: w.out.P3Count,
			Exports: w.out.Artifacts.Exports, ExportState: w.row.ExportState, GSheetsUploaded: w.out.Artifacts.GSheetsUploaded,
			Guardrails: w.out.Guardrails,
		},
	}
	document, err := json.MarshalIndent(mine, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	put := w.Archive.PutIfAbsent
	if !w.rollout.Sends { // what was never sent may be replaced
		put = w.Archive.Put
	}
	err = put(ctx, payloadName(w.webhookID), document)
	if errors.Is(err, archive.ErrExists) {
		return nil, functions.Errorf(functions.Unavailable, "another run stored the message of this day in the meantime").
			WithHint("trigger the day again")
	}
	if err != nil {
		return nil, fmt.Errorf("keep the message: %w", err)
	}
	return mine, nil
}
