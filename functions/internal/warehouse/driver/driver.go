// Package driver is what a warehouse engine implements. Rooms above use package warehouse, never this one.
//
// Errors: a driver answers with *functions.Error. unavailable and deadline_exceeded are the faults that pass (the
// portable type retries those); failed_precondition is a missing table or column, named in the detail; not_found is
// as said at each method; everything else is internal with the engine's error as its cause. Details never hold SQL,
// file paths or project names beyond the names of our tables and columns.
package driver

import (
	"context"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Warehouse reads the four input tables and keeps our two. It is safe for use by several goroutines.
type Warehouse interface {
	// AlertOn reads the alert row of a day; not_found when there is none. Rows of one day that contradict each other are
	// failed_precondition.
	AlertOn(ctx context.Context, date functions.Date) (retention.Alert, error)
	// NewestAlert reads the alert row with the newest date; not_found when alert_logic is empty.
	// An alert whose current_value or sample_size is NULL is failed_precondition, here and above.
	NewestAlert(ctx context.Context) (retention.Alert, error)

	// Customers visits every id that stands in any of the three customer tables, in the order of the id, once each,
	// with the row counts per table; of several rows with one id each column gives its smallest value, so that reading
	// twice gives the same. Rows without an id come as one customer with an empty ID. The newest alert date is read in
	// the same statement and is the as-of date of the data; not_found when alert_logic is empty, with nothing visited.
	// An error of visit ends the read and is returned as it is.
	Customers(ctx context.Context, visit func(retention.Customer) error) (asOf functions.Date, err error)

	// Exclusions visits every customer_id of a table that stands beside the input tables, as text, each once, in bytewise
	// order: customers who are never to be contacted, as ids or as keyed hashes of ids. A NULL and an empty text name
	// nobody and are not visited; other columns of the table are not read. The table's name is checked first
	// (CheckTable). A table or column that is not there is failed_precondition, named: an empty list is never made of it.
	// An error of visit ends the read and is returned as it is.
	Exclusions(ctx context.Context, table string, visit func(entry string) error) error

	// ReplaceQueue replaces the day's rows of customer_priority by rows, whole and atomically: a reader sees the old
	// day or the new one. An empty rows empties the day. Days before expireBefore are removed. It answers how many
	// rows of the day stood there before. It is invalid_argument, and nothing is changed, when a row's RunDate is not
	// date, an id comes twice, a score is not a finite number, an amount has more digits than a NUMERIC holds (29
	// before the point, 9 after it), or date itself is before expireBefore. A zero expireBefore removes nothing; a row
	// without CreatedAt gets the engine's time.
	ReplaceQueue(ctx context.Context, date functions.Date, rows []retention.QueueRow, expireBefore functions.Date) (replaced int64, err error)
	// Queue visits the day's rows, of one tier when tier is not empty, by tier, then score descending, then customer
	// id (bytewise). A day without rows visits nothing.
	Queue(ctx context.Context, date functions.Date, tier functions.Tier, visit func(retention.QueueRow) error) error
	// QueueSummary sums up the newest day not after date that has rows; not_found when there is none.
	QueueSummary(ctx context.Context, date functions.Date) (retention.QueueSummary, error)

	// AppendRun appends a row to ops_runs_log; it can be read back at once. A row is known by its run_id and status:
	// when the log has one of that pair, nothing is written, so that an attempt whose answer was lost can be repeated.
	// Both must be set (invalid_argument); a zero CreatedAt gets the engine's time.
	AppendRun(ctx context.Context, run retention.Run) error
	// Runs reads the newest row of each run (by created_at; of equal times the one that is not "running"), newest run
	// first (run_timestamp, then run_id, descending). The query narrows those newest rows.
	Runs(ctx context.Context, query RunQuery) ([]retention.Run, error)

	// Close lets go of the engine. The warehouse is not usable after it.
	Close() error
}

// maxTable is how long the name of a table may be.
const maxTable = 128

// CheckTable reports as failed_precondition what cannot be the name of a table beside the input tables: it becomes part
// of a statement, so it holds letters, digits and "_" only.
func CheckTable(name string) error {
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	}
	if name == "" || len(name) > maxTable || name[0] >= '0' && name[0] <= '9' || strings.ContainsFunc(name, strange) {
		return functions.Errorf(functions.FailedPrecondition, "this is no name of a table").
			WithHint("write letters, digits and _ only, such as retention_exclusions; the table stands beside the input tables")
	}
	return nil
}

// RunQuery narrows Runs; empty fields narrow nothing.
type RunQuery struct {
	RunID string
	Sent  bool // runs whose message arrived: confirmed or accepted
	Limit int  // 0 means 1000

	Since, Before time.Time // when they began: from Since on, and before Before; zero is no bound
}

// Span is when the runs began, with the bounds that a query leaves open at the ends of what both engines can tell apart.
func (q RunQuery) Span() (since, before time.Time) {
	since, before = q.Since.UTC(), q.Before.UTC()
	if q.Since.IsZero() {
		since = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if q.Before.IsZero() {
		before = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return since, before
}
