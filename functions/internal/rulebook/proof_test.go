package rulebook_test

import (
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// TestProofs holds what is proven of a second rule behind "ACTIVE and HIGH", and that nothing is said of a rule that
// can match.
func TestProofs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ when, want string }{
		"a rule of its own is fine":              {`{retention_status: AT_RISK}`, ""},
		"a wider rule behind a narrow is fine":   {`{retention_status: ACTIVE}`, ""},
		"the same rule again":                    {`{churn_risk_level: HIGH, retention_status: ACTIVE}`, "rules/shadowed"},
		"a narrower rule behind a wide one":      {`{churn_risk_level: HIGH, retention_status: ACTIVE, total_revenue: over 5}`, "rules/shadowed"},
		"a score that facts tie to the level":    {`{churn_risk_score: at least 60, days_since_last_order: up to 30}`, "rules/shadowed"},
		"a cent is enough to match":              {`total_revenue > 5 and total_revenue < 5.01`, ""},
		"a day is needed to match":               {`days_since_last_order > 30 and days_since_last_order < 31`, "rules/never-matches"},
		"a status against its days":              {`{retention_status: INACTIVE, days_since_last_order: up to 90}`, "rules/never-matches"},
		"the first day after":                    {`{retention_status: INACTIVE, days_since_last_order: up to 91}`, ""},
		"through not":                            {`not (days_since_last_order > 90) and retention_status == "INACTIVE"`, "rules/never-matches"},
		"through or":                             {`retention_status == "INACTIVE" and (days_since_last_order < 50 or days_since_last_order == 90)`, "rules/never-matches"},
		"one side of or is enough":               {`retention_status == "INACTIVE" and (days_since_last_order < 50 or is_status_inconsistent == false)`, ""},
		"a field against another stays open":     {`total_revenue > median_revenue and total_revenue < median_revenue`, ""},
		"beside an open part the rest is proven": {`total_revenue > median_revenue and retention_status == "INACTIVE" and days_since_last_order < 9`, "rules/never-matches"},
		"an open rule takes nobody for sure":     {`total_revenue > median_revenue and retention_status == "AT_RISK"`, ""},
		"an empty field can match":               {`{avg_order_value: empty, retention_status: AT_RISK}`, ""},
		"an empty field and a given one":         {`avg_order_value == nil and (avg_order_value ?? 0) > 1`, "rules/never-matches"},
		"an empty field stands for zero":         {`avg_order_value == nil and (avg_order_value ?? 0) < 1`, ""},
		"arithmetic on constants is worked out":  {`days_since_last_order > 90 * 2 and retention_status == "AT_RISK"`, "rules/never-matches"},
		"never":                                  {`false`, "rules/never-matches"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(minimal, "    when: WHEN", "    when: {retention_status: ACTIVE, churn_risk_level: HIGH}", 1)
			text = strings.Replace(text, "score:", "  - rule: two\n    tier: P1\n    when: "+tc.when+"\n    reason: r\nscore:", 1)
			got := ""
			_, findings := rulebook.Check(shippedBeside(t, "priority.yaml", []byte(text)))
			for _, finding := range findings {
				if finding.Severity == rulebook.SeverityError {
					got += finding.ID
				}
			}
			if got != tc.want {
				t.Errorf("got %q, want %q:\n%s", got, tc.want, findings)
			}
		})
	}
}

// TestRecentDaysOf90CanNeverMatch is the contradiction in the source document: its P3 asks for INACTIVE customers of at
// most 90 days, and INACTIVE means more than 90.
func TestRecentDaysOf90CanNeverMatch(t *testing.T) {
	t.Parallel()
	_, findings := rulebook.Check(shippedWith(t, "priority.yaml", "recent_days: 180", "recent_days: 90"))
	want := `rules/priority.yaml:22:87: inactive-high can never match: retention_status INACTIVE contradicts ` +
		`days_since_last_order up to recent_days (fact inactive-is-older) (rules/never-matches)`
	if got := findings.Under("rules").Error(); !strings.HasPrefix(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, findings := rulebook.Check(shippedWith(t, "priority.yaml", "recent_days: 180", "recent_days: 91")); findings.Errors() > 0 {
		t.Errorf("91 days can match:\n%s", findings)
	}
}
