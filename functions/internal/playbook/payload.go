package playbook

import (
	"encoding/json"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// payload is what the webhook carries: the fields of §9.1 exactly, ours beside them. It holds counts and links, never
// a customer's row: a receiver's queue and log keep what they are sent.
type payload struct {
	Date           functions.Date     `json:"date"`
	Severity       functions.Severity `json:"severity"`
	AlertFlag      bool               `json:"alert_flag"`
	BriefMarkdown  string             `json:"brief_markdown"`
	Metrics        metrics            `json:"metrics"`
	PriorityCounts priorityCounts     `json:"priority_counts"`
	ExportURLs     exportURLs         `json:"export_urls"`

	RunID          string          `json:"run_id"`
	IdempotencyKey string          `json:"idempotency_key"` // the webhook-id: what the receiver claims
	Phase          functions.Phase `json:"phase"`
	ExpiresAt      time.Time       `json:"expires_at"` // the receiver drops it from then on, and says so
	Subject        string          `json:"subject"`
	Slack          slackMessage    `json:"slack"`
	Ticket         ticket          `json:"ticket"`
	RulesVersion   string          `json:"rules_version"`
}

type metrics struct {
	CurrentValue     float64  `json:"current_value"`
	BaselineValue    *float64 `json:"baseline_value"`
	DeltaRelativePct *float64 `json:"delta_relative_pct"`
}

type priorityCounts struct {
	P1 int64 `json:"p1"`
	P2 int64 `json:"p2"`
	P3 int64 `json:"p3"`
}

// exportURLs names the exported tiers only: a WARNING has no p3.
type exportURLs struct {
	P1 string `json:"p1,omitempty"`
	P2 string `json:"p2,omitempty"`
	P3 string `json:"p3,omitempty"`
}

// slackMessage is ready to be posted: what differs between severities comes from the rules, so that the scenario
// holds no logic of its own.
type slackMessage struct {
	Channel string          `json:"channel"`
	Mention string          `json:"mention"` // nobody, here or channel; the text carries it already as Slack writes it
	Text    string          `json:"text"`
	Blocks  json.RawMessage `json:"blocks,omitempty"`
}

type ticket struct {
	Project  string    `json:"project"`
	Type     string    `json:"type"`
	Priority string    `json:"priority"`
	Title    string    `json:"title"`
	Due      time.Time `json:"due"`
	Label    string    `json:"label"` // the webhook-id: a forced second run finds the ticket by it
}

// links sorts the exports by tier.
func links(exports []functions.TierExports) exportURLs {
	var urls exportURLs
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
