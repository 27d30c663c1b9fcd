package functions

import "time"

// GetOperationalContext counts customers by status and risk (§8.2, tool 2).
var GetOperationalContext = define[GetOperationalContextInput, GetOperationalContextOutput](Tool{
	Name: "get_operational_context", EntryPoint: "GetOperationalContext", Title: "Customers by status and risk",
	Description: "Shows how many customers are in each status and risk level, how large each priority tier would be by the present rules, " +
		"and what is wrong in the data. Reads only; only for the newest alert date, as the customer tables hold that day alone.",
	Hints: Hints{ReadOnly: true, Idempotent: true}, Scope: ScopeRead, Timeout: 30 * time.Second,
})

// GetOperationalContextInput names the day.
type GetOperationalContextInput struct {
	Date DateRef `json:"date,omitempty" jsonschema:"day: YYYY-MM-DD, or latest; default today; must be the newest alert date"`
}

// Check implements Input.
func (in GetOperationalContextInput) Check() error { return in.Date.Check() }

// IsDryRun implements Input.
func (GetOperationalContextInput) IsDryRun() bool { return false }

// GetOperationalContextOutput is the state of all customers on the day.
type GetOperationalContextOutput struct {
	Date               Date             `json:"date"`
	TotalCustomers     int64            `json:"total_customers" jsonschema:"all customers in the data, those set aside included"`
	StatusDistribution StatusCounts     `json:"status_distribution"`
	AtRiskByRiskLevel  RiskCounts       `json:"at_risk_by_risk_level"`
	StatusByRisk       []StatusRiskCell `json:"status_by_risk" jsonschema:"the whole table: every status with every risk level"`
	TierPreview        []TierTotal      `json:"tier_preview" jsonschema:"the tiers as the present rules would build them"`
	DataQuality        DataQuality      `json:"data_quality"`
	Excluded           int64            `json:"excluded" jsonschema:"customers on the exclusion list: in no tier, else counted like all"`
	RulesVersion       string           `json:"rules_version"`
	RulesStale         bool             `json:"rules_stale,omitempty" jsonschema:"older rules are in force than those published; the log says why"`
}

// StatusCounts counts customers by status.
type StatusCounts struct {
	Active   int64 `json:"ACTIVE"`
	AtRisk   int64 `json:"AT_RISK"`
	Inactive int64 `json:"INACTIVE"`
}

// RiskCounts counts customers by risk level.
type RiskCounts struct {
	High   int64 `json:"HIGH"`
	Medium int64 `json:"MEDIUM"`
	Low    int64 `json:"LOW"`
}

// StatusRiskCell counts the customers with one status and one risk level.
type StatusRiskCell struct {
	Status    Status `json:"status"`
	Risk      Risk   `json:"risk"`
	Customers int64  `json:"customers"`
}

// TierTotal sizes a tier.
type TierTotal struct {
	Tier        Tier  `json:"tier"`
	Customers   int64 `json:"customers"`
	ValueAtRisk Money `json:"value_at_risk" jsonschema:"sum of value_proxy: an estimate, not a forecast"`
}

// DataQuality says which customers could not be judged, and why. They are in no tier.
type DataQuality struct {
	SetAside int64          `json:"set_aside" jsonschema:"customers left out of every tier"`
	Issues   []QualityIssue `json:"issues"`
}

// QualityIssue is one kind of fault in the data. A customer with several faults counts in each of them.
type QualityIssue struct {
	Issue     string `json:"issue" jsonschema:"stable word for the fault"`
	Customers int64  `json:"customers"`
	Meaning   string `json:"meaning" jsonschema:"the fault in words"`
}
