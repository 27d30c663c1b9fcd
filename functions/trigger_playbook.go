package functions

import (
	"regexp"
	"time"
)

// TriggerPlaybook runs the day's playbook from decision to receipt and logs it (§8.2, tool 6).
var TriggerPlaybook = define[TriggerPlaybookInput, TriggerPlaybookOutput](Tool{
	Name: "trigger_playbook", EntryPoint: "TriggerPlaybook", Title: "Run the playbook",
	Description: "Runs the whole playbook of an alert day: queue, exports, brief, the Make.com webhook (Slack, Jira) and the audit row. " +
		"It notifies people; use dry_run first for the plan. A day is sent once: calling again answers with the first result, unless resend.",
	Hints: Hints{Destructive: true, OpenWorld: true}, Scope: ScopeAct, Timeout: 290 * time.Second,
})

// TriggerPlaybookInput names the day.
type TriggerPlaybookInput struct {
	Date         DateRef   `json:"date,omitempty" jsonschema:"day: YYYY-MM-DD, or latest; default today; must be the newest alert date"`
	DryRun       bool      `json:"dry_run,omitempty" jsonschema:"answer the plan, send and write nothing"`
	Resend       bool      `json:"resend,omitempty" jsonschema:"send a day again that was already sent, under a new id"`
	Override     *Override `json:"override,omitempty" jsonschema:"passes a guardrail that stops; is logged"`
	ExpectDigest string    `json:"expect_digest,omitempty" jsonschema:"digest of a plan; refuses when anything has changed since"`
	Replay       string    `json:"replay,omitempty" jsonschema:"run_id: send the stored message of that run again, under its id; goes with no other field"`
}

// Check implements Input.
func (in TriggerPlaybookInput) Check() error {
	if in.Replay != "" && in != (TriggerPlaybookInput{Replay: in.Replay}) {
		return Errorf(InvalidArgument, "replay goes with no other field").
			WithHint("it sends a stored message as it is; leave the other fields out")
	}
	if in.Replay != "" && !runID.MatchString(in.Replay) {
		return Errorf(InvalidArgument, "replay does not name a run").WithHint("write a run_id, as the list of runs shows them")
	}
	if err := in.Date.Check(); err != nil {
		return err
	}
	return in.Override.check()
}

// runID is what the id of a run looks like.
var runID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// IsDryRun implements Input.
func (in TriggerPlaybookInput) IsDryRun() bool { return in.DryRun }

// Forced says who passes a stopping guardrail and why, for the log; empty when nobody does.
func (in TriggerPlaybookInput) Forced() string { return in.Override.String() }

// TriggerPlaybookOutput is the outcome of a run.
type TriggerPlaybookOutput struct {
	RunID          string        `json:"run_id"`
	Date           Date          `json:"date"`
	Severity       Severity      `json:"severity,omitempty" jsonschema:"absent when the run ended before the decision"`
	Phase          Phase         `json:"phase"`
	Status         RunStatus     `json:"status" jsonschema:"of a dry run success: the plan could be made, whatever it says"`
	DeliveryState  DeliveryState `json:"delivery_state" jsonschema:"what is known of the delivery; only a receipt confirms"`
	Reason         string        `json:"reason" jsonschema:"why the run ended as it did; of a dry run how a run would end"`
	WebhookCalled  bool          `json:"webhook_called"`
	ResponseStatus int           `json:"response_status" jsonschema:"HTTP status of the webhook's last answer; 0 without one"`
	Attempts       int           `json:"webhook_attempts"`
	Artifacts      Artifacts     `json:"artifacts"`
	LogWritten     bool          `json:"log_written" jsonschema:"whether the audit rows reached the warehouse"`
	AlreadyDone    bool          `json:"already_done" jsonschema:"this is the result of an earlier run; nothing was sent now"`
	ReplayOf       string        `json:"replay_of,omitempty" jsonschema:"run whose stored message was sent again; only for a replay"`
	P1Count        int64         `json:"p1_count"`
	P2Count        int64         `json:"p2_count"`
	P3Count        int64         `json:"p3_count"`
	Excluded       int64         `json:"excluded" jsonschema:"customers on the exclusion list: in no tier"`
	Guardrails     Guardrails    `json:"guardrails"`
	BackupMail     *BackupMail   `json:"backup_mail,omitempty" jsonschema:"the mail of a run that did not deliver; absent when none was called for"`
	RulesVersion   string        `json:"rules_version"`
	RulesStale     bool          `json:"rules_stale,omitempty" jsonschema:"older rules are in force than those published; the log says why"`
	DryRun         bool          `json:"dry_run"`
	Plan           *Plan         `json:"plan,omitempty" jsonschema:"only for a dry run"`
}

// BackupMail tells of the mail that stands in for what did not arrive (§14).
type BackupMail struct {
	ToRole string `json:"to_role" jsonschema:"retention_team or data_team, as playbooks.yaml names their addresses"`
	Sent   bool   `json:"sent" jsonschema:"whether the mail server took it in this run"`
	Error  string `json:"error,omitempty" jsonschema:"why it was not sent, or not to everybody"`
}

// The roles that mail goes to. Their addresses stand in playbooks.yaml.
const (
	RetentionTeam = "retention_team" // works the queue: hears of a playbook that is not confirmed
	DataTeam      = "data_team"      // runs the warehouse: hears of a run that came to nothing
)

// Artifacts is what a run left behind. Slack and ticket are filled from the receipt only.
type Artifacts struct {
	SlackPosted     bool          `json:"slack_posted"`
	SlackMessageTS  string        `json:"slack_message_ts,omitempty"`
	JiraTicket      string        `json:"jira_ticket" jsonschema:"empty when the receipt named none"`
	GSheetsUploaded bool          `json:"gsheets_uploaded"`
	Exports         []TierExports `json:"exports"`
}

// TierExports names where a tier's audience lies.
type TierExports struct {
	Tier Tier   `json:"tier"`
	Rows int64  `json:"rows"`
	Link string `json:"link"`
}

// Plan is what a run would do.
type Plan struct {
	Tiers        []PlannedTier  `json:"tiers"`
	Destinations []string       `json:"destinations" jsonschema:"where the audiences would go"`
	Sends        bool           `json:"sends" jsonschema:"whether the phase lets anything leave"`
	Channel      string         `json:"channel"`
	Mention      string         `json:"mention" jsonschema:"whom the message would notify"`
	Ticket       *PlannedTicket `json:"ticket,omitempty"`
	Digest       string         `json:"digest" jsonschema:"stands for exactly this audience, these rules and this configuration"`
}

// PlannedTier is a tier with whether it would be exported.
type PlannedTier struct {
	TierTotal
	Exported bool `json:"exported"`
}

// PlannedTicket is the ticket that would be opened.
type PlannedTicket struct {
	Project  string    `json:"project"`
	Type     string    `json:"type"`
	Priority string    `json:"priority"`
	Title    string    `json:"title"`
	Due      time.Time `json:"due" jsonschema:"when an answer is due"`
}
