package playbook_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

func TestACriticalAtWorkInhibitsAWarning(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	hook := newHook(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		says(200, receipt)(w, r)
	})
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.exec(`UPDATE alert_logic SET severity = 'CRITICAL' WHERE alert_date = '2026-01-12'`)
	done := make(chan error, 1)
	go func() {
		_, err := h.Run(context.WithoutCancel(t.Context()), functions.TriggerPlaybookInput{})
		done <- err
	}()
	<-arrived
	h.exec(`UPDATE alert_logic SET severity = 'WARNING' WHERE alert_date = '2026-01-12'`) // a corrected table
	h.clock.advance(time.Minute)
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || out.Status != functions.RunSkipped || !strings.Contains(out.Reason, "run 01KRUN0001 is at work on a CRITICAL") {
		t.Errorf("got %+v, %v; want it inhibited by the run at work", out, err)
	}
	if got := h.rows(t)[0].NotificationReason; got != "inhibited" || len(h.kept(t, "claims/rop_2026-01-12_WARNING")) != 0 {
		t.Errorf("notification_reason %q, claims %v", got, h.kept(t, "claims/"))
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(hook.requests()) != 1 {
		t.Errorf("%d requests, want the CRITICAL alone", len(hook.requests()))
	}
}

// meanwhile is an archive in which something happens right after a document was put.
type meanwhile struct {
	archive.Archive
	name string
	then func(archive.Archive)
}

func (m *meanwhile) PutIfAbsent(ctx context.Context, name string, document []byte) error {
	err := m.Archive.PutIfAbsent(ctx, name, document)
	if name == m.name {
		m.then(m.Archive)
	}
	return err
}

func TestAWarningStepsBackFromACriticalOfTheSameMoment(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	h.Archive = &meanwhile{h.Archive, "claims/" + key + "/0001.json", func(papers archive.Archive) {
		claim := `{"run_id":"01KCRITICAL","claimed_at":"2026-01-12T08:00:00Z","expires_at":"2026-01-12T08:10:00Z"}`
		if err := papers.PutIfAbsent(t.Context(), "claims/rop_2026-01-12_CRITICAL_production/0001.json", []byte(claim)); err != nil {
			t.Error(err)
		}
	}}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || out.Status != functions.RunSkipped || len(hook.requests()) != 0 {
		t.Errorf("got %+v, %v and %d requests; want it skipped", out, err, len(hook.requests()))
	}
	rows := h.rows(t)
	if len(rows) != 1 || rows[0].NotificationReason != "inhibited" || len(h.kept(t, "claims/"+key)) != 2 {
		t.Errorf("rows %+v, claims %v; want one inhibited run whose claim is ended", rows, h.kept(t, "claims/"))
	}
}

func TestACriticalKnowsTheTicketOfItsWarning(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		reason string
	}{
		{"a WARNING that was sent", says(200, receipt), "escalated"},
		{"a WARNING of which a part ran", says(200, `{"receipt":"partial","ticket_id":"RET-2401"}`), "escalated"},
		{"a WARNING without a ticket", says(200, `{"receipt":"done","slack_message_ts":"1768204800.000100"}`), "escalated"},
		{"a WARNING that is not confirmed", says(200, "Accepted"), "first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, functions.PhaseProduction, newHook(t, test.answer).address())
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			h.exec(`UPDATE alert_logic SET severity = 'CRITICAL' WHERE alert_date = '2026-01-12'`)
			h.clock.advance(time.Minute)
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if got := h.rows(t)[0].NotificationReason; got != test.reason {
				t.Errorf("notification_reason %q, want %q", got, test.reason)
			}
		})
	}
}

// reasons are the notification reasons in the log, oldest run first.
func (h *house) reasons(t *testing.T) []string {
	t.Helper()
	var reasons []string
	for _, row := range h.rows(t) {
		reasons = append([]string{row.NotificationReason}, reasons...)
	}
	return reasons
}

// on runs the playbook of a day, a minute after the run before.
func (h *house) on(t *testing.T, date functions.DateRef, dryRun bool) functions.TriggerPlaybookOutput {
	t.Helper()
	h.clock.advance(time.Minute)
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: date, DryRun: dryRun})
	if err != nil {
		t.Fatalf("%s: %v", date, err)
	}
	return out
}

func TestTheFirstQuietDayResolvesAnAlertThatWasSent(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first := h.on(t, "latest", false)
	h.exec(`INSERT INTO alert_logic VALUES ('2026-01-13', 'INFO', false, 21, 21, 0, 100), ('2026-01-14', 'INFO', false, 21, 21, 0, 100)`)
	for range 2 { // a plan changes nothing
		if out := h.on(t, "2026-01-13", true); !strings.Contains(out.Reason, "which run "+first.RunID+" sent, is over") {
			t.Errorf("the plan says %q", out.Reason)
		}
	}
	if out := h.on(t, "2026-01-13", false); out.Status != functions.RunSkipped || !strings.Contains(out.Reason, "the WARNING of 2026-01-12, which run "+first.RunID+" sent, is over") {
		t.Errorf("got %+v", out)
	}
	if out := h.on(t, "2026-01-14", true); strings.Contains(out.Reason, "is over") {
		t.Errorf("the plan of the second quiet day says %q", out.Reason)
	}
	h.on(t, "2026-01-13", false)
	h.on(t, "2026-01-14", false)
	h.exec(`INSERT INTO alert_logic VALUES ('2026-01-15', 'WARNING', true, 25, 21, 19, 100)`)
	h.on(t, "latest", false)
	h.exec(`INSERT INTO alert_logic VALUES ('2026-01-16', 'INFO', true, 21, 21, 0, 100)`)
	h.on(t, "2026-01-14", false) // of before the alert
	h.on(t, "latest", false)
	want := []string{"first", "resolved", "resolved", "no_alert", "first", "no_alert", "resolved"}
	if diff := cmp.Diff(want, h.reasons(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(receiver.Ledger()) != 2 {
		t.Errorf("the receiver worked %+v, want the two alerts alone", receiver.Ledger())
	}
}

func TestADayThatResolvesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		phase  functions.Phase
		answer http.HandlerFunc
		change func(*house)
	}{
		"the alert was not confirmed": {functions.PhaseProduction, says(200, "Accepted"), nil},
		"nothing is sent":             {functions.PhaseShadow, says(200, receipt), nil},
		"an alert that is only not flagged": {functions.PhaseProduction, says(200, receipt), func(h *house) {
			h.exec(`UPDATE alert_logic SET severity = 'WARNING' WHERE alert_date = '2026-01-13'`)
		}},
		"the archive cannot tell": {functions.PhaseProduction, says(200, receipt), func(h *house) {
			h.Archive = &mortal{Archive: h.Archive, fatal: "resolved/"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, test.phase, newHook(t, test.answer).address())
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			h.exec(`INSERT INTO alert_logic VALUES ('2026-01-13', 'INFO', false, 21, 21, 0, 100)`)
			if test.change != nil {
				test.change(h)
			}
			h.on(t, "2026-01-13", false)
			if got := h.reasons(t)[1]; got != "no_alert" {
				t.Errorf("notification_reason %q, want no_alert", got)
			}
		})
	}
}

// TestARunThatWasKilledBeforeItsRowIsLogged has the next run tell of it.
func TestARunThatWasKilledBeforeItsRowIsLogged(t *testing.T) {
	t.Parallel()
	h, _ := newReceiverHouse(t)
	claim := `{"run_id":"01KILLED","claimed_at":"2026-01-12T07:00:00Z","expires_at":"2026-01-12T07:10:00Z"}`
	if err := h.Archive.PutIfAbsent(t.Context(), "claims/"+key+"/0001.json", []byte(claim)); err != nil {
		t.Fatal(err)
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range h.rows(t) {
		got = append(got, strings.Join([]string{row.RunID, string(row.Status), row.Stage, string(row.Severity), string(row.Phase), row.IdempotencyKey}, " "))
	}
	want := []string{out.RunID + " success end WARNING production " + key, "01KILLED abandoned begin WARNING production " + key}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestARunThatIsInTheLogIsNotToldAgain has a run be killed between its last row and the end of its claim.
func TestARunThatIsInTheLogIsNotToldAgain(t *testing.T) {
	t.Parallel()
	h, _ := newReceiverHouse(t)
	kept := &mortal{Archive: h.Archive, fatal: ".end.json"}
	h.Archive = kept
	first, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	kept.fatal, kept.dead = "", false
	h.clock.advance(playbook.DefaultHold)
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
		t.Fatal(err)
	}
	if rows := h.rows(t); len(rows) != 2 || rows[1].RunID != first.RunID || rows[1].Status != functions.RunSuccess {
		t.Errorf("the log has %+v", rows)
	}
}

// silenced is the rulebook with a silence over the days of the house.
func silenced(t *testing.T, more string) *rulebook.Book {
	t.Helper()
	return shipped(t, functions.PhaseProduction, "silences: []",
		"silences:\n  - {from: 2026-01-10, to: 2026-01-12, who: Ann Example, why: The shop moves."+more+"}\n")
}

func TestASilencedDayIsSkippedAndNamed(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	loud := h.Book
	first := h.on(t, "latest", false)
	h.Book = silenced(t, "")
	const sentence = "silenced from 2026-01-10 to 2026-01-12 by Ann Example: The shop moves."
	if plan := h.on(t, "latest", true); plan.Reason != "a run would be skipped: "+sentence {
		t.Errorf("the plan says %q", plan.Reason)
	}
	for _, in := range []functions.TriggerPlaybookInput{{}, {Resend: true}, {Replay: first.RunID}} {
		h.clock.advance(time.Minute)
		out, err := h.Run(t.Context(), in)
		if err != nil || out.Status != functions.RunSkipped || out.Reason != sentence {
			t.Errorf("%+v: got %s, %q, %v; want it silenced", in, out.Status, out.Reason, err)
		}
	}
	if diff := cmp.Diff([]string{"first", "silenced", "silenced", "silenced"}, h.reasons(t)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	h.Book = silenced(t, ", severities: [CRITICAL]")
	if out := h.on(t, "latest", false); !out.AlreadyDone {
		t.Errorf("got %+v, want the WARNING's result: the silence is about another severity", out)
	}
	h.Book = loud
	if _, err := h.replay(t, first.RunID); err != nil || len(hook.requests()) != 2 {
		t.Errorf("got %v and %d requests; want it sent when the silence is over", err, len(hook.requests()))
	}
}
