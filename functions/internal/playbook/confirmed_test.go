package playbook_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

// confirmed is the context of a call that a person has confirmed.
func confirmed(ctx context.Context, confirmation string) context.Context {
	return functions.WithCall(ctx, functions.Call{Tool: functions.TriggerPlaybook.Name, Caller: "ada via gateway", Confirmation: confirmation})
}

// TestAConfirmationSendsOnce uses one confirmation many times at once and once more later, for every way to make a run
// send a day that was sent.
func TestAConfirmationSendsOnce(t *testing.T) {
	t.Parallel()
	by := &functions.Override{By: "ada", Why: "the segment grew on purpose"}
	for name, in := range map[string]functions.TriggerPlaybookInput{
		"resend":   {Resend: true},
		"override": {Resend: true, Override: by},
		"replay":   {Replay: "01KRUN0001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(http.StatusOK, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
				t.Fatal(err)
			}
			runs := map[string]bool{}
			var (
				all sync.WaitGroup
				mu  sync.Mutex
			)
			for range 16 {
				all.Go(func() {
					out, err := h.Run(confirmed(t.Context(), "c-1"), in)
					mu.Lock()
					defer mu.Unlock()
					if err != nil && functions.CodeOf(err) != functions.FailedPrecondition {
						t.Errorf("got %v", err)
					}
					runs[out.RunID+functions.ProblemOf(err, "").RunID] = true
				})
			}
			all.Wait()
			if len(runs) != 1 || len(hook.requests()) != 2 || len(h.rows(t)) != 2 {
				t.Fatalf("the runs %v were named, %d messages left and %d runs are in the log; want the one run that used it",
					runs, len(hook.requests()), len(h.rows(t)))
			}
			h.clock.advance(3600e9)
			again, err := h.Run(confirmed(t.Context(), "c-1"), in)
			if err != nil || !again.AlreadyDone || !runs[again.RunID] || len(hook.requests()) != 2 {
				t.Errorf("used once more: %+v, %v; want the outcome of the run that used it", again, err)
			}
			next, err := h.Run(confirmed(t.Context(), "c-2"), in)
			if err != nil || next.AlreadyDone || len(hook.requests()) != 3 {
				t.Errorf("another confirmation: %+v, %v; want a run", next, err)
			}
		})
	}
}

// TestAConfirmationOfARunThatFailedIsSpent asks again for a run that came to nothing, and whose message may have arrived.
func TestAConfirmationOfARunThatFailedIsSpent(t *testing.T) {
	t.Parallel()
	hook := newHook(t, cuts)
	h := newHouse(t, functions.PhaseProduction, hook.address())
	first, err := h.Run(confirmed(t.Context(), "c-1"), functions.TriggerPlaybookInput{})
	if functions.CodeOf(err) != functions.Unavailable {
		t.Fatalf("got %v, want unavailable", err)
	}
	sent := len(hook.requests())
	for _, in := range []functions.TriggerPlaybookInput{{}, {Resend: true}, {Replay: first.RunID}} {
		_, err = h.Run(confirmed(t.Context(), "c-1"), in)
		problem := functions.ProblemOf(err, "")
		told, _ := problem.Result.(functions.TriggerPlaybookOutput)
		if problem.Code != functions.FailedPrecondition || problem.RunID != first.RunID || told.DeliveryState != functions.DeliveryUnknown {
			t.Errorf("%+v: got %+v, want the run that used it", in, problem)
		}
	}
	if len(hook.requests()) != sent || len(h.rows(t)) != 1 {
		t.Errorf("%d requests after %d, %d runs in the log", len(hook.requests()), sent, len(h.rows(t)))
	}
	if _, err := h.Run(confirmed(t.Context(), "c-2"), functions.TriggerPlaybookInput{}); functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("a new confirmation: %v, want another try", err)
	}
	if rows := h.rows(t); len(rows) != 2 || rows[0].Caller != "ada via gateway" || rows[0].ConfirmationID != "c-2" || rows[1].ConfirmationID != "c-1" {
		t.Errorf("the log has %+v", rows)
	}
}

// TestAShadowRunAnswersItsConfirmationTooAndMayBeLookedAtAgain has nothing that left.
func TestAShadowRunAnswersItsConfirmationTooAndMayBeLookedAtAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, functions.PhaseShadow, "")
	first, err := h.Run(confirmed(t.Context(), "c-1"), functions.TriggerPlaybookInput{})
	if err != nil || first.Status != functions.RunSkipped {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := h.Run(confirmed(t.Context(), "c-1"), functions.TriggerPlaybookInput{})
	first.AlreadyDone = true
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if other, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil || other.AlreadyDone || other.RunID == first.RunID {
		t.Errorf("%+v, %v", other, err)
	}
}

// TestAConfirmationAnswersAlsoWhenTheDataHasChanged asks again after a refresh: nothing is sent, so no plan is expected.
func TestAConfirmationAnswersAlsoWhenTheDataHasChanged(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(http.StatusOK, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	plan, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true, Resend: true})
	if err != nil {
		t.Fatal(err)
	}
	in := functions.TriggerPlaybookInput{Resend: true, ExpectDigest: plan.Plan.Digest}
	first, err := h.Run(confirmed(t.Context(), "c-1"), in)
	if err != nil {
		t.Fatal(err)
	}
	h.exec(`UPDATE base_customers SET total_revenue = 2`)
	again, err := h.Run(confirmed(t.Context(), "c-1"), in)
	if err != nil || !again.AlreadyDone || again.RunID != first.RunID {
		t.Errorf("got %+v, %v; want the outcome", again, err)
	}
	if _, err := h.Run(confirmed(t.Context(), "c-2"), in); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("another confirmation of the old plan: %v", err)
	}
	if len(hook.requests()) != 1 {
		t.Errorf("%d requests", len(hook.requests()))
	}
}
