// Package retention holds the words inside the house: the alert of a day, a customer as the input tables tell of it,
// a row of the priority queue, the assessment of a day, a run. They carry data and no behaviour of their own.
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
	Tiers        []functions.TierTotal // every tier, in order, also the empty ones
}

// Assessment is every customer of a day judged by one version of the rules.
type Assessment struct {
	AsOf          functions.Date
	RulesVersion  string
	MedianRevenue functions.Money
	Customers     int64                      // all ids seen, those set aside included
	StatusByRisk  []functions.StatusRiskCell // every pair, in the order of functions.Statuses and functions.Risks
	Tiers         []functions.TierTotal      // every tier, in order
	Quality       functions.DataQuality
	Rows          []QueueRow // tier, then score descending, then customer id
	Fingerprint   string     // stands for exactly these customers as read
}

// Run is one row of ops_runs_log (§6.2 and design section 4), which is append-only: a run has a row for its begin and
// one for its end, and the newest is its state. JSON names are the column names. Nothing in it is a secret.
type Run struct {
	RunID        string          `json:"run_id"`
	RunTimestamp time.Time       `json:"run_timestamp"` // begin of the run; the same in both rows
	AlertDate    *functions.Date `json:"alert_date"`

	Severity         functions.Severity `json:"severity"`
	AlertFlag        *bool              `json:"alert_flag"`
	CurrentValue     *float64           `json:"current_value"`
	BaselineValue    *float64           `json:"baseline_value"`
	DeltaRelativePct *float64           `json:"delta_relative_pct"`
	SampleSize       *int64             `json:"sample_size"`

	P1Count       *int64 `json:"p1_count"`
	P2Count       *int64 `json:"p2_count"`
	P3Count       *int64 `json:"p3_count"`
	TotalExported *int64 `json:"total_exported"`

	SlackPosted    bool   `json:"slack_posted"`
	SlackMessageTS string `json:"slack_message_ts"`
	TicketID       string `json:"ticket_id"`
	ExportP1Link   string `json:"export_p1_link"`
	ExportP2Link   string `json:"export_p2_link"`
	ExportP3Link   string `json:"export_p3_link"`

	Status          functions.RunStatus `json:"status"`
	ErrorMessage    string              `json:"error_message"` // our code and hint, never a remote text
	ExecutionTimeMS *int64              `json:"execution_time_ms"`

	Stage              string                  `json:"stage"` // the last stage reached
	RulesVersion       string                  `json:"rules_version"`
	Phase              functions.Phase         `json:"phase"`
	Caller             string                  `json:"caller"`
	IdempotencyKey     string                  `json:"idempotency_key"` // date_severity_phase
	DeliveryState      functions.DeliveryState `json:"delivery_state"`
	WebhookAttempts    int64                   `json:"webhook_attempts"`
	EmailSent          bool                    `json:"email_sent"`
	ExportState        string                  `json:"export_state"`        // csv, or what stood in for what
	NotificationReason string                  `json:"notification_reason"` // first, escalated, forced, or why nothing was sent
	ForcedBy           string                  `json:"forced_by"`
	ConfirmationID     string                  `json:"confirmation_id"`
	InputFingerprint   string                  `json:"input_fingerprint"`
	DryRun             bool                    `json:"dry_run"`

	CreatedAt time.Time `json:"created_at"` // when this row was written
}
