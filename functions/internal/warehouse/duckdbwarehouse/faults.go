package duckdbwarehouse

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

//go:embed sql/input_columns.sql
var inputColumnsSQL string

// fault gives an error of the engine its code. What DuckDB says stays the cause: it quotes SQL and paths.
func fault(doing string, err error) error {
	var coded *functions.Error
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return functions.Errorf(functions.DeadlineExceeded, "the warehouse took too long to %s", doing).WithCause(err)
	case errors.Is(err, context.Canceled):
		return functions.Errorf(functions.Unavailable, "cancelled while about to %s", doing).WithCause(err)
	case isDuckDB(err, duckdb.ErrorTypeTransaction):
		return functions.Errorf(functions.Unavailable, "another write came in between").
			WithHint("try again").WithCause(err)
	default:
		return functions.Errorf(functions.Internal, "%s", doing).WithCause(err)
	}
}

func isDuckDB(err error, types ...duckdb.ErrorType) bool {
	var engine *duckdb.Error
	return errors.As(err, &engine) && slices.Contains(types, engine.Type)
}

var lockHolder = regexp.MustCompile(`\(PID (\d+)\)`)

// openFault says in our words why a file does not open. DuckDB tells these cases apart by their text alone.
func openFault(name string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "Could not set lock on file"):
		holder := "another process"
		if pid := lockHolder.FindStringSubmatch(text); pid != nil {
			holder += " (PID " + pid[1] + ")"
		}
		return functions.Errorf(functions.Unavailable, "%s has the warehouse %s open, and only one may", holder, name).
			WithHint("stop it, or talk to it with --url where the command has that")
	case strings.Contains(text, "Trying to read a database file with version number"):
		return functions.Errorf(functions.FailedPrecondition, "%s was written by another version of DuckDB", name).
			WithHint("open it with the program that wrote it, or start with a new file").WithCause(err)
	case errors.Is(err, fs.ErrPermission), strings.Contains(text, "Permission denied"):
		return functions.Errorf(functions.FailedPrecondition, "%s may not be opened by this user", name).
			WithHint("give the user the right to read and write it").WithCause(err)
	default:
		return fault("open the warehouse", err)
	}
}

// kind is what a column of an input table has to hold.
type kind struct {
	name  string
	types []string // the first word of DuckDB's type names; nil takes any
}

var (
	whole   = []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
	text    = kind{name: "text"}
	day     = kind{"a DATE", []string{"DATE", "TIMESTAMP"}}
	truth   = kind{"a BOOLEAN", []string{"BOOLEAN"}}
	number  = kind{"a whole number", whole}
	exact   = kind{"a DECIMAL, as money must be exact", []string{"DECIMAL", "INTEGER", "BIGINT", "HUGEINT"}}
	numeric = kind{"a number", append([]string{"DECIMAL", "DOUBLE", "FLOAT"}, whole...)}
)

// inputs are the columns that we read, in the order of §5.
var inputs = []struct {
	table, column string
	kind          kind
}{
	{"alert_logic", "alert_date", day},
	{"alert_logic", "severity", text},
	{"alert_logic", "alert_flag", truth},
	{"alert_logic", "current_value", numeric},
	{"alert_logic", "baseline_value", numeric},
	{"alert_logic", "delta_relative_pct", numeric},
	{"alert_logic", "sample_size", number},
	{"retention_snapshot", "customer_id", text},
	{"retention_snapshot", "retention_status", text},
	{"retention_snapshot", "days_since_last_order", number},
	{"churn_detection", "customer_id", text},
	{"churn_detection", "churn_risk_score", number},
	{"churn_detection", "churn_risk_level", text},
	{"churn_detection", "is_frequency_drop", truth},
	{"churn_detection", "is_status_inconsistent", truth},
	{"churn_detection", "is_value_drop", truth},
	{"base_customers", "customer_id", text},
	{"base_customers", "total_revenue", exact},
	{"base_customers", "total_orders", number},
	{"base_customers", "avg_order_value", exact},
}

// inputFault explains a failed read of the input tables: when the engine did not understand the statement, one of the
// tables is not as §5 says, and the answer names the first such place.
func (w *Warehouse) inputFault(ctx context.Context, doing string, err error) error {
	if !errors.Is(err, errInexact) && !isDuckDB(err, duckdb.ErrorTypeCatalog, duckdb.ErrorTypeBinder, duckdb.ErrorTypeConversion) {
		return fault(doing, err)
	}
	found, lookErr := w.inputColumns(ctx)
	if lookErr != nil {
		return fault(doing, errors.Join(err, lookErr))
	}
	findings := differences(found)
	if len(findings) == 0 {
		return fault(doing, err)
	}
	hint := "the detection fills it: run retentionops import, or name the warehouse that has it"
	if findings[0].Got != "" {
		hint = "give the column that type in the detection, or run retentionops import"
	}
	said, _, _ := strings.Cut(err.Error(), "\n") // then DuckDB guesses at a table of its own and quotes the statement
	return functions.Errorf(functions.FailedPrecondition, "%s", findings[0]).WithHint(hint).WithCause(errors.New(said))
}

// differences compares the input tables with what they must be. Of a table that is not there the columns are not named.
func differences(found map[string]map[string]string) (findings []driver.Finding) {
	missing := ""
	for _, want := range inputs {
		columns, exists := found[want.table]
		if !exists {
			if want.table != missing {
				missing = want.table
				findings = append(findings, driver.Finding{Table: want.table, Want: "a table"})
			}
			continue
		}
		typ, exists := columns[want.column]
		first, _, _ := strings.Cut(strings.ReplaceAll(typ, "(", " "), " ")
		if exists && (want.kind.types == nil || slices.Contains(want.kind.types, first)) {
			continue
		}
		findings = append(findings, driver.Finding{Table: want.table, Column: want.column, Want: want.kind.name, Got: typ})
	}
	return findings
}

// Check implements driver.Checker. Our own tables were made, or looked at, when the warehouse was opened.
func (w *Warehouse) Check(ctx context.Context) ([]driver.Finding, error) {
	found, err := w.inputColumns(ctx)
	if err != nil {
		return nil, fault("look at the tables", err)
	}
	return differences(found), nil
}

func (w *Warehouse) inputColumns(ctx context.Context) (map[string]map[string]string, error) {
	rows, err := w.db.QueryContext(ctx, inputColumnsSQL)
	if err != nil {
		return nil, fmt.Errorf("look at the input tables: %w", err)
	}
	defer rows.Close() //nolint:errcheck // how the read ended is already known
	found := map[string]map[string]string{}
	for rows.Next() {
		var table, column, typ string
		if err := rows.Scan(&table, &column, &typ); err != nil {
			return nil, fmt.Errorf("look at the input tables: %w", err)
		}
		if found[table] == nil {
			found[table] = map[string]string{}
		}
		found[table][column] = typ
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look at the input tables: %w", err)
	}
	return found, nil
}
