package mcp

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// text puts an answer into a few sentences that stand alone, for a client that shows no structured content.
func (o *offered) text(answer json.RawMessage) (string, error) {
	switch o.Tool {
	case functions.GetAlertDecision:
		return said(answer, alertText)
	case functions.GetOperationalContext:
		return said(answer, contextText)
	case functions.BuildPriorityQueue:
		return said(answer, queueText)
	case functions.GenerateBrief:
		return said(answer, func(out functions.GenerateBriefOutput) string { return out.Subject + "\n\n" + out.Text })
	case functions.ExportAudience:
		return said(answer, exportText)
	case functions.TriggerPlaybook:
		return said(answer, playbookText)
	default:
		return "", fmt.Errorf("%s has no words", o.Name)
	}
}

func said[Out any](answer json.RawMessage, words func(Out) string) (string, error) {
	var out Out
	if err := json.Unmarshal(answer, &out); err != nil {
		return "", err
	}
	return words(out), nil
}

func alertText(out functions.GetAlertDecisionOutput) string {
	call := "No action is called for."
	if out.ActionRequired {
		call = "The alert calls for a playbook."
	}
	return fmt.Sprintf("%s: %s. %s %s", out.AlertDate, out.Severity, strings.TrimRight(out.Reason, ". ")+".", call)
}

func contextText(out functions.GetOperationalContextOutput) string {
	status := out.StatusDistribution
	return fmt.Sprintf("%s: %s: %d ACTIVE, %d AT_RISK, %d INACTIVE. By the present rules (%s): %s. Set aside for faults in the data: %d; "+
		"on the exclusion list: %d.%s", out.Date, counted(out.TotalCustomers, "customer"), status.Active, status.AtRisk, status.Inactive, out.RulesVersion,
		tierText(out.TierPreview), out.DataQuality.SetAside, out.Excluded, stale(out.RulesStale))
}

func queueText(out functions.BuildPriorityQueueOutput) string {
	text := fmt.Sprintf("The queue of %s was built: it replaces %s and holds %s: %s.", out.Date,
		counted(out.RowsReplaced, "row"), counted(out.Total, "customer"), tierText(out.Tiers))
	if out.DryRun {
		text = fmt.Sprintf("Dry run for %s, nothing was written. The queue would hold %s: %s.", out.Date,
			counted(out.Total, "customer"), tierText(out.Tiers))
	}
	if changes := out.Changes; changes.ComparedWith != nil {
		moved := int64(0)
		for _, movement := range changes.Moved {
			moved += movement.Customers
		}
		text += fmt.Sprintf(" Against the queue of %s: %d added, %d removed, %d moved between tiers, %d unchanged.",
			changes.ComparedWith, changes.Added, changes.Removed, moved, changes.Unchanged)
	}
	return text + guardText(out.Guardrails) + stale(out.RulesStale)
}

func exportText(out functions.ExportAudienceOutput) string {
	text := fmt.Sprintf("Dry run for %s, nothing was written. %d of the %s in %s would be exported.",
		out.Date, out.RowsExported, counted(out.RowsAvailable, "customer"), out.Tier)
	if !out.DryRun {
		text = fmt.Sprintf("Exported %d of the %s in %s of %s.", out.RowsExported, counted(out.RowsAvailable, "customer"), out.Tier, out.Date)
		for _, place := range []struct{ name, url string }{{"CSV", out.CSVURL}, {"Sheet", out.GSheetURL}} {
			if place.url != "" {
				text += fmt.Sprintf(" %s: %s .", place.name, place.url)
			}
		}
	}
	for _, note := range out.Notes {
		text += " " + strings.TrimRight(note, ". ") + "."
	}
	return text + leftOutText(out.LeftOut) + guardText(out.Guardrails)
}

func leftOutText(leftOut []functions.LeftOut) string {
	var text strings.Builder
	const told = 5
	for _, left := range leftOut[:min(len(leftOut), told)] {
		fmt.Fprintf(&text, " Left out: %d (%s).", left.Customers, left.Reason)
	}
	return text.String()
}

func playbookText(out functions.TriggerPlaybookOutput) string {
	reason := strings.TrimRight(out.Reason, ". ")
	text := fmt.Sprintf("Dry run of the playbook for %s, nothing was sent. Phase %s; %s.", out.Date, out.Phase, reason)
	switch {
	case out.Plan != nil:
		text += " " + planText(out.Plan)
	case out.AlreadyDone:
		text = fmt.Sprintf("The playbook of %s was run before, as %s: nothing was done now. That run: %s, delivery %s (phase %s; %s).", out.Date, out.RunID,
			out.Status, out.DeliveryState, out.Phase, reason) + artifactText(out)
	case !out.DryRun:
		text = fmt.Sprintf("The playbook of %s ran as %s: %s, delivery %s (phase %s; %s).", out.Date, out.RunID, out.Status, out.DeliveryState,
			out.Phase, reason) + artifactText(out)
	}
	return text + guardText(out.Guardrails) + stale(out.RulesStale)
}

// artifactText says what a run left behind.
func artifactText(out functions.TriggerPlaybookOutput) string {
	var exports []string
	for _, exported := range out.Artifacts.Exports {
		exports = append(exports, fmt.Sprintf("%s %d", exported.Tier, exported.Rows))
	}
	text := fmt.Sprintf(" Exported: %s.", listed(exports))
	if ticket := out.Artifacts.JiraTicket; ticket != "" {
		text += " Ticket: " + ticket + "."
	}
	if mail := out.BackupMail; mail != nil && mail.Sent {
		text += " A backup mail went to " + mail.ToRole + "."
	}
	return text
}

// planText says what a run would do.
func planText(plan *functions.Plan) string {
	var tiers []string
	for _, tier := range plan.Tiers {
		if tier.Exported {
			tiers = append(tiers, fmt.Sprintf("%s %d", tier.Tier, tier.Customers))
		}
	}
	text := "Nothing would leave the house"
	if plan.Sends {
		text = fmt.Sprintf("It would notify %s (mention: %s)", plan.Channel, plan.Mention)
	}
	text += fmt.Sprintf("; exported: %s.", listed(tiers))
	if plan.Ticket != nil {
		text += fmt.Sprintf(" Ticket: %s (%s).", plan.Ticket.Title, plan.Ticket.Priority)
	}
	return text
}

func tierText(tiers []functions.TierTotal) string {
	var parts []string
	for _, tier := range tiers {
		parts = append(parts, fmt.Sprintf("%s %d (value at risk %s)", tier.Tier, tier.Customers, tier.ValueAtRisk.StringFixed(2)))
	}
	return listed(parts)
}

func guardText(guardrails functions.Guardrails) string {
	said := make([]string, len(guardrails.Findings))
	for i, finding := range guardrails.Findings {
		said[i] = strings.TrimRight(finding.Message, ". ")
	}
	text := " Guardrails: " + string(guardrails.Verdict)
	if len(said) > 0 {
		text += ": " + strings.Join(said, "; ")
	}
	return text + "."
}

// counted is a number with its noun.
func counted[N int | int64](number N, noun string) string {
	if number != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", number, noun)
}

func listed(parts []string) string {
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func stale(stale bool) string {
	if stale {
		return " Older rules are in force than those published."
	}
	return ""
}
