// Package duckdbwarehouse is the warehouse on an embedded DuckDB: a file, or memory that is gone with the process.
//
// URLs: duckdb:///abs/path/file.duckdb, duckdb:relative/path.duckdb, and duckdb: (or duckdb:///:memory:) for memory.
// One process at a time may have a file open; a second one gets unavailable and is told which process that is.
//
// It does not create the input tables, and it does not fill them: the detection does.
package duckdbwarehouse

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// Scheme is the scheme of this driver's URLs.
const Scheme = "duckdb"

// memory is how DuckDB names a database that is no file.
const memory = ":memory:"

// offline keeps DuckDB from fetching an extension over the network when a statement names something it lacks.
const offline = "?autoinstall_known_extensions=false&autoload_known_extensions=false"

//go:embed sql/tables.sql
var tablesSQL string

var (
	_ driver.Warehouse = (*Warehouse)(nil)
	_ driver.Checker   = (*Warehouse)(nil)
)

func init() {
	warehouse.Register(Scheme, func(ctx context.Context, u *url.URL) (driver.Warehouse, error) {
		path, err := pathOf(u)
		if err != nil {
			return nil, err
		}
		return Open(ctx, path)
	})
}

// Warehouse is one DuckDB database. It is safe for use by several goroutines.
type Warehouse struct {
	db   *sql.DB
	turn chan struct{} // held by the one who writes
}

// Open opens the database file, made when it is not there with the folders above it; an empty path is memory. Our two
// tables are created when they are not there.
func Open(ctx context.Context, path string) (*Warehouse, error) {
	dsn, turn, fresh := memory, make(chan struct{}, 1), false
	if path != "" {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("find the warehouse file %s: %w", path, err)
		}
		// DuckDB's driver reads its data source name as a URL but takes the path from it as it stands.
		if strings.ContainsAny(absolute, "?#%") {
			return nil, functions.Errorf(functions.FailedPrecondition, "a warehouse file cannot lie at a path with ?, # or %% in it").
				WithHint("name a file at another place")
		}
		if err := os.MkdirAll(filepath.Dir(absolute), 0o750); err != nil { //nolint:gosec // the operator names the file
			return nil, functions.Errorf(functions.FailedPrecondition, "the folder of %s cannot be made", filepath.Base(absolute)).WithCause(err)
		}
		if err := checkFile(absolute); err != nil {
			return nil, err
		}
		_, missing := os.Stat(absolute) //nolint:gosec // the operator names the file
		dsn, turn, fresh = absolute, turnOf(absolute), missing != nil
	}
	connector, err := duckdb.NewConnector(dsn+offline, prepare)
	if err != nil {
		return nil, openFault(filepath.Base(dsn), err)
	}
	w := &Warehouse{db: sql.OpenDB(connector), turn: turn}
	if err := w.setUp(ctx); err != nil {
		_ = w.db.Close()
		return nil, err
	}
	if fresh {
		// It will hold customers: a file that we made is its owner's alone.
		if err := os.Chmod(dsn, 0o600); err != nil { //nolint:gosec // the operator names the file
			_ = w.db.Close()
			return nil, fmt.Errorf("keep %s to its owner: %w", filepath.Base(dsn), err)
		}
	}
	return w, nil
}

// checkFile refuses what is there and is no DuckDB file. DuckDB itself would open a CSV file as an empty warehouse, and
// lose what is written to it.
func checkFile(path string) error {
	const magicAt, magic = 8, "DUCK"
	name := filepath.Base(path)
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return openFault(name, err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return openFault(name, err)
	}
	if info.IsDir() {
		return functions.Errorf(functions.FailedPrecondition, "%s is a folder", name).WithHint("name a file in it")
	}
	head := make([]byte, magicAt+len(magic))
	if _, err := io.ReadFull(file, head); err != nil || string(head[magicAt:]) != magic {
		return functions.Errorf(functions.FailedPrecondition, "%s is not a DuckDB database", name).
			WithHint("name a DuckDB file, or one that does not exist yet")
	}
	return nil
}

// prepare makes a fresh connection speak UTC: DuckDB's own default is the zone of the machine, and the setting holds
// for one connection only.
//
// Late materialization is off: with DuckDB 1.5.5, ORDER BY … LIMIT over a table that another connection is writing
// reads columns from rows that are not there and answers what lies in memory. TestDetectSeveralAtOnceNeverMixes in the
// shop shows it within a few runs.
func prepare(conn sqldriver.ExecerContext) error {
	for _, setting := range []string{"SET TimeZone = 'UTC'", "SET late_materialization_max_rows = 0"} {
		if _, err := conn.ExecContext(context.Background(), setting, nil); err != nil {
			return err
		}
	}
	return nil
}

// setUp creates our tables, and finds out now rather than at the end of a run that a file from elsewhere has tables of
// these names with other columns.
func (w *Warehouse) setUp(ctx context.Context) error {
	done, err := w.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer done()
	if _, err := w.db.ExecContext(ctx, tablesSQL); err != nil {
		return fault("create our tables", err)
	}
	for table, statement := range map[string]string{"customer_priority": queueSQL, "ops_runs_log": runsSQL} {
		if err := w.understands(ctx, statement); err != nil {
			if isDuckDB(err, duckdb.ErrorTypeBinder, duckdb.ErrorTypeCatalog) {
				return functions.Errorf(functions.FailedPrecondition, "the table %s of this warehouse has other columns than ours", table).
					WithHint("it was made by another program or version: use another file, or move that table away").WithCause(err)
			}
			return fault("look at our tables", err)
		}
	}
	return nil
}

// understands prepares a statement, by which DuckDB looks up the tables and columns in it, and does not run it.
func (w *Warehouse) understands(ctx context.Context, statement string) error {
	prepared, err := w.db.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	defer prepared.Close() //nolint:errcheck // nothing ran
	return nil
}

// DB is the database itself, for the one room that writes the input tables. Its connections speak UTC.
func (w *Warehouse) DB() *sql.DB { return w.db }

// Close lets go of the file.
func (w *Warehouse) Close() error {
	if err := w.db.Close(); err != nil {
		return fault("close the warehouse", err)
	}
	return nil
}

// turns holds the turn of each file: two Warehouses of one process on one file share the database, and so its turn.
var turns sync.Map // absolute path → chan struct{}

func turnOf(path string) chan struct{} {
	turn, _ := turns.LoadOrStore(path, make(chan struct{}, 1))
	return turn.(chan struct{}) //nolint:forcetypeassert // nothing else is stored
}

// takeTurn waits until no other statement of ours writes. Without it two replacements of a day that has no rows yet
// would not conflict in DuckDB, and both would stand.
func (w *Warehouse) takeTurn(ctx context.Context) (done func(), err error) {
	select {
	case w.turn <- struct{}{}:
		return func() { <-w.turn }, nil
	case <-ctx.Done():
		return nil, fault("wait for another write", ctx.Err())
	}
}

// pathOf reads the file's path from a URL; it is empty for memory.
func pathOf(u *url.URL) (string, error) {
	form := functions.Errorf(functions.FailedPrecondition, "this is no duckdb URL").
		WithHint("write duckdb:///abs/path/file.duckdb, duckdb:relative/path.duckdb, or duckdb: for memory")
	if u.Host != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", form
	}
	path := u.Path
	if u.Opaque != "" {
		unescaped, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return "", form.WithCause(err)
		}
		path = unescaped
	}
	if path == "" || strings.TrimPrefix(path, "/") == memory {
		return "", nil
	}
	if strings.HasSuffix(path, "/") {
		return "", form
	}
	return path, nil
}
