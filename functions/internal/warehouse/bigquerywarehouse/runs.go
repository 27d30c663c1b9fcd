package bigquerywarehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// everyRun is the limit of a RunQuery that names none.
const everyRun = 1000

// AppendRun implements driver.Warehouse. It is an INSERT and no stream: its row can be read and erased at once.
//
// The job's id is made of the run and its status, so that of two writers at once one writes: BigQuery knows no key that
// would keep them apart, but it takes a job id once.
func (w *Warehouse) AppendRun(ctx context.Context, run retention.Run) error {
	if run.RunID == "" || run.Status == "" {
		return functions.Errorf(functions.InvalidArgument, "a row of the run log needs a run_id and a status")
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	sum := sha256.Sum256([]byte(w.place.Project + "." + w.place.Dataset + "\x00" + run.RunID + "\x00" + string(run.Status)))
	id := "retops-run-" + label(run.RunID) + "-" + label(string(run.Status)) + "-" + hex.EncodeToString(sum[:6])
	return w.modify(ctx, appendRunStatement, "append to the run log", id, runParams(run))
}

func runParams(run retention.Run) []bigquery.QueryParameter {
	alertDate := bigquery.NullDate{}
	if run.AlertDate != nil {
		alertDate = nullDate(*run.AlertDate)
	}
	created := bigquery.NullTimestamp{Timestamp: moment(run.CreatedAt), Valid: !run.CreatedAt.IsZero()}
	return []bigquery.QueryParameter{
		param("run_id", run.RunID), param("run_timestamp", moment(run.RunTimestamp)), param("alert_date", alertDate),
		param("severity", word(run.Severity)), param("alert_flag", nullBool(run.AlertFlag)),
		param("current_value", nullFloat(run.CurrentValue)), param("baseline_value", nullFloat(run.BaselineValue)),
		param("delta_relative_pct", nullFloat(run.DeltaRelativePct)), param("sample_size", nullInt(run.SampleSize)),
		param("p1_count", nullInt(run.P1Count)), param("p2_count", nullInt(run.P2Count)), param("p3_count", nullInt(run.P3Count)),
		param("total_exported", nullInt(run.TotalExported)),
		param("slack_posted", run.SlackPosted), param("slack_message_ts", word(run.SlackMessageTS)), param("ticket_id", word(run.TicketID)),
		param("export_p1_link", word(run.ExportP1Link)), param("export_p2_link", word(run.ExportP2Link)), param("export_p3_link", word(run.ExportP3Link)),
		param("status", word(run.Status)), param("error_message", word(run.ErrorMessage)), param("execution_time_ms", nullInt(run.ExecutionTimeMS)),
		param("stage", word(run.Stage)), param("rules_version", word(run.RulesVersion)), param("phase", word(run.Phase)), param("caller", word(run.Caller)),
		param("idempotency_key", word(run.IdempotencyKey)), param("delivery_state", word(run.DeliveryState)), param("webhook_attempts", run.WebhookAttempts),
		param("email_sent", run.EmailSent), param("export_state", word(run.ExportState)), param("notification_reason", word(run.NotificationReason)),
		param("forced_by", word(run.ForcedBy)), param("confirmation_id", word(run.ConfirmationID)), param("input_fingerprint", word(run.InputFingerprint)),
		param("dry_run", run.DryRun), param("created_at", created),
	}
}

// moment brings a time to what a TIMESTAMP holds: the client would send nanoseconds, and BigQuery refuse them.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// word is a text of which an empty one is NULL.
func word[W ~string](text W) bigquery.NullString {
	return bigquery.NullString{StringVal: string(text), Valid: text != ""}
}

func nullBool(v *bool) (p bigquery.NullBool) {
	if v != nil {
		p = bigquery.NullBool{Bool: *v, Valid: true}
	}
	return p
}

func nullInt(v *int64) (p bigquery.NullInt64) {
	if v != nil {
		p = bigquery.NullInt64{Int64: *v, Valid: true}
	}
	return p
}

func nullFloat(v *float64) (p bigquery.NullFloat64) {
	if v != nil {
		p = bigquery.NullFloat64{Float64: *v, Valid: true}
	}
	return p
}

// Runs implements driver.Warehouse.
func (w *Warehouse) Runs(ctx context.Context, query driver.RunQuery) ([]retention.Run, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var runs []retention.Run
	err := w.read(ctx, runsStatement, w.sql[runsStatement], runsParams(query), func(row []bigquery.Value) error {
		runs = append(runs, runOf(row))
		return nil
	})
	if err != nil {
		return nil, w.explained(ctx, "read the run log", err)
	}
	return runs, nil
}

func runsParams(query driver.RunQuery) []bigquery.QueryParameter {
	limit := query.Limit
	if limit <= 0 {
		limit = everyRun
	}
	since, before := query.Span()
	return []bigquery.QueryParameter{
		param("run_id", query.RunID), param("sent", query.Sent), param("limit", limit), param("since", since), param("before", before),
	}
}

// runOf makes a run of a row of runs.sql.
func runOf(row []bigquery.Value) retention.Run {
	return retention.Run{
		RunID: plain[string](row[0]), RunTimestamp: timeOf(row[1]), AlertDate: pointer[civil.Date](row[2]),
		Severity: wordOf[functions.Severity](row[3]), AlertFlag: pointer[bool](row[4]), CurrentValue: pointer[float64](row[5]),
		BaselineValue: pointer[float64](row[6]), DeltaRelativePct: pointer[float64](row[7]), SampleSize: pointer[int64](row[8]),
		P1Count: pointer[int64](row[9]), P2Count: pointer[int64](row[10]), P3Count: pointer[int64](row[11]), TotalExported: pointer[int64](row[12]),
		SlackPosted: plain[bool](row[13]), SlackMessageTS: plain[string](row[14]), TicketID: plain[string](row[15]),
		ExportP1Link: plain[string](row[16]), ExportP2Link: plain[string](row[17]), ExportP3Link: plain[string](row[18]),
		Status: wordOf[functions.RunStatus](row[19]), ErrorMessage: plain[string](row[20]), ExecutionTimeMS: pointer[int64](row[21]),
		Stage: plain[string](row[22]), RulesVersion: plain[string](row[23]), Phase: wordOf[functions.Phase](row[24]), Caller: plain[string](row[25]),
		IdempotencyKey: plain[string](row[26]), DeliveryState: wordOf[functions.DeliveryState](row[27]), WebhookAttempts: plain[int64](row[28]),
		EmailSent: plain[bool](row[29]), ExportState: plain[string](row[30]), NotificationReason: plain[string](row[31]),
		ForcedBy: plain[string](row[32]), ConfirmationID: plain[string](row[33]), InputFingerprint: plain[string](row[34]),
		DryRun: plain[bool](row[35]), CreatedAt: timeOf(row[36]),
	}
}
