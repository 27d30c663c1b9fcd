package mcp

import (
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

// TestWordsCount holds the words to their numbers: one customer is no customers, and an amount has its cents.
func TestWordsCount(t *testing.T) {
	t.Parallel()
	value, err := functions.ParseMoney("84728.5")
	if err != nil {
		t.Fatal(err)
	}
	tiers := []functions.TierTotal{{Tier: functions.P1, Customers: 1, ValueAtRisk: value}}
	for _, tc := range []struct{ words, says string }{
		{contextText(functions.GetOperationalContextOutput{TotalCustomers: 1}), ": 1 customer: "},
		{contextText(functions.GetOperationalContextOutput{TotalCustomers: 2, TierPreview: tiers}), ": 2 customers: 0 ACTIVE"},
		{queueText(functions.BuildPriorityQueueOutput{RowsReplaced: 1, Total: 1, Tiers: tiers}), "replaces 1 row and holds 1 customer: P1 1 (value at risk 84728.50)."},
		{queueText(functions.BuildPriorityQueueOutput{DryRun: true}), "would hold 0 customers: none."},
		{exportText(functions.ExportAudienceOutput{RowsExported: 1, RowsAvailable: 1, Tier: functions.P2}), "Exported 1 of the 1 customer in P2"},
		{
			exportText(functions.ExportAudienceOutput{DryRun: true, RowsExported: 3, RowsAvailable: 4, Tier: functions.P2}),
			"3 of the 4 customers in P2 would be exported.",
		},
		{guardText(functions.Guardrails{Verdict: functions.VerdictOK}), " Guardrails: ok."},
		{
			guardText(functions.Guardrails{Verdict: functions.VerdictStop, Findings: []functions.GuardrailFinding{{Message: "the data is old."}, {Message: "P1 is large"}}}),
			" Guardrails: stop: the data is old; P1 is large.",
		},
	} {
		if !strings.Contains(tc.words, tc.says) {
			t.Errorf("%q does not say %q", tc.words, tc.says)
		}
	}
}
