package rulebook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// TestNothingPassesSilently holds what expr takes without a word, or fails on in the middle of a run, each with the column
// and the words that refuse it. What the rules make sound is accepted: there every number is of one kind. Trap 11, a
// million brackets, is a test of its own.
func TestNothingPassesSilently(t *testing.T) {
	t.Parallel()
	tests := map[string][]struct{ when, want string }{
		"trap 1, min of mixed kinds of number": {
			{`min(days_since_last_order, 0.1) == days_since_last_order`, ""},
			{`min(100, total_orders) + 0.5 > 3`, ""},
		},
		"trap 2, an empty text in a list": {
			{`churn_risk_level in ["HIGH", ""]`, `30 unknown-value: churn_risk_level is never ""; it is one of LOW, MEDIUM, HIGH`},
			{`retention_status == ""`, `21 unknown-value: retention_status is never ""; it is one of ACTIVE, AT_RISK, INACTIVE`},
		},
		"trap 3, a field of any kind as a condition": {
			{`total_orders && true`, "1 type: expected yes or no; this is a number"},
			{`total_orders`, "1 type: a condition is yes or no; this is a number"},
			{`retention_status`, "1 type: a condition is yes or no; this is a choice"},
			{`nil`, "1 type: a condition is yes or no; this is nothing (nil)"},
		},
		"trap 4, texts compared by size": {
			{`churn_risk_level > "LOW"`, "1 not-allowed: the values of churn_risk_level have no size: > would compare them by the alphabet"},
			{`"LOW" < churn_risk_level`, "1 not-allowed: the values of churn_risk_level have no size: < would compare them by the alphabet"},
			{`churn_risk_level >= churn_risk_level`, "1 not-allowed: the values of churn_risk_level have no size: >= would compare them by the alphabet"},
		},
		"trap 5, words that do not exist": {
			{`retention_status == "active"`, `21 unknown-value: retention_status is never "active"; it is one of ACTIVE, AT_RISK, INACTIVE`},
			{`retention_status in ["AT_RSK"]`, `22 unknown-value: retention_status is never "AT_RSK"; it is one of ACTIVE, AT_RISK, INACTIVE`},
			{`retention_status != "GONE"`, `21 unknown-value: retention_status is never "GONE"; it is one of ACTIVE, AT_RISK, INACTIVE`},
		},
		"trap 6, ranges": {
			{`total_revenue in 1000..2000`, "22 not-allowed: .. is not allowed here"},
			{`1000..2000 == 5`, "5 not-allowed: .. is not allowed here"},
		},
		"trap 7, numbers that wrap around": {
			{`9223372036854775807 + 1 > 0`, "1 type: 9223372036854775807 is too large a number"},
			{`total_orders + 9223372036854775808 > 0`, "16 type: 9223372036854775808 is too large a number"},
			{`total_orders * 1e300 > 0`, "16 type: write the number 1e300 out"},
			{`floor(total_revenue * 1000000000000) * 1000000000000 > 1`, ""},
		},
		"trap 8, divisions without a result": {
			{`1/0 > 1`, "3 may-be-nan: this divides by 0"},
			{`total_revenue / total_orders > 1`, "17 may-be-nan: a division needs a constant below the line"},
			{`total_revenue / (total_orders - total_orders) > 1`, "18 may-be-nan: a division needs a constant below the line"},
			{`total_orders % 0 == 1`, "14 not-allowed: % is not allowed here"},
			{`safe_div(total_revenue, days_since_last_order, 0) * 1 > 1`, "1 may-be-nan: this may grow without end"},
			{`ln(days_since_last_order) > 1`, "1 may-be-nan: the logarithm of 0 may be asked for"},
			{`ln(-1) > 1`, "1 may-be-nan: the logarithm of -1 may be asked for"},
		},
		"trap 9, a field that may be empty used bare": {
			{`avg_order_value > 50`, "1 may-be-empty: avg_order_value can be empty here"},
			{`avg_order_value + 1 > 50`, "1 may-be-empty: avg_order_value can be empty here"},
			{`-avg_order_value < 5`, "2 may-be-empty: avg_order_value can be empty here"},
			{`min(avg_order_value, 5) > 1`, "5 may-be-empty: avg_order_value can be empty here"},
			{`not (avg_order_value > 1)`, "6 may-be-empty: avg_order_value can be empty here"},
			{`(avg_order_value > 1 ? 1 : 2) > 1`, "2 may-be-empty: avg_order_value can be empty here"},
			{`(is_value_drop ? avg_order_value : 2) > 1`, "18 may-be-empty: avg_order_value can be empty here"},
			{`avg_order_value ?? 0 > 5`, "22 yaml: ?? needs parentheses around it beside another operator"},
			{`total_orders == nil`, "1 not-allowed: this is never empty"},
		},
		"trap 10, branches of two kinds": {
			{`(is_value_drop ? 70 : "x") > 1`, "2 type: one side is a number, the other a text"},
			{`is_value_drop ? 70 : true`, "1 type: one side is a number, the other yes or no"},
		},
		"trap 12, closures and what runs long": {
			{`all([1], # > 0)`, "10 not-allowed: # is not allowed here"},
			{`any(1..300, true)`, "6 not-allowed: .. is not allowed here"},
			{`filter([1,2], true) == 1`, `1 unknown-name: unknown function "filter"`},
			{`len([1]) == 1`, `1 unknown-name: unknown function "len"`},
			{`all(total_orders, all(total_orders, true))`, `1 unknown-name: unknown function "all"`},
			{`let x = 5; x > 1`, "1 not-allowed: let is not allowed here"},
			{`total_orders > 1; true`, "17 not-allowed: ; is not allowed here"},
			{`if total_orders > 1 {true} else {false}`, "1 not-allowed: if is not allowed here"},
			{`total_orders | abs > 1`, "14 not-allowed: | is not allowed here"},
			{`retention_status matches "A.*"`, "18 not-allowed: matches is not allowed here"},
			{`{a: 1}.a == 1`, "1 not-allowed: { is not allowed here"},
			{`[1,2][0] == 1`, "1 not-allowed: this kind of expression is not allowed"},
			{`retention_status[0:1] == "A"`, "1 not-allowed: this kind of expression is not allowed"},
			{`total_orders.x == 1`, "13 not-allowed: . is not allowed here"},
			{`$env == nil`, `1 unknown-name: unknown name "$env"`},
			{`get($env, "x") == 1`, `1 unknown-name: unknown function "get"`},
			{`maybe_avg_order_value == nil`, `1 unknown-name: unknown name "maybe_avg_order_value"`},
		},
		"trap 13, several faults and foreign signs": {
			{`days_since_last_ordr > 5 and retention_status == "ACTVE"`, `1 unknown-name: unknown name "days_since_last_ordr"; 50 unknown-value: retention_status is never "ACTVE"; it is one of ACTIVE, AT_RISK, INACTIVE`},
			{`total_revenue = 5`, "15 yaml: use == to compare"},
			{`total_orders > 1 AND true`, "18 yaml: write and / or / not in lower case"},
			{`true // x`, "6 not-allowed: comments inside an expression are not allowed"},
		},
		"trap 14, whole numbers into a function": {
			{`ln(1 + days_since_last_order) > 1`, ""},
		},
		"trap 15, the clock and kinds of text": {
			{`now() > 1`, `1 unknown-name: unknown function "now"`},
			{`date("2026-01-01") == 1`, `1 unknown-name: unknown function "date"`},
			{`upper(retention_status) == "ACTIVE"`, `1 unknown-name: unknown function "upper"`},
			{`retention_status + "X" == "ACTIVE"`, "1 type: expected a number; this is a choice; 20 type: expected a number; this is a text"},
			{`retention_status == churn_risk_level`, "1 type: a choice cannot be compared with a choice"},
			{`is_value_drop == "yes"`, "1 type: yes or no cannot be compared with a text"},
			{`is_value_drop == 1`, "1 type: yes or no cannot be compared with a number"},
		},
		"numbers that mean something else": {
			{`010 > total_orders`, "1 type: the number 010 begins with 0"},
			{`1_000 > total_orders`, "1 type: write 1000, not 1_000"},
			{`0x10 > total_orders`, `1 type: "0x10" is not a number`},
			{`1,000 < total_orders`, "1 type: write 1000, not 1,000"},
		},
		"not before a comparison": {
			{`not total_orders > 1`, "1 type: not stands before a number"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, one := range tc {
				text := strings.Replace(minimal, "WHEN", "'"+strings.ReplaceAll(one.when, "'", "''")+"'", 1)
				book, findings := rulebook.Check(shippedBeside(t, "priority.yaml", []byte(text)))
				var got []string
				for _, f := range findings {
					if f.Severity == rulebook.SeverityError {
						got = append(got, fmt.Sprintf("%d %s: %s", f.Column-11, strings.TrimPrefix(f.ID, "rules/"), f.Message))
					}
				}
				if diff := cmp.Diff(one.want, strings.Join(got, "; ")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", one.when, diff)
				}
				if (book == nil) != (one.want != "") {
					t.Errorf("%s: book %v", one.when, book != nil)
				}
			}
		})
	}
}
