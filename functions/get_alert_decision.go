package functions

import "time"

// GetAlertDecision reads what the detection says of a day (§8.2, tool 1).
var GetAlertDecision = define[GetAlertDecisionInput, GetAlertDecisionOutput](Tool{
	Name: "get_alert_decision", EntryPoint: "GetAlertDecision", Title: "Alert decision of a day",
	Description: "Tells whether retention needs action on a day: severity, the AT_RISK share against its baseline, and why. " +
		"Ask this first. Reads only; works for any date that has an alert row.",
	Hints: Hints{ReadOnly: true, Idempotent: true}, Scope: ScopeRead, Timeout: 30 * time.Second,
})

// GetAlertDecisionInput names the day.
type GetAlertDecisionInput struct {
	Date DateRef `json:"date,omitempty" jsonschema:"day to judge: YYYY-MM-DD, or latest; default today"`
}

// Check implements Input.
func (in GetAlertDecisionInput) Check() error { return in.Date.Check() }

// IsDryRun implements Input.
func (GetAlertDecisionInput) IsDryRun() bool { return false }

// GetAlertDecisionOutput is the alert row of the day with what follows from it.
type GetAlertDecisionOutput struct {
	AlertDate        Date       `json:"alert_date"`
	Severity         Severity   `json:"severity"`
	AlertFlag        bool       `json:"alert_flag" jsonschema:"whether the detection raised the alert"`
	CurrentValue     float64    `json:"current_value" jsonschema:"share of AT_RISK customers on that day in percent"`
	BaselineValue    *float64   `json:"baseline_value" jsonschema:"mean share of the seven days before in percent; null in the first seven days"`
	DeltaRelativePct *float64   `json:"delta_relative_pct" jsonschema:"relative change against the baseline in percent; null without a baseline"`
	SampleSize       int64      `json:"sample_size" jsonschema:"customers counted"`
	Thresholds       Thresholds `json:"thresholds"`
	BaselineReady    bool       `json:"baseline_ready" jsonschema:"false while there are fewer than seven days before"`
	ActionRequired   bool       `json:"action_required" jsonschema:"whether the alert calls for a playbook"`
	Reason           string     `json:"reason" jsonschema:"the decision in one sentence"`
}

// Thresholds are the detection's own limits, as the rules declare them (alert_logic does not carry them).
type Thresholds struct {
	WarningPct  float64 `json:"warning_pct" jsonschema:"WARNING from this relative change on"`
	CriticalPct float64 `json:"critical_pct" jsonschema:"CRITICAL from this relative change on"`
}
