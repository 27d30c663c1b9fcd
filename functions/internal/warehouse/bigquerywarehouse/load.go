package bigquerywarehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// loadDay replaces a day's partition by a load job. The table's name carries the day: a truncating job on the bare name
// would replace every day, and the schema.
func (w *Warehouse) loadDay(ctx context.Context, doing, id string, date functions.Date, rows []retention.QueueRow, now time.Time) error {
	lines, err := linesOf(rows, now)
	if err != nil {
		return functions.Errorf(functions.InvalidArgument, "a row cannot be stored: %v", err)
	}
	partition := queueTable + "$" + strings.ReplaceAll(date.String(), "-", "")
	err = w.work(ctx, id, func(jobID, location string) (*bigquery.Job, error) {
		source := bigquery.NewReaderSource(bytes.NewReader(lines)) // a reader is spent by each try
		source.SourceFormat = bigquery.JSON
		source.Schema = queueSchema
		loader := w.client.Dataset(w.place.Dataset).Table(partition).LoaderFrom(source)
		loader.JobID, loader.Location = jobID, location
		loader.Labels = labels(ctx, "load_customer_priority")
		loader.CreateDisposition = bigquery.CreateNever // else a missing table becomes one without partitions
		loader.WriteDisposition = bigquery.WriteTruncate
		loader.TimePartitioning = &bigquery.TimePartitioning{Type: bigquery.DayPartitioningType, Field: queueShape.partition}
		loader.Clustering = &bigquery.Clustering{Fields: queueShape.clustering}
		return loader.Run(ctx)
	})
	if err != nil {
		return w.explained(ctx, doing, err)
	}
	return nil
}

// queueLine is a row of customer_priority as a load job reads it. Amounts are texts and whole numbers too: a JSON number
// is a float on the way.
type queueLine struct {
	RunDate            string  `json:"run_date"`
	CustomerID         string  `json:"customer_id"`
	Status             string  `json:"retention_status"`
	RiskLevel          string  `json:"churn_risk_level"`
	RiskScore          int64   `json:"churn_risk_score,string"`
	Tier               string  `json:"priority_tier"`
	Score              float64 `json:"priority_score"`
	Reason             string  `json:"priority_reason"`
	DaysSinceLastOrder int64   `json:"days_since_last_order,string"`
	TotalRevenue       string  `json:"total_revenue"`
	TotalOrders        int64   `json:"total_orders,string"`
	AvgOrderValue      *string `json:"avg_order_value"`
	Action             string  `json:"recommended_action"`
	ValueProxy         string  `json:"value_proxy"`
	RuleID             string  `json:"rule_id"`
	RulesVersion       string  `json:"rules_version"`
	FrequencyDrop      bool    `json:"is_frequency_drop"`
	StatusInconsistent bool    `json:"is_status_inconsistent"`
	ValueDrop          bool    `json:"is_value_drop"`
	CreatedAt          string  `json:"created_at"`
}

// timestampForm is a TIMESTAMP as a load job reads it: UTC, with the six digits that it keeps.
const timestampForm = "2006-01-02T15:04:05.000000Z"

// linesOf writes the rows as a load job reads them, one JSON object a line.
func linesOf(rows []retention.QueueRow, now time.Time) ([]byte, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for i := range rows {
		line, err := lineOf(&rows[i], now)
		if err != nil {
			return nil, err
		}
		if err := encoder.Encode(line); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

func lineOf(row *retention.QueueRow, now time.Time) (line queueLine, err error) {
	created := row.CreatedAt
	if created.IsZero() {
		created = now
	}
	line = queueLine{
		RunDate: row.RunDate.String(), CustomerID: row.CustomerID, Status: string(row.Status), RiskLevel: string(row.RiskLevel),
		RiskScore: row.RiskScore, Tier: string(row.Tier), Score: row.Score, Reason: row.Reason,
		DaysSinceLastOrder: row.DaysSinceLastOrder, TotalOrders: row.TotalOrders, Action: row.Action,
		RuleID: row.RuleID, RulesVersion: row.RulesVersion,
		FrequencyDrop: row.FrequencyDrop, StatusInconsistent: row.StatusInconsistent, ValueDrop: row.ValueDrop,
		CreatedAt: created.UTC().Format(timestampForm),
	}
	if line.TotalRevenue, err = numericOf(row.TotalRevenue); err != nil {
		return line, fmt.Errorf("total_revenue: %w", err)
	}
	if line.ValueProxy, err = numericOf(row.ValueProxy); err != nil {
		return line, fmt.Errorf("value_proxy: %w", err)
	}
	if row.AvgOrderValue.Valid {
		average, err := numericOf(row.AvgOrderValue.V)
		if err != nil {
			return line, fmt.Errorf("avg_order_value: %w", err)
		}
		line.AvgOrderValue = &average
	}
	return line, nil
}

// numericDigits is how many digits a NUMERIC has before the point.
const numericDigits = 29

var tooLarge = new(big.Int).Exp(big.NewInt(10), big.NewInt(numericDigits), nil)

// numericOf writes an amount as a NUMERIC. One with more digits than that holds is refused, not rounded.
func numericOf(money functions.Money) (string, error) {
	switch {
	case money.IsZero():
		return "0", nil
	case money.Exponent() > numericDigits || money.BigInt().CmpAbs(tooLarge) >= 0:
		return "", fmt.Errorf("amount has more than %d digits before the point", numericDigits)
	case !money.Truncate(numericScale).Equal(money.Decimal):
		return "", fmt.Errorf("amount has more than %d decimals", numericScale)
	}
	return money.String(), nil
}
