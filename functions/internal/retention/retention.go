// Package retention holds the words inside the house: the alert of a day, a customer as the input tables tell of it,
// a row of the priority queue, the assessment of a day, a run. They carry data and no behaviour of their own; beside them
// stands how a count of them is written.
//
// It is not the contract: what callers see is in package functions, and these words are free to change with the tables.
package retention

import (
	"database/sql"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// Alert is one row of alert_logic (§5.1). Shares and deltas are in percent.
type Alert struct {
	Date       functions.Date
	Severity   functions.Severity
	Flag       bool
	Current    float64           // share of AT_RISK customers
	Baseline   sql.Null[float64] // mean of the seven days before; NULL while there are fewer
	Delta      sql.Null[float64] // relative change against the baseline
	SampleSize int64             // customers counted
}

// Customer is what the three customer tables (§5.2 to §5.4) say of one id, as they say it: a NULL stays a NULL, a
// missing row leaves its columns NULL, and Rows tells how often the id stands in each table.
type Customer struct {
	ID                 string // empty when the row carries none
	Rows               SourceRows
	Status             sql.Null[string]
	DaysSinceLastOrder sql.Null[int64]
	RiskLevel          sql.Null[string]
	RiskScore          sql.Null[int64]
	FrequencyDrop      sql.Null[bool]
	StatusInconsistent sql.Null[bool]
	ValueDrop          sql.Null[bool]
	TotalRevenue       sql.Null[functions.Money]
	TotalOrders        sql.Null[int64]
	AvgOrderValue      sql.Null[functions.Money]
}

// SourceRows counts the rows with a customer's id in each input table. All three are 1 for a sound customer.
type SourceRows struct{ Snapshot, Churn, Base int64 }

// QueueRow is one row of customer_priority (§6.1 and design section 4).
type QueueRow struct {
	RunDate            functions.Date
	CustomerID         string
	Status             functions.Status
	RiskLevel          functions.Risk
	RiskScore          int64
	Tier               functions.Tier
	Score              float64 // 0 to 100
	Reason             string
	DaysSinceLastOrder int64
	TotalRevenue       functions.Money
	TotalOrders        int64
	AvgOrderValue      sql.Null[functions.Money]
	Action             string
	ValueProxy         functions.Money
	RuleID             string
	RulesVersion       string
	FrequencyDrop      bool
	StatusInconsistent bool
	ValueDrop          bool
	CreatedAt          time.Time
}

// QueueSummary is a stored day's queue in figures.
type QueueSummary struct {
	Date         functions.Date
	RulesVersion string
	CreatedAt    time.Time             // when its newest row was written; a day that was replaced whole has one time
	Tiers        []functions.TierTotal // every tier, in order, also the empty ones
}

// Assessment is every customer of a day judged by one version of the rules.
type Assessment struct {
	AsOf          functions.Date
	RulesVersion  string
	MedianRevenue functions.Money
	Customers     int64                      // all ids seen, those set aside and those excluded included
	Excluded      int64                      // of those, who is on the exclusion list: in no tier, else counted like everybody
	StatusByRisk  []functions.StatusRiskCell // every pair, in the order of functions.Statuses and functions.Risks
	Tiers         []functions.TierTotal      // every tier, in order
	Quality       functions.DataQuality
	Rows          []QueueRow // tier, then score descending, then customer id
	Fingerprint   string     // stands for exactly these customers as read, and who of them is excluded
}

// Run is one row of ops_runs_log. Callers see it as it is, so the contract holds it.
type Run = functions.Run
