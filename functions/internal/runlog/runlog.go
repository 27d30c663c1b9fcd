// Package runlog keeps the audit log of playbook runs: a row when a run begins and one when it ends, never lost. A row
// that the warehouse does not take goes whole to the structured log and to the archive, from where a later run writes
// it under its original time.
//
// It is not the program's log, and it never changes a row: the newest row of a run is its state.
package runlog

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// Rows is the table of the log.
type Rows interface {
	// AppendRun appends a row, unless there is one of that run and status already; any error means that the row may not
	// be there.
	AppendRun(ctx context.Context, run retention.Run) error
	// Runs reads the newest row of each run, newest run first.
	Runs(ctx context.Context, query warehouse.RunQuery) ([]retention.Run, error)
}

// Absent is a table that could not be opened: a Log on it keeps every row for later.
type Absent struct{ Cause error }

// AppendRun implements Rows.
func (a Absent) AppendRun(context.Context, retention.Run) error { return a.Cause }

// Runs implements Rows.
func (a Absent) Runs(context.Context, warehouse.RunQuery) ([]retention.Run, error) {
	return nil, a.Cause
}

// The deadlines of a Log, so that a run can keep as much time back as its end may need.
const (
	RowDeadline       = 20 * time.Second // for one row, unless the Log names another; the warehouse's three retries take 14 s
	ReconcileDeadline = 5 * time.Second  // for the rows of earlier runs, unless the Log names another
	ArchiveDeadline   = 5 * time.Second  // for one document

	// BeginDeadline and FinishDeadline are the longest that Begin and Finish take: a row, and where it is kept when the
	// warehouse does not take it.
	BeginDeadline  = ReconcileDeadline + FinishDeadline
	FinishDeadline = RowDeadline + ArchiveDeadline
)

// The deadlines once the program was told to end: what is not written then is killed a few seconds later. Rows of
// earlier runs can wait.
const (
	StoppingRowDeadline     = time.Second
	StoppingArchiveDeadline = 500 * time.Millisecond
	StoppingFinishDeadline  = StoppingRowDeadline + StoppingArchiveDeadline // also of Begin
)

// Log keeps the runs. It is safe for use by several goroutines.
type Log struct {
	Warehouse Rows
	Archive   archive.Archive
	Logger    *slog.Logger
	Now       func() time.Time
	Longest   time.Duration // a run that has been running for longer is abandoned

	RowDeadline       time.Duration // for one row, whatever the caller's context says; 0 means 20 s
	ReconcileDeadline time.Duration // for what Begin does for earlier runs; 0 means 5 s
}

// Begin writes the row of a run that begins, as running, after those of earlier runs that are still to be written. It
// tells whether the row reached the warehouse; if not, it is kept elsewhere.
func (l *Log) Begin(ctx context.Context, run retention.Run) (written bool) {
	early, cancel := functions.Outlive(ctx, cmp.Or(l.ReconcileDeadline, ReconcileDeadline), 0)
	if _, err := l.Reconcile(early); err != nil {
		l.Logger.WarnContext(ctx, "rows of earlier runs are still to be written", "error", err.Error())
	}
	cancel()
	run.Status = functions.RunRunning
	return l.append(ctx, run)
}

// Finish writes the row of a run that has ended, also when its context was cancelled. A run that is handed over without
// an outcome, as after a panic, has failed. It tells whether the row reached the warehouse; if not, it is kept
// elsewhere.
func (l *Log) Finish(ctx context.Context, run retention.Run) (written bool) {
	switch run.Status {
	case functions.RunSuccess, functions.RunFailed, functions.RunSkipped:
	case functions.RunRunning, functions.RunAbandoned:
		fallthrough
	default:
		run.Status = functions.RunFailed
		if run.ErrorMessage == "" {
			run.ErrorMessage = "internal: the run ended without an outcome"
		}
	}
	return l.append(ctx, run)
}

// Missed writes the begin row of a run that was killed before it wrote one, under the time at which it began: whatever
// else there is of that run is newer. A run that is in the log already, or waits to be written, is left as it is.
func (l *Log) Missed(ctx context.Context, run retention.Run) {
	if _, err := l.Show(ctx, run.RunID); functions.CodeOf(err) != functions.NotFound {
		return
	}
	run.Status = functions.RunRunning
	l.appendAt(ctx, run, run.RunTimestamp)
}

// append writes a row, or keeps it for later. A caller who has gone cuts neither short: the row is about them.
func (l *Log) append(ctx context.Context, run retention.Run) (written bool) {
	return l.appendAt(ctx, run, l.Now())
}

func (l *Log) appendAt(ctx context.Context, run retention.Run, at time.Time) (written bool) {
	run.CreatedAt = at.UTC().Truncate(time.Microsecond)
	run.RunTimestamp = run.RunTimestamp.UTC().Truncate(time.Microsecond)
	bounded, cancel := functions.Outlive(ctx, cmp.Or(l.RowDeadline, RowDeadline), StoppingRowDeadline)
	defer cancel()
	err := l.Warehouse.AppendRun(bounded, run)
	if err == nil {
		return true
	}
	l.spool(ctx, run, err)
	return false
}

// Stage keeps the stage that a running run has reached and what is known of its delivery there, so that a run that never
// ends can be told where it stopped.
func (l *Log) Stage(ctx context.Context, runID, stage string, delivery functions.DeliveryState) error {
	ctx, cancel := context.WithTimeout(ctx, ArchiveDeadline)
	defer cancel()
	return l.Archive.Put(ctx, stageName(runID), []byte(stage+" "+string(delivery)))
}

func stageName(runID string) string { return "runs/" + runID + "/stage" }

// List reads runs, newest first, each in its state. Rows that are still to be written count. A run that has been
// running for longer than the longest possible one is shown as abandoned. Both it and a running one are shown with the
// stage they reached: a run that was killed while it sent may have delivered.
func (l *Log) List(ctx context.Context, query warehouse.RunQuery) ([]retention.Run, error) {
	runs, err := l.Warehouse.Runs(ctx, query)
	if err != nil {
		return nil, err
	}
	runs = merge(runs, l.waiting(ctx), query)
	for i := range runs {
		if runs[i].Status == functions.RunRunning {
			l.look(ctx, &runs[i])
		}
	}
	return runs, nil
}

// look completes a run that has no end row yet.
func (l *Log) look(ctx context.Context, run *retention.Run) {
	if l.Now().Sub(run.RunTimestamp) > l.Longest {
		run.Status = functions.RunAbandoned
	}
	ctx, cancel := context.WithTimeout(ctx, ArchiveDeadline)
	defer cancel()
	document, err := l.Archive.Get(ctx, stageName(run.RunID))
	switch {
	case err == nil:
		stage, delivery, _ := strings.Cut(strings.TrimSpace(string(document)), " ")
		run.Stage = stage
		if word := functions.DeliveryState(delivery); slices.Contains(functions.DeliveryStates, word) {
			run.DeliveryState = word
		}
	case !errors.Is(err, archive.ErrNotFound):
		l.Logger.WarnContext(ctx, "the stage of a run cannot be read", "run_id", run.RunID, "error", err.Error())
	}
}

// Show reads one run; not_found when the log has none of that id.
func (l *Log) Show(ctx context.Context, runID string) (retention.Run, error) {
	if runID == "" {
		return retention.Run{}, functions.Errorf(functions.InvalidArgument, "no run is named").WithHint("give a run_id, as the list of runs shows them")
	}
	runs, err := l.List(ctx, warehouse.RunQuery{RunID: runID, Limit: 1})
	if err != nil {
		return retention.Run{}, err
	}
	if len(runs) == 0 {
		return retention.Run{}, functions.Errorf(functions.NotFound, "there is no run %q", runID).WithHint("the list of runs names them")
	}
	return runs[0], nil
}

// LastSent reads the newest run whose delivery is confirmed or accepted, nil when there is none: what the next queue is
// compared with. Runs that sent nothing move no baseline.
func (l *Log) LastSent(ctx context.Context) (*retention.Run, error) {
	runs, err := l.List(ctx, warehouse.RunQuery{Sent: true, Limit: 1})
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return &runs[0], nil
}

// sent tells whether a run's message arrived.
func sent(run retention.Run) bool {
	return run.DeliveryState == functions.DeliveryConfirmed || run.DeliveryState == functions.DeliveryAccepted
}
