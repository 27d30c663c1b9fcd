package playbook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

// newReceiver is the shop's stand-in for the scenario, with its clock set to the house's.
func newReceiver(t *testing.T, now *clock) (*shop.Receiver, string) {
	t.Helper()
	receiver, err := shop.NewReceiver(shop.Options{Secrets: []string{secret}, APIKey: apiKey, Now: now.now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	return receiver, server.URL + "/hook"
}

// newReceiverHouse is a house whose webhook is the shop's receiver.
func newReceiverHouse(t *testing.T) (*house, *shop.Receiver) {
	t.Helper()
	h := newHouse(t, functions.PhaseProduction, "")
	receiver, address := newReceiver(t, h.clock)
	h.Config.URL = address
	return h, receiver
}

func TestManyTriggersAtOnceSendOnce(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	var (
		wg        sync.WaitGroup
		mu        sync.Mutex
		sent      []string
		refusedBy = map[string]bool{}
		doneBy    = map[string]bool{}
	)
	for range 32 {
		wg.Go(func() {
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && out.AlreadyDone:
				doneBy[out.RunID] = true
			case err == nil:
				sent = append(sent, out.RunID)
			case functions.CodeOf(err) == functions.FailedPrecondition:
				refusedBy[functions.ProblemOf(err, "").RunID] = true
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if len(sent) != 1 {
		t.Fatalf("%d runs sent: %v", len(sent), sent)
	}
	for _, others := range []map[string]bool{refusedBy, doneBy} {
		delete(others, sent[0])
		if len(others) != 0 {
			t.Errorf("others were told of the runs %v, want %s alone", others, sent[0])
		}
	}
	ledger := receiver.Ledger()
	if len(ledger) != 1 || ledger[0].Posts != 1 || ledger[0].Tickets != 1 || ledger[0].Attempts != 1 {
		t.Errorf("the receiver worked %+v", ledger)
	}
	if rows := h.rows(t); len(rows) != 1 || rows[0].RunID != sent[0] {
		t.Errorf("the log has %d runs, want the one that was made", len(rows))
	}
}

func TestADayThatWasSentAnswersWithItsResult(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	h.exec(`DROP TABLE base_customers`) // nothing is read or made any more
	again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Date: functions.Latest})
	if err != nil {
		t.Fatal(err)
	}
	first.AlreadyDone = true
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ledger := receiver.Ledger(); len(ledger) != 1 || ledger[0].Attempts != 1 {
		t.Errorf("the receiver worked %+v", ledger)
	}
}

func TestASecondRunSendsTheStoredMessage(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(500, ""), says(500, ""), says(500, ""), says(200, `{"receipt":"duplicate","run_id":"01KRUN0001","ticket_id":"RET-1"}`))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if functions.CodeOf(err) != functions.Unavailable {
		t.Fatalf("got %v, want unavailable", err)
	}
	brief := h.document(t, "briefs/2026-01-12.json")
	h.clock.advance(3600e9)
	// What it would build is the same, and is not built: the message stands for the queue and the files as they were.
	h.exec(`DELETE FROM customer_priority`)
	for _, name := range files(t, h.exports) {
		if err := os.Remove(h.exports + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	planned, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
	if err != nil || !strings.Contains(planned.Reason, "would send the message that run 01KRUN0001 stored once more") {
		t.Errorf("the plan says %q, %v", planned.Reason, err)
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || out.RunID != "01KRUN0003" || out.DeliveryState != functions.DeliveryConfirmed || out.Artifacts.JiraTicket != "RET-1" {
		t.Fatalf("got %+v, %v", out, err)
	}
	if !strings.Contains(out.Reason, "the message that run 01KRUN0001 stored") {
		t.Errorf("the reason does not tell whose message it was: %s", out.Reason)
	}
	requests := hook.requests()
	for i, got := range requests {
		if got.body != requests[0].body || got.header.Get("webhook-id") != "rop_2026-01-12_WARNING_production" {
			t.Errorf("request %d is another message: %s %s", i+1, got.header.Get("webhook-id"), got.body)
		}
	}
	if stored := h.message(t); stored.Body != requests[0].body {
		t.Errorf("stored is %s; sent was %s", stored.Body, requests[0].body)
	}
	if diff := cmp.Diff(string(brief), string(h.document(t, "briefs/2026-01-12.json"))); diff != "" {
		t.Errorf("brief (-before +after):\n%s", diff)
	}
	if _, err := h.warehouse.QueueSummary(t.Context(), day); functions.CodeOf(err) != functions.NotFound || len(files(t, h.exports)) != 0 {
		t.Errorf("queue %v, files %v; want nothing built under a message that was sent before", err, files(t, h.exports))
	}
	row := h.rows(t)[0]
	if row.NotificationReason != "repeated" || *row.P2Count != 20 || *row.TotalExported != 30 || row.ExportState != "csv" {
		t.Errorf("the row does not tell of the message: %+v", row)
	}
	if diff := cmp.Diff(first.Artifacts.Exports, out.Artifacts.Exports); diff != "" || row.ExportP1Link != first.Artifacts.Exports[0].Link {
		t.Errorf("exports (-first +second):\n%s", diff)
	}
}

func TestAStoredMessageIsNotSentAgainWhenItIsNoLongerSo(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*house){
		"a customer has bought": func(h *house) { h.exec(`UPDATE base_customers SET total_revenue = 5000`) },
		"the rules have changed": func(h *house) {
			h.Book = shipped(h.t, functions.PhaseProduction, "high_value: 2000 ", "high_value: 1200 ")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(500, ""), says(500, ""), says(500, ""), says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			before := files(t, h.exports)
			h.clock.advance(3600e9)
			change(h)
			planned, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
			if err != nil || !strings.Contains(planned.Reason, "would be refused: the data or the rules have changed") {
				t.Errorf("the plan says %q, %v", planned.Reason, err)
			}
			_, err = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			problem := functions.ProblemOf(err, "")
			if problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Hint, "use resend") || len(hook.requests()) != 3 {
				t.Errorf("got %+v and %d requests; want failed_precondition and nothing sent", problem, len(hook.requests()))
			}
			if diff := cmp.Diff(before, files(t, h.exports)); diff != "" {
				t.Errorf("exports (-before +after):\n%s", diff)
			}
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true})
			if err != nil || out.DeliveryState != functions.DeliveryConfirmed {
				t.Fatalf("got %+v, %v; want the new state sent", out, err)
			}
			sent := hook.requests()[3]
			if sent.header.Get("webhook-id") != "rop_2026-01-12_WARNING_production_"+strings.ToLower(out.RunID) || sent.body == hook.requests()[0].body {
				t.Errorf("sent was %s %s", sent.header.Get("webhook-id"), sent.body)
			}
			if row := h.rows(t)[0]; row.NotificationReason != "forced" || row.IdempotencyKey != sent.header.Get("webhook-id") {
				t.Errorf("notification_reason %q, key %s", row.NotificationReason, row.IdempotencyKey)
			}
		})
	}
}

// mortal is an archive that a run loses in the middle: after the document whose name contains fatal nothing is written
// any more, as if the process had been killed there. It comes back for the next run.
type mortal struct {
	archive.Archive
	mu    sync.Mutex
	fatal string
	after bool // the fatal document itself is still written
	dead  bool
}

var errKilled = errors.New("killed")

func (m *mortal) write(name string, write func() error) error {
	m.mu.Lock()
	hit := m.fatal != "" && strings.Contains(name, m.fatal)
	m.dead = m.dead || hit
	dead := m.dead && (!hit || !m.after)
	m.mu.Unlock()
	if dead {
		return errKilled
	}
	return write()
}

func (m *mortal) PutIfAbsent(ctx context.Context, name string, document []byte) error {
	return m.write(name, func() error { return m.Archive.PutIfAbsent(ctx, name, document) })
}

func (m *mortal) Put(ctx context.Context, name string, document []byte) error {
	return m.write(name, func() error { return m.Archive.Put(ctx, name, document) })
}

func TestAnAbandonedRunIsTakenOver(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		fatal    string
		after    bool
		attempts int // that the receiver saw in the end
		reason   string
	}{
		{"killed after the claim", "0001.json", true, 1, "first"},
		{"killed before the queue", "queues/", false, 1, "first"},
		{"killed before the brief was kept", "briefs/", false, 1, "first"},
		{"killed before the payload was stored", "payloads/", false, 1, "first"},
		{"killed after the payload was stored, and it was sent", "payloads/", true, 2, "repeated"},
		{"killed after the send", ".end.json", false, 2, "repeated"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, receiver := newReceiverHouse(t)
			kept := &mortal{Archive: h.Archive, fatal: test.fatal, after: test.after}
			h.Archive, h.Builder.Archive, h.Log.Archive = kept, kept, kept
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{}) // whatever it says, nobody hears it
			kept.fatal, kept.dead = "", false

			_, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if functions.CodeOf(err) != functions.FailedPrecondition || functions.ProblemOf(err, "").RunID != "01KRUN0001" {
				t.Errorf("before the claim runs out: got %v, want failed_precondition naming 01KRUN0001", err)
			}
			h.clock.advance(playbook.DefaultHold)
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err != nil || out.RunID != "01KRUN0003" || out.DeliveryState != functions.DeliveryConfirmed {
				t.Fatalf("got %+v, %v; want the third run confirmed", out, err)
			}
			ledger := receiver.Ledger()
			if len(ledger) != 1 || ledger[0].Posts != 1 || ledger[0].Tickets != 1 || ledger[0].Attempts != test.attempts {
				t.Errorf("the receiver worked %+v, want one post, one ticket, %d attempts", ledger, test.attempts)
			}
			if got := h.rows(t)[0]; got.RunID != out.RunID || got.NotificationReason != test.reason {
				t.Errorf("run %s, notification_reason %q; want %q", got.RunID, got.NotificationReason, test.reason)
			}
		})
	}
}

func TestAWarningThatBecomesCriticalIsEscalated(t *testing.T) {
	t.Parallel()
	h, receiver := newReceiverHouse(t)
	first, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	h.exec(`UPDATE alert_logic SET severity = 'CRITICAL', delta_relative_pct = 27 WHERE alert_date = '2026-01-12'`)
	h.clock.advance(60e9)
	plan, err := h.Run(t.Context(), functions.TriggerPlaybookInput{DryRun: true})
	if want := "update the ticket " + first.Artifacts.JiraTicket; err != nil || !strings.HasSuffix(plan.Reason, want) {
		t.Errorf("the plan says %q, %v; want %q", plan.Reason, err, want)
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || out.Severity != functions.Critical || len(out.Artifacts.Exports) != 3 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if got := h.rows(t)[0].NotificationReason; got != "escalated" || out.Artifacts.JiraTicket != first.Artifacts.JiraTicket {
		t.Errorf("notification_reason %q, ticket %s; want the ticket of the WARNING", got, out.Artifacts.JiraTicket)
	}
	h.clock.advance(60e9)
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true}); err != nil {
		t.Fatal(err)
	}
	var worked []string
	for _, entry := range receiver.Ledger() {
		worked = append(worked, fmt.Sprintf("%d post, %d ticket, %d update of %s", entry.Posts, entry.Tickets, entry.Updates, entry.Receipt.TicketID))
	}
	want := []string{"1 post, 1 ticket, 0 update of RET-2401", "1 post, 0 ticket, 1 update of RET-2401", "1 post, 0 ticket, 1 update of RET-2401"}
	if diff := cmp.Diff(want, worked); diff != "" {
		t.Errorf("the receiver (-want +got):\n%s", diff)
	}
}

func TestACriticalInhibitsALaterWarning(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"a CRITICAL that was sent", says(200, receipt), "inhibited"},
		{"a CRITICAL that is not confirmed", says(200, "Accepted"), "first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, test.answer)
			h := newHouse(t, functions.PhaseProduction, hook.address())
			h.exec(`UPDATE alert_logic SET severity = 'CRITICAL' WHERE alert_date = '2026-01-12'`)
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			h.exec(`UPDATE alert_logic SET severity = 'WARNING' WHERE alert_date = '2026-01-12'`) // a corrected table
			h.clock.advance(60e9)
			out, _ := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if got := h.rows(t)[0]; got.NotificationReason != test.want || (out.Status == functions.RunSkipped) != (test.want == "inhibited") {
				t.Errorf("notification_reason %q, %s (%s); want %q", got.NotificationReason, out.Status, out.Reason, test.want)
			}
			if test.want == "inhibited" && (len(hook.requests()) != 1 || len(h.kept(t, "claims/rop_2026-01-12_WARNING")) != 0) {
				t.Errorf("%d requests, claims %v; want nothing sent or claimed", len(hook.requests()), h.kept(t, "claims/"))
			}
		})
	}
}

func TestAShadowDayMayBeRunAgain(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseShadow, hook.address())
	for range 2 {
		out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
		if err != nil || out.Status != functions.RunSkipped || out.AlreadyDone {
			t.Fatalf("got %+v, %v", out, err)
		}
		h.exec(`UPDATE base_customers SET total_revenue = 5000`)
		h.clock.advance(60e9)
	}
	if diff := cmp.Diff([]string{"shadow/2026-01-12_P1.csv", "shadow/2026-01-12_P2.csv"}, files(t, h.exports)); diff != "" {
		t.Errorf("exports (-want +got):\n%s", diff)
	}
	for _, kept := range []string{"briefs/2026-01-12.json", "payloads/rop_2026-01-12_WARNING_shadow.json", "queues/2026-01-12.json"} {
		if len(h.kept(t, kept)) != 1 {
			t.Errorf("%s is not in the archive", kept)
		}
	}
	if len(hook.requests()) != 0 {
		t.Errorf("the hook got %d requests", len(hook.requests()))
	}
}

// refusing is a log table that takes no row.
type refusing struct{ runlog.Rows }

func (refusing) AppendRun(context.Context, retention.Run) error {
	return functions.Errorf(functions.Unavailable, "the warehouse is not there")
}

func TestARunWhoseRowsTheWarehouseRefusesIsNotLost(t *testing.T) {
	t.Parallel()
	h, _ := newReceiverHouse(t)
	rows := h.Log.Warehouse
	h.Log.Warehouse = refusing{rows}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || out.LogWritten || out.DeliveryState != functions.DeliveryConfirmed {
		t.Fatalf("got %+v, %v; want a confirmed run that says its rows were not written", out, err)
	}
	h.Log.Warehouse = rows
	if written, err := h.Log.Reconcile(t.Context()); written != 2 || err != nil {
		t.Errorf("%d rows were written late, %v; want 2", written, err)
	}
	if got := h.rows(t); len(got) != 1 || got[0].Status != functions.RunSuccess {
		t.Errorf("the log has %+v", got)
	}
}
