package shop

import (
	"slices"
	"strings"
)

// columnSet is the columns of one kind of file by name.
type columnSet struct {
	required []string
	unused   []string // known columns that the import has no use for
}

var (
	orderColumns = columnSet{required: []string{"order_id", "customer_id", "order_date", "order_amount", "country"}}
	lineColumns  = columnSet{
		required: []string{"InvoiceNo", "CustomerID", "Quantity", "UnitPrice", "InvoiceDate", "Country"},
		unused:   []string{"StockCode", "Description"},
	}
)

// columnMatch says where the columns of a set stand in a header.
type columnMatch struct {
	places  []int // of the required columns, in the order of the set
	missing []string
	unknown []string
	twice   string // a required column that the header names twice
}

// match finds the columns by name, in any order and in any case.
func (s columnSet) match(header []string) columnMatch {
	found := columnMatch{places: make([]int, len(s.required))}
	known := map[int]bool{}
	for i, name := range s.required {
		found.places[i] = -1
		for place, given := range header {
			if !strings.EqualFold(strings.TrimSpace(given), name) {
				continue
			}
			if known[place] = true; found.places[i] >= 0 {
				found.twice = name
			}
			found.places[i] = place
		}
		if found.places[i] < 0 {
			found.missing = append(found.missing, name)
		}
	}
	for place, given := range header {
		given = strings.TrimSpace(given)
		isUnused := func(name string) bool { return strings.EqualFold(name, given) }
		if given == "" || known[place] || slices.ContainsFunc(s.unused, isUnused) {
			continue
		}
		found.unknown = append(found.unknown, plain(short(given)))
	}
	return found
}
