package rulebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// ReadCustomer reads a customer from a JSON object with the names of the vocabulary, such as
// {"retention_status": "ACTIVE", "total_revenue": 3847.10, "is_frequency_drop": true}. It may carry a customer_id. All
// that is missing, unknown or of the wrong kind is named at once, as invalid_argument. Words and bounds are not looked
// at here: Vet does that, and what it finds is the explanation.
func (b *Book) ReadCustomer(data []byte) (*retention.Customer, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var given map[string]json.RawMessage
	if err := decoder.Decode(&given); err != nil || given == nil {
		return nil, b.noCustomer("the customer is not a JSON object").WithCause(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, b.noCustomer("something stands behind the customer")
	}
	c := &retention.Customer{ID: "made-up", Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1}}
	var missing, faults []string
	if id, has := given["customer_id"]; has && json.Unmarshal(id, &c.ID) != nil {
		faults = append(faults, "customer_id is not a text")
	}
	delete(given, "customer_id")
	for _, f := range b.vocabulary.fields {
		content, has := given[f.name]
		switch {
		case f.isStatistic():
			continue
		case !has && !f.mayBeEmpty:
			missing = append(missing, f.name)
		case has && string(content) != "null":
			if wanted := f.decode(content, c); wanted != "" {
				faults = append(faults, f.name+" is not "+wanted)
			}
		}
		delete(given, f.name)
	}
	for _, name := range sortedKeys(given) {
		faults = append(faults, fmt.Sprintf("a customer has no %q", name))
	}
	if len(missing) > 0 {
		faults = slices.Insert(faults, 0, "missing: "+strings.Join(missing, ", "))
	}
	if len(faults) > 0 {
		return nil, b.noCustomer(strings.Join(faults, "; "))
	}
	return c, nil
}

func (b *Book) noCustomer(detail string) *functions.Error {
	var forms []string
	for _, f := range b.vocabulary.fields {
		if f.isStatistic() {
			continue
		}
		form := map[kind]string{kindWhole: "24", kindAmount: "3847.10", kindYesNo: "true or false"}[f.kind]
		if f.kind == kindChoice {
			form = `"` + strings.Join(f.values, `" or "`) + `"`
		}
		if f.mayBeEmpty {
			form += " or null"
		}
		forms = append(forms, fmt.Sprintf("%q: %s", f.name, form))
	}
	return functions.Errorf(functions.InvalidArgument, "%s", detail).WithHint("write {" + strings.Join(forms, ", ") + "}")
}

// decode puts a JSON value into the column of a customer, or says what was wanted.
func (f *field) decode(content json.RawMessage, c *retention.Customer) (wanted string) {
	switch {
	case f.choice != nil:
		column := f.choice(c)
		if json.Unmarshal(content, &column.V) != nil {
			return "a text"
		}
		column.Valid = true
	case f.yes != nil:
		column := f.yes(c)
		if json.Unmarshal(content, &column.V) != nil {
			return "true or false"
		}
		column.Valid = true
	case f.whole != nil:
		column := f.whole(c)
		if json.Unmarshal(content, &column.V) != nil {
			return "a whole number"
		}
		column.Valid = true
	default:
		column := f.amount(c)
		if json.Unmarshal(content, &column.V) != nil {
			return "an amount such as 3847.10"
		}
		column.Valid = true
	}
	return ""
}

// ExampleMedian is the median revenue that the examples beside the rules judge with: what stands in for that of the data
// where there is none.
func (b *Book) ExampleMedian(files fs.FS) (functions.Money, bool) {
	names, err := fs.Glob(files, "*_test.yaml")
	if err != nil {
		return functions.Money{}, false
	}
	for _, name := range names {
		out := &collector{}
		document, _ := openDocument(files, name, out)
		if document == nil {
			continue
		}
		content, has := document.root.names("key").maybe("statistics")
		if median := b.readStatistics(content); has && out.findings.Errors() == 0 {
			return median, true
		}
	}
	return functions.Money{}, false
}
