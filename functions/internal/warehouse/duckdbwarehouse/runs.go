package duckdbwarehouse

import (
	"context"
	"database/sql"
	_ "embed"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

var (
	//go:embed sql/append_run.sql
	appendRunSQL string
	//go:embed sql/runs.sql
	runsSQL string
)

// everyRun is the limit of a RunQuery that names none.
const everyRun = 1000

// AppendRun implements driver.Warehouse.
func (w *Warehouse) AppendRun(ctx context.Context, run retention.Run) error {
	const doing = "append to the run log"
	if run.RunID == "" || run.Status == "" {
		return functions.Errorf(functions.InvalidArgument, "a row of the run log needs a run_id and a status")
	}
	done, err := w.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer done()
	var alertDate, createdAt any
	if run.AlertDate != nil {
		alertDate = run.AlertDate.String()
	}
	if !run.CreatedAt.IsZero() {
		createdAt = run.CreatedAt
	}
	_, err = w.db.ExecContext(ctx, appendRunSQL,
		run.RunID, run.RunTimestamp, alertDate,
		string(run.Severity), run.AlertFlag, run.CurrentValue, run.BaselineValue, run.DeltaRelativePct, run.SampleSize,
		run.P1Count, run.P2Count, run.P3Count, run.TotalExported,
		run.SlackPosted, run.SlackMessageTS, run.TicketID, run.ExportP1Link, run.ExportP2Link, run.ExportP3Link,
		string(run.Status), run.ErrorMessage, run.ExecutionTimeMS,
		run.Stage, run.RulesVersion, string(run.Phase), run.Caller,
		run.IdempotencyKey, string(run.DeliveryState), run.WebhookAttempts,
		run.EmailSent, run.ExportState, run.NotificationReason,
		run.ForcedBy, run.ConfirmationID, run.InputFingerprint, run.DryRun, createdAt)
	if err != nil {
		return fault(doing, err)
	}
	return nil
}

// Runs implements driver.Warehouse.
func (w *Warehouse) Runs(ctx context.Context, query driver.RunQuery) ([]retention.Run, error) {
	const doing = "read the run log"
	limit := query.Limit
	if limit <= 0 {
		limit = everyRun
	}
	since, before := query.Span()
	rows, err := w.db.QueryContext(ctx, runsSQL, query.RunID, query.Sent, limit, since, before)
	if err != nil {
		return nil, fault(doing, err)
	}
	defer rows.Close() //nolint:errcheck // how the read ended is already known
	var runs []retention.Run
	for rows.Next() {
		run, err := scanRun(rows)
		if err != nil {
			return nil, fault(doing, err)
		}
		runs = append(runs, run)
	}
	if err := rows.Err(); err != nil {
		return nil, fault(doing, err)
	}
	return runs, nil
}

func scanRun(rows *sql.Rows) (run retention.Run, err error) {
	var alertDate sql.Null[time.Time]
	err = rows.Scan(&run.RunID, &run.RunTimestamp, &alertDate,
		&run.Severity, &run.AlertFlag, &run.CurrentValue, &run.BaselineValue, &run.DeltaRelativePct, &run.SampleSize,
		&run.P1Count, &run.P2Count, &run.P3Count, &run.TotalExported,
		&run.SlackPosted, &run.SlackMessageTS, &run.TicketID, &run.ExportP1Link, &run.ExportP2Link, &run.ExportP3Link,
		&run.Status, &run.ErrorMessage, &run.ExecutionTimeMS,
		&run.Stage, &run.RulesVersion, &run.Phase, &run.Caller,
		&run.IdempotencyKey, &run.DeliveryState, &run.WebhookAttempts,
		&run.EmailSent, &run.ExportState, &run.NotificationReason,
		&run.ForcedBy, &run.ConfirmationID, &run.InputFingerprint, &run.DryRun, &run.CreatedAt)
	if alertDate.Valid {
		date := civil.DateOf(alertDate.V)
		run.AlertDate = &date
	}
	return run, err
}
