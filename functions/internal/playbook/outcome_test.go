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
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// outcome is what a run's end looks like from all sides: to the caller, in the log, at the receiver and in the archive.
type outcome struct {
	Status   functions.RunStatus
	Delivery functions.DeliveryState
	Code     functions.Code // of the error; empty without one
	Stage    string         // in the log
	Reason   string         // notification_reason in the log
	Requests int            // that the hook got
	Claims   int            // documents under claims/: two for a run that claimed and ended
	Slack    bool
	Ticket   string
}

// TestOutcomes has a row for each row of the closed table of outcomes.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const (
		production, pilot = functions.PhaseProduction, functions.PhasePilot
		success, failed   = functions.RunSuccess, functions.RunFailed
		skipped           = functions.RunSkipped
		none              = functions.DeliveryNone
		precondition      = functions.FailedPrecondition
	)
	tests := []struct {
		name   string
		phase  functions.Phase
		script http.HandlerFunc
		change func(*house)
		want   outcome
	}{
		{
			"a receipt confirms", production, says(200, receipt), nil,
			outcome{success, functions.DeliveryConfirmed, "", "end", "first", 1, 2, true, "RET-2401"},
		},
		{
			"a receipt confirms in the pilot", pilot, says(200, receipt), nil,
			outcome{success, functions.DeliveryConfirmed, "", "end", "first", 1, 2, true, "RET-2401"},
		},
		{
			"no receipt where it is optional is accepted", production, says(200, "Accepted"),
			func(h *house) {
				h.Book = shipped(h.t, production, "receipt: required", "receipt: optional")
			},
			outcome{success, functions.DeliveryAccepted, "", "end", "first", 1, 2, false, ""},
		},
		{
			"a receipt confirms also where it is optional", production, says(200, receipt),
			func(h *house) {
				h.Book = shipped(h.t, production, "receipt: required", "receipt: optional")
			},
			outcome{success, functions.DeliveryConfirmed, "", "end", "first", 1, 2, true, "RET-2401"},
		},
		{
			"a failing scenario is not accepted, however optional", production, says(500, "Scenario failed to complete."),
			func(h *house) {
				h.Book = shipped(h.t, production, "receipt: required", "receipt: optional")
			},
			outcome{failed, functions.DeliveryUnconfirmed, functions.Unavailable, "send", "first", 3, 2, false, ""},
		},
		{
			"a bare Accepted is unconfirmed", production, says(200, "Accepted"), nil,
			outcome{failed, functions.DeliveryUnconfirmed, functions.Unavailable, "send", "first", 1, 2, false, ""},
		},
		{
			"a failing scenario is unconfirmed after the retries", production, says(500, "Scenario failed to complete."), nil,
			outcome{failed, functions.DeliveryUnconfirmed, functions.Unavailable, "send", "first", 3, 2, false, ""},
		},
		{
			"a part of the playbook is unconfirmed, and that part is told", production,
			says(200, `{"receipt":"partial","slack_message_ts":"1768204800.000100"}`), nil,
			outcome{failed, functions.DeliveryUnconfirmed, functions.Unavailable, "send", "first", 1, 2, true, ""},
		},
		{
			"no answer is unknown", production, cuts, nil,
			outcome{failed, functions.DeliveryUnknown, functions.Unavailable, "send", "first", 3, 2, false, ""},
		},
		{
			"a deleted hook is a refusal", production, says(410, "Webhook not found."), nil,
			outcome{failed, functions.DeliveryRefused, precondition, "send", "first", 1, 2, false, ""},
		},
		{
			"a message that was dropped as too old is a refusal", production, says(200, `{"receipt":"expired"}`), nil,
			outcome{failed, functions.DeliveryRefused, precondition, "send", "first", 1, 2, false, ""},
		},
		{
			"a day without an alert is skipped", production, says(200, receipt),
			func(h *house) {
				h.exec(`UPDATE alert_logic SET severity = 'INFO', alert_flag = false WHERE alert_date = '2026-01-12'`)
			},
			outcome{skipped, none, "", "decide", "no_alert", 0, 0, false, ""},
		},
		{
			"a severity without the flag is skipped", production, says(200, receipt),
			func(h *house) { h.exec(`UPDATE alert_logic SET alert_flag = false`) },
			outcome{skipped, none, "", "decide", "no_alert", 0, 0, false, ""},
		},
		{
			"the pilot does not act on CRITICAL", pilot, says(200, receipt),
			func(h *house) { h.exec(`UPDATE alert_logic SET severity = 'CRITICAL'`) },
			outcome{skipped, none, "", "decide", "phase", 0, 0, false, ""},
		},
		{
			"a disabled house does nothing", functions.PhaseDisabled, says(200, receipt), nil,
			outcome{skipped, none, "", "decide", "phase", 0, 0, false, ""},
		},
		{
			"the shadow phase makes everything and sends nothing", functions.PhaseShadow, says(200, receipt), nil,
			outcome{skipped, none, "", "end", "shadow", 0, 2, false, ""},
		},
		{
			"the shadow phase needs no webhook", functions.PhaseShadow, says(200, receipt),
			func(h *house) { h.Config = playbook.Config{} },
			outcome{skipped, none, "", "end", "shadow", 0, 2, false, ""},
		},
		{
			"a phase that sends needs a webhook, before it claims", production, says(200, receipt),
			func(h *house) { h.Config.URL = "" },
			outcome{failed, none, precondition, "decide", "failed", 0, 0, false, ""},
		},
		{
			"a phase that sends needs a secret, before it claims", pilot, says(200, receipt),
			func(h *house) { h.Config.Secret = "" },
			outcome{failed, none, precondition, "decide", "failed", 0, 0, false, ""},
		},
		{
			"a guardrail stops", production, says(200, receipt),
			func(h *house) {
				h.exec(`UPDATE retention_snapshot SET retention_status = 'ACTIVE', days_since_last_order = 20`)
				h.exec(`UPDATE churn_detection SET churn_risk_level = 'HIGH'`)
			},
			outcome{failed, none, precondition, "guardrails", "guardrail", 0, 2, false, ""},
		},
		{
			"customers of another day are stale", production, says(200, receipt),
			func(h *house) {
				h.exec(`INSERT INTO alert_logic VALUES ('2026-01-13', 'INFO', false, 21.0, 21.0, 0, 100)`)
			},
			outcome{failed, none, precondition, "queue", "failed", 0, 2, false, ""},
		},
		{
			"a day without an alert row is not found", production, says(200, receipt),
			func(h *house) { h.exec(`DELETE FROM alert_logic WHERE alert_date = '2026-01-12'`) },
			outcome{failed, none, functions.NotFound, "decide", "failed", 0, 0, false, ""},
		},
		{
			"a missing table stops the run", production, says(200, receipt),
			func(h *house) { h.exec(`DROP TABLE churn_detection`) },
			outcome{failed, none, precondition, "queue", "failed", 0, 2, false, ""},
		},
		{
			"a payload template that is not there is a fault before the claim", production, says(200, receipt),
			func(h *house) { h.Book = shipped(h.t, production, "payload: make", "payload: nobodys") },
			outcome{failed, none, precondition, "decide", "failed", 0, 0, false, ""},
		},
		{
			"nowhere to put the exports is a fault before the claim", production, says(200, receipt),
			func(h *house) { h.Exporter.CSV = nil },
			outcome{failed, none, precondition, "decide", "failed", 0, 0, false, ""},
		},
		{
			"an archive that fails stops the run, and says nothing of itself", production, says(200, receipt),
			func(h *house) { h.Archive = &mortal{Archive: h.Archive, fatal: "payloads/"} },
			outcome{failed, none, functions.Unavailable, "send", "failed", 0, 1, false, ""},
		},
		{
			"a run that takes too long stops", production, says(200, receipt),
			func(h *house) { h.Longest = time.Nanosecond },
			outcome{failed, none, functions.Unavailable, "decide", "failed", 0, 0, false, ""},
		},
		{
			"a run that outlasts its claim does not send", production, says(200, receipt),
			func(h *house) {
				open := h.Exporter.CSV
				h.Exporter.CSV = func(ctx context.Context) (destination.Destination, error) {
					h.clock.advance(playbook.DefaultHold)
					return open(ctx)
				}
			},
			outcome{failed, none, precondition, "send", "failed", 0, 2, false, ""},
		},
		{
			"what the stored queue refuses is no fault of the caller's input", production, says(200, receipt),
			func(h *house) { h.Builder.Queues = refusingQueues{h.Builder.Queues} },
			outcome{failed, none, precondition, "queue", "failed", 0, 2, false, ""},
		},
		{
			"a program that breaks down is an internal fault", production, says(200, receipt),
			func(h *house) { h.Archive = breaking{h.Archive} },
			outcome{failed, none, functions.Internal, "brief", "failed", 0, 2, false, ""},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, test.script)
			h := newHouse(t, test.phase, hook.address())
			if test.change != nil {
				test.change(h)
			}
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			rows := h.rows(t)
			if len(rows) != 1 {
				t.Fatalf("the log has %d runs, want 1", len(rows))
			}
			row := rows[0]
			got := outcome{
				Status: out.Status, Delivery: out.DeliveryState, Code: functions.CodeOf(err), Stage: row.Stage,
				Reason: row.NotificationReason, Requests: len(hook.requests()), Claims: len(h.kept(t, "claims/")),
				Slack: out.Artifacts.SlackPosted, Ticket: out.Artifacts.JiraTicket,
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\nreason: %s\nerror: %v", diff, out.Reason, err)
			}
			if out.Reason == "" || !out.LogWritten {
				t.Errorf("reason %q, log written %t", out.Reason, out.LogWritten)
			}
			if row.RunID != out.RunID || row.Status != out.Status || row.DeliveryState != out.DeliveryState ||
				row.SlackPosted != (row.SlackMessageTS != "") || row.TicketID != out.Artifacts.JiraTicket ||
				row.Phase != test.phase || row.ExecutionTimeMS == nil || row.WebhookAttempts != int64(got.Requests) ||
				(err == nil) != (row.ErrorMessage == "") {
				t.Errorf("the row says otherwise than the answer: %+v", row)
			}
			if err == nil {
				return
			}
			problem := functions.ProblemOf(err, "")
			told := problem.Detail + problem.Hint + row.ErrorMessage + out.Reason
			if strings.Contains(told, errKilled.Error()) || strings.Contains(told, "customer-0") {
				t.Errorf("the cause leaves the house: %s", told)
			}
			if problem.RunID != out.RunID {
				t.Errorf("the error names run %q, want %q", problem.RunID, out.RunID)
			}
			if problem.Code == functions.Internal {
				return // nothing but the run's id leaves the house
			}
			if diff := cmp.Diff(any(out), problem.Result); diff != "" {
				t.Errorf("the error carries another output (-want +got):\n%s", diff)
			}
		})
	}
}

// breaking is an archive in which the program breaks down over a brief.
type breaking struct{ archive.Archive }

func (b breaking) Put(ctx context.Context, name string, document []byte) error {
	if strings.HasPrefix(name, "briefs/") {
		panic("broken")
	}
	return b.Archive.Put(ctx, name, document)
}

// refusingQueues are tables that do not take what they are given, and name a customer in saying so.
type refusingQueues struct{ priority.Queues }

func (refusingQueues) ReplaceQueue(context.Context, functions.Date, []retention.QueueRow, functions.Date) (int64, error) {
	return 0, functions.Errorf(functions.InvalidArgument, "the score of customer-007 is not a number")
}

func TestWhatWasJudgedLeavesWhateverBecomesOfTheTable(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	open := h.Exporter.CSV
	h.Exporter.CSV = func(ctx context.Context) (destination.Destination, error) {
		h.exec(`UPDATE customer_priority SET customer_id = 'somebody else ' || customer_id`) // as many rows of the same rules
		return open(ctx)
	}
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil || out.DeliveryState != functions.DeliveryConfirmed {
		t.Fatalf("got %+v, %v", out, err)
	}
	rows := 0
	for _, name := range files(t, h.exports) {
		content, err := os.ReadFile(h.exports + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "somebody else") {
			t.Errorf("%s holds what was never judged", name)
		}
		rows += strings.Count(string(content), "customer-0")
	}
	if rows != 30 {
		t.Errorf("%d customers left, want the 10 of P1 and the 20 of P2", rows)
	}
}

func TestTheRunGoesOnWithoutItsCaller(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	hook := newHook(t, func(w http.ResponseWriter, r *http.Request) {
		leave()
		says(500, "")(w, r)
	}, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	out, err := h.Run(ctx, functions.TriggerPlaybookInput{})
	if err != nil || out.DeliveryState != functions.DeliveryConfirmed || out.Attempts != 2 || !out.LogWritten {
		t.Errorf("got %+v, %v; want a confirmed run", out, err)
	}
}

func TestACallerWhoLeavesBeforeTheClaimLeavesARow(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	out, err := h.Run(ctx, functions.TriggerPlaybookInput{})
	if functions.CodeOf(err) != functions.Unavailable || out.Status != functions.RunFailed {
		t.Errorf("got %v, %v; want a failed run", out.Status, err)
	}
	rows := h.rows(t)
	if len(rows) != 1 || rows[0].Status != functions.RunFailed || len(h.kept(t, "claims/")) != 0 || len(hook.requests()) != 0 {
		t.Errorf("rows %+v; want one failed run and no claim", rows)
	}
}

func TestInputThatIsNotValidIsNoRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t, functions.PhaseProduction, "http://127.0.0.1:1/hook")
	for _, in := range []functions.TriggerPlaybookInput{
		{Date: "yesterday"}, {Override: &functions.Override{By: "Ada"}},
	} {
		_, err := h.Run(t.Context(), in)
		if functions.CodeOf(err) != functions.InvalidArgument {
			t.Errorf("%+v: got %v, want invalid_argument", in, err)
		}
	}
	if rows := h.rows(t); len(rows) != 0 {
		t.Errorf("the log has %d runs", len(rows))
	}
}
