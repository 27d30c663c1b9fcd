// Package warehouse is the port to the tables: the four that the detection fills, which are only read, and the two
// that are ours. Engines live in the packages beside it and are opened by URL.
//
// It is not a query layer: it knows the few statements that the product needs, by name.
package warehouse

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/scheme"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

var drivers scheme.Registry[driver.Warehouse]

// Register adds a driver under the scheme of its URLs; drivers call it in init.
func Register(name string, open scheme.Open[driver.Warehouse]) { drivers.Register(name, open) }

// Open opens the warehouse that the URL names, such as duckdb:///path/file.duckdb.
func Open(ctx context.Context, url string) (*Warehouse, error) {
	opened, err := drivers.Open(ctx, "warehouse", url)
	if err != nil {
		return nil, err
	}
	return New(opened), nil
}

// RunQuery narrows Runs.
type RunQuery = driver.RunQuery

// AttemptTimeout is how long one attempt at a statement may take unless the Warehouse says otherwise. Four attempts with
// their pauses (174 s) end within what a playbook run has for its stages (185 s); a caller with less time ends them earlier.
const AttemptTimeout = 40 * time.Second

// Pauses are the waits of §14 between the attempts at a statement: three more attempts after 2, 4 and 8 seconds.
func Pauses() []time.Duration {
	return []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}
}

// Warehouse is a driver's warehouse with the retries of §14 around it. Set its fields before its first use; it is
// then safe for several goroutines. Its methods are those of driver.Warehouse and answer with the same errors.
type Warehouse struct {
	// Pauses are the waits before the second attempt and those after it.
	Pauses []time.Duration
	// AttemptTimeout is the deadline of each attempt; the caller's own wins when it is earlier.
	AttemptTimeout time.Duration
	// Jitter turns a pause into the one that is kept, so that callers who failed together do not come back together.
	Jitter func(time.Duration) time.Duration
	// NewID makes the id that all attempts at one call carry.
	NewID func() string

	driver driver.Warehouse
}

// New puts the retries of §14 around a driver's warehouse.
func New(d driver.Warehouse) *Warehouse {
	return &Warehouse{Pauses: Pauses(), AttemptTimeout: AttemptTimeout, Jitter: spread, NewID: func() string { return ulid.Make().String() }, driver: d}
}

// spread moves a pause by up to a tenth to either side.
func spread(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // a pause is no secret
}

// Driver is the driver's warehouse, for the room that needs what only one engine has.
func (w *Warehouse) Driver() driver.Warehouse { return w.driver }

// AlertOn reads the alert row of a day; not_found when there is none.
func (w *Warehouse) AlertOn(ctx context.Context, date functions.Date) (alert retention.Alert, err error) {
	err = w.retry(ctx, always, func(ctx context.Context) error {
		alert, err = w.driver.AlertOn(ctx, date)
		return err
	})
	return alert, err
}

// NewestAlert reads the alert row with the newest date; not_found when alert_logic is empty.
func (w *Warehouse) NewestAlert(ctx context.Context) (alert retention.Alert, err error) {
	err = w.retry(ctx, always, func(ctx context.Context) error {
		alert, err = w.driver.NewestAlert(ctx)
		return err
	})
	return alert, err
}

// Customers visits every customer once, in the order of the id, and answers the as-of date of the data. It is
// repeated only while nothing was visited: a visit cannot be taken back.
func (w *Warehouse) Customers(ctx context.Context, visit func(retention.Customer) error) (asOf functions.Date, err error) {
	visited := false
	err = w.retry(ctx, func() bool { return !visited }, func(ctx context.Context) error {
		asOf, err = w.driver.Customers(ctx, func(customer retention.Customer) error {
			visited = true
			return visit(customer)
		})
		return err
	})
	return asOf, err
}

// Exclusions visits every customer_id of a table beside the input tables, each once. It is repeated only while nothing
// was visited.
func (w *Warehouse) Exclusions(ctx context.Context, table string, visit func(entry string) error) error {
	visited := false
	return w.retry(ctx, func() bool { return !visited }, func(ctx context.Context) error {
		return w.driver.Exclusions(ctx, table, func(entry string) error {
			visited = true
			return visit(entry)
		})
	})
}

// ReplaceQueue replaces the day's rows of customer_priority, whole and atomically. Doing it twice leaves the same
// rows, so a lost answer is repeated; replaced then counts what the first attempt wrote.
func (w *Warehouse) ReplaceQueue(ctx context.Context, date functions.Date, rows []retention.QueueRow, expireBefore functions.Date) (replaced int64, err error) {
	err = w.retry(ctx, always, func(ctx context.Context) error {
		replaced, err = w.driver.ReplaceQueue(ctx, date, rows, expireBefore)
		return err
	})
	return replaced, err
}

// Queue visits the day's rows in the order of work, of one tier when tier is not empty. It is repeated only while
// nothing was visited.
func (w *Warehouse) Queue(ctx context.Context, date functions.Date, tier functions.Tier, visit func(retention.QueueRow) error) error {
	visited := false
	return w.retry(ctx, func() bool { return !visited }, func(ctx context.Context) error {
		return w.driver.Queue(ctx, date, tier, func(row retention.QueueRow) error {
			visited = true
			return visit(row)
		})
	})
}

// QueueSummary sums up the newest day not after date that has rows; not_found when there is none.
func (w *Warehouse) QueueSummary(ctx context.Context, date functions.Date) (summary retention.QueueSummary, err error) {
	err = w.retry(ctx, always, func(ctx context.Context) error {
		summary, err = w.driver.QueueSummary(ctx, date)
		return err
	})
	return summary, err
}

// AppendRun appends a row to ops_runs_log. A row is known by its run_id and status, and drivers write no second one
// of the same pair: so an attempt whose answer was lost can be repeated.
func (w *Warehouse) AppendRun(ctx context.Context, run retention.Run) error {
	return w.retry(ctx, always, func(ctx context.Context) error { return w.driver.AppendRun(ctx, run) })
}

// Runs reads the newest row of each run, newest run first.
func (w *Warehouse) Runs(ctx context.Context, query RunQuery) (runs []retention.Run, err error) {
	err = w.retry(ctx, always, func(ctx context.Context) error {
		runs, err = w.driver.Runs(ctx, query)
		return err
	})
	return runs, err
}

// Close lets go of the engine.
func (w *Warehouse) Close() error { return w.driver.Close() }

func always() bool { return true }

// retry makes attempts until one succeeds, fails for good, or the pauses are used up. A pause that would outlast the
// caller's deadline is not begun: the fault is a better answer than a deadline that says nothing.
func (w *Warehouse) retry(ctx context.Context, may func() bool, attempt func(context.Context) error) error {
	ctx = driver.WithOperation(ctx, w.NewID())
	for tried := 0; ; tried++ {
		err := w.once(ctx, attempt)
		if err == nil || !functions.Passes(err) || !may() || ctx.Err() != nil || tried >= len(w.Pauses) {
			return err
		}
		pause := w.Jitter(w.Pauses[tried])
		if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= pause {
			return err
		}
		if functions.Pause(ctx, pause) != nil {
			return err
		}
	}
}

func (w *Warehouse) once(ctx context.Context, attempt func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, w.AttemptTimeout)
	defer cancel()
	return attempt(ctx)
}
