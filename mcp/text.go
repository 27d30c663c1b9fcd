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
	return fmt.Sprintf("%s: %d customers: %d ACTIVE, %d AT_RISK, %d INACTIVE. By the present rules (%s): %s. Set aside for faults in the data: %d; "+
		"on the exclusion list: %d.%s", out.Date, out.TotalCustomers, status.Active, status.AtRisk, status.Inactive, out.RulesVersion,
		tierText(out.TierPreview), out.DataQuality.SetAside, out.Excluded, stale(out.RulesStale))
}

func queueText(out functions.BuildPriorityQueueOutput) string {
	text := fmt.Sprintf("The queue of %s was built: it replaces %d rows and holds %d customers: %s.", out.Date, out.RowsReplaced, out.Total, tierText(out.Tiers))
	if out.DryRun {
		text = fmt.Sprintf("Dry run for %s, nothing was written. The queue would hold %d customers: %s.", out.Date, out.Total, tierText(out.Tiers))
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
	var text strings.Builder
	fmt.Fprintf(&text, "Dry run for %s, nothing was written. %d of the %d customers in %s would be exported.",
		out.Date, out.RowsExported, out.RowsAvailable, out.Tier)
	const told = 5
	for _, left := range out.LeftOut[:min(len(out.LeftOut), told)] {
		fmt.Fprintf(&text, " Left out: %d (%s).", left.Customers, left.Reason)
	}
	return text.String() + guardText(out.Guardrails)
}

func playbookText(out functions.TriggerPlaybookOutput) string {
	text := fmt.Sprintf("Dry run of the playbook for %s, nothing was sent. Phase %s; %s.", out.Date, out.Phase, strings.TrimRight(out.Reason, ". "))
	if plan := out.Plan; plan != nil {
		var tiers []string
		for _, tier := range plan.Tiers {
			if tier.Exported {
				tiers = append(tiers, fmt.Sprintf("%s %d", tier.Tier, tier.Customers))
			}
		}
		leaves := "Nothing would leave the house"
		if plan.Sends {
			leaves = "It would notify " + plan.Channel
		}
		text += fmt.Sprintf(" %s; exported: %s.", leaves, listed(tiers))
		if plan.Ticket != nil {
			text += fmt.Sprintf(" Ticket: %s (%s).", plan.Ticket.Title, plan.Ticket.Priority)
		}
	}
	return text + guardText(out.Guardrails) + stale(out.RulesStale)
}

func tierText(tiers []functions.TierTotal) string {
	var parts []string
	for _, tier := range tiers {
		parts = append(parts, fmt.Sprintf("%s %d (value at risk %s)", tier.Tier, tier.Customers, tier.ValueAtRisk))
	}
	return listed(parts)
}

func guardText(guardrails functions.Guardrails) string {
	parts := []string{" Guardrails: " + string(guardrails.Verdict) + "."}
	for _, finding := range guardrails.Findings {
		parts = append(parts, strings.TrimRight(finding.Message, ". ")+".")
	}
	return strings.Join(parts, " ")
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
