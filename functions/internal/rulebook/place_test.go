package rulebook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// TestPlacesInEveryStyleOfText puts the same fault, the word HIHG, into every way that YAML can write a text, and wants
// the line and column where a person sees it.
func TestPlacesInEveryStyleOfText(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"plain":                            `    when: churn_risk_level == 'HIHG'`,
		"plain over two lines":             "    when: total_orders > 4 and\n          churn_risk_level == 'HIHG'",
		"plain over two lines with a gap":  "    when: total_orders > 4 and\n\n\n       churn_risk_level == 'HIHG'",
		"plain in a flow map":              `    when: {churn_risk_level: HIHG}`,
		"plain in a flow list":             `    when: {churn_risk_level: [LOW,   HIHG]}`,
		"single quoted":                    `    when: 'churn_risk_level == "HIHG"'`,
		"single quoted, quote doubled":     `    when: 'churn_risk_level == ''HIHG'''`,
		"single quoted over two lines":     "    when: 'total_orders > 4\n\n       and churn_risk_level == ''HIHG'''",
		"double quoted":                    `    when: "churn_risk_level == 'HIHG'"`,
		"double quoted with escapes":       `    when: "churn_risk_level == \"HIHG\""`,
		"double quoted, tab escaped":       `    when: "total_orders\t> 4 and\x20churn_risk_level\u0020==\U00000020\"HIHG\""`,
		"double quoted, line joined":       "    when: \"total_orders > 4 an\\\n       d churn_risk_level == 'HIHG'\"",
		"literal":                          "    when: |\n      total_orders > 4\n      and churn_risk_level == 'HIHG'",
		"literal with a header":            "    when: |-   # the riskiest\n      total_orders > 4\n        and churn_risk_level == 'HIHG'",
		"literal with an indent indicator": "    when: |2-\n      total_orders > 4\n        and churn_risk_level == 'HIHG'",
		"literal with empty lines":         "    when: |\n\n      total_orders > 4\n\n      and churn_risk_level == 'HIHG'",
		"folded":                           "    when: >\n      total_orders > 4\n      and churn_risk_level == 'HIHG'",
		"folded, more indented":            "    when: >-\n      total_orders > 4\n        and\n      churn_risk_level == 'HIHG'",
		"after an umlaut on the line":      `    when: {total_orders: 4, churn_risk_level: HIHG} # für später`,
		"a cell in single quotes":          `    when: {churn_risk_level: 'HIHG'}`,
		"a cell in double quotes":          `    when: {churn_risk_level: "not HIHG"}`,
		"a cell in a block map":            "    when:\n      total_orders: over 4\n      churn_risk_level: not  HIHG",
		"a cell in a block list":           "    when:\n      churn_risk_level:\n        - LOW\n        - HIHG",
		"carriage returns":                 "    when: |\r\n      total_orders > 4\r\n      and churn_risk_level == 'HIHG'\r",
	}
	for name, when := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(minimal, "    when: WHEN", when, 1)
			wantLine, wantColumn := 0, 0
			for i, line := range strings.Split(text, "\n") {
				if before, _, found := strings.Cut(line, "HIHG"); found {
					wantLine, wantColumn = i+1, len([]rune(before))+1
				}
			}
			findings := findingsOf(t, "priority.yaml", []byte(text))
			if len(findings) != 1 || findings[0].ID != "rules/unknown-value" {
				t.Fatalf("want one rules/unknown-value, got:\n%s", findings)
			}
			// In an expression the quotes belong to the text at fault.
			got := findings[0]
			line := []rune(strings.Split(text, "\n")[got.Line-1])
			under := string(line[got.Column-1 : got.Column-1+got.Length])
			if got.Line != wantLine || strings.Trim(under, `'"\`) != "HIHG" {
				t.Errorf("at %d:%d under %q, want HIHG at %d:%d", got.Line, got.Column, under, wantLine, wantColumn)
			}
		})
	}
}

func TestPlacesCountCharacters(t *testing.T) {
	t.Parallel()
	text := strings.Replace(minimal, `reason: "{four}`, `reason: "über 測試 {fuor}`, 1)
	findings := findingsOf(t, "priority.yaml", []byte(strings.Replace(text, "WHEN", "true", 1)))
	want := `priority.yaml:7:22: nothing is named "fuor" (rules/bad-placeholder)
    7 |     reason: "über 測試 {fuor} {avg_order_value} {is_value_drop} {total_revenue} {median_revenue}"
      |                        ^^^^^^`
	got, _, _ := strings.Cut(findings.Error(), "\n   hint")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a wide character takes two cells (-want +got):\n%s", diff)
	}
}

func TestTabsBeforeACaretStayTabs(t *testing.T) {
	t.Parallel()
	finding := rulebook.Finding{
		File: "x.yaml", Line: 1, Column: 5, Length: 2, Severity: rulebook.SeverityWarning, ID: "rules/x", Message: "m", Source: "\ta: bc",
	}
	want := "x.yaml:1:5: warning: m (rules/x)\n    1 | \ta: bc\n      | \t   ^^\n"
	if diff := cmp.Diff(want, fmt.Sprint(finding)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
