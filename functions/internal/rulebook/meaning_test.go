package rulebook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// meaningful is a rule file with two rules, a mention, a score and actions to be filled in.
const meaningful = `rules: priority
parameters: {low: 1000, high: 2000}
tiers:
  - rule: one
    tier: P1
    when: ONE
    reason: r
  - rule: two
    tier: P2
    when: TWO
    reason: r
also_mention:
  - {say: said, when: SAID}
score: {start: {P1: 70, P2: 50}, add: [{name: part, points: 'PART'}], at_most: 99, decimals: 1}
value_proxy: {share: 0.5, of: total_revenue, decimals: 2}
actions:
  P1:
    - when: FIRST
      do: first
    - when: SECOND
      do: second
    - otherwise: rest
  P2:
    - otherwise: rest
`

// TestWhatRulesMean holds what is said, word for word, when one thing of the file is changed.
func TestWhatRulesMean(t *testing.T) {
	t.Parallel()
	sound := map[string]string{
		"ONE": "{retention_status: ACTIVE, churn_risk_level: HIGH}", "TWO": "{retention_status: AT_RISK, total_revenue: over low}",
		"SAID": "{total_revenue: over high}", "PART": "min(9, total_revenue)",
		"FIRST": "{total_revenue: over high}", "SECOND": "{total_revenue: low..high}",
	}
	tests := map[string]struct {
		change map[string]string
		want   []string // severity, id and message, notes of the score left out
	}{
		"nothing to say": {nil, nil},
		"a second rule for some of the first": {
			map[string]string{"TWO": "{churn_risk_level: HIGH, total_revenue: over low}"},
			[]string{"warning overlap: two (P2) also fits customers that one (P1) takes: churn_risk_level HIGH, retention_status ACTIVE, total_revenue over 1000"},
		},
		"two rules meet only where a third took them": {
			map[string]string{
				"ONE": "{retention_status: ACTIVE}", "TWO": "{retention_status: not INACTIVE}\n    reason: r\n  - rule: three\n    tier: P1\n    when: {retention_status: [ACTIVE, INACTIVE]}",
			},
			[]string{
				"warning overlap: two (P2) also fits customers that one (P1) takes: retention_status ACTIVE",
				"note no-effect: ACTIVE has no effect: two takes them first",
			},
		},
		"fields compared with one another are shown to a customer": {
			map[string]string{"TWO": "total_revenue > median_revenue and churn_risk_level == \"HIGH\" and retention_status != \"INACTIVE\""},
			[]string{"warning overlap: two (P2) also fits customers that one (P1) takes: churn_risk_level HIGH, retention_status ACTIVE, total_revenue > median_revenue"},
		},
		"fields compared with one another that no customer fits": {
			map[string]string{"TWO": "total_revenue > median_revenue and total_revenue < median_revenue"}, nil,
		},
		"a condition that a fact makes needless": {
			map[string]string{"ONE": "{retention_status: ACTIVE, churn_risk_level: HIGH, days_since_last_order: below 40}"},
			[]string{"warning no-effect: days_since_last_order below 40 has no effect: whoever has retention_status ACTIVE has it [active-is-recent]"},
		},
		"a condition that the bounds make needless": {
			map[string]string{"ONE": "{retention_status: ACTIVE, total_orders: at least 1}"},
			[]string{"warning no-effect: total_orders at least 1 has no effect: every customer has it"},
		},
		"a parameter that is set so that it lets everyone in": {
			map[string]string{"low: 1000": "low: 0", "TWO": "{retention_status: AT_RISK, total_revenue: at least low}"},
			[]string{
				"note no-effect: total_revenue at least low has no effect: every customer has it",
				"note dead-action: no P1 is left for otherwise: the lines above it take them all",
			},
		},
		"a part of an expression": {
			map[string]string{"ONE": `retention_status == "ACTIVE" and (churn_risk_score >= 50 or churn_risk_level == "HIGH")`},
			[]string{
				"warning no-effect: churn_risk_score >= 50 has no effect: without it the same customers fit [low-score, medium-score]",
				`warning no-effect: churn_risk_level == "HIGH" has no effect: without it the same customers fit [high-score]`,
			},
		},
		"a value of a list in an expression": {
			map[string]string{"TWO": `retention_status == "AT_RISK" and churn_risk_level in ["HIGH", "MEDIUM"]`},
			[]string{`note no-effect: "MEDIUM" has no effect: retention_status == "AT_RISK" and churn_risk_level "MEDIUM" never meet [inconsistent-is-active, value-drop-is-off, medium-is-inconsistent]`},
		},
		"a condition of an action that everyone in the tier fits": {
			map[string]string{"FIRST": "{total_revenue: over high, retention_status: ACTIVE}"},
			[]string{"warning no-effect: retention_status ACTIVE has no effect: every P1 has it"},
		},
		"an action that contradicts its tier": {
			map[string]string{"SECOND": "{days_since_last_order: over 30}"},
			[]string{"warning dead-action: no P1 reaches this line: retention_status ACTIVE contradicts days_since_last_order over 30 [active-is-recent]"},
		},
		"an action whose customers are taken by the one above": {
			map[string]string{"SECOND": "{total_revenue: over 5000}"},
			[]string{"warning dead-action: no P1 reaches this line: the lines above it take everyone it fits"},
		},
		"a cent between two actions": {
			map[string]string{"SECOND": "{total_revenue: low..1999}"},
			[]string{`warning hole: a P1 with total_revenue over 1999 and up to 2000 falls between "total_revenue low..1999" and "total_revenue over high" and is left to otherwise`},
		},
		"a day between two actions": {
			map[string]string{"FIRST": "{days_since_last_order: up to 9}", "SECOND": "{days_since_last_order: over 10}"},
			[]string{`warning hole: a P1 with days_since_last_order 10 falls between "days_since_last_order up to 9" and "days_since_last_order over 10" and is left to otherwise`},
		},
		"no whole number lies between": {
			map[string]string{"FIRST": "{days_since_last_order: up to 9}", "SECOND": "{days_since_last_order: 10..20}"}, nil,
		},
		"what is left out in one line is no hole": {
			map[string]string{"FIRST": "{total_revenue: not 5..9}", "SECOND": "{total_orders: 7}"},
			nil,
		},
		"what another field decides is no hole": {
			map[string]string{"FIRST": "{total_revenue: below 5, total_orders: 1}", "SECOND": "{total_revenue: over 9, total_orders: over 1}"}, nil,
		},
		"said of nobody": {
			map[string]string{"SAID": "{is_value_drop: yes}"},
			[]string{`note never-said: "said" is never said: nobody in a tier has is_value_drop yes [value-drop-is-off]`},
		},
		"said of everyone": {
			map[string]string{"SAID": "{retention_status: not INACTIVE}"},
			[]string{`note always-said: "said" is said of everyone: each customer in a tier has retention_status not INACTIVE`},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := meaningful
			for _, words := range []map[string]string{tc.change, sound} {
				for from, to := range words {
					text = strings.Replace(text, from, strings.ReplaceAll(to, "\n\n", "\n"), 1)
				}
			}
			_, findings := rulebook.Check(shippedBeside(t, "priority.yaml", []byte(text)))
			var got []string
			for _, f := range findings {
				if strings.Contains("rules/constant-part rules/cap-never-acts rules/score-overlap rules/unused-parameter", f.ID) {
					continue
				}
				line := fmt.Sprintf("%s %s: %s", f.Severity, strings.TrimPrefix(f.ID, "rules/"), f.Message)
				if len(f.Facts) > 0 {
					line += " [" + strings.Join(f.Facts, ", ") + "]"
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestScoreRanges holds ranges that need more than the bounds of the fields.
func TestScoreRanges(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ points, want string }{
		"the days of each status":        {"days_since_last_order", "P1 70..99  P2 81..99"},
		"a choice that the tier settles": {`retention_status == "ACTIVE" ? 3 : 5`, "P1 73..73  P2 55..55"},
		"a choice that it does not":      {`is_frequency_drop ? 3 : 5`, "P1 73..73  P2 53..55"},
		"a field that may be empty":      {"min(10, avg_order_value ?? 20)", "P1 70..80  P2 50..60"},
		"one amount against another":     {"total_revenue > median_revenue ? 1 : 2", "P1 71..72  P2 51..52"},
		"rounding":                       {"days_since_last_order / 7", "P1 70..74.3  P2 54.4..62.9"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.NewReplacer(
				"ONE", "{retention_status: ACTIVE, churn_risk_level: HIGH}", "TWO", "{retention_status: AT_RISK}", "PART", strings.ReplaceAll(tc.points, "'", "''"),
				"SAID", "{total_orders: 5}", "FIRST", "{total_orders: 5}", "SECOND", "{total_orders: 6}",
			).Replace(meaningful)
			book, findings := rulebook.Check(shippedBeside(t, "priority.yaml", []byte(text)))
			if book == nil {
				t.Fatal(findings)
			}
			var got []string
			for _, scores := range book.ScoreRanges() {
				got = append(got, scores.String())
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "  ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTooManyCasesAreNotProven writes rules with a threshold of their own in every field: what would take too long is
// left, a note says so, and the files can be used.
func TestTooManyCasesAreNotProven(t *testing.T) {
	t.Parallel()
	var tiers strings.Builder
	for i := range 150 {
		fmt.Fprintf(&tiers, "  - {rule: r-%d, tier: P%d, reason: r, when: {days_since_last_order: not %d, total_orders: not %d, total_revenue: not %d.5, churn_risk_score: not %d, avg_order_value: not %d}}\n",
			i, 1+i%2, 100*i+7, 300*i+5, 1000*i, i%100, 17*i)
	}
	text := strings.Replace(minimal, "actions:\n", "actions:\n  P2:\n    - otherwise: call\n", 1)
	text = strings.Replace(text, "{P1: 70}", "{P1: 70, P2: 60}", 1)
	before, rest, _ := strings.Cut(text, "  - rule: one")
	_, after, _ := strings.Cut(rest, "score:")
	start := time.Now()
	book, findings := rulebook.Check(shippedBeside(t, "priority.yaml", []byte(before+tiers.String()+"score:"+after)))
	if book == nil {
		t.Fatal(findings)
	}
	t.Logf("took %v, %d findings", time.Since(start), len(findings))
	for _, finding := range findings {
		if finding.ID == "rules/not-proven" && finding.Severity == rulebook.SeverityNote {
			return
		}
	}
	t.Errorf("nothing was left:\n%s", findings)
}

// BenchmarkCheck checks the shipped rules with all that is proven of them: what an editor waits for after each change.
func BenchmarkCheck(b *testing.B) {
	for b.Loop() {
		if _, findings := rulebook.Check(rules.FS); findings.Errors() > 0 {
			b.Fatal(findings)
		}
	}
}
