package rollout_test

import (
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rollout"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

// house is a log on a real warehouse and notes in a real archive, with a clock that a test sets.
type house struct {
	t      *testing.T
	engine *duckdbwarehouse.Warehouse
	log    *runlog.Log
	notes  *rollout.Notes
	phase  functions.Phase
	now    time.Time
	made   int
}

// noon is after the daily run of six.
var noon = time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, phase functions.Phase) *house {
	t.Helper()
	engine, err := duckdbwarehouse.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	papers, err := filearchive.Open(&url.URL{Scheme: "file", Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, engine: engine, phase: phase, now: noon}
	clock := func() time.Time { return h.now }
	h.log = &runlog.Log{Warehouse: engine, Archive: papers, Logger: slog.New(slog.DiscardHandler), Now: clock, Longest: 290 * time.Second}
	h.notes = &rollout.Notes{Archive: papers, Runs: h.log, Now: clock, NewID: func() string { h.made++; return fmt.Sprintf("note-%03d", h.made) }}
	return h
}

// ran writes the end row of a daily run so many days ago, begun at six in the present phase, as edit changes it.
func (h *house) ran(daysAgo int, edit ...func(*retention.Run)) string {
	h.t.Helper()
	began := time.Date(2026, 3, 30, 6, 0, 0, 0, time.UTC).AddDate(0, 0, -daysAgo)
	date, flag := civil.DateOf(began), false
	h.made++
	run := retention.Run{
		RunID: fmt.Sprintf("run-%03d", h.made), RunTimestamp: began, AlertDate: &date, AlertFlag: &flag, Severity: functions.Info,
		Status: functions.RunSkipped, Phase: h.phase, DeliveryState: functions.DeliveryNone, CreatedAt: began.Add(5 * time.Second),
	}
	for _, change := range edit {
		change(&run)
	}
	if err := h.engine.AppendRun(h.t.Context(), run); err != nil {
		h.t.Fatal(err)
	}
	return run.RunID
}

// warned is a WARNING that was confirmed by a receipt.
func warned(run *retention.Run) {
	flag := true
	run.Severity, run.AlertFlag, run.Status, run.DeliveryState = functions.Warning, &flag, functions.RunSuccess, functions.DeliveryConfirmed
}

func broken(run *retention.Run) { run.Status, run.Phase = functions.RunFailed, "" }

func in(phase functions.Phase) func(*retention.Run) {
	return func(run *retention.Run) { run.Phase = phase }
}

// note writes something down, and gives the note's id.
func (h *house) note(what functions.NoteKind, runID string, after time.Duration) string {
	h.t.Helper()
	in := functions.NoteInput{What: what, Who: "Ada", Why: "seen", RunID: runID}
	if after > 0 {
		run, err := h.log.Show(h.t.Context(), runID)
		if err != nil {
			h.t.Fatal(err)
		}
		in.At = run.CreatedAt.Add(after).Format(time.RFC3339)
	}
	kept, err := h.notes.Record(h.t.Context(), in, h.phase)
	if err != nil {
		h.t.Fatal(err)
	}
	h.now = h.now.Add(time.Second)
	return kept.ID
}

// view is the evidence as it stands.
func (h *house) view() functions.RolloutView {
	h.t.Helper()
	runs, err := h.log.List(h.t.Context(), warehouse.RunQuery{})
	if err != nil {
		h.t.Fatal(err)
	}
	notes, err := h.notes.All(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return rollout.Judge(rollout.Input{Phase: h.phase, Runs: runs, Notes: notes, Now: h.now, Zone: time.UTC})
}
