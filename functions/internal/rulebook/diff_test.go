package rulebook_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// rewritten is the shipped rules with texts of priority.yaml and fields.yaml replaced in pairs, each of which must be
// there.
func rewritten(tb testing.TB, pairs ...string) *rulebook.Book {
	tb.Helper()
	files := fstest.MapFS{}
	found := make([]bool, len(pairs))
	for _, name := range rulebook.Judging() {
		data, err := fs.ReadFile(rules.FS, name)
		if err != nil {
			tb.Fatal(err)
		}
		text := string(data)
		for i := 0; i+1 < len(pairs); i += 2 {
			found[i] = found[i] || strings.Contains(text, pairs[i])
			text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if !found[i] {
			tb.Fatalf("the rules do not hold %q", pairs[i])
		}
	}
	book, err := rulebook.LoadJudging(files)
	if err != nil {
		tb.Fatal(err)
	}
	return book
}

// told is a difference in lines.
func told(d *rulebook.BookDiff) string {
	var out strings.Builder
	for _, p := range d.Parameters {
		fmt.Fprintf(&out, "parameter %s: %s -> %s\n", p.Name, p.Before, p.After)
	}
	for _, m := range d.Moves {
		fmt.Fprintf(&out, "%s -> %s: %s\n", m.From, m.To, m.Where)
	}
	for _, c := range d.Changes {
		fmt.Fprintf(&out, "%s %s: %q -> %q: %s\n", c.Tier, c.What, c.Before, c.After, c.Where)
	}
	for _, s := range d.Scores {
		fmt.Fprintf(&out, "%v %s: %s -> %s\n", s.Tiers, s.What, s.Before, s.After)
	}
	for _, s := range d.ScoreMoves {
		fmt.Fprintf(&out, "score of %s: %g to %g\n", s.Tier, s.Lowest, s.Highest)
	}
	for _, n := range d.Notes {
		fmt.Fprintf(&out, "note: %s\n", n)
	}
	if d.Same {
		out.WriteString("same\n")
	}
	return out.String()
}

// TestWhatAnEditMeans holds, for edits that a manager makes, what is told of them.
func TestWhatAnEditMeans(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edits []string
		want  string
	}{
		"nothing": {nil, "same\n"},
		"P1 from 1000 EUR on, P3 for a year": {
			[]string{"p1_min_revenue: 0 ", "p1_min_revenue: 1000 ", "recent_days: 180", "recent_days: 365"},
			`parameter p1_min_revenue: 0 -> 1000
parameter recent_days: 180 -> 365
P1 -> none: churn_risk_level HIGH, retention_status ACTIVE, total_revenue below 1000
none -> P3: churn_risk_level HIGH, days_since_last_order 181..365
`,
		},
		"high value from less on": {
			[]string{"high_value: 2000", "high_value: 1500"},
			`parameter high_value: 2000 -> 1500
 mention: "medium value" -> "high value": total_revenue over 1500 and up to 2000
P1 action: "Personal email + free shipping offer" -> "VIP outreach + 10% loyalty incentive": total_revenue over 1500 and up to 2000
`,
		},
		"a tier takes another level": {
			[]string{"churn_risk_level: [HIGH, MEDIUM]", "churn_risk_level: [HIGH, LOW]"},
			"none -> P2: churn_risk_level LOW, retention_status AT_RISK\n", // MEDIUM and AT_RISK never meet
		},
		"two regions that are no product": {
			[]string{"total_revenue: at least p1_min_revenue}", "total_orders: over 2, avg_order_value: not empty}", "  p1_min_revenue: 0 ", "  # "},
			`parameter p1_min_revenue: 0 -> 
P1 -> none: churn_risk_level HIGH, retention_status ACTIVE, total_orders up to 2
P1 -> none: avg_order_value empty, churn_risk_level HIGH, retention_status ACTIVE
`,
		},
		"a field against a field": {
			[]string{"{retention_status: AT_RISK, churn_risk_level: [HIGH, MEDIUM]}", `retention_status == "AT_RISK" and churn_risk_level == "HIGH" and total_revenue > median_revenue`},
			`P2 -> none: churn_risk_level HIGH, retention_status AT_RISK, not (total_revenue > median_revenue)
note: total_revenue > median_revenue cannot be taken apart: a line that names it may hold nobody
`,
		},
		"the same in another spelling": {
			[]string{
				"{retention_status: INACTIVE, churn_risk_level: HIGH, days_since_last_order: up to recent_days}",
				`not (days_since_last_order > recent_days) && churn_risk_level == 'HIGH' && retention_status == 'INACTIVE'`,
				"{when: {total_revenue: medium_value..high_value}", "{when: total_revenue >= medium_value and total_revenue <= 2000",
			}, "same\n",
		},
		"the same by the facts": {
			[]string{"{retention_status: INACTIVE, churn_risk_level: HIGH,", "{churn_risk_score: at least 50, retention_status: not ACTIVE,"},
			"same\n", // AT_RISK and HIGH is P2 before
		},
		"a rule split in two": {
			[]string{"  - rule: inactive-high", `  - rule: inactive-rich
    tier: P3
    when: {retention_status: INACTIVE, churn_risk_level: HIGH, days_since_last_order: up to recent_days, total_revenue: over 500}
    reason: INACTIVE + HIGH risk
  - rule: inactive-high`},
			"P3 rule: \"inactive-high\" -> \"inactive-rich\": total_revenue over 500\nsame\n",
		},
		"a reason in other words": {
			[]string{`{retention_status} + {churn_risk_level} risk`, `{retention_status}, risk {churn_risk_level}`},
			`P1 reason: "ACTIVE + HIGH risk" -> "ACTIVE, risk HIGH": every customer
P2 reason: "AT_RISK + HIGH risk" -> "AT_RISK, risk HIGH": every customer
P3 reason: "INACTIVE + HIGH risk" -> "INACTIVE, risk HIGH": every customer
`,
		},
		"a mention in other words, and another order": {
			[]string{
				"in_brackets: frequency drop", "in_brackets: orders less often",
				"  - {when: {total_revenue: over high_value}, say: high value}\n", "",
				"\nscore:", "  - {when: {total_revenue: over high_value}, say: high value}\n\nscore:",
			},
			` mention: "(frequency drop)" -> "(orders less often)": every customer
 order of mentions: "(frequency drop), (unsteady buyer), (value drop), last order {days_since_last_order} days ago, high value, medium value" ` +
				`-> "(orders less often), (unsteady buyer), (value drop), last order {days_since_last_order} days ago, medium value, high value": every customer
`,
		},
		"the score": {
			[]string{"start: {P1: 70,", "start: {P1: 75,", "name: urgency, points: days_since_last_order / 3, at_most: 10", "name: urgency, points: days_since_last_order / 3, at_most: 5"},
			`[P1] start: 70 -> 75
[P1 P2 P3] urgency: days_since_last_order / 3, at most 10 -> days_since_last_order / 3, at most 5
score of P1: 0 to 5
score of P2: -5 to 0
score of P3: -5 to 0
`,
		},
		"a cap that never acts": {
			[]string{"start: {P1: 70, P2: 50, P3: 30}", "start: {P1: 60, P2: 50, P3: 30}"},
			"[P1] start: 70 -> 60\nscore of P1: -10 to -10\n",
		},
		"the value at stake": {
			[]string{"share: 0.30", "share: 0.25"},
			" value_proxy: \"30 % of total_revenue, to 2 decimals\" -> \"25 % of total_revenue, to 2 decimals\": every customer\n",
		},
		"bounds of the vocabulary": {
			[]string{"max: 36500", "max: 100", "values: [LOW, MEDIUM, HIGH]", "values: [MEDIUM, HIGH]", "  - {fact: low-score, if: {churn_risk_level: LOW}, then: {churn_risk_score: below 20}}\n", ""},
			`P3 -> set aside: churn_risk_level HIGH, days_since_last_order 101..180
none -> set aside: churn_risk_level LOW
none -> set aside: days_since_last_order over 180
`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := rewritten(t), rewritten(t, tc.edits...)
			if diff := cmp.Diff(tc.want, told(rulebook.Diff(before, after))); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			back := rulebook.Diff(after, before)
			if there := rulebook.Diff(before, after); there.Same != back.Same || len(there.Moves) == 0 != (len(back.Moves) == 0) {
				t.Errorf("the way back is another one: %s", told(back))
			}
		})
	}
}

// TestADifferenceOfManyThresholdsEnds holds that two books of nearly 200 rules over many thresholds are compared within the
// bounds, and that what was left out is said.
func TestADifferenceOfManyThresholdsEnds(t *testing.T) {
	t.Parallel()
	many := func(seed int) *rulebook.Book {
		var list strings.Builder
		for i := range 190 {
			fmt.Fprintf(&list, "  - {rule: r-%d, tier: P%d, when: {total_revenue: %d..%d, days_since_last_order: over %d, total_orders: over %d, churn_risk_score: up to %d}, reason: r}\n",
				i, 1+(i*seed)%3, i*seed*10, i*seed*10+500, (i*7*seed)%400, (i*13*seed)%90, (i*31*seed)%100)
		}
		return rewritten(t, "  - rule: active-high", strings.TrimLeft(list.String(), "\n")+"  - rule: active-high")
	}
	before, after := many(3), many(5)
	began := time.Now()
	d := rulebook.Diff(before, after)
	t.Logf("%s, %d moves, %d changes", time.Since(began), len(d.Moves), len(d.Changes))
	if d.Same || len(d.Notes) == 0 {
		t.Errorf("got same %t, notes %q", d.Same, d.Notes)
	}
}

// What an edit means is told without any data.
func ExampleDiff() {
	read := func(edit *strings.Replacer) *rulebook.Book {
		files := fstest.MapFS{}
		for _, name := range rulebook.Judging() {
			data, _ := rules.FS.ReadFile(name)
			files[name] = &fstest.MapFile{Data: []byte(edit.Replace(string(data)))}
		}
		book, err := rulebook.LoadJudging(files)
		if err != nil {
			fmt.Println(err)
		}
		return book
	}
	before := read(strings.NewReplacer())
	after := read(strings.NewReplacer("p1_min_revenue: 0 ", "p1_min_revenue: 1000 ", "recent_days: 180", "recent_days: 365"))
	for _, move := range rulebook.Diff(before, after).Moves {
		fmt.Printf("%s -> %s: %s\n", move.From, move.To, move.Where)
	}
	// Output:
	// P1 -> none: churn_risk_level HIGH, retention_status ACTIVE, total_revenue below 1000
	// none -> P3: churn_risk_level HIGH, days_since_last_order 181..365
}
