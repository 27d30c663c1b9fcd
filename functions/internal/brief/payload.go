package brief

import (
	"encoding/json"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// Payload is everything that the webhook of a playbook can carry: counts, texts and links, never a customer's row. A
// receiver's queue and log keep what they are sent.
//
// A payload template decides what of it is sent and how it is named; the JSON names here are those that the word json
// writes for a part as a whole. The doc tags are the vocabulary table in brief_templates/README.md.
type Payload struct {
	Date           functions.Date     `json:"date" doc:"the day of the alert, such as 2026-01-12"`
	Severity       functions.Severity `json:"severity" doc:"WARNING or CRITICAL"`
	AlertFlag      bool               `json:"alert_flag" doc:"whether the detection raised an alert"`
	Subject        string             `json:"subject" doc:"one line that says it all"`
	BriefMarkdown  string             `json:"brief_markdown" doc:"the brief as Markdown"`
	BriefText      string             `json:"brief_text" doc:"the brief as plain text, as in the mail"`
	Metrics        PayloadMetrics     `json:"metrics" doc:"the figures of the alert"`
	PriorityCounts PriorityCounts     `json:"priority_counts" doc:"customers by tier"`
	ExportURLs     ExportURLs         `json:"export_urls" doc:"where the audiences lie; a tier that was not exported is empty"`
	Slack          SlackMessage       `json:"slack" doc:"the Slack message, ready to be posted"`
	Teams          json.RawMessage    `json:"teams,omitempty" doc:"the Teams message with its card, as a Power Automate webhook takes it"`
	Ticket         PayloadTicket      `json:"ticket" doc:"the ticket to open or to update"`
	RunID          string             `json:"run_id" doc:"the playbook run"`
	IdempotencyKey string             `json:"idempotency_key" doc:"what the receiver claims: the same on every retry, so that nothing is done twice"`
	Phase          functions.Phase    `json:"phase" doc:"pilot or production"`
	ExpiresAt      time.Time          `json:"expires_at" doc:"from then on the receiver drops the message, and says so"`
	RulesVersion   string             `json:"rules_version" doc:"which rules judged"`

	// What follows is made of the rest by Templates.Payload. Whoever hands a Payload over leaves it empty.

	SlackBlocks     string `json:"slack_blocks" doc:"the blocks of the Slack message as JSON in a text, for a receiver that pastes texts together"`
	JiraBody        string `json:"jira_body" doc:"the body of the request to Jira's REST API 3 as JSON in a text: it creates the ticket, or updates the one that .Ticket.Update names; empty when there is no ticket"`
	JiraDescription string `json:"jira_description" doc:"only the ticket's description, in Jira's document format, as JSON in a text"`
}

// PayloadMetrics are the figures of §9.1.
type PayloadMetrics struct {
	CurrentValue     float64  `json:"current_value" doc:"share of AT_RISK customers on the day, in percent"`
	BaselineValue    *float64 `json:"baseline_value" doc:"mean share of the seven days before"`
	DeltaRelativePct *float64 `json:"delta_relative_pct" doc:"relative change against the baseline, in percent"`
}

// PriorityCounts are the customers by tier.
type PriorityCounts struct {
	P1 int64 `json:"p1" doc:"customers in P1"`
	P2 int64 `json:"p2" doc:"customers in P2"`
	P3 int64 `json:"p3" doc:"customers in P3"`
}

// ExportURLs names the exported tiers only: a WARNING has no p3.
type ExportURLs struct {
	P1 string `json:"p1,omitempty" doc:"the audience of P1"`
	P2 string `json:"p2,omitempty" doc:"the audience of P2"`
	P3 string `json:"p3,omitempty" doc:"the audience of P3"`
}

// ExportURLsOf sorts the exports by tier.
func ExportURLsOf(exports []functions.TierExports) ExportURLs {
	var urls ExportURLs
	for _, export := range exports {
		switch export.Tier {
		case functions.P1:
			urls.P1 = export.Link
		case functions.P2:
			urls.P2 = export.Link
		case functions.P3:
			urls.P3 = export.Link
		}
	}
	return urls
}

// SlackMessage is ready to be posted: what differs between severities comes from the rules, so that the scenario
// holds no logic of its own.
type SlackMessage struct {
	Channel string          `json:"channel" doc:"the channel of the phase, from rules/rollout.yaml"`
	Mention string          `json:"mention" doc:"nobody, here or channel; the text carries it already as Slack writes it"`
	Text    string          `json:"text" doc:"the message, and what its notification says"`
	Blocks  json.RawMessage `json:"blocks,omitempty" doc:"its blocks"`
}

// PayloadTicket is the ticket that the playbook opens, or updates.
type PayloadTicket struct {
	Project  string    `json:"project" doc:"the project of the phase, from rules/rollout.yaml"`
	Type     string    `json:"type" doc:"such as Task"`
	Priority string    `json:"priority" doc:"such as High"`
	Title    string    `json:"title" doc:"its title, date and severity filled in"`
	Due      time.Time `json:"due" doc:"when an answer is due"`
	Label    string    `json:"label" doc:"the idempotency key: a forced second run finds the ticket by it"`
	Update   string    `json:"update" doc:"the key of the WARNING's ticket that a CRITICAL of the same day updates; empty when a new one is opened"`
}

// Tell puts the texts of the written briefs into the payload: each format has its place in it.
func (p *Payload) Tell(briefs ...functions.GenerateBriefOutput) {
	for _, one := range briefs {
		switch one.Format {
		case functions.FormatMarkdown:
			p.Subject, p.BriefMarkdown = one.Subject, one.Text
		case functions.FormatSlack:
			p.Slack.Text, p.Slack.Blocks = one.Text, one.Blocks
		case functions.FormatEmail:
			p.BriefText = one.Text
		case functions.FormatTeams:
			p.Teams = json.RawMessage(one.Card)
		}
	}
}
