package functions

import (
	"context"
	"time"
)

// EventKind names an event of the text/event-stream that a caller may ask for instead of one JSON answer.
type EventKind string

// The kinds of event. A stream is any number of progress events and then exactly one result or one problem.
const (
	EventProgress EventKind = "progress" // data: Progress
	EventResult   EventKind = "result"   // data: the tool's output
	EventProblem  EventKind = "problem"  // data: Problem
)

// Progress is a step that a long call has reached.
type Progress struct {
	Stage   string `json:"stage"`           // a short word, such as "queue" or "send"
	Message string `json:"message"`         // for a person
	Step    int    `json:"step,omitempty"`  // which of Steps, from 1
	Steps   int    `json:"steps,omitempty"` // how many there are, 0 when not known
}

// Call is what the entrance knows of a request; it travels in the context.
type Call struct {
	Tool      string // the tool that was called
	RunID     string // our id of this call; errors and log lines carry it, and a playbook run is known by it
	RequestID string // the caller's X-Request-Id when it sent a sound one, else ours
	// Caller is who called: a key's name, the platform's account, or "local". When the gateway asks for somebody, both:
	// "ada via gateway@project.iam.gserviceaccount.com". A name holds no space, so what follows the last " via " is who
	// showed its identity here, and what stands before it is that one's word.
	Caller string
	// Confirmation is the id of a person's confirmation, which the gateway gives a call that needs one; empty without.
	// What leaves the house under it leaves once.
	Confirmation string
}

type (
	callKey     struct{}
	reporterKey struct{}
	stopKey     struct{}
)

// WithCall puts the facts of a call into the context.
func WithCall(ctx context.Context, call Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

// CallFrom reads the facts of the call; the zero Call when there are none.
func CallFrom(ctx context.Context) Call {
	call, _ := ctx.Value(callKey{}).(Call)
	return call
}

// WithReporter makes Report in this context call report. Calls come one after another, from the goroutine that works.
func WithReporter(ctx context.Context, report func(Progress)) context.Context {
	return context.WithValue(ctx, reporterKey{}, report)
}

// Report tells whoever listens that a step was reached; nobody listening is fine.
func Report(ctx context.Context, progress Progress) {
	if report, ok := ctx.Value(reporterKey{}).(func(Progress)); ok {
		report(progress)
	}
}

// WithStop puts into the context another one, stop, that ends when the program is about to end. Work that outlives its
// caller on purpose must still give way to that, while there is time to write down how far it came.
func WithStop(ctx, stop context.Context) context.Context {
	return context.WithValue(ctx, stopKey{}, stop)
}

// StopFrom gives the context that ends when the program is about to end; one that never ends when nobody told.
func StopFrom(ctx context.Context) context.Context {
	if stop, ok := ctx.Value(stopKey{}).(context.Context); ok {
		return stop
	}
	return context.Background()
}

// Pause waits, or ends early with the context.
func Pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Outlive gives a context for work that must not end with its caller, such as writing down how a call ended: it ends
// after limit, and grace after the program was told to end.
func Outlive(ctx context.Context, limit, grace time.Duration) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	release := context.AfterFunc(StopFrom(ctx), func() {
		select {
		case <-lasting.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	return lasting, func() { release(); cancel() }
}
