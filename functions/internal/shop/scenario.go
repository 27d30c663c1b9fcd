package shop

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// payload is the playbook as the scenario reads it: the fields of §9.1 and ours beside them. What it does not know it
// leaves alone, and what is missing it fills as §9.2 and §9.3 say.
type payload struct {
	Date          string             `json:"date"`
	Severity      functions.Severity `json:"severity"`
	BriefMarkdown string             `json:"brief_markdown"`
	Message       string             `json:"message"` // of the flat payload
	Metrics       struct {
		Current  *float64 `json:"current_value"`
		Baseline *float64 `json:"baseline_value"`
		Delta    *float64 `json:"delta_relative_pct"`
	} `json:"metrics"`
	Counts struct {
		P1 int64 `json:"p1"`
		P2 int64 `json:"p2"`
		P3 int64 `json:"p3"`
	} `json:"priority_counts"`
	Exports struct {
		P1 string `json:"p1"`
		P2 string `json:"p2"`
		P3 string `json:"p3"`
	} `json:"export_urls"`

	RunID     string    `json:"run_id"`
	ExpiresAt time.Time `json:"expires_at"`
	Slack     struct {
		Channel string          `json:"channel"`
		Mention string          `json:"mention"`
		Text    string          `json:"text"`
		Blocks  json.RawMessage `json:"blocks"`
	} `json:"slack"`
	Ticket struct {
		Project  string    `json:"project"`
		Type     string    `json:"type"`
		Priority string    `json:"priority"`
		Title    string    `json:"title"`
		Due      time.Time `json:"due"`
		Label    string    `json:"label"`
		Update   string    `json:"update"` // the ticket that this playbook goes on with
	} `json:"ticket"`

	// What the scenario hands to Slack and Jira as it is: JSON in a text.
	SlackBlocks string `json:"slack_blocks"`
	JiraBody    string `json:"jira_body"`
}

// slackTakes says whether Slack would take the blocks: it refuses a message with blocks that are no JSON list.
func (p *payload) slackTakes() bool {
	var blocks []json.RawMessage
	return p.SlackBlocks == "" || json.Unmarshal([]byte(p.SlackBlocks), &blocks) == nil
}

// jiraTakes says whether Jira would take the request: an object with a title and, for a ticket to open, with its
// project and type.
func (p *payload) jiraTakes() bool {
	if p.JiraBody == "" {
		return true // the scenario fills the fields by itself
	}
	var request struct {
		Fields struct {
			Project   struct{ Key string }
			IssueType struct{ Name string }
			Summary   string
		}
	}
	err := json.Unmarshal([]byte(p.JiraBody), &request)
	opened := request.Fields.Project.Key != "" && request.Fields.IssueType.Name != ""
	return err == nil && request.Fields.Summary != "" && (opened || p.Ticket.Update != "")
}

// fault says why the scenario has no route for the payload; empty when it has one.
func (p *payload) fault() string {
	switch {
	case p.Date == "":
		return "the playbook names no date"
	case p.Severity != functions.Warning && p.Severity != functions.Critical:
		return "the scenario knows WARNING and CRITICAL, not this severity"
	default:
		return ""
	}
}

// The mentions of Slack by the words of the rules. Only the API's form notifies; a written @channel is plain text.
const (
	mentionHere    = "<!here>"
	mentionChannel = "<!channel>"
)

// mention is how the message notifies: as the payload says, else the channel for CRITICAL and nobody for WARNING.
func (p *payload) mention() string {
	switch {
	case p.Slack.Mention == "here":
		return mentionHere
	case p.Slack.Mention == "channel", p.Slack.Mention == "" && p.Severity == functions.Critical:
		return mentionChannel
	default:
		return ""
	}
}

// message is the text of the Slack message with its mention, which is not put twice.
func (p *payload) message() string {
	text, mention := either(p.Slack.Text, either(p.BriefMarkdown, p.Message)), p.mention()
	if mention != "" && !strings.Contains(text, mention) {
		return mention + " " + text
	}
	return text
}

// scenario is what the playbook of §9.2 and §9.3 does with the payload, told in lines.
func (p *payload) scenario(id string, receipt Receipt) []string {
	lines := []string{fmt.Sprintf("%s playbook for %s (%s)%s", p.Severity, p.Date, id, p.metricsNote())}
	lines = append(lines, p.post(receipt.SlackMessageTS)...)
	lines = append(lines, p.opened(receipt.TicketID))
	for _, tier := range []struct {
		name  functions.Tier
		count int64
		link  string
	}{
		{functions.P1, p.Counts.P1, p.Exports.P1},
		{functions.P2, p.Counts.P2, p.Exports.P2},
		{functions.P3, p.Counts.P3, p.Exports.P3},
	} {
		lines = append(lines, fmt.Sprintf("audience %s: %s%s", tier.name, retention.Counted(tier.count, "customer"),
			textNote(", ", either(tier.link, "not exported"))))
	}
	return append(lines, fmt.Sprintf("receipt %s: Slack %s, ticket %s", receipt.Receipt,
		either(receipt.SlackMessageTS, "none"), either(receipt.TicketID, "none")))
}

// post tells of the Slack message.
func (p *payload) post(ts string) []string {
	if ts == "" {
		return []string{"Slack would refuse the message: slack_blocks is no JSON list"}
	}
	lines := []string{fmt.Sprintf("would post to Slack %s, notifying %s%s, ts %s:",
		either(p.Slack.Channel, "#retention-alerts"), either(p.mention(), "nobody"), p.blocksNote(), ts)}
	for line := range splitLines(clip(p.message(), slackTextLimit)) {
		lines = append(lines, "  | "+line)
	}
	return lines
}

// opened tells of the Jira ticket.
func (p *payload) opened(id string) string {
	if id == "" {
		return "Jira would refuse the ticket: jira_body is no request that it knows"
	}
	priority := "High"
	if p.Severity == functions.Critical {
		priority = "Highest"
	}
	verb := "open"
	if p.Ticket.Update != "" {
		verb = "update"
	}
	return fmt.Sprintf("would %s Jira %s in %s: %s, priority %s, %q%s%s", verb, id,
		either(p.Ticket.Project, "RETENTION"), either(p.Ticket.Type, "Task"), either(p.Ticket.Priority, priority),
		either(p.Ticket.Title, fmt.Sprintf("Retention Alert %s - %s", p.Severity, p.Date)),
		timeNote(", due ", p.Ticket.Due), textNote(", label ", p.Ticket.Label))
}

func (p *payload) metricsNote() string {
	note := ""
	if p.Metrics.Current != nil {
		note = fmt.Sprintf(": AT_RISK %.2f %%", *p.Metrics.Current)
		if p.Metrics.Baseline != nil {
			note += fmt.Sprintf(" against %.2f %%", *p.Metrics.Baseline)
		}
		if p.Metrics.Delta != nil {
			note += fmt.Sprintf(", %+.2f %%", *p.Metrics.Delta)
		}
	}
	return note
}

func (p *payload) blocksNote() string {
	var blocks []json.RawMessage
	encoded := []byte(p.SlackBlocks)
	if len(encoded) == 0 {
		encoded = p.Slack.Blocks
	}
	if json.Unmarshal(encoded, &blocks) != nil || len(blocks) == 0 {
		return ""
	}
	return fmt.Sprintf(", %d blocks with this text", len(blocks))
}

func either(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

func textNote(label, text string) string {
	if text == "" {
		return ""
	}
	return label + text
}

func timeNote(label string, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return label + at.Format(time.RFC3339)
}
