package shop

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

// FuzzOrdersCSV feeds the reader of CSV foreign bytes. It must come to an end and give every line once, and where
// encoding/csv reads the whole text, the same fields.
func FuzzOrdersCSV(f *testing.F) {
	const header = "order_id,customer_id,order_date,order_amount,country\n"
	for _, seed := range []string{
		"", "\n", header, header + "1,17850,2010-12-01,139.12,United Kingdom\n", header + "1,1,,1,x\n", "\uFEFF" + header,
		header + "\"1\",\"a\nb\",2010-12-01,\"1\"\"2\",x\r\n", header + "\"1,2,3,4,5\n1,2,3,4,5\n", "a\r\n\r\nb\rc\r",
		"a,b\n\"\n", "\"a\"b\"\n\"c\n", "a;b;c\n", "\xff\xfea", "a\x00b,\x1f\n1,2",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, err := newCSVRows("orders.csv", bytes.NewReader(content), io.NopCloser(nil))
		if err != nil {
			if functions.CodeOf(err) != functions.InvalidArgument {
				t.Fatalf("header: got %v, want an invalid_argument", err)
			}
			return
		}
		got, sound, last := [][]string{slices.Clone(rows.names)}, true, 0
		orders := orderReader{columns: []int{0, 1, 2, 3, 4}}
		for {
			next, err := rows.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if next.line <= last {
				t.Fatalf("line %d came after line %d", next.line, last)
			}
			if last = next.line; next.fault != "" {
				sound = false
				continue
			}
			got = append(got, slices.Clone(next.fields))
			if len(next.fields) != len(orders.columns) {
				continue
			}
			order := importedOrder{next.fields[0], next.fields[1], next.fields[2], next.fields[3], next.fields[4]}
			if orders.fault(order) == "" {
				checkOrder(t, order)
			}
		}
		reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\uFEFF"))))
		want, err := reader.ReadAll()
		if err == nil && sound {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		}
		if err == nil && !sound && len(content) < lineLimit && bytes.Count(content, []byte("\n")) < recordLines {
			t.Errorf("encoding/csv reads it, and we find a fault: %q", content)
		}
	})
}

// checkOrder asserts of an order that was found sound what the table and the batch rely on.
func checkOrder(t *testing.T, order importedOrder) {
	t.Helper()
	if strings.ContainsAny(order.id+order.customer+order.day+order.amount+order.country, "\n\x1f\x00") {
		t.Errorf("a separator passed: %q", order)
	}
	amount, err := functions.ParseMoney(order.amount)
	if err != nil || !amount.IsPositive() || !amount.Equal(amount.Round(2)) {
		t.Errorf("amount %q passed: %v", order.amount, err)
	}
	if parsed, err := parseDay(order.day); err != nil || parsed.String() != order.day {
		t.Errorf("day %q passed: %v", order.day, err)
	}
}
