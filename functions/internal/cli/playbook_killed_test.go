package cli_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

// ended is the point after which nothing of a run is left to do but its answer.
const ended = "after the end of the claim, before the answer"

// points are the boundaries of every stage, in the order of a run.
var points = []point{
	{"in decide", gate("before", "list", "claims/rop_*_CRITICAL_production", ""), "", ""},
	{"in begin, before the claim", gate("before", "put", "claims/*/????.json", ""), "", ""},
	{"in begin, after the claim", gate("after", "put", "claims/*/????.json", ""), "", "begin"},
	{"before the queue", gate("after", "put", "runs/*/stage", "queue"), "", "queue"},
	{"while the queue is replaced", gate("after", "put", "queues/*", ""), "", "queue"},
	{"after the guardrails", gate("after", "put", "runs/*/stage", "guardrails"), "", "guardrails"},
	{"before the exports", gate("after", "put", "runs/*/stage", "export"), "", "export"},
	{"before the brief", gate("after", "put", "runs/*/stage", "brief"), "", "brief"},
	{"after the brief was kept", gate("after", "put", "briefs/*", ""), "", "brief"},
	{"before the message is stored", gate("before", "put", "payloads/*", ""), "", "send"},
	{"after the message was stored", gate("after", "put", "payloads/*", ""), "", "send"},
	{"while it sends, before the receiver has worked", nil, "before", "send"},
	{"while it sends, after the receiver has worked", nil, "after", "send"},
	{"after the answer", gate("after", "put", "runs/*/stage", "end"), "", "end"},
	{"after the row, before the claim is ended", gate("before", "put", "claims/*/????.end.json", ""), "", "end"},
	{ended, gate("after", "put", "claims/*/????.end.json", ""), "", "end"},
}

// shown is what the log must say of a run that was killed at the point.
func shown(at point) seen {
	switch at.name {
	case "after the answer": // the receipt had come, and no row
		return seen{functions.RunAbandoned, "end", functions.DeliveryConfirmed}
	case "after the row, before the claim is ended", ended:
		return seen{functions.RunSuccess, "end", functions.DeliveryConfirmed}
	}
	if at.stage == "send" {
		return seen{functions.RunAbandoned, "send", functions.DeliveryUnknown}
	}
	return seen{functions.RunAbandoned, at.stage, functions.DeliveryNone}
}

// TestAProcessThatIsKilledAnywhereSendsOnce kills the real process at every boundary, each time on a new day, and lets
// the next one do the work.
func TestAProcessThatIsKilledAnywhereSendsOnce(t *testing.T) {
	t.Parallel()
	folder := newShop(t)
	for _, at := range points {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, folder)
			s.killed(t, at)
			if at.stage != "" && at.name != ended {
				if _, problem := s.trigger(t); problem.Code != functions.FailedPrecondition || problem.RunID == "" {
					t.Errorf("while the claim holds: got %+v, want failed_precondition with the run's id", problem)
				}
			}
			s.pass(t)
			out, problem := s.trigger(t)
			if problem.Code != "" || out.DeliveryState != functions.DeliveryConfirmed {
				t.Fatalf("got %+v, %+v; want a confirmed run", out, problem)
			}
			s.once(t)
			var want []seen
			if !out.AlreadyDone {
				want = append(want, seen{functions.RunSuccess, "end", functions.DeliveryConfirmed})
			}
			if at.stage != "" {
				want = append(want, shown(at))
			}
			if diff := cmp.Diff(want, s.runs(t)); diff != "" {
				t.Errorf("the log (-want +got):\n%s", diff)
			}
		})
	}
}

// TestADayOnWhichEveryProcessIsKilledSendsOnce kills one process after the other on one day, each a boundary further
// than the one before, until there is none left to be killed at.
func TestADayOnWhichEveryProcessIsKilledSendsOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t, newShop(t))
	var want []seen
	for _, at := range points {
		s.killed(t, at)
		if at.stage != "" {
			want = append([]seen{shown(at)}, want...)
		}
		s.pass(t)
	}
	out, problem := s.trigger(t)
	if problem.Code != "" || !out.AlreadyDone || out.DeliveryState != functions.DeliveryConfirmed {
		t.Fatalf("got %+v, %+v; want the result of the run that came to its end", out, problem)
	}
	s.once(t)
	if diff := cmp.Diff(want, s.runs(t)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	replayed, problem := s.answer(t, "runs", "replay", out.RunID)
	if problem.Code != "" || replayed.ReplayOf != out.RunID || replayed.DeliveryState != functions.DeliveryConfirmed {
		t.Errorf("got %+v, %+v; want the message confirmed once more", replayed, problem)
	}
	s.once(t)
}
