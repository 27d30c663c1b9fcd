package rulebook

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Result is the outcome of one example.
type Result struct {
	File        string       `json:"file"`
	Line        int          `json:"line"`
	Name        string       `json:"name"`
	Differences []Difference `json:"differences,omitempty"` // none when it passed
}

// Passed tells whether the verdict was as expected.
func (r Result) Passed() bool { return len(r.Differences) == 0 }

// Difference is one thing that an example expected otherwise, and the line that says so.
type Difference struct {
	Line int    `json:"line"`
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Report is the outcome of all examples.
type Report struct {
	Results []Result `json:"results"`
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
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
	_, err := fmt.Fprintf(w, "%d of %d examples passed\n", r.Passed, len(r.Results))
	return err
}

// Under gives the report with the folder in front of each file name.
func (r Report) Under(folder string) Report {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		r.Results[i].File = folder + "/" + r.Results[i].File
	}
	return r
}

// Test runs the examples of every *_test.yaml file. The error is Findings when those files are at fault: an example
// whose customer could not exist proves nothing, so it is refused and not judged.
func Test(b *Book, files fs.FS) (Report, error) {
	names, err := fs.Glob(files, "*_test.yaml")
	if err != nil {
		return Report{}, fmt.Errorf("list the example files: %w", err)
	}
	out := &collector{}
	var report Report
	for _, name := range names {
		results, err := b.testFile(files, name, out)
		if err != nil {
			return Report{}, err
		}
		report.Results = append(report.Results, results...)
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
	return report, nil
}

// example is one customer with the verdict that is expected.
type example struct {
	label    value
	name     string
	customer *retention.Customer
	medians  functions.Money
	expected section
}

func (b *Book) testFile(files fs.FS, name string, out *collector) ([]Result, error) {
	document, _ := openDocument(files, name, out)
	if document == nil {
		return nil, nil
	}
	top := document.root.section("tests", "statistics", "base", "examples")
	if top.missing() {
		return nil, nil
	}
	top.need("tests").word("rule file", []string{priorityFile})
	median := b.readStatistics(top.need("statistics"))
	base := section{keys: map[string]value{}}
	if content, has := top.maybe("base"); has {
		base = content.names("field")
	}
	seen := map[string]bool{}
	list := top.need("examples")
	var results []Result
	for _, item := range list.items() {
		e, sound := b.readExample(item, base, median, seen)
		if !sound {
			continue
		}
		result, err := b.judgeExample(e)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	if !list.missing() && len(list.items()) == 0 {
		list.report(idType, "there are no examples", "")
	}
	return results, nil
}

func (b *Book) readStatistics(content value) functions.Money {
	s := content.section(medianRevenue)
	if s.missing() {
		return functions.Money{}
	}
	f := b.vocabulary.byName[medianRevenue]
	if f == nil {
		s.report(idUnknownName, "fields.yaml has no "+medianRevenue, "")
		return functions.Money{}
	}
	return functions.Money{Decimal: s.need(medianRevenue).exactIn(f.low, f.high)}
}

// readExample reads a customer, the base's fields under its own, and refuses one that could not exist.
func (b *Book) readExample(item value, base section, median functions.Money, seen map[string]bool) (example, bool) {
	one := item.section("name", "customer", "expect")
	if one.missing() {
		return example{}, false
	}
	before := len(item.doc.out.findings)
	e := example{label: one.need("name"), medians: median}
	e.name = e.label.text()
	if seen[e.name] && e.name != "" {
		e.label.report(idDuplicateName, "there are two examples of this name", "")
	}
	seen[e.name] = true
	e.customer = &retention.Customer{ID: "example", Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1}}
	own := one.need("customer").names("field")
	for _, f := range b.vocabulary.fields {
		if f.isStatistic() {
			continue
		}
		content, has := own.keys[f.name]
		if !has {
			content, has = base.keys[f.name]
		}
		switch {
		case has:
			f.read(content, e.customer)
		case !f.mayBeEmpty && !own.missing():
			own.report(idMissingKey, f.name+" is missing", "write it here or under base")
		}
	}
	for _, fields := range []section{base, own} {
		for _, name := range fields.order {
			if f := b.vocabulary.byName[name]; f == nil || f.isStatistic() {
				fields.labels[name].report(idUnknownName, fmt.Sprintf("a customer has no %q", name), didYouMean(name, "fields", b.vocabulary.names()))
			}
		}
	}
	e.expected = one.need("expect").section("tier", "rule", "score", "reason", "action", "value_proxy")
	if !e.expected.missing() && len(e.expected.order) == 0 {
		e.expected.report(idType, "nothing is expected, so nothing can fail", "")
	}
	if len(item.doc.out.findings) == before {
		b.refuseImpossible(e, own)
	}
	return e, len(item.doc.out.findings) == before
}

// read puts the value of an example into the column of its customer.
func (f *field) read(v value, c *retention.Customer) {
	if v.isScalar() && v.raw() == "empty" {
		if !f.mayBeEmpty {
			v.report(idNotAllowed, f.name+" is never empty", "")
		}
		return
	}
	switch {
	case f.choice != nil:
		column := f.choice(c)
		if column.V = v.raw(); !slices.Contains(f.values, column.V) {
			finding := neverThat(f, column.V)
			v.report(finding.ID, finding.Message, finding.Hint)
		}
		column.Valid = true
	case f.yes != nil:
		column := f.yes(c)
		column.V, column.Valid = v.yesNo(), true
	case f.whole != nil:
		column := f.whole(c)
		column.V, column.Valid = int64(v.wholeIn(int(f.low), int(f.high))), true
	default:
		column := f.amount(c)
		column.V, column.Valid = functions.Money{Decimal: v.exactIn(f.low, f.high)}, true
	}
}

// refuseImpossible reports an example whose customer breaks a fact.
func (b *Book) refuseImpossible(e example, customer section) {
	var machine vm.VM
	r := row{MedianRevenue: nearestFloat(e.medians)}
	r.fill(e.customer)
	for _, f := range b.vocabulary.facts {
		if broken, err := f.brokenBy(&machine, &r); err == nil && broken {
			customer.report(idFactBroken, "there is no such customer: it breaks the fact "+f.name, "the facts stand in fields.yaml: "+f.text())
		}
	}
}

// brokenBy tells whether a row contradicts the fact.
func (f *fact) brokenBy(machine *vm.VM, r *row) (bool, error) {
	if f.condition != nil {
		if applies, err := f.condition.truth(machine, r); err != nil || !applies {
			return false, err
		}
	}
	holds, err := f.consequence.truth(machine, r)
	return !holds, err
}

func (f *fact) text() string {
	if f.condition == nil {
		return "always " + f.consequence.text
	}
	return "if " + f.condition.text + " then " + f.consequence.text
}

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
	if at := slices.IndexFunc(result.Differences, func(d Difference) bool { return d.What == "tier" }); at >= 0 {
		result.Differences = result.Differences[at : at+1] // all else follows from another tier
	}
	if len(file.out.findings) > before {
		result.Differences = nil // what is expected cannot be read; that was reported
	}
	return result, nil
}

// compare gives the difference between one expectation and the verdict, or nothing.
func (b *Book) compare(what string, want value, got Verdict) *Difference {
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
	return &Difference{What: what, Want: wanted, Got: given}
}

func quote(text string) string { return `"` + strings.ReplaceAll(text, "\n", " ") + `"` }

func (b *Book) ruleIDs() []string {
	ids := make([]string, len(b.priority.rules))
	for i, r := range b.priority.rules {
		ids[i] = r.id
	}
	return ids
}
