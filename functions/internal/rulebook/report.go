package rulebook

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// Result is the outcome of one example.
type Result struct {
	File         string     `json:"file"`
	Line         int        `json:"line"`
	Name         string     `json:"name"`
	Milliseconds float64    `json:"milliseconds"`          // how long it took to judge
	Differences  []Mismatch `json:"differences,omitempty"` // none when it passed
}

// Passed tells whether the verdict was as expected.
func (r Result) Passed() bool { return len(r.Differences) == 0 }

// Mismatch is one thing that an example expected otherwise, and the line that says so.
type Mismatch struct {
	Line int    `json:"line"`
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Report is the outcome of all examples.
type Report struct {
	RulesVersion string   `json:"rules_version"`
	Results      []Result `json:"results"`
	Passed       int      `json:"passed"`
	Failed       int      `json:"failed"`
	Milliseconds float64  `json:"milliseconds"` // reading the examples and judging them
	Coverage     Coverage `json:"coverage"`
}

// Write lists the failures and the totals for a person.
func (r Report) Write(w io.Writer) error {
	for _, result := range r.Results {
		for _, d := range result.Differences {
			if _, err := fmt.Fprintf(w, "FAIL %s:%d: %s: %s: want %s, got %s\n", result.File, d.Line, result.Name, d.What, d.Want, d.Got); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d examples passed", r.Passed, len(r.Results))
	if err == nil && r.Milliseconds > 0 {
		_, err = fmt.Fprintf(w, " in %.1f ms", r.Milliseconds)
	}
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}

// Under gives the report with the folder in front of each file name.
func (r Report) Under(folder string) Report {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		r.Results[i].File = path.Join(folder, r.Results[i].File)
	}
	r.Coverage = r.Coverage.under(folder)
	return r
}

// exampleFiles are the files with examples.
func exampleFiles(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "*_test.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the example files: %w", err)
	}
	return names, nil
}

// Test runs the examples of every *_test.yaml file. The error is Findings when those files are at fault: an example
// whose customer could not exist proves nothing, so it is refused and not judged.
func Test(b *Book, files fs.FS) (Report, error) { return TestTimed(b, files, nil) }

// TestTimed is Test by a clock: the report says how long each example took. Without a clock it does not.
func TestTimed(b *Book, files fs.FS, now func() time.Time) (Report, error) {
	if now == nil {
		now = func() time.Time { return time.Time{} }
	}
	began := now()
	names, err := exampleFiles(files)
	if err != nil {
		return Report{}, err
	}
	out := &collector{}
	report := Report{RulesVersion: b.version, Results: []Result{}}
	reach, err := b.NewReach()
	if err != nil {
		return Report{}, err
	}
	for _, name := range names {
		for _, e := range b.readExamples(files, name, out) {
			start := now()
			result, err := b.judgeExample(e)
			if err != nil {
				return Report{}, err
			}
			result.Milliseconds = milliseconds(now().Sub(start))
			report.Results = append(report.Results, result)
			reach.Add(e.customer, e.medians)
		}
	}
	if len(names) == 0 {
		out.add(Finding{File: "priority_test.yaml", ID: idFile, Message: "the file is missing: no example says what the rules should do"})
	}
	if findings := out.sorted(); len(findings) > 0 {
		return Report{}, findings
	}
	for _, result := range report.Results {
		if result.Passed() {
			report.Passed++
		} else {
			report.Failed++
		}
	}
	report.Coverage = reach.coverage()
	report.Milliseconds = milliseconds(now().Sub(began))
	return report, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// judgeExample compares the verdict with what is expected.
func (b *Book) judgeExample(e example) (Result, error) {
	verdict, err := b.NewJudge(e.medians).Judge(e.customer)
	if err != nil {
		return Result{}, fmt.Errorf("judge the example %q: %w", e.name, err)
	}
	file := e.label.doc
	result := Result{File: file.file, Line: e.label.node.Line, Name: e.name}
	before := len(file.out.findings)
	for _, what := range e.expected.order {
		want := e.expected.keys[what]
		if difference := b.compare(what, want, verdict); difference != nil {
			difference.Line = want.node.Line
			result.Differences = append(result.Differences, *difference)
		}
	}
	if at := slices.IndexFunc(result.Differences, func(d Mismatch) bool { return d.What == "tier" }); at >= 0 {
		result.Differences = result.Differences[at : at+1] // all else follows from another tier
	}
	if len(file.out.findings) > before {
		result.Differences = nil // what is expected cannot be read; that was reported
	}
	return result, nil
}

// compare gives the difference between one expectation and the verdict, or nothing.
func (b *Book) compare(what string, want value, got Verdict) *Mismatch {
	var wanted, given string
	switch what {
	case "tier":
		wanted, given = want.word("tier", append(texts(functions.Tiers), "none")), cmp.Or(string(got.Tier), "none")
	case "rule":
		wanted, given = want.word("rule", append(b.ruleIDs(), "none")), cmp.Or(got.RuleID, "none")
	case "score":
		wanted, given = plainNumber(want.numberIn(0, highestScore)), plainNumber(got.Score)
	case "value_proxy":
		exact := want.exactIn(0, maxNumber)
		if exact.Equal(got.ValueProxy.Money().Decimal) {
			return nil
		}
		wanted, given = exact.String(), got.ValueProxy.String()
	case "reason":
		wanted, given = quote(want.text()), quote(got.Reason)
	default:
		wanted, given = quote(want.text()), quote(got.Action)
	}
	if wanted == given {
		return nil
	}
	return &Mismatch{What: what, Want: wanted, Got: given}
}

func quote(text string) string { return `"` + strings.ReplaceAll(text, "\n", " ") + `"` }

func (b *Book) ruleIDs() []string {
	ids := make([]string, len(b.priority.rules))
	for i, r := range b.priority.rules {
		ids[i] = r.id
	}
	return ids
}
