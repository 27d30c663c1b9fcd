package functions

import (
	"encoding/json"
	"time"
)

// GenerateBrief writes the day's brief for a manager (§8.2, tool 4).
var GenerateBrief = define[GenerateBriefInput, GenerateBriefOutput](Tool{
	Name: "generate_brief", EntryPoint: "GenerateBrief", Title: "Brief for a manager",
	Description: "Writes the day's brief: the alert, the customers, the tiers with their top entries and reasons, what to do now. " +
		"Formats: markdown, slack (with Block Kit), email (text and HTML), teams (Adaptive Card). Reads only. A past date gives the brief stored by its run.",
	Hints: Hints{ReadOnly: true, Idempotent: true}, Scope: ScopeRead, Timeout: 30 * time.Second,
})

// GenerateBriefInput names the day and the form.
type GenerateBriefInput struct {
	Date   DateRef `json:"date,omitempty" jsonschema:"day: YYYY-MM-DD, or latest; default today"`
	Format Format  `json:"format,omitempty" jsonschema:"form of the brief"`
}

// Check implements Input.
func (in GenerateBriefInput) Check() error {
	if err := in.Date.Check(); err != nil {
		return err
	}
	if in.Format == "" {
		return nil
	}
	return checkWord("format", in.Format, Formats)
}

// IsDryRun implements Input.
func (GenerateBriefInput) IsDryRun() bool { return false }

// GenerateBriefOutput is a brief in one format.
type GenerateBriefOutput struct {
	Date         Date            `json:"date"`
	Format       Format          `json:"format"`
	Severity     Severity        `json:"severity"`
	Phase        Phase           `json:"phase"`
	Subject      string          `json:"subject" jsonschema:"one line: the mail's subject, the message's headline"`
	Text         string          `json:"text" jsonschema:"the brief: Markdown, Slack mrkdwn, or plain text for email and teams"`
	HTML         string          `json:"html,omitempty" jsonschema:"only for email: the mail's HTML part"`
	Blocks       json.RawMessage `json:"blocks,omitempty" jsonschema:"only for slack: the Block Kit blocks"`
	Card         JSONObject      `json:"card,omitempty" jsonschema:"only for teams: the message with its Adaptive Card, as a Power Automate webhook takes it"`
	RulesVersion string          `json:"rules_version"`
	RulesStale   bool            `json:"rules_stale,omitempty" jsonschema:"older rules are in force than those published; the log says why"`
	RunID        string          `json:"run_id,omitempty" jsonschema:"the run that stored this brief; absent when it was written now"`
	Currency     string          `json:"currency,omitempty" jsonschema:"ISO 4217 code of the amounts"`
	TopCustomers []TopCustomer   `json:"top_customers,omitempty" jsonschema:"the first of each tier, as many as playbooks.yaml says"`
}

// TopCustomer is one of the first of a tier, for a program that draws the brief by itself.
type TopCustomer struct {
	Tier       Tier    `json:"tier"`
	Rank       int     `json:"rank" jsonschema:"place in the tier, from 1"`
	CustomerID string  `json:"customer_id,omitempty" jsonschema:"absent unless playbooks.yaml says show_customer_ids: yes"`
	ValueProxy Money   `json:"value_proxy" jsonschema:"value at stake: an estimate"`
	Score      float64 `json:"score" jsonschema:"0 to 100"`
	Reason     string  `json:"reason"`
	Action     string  `json:"action"`
}
