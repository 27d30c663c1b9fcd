package playbook_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
)

// replay sends the message of a run again.
func (h *house) replay(t *testing.T, runID string) (functions.TriggerPlaybookOutput, error) {
	t.Helper()
	h.clock.advance(60e9)
	return h.Run(t.Context(), functions.TriggerPlaybookInput{Replay: runID})
}

func TestAReplaySendsTheStoredMessageOnceMore(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	h.exec(`DROP TABLE alert_logic`) // nothing is read, judged or built any more
	if err := os.RemoveAll(h.exports); err != nil {
		t.Fatal(err)
	}
	h.Exporter.CSV = nil
	out, err := h.replay(t, first.RunID)
	if err != nil || out.ReplayOf != first.RunID || out.RunID == first.RunID || out.AlreadyDone ||
		out.DeliveryState != functions.DeliveryConfirmed || !strings.Contains(out.Reason, "receipt of the first delivery") {
		t.Fatalf("got %+v, %v; want a run of its own, confirmed by the first receipt", out, err)
	}
	ledger := receiver.Ledger()
	if len(ledger) != 1 || ledger[0].Attempts != 2 || ledger[0].Posts != 1 || ledger[0].Tickets != 1 {
		t.Errorf("the receiver worked %+v; want one post and one ticket for two deliveries", ledger)
	}
	if diff := cmp.Diff(first.Artifacts, out.Artifacts); diff != "" {
		t.Errorf("artifacts (-first +replay):\n%s", diff)
	}
	rows := h.rows(t)
	replayed, original := rows[0], rows[1]
	if replayed.RunID != out.RunID || replayed.NotificationReason != "replayed" || replayed.ForcedBy != "replay of run "+first.RunID {
		t.Errorf("the row says %+v", replayed)
	}
	// What differs is of the run; what was sent, and why, is the same.
	replayed.RunID, replayed.RunTimestamp, replayed.CreatedAt = original.RunID, original.RunTimestamp, original.CreatedAt
	replayed.NotificationReason, replayed.ForcedBy, replayed.ExecutionTimeMS = original.NotificationReason, original.ForcedBy, original.ExecutionTimeMS
	if diff := cmp.Diff(original, replayed); diff != "" {
		t.Errorf("row (-first +replay):\n%s", diff)
	}
}

func TestTheFirstResultOfADayStaysWhenItIsReplayed(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt), says(200, receipt), says(500, ""))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.replay(t, first.RunID); err != nil {
		t.Fatal(err)
	}
	if out, err := h.replay(t, first.RunID); functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("got %+v, %v; want a replay that is not confirmed", out, err)
	}
	again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || !again.AlreadyDone || again.RunID != first.RunID {
		t.Errorf("got %+v, %v; want the first result", again, err)
	}
	requests := hook.requests()
	times := map[string]bool{}
	for _, got := range requests {
		times[got.header.Get("webhook-timestamp")] = true
		if got.body != requests[0].body || got.header.Get("webhook-id") != key {
			t.Errorf("sent was another message: %s", got.header.Get("webhook-id"))
		}
	}
	if len(requests) != 5 || len(times) != 5 {
		t.Errorf("%d requests at %d times, want 5 with a timestamp each", len(requests), len(times))
	}
}

func TestAReplayMayEndADayThatWasNotConfirmed(t *testing.T) {
	t.Parallel()
	hook := newHook(t, cuts, cuts, cuts, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	first, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	h.exec(`UPDATE base_customers SET total_revenue = 5000`) // the message is sent as it is
	out, err := h.replay(t, first.RunID)
	if err != nil || out.DeliveryState != functions.DeliveryConfirmed {
		t.Fatalf("got %+v, %v", out, err)
	}
	again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || !again.AlreadyDone || again.RunID != out.RunID {
		t.Errorf("got %+v, %v; want the result of the replay", again, err)
	}
	next, err := h.replay(t, out.RunID) // a run that sent another run's message has one to send again too
	if err != nil || next.ReplayOf != out.RunID || !strings.Contains(next.Reason, "that run "+first.RunID+" stored") {
		t.Errorf("got %+v, %v", next, err)
	}
}

func TestAFinalNoSaysNothingOfADeliveryBefore(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt), says(410, "Webhook not found."))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	first, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if out, err := h.replay(t, first.RunID); out.DeliveryState != functions.DeliveryUnconfirmed {
		t.Errorf("got %s, %v; want unconfirmed: the message was delivered before", out.DeliveryState, err)
	}
}

func TestAnOlderMessageIsReplayedAsItself(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	h.clock.advance(60e9)
	second, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, runID := range []string{first.RunID, second.RunID} {
		if _, err := h.replay(t, runID); err != nil {
			t.Fatal(err)
		}
	}
	for _, entry := range receiver.Ledger() {
		if entry.Attempts != 2 || entry.Posts != 1 {
			t.Errorf("the receiver worked %+v, want one post for two deliveries", entry)
		}
	}
	again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || again.RunID != second.RunID {
		t.Errorf("got run %s, %v; want the result of the newest message", again.RunID, err)
	}
}

func TestAReplayThatIsRefused(t *testing.T) {
	t.Parallel()
	const precondition = functions.FailedPrecondition
	tests := []struct {
		name   string
		phase  functions.Phase
		before func(*house)
		after  func(*house)
		runID  string
		code   functions.Code
		detail string
	}{
		{"there is no such run", functions.PhaseProduction, nil, nil, "01KNOBODY", functions.NotFound, `no run "01KNOBODY"`},
		{
			"the run was stopped", functions.PhaseProduction,
			func(h *house) {
				h.Book = shipped(h.t, functions.PhaseProduction, "stop_over: 60", "stop_over: 12", "warn_over: 30", "warn_over: 2")
			}, nil, "01KRUN0001", precondition, "stored no message and sent none",
		},
		{
			"the run was skipped", functions.PhaseProduction,
			func(h *house) { h.exec(`UPDATE alert_logic SET severity = 'INFO', alert_flag = false`) },
			nil, "01KRUN0001", precondition, "stored no message and sent none",
		},
		{
			"the run did not come to the day", functions.PhaseProduction,
			func(h *house) { h.exec(`DELETE FROM alert_logic`) },
			nil, "01KRUN0001", precondition, "stored no message and sent none",
		},
		{
			"another run's message is not the stopped run's", functions.PhaseProduction,
			func(h *house) {
				h.Book = shipped(h.t, functions.PhaseProduction, "stop_over: 60", "stop_over: 12", "warn_over: 30", "warn_over: 2")
			},
			func(h *house) {
				h.Book = shipped(h.t, functions.PhaseProduction)
				_, _ = h.Run(h.t.Context(), functions.TriggerPlaybookInput{})
			},
			"01KRUN0001", precondition, "stored no message and sent none",
		},
		{
			"the message has expired", functions.PhaseProduction, nil,
			func(h *house) { h.clock.advance(playbook.DefaultFresh) },
			"01KRUN0001", precondition, "has expired at 2026-01-13T08:00:00Z",
		},
		{
			"the shadow phase sends nothing", functions.PhaseShadow, nil, nil,
			"01KRUN0001", precondition, "the phase shadow sends nothing",
		},
		{
			"the phase is another one by now", functions.PhaseProduction, nil,
			func(h *house) { h.Book = shipped(h.t, functions.PhasePilot) },
			"01KRUN0001", precondition, "of the phase production; the present one is pilot",
		},
		{
			"everything is switched off by now", functions.PhasePilot, nil,
			func(h *house) { h.Book = shipped(h.t, functions.PhaseDisabled) },
			"01KRUN0001", precondition, "of the phase pilot; the present one is disabled",
		},
		{
			"the webhook is not configured any more", functions.PhaseProduction, nil,
			func(h *house) { h.Config.Secret = "" },
			"01KRUN0001", precondition, "RETENTIONOPS_WEBHOOK_SECRET is not set",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(200, receipt))
			h := newHouse(t, test.phase, hook.address())
			if test.before != nil {
				test.before(h)
			}
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if test.after != nil {
				test.after(h)
			}
			requests, rows := len(hook.requests()), len(h.rows(t))
			_, err := h.replay(t, test.runID)
			problem := functions.ProblemOf(err, "")
			if problem.Code != test.code || !strings.Contains(problem.Detail, test.detail) || problem.Hint == "" {
				t.Errorf("got %+v, want %s: %s", problem, test.code, test.detail)
			}
			// A wrong call is no run: nothing is sent, and nothing counts as failed.
			if sent, runs := len(hook.requests())-requests, len(h.rows(t))-rows; sent != 0 || runs != 0 {
				t.Errorf("%d requests and %d runs; want none", sent, runs)
			}
		})
	}
}

func TestAReplayNeedsTheClaim(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	hook := newHook(t, says(200, receipt), func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		says(200, receipt)(w, r)
	})
	h := newHouse(t, functions.PhaseProduction, hook.address())
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := h.Run(context.WithoutCancel(t.Context()), functions.TriggerPlaybookInput{Resend: true})
		done <- err
	}()
	<-arrived
	_, err = h.replay(t, first.RunID)
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition || problem.RunID != "01KRUN0002" {
		t.Errorf("got %+v, want failed_precondition with the run at work", problem)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := len(hook.requests()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestAKilledResendIsReplayedAsItself(t *testing.T) {
	t.Parallel()
	hook := newHook(t, cuts, cuts, cuts, says(500, ""), says(500, ""), says(500, ""), says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
	h.exec(`UPDATE base_customers SET total_revenue = 5000`)
	kept := &mortal{Archive: h.Archive, fatal: "spool/"}
	h.Archive, h.Builder.Archive, h.Log.Archive = kept, kept, kept
	rows := h.Log.Warehouse
	h.Log.Warehouse = &endless{rows}
	killed, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true})
	kept.fatal, kept.dead, h.Log.Warehouse = "", false, rows

	h.clock.advance(playbook.DefaultHold)
	if row := h.rows(t)[0]; row.RunID != killed.RunID || row.Status != functions.RunAbandoned || row.IdempotencyKey != key {
		t.Fatalf("got %+v; want an abandoned run that knows the id of the first message only", row)
	}
	out, err := h.replay(t, killed.RunID)
	if err != nil || out.DeliveryState != functions.DeliveryConfirmed {
		t.Fatalf("got %+v, %v", out, err)
	}
	requests := hook.requests()
	if got := requests[len(requests)-1].header.Get("webhook-id"); got != key+"_"+strings.ToLower(killed.RunID) {
		t.Errorf("sent was %s", got)
	}
}

func TestAWarningIsNotReplayedAfterItsCritical(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	h.exec(`UPDATE alert_logic SET severity = 'CRITICAL' WHERE alert_date = '2026-01-12'`)
	h.clock.advance(time.Minute)
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
		t.Fatal(err)
	}
	out, err := h.replay(t, first.RunID)
	if err != nil || out.Status != functions.RunSkipped || h.rows(t)[0].NotificationReason != "inhibited" {
		t.Errorf("got %+v, %v; want it inhibited", out, err)
	}
	for _, entry := range receiver.Ledger() {
		if entry.Attempts != 1 {
			t.Errorf("the receiver got %+v", entry)
		}
	}
}

// endless is a log table in which no run of this process ends.
type endless struct{ runlog.Rows }

func (e *endless) AppendRun(ctx context.Context, run retention.Run) error {
	if run.Status != functions.RunRunning {
		return errKilled
	}
	return e.Rows.AppendRun(ctx, run)
}
