package functions

import "time"

// Run is one row of ops_runs_log (§6.2 and design section 4), which is append-only: a run has a row for its begin and
// one for its end, and the newest is its state. JSON names are the column names. Nothing in it is a secret.
//
// notification_reason says in one word why people were notified:
//   - first: nothing of this alert was sent before;
//   - escalated: a CRITICAL after the day's WARNING, whose ticket it updates;
//   - repeated: the same message again, as it was not confirmed;
//   - forced: a new message for a day that was sent (resend);
//   - replayed: a stored message again because somebody wants it; forced_by names the run that it is of.
//
// Or why they were not:
//   - no_alert: the day has none;
//   - resolved: the day has none, for the first time since one was sent;
//   - phase: the phase does not act on the severity;
//   - silenced: a silence of the rules covers the day's alert;
//   - inhibited: a CRITICAL of the day was sent, or is being sent, and a WARNING beside it is no news;
//   - shadow: everything was made, and the phase sends nothing;
//   - guardrail: a guardrail stopped the run;
//   - failed: a stage before the sending failed.
type Run struct {
	RunID        string    `json:"run_id"`
	RunTimestamp time.Time `json:"run_timestamp"` // begin of the run; the same in both rows
	AlertDate    *Date     `json:"alert_date"`

	Severity         Severity `json:"severity,omitempty"` // absent when the run ended before the decision
	AlertFlag        *bool    `json:"alert_flag"`
	CurrentValue     *float64 `json:"current_value"`
	BaselineValue    *float64 `json:"baseline_value"`
	DeltaRelativePct *float64 `json:"delta_relative_pct"`
	SampleSize       *int64   `json:"sample_size"`

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

	Status          RunStatus `json:"status"`
	ErrorMessage    string    `json:"error_message"` // our code and hint, never a remote text
	ExecutionTimeMS *int64    `json:"execution_time_ms"`

	Stage              string        `json:"stage"` // the last stage reached
	RulesVersion       string        `json:"rules_version"`
	Phase              Phase         `json:"phase,omitempty"`
	Caller             string        `json:"caller"`          // as Call.Caller
	IdempotencyKey     string        `json:"idempotency_key"` // date_severity_phase
	DeliveryState      DeliveryState `json:"delivery_state,omitempty"`
	WebhookAttempts    int64         `json:"webhook_attempts"`
	EmailSent          bool          `json:"email_sent"`
	ExportState        string        `json:"export_state"`        // csv, or what stood in for what
	NotificationReason string        `json:"notification_reason"` // one word; see Run
	ForcedBy           string        `json:"forced_by"`           // who passed a guardrail and why; the run that was replayed
	ConfirmationID     string        `json:"confirmation_id"`     // of the person who let the gateway run it; see Call
	InputFingerprint   string        `json:"input_fingerprint"`
	DryRun             bool          `json:"dry_run"`

	CreatedAt time.Time `json:"created_at"` // when this row was written
}
