package warehousetest

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// excluded reads the exclusions.
func excluded(t trial, w driver.Warehouse) (entries []string) {
	t.Helper()
	err := w.Exclusions(t.Context(), ExclusionsTable, func(entry string) error {
		entries = append(entries, entry)
		return nil
	})
	if err != nil {
		t.Fatalf("read the exclusions: %v", err)
	}
	return entries
}

var exclusionChecks = []check{
	{"every exclusion comes once, as it stands, in bytewise order", func(t trial) {
		hash := "hmac-sha256:" + strings.Repeat("0f", 32)
		w := t.open(Inputs{Exclusions: []sql.Null[string]{
			some("客户"), some("42"), some("0042"), some(hash), some("0042"), some(" spaces kept "), some("O'Neil; --"), some("é composed"),
		}})
		same(t, "exclusions", []string{
			" spaces kept ", "0042", "42", "O'Neil; --", hash, "é composed", "客户",
		}, excluded(t, w))
	}},
	{"a row that names nobody is not visited", func(t trial) {
		w := t.open(Inputs{Exclusions: []sql.Null[string]{{}, some(""), some("0042"), {}}})
		same(t, "exclusions", []string{"0042"}, excluded(t, w))
	}},
	{"an empty table excludes nobody", func(t trial) {
		if got := excluded(t, t.open(Sound())); len(got) != 0 {
			t.Errorf("got %q, want none", got)
		}
	}},
	{"a missing table of exclusions is failed_precondition and is named", func(t trial) {
		w := t.open(Inputs{Lacking: []string{ExclusionsTable}})
		err := w.Exclusions(t.Context(), ExclusionsTable, func(string) error { return nil })
		wantCode(t, "Exclusions without the table", functions.FailedPrecondition, err)
		wantText(t, err, ExclusionsTable)
	}},
	{"a table of exclusions without customer_id is failed_precondition and is named with the column", func(t trial) {
		w := t.open(Inputs{Lacking: []string{ExclusionsTable + ".customer_id"}})
		err := w.Exclusions(t.Context(), ExclusionsTable, func(string) error { return nil })
		wantCode(t, "Exclusions without the column", functions.FailedPrecondition, err)
		wantText(t, err, ExclusionsTable, "customer_id")
	}},
	{"what is no name of a table never reaches the engine", func(t trial) {
		w := t.open(Sound())
		for _, name := range []string{
			"", "7days", "a b", "a;b", `a"b`, "a`b", "other.table", "a-b", "range(3)", "ä", strings.Repeat("a", 129), "base_customers WHERE true",
		} {
			err := w.Exclusions(t.Context(), name, func(entry string) error {
				t.Errorf("%q gave an entry", name)
				return nil
			})
			wantCode(t, "Exclusions of "+name, functions.FailedPrecondition, err)
			wantText(t, err, "name of a table")
		}
	}},
	{"the error of a visit of an exclusion ends the read and comes back as it is", func(t trial) {
		w := t.open(Inputs{Exclusions: []sql.Null[string]{some("1"), some("2")}})
		enough, visits := errors.New("enough"), 0
		err := w.Exclusions(t.Context(), ExclusionsTable, func(string) error { visits++; return enough })
		if err != enough || visits != 1 { //nolint:errorlint // it must be this very error
			t.Errorf("got %v after %d visits, want the visit's own error after 1", err, visits)
		}
	}},
}
