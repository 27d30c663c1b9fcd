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
	WebhookID string    `json:"webhook_id"`
	ClaimedAt time.Time `json:"claimed_at"`
	ExpiresAt time.Time `json:"expires_at"` // from then on another run may take the day over
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

// history is what the archive tells of a day.
type history struct {
	attempts int                              // how many were begun
	open     *claimed                         // the newest attempt, when it has not ended
	success  *functions.TriggerPlaybookOutput // the newest attempt that ended well
	last     *functions.TriggerPlaybookOutput // the newest attempt that ended
}

// held tells whether another run works on the day at this moment.
func (h history) held(now time.Time) bool { return h.open != nil && now.Before(h.open.ExpiresAt) }

// read reads the attempts on a day.
func (c *claims) read(ctx context.Context, key string) (history, error) {
	names, err := c.archive.List(ctx, claimFolder(key))
	if err != nil {
		return history{}, fmt.Errorf("list the claims of %s: %w", key, err)
	}
	var seen history
	ended := map[int]bool{}
	for _, name := range names {
		number, rest, _ := strings.Cut(strings.TrimPrefix(name, claimFolder(key)), ".")
		attempt, err := strconv.Atoi(number)
		switch {
		case err != nil:
		case rest == "json":
			seen.attempts = max(seen.attempts, attempt)
		case rest == "end.json":
			ended[attempt] = true
		}
	}
	for attempt := seen.attempts; attempt > 0 && seen.success == nil; attempt-- {
		if !ended[attempt] {
			continue
		}
		outcome := new(functions.TriggerPlaybookOutput)
		if err := c.get(ctx, endName(key, attempt), outcome); err != nil {
			return history{}, err
		}
		if seen.last == nil {
			seen.last = outcome
		}
		if outcome.Status == functions.RunSuccess {
			seen.success = outcome
		}
	}
	if seen.attempts > 0 && !ended[seen.attempts] {
		seen.open = new(claimed)
		if err := c.get(ctx, claimName(key, seen.attempts), seen.open); err != nil {
			return history{}, err
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
// already sent the day; resend does not ask for it. A day that another run works on is failed_precondition with that
// run's id.
func (c *claims) take(ctx context.Context, key, runID, webhookID string, resend bool) (*claim, *functions.TriggerPlaybookOutput, error) {
	for range maxRaces {
		seen, err := c.read(ctx, key)
		if err != nil {
			return nil, nil, err
		}
		if seen.success != nil && !resend {
			return nil, seen.success, nil
		}
		now := c.now().UTC()
		if seen.held(now) {
			return nil, nil, heldBy(*seen.open)
		}
		if seen.attempts == maxAttempts {
			return nil, nil, functions.Errorf(functions.FailedPrecondition, "the day was tried %d times", maxAttempts).
				WithHint("look into the log for why it never succeeds")
		}
		mine := &claim{
			claims: c, key: key, attempt: seen.attempts + 1,
			doc: claimed{RunID: runID, WebhookID: webhookID, ClaimedAt: now, ExpiresAt: now.Add(c.hold)},
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
func (c *claim) end(ctx context.Context, outcome functions.TriggerPlaybookOutput) error {
	document, err := json.MarshalIndent(outcome, "", "  ")
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
