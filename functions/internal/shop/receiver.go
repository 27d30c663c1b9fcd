package shop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	// receiverBodyLimit is Make.com's limit of a webhook body on every plan.
	receiverBodyLimit = 5 << 20
	// timestampTolerance is how far a webhook-timestamp may be off (Standard Webhooks; Stripe uses the same).
	timestampTolerance = 5 * time.Minute
	// A secret is whsec_ and the base64 of 24 to 64 random bytes (Standard Webhooks).
	shortestSecret, longestSecret = 24, 64
	// firstTicket is the number of the first ticket of a receiver.
	firstTicket = 2401
)

// Options says how a Receiver checks and answers.
type Options struct {
	Out     io.Writer        // what it would have posted goes here; nil is nowhere
	Secrets []string         // whsec_… secrets shared with the sender: any may have signed, all sign the answer
	APIKey  string           // what x-make-apikey must be; empty means that none is asked for
	Now     func() time.Time // the clock; nil is time.Now
}

// Receiver is the local stand-in for the Make.com scenario of §9. It takes the playbook's webhook at POST /hook, checks
// it as a scenario would, prints what the scenario would have posted to Slack and Jira, and answers a signed receipt.
// A webhook-id is worked on once; every later delivery of it gets the first receipt again. Nothing leaves the machine.
type Receiver struct {
	mux     *http.ServeMux
	keys    []*webhooks.Webhook
	apiKey  [sha256.Size]byte
	asksKey bool
	now     func() time.Time
	printer printer

	mu       sync.Mutex // held while a payload is worked on, so that of two deliveries of an id one waits
	claims   map[string]*claim
	order    []*claim
	ticket   int
	lastTS   time.Time
	trouble  Trouble
	queue    []delivery // what came while the scenario was switched off
	arrivals []time.Time
}

// Receipt is the answer that confirms a playbook run. Only an answer with a Slack timestamp or a ticket confirms.
type Receipt struct {
	Receipt        string `json:"receipt"` // done, partial, duplicate (with the first receipt's ids) or expired
	RunID          string `json:"run_id,omitempty"`
	SlackMessageTS string `json:"slack_message_ts,omitempty"`
	TicketID       string `json:"ticket_id,omitempty"`
}

// The words of a receipt that this receiver uses.
const (
	receiptDone      = "done"
	receiptPartial   = "partial" // Slack or Jira would not have taken what they were sent
	receiptDuplicate = "duplicate"
	receiptExpired   = "expired"
)

// Entry is what a Receiver did for one webhook-id.
type Entry struct {
	ID       string
	Posts    int // Slack messages
	Tickets  int // that were opened
	Updates  int // of a ticket that was there
	Attempts int // authentic deliveries, the first included
	Receipt  Receipt
}

// claim is an Entry and the sum of the body that it was made from.
type claim struct {
	Entry
	body [sha256.Size]byte
}

// NewReceiver makes a receiver. It returns an error when there is no secret, or one that is not a sound secret; the
// error never quotes it.
func NewReceiver(options Options) (*Receiver, error) {
	if len(options.Secrets) == 0 {
		return nil, errors.New("playbook receiver: no webhook secret")
	}
	r := &Receiver{
		mux: http.NewServeMux(), now: options.Now, claims: map[string]*claim{}, ticket: firstTicket,
		apiKey: sha256.Sum256([]byte(options.APIKey)), asksKey: options.APIKey != "",
		printer: newPrinter(standIn, options.Out, append([]string{options.APIKey}, options.Secrets...)),
	}
	if r.now == nil {
		r.now = time.Now
	}
	for _, secret := range options.Secrets {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(raw) < shortestSecret || len(raw) > longestSecret {
			return nil, fmt.Errorf("playbook receiver: a webhook secret is not whsec_ and the base64 of %d to %d bytes",
				shortestSecret, longestSecret)
		}
		key, err := webhooks.NewWebhookRaw(raw)
		if err != nil {
			return nil, fmt.Errorf("playbook receiver: use a webhook secret: %w", err)
		}
		r.keys = append(r.keys, key)
	}
	r.mux.HandleFunc("POST /hook", r.take)
	r.mux.HandleFunc("/hook", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Send the playbook by POST.", http.StatusMethodNotAllowed)
	})
	r.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Webhook not found.", http.StatusGone) // as Make.com answers for a hook that is not there
	})
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mux.ServeHTTP(w, request)
}

// Ledger tells what was done for each webhook-id, in the order of arrival.
func (r *Receiver) Ledger() []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries := make([]Entry, len(r.order))
	for i, c := range r.order {
		entries[i] = c.Entry
	}
	return entries
}

// refusal is a delivery that is not worked on: the status and the sentence of its answer.
type refusal struct {
	status int
	reason string
}

// take answers one delivery.
func (r *Receiver) take(w http.ResponseWriter, request *http.Request) {
	body, refused := r.admit(w, request)
	if refused == nil {
		came := delivery{id: request.Header.Get(webhooks.HeaderWebhookID), body: body}
		if trouble := r.count(came); trouble != "" {
			r.stumble(w, request, trouble, came)
			return
		}
		var receipt Receipt
		if receipt, refused = r.work(came.id, body); refused == nil {
			r.answer(w, came.id, receipt)
			return
		}
	}
	r.printer.print(fmt.Sprintf("refused a delivery with %d: %s", refused.status, refused.reason))
	http.Error(w, refused.reason, refused.status)
}

// admit reads the body of an authentic delivery. The reasons of a refusal are fixed texts: nothing of a sender that is
// not known yet reaches the terminal.
func (r *Receiver) admit(w http.ResponseWriter, request *http.Request) ([]byte, *refusal) {
	if r.asksKey {
		given := sha256.Sum256([]byte(request.Header.Get("X-Make-Apikey")))
		if subtle.ConstantTimeCompare(given[:], r.apiKey[:]) != 1 {
			return nil, &refusal{http.StatusUnauthorized, "x-make-apikey is missing or wrong"}
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, receiverBodyLimit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "the body is larger than 5 MB"}
	}
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "the body did not arrive whole"}
	}
	if !r.signed(body, request.Header) {
		return nil, &refusal{http.StatusUnauthorized, "the webhook signature does not match"}
	}
	// The library judges the timestamp by the machine's clock; ours is a field, so we judge it here.
	sent, err := strconv.ParseInt(request.Header.Get(webhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil || r.now().Sub(time.Unix(sent, 0)).Abs() > timestampTolerance {
		return nil, &refusal{http.StatusUnauthorized, "webhook-timestamp is more than 5 minutes off"}
	}
	return body, nil
}

// signed reports whether one of our secrets signed the body. An id with a dot is refused: the signed text is
// id.timestamp.body, and a dot would let one text be read as two messages.
func (r *Receiver) signed(body []byte, header http.Header) bool {
	if strings.Contains(header.Get(webhooks.HeaderWebhookID), ".") {
		return false
	}
	for _, key := range r.keys {
		if key.VerifyIgnoringTimestamp(body, header) == nil {
			return true
		}
	}
	return false
}

// work claims the id and plays the scenario, or finds the first receipt of the id.
func (r *Receiver) work(id string, body []byte) (Receipt, *refusal) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return Receipt{}, &refusal{http.StatusBadRequest, "the body is not the JSON of a playbook"}
	}
	if reason := p.fault(); reason != "" {
		return Receipt{}, &refusal{http.StatusBadRequest, reason}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now, sum := r.now(), sha256.Sum256(body)
	if first, known := r.claims[id]; known {
		first.Attempts++
		receipt := first.Receipt
		if receipt.Receipt == receiptDone {
			receipt.Receipt = receiptDuplicate
		}
		line := fmt.Sprintf("%s came before: nothing is posted again, the first receipt is answered", id)
		if sum != first.body {
			line += " (its content has changed since, which is not looked at)"
		}
		r.printer.print(line)
		return receipt, nil
	}
	c := &claim{Entry: Entry{ID: id, Attempts: 1, Receipt: Receipt{Receipt: receiptExpired, RunID: p.RunID}}, body: sum}
	r.claims[id], r.order = c, append(r.order, c)
	if !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt) {
		r.printer.print(fmt.Sprintf("%s %s (%s) expired at %s: dropped, nothing is posted",
			p.Severity, p.Date, id, p.ExpiresAt.Format(time.RFC3339)))
		return c.Receipt, nil
	}
	c.Receipt = Receipt{Receipt: receiptPartial, RunID: p.RunID}
	if p.slackTakes() {
		c.Posts, c.Receipt.SlackMessageTS = 1, r.slackTS(now)
	}
	switch {
	case !p.jiraTakes():
	case p.Ticket.Update != "":
		c.Updates, c.Receipt.TicketID = 1, p.Ticket.Update
	default:
		c.Tickets, c.Receipt.TicketID = 1, fmt.Sprintf("RET-%d", r.ticket)
		r.ticket++
	}
	if c.Receipt.SlackMessageTS != "" && c.Receipt.TicketID != "" {
		c.Receipt.Receipt = receiptDone
	}
	r.printer.print(p.scenario(id, c.Receipt)...)
	return c.Receipt, nil
}

// slackTS is a Slack message timestamp, seconds and microseconds, that this receiver has not given before.
func (r *Receiver) slackTS(now time.Time) string {
	if next := r.lastTS.Add(time.Microsecond); now.Before(next) {
		now = next
	}
	r.lastTS = now.Truncate(time.Microsecond)
	return fmt.Sprintf("%d.%06d", r.lastTS.Unix(), r.lastTS.Nanosecond()/int(time.Microsecond))
}

// answer sends a receipt, signed with every secret under the id of the delivery.
func (r *Receiver) answer(w http.ResponseWriter, id string, receipt Receipt) {
	body, err := json.Marshal(receipt)
	if err != nil {
		http.Error(w, "the receipt could not be written", http.StatusInternalServerError)
		return
	}
	now, signatures := r.now(), make([]string, len(r.keys))
	for i, key := range r.keys {
		if signatures[i], err = key.Sign(id, now, body); err != nil {
			http.Error(w, "the receipt could not be signed", http.StatusInternalServerError)
			return
		}
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set(webhooks.HeaderWebhookID, id)
	header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(webhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	_, _ = w.Write(body) // a sender that is gone asks again with the same id
}
