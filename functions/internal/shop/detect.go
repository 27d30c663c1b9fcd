package shop

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

// detectionSteps are the statements of the detection in the order in which they build on each other.
var detectionSteps = []struct{ file, table, message string }{
	{"sql1_base_customers.sql", "base_customers", "SQL1: the facts of each customer"},
	{"sql2_retention_snapshot.sql", "retention_snapshot", "SQL2: who is active, at risk, inactive"},
	{"sql3_churn_detection.sql", "churn_detection", "SQL3: who is likely to leave"},
	{"sql4_cohort_retention_evolution.sql", "cohort_retention_evolution", "SQL4: how each month's newcomers stay"},
	{"sql5_alert_logic.sql", "alert_logic", "SQL5: the alert of every day so far"},
}

// DetectReport says what a detection found.
type DetectReport struct {
	AsOf        functions.Date     `json:"as_of"`
	FirstOrder  functions.Date     `json:"first_order"`
	NewestOrder functions.Date     `json:"newest_order"` // of all orders loaded; it may lie after AsOf
	Orders      int64              `json:"orders"`       // up to AsOf
	Customers   int64              `json:"customers"`
	Statuses    []StatusCount      `json:"statuses"` // every status of functions.Statuses, in order
	Risks       []RiskCount        `json:"risks"`    // every level of functions.Risks, in order
	Alert       retention.Alert    `json:"-"`
	Severity    functions.Severity `json:"severity"`      // of the alert
	AlertDays   int64              `json:"alert_days"`    // rows of alert_logic
	Warnings    int64              `json:"warning_days"`  // days with severity WARNING and a raised flag
	Criticals   int64              `json:"critical_days"` // days with severity CRITICAL and a raised flag
	Rows        []TableRows        `json:"rows"`
}

// StatusCount is the number of customers with a status.
type StatusCount struct {
	Status    functions.Status `json:"status"`
	Customers int64            `json:"customers"`
}

// RiskCount is the number of customers with a risk level.
type RiskCount struct {
	Level     functions.Risk `json:"level"`
	Customers int64          `json:"customers"`
}

// TableRows is the number of rows that a table of the detection now holds.
type TableRows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Detect runs SQL1 to SQL5 over shop_orders as of a day and replaces the detection tables by what they find: all of
// them or none, so that a reader never sees two days mixed. Orders dated after the day play no part. The zero Date is
// the day of the newest order.
//
// A day before the first order is invalid_argument, a shop without orders failed_precondition, and a detection that
// another one overtook unavailable.
func Detect(ctx context.Context, db *sql.DB, date functions.Date) (DetectReport, error) {
	if err := createTables(ctx, db); err != nil {
		return DetectReport{}, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return DetectReport{}, fmt.Errorf("begin the detection: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back

	report, err := detect(ctx, tx, date)
	if err != nil {
		return DetectReport{}, overtaken(err)
	}
	if err := tx.Commit(); err != nil {
		return DetectReport{}, overtaken(fmt.Errorf("commit the detection: %w", err))
	}
	return report, nil
}

func detect(ctx context.Context, tx *sql.Tx, date functions.Date) (DetectReport, error) {
	report := DetectReport{AsOf: date}
	if err := report.readOrders(ctx, tx); err != nil {
		return DetectReport{}, err
	}
	for i, step := range detectionSteps {
		functions.Report(ctx, functions.Progress{
			Stage: "detect", Message: step.message, Step: i + 1, Steps: len(detectionSteps),
		})
		query, err := sqlFiles.ReadFile("sql/" + step.file)
		if err != nil {
			return DetectReport{}, fmt.Errorf("read %s: %w", step.file, err)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+step.table); err != nil { //nolint:gosec // a name of ours
			return DetectReport{}, fmt.Errorf("empty %s: %w", step.table, err)
		}
		result, err := tx.ExecContext(ctx, string(query), sql.Named("as_of", report.AsOf.String()))
		if err != nil {
			return DetectReport{}, fmt.Errorf("run %s: %w", step.file, err)
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return DetectReport{}, fmt.Errorf("count rows of %s: %w", step.table, err)
		}
		report.Rows = append(report.Rows, TableRows{Table: step.table, Rows: rows})
	}
	if err := report.readFindings(ctx, tx); err != nil {
		return DetectReport{}, err
	}
	return report, nil
}

// readOrders reads what there is to detect on, and refuses a day on which there is nothing yet.
func (r *DetectReport) readOrders(ctx context.Context, tx *sql.Tx) error {
	var first, newest sql.Null[time.Time]
	var all int64
	bound := sql.Null[string]{V: r.AsOf.String(), Valid: !r.AsOf.IsZero()}
	err := tx.QueryRowContext(ctx,
		`SELECT min(order_date), max(order_date), count(*), count(*) FILTER (WHERE order_date <= ?::DATE) FROM shop_orders`,
		bound).Scan(&first, &newest, &all, &r.Orders)
	if err != nil {
		return fmt.Errorf("read the range of shop_orders: %w", err)
	}
	if !first.Valid {
		return functions.Errorf(functions.FailedPrecondition, "the shop has no orders").
			WithHint("import an orders file or generate a shop first")
	}
	r.FirstOrder, r.NewestOrder = civil.DateOf(first.V), civil.DateOf(newest.V)
	if r.AsOf.IsZero() {
		r.AsOf, r.Orders = r.NewestOrder, all
	}
	if r.Orders == 0 {
		return functions.Errorf(functions.InvalidArgument, "there are no orders up to %s: they run from %s to %s",
			r.AsOf, r.FirstOrder, r.NewestOrder).WithHint("give a day from " + r.FirstOrder.String() + " on")
	}
	return nil
}

func (r *DetectReport) readFindings(ctx context.Context, tx *sql.Tx) error {
	for _, status := range functions.Statuses {
		count := StatusCount{Status: status}
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM retention_snapshot WHERE retention_status = ?`,
			string(status)).Scan(&count.Customers)
		if err != nil {
			return fmt.Errorf("count %s customers: %w", status, err)
		}
		r.Customers += count.Customers
		r.Statuses = append(r.Statuses, count)
	}
	for _, level := range functions.Risks {
		count := RiskCount{Level: level}
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM churn_detection WHERE churn_risk_level = ?`,
			string(level)).Scan(&count.Customers)
		if err != nil {
			return fmt.Errorf("count customers of %s risk: %w", level, err)
		}
		r.Risks = append(r.Risks, count)
	}
	r.Alert.Date = r.AsOf
	err := tx.QueryRowContext(ctx, `SELECT severity, alert_flag, current_value, baseline_value, delta_relative_pct,
		sample_size FROM alert_logic WHERE alert_date = ?::DATE`, r.AsOf.String()).
		Scan(&r.Alert.Severity, &r.Alert.Flag, &r.Alert.Current, &r.Alert.Baseline, &r.Alert.Delta, &r.Alert.SampleSize)
	if err != nil {
		return fmt.Errorf("read the alert of %s: %w", r.AsOf, err)
	}
	r.Severity = r.Alert.Severity
	err = tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE alert_flag AND severity = 'WARNING'),
		count(*) FILTER (WHERE alert_flag AND severity = 'CRITICAL') FROM alert_logic`).
		Scan(&r.AlertDays, &r.Warnings, &r.Criticals)
	if err != nil {
		return fmt.Errorf("count alert days: %w", err)
	}
	return nil
}

// overtaken turns the engine's two ways of saying that another transaction wrote the same rows first into one answer.
// They have no type that could be named without linking the engine.
func overtaken(err error) error {
	if _, told := errors.AsType[*functions.Error](err); told {
		return err
	}
	for _, sign := range []string{"TransactionContext Error", "Constraint Error: Duplicate key"} {
		if strings.Contains(err.Error(), sign) {
			return functions.Errorf(functions.Unavailable, "the shop's tables were being written by another command").
				WithHint("try again when it is done").WithCause(err)
		}
	}
	return err
}
