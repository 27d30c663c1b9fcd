package rulebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Fault is why a customer cannot be judged. The issue is a stable word, and the meaning is the same for all customers
// with that issue, so that they can be counted together.
type Fault struct{ Issue, Meaning string }

// dataQualityIssue is the status that the detection itself gives to a customer whose dates make no sense.
const dataQualityIssue = "DATA_QUALITY_ISSUE"

var (
	emptyID = Fault{"empty_customer_id", "the row carries no customer_id"}
	marked  = Fault{"data_quality_issue", "retention_status is " + dataQualityIssue + ": the last order lies after the day of the data"}
)

// tableCount is how many tables a customer stands in.
const tableCount = 3

// vetting is what a customer is looked through for, with every fault made once.
type vetting struct {
	tables [tableCount]tableVet
	fields []fieldVet
}

// tableVet counts the rows of a customer in a table: there must be one.
type tableVet struct {
	name           string
	rows           func(*retention.Customer) int64
	missing, twice Fault
}

// fieldVet looks at one column.
type fieldVet struct {
	*field
	tableAt                     int // its table among the tables
	empty, unknown, outOfBounds Fault
}

func newVetting(v *vocabulary) *vetting {
	vets := &vetting{}
	for i, t := range [tableCount]tableVet{
		{name: tableSnapshot, rows: func(c *retention.Customer) int64 { return c.Rows.Snapshot }},
		{name: tableChurn, rows: func(c *retention.Customer) int64 { return c.Rows.Churn }},
		{name: tableBase, rows: func(c *retention.Customer) int64 { return c.Rows.Base }},
	} {
		t.missing = Fault{"missing_in_" + t.name, "the customer has no row in " + t.name}
		t.twice = Fault{"duplicate_in_" + t.name, "the customer has several rows in " + t.name}
		vets.tables[i] = t
	}
	for _, f := range v.fields {
		if f.isStatistic() {
			continue
		}
		entry := fieldVet{field: f}
		entry.tableAt = slices.IndexFunc(vets.tables[:], func(t tableVet) bool { return t.name == f.table })
		entry.empty = Fault{"empty_" + f.name, f.name + " is empty"}
		switch {
		case f.kind == kindChoice:
			entry.unknown = Fault{"unknown_" + f.short, fmt.Sprintf("%s is none of %s", f.name, strings.Join(f.values, ", "))}
		case f.kind.isNumber():
			entry.outOfBounds = Fault{
				"out_of_bounds_" + f.name,
				strings.TrimSpace(fmt.Sprintf("%s is not between %s and %s %s", f.name, plainNumber(f.low), plainNumber(f.high), f.unit)),
			}
		}
		vets.fields = append(vets.fields, entry)
	}
	return vets
}

// Vet gives the faults of a customer, and none when it can be judged: one row in each table, an id, no required field
// empty, every word known, every number within its bounds. A customer with a fault is set aside and counted, never
// judged.
func (b *Book) Vet(c *retention.Customer) []Fault {
	var faults []Fault
	if strings.TrimSpace(c.ID) == "" {
		faults = append(faults, emptyID)
	}
	vets := b.vocabulary.vets
	var absent [tableCount]bool
	for i := range vets.tables {
		t := &vets.tables[i]
		switch rows := t.rows(c); {
		case rows < 1:
			faults = append(faults, t.missing)
			absent[i] = true
		case rows > 1:
			faults = append(faults, t.twice)
		}
	}
	for i := range vets.fields {
		f := &vets.fields[i]
		if absent[f.tableAt] {
			continue // its columns are empty because the row is missing
		}
		if fault := f.vet(c); fault != nil {
			faults = append(faults, *fault)
		}
	}
	return faults
}

// vet looks at the column of one customer.
func (f *fieldVet) vet(c *retention.Customer) *Fault {
	var number float64
	switch {
	case f.choice != nil:
		word := f.choice(c)
		switch {
		case !word.Valid:
			return f.orEmpty()
		case word.V == dataQualityIssue && f.short == "status":
			return &marked
		}
		if !slices.Contains(f.values, word.V) {
			return &f.unknown
		}
		return nil
	case f.yes != nil:
		if !f.yes(c).Valid {
			return f.orEmpty()
		}
		return nil
	case f.whole != nil:
		whole := f.whole(c)
		if !whole.Valid {
			return f.orEmpty()
		}
		number = float64(whole.V)
	default:
		amount := f.amount(c)
		if !amount.Valid {
			return f.orEmpty()
		}
		number = nearestFloat(amount.V)
	}
	if number < f.low || number > f.high {
		return &f.outOfBounds
	}
	return nil
}

// orEmpty is the fault of an empty column, if it is one.
func (f *fieldVet) orEmpty() *Fault {
	if f.mayBeEmpty {
		return nil
	}
	return &f.empty
}
