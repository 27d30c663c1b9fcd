package bigquerywarehouse

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// The columns of our tables as the DDL makes them; a load job states them again.
var (
	queueSchema = bigquery.Schema{
		must("run_date", bigquery.DateFieldType), must("customer_id", bigquery.StringFieldType),
		must("retention_status", bigquery.StringFieldType), must("churn_risk_level", bigquery.StringFieldType),
		may("churn_risk_score", bigquery.IntegerFieldType), must("priority_tier", bigquery.StringFieldType),
		must("priority_score", bigquery.FloatFieldType), must("priority_reason", bigquery.StringFieldType),
		may("days_since_last_order", bigquery.IntegerFieldType), may("total_revenue", bigquery.NumericFieldType),
		may("total_orders", bigquery.IntegerFieldType), may("avg_order_value", bigquery.NumericFieldType),
		may("recommended_action", bigquery.StringFieldType), may("value_proxy", bigquery.NumericFieldType),
		must("rule_id", bigquery.StringFieldType), must("rules_version", bigquery.StringFieldType),
		may("is_frequency_drop", bigquery.BooleanFieldType), may("is_status_inconsistent", bigquery.BooleanFieldType),
		may("is_value_drop", bigquery.BooleanFieldType), may("created_at", bigquery.TimestampFieldType),
	}
	runsSchema = bigquery.Schema{
		must("run_id", bigquery.StringFieldType), must("run_timestamp", bigquery.TimestampFieldType),
		may("alert_date", bigquery.DateFieldType), may("severity", bigquery.StringFieldType), may("alert_flag", bigquery.BooleanFieldType),
		may("current_value", bigquery.FloatFieldType), may("baseline_value", bigquery.FloatFieldType),
		may("delta_relative_pct", bigquery.FloatFieldType), may("sample_size", bigquery.IntegerFieldType),
		may("p1_count", bigquery.IntegerFieldType), may("p2_count", bigquery.IntegerFieldType), may("p3_count", bigquery.IntegerFieldType),
		may("total_exported", bigquery.IntegerFieldType), may("slack_posted", bigquery.BooleanFieldType),
		may("slack_message_ts", bigquery.StringFieldType), may("ticket_id", bigquery.StringFieldType),
		may("export_p1_link", bigquery.StringFieldType), may("export_p2_link", bigquery.StringFieldType),
		may("export_p3_link", bigquery.StringFieldType), may("status", bigquery.StringFieldType),
		may("error_message", bigquery.StringFieldType), may("execution_time_ms", bigquery.IntegerFieldType),
		may("stage", bigquery.StringFieldType), may("rules_version", bigquery.StringFieldType), may("phase", bigquery.StringFieldType),
		may("caller", bigquery.StringFieldType), may("idempotency_key", bigquery.StringFieldType),
		may("delivery_state", bigquery.StringFieldType), may("webhook_attempts", bigquery.IntegerFieldType),
		may("email_sent", bigquery.BooleanFieldType), may("export_state", bigquery.StringFieldType),
		may("notification_reason", bigquery.StringFieldType), may("forced_by", bigquery.StringFieldType),
		may("confirmation_id", bigquery.StringFieldType), may("input_fingerprint", bigquery.StringFieldType),
		may("dry_run", bigquery.BooleanFieldType), may("created_at", bigquery.TimestampFieldType),
	}
)

func must(name string, kind bigquery.FieldType) *bigquery.FieldSchema {
	return &bigquery.FieldSchema{Name: name, Type: kind, Required: true}
}

func may(name string, kind bigquery.FieldType) *bigquery.FieldSchema {
	return &bigquery.FieldSchema{Name: name, Type: kind}
}

// shape is how one of our tables is laid out. A load job that states another one fails.
type shape struct {
	table      string
	schema     bigquery.Schema
	partition  string
	clustering []string
}

var (
	queueShape = shape{queueTable, queueSchema, "run_date", []string{"priority_tier", "customer_id"}}
	runsShape  = shape{"ops_runs_log", runsSchema, "run_timestamp", []string{"alert_date", "severity"}}
	shapes     = []shape{queueShape, runsShape}
)

// ours says whether a table is one that we write.
func ours(table string) bool {
	return slices.ContainsFunc(shapes, func(s shape) bool { return s.table == table })
}

// schemaStatements are the statements of the schema in the order in which they run.
var schemaStatements = []string{createQueueStatement, expireQueueStatement, createRunsStatement}

// schemaOf is the DDL of our two tables as it is shown and run.
func schemaOf(sql map[string]string, keepDays int) []string {
	statements := make([]string, len(schemaStatements))
	for i, name := range schemaStatements {
		statements[i] = strings.ReplaceAll(sql[name], "EXPIRY_DAYS", strconv.Itoa(keepDays))
	}
	return statements
}

// ApplySchema implements driver.Schemer.
func (w *Warehouse) ApplySchema(ctx context.Context, keepDays int) ([]driver.Finding, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, fault("make our tables", err)
	}
	if _, err := w.client.Dataset(w.place.Dataset).Metadata(ctx); isStatus(err, http.StatusNotFound) {
		return nil, noDataset().WithCause(err)
	} else if err != nil {
		return nil, fault("look at our dataset", err)
	}
	operation := w.operation(ctx)
	for i, statement := range schemaOf(w.sql, keepDays) {
		name := schemaStatements[i]
		id := "retops-schema-" + name + "-" + operation
		if err := w.runJob(ctx, name, statement, id, nil); err != nil {
			return nil, fault("make our tables", err)
		}
	}
	var findings []driver.Finding
	for _, s := range shapes {
		found, err := w.compare(ctx, s)
		if err != nil {
			return nil, fault("look at our tables", err)
		}
		findings = append(findings, found.findings...)
		if s.table == queueTable && found.metadata != nil {
			findings = append(findings, expiryFinding(found.metadata, keepDays)...)
		}
	}
	return findings, nil
}

// compared is a table of ours beside what it must be.
type compared struct {
	metadata *bigquery.TableMetadata // nil when there is no such table
	findings []driver.Finding
}

// compare names the differences between a table of ours and its shape. Columns that are not ours are nobody's business.
func (w *Warehouse) compare(ctx context.Context, s shape) (compared, error) {
	metadata, err := w.metadata(ctx, w.place.Project, w.place.Dataset, s.table)
	if err != nil {
		return compared{}, err
	}
	if metadata == nil {
		return compared{findings: []driver.Finding{{Table: s.table, Want: "a table"}}}, nil
	}
	var findings []driver.Finding
	for _, want := range s.schema {
		got := ""
		if field := fieldOf(metadata.Schema, want.Name); field != nil {
			got = typeOf(field)
		}
		if got != typeOf(want) {
			findings = append(findings, driver.Finding{Table: s.table, Column: want.Name, Want: typeOf(want), Got: got})
		}
	}
	if got, want := partitionOf(metadata), "partitioned by the day of "+s.partition; got != want {
		findings = append(findings, driver.Finding{Table: s.table, Want: want, Got: got})
	}
	if got, want := clusteringOf(metadata), clustered(s.clustering); got != want {
		findings = append(findings, driver.Finding{Table: s.table, Want: want, Got: got})
	}
	return compared{metadata, findings}, nil
}

func expiryFinding(metadata *bigquery.TableMetadata, keepDays int) []driver.Finding {
	if metadata.TimePartitioning == nil {
		return nil // it was named already
	}
	const form = "kept for %g days a partition"
	got, want := metadata.TimePartitioning.Expiration, time.Duration(keepDays)*24*time.Hour
	if got == want {
		return nil
	}
	finding := driver.Finding{Table: queueTable, Want: fmt.Sprintf(form, want.Hours()/24), Got: fmt.Sprintf(form, got.Hours()/24)}
	if got == 0 {
		finding.Got = "kept for ever"
	}
	return []driver.Finding{finding}
}

func fieldOf(schema bigquery.Schema, name string) *bigquery.FieldSchema {
	i := slices.IndexFunc(schema, func(field *bigquery.FieldSchema) bool { return strings.EqualFold(field.Name, name) })
	if i < 0 {
		return nil
	}
	return schema[i]
}

// sqlTypes are the names that SQL has for the types which the API calls otherwise.
var sqlTypes = map[bigquery.FieldType]string{
	bigquery.IntegerFieldType: "INT64", bigquery.FloatFieldType: "FLOAT64", bigquery.BooleanFieldType: "BOOL",
}

// typeOf is a column's type as the DDL writes it.
func typeOf(field *bigquery.FieldSchema) string {
	name := string(field.Type)
	if known := sqlTypes[field.Type]; known != "" {
		name = known
	}
	switch {
	case field.Repeated:
		return "ARRAY<" + name + ">"
	case field.Required:
		return name + " NOT NULL"
	default:
		return name
	}
}

func partitionOf(metadata *bigquery.TableMetadata) string {
	switch by := metadata.TimePartitioning; {
	case by == nil:
		return "not partitioned by time"
	case by.Field == "":
		return "partitioned by the time of loading"
	case by.Type != bigquery.DayPartitioningType && by.Type != "":
		return fmt.Sprintf("partitioned by the %s of %s", strings.ToLower(string(by.Type)), by.Field)
	default:
		return "partitioned by the day of " + by.Field
	}
}

func clusteringOf(metadata *bigquery.TableMetadata) string {
	if metadata.Clustering == nil {
		return "not clustered"
	}
	return clustered(metadata.Clustering.Fields)
}

func clustered(fields []string) string { return "clustered by " + strings.Join(fields, ", ") }
