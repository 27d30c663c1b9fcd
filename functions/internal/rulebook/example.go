package rulebook

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// example is one customer with the verdict that is expected.
type example struct {
	label    value
	name     string
	customer *retention.Customer
	medians  functions.Money
	own      section // what the example itself says of the customer
	expected section
}

// readExamples reads the examples of a file that are sound; what is wrong with the others is collected.
func (b *Book) readExamples(files fs.FS, name string, out *collector) []example {
	document, _ := openDocument(files, name, out)
	if document == nil {
		return nil
	}
	top := document.root.section("tests", "statistics", "base", "examples")
	if top.missing() {
		return nil
	}
	top.need("tests").word("rule file", []string{priorityFile})
	median := b.readStatistics(top.need("statistics"))
	base := section{keys: map[string]value{}}
	if content, has := top.maybe("base"); has {
		base = content.names("field")
	}
	seen := map[string]bool{}
	list := top.need("examples")
	var examples []example
	for _, item := range list.items() {
		if e, sound := b.readExample(item, base, median, seen); sound {
			examples = append(examples, e)
		}
	}
	if !list.missing() && len(list.items()) == 0 {
		list.report(idType, "there are no examples", "")
	}
	return examples
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
	e.own = own
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
