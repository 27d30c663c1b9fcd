package playbook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// maxAnswer is how much of an answer is read: a receipt is small, and the rest may be anything.
const maxAnswer = 64 << 10

// queueFull is what Make.com answers with status 400 when the hook's queue is full. A body that does not fit the
// hook's data structure has the same status, so the text decides.
const queueFull = "queue is full"

// The words of a receipt. An answer that names none but carries a message or a ticket counts as done.
const (
	receiptDone       = "done"
	receiptDuplicate  = "duplicate"   // the message was worked before; its first receipt comes with it
	receiptInProgress = "in_progress" // an earlier message of this id is being worked
	receiptPartial    = "partial"     // some steps succeeded; what is missing is not there
	receiptExpired    = "expired"     // the message was too old and was dropped
)

// receipt is the proof that a playbook ran: the answer of the scenario's last module.
type receipt struct {
	Word           string `json:"receipt"`
	RunID          proof  `json:"run_id"`
	WebhookID      proof  `json:"webhook_id"`
	IdempotencyKey proof  `json:"idempotency_key"`
	SlackMessageTS proof  `json:"slack_message_ts"`
	TicketID       proof  `json:"ticket_id"`
}

// proof is an id in a receipt. A mapping without quotes makes it a JSON number, which is taken as it is written.
type proof string

// soundProof is what an id may look like: it goes into the log and into answers.
var soundProof = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:#/-]{0,127}$`)

// UnmarshalJSON reads a string, a number or null.
func (p *proof) UnmarshalJSON(data []byte) error {
	text := string(data)
	if bytes.HasPrefix(data, []byte(`"`)) {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	text = strings.TrimSpace(text)
	if text == "null" {
		text = ""
	}
	if text != "" && !soundProof.MatchString(text) {
		return fmt.Errorf("not an id")
	}
	*p = proof(text)
	return nil
}

// expectation is what an answer is held against.
type expectation struct {
	webhookID string
	runID     string // as the sent payload names it
	required  bool   // the rules ask for a receipt
	forged    bool   // the answer is signed, and not by the shared secret
}

// verdict is what one answer means.
type verdict struct {
	state   functions.DeliveryState
	retry   bool // the fault may pass, and asking again under the same id does no harm
	worked  bool // the receiver has begun to work the message, and some of it may have happened
	receipt receipt
	why     string
	mend    string // what a person has to do, when it is final
}

// classify says what an answer means. It never repeats the answer's own words: they are not ours.
func classify(status int, body []byte, want expectation) verdict {
	switch {
	case status == http.StatusOK:
		return readReceipt(body, want)
	case status >= 200 && status <= 299:
		return bare(status, want)
	case status >= 300 && status <= 399:
		return verdict{
			state: functions.DeliveryRefused, why: fmt.Sprintf("the webhook redirects (%d), which is never followed", status),
			mend: "set " + varURL + " to the hook's own address",
		}
	case status == http.StatusTooManyRequests:
		return verdict{state: functions.DeliveryUnconfirmed, retry: true, why: "the webhook asks to slow down (429)"}
	case status == http.StatusBadRequest && bytes.Contains(bytes.ToLower(body), []byte(queueFull)):
		return verdict{state: functions.DeliveryUnconfirmed, retry: true, why: "the webhook's queue is full (400)"}
	case status >= 500:
		return verdict{
			state: functions.DeliveryUnconfirmed, retry: true, worked: true,
			why: fmt.Sprintf("the playbook failed at the receiver (%d); some of its steps may have run", status),
		}
	default:
		return refusal(status)
	}
}

// doubted is the verdict where an attempt before this one may have been worked: a final no says nothing of that one.
func (v verdict) doubted() verdict {
	if v.state == functions.DeliveryRefused {
		v.state = functions.DeliveryUnconfirmed
		v.why += ", but an attempt before may have been worked: " + v.mend
	}
	return v
}

// refusal is a final no: nothing was accepted, and asking again does not help.
func refusal(status int) verdict {
	no := verdict{state: functions.DeliveryRefused, why: fmt.Sprintf("the webhook refuses (%d)", status)}
	switch status {
	case http.StatusGone, http.StatusNotFound:
		no.why = fmt.Sprintf("the webhook does not exist any more (%d)", status)
		no.mend = "make a new hook, tie it to its scenario, and set " + varURL
	case http.StatusUnauthorized, http.StatusForbidden:
		no.why = fmt.Sprintf("the webhook does not accept our key or signature (%d)", status)
		no.mend = "compare " + varAPIKey + " and " + varSecret + " with what the receiver expects"
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		no.mend = "the payload does not fit what the hook expects: look at its data structure"
	case http.StatusRequestEntityTooLarge:
		no.mend = "the payload is too large for the hook: shorten the brief's template"
	default:
		no.mend = "look at the hook and its scenario, then trigger the day again"
	}
	return no
}

// bare is an answer of success that proves nothing.
func bare(status int, want expectation) verdict {
	if !want.required && !want.forged {
		return verdict{state: functions.DeliveryAccepted, why: fmt.Sprintf("the webhook accepted the message (%d); the rules make a receipt optional", status)}
	}
	return verdict{
		state: functions.DeliveryUnconfirmed,
		why: fmt.Sprintf("the webhook answered %d without a receipt: the message lies in a queue, the scenario is switched off, "+
			"or it has no response module", status),
	}
}

// readReceipt judges an answer with status 200.
func readReceipt(body []byte, want expectation) verdict {
	unconfirmed := func(why string) verdict { return verdict{state: functions.DeliveryUnconfirmed, why: why} }
	if want.forged {
		return unconfirmed("the answer is signed, but not with the shared secret")
	}
	if len(body) > maxAnswer {
		return unconfirmed(fmt.Sprintf("the answer is larger than %d bytes", maxAnswer))
	}
	var r receipt
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return bare(http.StatusOK, want)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return unconfirmed("the answer is not a readable receipt")
	}
	if (r.RunID != "" && string(r.RunID) != want.runID) ||
		(r.WebhookID != "" && string(r.WebhookID) != want.webhookID) ||
		(r.IdempotencyKey != "" && string(r.IdempotencyKey) != want.webhookID) {
		return unconfirmed("the receipt is that of another message")
	}
	proven := r.SlackMessageTS != "" || r.TicketID != ""
	switch r.Word {
	case receiptInProgress:
		return verdict{state: functions.DeliveryUnconfirmed, retry: true, worked: true, why: "an earlier message of this id is still being worked"}
	case receiptExpired:
		return verdict{
			state: functions.DeliveryRefused, why: "the receiver dropped the message as too old",
			mend: "trigger the day with resend, which makes a new message",
		}
	case receiptPartial:
		return verdict{state: functions.DeliveryUnconfirmed, receipt: r, why: "only a part of the playbook ran: " + r.told()}
	case receiptDuplicate:
		if proven {
			return verdict{state: functions.DeliveryConfirmed, receipt: r, why: "confirmed by the receipt of the first delivery: " + r.told()}
		}
		if !want.required { // a hook that cannot answer with ids has none to remember
			return bare(http.StatusOK, want)
		}
		return unconfirmed("the receiver knows the message, but its first receipt is empty")
	case receiptDone, "":
		if proven {
			return verdict{state: functions.DeliveryConfirmed, receipt: r, why: "confirmed by receipt: " + r.told()}
		}
		return bare(http.StatusOK, want)
	default:
		return unconfirmed("the receipt says a word that is not known; known: " + strings.Join([]string{
			receiptDone, receiptDuplicate, receiptInProgress, receiptPartial, receiptExpired,
		}, ", "))
	}
}

// told names what the receipt proves and what it does not.
func (r receipt) told() string {
	slack, ticket := "no Slack message", "no ticket"
	if r.SlackMessageTS != "" {
		slack = "Slack message " + string(r.SlackMessageTS)
	}
	if r.TicketID != "" {
		ticket = "ticket " + string(r.TicketID)
	}
	return slack + ", " + ticket
}
