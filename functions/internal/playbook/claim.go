package playbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

const (
	// maxAttempts bounds the attempts on one day: their number has four digits in the archive.
	maxAttempts = 9999
	// maxRaces bounds how often a run tries for the next attempt when others keep taking it first.
	maxRaces = 20
)

// claimed is the archive's document of an attempt on a day.
type claimed struct {
	RunID     string    `json:"run_id"`
	ClaimedAt time.Time `json:"claimed_at"`
	ExpiresAt time.Time `json:"expires_at"` // from then on another run may take the day over

	// Confirmation is the person's confirmation that the run works by. As nothing leaves without a claim, and a claim is
	// put where none is, what was confirmed once leaves once.
	Confirmation string `json:"confirmation,omitempty"`
}

// ended is the archive's document of how an attempt ended.
type ended struct {
	WebhookID string                          `json:"webhook_id"` // of the message that it sent or was to send
	Outcome   functions.TriggerPlaybookOutput `json:"outcome"`
}

// claims are the attempts on days in the archive. The archive can only put a document that is not there yet, so an
// attempt is never changed: claims/KEY/0001.json begins it, claims/KEY/0001.end.json ends it, and the next run takes
// the next number. Of many runs that want one number, one gets it.
//
// A resend is an attempt on the same day too, though its message has an id of its own: so never do two runs of one day
// work at the same time.
type claims struct {
	archive archive.Archive
	now     func() time.Time
	hold    time.Duration
}

// claim is the right to work on a day.
type claim struct {
	claims  *claims
	key     string
	attempt int
	doc     claimed
}

// history is what the archive tells of the attempts on a day.
type history struct {
	key     string
	claimed map[int]*claimed // by number; every attempt has one
	ended   map[int]*ended   // no entry for an attempt that is at work or was killed
	newest  int              // number of the newest attempt; 0 without one
}

// open is the newest attempt when it has not ended, else nil.
func (h history) open() *claimed {
	if h.ended[h.newest] != nil {
		return nil
	}
	return h.claimed[h.newest]
}

// held tells whether another run works on the day at this moment.
func (h history) held(now time.Time) bool {
	open := h.open()
	return open != nil && now.Before(open.ExpiresAt)
}

// success is how the newest attempt that delivered its message ended, nil when none did.
func (h history) success() *ended {
	for attempt := h.newest; attempt > 0; attempt-- {
		if end := h.ended[attempt]; end != nil && end.Outcome.Status == functions.RunSuccess {
			return end
		}
	}
	return nil
}

// spent tells what became of the run that has used a confirmation: its outcome, or why there is none to answer with.
// Neither comes back when no run has.
func (h history) spent(confirmation string, now time.Time) (*functions.TriggerPlaybookOutput, error) {
	if confirmation == "" {
		return nil, nil
	}
	for attempt, by := range h.claimed {
		end := h.ended[attempt]
		switch {
		case by.Confirmation != confirmation:
		case end != nil && end.Outcome.Status != functions.RunFailed:
			return &end.Outcome, nil
		case end == nil && attempt == h.newest && h.held(now):
			return nil, heldBy(*by)
		default:
			return nil, spentBy(*by, end)
		}
	}
	return nil, nil
}

// read reads the attempts on a day.
func (c *claims) read(ctx context.Context, key string) (history, error) {
	seen := history{key: key, claimed: map[int]*claimed{}, ended: map[int]*ended{}}
	names, err := c.archive.List(ctx, claimFolder(key))
	if err != nil {
		return seen, fmt.Errorf("list the claims of %s: %w", key, err)
	}
	for _, name := range names {
		number, rest, _ := strings.Cut(strings.TrimPrefix(name, claimFolder(key)), ".")
		attempt, err := strconv.Atoi(number)
		if err != nil {
			continue // not ours
		}
		switch rest {
		case "json":
			seen.claimed[attempt] = new(claimed)
			err = c.get(ctx, name, seen.claimed[attempt])
			seen.newest = max(seen.newest, attempt)
		case "end.json":
			seen.ended[attempt] = new(ended)
			err = c.get(ctx, name, seen.ended[attempt])
		}
		if err != nil {
			return seen, err
		}
	}
	return seen, nil
}

func (c *claims) get(ctx context.Context, name string, into any) error {
	document, err := c.archive.Get(ctx, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(document, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// take claims the day for a run. Exactly one of claim, done and error comes back. Done is the outcome of the run that
// delivered the day's newest message; resend does not ask for it. It is also that of the run that has used the
// confirmation of this call: who has lost the connection and asks again gets to know it, and nothing is sent. A day that
// another run works on is failed_precondition with that run's id.
func (c *claims) take(ctx context.Context, key string, call functions.Call, resend bool) (*claim, *functions.TriggerPlaybookOutput, error) {
	for range maxRaces {
		seen, err := c.read(ctx, key)
		if err != nil {
			return nil, nil, err
		}
		if !resend {
			newest, err := c.message(ctx, seen)
			if err != nil {
				return nil, nil, err
			}
			if newest.result != nil {
				return nil, newest.result, nil
			}
		}
		now := c.now().UTC()
		if done, err := seen.spent(call.Confirmation, now); done != nil || err != nil {
			return nil, done, err
		}
		if seen.held(now) {
			return nil, nil, heldBy(*seen.open())
		}
		if seen.newest == maxAttempts {
			return nil, nil, functions.Errorf(functions.FailedPrecondition, "the day was tried %d times", maxAttempts).
				WithHint("look into the log for why it never succeeds")
		}
		mine := &claim{
			claims: c, key: key, attempt: seen.newest + 1,
			doc: claimed{RunID: call.RunID, ClaimedAt: now, ExpiresAt: now.Add(c.hold), Confirmation: call.Confirmation},
		}
		document, err := json.Marshal(mine.doc)
		if err != nil {
			return nil, nil, fmt.Errorf("write the claim of %s: %w", key, err)
		}
		err = c.archive.PutIfAbsent(ctx, claimName(key, mine.attempt), document)
		if errors.Is(err, archive.ErrExists) {
			continue // another run was first: look again who it is
		}
		if err != nil {
			return nil, nil, fmt.Errorf("claim %s: %w", key, err)
		}
		return mine, nil, nil
	}
	return nil, nil, functions.Errorf(functions.Unavailable, "too many runs want this day at the same time").
		WithHint("ask again in a minute")
}

// errHeld is the cause of the error for a day that another run works on.
var errHeld = errors.New("another run is at work")

func heldBy(by claimed) error {
	err := functions.Errorf(functions.FailedPrecondition, "run %s works on this day since %s",
		by.RunID, by.ClaimedAt.Format(time.TimeOnly+" MST")).
		WithHint("wait for its result; if it was killed, the day is free again at " + by.ExpiresAt.Format(time.TimeOnly+" MST")).
		WithCause(errHeld)
	err.RunID = by.RunID
	return err
}

// errSpent is the cause of the error for a confirmation that another run has used.
var errSpent = errors.New("another run has used the confirmation")

func spentBy(by claimed, end *ended) error {
	err := functions.Errorf(functions.FailedPrecondition, "run %s has used this confirmation, and did not end", by.RunID).
		WithHint("a confirmation is used once: look at that run, then confirm a new plan").WithCause(errSpent)
	if end != nil {
		err.Detail = fmt.Sprintf("run %s has used this confirmation, and failed: %s", by.RunID, end.Outcome.Reason)
		err.Result = end.Outcome
	}
	err.RunID = by.RunID
	return err
}

// stillOurs reports whether nobody has taken the day over: a process that was stopped for a while may come back after
// its claim has run out.
func (c *claim) stillOurs(ctx context.Context) (bool, error) {
	if !c.claims.now().Before(c.doc.ExpiresAt) {
		return false, nil
	}
	_, err := c.claims.archive.Get(ctx, claimName(c.key, c.attempt+1))
	if errors.Is(err, archive.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// end ends the attempt with the run's outcome.
func (c *claim) end(ctx context.Context, webhookID string, outcome functions.TriggerPlaybookOutput) error {
	document, err := json.MarshalIndent(ended{WebhookID: webhookID, Outcome: outcome}, "", "  ")
	if err != nil {
		return fmt.Errorf("end the claim of %s: %w", c.key, err)
	}
	if err := c.claims.archive.PutIfAbsent(ctx, endName(c.key, c.attempt), document); err != nil {
		return fmt.Errorf("end the claim of %s: %w", c.key, err)
	}
	return nil
}

func claimFolder(key string) string { return "claims/" + key + "/" }

func claimName(key string, attempt int) string {
	return fmt.Sprintf("%s%04d.json", claimFolder(key), attempt)
}

func endName(key string, attempt int) string {
	return fmt.Sprintf("%s%04d.end.json", claimFolder(key), attempt)
}

// Key is the idempotency key of a day: the same for every run of the day in that severity and phase, so that a second
// run after an unknown outcome meets the same claim at the receiver. It is the webhook-id of the day's message.
func Key(date functions.Date, severity functions.Severity, phase functions.Phase) string {
	return fmt.Sprintf("rop_%s_%s_%s", date, severity, phase)
}

// resendID is the webhook-id of a message that is sent again on purpose.
func resendID(key, runID string) string { return key + "_" + strings.ToLower(runID) }
