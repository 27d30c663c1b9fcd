package playbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

// message is what the archive tells of the newest message of a day: the one that people have, or may have.
type message struct {
	id         string                           // its webhook-id; empty when the day has none
	result     *functions.TriggerPlaybookOutput // of the run that delivered it; nil while that is not known
	mayHaveRun bool                             // an attempt to send it may have been worked
	refused    bool                             // an attempt to send it met a final no
}

// message finds the newest message of a day. A message is newest by the attempt that made it: a resend that stored its
// message has put it in the place of the one before, whatever became of it; one that did not get so far changes nothing.
func (c *claims) message(ctx context.Context, seen history) (message, error) {
	stored, err := c.archive.List(ctx, payloadPrefix(seen.key))
	if err != nil {
		return message{}, fmt.Errorf("list the messages of %s: %w", seen.key, err)
	}
	var newest message
	if slices.Contains(stored, payloadName(seen.key)) {
		newest.id = seen.key
	}
	for attempt := seen.newest; attempt > 0 && len(stored) > 0; attempt-- {
		if made := seen.claimed[attempt]; made != nil && slices.Contains(stored, payloadName(resendID(seen.key, made.RunID))) {
			newest.id = resendID(seen.key, made.RunID)
			break
		}
	}
	if success := seen.success(); newest.id == "" && success != nil {
		newest.id = success.WebhookID // an archive that keeps payloads for a while only
	}
	for attempt := range seen.claimed {
		end := seen.ended[attempt]
		switch {
		case end == nil:
			newest.mayHaveRun = true // killed
		case end.WebhookID != newest.id:
		case end.Outcome.Status == functions.RunSuccess:
			newest.result = &end.Outcome
		case end.Outcome.DeliveryState == functions.DeliveryRefused:
			newest.refused = true
		case end.Outcome.DeliveryState != functions.DeliveryNone:
			newest.mayHaveRun = true
		}
	}
	newest.refused = newest.refused && !newest.mayHaveRun
	return newest, nil
}

// made is what a run keeps beside the message that it stores: what the message was made from, and what a later run that
// sends it again must tell of it.
type made struct {
	InputFingerprint string                  `json:"input_fingerprint"`
	RulesVersion     string                  `json:"rules_version"`
	P1Count          int64                   `json:"p1_count"`
	P2Count          int64                   `json:"p2_count"`
	P3Count          int64                   `json:"p3_count"`
	Exports          []functions.TierExports `json:"exports"`
	ExportState      string                  `json:"export_state"`
	GSheetsUploaded  bool                    `json:"gsheets_uploaded"`
	Guardrails       functions.Guardrails    `json:"guardrails"`
}

// stored is a message as it lies in the archive.
type stored struct {
	body []byte // the message: what is sent twice under one id is the same bytes
	from string // the run that made it
	made made
}

// madeName names the document by the run, which the payload names: the payload is there whole or not at all, and so is
// what belongs to it, as it is put first.
func madeName(runID string) string { return "runs/" + runID + "/message.json" }

// again reads the message that this run sends again; nil when it makes a message of its own, under a new id. A message
// is sent again as it is, so it must still say what is true: when customers or rules have changed since, only a resend
// goes on, with a new message. A resend also makes a new one when the old one cannot arrive any more.
func (w *run) again(ctx context.Context, earlier message) (*stored, error) {
	body, err := w.Archive.Get(ctx, payloadName(earlier.id))
	if errors.Is(err, archive.ErrNotFound) && w.in.Resend {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the stored payload: %w", err)
	}
	var kept payload
	if err := json.Unmarshal(body, &kept); err != nil {
		return nil, fmt.Errorf("read the stored payload: %w", err)
	}
	found := &stored{body: body, from: kept.RunID}
	document, err := w.Archive.Get(ctx, madeName(kept.RunID))
	if err != nil && !errors.Is(err, archive.ErrNotFound) {
		return nil, fmt.Errorf("read what the stored payload was made from: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(document, &found.made); err != nil {
			return nil, fmt.Errorf("read what the stored payload was made from: %w", err)
		}
	}
	same := found.made.RulesVersion == w.assessment.RulesVersion && found.made.InputFingerprint == w.assessment.Fingerprint
	switch {
	case w.in.Resend && (!same || earlier.refused || !w.Now().Before(kept.ExpiresAt)):
		return nil, nil
	case !same:
		return nil, functions.Errorf(functions.FailedPrecondition,
			"the data or the rules have changed since run %s stored the message of this day, which is not confirmed", kept.RunID).
			WithHint("use resend to send the new state")
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
	w.stored = found
	w.out.P1Count, w.out.P2Count, w.out.P3Count = found.made.P1Count, found.made.P2Count, found.made.P3Count
	w.out.Guardrails, w.row.ForcedBy = found.made.Guardrails, found.made.Guardrails.Overridden
	w.out.Artifacts.Exports, w.out.Artifacts.GSheetsUploaded = found.made.Exports, found.made.GSheetsUploaded
	w.row.ExportState = found.made.ExportState
	return nil
}

// keep stores the message that this run made. From then on it is the message of its id.
func (w *run) keep(ctx context.Context) (*stored, error) {
	body, err := json.Marshal(w.payload())
	if err != nil {
		return nil, fmt.Errorf("write the payload: %w", err)
	}
	mine := &stored{body: body, from: w.out.RunID, made: made{
		InputFingerprint: w.assessment.Fingerprint, RulesVersion: w.assessment.RulesVersion,
		P1Count: w.out.P1Count, P2Count: w.out.P2Count, P3Count: w.out.P3Count,
		Exports: w.out.Artifacts.Exports, ExportState: w.row.ExportState, GSheetsUploaded: w.out.Artifacts.GSheetsUploaded,
		Guardrails: w.out.Guardrails,
	}}
	document, err := json.Marshal(mine.made)
	if err != nil {
		return nil, fmt.Errorf("write what the payload was made from: %w", err)
	}
	if err := w.Archive.Put(ctx, madeName(w.out.RunID), document); err != nil {
		return nil, fmt.Errorf("keep what the payload was made from: %w", err)
	}
	if !w.rollout.Sends { // what was never sent may be replaced
		err = w.Archive.Put(ctx, payloadName(w.webhookID), body)
	} else {
		err = w.Archive.PutIfAbsent(ctx, payloadName(w.webhookID), body)
	}
	if errors.Is(err, archive.ErrExists) {
		return nil, functions.Errorf(functions.Unavailable, "another run stored the message of this day in the meantime").
			WithHint("trigger the day again")
	}
	if err != nil {
		return nil, fmt.Errorf("keep the payload: %w", err)
	}
	return mine, nil
}
