package bigquerywarehouse

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// kind is what a column of an input table has to hold: the type as SQL writes it, and those that do as well.
type kind struct {
	name  string
	takes []bigquery.FieldType
}

var (
	identity = kind{"STRING", []bigquery.FieldType{bigquery.StringFieldType, bigquery.IntegerFieldType}}
	text     = kind{"STRING", []bigquery.FieldType{bigquery.StringFieldType}}
	day      = kind{"DATE", []bigquery.FieldType{bigquery.DateFieldType, bigquery.TimestampFieldType, bigquery.DateTimeFieldType}}
	truth    = kind{"BOOL", []bigquery.FieldType{bigquery.BooleanFieldType, bigquery.IntegerFieldType}}
	whole    = kind{"INT64", []bigquery.FieldType{bigquery.IntegerFieldType}}
	exact    = kind{"NUMERIC, as money must be exact", []bigquery.FieldType{bigquery.NumericFieldType, bigquery.BigNumericFieldType, bigquery.IntegerFieldType}}
	number   = kind{"FLOAT64", []bigquery.FieldType{
		bigquery.FloatFieldType, bigquery.NumericFieldType, bigquery.BigNumericFieldType, bigquery.IntegerFieldType,
	}}
)

// input is a table of the detection with the columns that we read, in the order of §5.
type input struct {
	table   string
	columns []inputColumn
}

type inputColumn struct {
	name string
	kind kind
}

var inputs = []input{
	{"alert_logic", []inputColumn{
		{"alert_date", day},
		{"severity", text},
		{"alert_flag", truth},
		{"current_value", number},
		{"baseline_value", number},
		{"delta_relative_pct", number},
		{"sample_size", whole},
	}},
	{"retention_snapshot", []inputColumn{
		{"customer_id", identity},
		{"retention_status", text},
		{"days_since_last_order", whole},
	}},
	{"churn_detection", []inputColumn{
		{"customer_id", identity},
		{"churn_risk_score", whole},
		{"churn_risk_level", text},
		{"is_frequency_drop", truth},
		{"is_status_inconsistent", truth},
		{"is_value_drop", truth},
	}},
	{"base_customers", []inputColumn{
		{"customer_id", identity},
		{"total_revenue", exact},
		{"total_orders", whole},
		{"avg_order_value", exact},
	}},
}

// Check implements driver.Checker. It reads descriptions of tables and runs no job.
func (w *Warehouse) Check(ctx context.Context) ([]driver.Finding, error) {
	const doing = "look at the tables"
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, fault(doing, err)
	}
	var findings []driver.Finding
	for _, in := range inputs {
		found, err := w.compareInput(ctx, in)
		if err != nil {
			return nil, fault(doing, err)
		}
		findings = append(findings, found...)
	}
	for _, s := range shapes {
		found, err := w.compare(ctx, s)
		if err != nil {
			return nil, fault(doing, err)
		}
		findings = append(findings, found.findings...)
	}
	return findings, nil
}

func (w *Warehouse) compareInput(ctx context.Context, in input) ([]driver.Finding, error) {
	metadata, err := w.metadata(ctx, w.place.InputsProject, w.place.InputsDataset, in.table)
	if err != nil {
		return nil, err
	}
	if metadata == nil {
		return []driver.Finding{{Table: in.table, Want: "a table"}}, nil
	}
	var findings []driver.Finding
	for _, column := range in.columns {
		finding := driver.Finding{Table: in.table, Column: column.name, Want: column.kind.name}
		field := fieldOf(metadata.Schema, column.name)
		if field != nil {
			if !field.Repeated && slices.Contains(column.kind.takes, field.Type) {
				continue
			}
			finding.Got = typeOf(&bigquery.FieldSchema{Type: field.Type, Repeated: field.Repeated})
		}
		findings = append(findings, finding)
	}
	return findings, nil
}

// metadata describes a table; nil when there is none of the name, or not even the dataset.
func (w *Warehouse) metadata(ctx context.Context, project, dataset, table string) (*bigquery.TableMetadata, error) {
	metadata, err := w.client.DatasetInProject(project, dataset).Table(table).
		Metadata(ctx, bigquery.WithMetadataView(bigquery.BasicMetadataView))
	if isStatus(err, http.StatusNotFound) {
		return nil, nil //nolint:nilnil // a table that is not there is an answer here, and no error
	}
	return metadata, err
}

// sample is a statement with values that stand for those of a day's work.
type sample struct {
	name   string
	params []bigquery.QueryParameter
}

// samples are the statements that a day's work consists of.
func samples(date functions.Date) []sample {
	keep := date.AddDays(-90)
	run := retention.Run{RunID: "explain", Status: functions.RunSuccess, RunTimestamp: date.In(time.UTC)}
	return []sample{
		{alertStatement, alertParams(date)},
		{customersStatement, nil},
		{queueStateStatement, queueStateParams(date, keep)},
		{emptyDayStatement, dayParams(date)},
		{expireStatement, expireParams(keep)},
		{queueStatement, queueParams(date, "")},
		{queueSummaryStatement, dayParams(date)},
		{appendRunStatement, runParams(run)},
		{runsStatement, runsParams(driver.RunQuery{})},
	}
}

// Explain implements driver.Explainer: a dry run bills nothing. The loading of a day is no statement and bills nothing
// either. The list of exclusions is left out, as its table is a setting of another room.
func (w *Warehouse) Explain(ctx context.Context) ([]driver.Cost, error) {
	const doing = "explain the statements"
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, fault(doing, err)
	}
	var costs []driver.Cost
	for _, s := range samples(civil.DateOf(w.now().UTC())) {
		q := w.query(ctx, s.name, w.sql[s.name], s.params)
		q.DryRun = true
		job, err := q.Run(ctx)
		if err != nil {
			return nil, w.explained(ctx, doing, err)
		}
		status := job.LastStatus()
		if status == nil || status.Statistics == nil {
			return nil, fault(doing, errors.New("a dry run without statistics"))
		}
		costs = append(costs, driver.Cost{Statement: s.name, Bytes: status.Statistics.TotalBytesProcessed})
	}
	return costs, nil
}
