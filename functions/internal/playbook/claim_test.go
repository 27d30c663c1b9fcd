package playbook

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
)

func newClaims(t *testing.T) (*claims, *time.Time) {
	t.Helper()
	kept, err := filearchive.Open(&url.URL{Scheme: "file", Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	now := testNow
	return &claims{archive: kept, now: func() time.Time { return now }, hold: 10 * time.Minute}, &now
}

// take takes the day or fails the test.
func take(ctx context.Context, t *testing.T, c *claims, runID string, resend bool) *claim {
	t.Helper()
	mine, done, err := c.take(ctx, testID, functions.Call{RunID: runID}, resend)
	if err != nil || done != nil {
		t.Fatalf("run %s: done %v, error %v; want the claim", runID, done, err)
	}
	return mine
}

func outcome(runID string, status functions.RunStatus) functions.TriggerPlaybookOutput {
	return functions.TriggerPlaybookOutput{
		RunID: runID, Date: functions.Date{Year: 2026, Month: 1, Day: 12}, Severity: functions.Warning, Status: status,
		DeliveryState: functions.DeliveryConfirmed,
		Artifacts:     functions.Artifacts{JiraTicket: "RET-1", Exports: []functions.TierExports{{Tier: functions.P1, Rows: 87}}},
		Guardrails:    functions.Guardrails{Verdict: functions.VerdictOK, Findings: []functions.GuardrailFinding{}},
	}
}

func TestADayThatSucceededAnswersWithItsResult(t *testing.T) {
	t.Parallel()
	c, now := newClaims(t)
	want := outcome("R1", functions.RunSuccess)
	if err := take(t.Context(), t, c, "R1", false).end(t.Context(), testID, want); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(24 * time.Hour)
	mine, done, err := c.take(t.Context(), testID, functions.Call{RunID: "R2"}, false)
	if err != nil || mine != nil || done == nil {
		t.Fatalf("got claim %v, done %v, error %v; want the first result", mine, done, err)
	}
	if diff := cmp.Diff(want, *done); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADayThatFailedIsTakenAgain(t *testing.T) {
	t.Parallel()
	c, _ := newClaims(t)
	for attempt, status := range []functions.RunStatus{functions.RunFailed, functions.RunSkipped, functions.RunFailed} {
		runID := fmt.Sprintf("R%d", attempt+1)
		mine := take(t.Context(), t, c, runID, false)
		if mine.attempt != attempt+1 {
			t.Errorf("got attempt %d, want %d", mine.attempt, attempt+1)
		}
		if err := mine.end(t.Context(), testID, outcome(runID, status)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADayInWorkIsRefusedAndNamesTheRun(t *testing.T) {
	t.Parallel()
	for _, resend := range []bool{false, true} {
		c, now := newClaims(t)
		take(t.Context(), t, c, "R1", false)
		*now = now.Add(c.hold - time.Second)
		_, _, err := c.take(t.Context(), testID, functions.Call{RunID: "R2"}, resend)
		if functions.CodeOf(err) != functions.FailedPrecondition || functions.ProblemOf(err, "R2").RunID != "R1" {
			t.Errorf("resend %t: got %v, want failed_precondition naming R1", resend, err)
		}
	}
}

func TestAnAbandonedDayIsTakenOver(t *testing.T) {
	t.Parallel()
	c, now := newClaims(t)
	first := take(t.Context(), t, c, "R1", false)
	*now = now.Add(c.hold)
	if ours, err := first.stillOurs(t.Context()); ours || err != nil {
		t.Errorf("the first run holds the day past its end: %t, %v", ours, err)
	}
	second := take(t.Context(), t, c, "R2", false)
	if second.attempt != 2 {
		t.Errorf("got attempt %d, want 2", second.attempt)
	}
	if ours, err := second.stillOurs(t.Context()); !ours || err != nil {
		t.Errorf("the second run does not hold the day: %t, %v", ours, err)
	}
	// The first one comes back late with a result: it counts, though the second run is at work.
	if err := first.end(t.Context(), testID, outcome("R1", functions.RunSuccess)); err != nil {
		t.Fatal(err)
	}
	_, done, err := c.take(t.Context(), testID, functions.Call{RunID: "R3"}, false)
	if err != nil || done == nil || done.RunID != "R1" {
		t.Errorf("got %v, %v; want the first run's result", done, err)
	}
}

func TestTheClockOfAnotherMachineDoesNotReviveATakenClaim(t *testing.T) {
	t.Parallel()
	c, now := newClaims(t)
	first := take(t.Context(), t, c, "R1", false)
	*now = now.Add(c.hold)
	take(t.Context(), t, c, "R2", false)
	*now = now.Add(-c.hold)
	if ours, err := first.stillOurs(t.Context()); ours || err != nil {
		t.Errorf("got %t, %v; the day was taken over", ours, err)
	}
}

func TestAFailedResendDoesNotUndoASuccess(t *testing.T) {
	t.Parallel()
	c, _ := newClaims(t)
	if err := take(t.Context(), t, c, "R1", false).end(t.Context(), testID, outcome("R1", functions.RunSuccess)); err != nil {
		t.Fatal(err)
	}
	if err := take(t.Context(), t, c, "R2", true).end(t.Context(), testID, outcome("R2", functions.RunFailed)); err != nil {
		t.Fatal(err)
	}
	_, done, err := c.take(t.Context(), testID, functions.Call{RunID: "R3"}, false)
	if err != nil || done == nil || done.RunID != "R1" {
		t.Errorf("got %v, %v; want the first run's result", done, err)
	}
}

func TestOneOfManyTakesTheDay(t *testing.T) {
	t.Parallel()
	c, now := newClaims(t)
	for round := 1; round <= 3; round++ { // the later rounds take over what the earlier ones abandoned
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			took []string
		)
		for i := range 24 {
			wg.Go(func() {
				runID := fmt.Sprintf("R%d-%d", round, i)
				mine, done, err := c.take(t.Context(), testID, functions.Call{RunID: runID}, false)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case mine != nil:
					took = append(took, runID)
				case done != nil || functions.CodeOf(err) != functions.FailedPrecondition:
					t.Errorf("%s: got %v, %v; want failed_precondition", runID, done, err)
				}
			})
		}
		wg.Wait()
		if len(took) != 1 {
			t.Errorf("round %d: %d runs took the day: %v", round, len(took), took)
		}
		*now = now.Add(c.hold)
	}
}

// TestAConfirmationOfAKilledRunIsSpent looks at a run that was killed after its claim: what it sent nobody knows.
func TestAConfirmationOfAKilledRunIsSpent(t *testing.T) {
	t.Parallel()
	c, now := newClaims(t)
	use := func(runID string) error {
		_, _, err := c.take(t.Context(), testID, functions.Call{RunID: runID, Confirmation: "c-1"}, true)
		return err
	}
	if err := use("R1"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // held, then free again
		if problem := functions.ProblemOf(use("R2"), ""); problem.Code != functions.FailedPrecondition || problem.RunID != "R1" {
			t.Errorf("got %+v", problem)
		}
		*now = now.Add(c.hold)
	}
	take(t.Context(), t, c, "R3", true)
	if problem := functions.ProblemOf(use("R4"), ""); problem.RunID != "R1" {
		t.Errorf("beside another run: %+v", problem)
	}
}
