// Package audience turns the rows of a day's queue into what leaves the house: one tier as a table of exact cells and
// as a CSV file that a spreadsheet can open without running anything and a CRM can join without losing anybody.
//
// It does not judge and does not sort: which customer is in which tier, and before whom, was decided when the queue was
// built. Where a file goes is the business of a destination.
package audience

import (
	"slices"
	"strconv"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// columns are those of the source's queue table (§6.1) in its order, then the rule that spoke and its version.
var columns = []destination.Column{
	{Name: "run_date", Kind: destination.Day},
	{Name: "customer_id", Kind: destination.Text},
	{Name: "retention_status", Kind: destination.Text},
	{Name: "churn_risk_level", Kind: destination.Text},
	{Name: "churn_risk_score", Kind: destination.Number},
	{Name: "priority_tier", Kind: destination.Text},
	{Name: "priority_score", Kind: destination.Number},
	{Name: "priority_reason", Kind: destination.Text},
	{Name: "days_since_last_order", Kind: destination.Number},
	{Name: "total_revenue", Kind: destination.Number},
	{Name: "total_orders", Kind: destination.Number},
	{Name: "avg_order_value", Kind: destination.Number},
	{Name: "recommended_action", Kind: destination.Text},
	{Name: "value_proxy", Kind: destination.Number},
	{Name: "rule_id", Kind: destination.Text},
	{Name: "rules_version", Kind: destination.Text},
}

// customerID is the place of the key that a CRM joins on: the one text column that is never changed.
const customerID = 1

// Columns names the columns of an audience, in order.
func Columns() []string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
	}
	return names
}

// cells is the exact text of a row: a NULL is empty, amounts keep every digit, scores have no exponent.
func cells(row *retention.QueueRow) []string {
	average := ""
	if row.AvgOrderValue.Valid {
		average = amount(row.AvgOrderValue.V)
	}
	return []string{
		row.RunDate.String(),
		row.CustomerID,
		string(row.Status),
		string(row.RiskLevel),
		strconv.FormatInt(row.RiskScore, 10),
		string(row.Tier),
		strconv.FormatFloat(row.Score, 'f', -1, 64),
		row.Reason,
		strconv.FormatInt(row.DaysSinceLastOrder, 10),
		amount(row.TotalRevenue),
		strconv.FormatInt(row.TotalOrders, 10),
		average,
		row.Action,
		amount(row.ValueProxy),
		row.RuleID,
		row.RulesVersion,
	}
}

// amount writes every digit of an amount, and at least cents. The scale of a warehouse's column does not show: 12.5,
// 12.50 and 12.500000000 are one amount and one text.
func amount(m functions.Money) string {
	text := m.String()
	point := strings.IndexByte(text, '.')
	switch {
	case point < 0:
		return text + ".00"
	case len(text)-point == len(".0"):
		return text + "0"
	default:
		return text
	}
}

// Report says what of a tier is in an audience. Available = Exported + customers left out + rows that the limit cut.
type Report struct {
	Exported  int64
	Available int64
	Truncated bool // the limit cut rows
	LeftOut   []functions.LeftOut
}

// Build makes the audience of a tier from its rows, in the order given. At most limit rows are in it; 0 stands for
// functions.DefaultLimit.
func Build(
	date functions.Date, tier functions.Tier, rows []retention.QueueRow, limit int, folder string, s Settings,
) (destination.Audience, Report) {
	c := collector{limit: limit}
	for i := range rows {
		c.add(&rows[i])
	}
	return c.audience(date, tier, folder, s), c.report()
}

// collector takes a tier's rows one by one, and keeps no more than it exports.
type collector struct {
	limit     int
	rows      [][]string
	available int64
	cut       int64
	leftOut   [len(faults)]functions.LeftOut
	never     Exclusions // nil excludes nobody
	excluded  int64      // rows of customers who are excluded since the queue was built
	version   string     // of the rules, as the rows carry it
}

// onTheList is why a customer is left out who was put on the exclusion list after the queue was built.
const onTheList = "on the exclusion list since the queue was built"

// namedIDs is how many of the customers left out are named (functions.LeftOut).
const namedIDs = 20

func (c *collector) add(row *retention.QueueRow) {
	c.available++
	c.version = row.RulesVersion
	limit := c.limit
	if limit == 0 {
		limit = functions.DefaultLimit
	}
	if c.never != nil && c.never.Has(row.CustomerID) {
		c.excluded++
		return
	}
	switch fault := faultOf(row.CustomerID); {
	case fault != sound:
		out := &c.leftOut[fault]
		out.Customers++
		if len(out.CustomerIDs) < namedIDs {
			out.CustomerIDs = append(out.CustomerIDs, row.CustomerID)
		}
	case len(c.rows) < limit:
		c.rows = append(c.rows, cells(row))
	default:
		c.cut++
	}
}

func (c *collector) audience(date functions.Date, tier functions.Tier, folder string, s Settings) destination.Audience {
	return destination.Audience{
		Date: date, Tier: tier, Folder: folder, Columns: slices.Clone(columns), Rows: c.rows,
		CSV: &file{columns: columns, rows: c.rows, settings: s},
	}
}

func (c *collector) report() Report {
	report := Report{
		Exported: int64(len(c.rows)), Available: c.available, Truncated: c.cut > 0, LeftOut: []functions.LeftOut{},
	}
	for fault, out := range c.leftOut {
		if out.Customers > 0 {
			out.Reason = faults[fault]
			report.LeftOut = append(report.LeftOut, out)
		}
	}
	if c.excluded > 0 { // not named: the list is nobody's business
		report.LeftOut = append(report.LeftOut, functions.LeftOut{Reason: onTheList, Customers: c.excluded, CustomerIDs: []string{}})
	}
	return report
}
