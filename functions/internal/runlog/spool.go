package runlog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// Rows that the warehouse did not take lie in the archive under spool/MONTH/, one document each, and get a second one of
// the same name under spooled/MONTH/ once they are written: an archive cannot delete, and keeping what happened is its
// business anyway. A month in which nothing waits any more is closed, and never looked at again: what every run looks
// at does not grow with the years.
const (
	spoolFolder   = "spool/"
	writtenFolder = "spooled/"
	rowSuffix     = ".json"
	closedName    = "spooled/closed" // holds the newest closed month; those before it are closed too
)

const (
	// spoolTime and spoolMonth sort as text by time and hold nothing that a name may not.
	spoolTime  = "20060102T150405.000000Z"
	spoolMonth = "2006-01"
	// closeAfter is how long after its end a month stays open: for rows that are on their way, and clocks that differ.
	closeAfter = 48 * time.Hour
	// maxMonths is how many months are looked at one by one; beyond it everything is listed at once.
	maxMonths = 12
)

// spool keeps a row that the warehouse did not take: first in the structured log, which cannot refuse, then in the
// archive.
func (l *Log) spool(ctx context.Context, run retention.Run, cause error) {
	// JSON has no word for a figure that is no number; the rest of the row must not be lost for it.
	for _, figure := range []**float64{&run.CurrentValue, &run.BaselineValue, &run.DeltaRelativePct} {
		if *figure != nil && (math.IsNaN(**figure) || math.IsInf(**figure, 0)) {
			*figure = nil
		}
	}
	row, err := json.Marshal(run)
	if err != nil {
		l.Logger.ErrorContext(ctx, "a row of the run log is lost: it has no JSON form",
			"run_id", run.RunID, "status", string(run.Status), "error", errors.Join(cause, err).Error())
		return
	}
	l.Logger.ErrorContext(ctx, "a row of the run log was not written",
		"run_id", run.RunID, "run_log_row", json.RawMessage(row), "error", cause.Error())
	ctx, cancel := functions.Outlive(ctx, ArchiveDeadline, StoppingArchiveDeadline)
	defer cancel()
	// In the present month, whatever the row's own time is: that of a run that was killed long ago may be closed.
	name := spoolFolder + l.Now().UTC().Format(spoolMonth) + "/" +
		run.CreatedAt.Format(spoolTime) + "_" + run.RunID + "_" + string(run.Status) + rowSuffix
	err = l.Archive.PutIfAbsent(ctx, name, row)
	if errors.Is(err, archive.ErrExists) {
		if there, getErr := l.Archive.Get(ctx, name); getErr == nil && bytes.Equal(there, row) {
			return // the same row, kept twice
		}
	}
	if err != nil {
		l.Logger.ErrorContext(ctx, "a row of the run log is kept in this log alone", "run_id", run.RunID, "error", err.Error())
	}
}

// Reconcile writes the rows that wait in the archive into the warehouse, oldest first and under their original time,
// and tells how many. It may be repeated and may run twice at once, as a row that is there already is not written
// again. It ends early when the warehouse is not available; a row that cannot be read or is refused for another reason
// does not hold up the others.
func (l *Log) Reconcile(ctx context.Context) (written int, err error) {
	names, closed, err := l.waitingNames(ctx)
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, name := range names {
		wrote, err := l.reconcile(ctx, name)
		if wrote {
			written++
		}
		if err == nil {
			continue
		}
		faults = append(faults, fmt.Errorf("write %s: %w", name, err))
		if functions.Passes(err) || ctx.Err() != nil {
			break
		}
	}
	if len(faults) == 0 {
		faults = append(faults, l.closeMonths(ctx, closed))
	}
	return written, errors.Join(faults...)
}

func (l *Log) reconcile(ctx context.Context, name string) (wrote bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.RowDeadline, RowDeadline))
	defer cancel()
	run, err := l.kept(ctx, name)
	if err != nil {
		return false, err
	}
	if err := l.Warehouse.AppendRun(ctx, run); err != nil {
		return false, err
	}
	l.Logger.InfoContext(ctx, "a row of the run log was written late",
		"run_id", run.RunID, "status", string(run.Status), "created_at", run.CreatedAt.Format(time.RFC3339Nano))
	// The row is marked after it is written: repeating the write does no harm, losing it does.
	return true, l.Archive.Put(ctx, writtenFolder+strings.TrimPrefix(name, spoolFolder), nil)
}

func (l *Log) kept(ctx context.Context, name string) (retention.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, ArchiveDeadline)
	defer cancel()
	var run retention.Run
	document, err := l.Archive.Get(ctx, name)
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(document, &run); err != nil {
		return run, fmt.Errorf("read row: %w", err)
	}
	if run.RunID == "" || run.CreatedAt.IsZero() {
		return run, errors.New("read row: no run_id or created_at")
	}
	return run, nil
}

// waitingNames names the rows that are still to be written, oldest first, and the newest closed month, "" for none.
func (l *Log) waitingNames(ctx context.Context) (names []string, closed string, err error) {
	ctx, cancel := context.WithTimeout(ctx, ArchiveDeadline)
	defer cancel()
	document, err := l.Archive.Get(ctx, closedName)
	if err != nil && !errors.Is(err, archive.ErrNotFound) {
		return nil, "", err
	}
	closed = string(document)
	for _, month := range l.openMonths(closed) {
		rows, err := l.Archive.List(ctx, spoolFolder+month)
		if err != nil {
			return nil, closed, err
		}
		if len(rows) == 0 {
			continue
		}
		done, err := l.Archive.List(ctx, writtenFolder+month)
		if err != nil {
			return nil, closed, err
		}
		written := make(map[string]bool, len(done))
		for _, name := range done {
			written[spoolFolder+strings.TrimPrefix(name, writtenFolder)] = true
		}
		names = append(names, slices.DeleteFunc(rows, func(name string) bool {
			return !strings.HasSuffix(name, rowSuffix) || written[name]
		})...)
	}
	return names, closed, nil
}

// openMonths names the folders of the months after the closed one, up to the present; one empty name, which stands for
// all months, when none is closed yet or it was long ago.
func (l *Log) openMonths(closed string) []string {
	first, err := time.Parse(spoolMonth, closed)
	if err != nil {
		return []string{""}
	}
	now := l.Now().UTC()
	var months []string
	for month := first.AddDate(0, 1, 0); !month.After(now); month = month.AddDate(0, 1, 0) {
		if months = append(months, month.Format(spoolMonth)+"/"); len(months) > maxMonths {
			return []string{""}
		}
	}
	return months
}

// closeMonths closes the months that ended a while ago. It is called when no row waits.
func (l *Log) closeMonths(ctx context.Context, closed string) error {
	open := l.Now().UTC().Add(-closeAfter)
	ended := time.Date(open.Year(), open.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -1, 0).Format(spoolMonth)
	if ended <= closed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ArchiveDeadline)
	defer cancel()
	return l.Archive.Put(ctx, closedName, []byte(ended))
}

// waiting reads the rows that are still to be written. The log can be read without them, so a fault is only told.
func (l *Log) waiting(ctx context.Context) []retention.Run {
	names, _, err := l.waitingNames(ctx)
	var runs []retention.Run
	for _, name := range names {
		run, readErr := l.kept(ctx, name)
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("read %s: %w", name, readErr))
			continue
		}
		runs = append(runs, run)
	}
	if err != nil {
		l.Logger.WarnContext(ctx, "rows that wait in the archive cannot be read", "error", err.Error())
	}
	return runs
}

// defaultLimit is what warehouse.RunQuery says that a limit of 0 stands for.
const defaultLimit = 1000

// merge lets the waiting rows stand for their runs where they are newer than what the warehouse has.
func merge(runs, waiting []retention.Run, query warehouse.RunQuery) []retention.Run {
	changed := false
	for _, row := range waiting {
		if !matches(row, query) {
			continue
		}
		at := slices.IndexFunc(runs, func(run retention.Run) bool { return run.RunID == row.RunID })
		switch {
		case at < 0:
			runs = append(runs, row)
			changed = true
		case newer(row, runs[at]):
			runs[at] = row
		}
	}
	if changed {
		slices.SortFunc(runs, func(a, b retention.Run) int {
			return cmp.Or(b.RunTimestamp.Compare(a.RunTimestamp), strings.Compare(b.RunID, a.RunID))
		})
		// Beyond the limit a waiting begin row may belong to a run whose end was not read: it must not show as running.
		runs = runs[:min(len(runs), cmp.Or(query.Limit, defaultLimit))]
	}
	return runs
}

// newer orders the rows of one run as the warehouse does: by the time of writing, and of equal times the end wins.
func newer(a, b retention.Run) bool {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c > 0
	}
	return b.Status == functions.RunRunning && a.Status != functions.RunRunning
}

func matches(run retention.Run, query warehouse.RunQuery) bool {
	since, before := query.Span()
	return (query.RunID == "" || run.RunID == query.RunID) && (!query.Sent || sent(run)) &&
		!run.RunTimestamp.Before(since) && run.RunTimestamp.Before(before)
}
