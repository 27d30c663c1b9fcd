package playbook_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/runlog"
)

func TestResend(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true}) // never sent: an ordinary run
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true})
	if err != nil || second.AlreadyDone || second.RunID == first.RunID {
		t.Fatalf("got %+v, %v; want a new run", second, err)
	}
	var ids []string
	for _, entry := range receiver.Ledger() {
		ids = append(ids, entry.ID)
	}
	want := []string{"rop_2026-01-12_WARNING_production", "rop_2026-01-12_WARNING_production_01krun0002"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("webhook ids (-want +got):\n%s", diff)
	}
	rows := h.rows(t)
	if rows[0].RunID != second.RunID && len(rows) == 2 {
		rows[0], rows[1] = rows[1], rows[0]
	}
	if len(rows) != 2 || rows[0].NotificationReason != "forced" || rows[1].NotificationReason != "first" || rows[0].IdempotencyKey != want[1] {
		t.Errorf("the log has %+v", rows)
	}
	again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || !again.AlreadyDone || again.RunID != second.RunID {
		t.Errorf("got %+v, %v; want the newest result", again, err)
	}
}

// webhookIDs are the ids under which the hook got something, each once, in order.
func webhookIDs(requests []request) []string {
	var ids []string
	for _, got := range requests {
		ids = append(ids, got.header.Get("webhook-id"))
	}
	return slices.Compact(ids)
}

func TestAResendThatIsNotConfirmedIsContinued(t *testing.T) {
	t.Parallel()
	for _, next := range []functions.TriggerPlaybookInput{{}, {Resend: true}} {
		t.Run(fmt.Sprintf("resend %t", next.Resend), func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(200, receipt), says(500, ""), says(500, ""), says(500, ""), says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
				t.Fatal(err)
			}
			h.clock.advance(60e9)
			if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true}); functions.CodeOf(err) != functions.Unavailable {
				t.Fatalf("got %v, want unavailable", err)
			}
			h.clock.advance(60e9)
			out, err := h.Run(t.Context(), next)
			if err != nil || out.AlreadyDone || out.DeliveryState != functions.DeliveryConfirmed {
				t.Fatalf("got %+v, %v; want the resend confirmed", out, err)
			}
			const key = "rop_2026-01-12_WARNING_production"
			if diff := cmp.Diff([]string{key, key + "_01krun0002"}, webhookIDs(hook.requests())); diff != "" {
				t.Errorf("webhook ids (-want +got):\n%s", diff)
			}
			again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err != nil || !again.AlreadyDone || again.RunID != out.RunID {
				t.Errorf("got %+v, %v; want the result of the resend", again, err)
			}
			h.clock.advance(60e9)
			if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{key, key + "_01krun0002", key + "_01krun0005"}, webhookIDs(hook.requests())); diff != "" {
				t.Errorf("webhook ids (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAResendThatStoredNothingChangesNothing(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	h.exec(`ALTER TABLE base_customers RENAME TO gone`)
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true}); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Fatalf("got %v, want failed_precondition", err)
	}
	again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || !again.AlreadyDone || again.RunID != first.RunID || len(receiver.Ledger()) != 1 {
		t.Errorf("got %+v, %v; want the first result", again, err)
	}
}

// A message that can no longer arrive must not block the day for good: resend makes a new one.
func TestAResendOfWhatCannotArriveIsANewMessage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		passes time.Duration
	}{
		"it was refused":             {says(410, "Webhook not found."), time.Minute},
		"it is too old to be worked": {says(500, ""), playbook.DefaultFresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, test.answer)
			h := newHouse(t, functions.PhaseProduction, hook.address())
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			h.clock.advance(test.passes)
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true})
			const key = "rop_2026-01-12_WARNING_production"
			if diff := cmp.Diff([]string{key, key + "_01krun0002"}, webhookIDs(hook.requests())); diff != "" {
				t.Errorf("webhook ids (-want +got):\n%s", diff)
			}
		})
	}
}

// A receiver that does not look at the age of a message would post old news, and the guardrail that watches how old the
// data is was asked when the message was made.
func TestAMessageThatHasExpiredIsNotSentAgain(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(500, ""), says(500, ""), says(500, ""), says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
	h.clock.advance(playbook.DefaultFresh)
	plan, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
	if err != nil || !strings.Contains(plan.Reason, "a run would be refused: the message of run 01KRUN0001 has expired") {
		t.Errorf("the plan says %q, %v", plan.Reason, err)
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	problem := functions.ProblemOf(err, "")
	if problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Hint, "resend") || out.DeliveryState != functions.DeliveryNone {
		t.Errorf("got %+v, %s; want failed_precondition", problem, out.DeliveryState)
	}
	if sent := len(hook.requests()); sent != 3 {
		t.Errorf("%d requests, want those of the first run alone", sent)
	}
}

func TestAFinalNoSaysNothingOfARunBefore(t *testing.T) {
	t.Parallel()
	hook := newHook(t, cuts, cuts, cuts, says(410, "Webhook not found."))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	for _, want := range []functions.DeliveryState{functions.DeliveryUnknown, functions.DeliveryUnconfirmed} {
		out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
		if out.DeliveryState != want || functions.CodeOf(err) != functions.Unavailable {
			t.Errorf("got %s, %v; want %s, unavailable", out.DeliveryState, err, want)
		}
		h.clock.advance(60e9)
	}
}

// late is an archive in which another run stores its message right before this one has claimed the day.
type late struct {
	archive.Archive
	message string
}

func (l *late) PutIfAbsent(ctx context.Context, name string, document []byte) error {
	if strings.HasPrefix(name, "claims/") && strings.HasSuffix(name, "/0001.json") {
		if err := l.Archive.PutIfAbsent(ctx, "payloads/rop_2026-01-12_WARNING_production.json", []byte(l.message)); err != nil {
			return err
		}
	}
	return l.Archive.PutIfAbsent(ctx, name, document)
}

func TestWhichMessageItIsIsDecidedOnceTheDayIsClaimed(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.Archive = &late{h.Archive, `{"run_id":"01KANOTHER","webhook_id":"rop_2026-01-12_WARNING_production","content_type":"application/json","body":"{}"}`}
	_, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if problem := functions.ProblemOf(err, ""); !strings.Contains(problem.Detail, "since run 01KANOTHER stored the message") || len(hook.requests()) != 0 {
		t.Errorf("got %+v and %d requests; want the other run's message seen, and nothing sent in its place", problem, len(hook.requests()))
	}
}

// patient is an archive that notes how long it may take for the document of whom to tell.
type patient struct {
	archive.Archive
	longest time.Duration
}

func (p *patient) Get(ctx context.Context, name string) ([]byte, error) {
	if deadline, has := ctx.Deadline(); name == "mails/teams.json" && has {
		p.longest = time.Until(deadline)
	}
	return p.Archive.Get(ctx, name)
}

func TestWhomToTellDoesNotUseUpTheRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t, functions.PhaseShadow, "")
	papers := &patient{Archive: h.Archive}
	h.Archive = papers
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
		t.Fatal(err)
	}
	if papers.longest <= 0 || papers.longest > runlog.ArchiveDeadline {
		t.Errorf("an archive that hangs may take %s, want at most %s", papers.longest, runlog.ArchiveDeadline)
	}
}
