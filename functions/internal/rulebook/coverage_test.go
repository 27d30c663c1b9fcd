package rulebook_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// coverageOf runs the examples of the shipped rules with one text replaced.
func coverageOf(t *testing.T, name, old, replacement string) rulebook.Coverage {
	t.Helper()
	files := shippedWith(t, name, old, replacement)
	book, findings := rulebook.Check(files)
	if book == nil {
		t.Fatal(findings)
	}
	report, err := rulebook.Test(book, files)
	if err != nil {
		t.Fatal(err)
	}
	return report.Coverage.Knowing(findings)
}

func TestShippedExamplesReachAllThatCanBeReached(t *testing.T) {
	t.Parallel()
	coverage := coverageOf(t, "priority.yaml", "rules: priority", "rules: priority")
	var text strings.Builder
	if err := coverage.Write(&text); err != nil {
		t.Fatal(err)
	}
	if coverage.Goals != coverage.Reached || coverage.Goals < 30 {
		t.Errorf("%d of %d", coverage.Reached, coverage.Goals)
	}
	compareGolden(t, "testdata/coverage.golden.txt", text.String())
}

// TestGaps holds what is said of a rule that was changed, line by line.
func TestGaps(t *testing.T) {
	t.Parallel()
	const medium = "- when: {total_revenue: medium_value..high_value}"
	tests := map[string]struct {
		old, replacement string
		want             []string
	}{
		"an action nobody asks for": {
			"  P2:\n", "  P2:\n    - when: {total_revenue: over 90000}\n      do: Call by the owner\n",
			[]string{
				`priority.yaml:52: action P2 "Call by the owner": no example gets it`,
			},
		},
		"values of a list are parts of their own": {
			medium, "- when: {total_orders: [1, 4]}",
			[]string{
				`priority.yaml:47: P1 "Personal email + free shipping offer": total_orders 1: no example makes it true`,
				`priority.yaml:47: P1 "Personal email + free shipping offer": total_orders 4: no example makes it false`,
				`priority.yaml:49: action P1 "Personal email + reminder": no example gets it`,
			},
		},
		"the parts of an expression": {
			medium, "- when: total_orders > 4 and min(1, total_orders) > 0 or not (total_revenue >= 1000 and churn_risk_score < 90)",
			[]string{
				`priority.yaml:47: P1 "Personal email + free shipping offer": total_orders > 4: no example makes it true`,
				`priority.yaml:47: P1 "Personal email + free shipping offer": min(1, total_orders) > 0: no example comes to it`,
				`priority.yaml:47: P1 "Personal email + free shipping offer": churn_risk_score < 90: no example makes it false`,
			},
		},
		"what not turns round, and brackets": {
			medium, "- when: not (total_orders > 4) and (avg_order_value ?? 0) > 50",
			[]string{
				`priority.yaml:48: action P1 "Personal email + free shipping offer": no example gets it`,
				`priority.yaml:47: P1 "Personal email + free shipping offer": total_orders > 4: no example makes it true`,
				`priority.yaml:47: P1 "Personal email + free shipping offer": (avg_order_value ?? 0) > 50: no example makes it true`,
			},
		},
		"a cell that asks for something that may be empty": {
			medium, "- when: {avg_order_value: over 50}",
			[]string{
				`priority.yaml:48: action P1 "Personal email + free shipping offer": no example gets it`,
			},
		},
		"a rule for everyone": {
			"when: {retention_status: INACTIVE, churn_risk_level: HIGH, days_since_last_order: up to recent_days}", "when: true",
			[]string{"priority.yaml:12: no tier: no example is left without a tier"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			if err := coverageOf(t, "priority.yaml", tc.old, tc.replacement).Write(&text); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(text.String()) {
				if strings.Contains(line, "no example") {
					got = append(got, strings.TrimSpace(line))
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReachAgreesWithTheJudge counts rules and actions of many customers both ways.
func TestReachAgreesWithTheJudge(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	customers := syntheticCustomers(5000, 17)
	median := money(t, "625")
	reach, err := book.NewReach()
	if err != nil {
		t.Fatal(err)
	}
	judge := book.NewJudge(median)
	want := map[string]int64{}
	for i := range customers {
		reach.Add(&customers[i], median)
		verdict, err := judge.Judge(&customers[i])
		if err != nil {
			t.Fatal(err)
		}
		if verdict.Tier == "" {
			want["no tier"]++
			continue
		}
		want[verdict.RuleID]++
		want[string(verdict.Tier)+` "`+verdict.Action+`"`]++
	}
	report, err := rulebook.Test(book, rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	coverage := report.Coverage.With(reach, rulebook.Population{AsOf: functions.Date{Year: 2026, Month: 1, Day: 12}, Judged: int64(len(customers))})
	got := map[string]int64{}
	for _, item := range coverage.Items {
		switch item.Kind {
		case rulebook.CoversRule, rulebook.CoversAction, rulebook.CoversNoTier:
			got[item.Of] = item.Customers.True
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-judge +reach):\n%s", diff)
	}
	if coverage.Customers.Reached == 0 || coverage.Customers.Reached > coverage.Goals {
		t.Errorf("got %+v", coverage.Customers)
	}
}

func TestJUnitSaysWhatTheReportSays(t *testing.T) {
	t.Parallel()
	files := shippedWith(t, "priority.yaml", "high_value: 2000 ", "high_value: 1500 ")
	book, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC)
	report, err := rulebook.TestTimed(book, files, func() time.Time {
		clock = clock.Add(time.Millisecond)
		return clock
	})
	if err != nil {
		t.Fatal(err)
	}
	report = report.Under("rules")
	report.Results[0].Name = "\x01 <&\"> \u00e4"
	var out strings.Builder
	if err := report.WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	type property struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	var got struct {
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Time     string `xml:"time,attr"`
		Suites   []struct {
			Name       string     `xml:"name,attr"`
			Time       string     `xml:"time,attr"`
			Properties []property `xml:"properties>property"`
			Cases      []struct {
				Name       string     `xml:"name,attr"`
				File       string     `xml:"file,attr"`
				Line       int        `xml:"line,attr"`
				Time       string     `xml:"time,attr"`
				Properties []property `xml:"properties>property"`
				Failure    *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != len(report.Results) || got.Failures != report.Failed || report.Failed != 1 || len(got.Suites) != 1 {
		t.Fatalf("got %+v", got)
	}
	suite := got.Suites[0]
	if suite.Name != "rules/priority_test.yaml" || suite.Time != "0.018000" || got.Time != "0.037000" ||
		suite.Properties[0] != (property{"rules_version", book.Version()}) {
		t.Errorf("got %+v", suite)
	}
	for i, result := range report.Results {
		one := suite.Cases[i]
		if one.File != result.File || one.Line != result.Line || one.Time != "0.001000" || (one.Failure == nil) != result.Passed() {
			t.Errorf("%+v: got %+v", result, one)
		}
		if one.Properties[0] != (property{"file", result.File}) {
			t.Errorf("%+v: got %+v", result, one)
		}
		if one.Failure != nil && !strings.Contains(one.Failure.Text, result.File+":") {
			t.Errorf("got %+v", one.Failure)
		}
	}
	if want := "\ufffd <&\"> \u00e4"; suite.Cases[0].Name != want {
		t.Errorf("got %q, want %q", suite.Cases[0].Name, want)
	}
}

func TestJUnitOfFindingsIsAnErrorEach(t *testing.T) {
	t.Parallel()
	_, findings := rulebook.Check(shippedWith(t, "priority.yaml", "AT_RISK", "AT_RSK"))
	var out strings.Builder
	if err := findings.Under("rules").WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, `errors="1"`) || !strings.Contains(text, `type="rules/unknown-value"`) {
		t.Errorf("got %s", text)
	}
}
