package rulebook

import (
	"database/sql"
	"strconv"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// kind is what a field holds.
type kind string

// The kinds, as fields.yaml names them.
const (
	kindChoice kind = "choice"
	kindWhole  kind = "whole number"
	kindAmount kind = "amount"
	kindYesNo  kind = "yes/no"
)

func (k kind) isNumber() bool { return k == kindWhole || k == kindAmount }

// The input tables, as messages and fields.yaml name them.
const (
	tableSnapshot = "retention_snapshot"
	tableChurn    = "churn_detection"
	tableBase     = "base_customers"
)

// column is a field as the program knows it: where it stands in a customer and in a row. fields.yaml says what of it a
// rule may use, and its bounds.
type column struct {
	name  string
	kind  kind
	table string   // empty for a statistic
	words []string // the words of the contract, for a choice
	short string   // the name in the issue word unknown_…

	// canBeEmpty says that a row of the queue may do without it; all the others it carries.
	canBeEmpty bool

	// One of these gives the column of a customer, as its kind wants.
	choice func(*retention.Customer) *sql.Null[string]
	whole  func(*retention.Customer) *sql.Null[int64]
	amount func(*retention.Customer) *sql.Null[functions.Money]
	yes    func(*retention.Customer) *sql.Null[bool]
}

// columns are the fields that a rule can be given, in the order of the tables.
var columns = []*column{
	{
		name: "retention_status", kind: kindChoice, table: tableSnapshot, words: texts(functions.Statuses), short: "status",
		choice: func(c *retention.Customer) *sql.Null[string] { return &c.Status },
	},
	{
		name: "days_since_last_order", kind: kindWhole, table: tableSnapshot,
		whole: func(c *retention.Customer) *sql.Null[int64] { return &c.DaysSinceLastOrder },
	},
	{
		name: "churn_risk_level", kind: kindChoice, table: tableChurn, words: texts(functions.Risks), short: "risk_level",
		choice: func(c *retention.Customer) *sql.Null[string] { return &c.RiskLevel },
	},
	{
		name: "churn_risk_score", kind: kindWhole, table: tableChurn,
		whole: func(c *retention.Customer) *sql.Null[int64] { return &c.RiskScore },
	},
	{
		name: "is_frequency_drop", kind: kindYesNo, table: tableChurn,
		yes: func(c *retention.Customer) *sql.Null[bool] { return &c.FrequencyDrop },
	},
	{
		name: "is_status_inconsistent", kind: kindYesNo, table: tableChurn,
		yes: func(c *retention.Customer) *sql.Null[bool] { return &c.StatusInconsistent },
	},
	{
		name: "is_value_drop", kind: kindYesNo, table: tableChurn,
		yes: func(c *retention.Customer) *sql.Null[bool] { return &c.ValueDrop },
	},
	{
		name: "total_revenue", kind: kindAmount, table: tableBase,
		amount: func(c *retention.Customer) *sql.Null[functions.Money] { return &c.TotalRevenue },
	},
	{
		name: "total_orders", kind: kindWhole, table: tableBase,
		whole: func(c *retention.Customer) *sql.Null[int64] { return &c.TotalOrders },
	},
	{
		name: "avg_order_value", kind: kindAmount, table: tableBase, canBeEmpty: true,
		amount: func(c *retention.Customer) *sql.Null[functions.Money] { return &c.AvgOrderValue },
	},
	{name: medianRevenue, kind: kindAmount},
}

// medianRevenue is the one statistic: a figure of all customers that a rule may compare with.
const medianRevenue = "median_revenue"

func columnNamed(name string) *column {
	for _, c := range columns {
		if c.name == name {
			return c
		}
	}
	return nil
}

func columnNames() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

func texts[W ~string](words []W) []string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = string(word)
	}
	return list
}

// maybePrefix marks the form of a field that can be nil, inside compiled expressions only. A field that may be empty is
// read in this form where an expression asks whether it is, and plainly where it was proven not to be.
const maybePrefix = "maybe_"

// row is a customer as expressions see it. Every number is a float64: with one number type no expression can meet an
// integer overflow or a mixed min. Texts are plain strings, as expr does not compare a named type with a literal.
type row struct {
	Status             string  `expr:"retention_status"`
	Days               float64 `expr:"days_since_last_order"`
	RiskLevel          string  `expr:"churn_risk_level"`
	RiskScore          float64 `expr:"churn_risk_score"`
	FrequencyDrop      bool    `expr:"is_frequency_drop"`
	StatusInconsistent bool    `expr:"is_status_inconsistent"`
	ValueDrop          bool    `expr:"is_value_drop"`
	Revenue            float64 `expr:"total_revenue"`
	Orders             float64 `expr:"total_orders"`
	AvgOrderValue      float64 `expr:"avg_order_value"`
	MedianRevenue      float64 `expr:"median_revenue"`

	MaybeAvgOrderValue *float64 `expr:"maybe_avg_order_value"`
}

// fill copies a customer into the row.
func (r *row) fill(c *retention.Customer) {
	r.Status = c.Status.V
	r.Days = float64(c.DaysSinceLastOrder.V)
	r.RiskLevel = c.RiskLevel.V
	r.RiskScore = float64(c.RiskScore.V)
	r.FrequencyDrop = c.FrequencyDrop.V
	r.StatusInconsistent = c.StatusInconsistent.V
	r.ValueDrop = c.ValueDrop.V
	r.Revenue = nearestFloat(c.TotalRevenue.V)
	r.Orders = float64(c.TotalOrders.V)
	r.AvgOrderValue, r.MaybeAvgOrderValue = nearestFloat(c.AvgOrderValue.V), nil
	if c.AvgOrderValue.Valid {
		r.MaybeAvgOrderValue = &r.AvgOrderValue
	}
}

// powersOfTen are exact as floats up to 1e22.
var powersOfTen = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// short is an amount of up to 15 digits: so many units of a power of ten. Nearly all amounts are, and can be worked with
// in whole numbers.
type short struct {
	units    int64
	exponent int32
	is       bool
}

func shortOf(m functions.Money) short {
	if m.NumDigits() > 15 {
		return short{}
	}
	return short{units: m.CoefficientInt64(), exponent: m.Exponent(), is: true}
}

// float is the float nearest to the amount.
func (s short) float(m functions.Money) float64 {
	if s.is && s.exponent <= 0 && int(-s.exponent) < len(powersOfTen) {
		return float64(s.units) / powersOfTen[-s.exponent]
	}
	number, err := strconv.ParseFloat(m.String(), 64)
	if err != nil {
		number, _ = m.Float64() // out of range: infinite, and out of every bound
	}
	return number
}

// nearestFloat is the float nearest to an amount, for comparisons; files and sums keep the amount. Every amount in cents
// up to 9e13 has a float of its own. A quotient of two exact floats is rounded once, so the short way is as right as
// the long one.
func nearestFloat(m functions.Money) float64 { return shortOf(m).float(m) }
