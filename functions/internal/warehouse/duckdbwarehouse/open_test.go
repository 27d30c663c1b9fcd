package duckdbwarehouse_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

func Example() {
	ctx := context.Background()
	w, err := duckdbwarehouse.Open(ctx, "") // in memory
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()

	// The detection fills the input tables; it gets the database itself.
	_, err = w.DB().ExecContext(ctx, `CREATE TABLE alert_logic AS SELECT DATE '2026-01-12' AS alert_date,
		'WARNING' AS severity, true AS alert_flag, 25.2 AS current_value, 21.4 AS baseline_value,
		17.76 AS delta_relative_pct, 8069 AS sample_size`)
	if err != nil {
		fmt.Println(err)
		return
	}
	alert, err := w.NewestAlert(ctx)
	fmt.Println(alert.Date, alert.Severity, alert.SampleSize, err)
	// Output: 2026-01-12 WARNING 8069 <nil>
}

type queueReader func(context.Context, functions.Date, functions.Tier, func(retention.QueueRow) error) error

// readQueue reads monday's queue.
func readQueue(t *testing.T, read queueReader) (rows []retention.QueueRow, err error) {
	t.Helper()
	err = read(t.Context(), monday, "", func(row retention.QueueRow) error {
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

func oneRow() []retention.QueueRow {
	return []retention.QueueRow{{RunDate: monday, CustomerID: "0042", Tier: functions.P1}}
}

func TestURLs(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, url, file string // the file that must be there afterwards; none in memory
	}{
		{"an absolute path", "duckdb://" + here + "/absolute.duckdb", "absolute.duckdb"},
		{"a relative path", "duckdb:relative.duckdb", "relative.duckdb"},
		{"a folder that is not there yet", "duckdb:a/b/deep.duckdb", "a/b/deep.duckdb"},
		{"letters from elsewhere and a space", "duckdb:caf%C3%A9%20shop.duckdb", "café shop.duckdb"},
		{"memory by no path", "duckdb:", ""},
		{"memory by name", "duckdb:///:memory:", ""},
		{"memory by its short name", "duckdb::memory:", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, before := range []int{0, 1} {
				w, err := warehouse.Open(t.Context(), c.url)
				if err != nil {
					t.Fatal(err)
				}
				rows, err := readQueue(t, w.Queue)
				if err != nil {
					t.Fatal(err)
				}
				if c.file == "" {
					before = 0
				}
				if len(rows) != before {
					t.Errorf("got %d rows on opening, want %d", len(rows), before)
				}
				if _, err := w.ReplaceQueue(t.Context(), monday, oneRow(), functions.Date{}); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(c.file); c.file != "" && err != nil {
				t.Error(err)
			}
		})
	}
	if left, _ := filepath.Glob("*memory*"); len(left) != 0 {
		t.Errorf("a warehouse in memory left %v", left)
	}
}

func TestWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := filepath.Join(dir, "foreign.duckdb")
	w := open(t, foreign)
	run(t, w.DB(), "ALTER TABLE ops_runs_log DROP COLUMN stage")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct{ name, url, detail, hint string }{
		{"a host", "duckdb://warehouse/x.duckdb", "this is no duckdb URL", "write duckdb:///abs/path/file.duckdb, duckdb:relative/path.duckdb, or duckdb: for memory"},
		{"an option", "duckdb:x.duckdb?access_mode=READ_ONLY", "this is no duckdb URL", ""},
		{"a folder by its slash", "duckdb:///a/", "this is no duckdb URL", ""},
		{"a folder", "duckdb://" + dir, filepath.Base(dir) + " is a folder", "name a file in it"},
		{
			"a text file", "duckdb://" + write("orders.csv", strings.Repeat("order_id,customer_id\n", 1000)),
			"orders.csv is not a DuckDB database", "name a DuckDB file, or one that does not exist yet",
		},
		{"a short text file", "duckdb://" + write("short.csv", "x"), "short.csv is not a DuckDB database", ""},
		{"an empty file", "duckdb://" + write("empty.duckdb", ""), "empty.duckdb is not a DuckDB database", ""},
		{"a folder that is a file", "duckdb://" + write("file", "x") + "/x.duckdb", "the folder of x.duckdb cannot be made", ""},
		{"a path that the driver would misread", "duckdb:100%25.duckdb", "a warehouse file cannot lie at a path with ?, # or % in it", ""},
		{
			"a file whose tables are not ours", "duckdb://" + foreign, "the table ops_runs_log of this warehouse has other columns than ours",
			"it was made by another program or version: use another file, or move that table away",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := warehouse.Open(t.Context(), c.url)
			if err == nil {
				_ = w.Close()
			}
			var coded *functions.Error
			if !errors.As(err, &coded) || coded.Code != functions.FailedPrecondition {
				t.Fatalf("got %v, want failed_precondition", err)
			}
			if coded.Detail != c.detail {
				t.Errorf("got detail %q, want %q", coded.Detail, c.detail)
			}
			if c.hint != "" && coded.Hint != c.hint {
				t.Errorf("got hint %q, want %q", coded.Hint, c.hint)
			}
			if strings.Contains(coded.Detail+coded.Hint, dir) {
				t.Errorf("%q + %q show where the file lies", coded.Detail, coded.Hint)
			}
		})
	}
}

func TestASecondProcessIsToldWhoHasTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "warehouse.duckdb")
	w := open(t, file)
	opens := func() functions.Problem {
		out, err := process(t, "open", file, 0).Output()
		if err != nil {
			t.Fatal(err)
		}
		var problem functions.Problem
		if err := json.Unmarshal(out, &problem); err != nil {
			t.Fatalf("the second process said %q: %v", out, err)
		}
		return problem
	}

	got := opens()
	want := functions.ProblemOf(functions.Errorf(functions.Unavailable,
		"another process (PID %s) has the warehouse warehouse.duckdb open, and only one may", strconv.Itoa(os.Getpid())).
		WithHint("stop it, or talk to it with --url where the command has that"), "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the second process is told (-want +got):\n%s", diff)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := opens(); got.Code != "" {
		t.Errorf("after the first has closed the file the second gets %+v, want no problem", got)
	}
}

func TestTwoWarehousesOfOneProcessShareAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "warehouse.duckdb")
	both := []*duckdbwarehouse.Warehouse{open(t, file), open(t, file)}
	var writers sync.WaitGroup
	for n := range 6 {
		writers.Go(func() {
			if _, err := both[n%2].ReplaceQueue(t.Context(), monday, generation(n), functions.Date{}); err != nil {
				t.Error(err)
			}
			end := retention.Run{RunID: "01A", Status: functions.RunSuccess, RunTimestamp: monday.In(time.UTC)}
			if err := both[n%2].AppendRun(t.Context(), end); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	rows, err := readQueue(t, both[0].Queue)
	if err != nil {
		t.Fatal(err)
	}
	wholeGeneration(t, "by nobody", rows)
	var appended int
	if err := both[1].DB().QueryRowContext(t.Context(), "SELECT count(*) FROM ops_runs_log").Scan(&appended); err != nil {
		t.Fatal(err)
	}
	if appended != 1 {
		t.Errorf("got %d rows of the run that was appended six times at once, want 1", appended)
	}
	for _, w := range both {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryConnectionSpeaksUTCAndStaysOffline(t *testing.T) {
	t.Parallel()
	w := open(t, "")
	defer w.Close()
	for range 3 {
		conn, err := w.DB().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() // held, so that the next one is another
		var zone, install, load string
		err = conn.QueryRowContext(t.Context(), `SELECT current_setting('TimeZone'),
			current_setting('autoinstall_known_extensions')::VARCHAR, current_setting('autoload_known_extensions')::VARCHAR`).
			Scan(&zone, &install, &load)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"UTC", "false", "false"}, []string{zone, install, load}); diff != "" {
			t.Errorf("zone, autoinstall, autoload (-want +got):\n%s", diff)
		}
	}
}

func TestAnInputColumnOfAnotherTypeIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ table, column, typ, detail string }{
		{"base_customers", "total_revenue", "DOUBLE", "the column total_revenue of base_customers is DOUBLE; it must be a DECIMAL, as money must be exact"},
		{"base_customers", "avg_order_value", "FLOAT", "the column avg_order_value of base_customers is FLOAT; it must be a DECIMAL, as money must be exact"},
		{"retention_snapshot", "days_since_last_order", "VARCHAR", "the column days_since_last_order of retention_snapshot is VARCHAR; it must be a whole number"},
		{"churn_detection", "is_value_drop", "VARCHAR", "the column is_value_drop of churn_detection is VARCHAR; it must be a BOOLEAN"},
	} {
		t.Run(c.table+"."+c.column, func(t *testing.T) {
			t.Parallel()
			w := open(t, "")
			defer w.Close()
			run(t, w.DB(), inputsSQL)
			run(t, w.DB(), "INSERT INTO alert_logic (alert_date) VALUES ('2026-01-12')")
			run(t, w.DB(), fmt.Sprintf("ALTER TABLE %s ALTER %s TYPE %s", c.table, c.column, c.typ))
			value := "'1.5'"
			if c.typ == "VARCHAR" {
				value = "'none'"
			}
			run(t, w.DB(), fmt.Sprintf("INSERT INTO %s (customer_id, %s) VALUES ('1', %s)", c.table, c.column, value))
			_, err := w.Customers(t.Context(), func(retention.Customer) error { return nil })
			var coded *functions.Error
			if !errors.As(err, &coded) || coded.Code != functions.FailedPrecondition || coded.Detail != c.detail {
				t.Errorf("got %v, want failed_precondition: %s", err, c.detail)
			}
		})
	}
}

func TestNarrowerMoneyIsExactToo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, want string }{
		{"DECIMAL(4,2)", "12.34"},
		{"DECIMAL(9,3)", "12.34"},
		{"DECIMAL(18,2)", "12.34"},
		{"DECIMAL(38,2)", "12.34"},
		{"INTEGER", "12"},
		{"BIGINT", "12"},
		{"HUGEINT", "12"},
	} {
		t.Run(c.typ, func(t *testing.T) {
			t.Parallel()
			w := open(t, "")
			defer w.Close()
			run(t, w.DB(), inputsSQL)
			run(t, w.DB(), "INSERT INTO alert_logic (alert_date) VALUES ('2026-01-12')")
			run(t, w.DB(), "ALTER TABLE base_customers ALTER total_revenue TYPE "+c.typ)
			run(t, w.DB(), "INSERT INTO base_customers (customer_id, total_revenue) VALUES ('1', 12.34::DECIMAL(4,2))")
			var got string
			_, err := w.Customers(t.Context(), func(c retention.Customer) error {
				got = c.TotalRevenue.V.String()
				return nil
			})
			if err != nil || got != c.want {
				t.Errorf("got %q and %v, want %q", got, err, c.want)
			}
		})
	}
}

// A transaction of somebody else on the same database can still come in between: the turn is only ours.
func TestAConflictWithAnotherWriteIsAFaultThatPasses(t *testing.T) {
	t.Parallel()
	w := open(t, "")
	defer w.Close()
	if _, err := w.ReplaceQueue(t.Context(), monday, oneRow(), functions.Date{}); err != nil {
		t.Fatal(err)
	}
	tx, err := w.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "DELETE FROM customer_priority"); err != nil {
		t.Fatal(err)
	}
	_, err = w.ReplaceQueue(t.Context(), monday, generation(1), functions.Date{})
	if functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	rows, err := readQueue(t, w.Queue)
	if err != nil || len(rows) != 1 {
		t.Errorf("got %d rows and %v after the conflict, want the one that stood there", len(rows), err)
	}
	if replaced, err := w.ReplaceQueue(t.Context(), monday, generation(1), functions.Date{}); err != nil || replaced != 1 {
		t.Errorf("got %d replaced and %v at the next attempt, want 1", replaced, err)
	}
}

func TestAContextThatEndsInTheMiddleLeavesTheOldDay(t *testing.T) {
	t.Parallel()
	w := open(t, "")
	defer w.Close()
	if _, err := w.ReplaceQueue(t.Context(), monday, oneRow(), functions.Date{}); err != nil {
		t.Fatal(err)
	}
	for looks := range 6 { // the context ends at a later look each time: in the deleting, in the appending
		ctx := &ending{Context: t.Context(), looks: looks}
		_, err := w.ReplaceQueue(ctx, monday, generation(1), functions.Date{})
		if functions.CodeOf(err) != functions.Unavailable {
			t.Errorf("got %v with a context that ended after %d looks, want unavailable", err, looks)
		}
		rows, err := readQueue(t, w.Queue)
		if err != nil || len(rows) != 1 {
			t.Errorf("got %d rows and %v after %d looks, want the old day's one", len(rows), err, looks)
		}
	}
}

// ending is a context that is found to be cancelled after some looks at it.
type ending struct {
	context.Context

	mu    sync.Mutex
	looks int
}

func (e *ending) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.looks--; e.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestAFreshFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	opened, err := duckdbwarehouse.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file may be read by others: %o", got)
	}
}
