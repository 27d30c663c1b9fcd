package playbook_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
)

// TestAProgramThatEndsEndsItsRun has the program end while the receiver does not answer: the run is written down, and
// the day is free for the next.
func TestAProgramThatEndsEndsItsRun(t *testing.T) {
	t.Parallel()
	stop, end := context.WithCancel(t.Context())
	hook := newHook(t, func(_ http.ResponseWriter, r *http.Request) {
		end()
		<-r.Context().Done() // it would work for as long as the sender waits
	}, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	out, err := h.Run(functions.WithStop(t.Context(), stop), functions.TriggerPlaybookInput{})
	problem := functions.ProblemOf(err, "")
	if problem.Code != functions.Unavailable || problem.Detail != "the program was stopped in stage send" ||
		problem.Hint != "ask again: the same message is sent under the same id" {
		t.Errorf("got %+v", problem)
	}
	if out.DeliveryState != functions.DeliveryUnknown || out.Reason != problem.Detail || !out.LogWritten {
		t.Errorf("got %+v; want a run of which the delivery is not known, written down", out)
	}
	row := h.rows(t)[0]
	if row.Status != functions.RunFailed || row.Stage != "send" || !strings.Contains(row.ErrorMessage, "was stopped") || len(h.kept(t, "claims/")) != 2 {
		t.Errorf("row %+v, claims %v; want the end of both", row, h.kept(t, "claims/"))
	}
	next, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}) // another process, at once
	if err != nil || next.DeliveryState != functions.DeliveryConfirmed {
		t.Errorf("got %+v, %v; want the day sent", next, err)
	}
	requests := hook.requests()
	if len(requests) != 2 || requests[0].body != requests[1].body || requests[0].header.Get("webhook-id") != requests[1].header.Get("webhook-id") {
		t.Errorf("%d requests; want the same message twice", len(requests))
	}
}

// stopsAt ends the program when a run asks for the runs before it.
type stopsAt struct {
	runlog.Rows
	end context.CancelFunc
}

func (s stopsAt) AppendRun(ctx context.Context, run retention.Run) error {
	if run.Status == functions.RunRunning {
		s.end()
	}
	return s.Rows.AppendRun(ctx, run)
}

func TestAProgramThatEndsBeforeTheSendingSendsNothing(t *testing.T) {
	t.Parallel()
	stop, end := context.WithCancel(t.Context())
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.Log.Warehouse = stopsAt{h.Log.Warehouse, end}
	out, err := h.Run(functions.WithStop(t.Context(), stop), functions.TriggerPlaybookInput{})
	if functions.CodeOf(err) != functions.Unavailable || out.Reason != "the program was stopped in stage queue" ||
		out.DeliveryState != functions.DeliveryNone || len(hook.requests()) != 0 || len(h.kept(t, "claims/")) != 2 {
		t.Errorf("got %+v, %v; want a run that ended before it did anything", out, err)
	}
}

// TestACallerWhoLeavesEarlyIsToldApartFromAFault stops a call before the day is claimed: the row says that nothing broke.
func TestACallerWhoLeavesEarlyIsToldApartFromAFault(t *testing.T) {
	t.Parallel()
	called, leave := context.WithCancel(t.Context())
	leave()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	_, err := h.Run(called, functions.TriggerPlaybookInput{})
	row := h.rows(t)[0]
	const want = "unavailable: the caller went away in stage decide, before the day was claimed: nothing was begun (trigger the day again)"
	if functions.CodeOf(err) != functions.Unavailable || row.ErrorMessage != want || row.Status != functions.RunFailed {
		t.Errorf("got %v and the row %+v; want %q", err, row, want)
	}
	if len(h.kept(t, "claims/")) != 0 || len(hook.requests()) != 0 {
		t.Errorf("a caller who left has claimed %v and sent %d messages", h.kept(t, "claims/"), len(hook.requests()))
	}
}
