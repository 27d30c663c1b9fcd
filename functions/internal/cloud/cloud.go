// Package cloud makes calls to Google's JSON APIs for the drivers of the ports: several attempts with pauses between
// them, a deadline for each, and what a fault means to the house.
//
// It is no client: what is asked is the business of each driver. Calls to BigQuery have rules of their own.
package cloud

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// How often and how long is tried when a Caller says nothing else. The pauses follow Google's advice for these APIs:
// exponential, with jitter (https://cloud.google.com/storage/docs/retry-strategy).
const (
	defaultAttempts = 6
	defaultEach     = 15 * time.Second
	defaultPause    = 500 * time.Millisecond
	longestPause    = 30 * time.Second
	// wholeCall bounds a call whose caller has set no deadline: every remote call has one.
	wholeCall = 60 * time.Second
)

// Caller tries calls several times. The zero value is ready; it is safe for use by several goroutines.
type Caller struct {
	Attempts int           // at most; 0 means 6
	Each     time.Duration // the deadline of one attempt; 0 means 15 s
	Pause    time.Duration // before the second attempt, doubled before each later one; 0 means 0.5 s

	// Time and chance; nil means the system's.
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error
	Chance func() float64 // from 0 up to 1
}

// Attempt is one attempt of a call. Earlier is the fault of the attempt before: it may have been taken although its
// answer was lost. It is nil for the first.
type Attempt func(ctx context.Context, earlier error) error

// Do tries a call until it succeeds, its fault is none that passes, the attempts are used up, or the caller's deadline
// leaves no room for the next pause. What the API says in Retry-After is the least pause. Its error is the last
// attempt's, as it is: Fault says what it means.
func (c *Caller) Do(ctx context.Context, attempt Attempt) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wholeCall)
		defer cancel()
	}
	var earlier error
	for tried := 1; ; tried++ {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, earlier)
		}
		err := c.once(ctx, attempt, earlier)
		if err == nil || !Passes(err) || ctx.Err() != nil || tried >= cmp.Or(c.Attempts, defaultAttempts) {
			return err
		}
		pause := max(c.pause(tried), retryAfter(err, c.now()))
		if end, bounded := ctx.Deadline(); bounded && c.now().Add(pause).After(end) {
			return err // the next attempt would come too late
		}
		if c.sleep(ctx, pause) != nil {
			return errors.Join(ctx.Err(), err)
		}
		earlier = err
	}
}

// errSlow is what ended an attempt that took longer than its own deadline.
var errSlow = errors.New("no answer in the time of one attempt")

func (c *Caller) once(ctx context.Context, attempt Attempt, earlier error) error {
	each, cancel := context.WithTimeoutCause(ctx, cmp.Or(c.Each, defaultEach), errSlow)
	defer cancel()
	err := attempt(each, earlier)
	if err != nil && ctx.Err() == nil && each.Err() != nil {
		return slow{err} // the attempt's deadline is not the caller's
	}
	return err
}

// slow hides a deadline that is not the caller's from errors.Is.
type slow struct{ cause error }

// Error implements error.
func (s slow) Error() string { return errSlow.Error() + ": " + s.cause.Error() }

// Is tells the attempt's own deadline.
func (s slow) Is(target error) bool { return target == errSlow }

// Wait pauses between rounds of looking and writing when others write the same: little at first, since it was another's
// success that came between.
func (c *Caller) Wait(ctx context.Context, round int) error {
	quick := Caller{Pause: 20 * time.Millisecond, Chance: c.Chance}
	return c.sleep(ctx, min(quick.pause(round+1), time.Second))
}

// pause is the time before attempt tried+1: doubled each time, and of that half at least, so that many who were refused
// together do not come back together.
func (c *Caller) pause(tried int) time.Duration {
	pause := min(cmp.Or(c.Pause, defaultPause)<<min(tried-1, 16), longestPause)
	chance := rand.Float64
	if c.Chance != nil {
		chance = c.Chance
	}
	return pause/2 + time.Duration(chance()*float64(pause/2))
}

func (c *Caller) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Caller) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	return functions.Pause(ctx, d)
}
