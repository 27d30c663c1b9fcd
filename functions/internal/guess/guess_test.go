package guess_test

import (
	"fmt"
	"testing"

	"github.com/retentionops/retentionops/functions/internal/guess"
)

func ExampleHint() {
	fields := []string{"retention_status", "churn_risk_level", "total_revenue", "total_orders"}
	fmt.Println(guess.Hint("total_revenu", "fields", fields, 2))
	fmt.Println(guess.Hint("shoe_size", "fields", fields, 2))
	// Output:
	// did you mean total_revenue? fields: retention_status, churn_risk_level, …
	// fields: retention_status, churn_risk_level, …
}

func TestNearest(t *testing.T) {
	t.Parallel()
	valid := []string{"ACTIVE", "AT_RISK", "INACTIVE", "high_value", "medium_value"}
	for _, c := range []struct{ name, word, want string }{
		{"a letter is missing", "ACTIV", "ACTIVE"},
		{"capitals do not count", "at_risk", "AT_RISK"},
		{"two letters have changed places", "hihg_value", "high_value"},
		{"in a short word too", "ATCIVE", "ACTIVE"},
		{"the end was left out", "medium", "medium_value"},
		{"nothing is near", "price", ""},
		{"an empty word is nobody's", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := guess.Nearest(c.word, valid); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
