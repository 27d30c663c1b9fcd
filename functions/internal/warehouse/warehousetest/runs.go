package warehousetest

import (
	"math"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// begun is the row that a run writes at its begin.
func begun(id string, date functions.Date) retention.Run {
	return retention.Run{
		RunID: id, RunTimestamp: written, AlertDate: &date, Status: functions.RunRunning, CreatedAt: written,
		IdempotencyKey: "rop_" + date.String() + "_WARNING_production", Phase: functions.PhaseProduction,
	}
}

// full is the row of a run's end, with every column set.
func full(id string) retention.Run {
	date, flag, current, baseline, delta := monday, true, 25.2, 21.4, math.Pi
	size, p1, p2, p3, total, ms := int64(8069), int64(92), int64(312), int64(0), int64(404), int64(5123)
	return retention.Run{
		RunID: id, RunTimestamp: written, AlertDate: &date, Severity: functions.Warning, AlertFlag: &flag,
		CurrentValue: &current, BaselineValue: &baseline, DeltaRelativePct: &delta, SampleSize: &size,
		P1Count: &p1, P2Count: &p2, P3Count: &p3, TotalExported: &total,
		SlackPosted: true, SlackMessageTS: "1736668800.000100", TicketID: "RET-42",
		ExportP1Link: "file:///exports/p1.csv", ExportP2Link: "file:///exports/p2.csv", ExportP3Link: "file:///exports/p3.csv",
		Status: functions.RunSuccess, ErrorMessage: "it's \"quoted\" 客户", ExecutionTimeMS: &ms,
		Stage: "end", RulesVersion: "0123456789ab", Phase: functions.PhaseProduction, Caller: "make",
		IdempotencyKey: "rop_2026-01-12_WARNING_production", DeliveryState: functions.DeliveryConfirmed, WebhookAttempts: 2,
		EmailSent: true, ExportState: "csv", NotificationReason: "first", ForcedBy: "ana: audit", ConfirmationID: "c-1",
		InputFingerprint: "ffee", DryRun: true, CreatedAt: written.Add(5 * time.Second),
	}
}

func mustAppend(t trial, w driver.Warehouse, runs ...retention.Run) {
	t.Helper()
	for _, run := range runs {
		if err := w.AppendRun(t.Context(), run); err != nil {
			t.Fatalf("append run %s: %v", run.RunID, err)
		}
	}
}

func runsOf(t trial, w driver.Warehouse, query driver.RunQuery) []retention.Run {
	t.Helper()
	runs, err := w.Runs(t.Context(), query)
	if err != nil {
		t.Fatalf("read the runs: %v", err)
	}
	return runs
}

func ids(runs []retention.Run) []string {
	var ids []string
	for _, run := range runs {
		ids = append(ids, run.RunID+" "+string(run.Status))
	}
	return ids
}

var runChecks = []check{
	{"an empty log has no runs", func(t trial) {
		w := t.open(Inputs{})
		if runs := runsOf(t, w, driver.RunQuery{}); len(runs) != 0 {
			t.Errorf("got %d runs, want none", len(runs))
		}
	}},
	{"a run is read back at once as it was written, every column of it", func(t trial) {
		w := t.open(Inputs{})
		bare := retention.Run{RunID: "01BARE", RunTimestamp: written, Status: functions.RunSkipped, CreatedAt: written}
		everyFieldSet(t, full("01FULL"))
		mustAppend(t, w, full("01FULL"), bare)
		same(t, "runs", []retention.Run{full("01FULL"), bare}, runsOf(t, w, driver.RunQuery{}))
	}},
	{"the newest row of a run is its state", func(t trial) {
		w := t.open(Inputs{})
		mustAppend(t, w, full("01A"), begun("01A", monday)) // written in the wrong order, as a spooled row is
		same(t, "runs", []retention.Run{full("01A")}, runsOf(t, w, driver.RunQuery{}))
	}},
	{"of rows of one moment the one that is not running is the state", func(t trial) {
		w := t.open(Inputs{})
		for _, id := range []string{"01A", "01B"} {
			end := begun(id, monday)
			end.Status = functions.RunFailed
			if id == "01A" {
				mustAppend(t, w, begun(id, monday), end)
			} else {
				mustAppend(t, w, end, begun(id, monday))
			}
		}
		same(t, "runs", []string{"01B failed", "01A failed"}, ids(runsOf(t, w, driver.RunQuery{})))
	}},
	{"the newest run comes first, and of one moment the greater id", func(t trial) {
		w := t.open(Inputs{})
		later := begun("01A", monday)
		later.RunTimestamp = written.Add(time.Microsecond)
		mustAppend(t, w, begun("01B", monday), later, begun("01C", monday))
		same(t, "runs", []string{"01A running", "01C running", "01B running"}, ids(runsOf(t, w, driver.RunQuery{})))
	}},
	{"a query narrows, and judges a run by its newest row", func(t trial) {
		w := t.open(Inputs{})
		begin := full("01B")
		begin.DeliveryState, begin.Status, begin.CreatedAt = functions.DeliveryNone, functions.RunRunning, written
		mustAppend(t, w, begun("01A", sunday), begin, full("01B"), begun("01C", monday))
		for id, state := range map[string]functions.DeliveryState{
			"01D": functions.DeliveryAccepted, "01E": functions.DeliveryUnconfirmed, "01F": functions.DeliveryRefused,
		} {
			end := full(id)
			if end.DeliveryState = state; state != functions.DeliveryAccepted {
				end.Status = functions.RunFailed
			}
			mustAppend(t, w, end)
		}
		for name, c := range map[string]struct {
			query driver.RunQuery
			want  []string
		}{
			"everything":         {driver.RunQuery{}, []string{"01F failed", "01E failed", "01D success", "01C running", "01B success", "01A running"}},
			"one run":            {driver.RunQuery{RunID: "01B"}, []string{"01B success"}},
			"an unknown run":     {driver.RunQuery{RunID: "01B' OR ''='"}, nil},
			"what was sent":      {driver.RunQuery{Sent: true}, []string{"01D success", "01B success"}},
			"the one sent last":  {driver.RunQuery{Sent: true, Limit: 1}, []string{"01D success"}},
			"a run, if it was":   {driver.RunQuery{Sent: true, RunID: "01B"}, []string{"01B success"}},
			"a run that was not": {driver.RunQuery{Sent: true, RunID: "01A"}, nil},
			"the newest two":     {driver.RunQuery{Limit: 2}, []string{"01F failed", "01E failed"}},
		} {
			same(t, name, c.want, ids(runsOf(t, w, c.query)))
		}
	}},
	{"runs are told apart by when they began, to the microsecond", func(t trial) {
		w := t.open(Inputs{})
		later := full("01B")
		later.RunTimestamp, later.CreatedAt = written.Add(time.Microsecond), later.CreatedAt.AddDate(0, 2, 0)
		mustAppend(t, w, begun("01A", monday), full("01A"), later)
		for name, c := range map[string]struct {
			query driver.RunQuery
			want  []string
		}{
			"from a moment":          {driver.RunQuery{Since: written.Add(time.Microsecond)}, []string{"01B success"}},
			"up to a moment":         {driver.RunQuery{Before: written.Add(time.Microsecond)}, []string{"01A success"}},
			"from one to another":    {driver.RunQuery{Since: written, Before: written.Add(time.Hour)}, []string{"01B success", "01A success"}},
			"in another zone":        {driver.RunQuery{Since: written.In(time.FixedZone("", 3600)), Limit: 1}, []string{"01B success"}},
			"nothing began there":    {driver.RunQuery{Since: written.Add(time.Hour)}, nil},
			"not even the one named": {driver.RunQuery{RunID: "01A", Since: written.Add(time.Hour)}, nil},
		} {
			same(t, name, c.want, ids(runsOf(t, w, c.query)))
		}
	}},
	{"a row appended again is not written again", func(t trial) {
		w := t.open(Inputs{})
		again := full("01A")
		again.CreatedAt, again.TicketID = again.CreatedAt.Add(time.Hour), "RET-43"
		mustAppend(t, w, begun("01A", monday), full("01A"), again, begun("01A", monday))
		same(t, "runs", []retention.Run{full("01A")}, runsOf(t, w, driver.RunQuery{}))
	}},
	{"a row without id or status is refused", func(t trial) {
		w := t.open(Inputs{})
		wantCode(t, "no id", functions.InvalidArgument, w.AppendRun(t.Context(), begun("", monday)))
		nameless := begun("01A", monday)
		nameless.Status = ""
		wantCode(t, "no status", functions.InvalidArgument, w.AppendRun(t.Context(), nameless))
		if runs := runsOf(t, w, driver.RunQuery{}); len(runs) != 0 {
			t.Errorf("got %d runs, want none", len(runs))
		}
	}},
	{"a row without a time of writing gets the engine's", func(t trial) {
		w := t.open(Inputs{})
		timeless := full("01A")
		timeless.CreatedAt = time.Time{}
		mustAppend(t, w, timeless)
		if got := runsOf(t, w, driver.RunQuery{})[0].CreatedAt; got.Year() < 2020 {
			t.Errorf("got created_at %v, want the time of writing", got)
		}
	}},
}
