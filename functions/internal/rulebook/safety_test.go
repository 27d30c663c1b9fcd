package rulebook_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// TestHostileFilesAreRefused holds that a file can be refused for anything, and can never stop the program.
func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	with := func(when string) string { return strings.Replace(minimal, "WHEN", when, 1) }
	tests := map[string]struct{ text, wantID string }{
		"2,000 parentheses":                    {with(strings.Repeat("(", 1000) + strings.Repeat(")", 1000)), "rules/too-long"},
		"1,900 parentheses around true":        {with(strings.Repeat("(", 950) + "true" + strings.Repeat(")", 950)), "rules/too-long"},
		"100,000 parentheses":                  {with(strings.Repeat("(", 100_000)), "rules/too-long"},
		"1,000,000 parentheses":                {with(strings.Repeat("(", 1_000_000)), "rules/too-long"},
		"1,000,000 parentheses and no more":    {strings.Repeat("(", 1_000_000), "rules/too-long"},
		"1,900 nots":                           {with(strings.Repeat("!", 1900) + "true"), "rules/not-allowed"},
		"1,900 minus signs":                    {with("0 " + strings.Repeat("-", 1900) + "1 == 0"), "rules/too-long"},
		"300 nested choices":                   {with("'" + strings.Repeat("true?", 300) + "1" + strings.Repeat(":1", 30) + "'"), "rules/yaml"},
		"100,000 lists in one another":         {with(strings.Repeat("[", 100_000)), "rules/yaml"},
		"5,000 lists in one another, closed":   {with(strings.Repeat("[", 5000) + strings.Repeat("]", 5000)), "rules/not-allowed"},
		"a billion laughs":                     {"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "rules/not-allowed"},
		"a binary file":                        {"\x7fELF\x02\x01\x01\x00", "rules/yaml"},
		"no UTF-8":                             {"rules: \xff\xfe", "rules/yaml"},
		"a byte order mark":                    {"\ufeff" + with("true"), "rules/yaml"},
		"an invisible line end":                {with("true\u2028"), "rules/yaml"},
		"nothing":                              {"", "rules/yaml"},
		"only a comment":                       {"# rules\n", "rules/yaml"},
		"a list":                               {"- a\n- b\n", "rules/type"},
		"a word":                               {"rules", "rules/type"},
		"a cell of 60,000 nots":                {with("{total_orders: " + strings.Repeat("not ", 60_000) + "5}"), "rules/too-long"},
		"a work of a minute for every row":     {with("all(1..300, all(1..300, all(1..300, true)))"), "rules/not-allowed"},
		"a filter over a million":              {with("len(filter(1..1000000, # > 0)) > 0"), "rules/not-allowed"},
		"a sum of a range":                     {with("sum(1..1000000000) > 0"), "rules/not-allowed"},
		"400 calls in one another":             {with("'" + strings.Repeat("abs(", 390) + "1" + strings.Repeat(")", 390) + " > 0'"), "rules/too-long"},
		"200 choices in one another":           {with("'" + strings.Repeat("(is_value_drop ? ", 40) + "1" + strings.Repeat(" : 2)", 40) + " > " + strings.Repeat("1 + ", 200) + "1'"), "rules/too-long"},
		"900 lists in an expression":           {with("'total_orders in " + strings.Repeat("[", 900) + strings.Repeat("]", 900) + "'"), "rules/too-long"},
		"a list of 900 numbers":                {with("'total_orders in [1" + strings.Repeat(",1", 900) + "]'"), "rules/too-long"},
		"a tower of powers":                    {with("9 ** 9 ** 9 ** 9 > 0"), "rules/not-allowed"},
		"a name of its own":                    {with("'let x = total_orders; x > 0'"), "rules/not-allowed"},
		"a pipe":                               {with("'total_orders | abs() > 0'"), "rules/not-allowed"},
		"a pattern that takes for ever":        {with(`'retention_status matches "(a+)+$"'`), "rules/not-allowed"},
		"a text that grows":                    {with(`'retention_status + retention_status == "x"'`), "rules/type"},
		"the whole environment":                {with("'$env.total_revenue > 0'"), "rules/not-allowed"},
		"a method of a value":                  {with("'retention_status.x == 1'"), "rules/not-allowed"},
		"a reason of a book":                   {strings.Replace(with("true"), `reason: "`, `reason: "`+strings.Repeat("x", 100_000), 1), "rules/too-long"},
		"100,000 open braces in a reason":      {strings.Replace(with("true"), `reason: "`, `reason: "`+strings.Repeat("{", 100_000), 1), "rules/too-long"},
		"60 mentions":                          {with("true") + "also_mention:\n" + strings.Repeat("  - {when: true, say: x}\n", 60), "rules/too-long"},
		"60 actions":                           {strings.Replace(with("true"), "  P1:\n", "  P1:\n"+strings.Repeat("    - {when: true, do: x}\n", 60), 1), "rules/too-long"},
		"110 parameters":                       {strings.Replace(with("true"), "{four: 4}", "{four: 4"+parameters(110)+"}", 1), "rules/too-long"},
		"300 kB of comments":                   {with("true") + strings.Repeat("# x\n", 75_000), "rules/too-long"},
		"the clock":                            {with("now() != nil"), "rules/unknown-name"},
		"the inner form of a field":            {with("maybe_avg_order_value == nil"), "rules/unknown-name"},
		"a number that is no number":           {with("total_revenue * 0 / 0 > 1"), "rules/may-be-nan"},
		"a number beyond all numbers":          {with(strings.Repeat("1000000000000 * ", 60) + "1 > 0"), "rules/may-be-nan"},
		"300 rules":                            {strings.Replace(with("true"), "score:", strings.Repeat("  - {rule: x, tier: P1, when: true, reason: r}\n", 300)+"score:", 1), "rules/duplicate-name"},
		"a key that is a list":                 {with("{[a]: b}"), "rules/type"},
		"an escape that is cut off":            {with(`"\x`), "rules/yaml"},
		"a text that ends with a backslash \\": {with(`"total_orders == 'x\\'"`), "rules/yaml"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings := findingsOf(t, "priority.yaml", []byte(tc.text))
			for _, finding := range findings {
				if finding.ID == tc.wantID && finding.Severity == rulebook.SeverityError {
					return
				}
			}
			t.Errorf("no %s among:\n%s", tc.wantID, findings)
		})
	}
}

func parameters(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, ", p%d: %d", i, i)
	}
	return text.String()
}

// FuzzCheck reads foreign bytes as each of the files. It must not panic, must point at places that are there, and a
// book that it gives must judge without an error, as the reference does.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{
		"fields.yaml", "priority.yaml", "playbooks.yaml", "rollout.yaml", "priority_test.yaml", "monitoring.yaml", "silences.yaml",
	} {
		f.Add(name, rulesFile(f, name).Data)
	}
	f.Add("priority.yaml", []byte(strings.Replace(minimal, "WHEN", `"total_orders\u0020> 4 and 'x' in [1]"`, 1)))
	f.Add("silences.yaml", []byte("silences:\n  - {from: 2026-12-21, to: 2026-12-27, who: A, why: B, severities: [WARNING]}\n"))
	f.Add("monitoring.yaml", []byte("window: 1 day\ntargets: []\nalarms:\n  - {name: a, when: safe_div(failed_runs, runs, 0) > 0.5, tell: data_team, what: x}\n"))
	f.Add("priority.yaml", []byte(strings.Replace(minimal, "WHEN", `>-`+"\n      {a: 1}", 1)))
	customers := syntheticCustomers(20, 1)
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if !strings.HasSuffix(name, ".yaml") || strings.ContainsAny(name, "/\\") {
			name = "priority.yaml"
		}
		files := fstest.MapFS{}
		maps.Copy(files, shippedBeside(t, name, data))
		book, findings := rulebook.Check(files)
		if (book == nil) != (findings.Errors() > 0) {
			t.Fatalf("book %v with findings:\n%s", book != nil, findings)
		}
		checkPlaces(t, files, findings)
		if book == nil {
			return
		}
		checkPlaces(t, files, book.Reminders(day(11, 22)))
		figures := map[string]float64{}
		for _, figure := range rulebook.Figures {
			figures[figure.Name] = figure.Low
		}
		for _, alarm := range book.Monitoring().Alarms {
			if _, known := alarm.Holds(figures); !known {
				t.Fatalf("%s: %s cannot be judged", alarm.Name, alarm.When)
			}
		}
		judge, reference := book.NewJudge(money(t, "625")), book.NewReferenceJudge(money(t, "625"))
		for i := range customers {
			if book.Vet(&customers[i]) != nil {
				continue
			}
			verdict, err := judge.Judge(&customers[i])
			if err != nil || verdict.Score < 0 || verdict.Score > 100 {
				t.Fatalf("%+v: %+v, %v", customers[i], verdict, err)
			}
			if want, err := reference.Judge(&customers[i]); err != nil || verdict != want {
				t.Fatalf("%+v: %+v, and by the reference %+v, %v", customers[i], verdict, want, err)
			}
		}
		if _, err := rulebook.Test(book, files); err != nil {
			if findings, ok := err.(rulebook.Findings); ok { //nolint:errorlint // Test gives Findings unwrapped
				checkPlaces(t, files, findings)
			}
		}
	})
}

// checkPlaces holds that a finding points at a line and column of its file.
func checkPlaces(t *testing.T, files fstest.MapFS, findings rulebook.Findings) {
	t.Helper()
	for _, finding := range findings {
		if finding.Line == 0 {
			continue
		}
		lines := strings.Split(string(files[finding.File].Data), "\n")
		if finding.Line < 1 || finding.Line > len(lines) || finding.Column < 1 || finding.Length < 1 {
			t.Errorf("%s has no such place: %+v", finding.File, finding)
			continue
		}
		if runes := len([]rune(lines[finding.Line-1])); finding.Column > runes+1 {
			t.Errorf("line %d has %d characters: %+v", finding.Line, runes, finding)
		}
		_ = finding.String()
	}
}
