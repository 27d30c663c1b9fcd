package shop_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/shop"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

const orderHeader = "order_id,customer_id,order_date,order_amount,country\n"

// emptyShop is a fresh database in memory.
func emptyShop(tb testing.TB) *sql.DB {
	tb.Helper()
	opened, err := duckdbwarehouse.Open(context.Background(), "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { opened.Close() })
	return opened.DB()
}

// stocked is a database with one order in it, which an import that fails must leave there.
func stocked(t *testing.T) *sql.DB {
	t.Helper()
	db := emptyShop(t)
	if _, err := shop.Import(t.Context(), db, writeFile(t, "old.csv", orderHeader+"old,1,2011-01-01,1.00,Here\n")); err != nil {
		t.Fatal(err)
	}
	return db
}

func writeFile(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func packed(t *testing.T, content string) string {
	t.Helper()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// tableOf is shop_orders as lines of text.
func tableOf(tb testing.TB, db *sql.DB) []string {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), `SELECT concat_ws('|', order_id, customer_id, order_date::VARCHAR,
		order_amount::VARCHAR, coalesce(country, 'NULL')) FROM shop_orders ORDER BY rowid`)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			tb.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return lines
}

func money(t *testing.T, text string) functions.Money {
	t.Helper()
	amount, err := functions.ParseMoney(text)
	if err != nil {
		t.Fatal(err)
	}
	return amount
}

var sameMoney = cmp.Comparer(func(a, b functions.Money) bool { return a.Equal(b.Decimal) })

func day(year, month, dayOfMonth int) functions.Date {
	return functions.Date{Year: year, Month: time.Month(month), Day: dayOfMonth}
}

func TestImportOfTheRealOrdersGivesThePublishedFigures(t *testing.T) {
	t.Parallel()
	path := os.Getenv("RETENTIONOPS_TEST_ORDERS")
	if path == "" {
		path = filepath.Join("..", "..", "..", "..", "shared", "data", "online_retail_orders.csv.gz")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the real orders are not here (%v): set RETENTIONOPS_TEST_ORDERS to the file", err)
	}
	report, err := shop.Import(t.Context(), emptyShop(t), path)
	if err != nil {
		t.Fatal(err)
	}
	want := shop.ImportReport{
		Format: "orders csv.gz", Orders: 18_532, Customers: 4_338, Total: money(t, "8911407.90"),
		From: day(2010, 12, 1), To: day(2011, 12, 9), Lines: 18_532,
	}
	if diff := cmp.Diff(want, report, sameMoney); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestImportOfTheOriginalWorkbookGivesThePublishedFigures(t *testing.T) {
	t.Parallel()
	path := os.Getenv("RETENTIONOPS_TEST_UCI_XLSX")
	if path == "" {
		t.Skip("the original is not here: set RETENTIONOPS_TEST_UCI_XLSX to Online Retail.xlsx of UCI data set 352")
	}
	report, err := shop.Import(t.Context(), emptyShop(t), path)
	if err != nil {
		t.Fatal(err)
	}
	want := shop.ImportReport{
		Format: "line items xlsx", Orders: 18_532, Customers: 4_338, Total: money(t, "8911407.90"),
		From: day(2010, 12, 1), To: day(2011, 12, 9), Lines: 541_909, Dropped: report.Dropped,
	}
	if diff := cmp.Diff(want, report, sameMoney); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	dropped := int64(0)
	for _, rule := range report.Dropped {
		dropped += rule.Lines
	}
	if want := int64(541_909 - 397_884); dropped != want {
		t.Errorf("dropped: got %d lines %+v, want %d", dropped, report.Dropped, want)
	}
}

func TestImportReadsOrdersAsTheyStand(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ name, content, format string }{
		"as we write them":                 {"orders.csv", orderHeader + "007,0042,2011-12-09,12.50,United Kingdom\n008,43,2011-01-02,3,Eire\n", "orders csv"},
		"packed":                           {"orders.csv.gz", packed(t, orderHeader+"007,0042,2011-12-09,12.50,United Kingdom\n008,43,2011-01-02,3,Eire\n"), "orders csv.gz"},
		"packed in two pieces":             {"orders.csv.gz", packed(t, orderHeader+"007,0042,2011-12-09,12.50,United Kingdom\n") + packed(t, "008,43,2011-01-02,3,Eire\n"), "orders csv.gz"},
		"columns in another order":         {"orders.csv", "country,order_amount,order_date,customer_id,order_id\nUnited Kingdom,12.50,2011-12-09,0042,007\nEire,3,2011-01-02,43,008\n", "orders csv"},
		"an ending in capitals":            {"ORDERS.CSV", orderHeader + "007,0042,2011-12-09,12.50,United Kingdom\n008,43,2011-01-02,3,Eire\n", "orders csv"},
		"with the mark and ends of Excel":  {"orders.csv", "\uFEFF" + strings.ReplaceAll(orderHeader+"007,0042,2011-12-09,12.50,United Kingdom\n008,43,2011-01-02,3,Eire\n", "\n", "\r\n"), "orders csv"},
		"quoted, spaced, no end of line":   {"orders.csv", `"order_id", Customer_ID ,order_date,order_amount,country` + "\n" + `"007", 0042 ,2011-12-09,"12.50","United Kingdom"` + "\n008,43,2011-01-02,3.00,Eire", "orders csv"},
		"with empty lines between":         {"orders.csv", orderHeader + "\n007,0042,2011-12-09,12.50,United Kingdom\n\n\n008,43,2011-01-02,03.0,Eire\n\n", "orders csv"},
		"with a column that we do not use": {"orders.csv", "order_id,note,customer_id,order_date,order_amount,country\n007,\"a \"\"note\"\",\nof two lines\",0042,2011-12-09,12.50,United Kingdom\n008,,43,2011-01-02,3,Eire\n", "orders csv"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := stocked(t)
			report, err := shop.Import(t.Context(), db, writeFile(t, test.name, test.content))
			if err != nil {
				t.Fatal(err)
			}
			want := shop.ImportReport{
				Format: test.format, Orders: 2, Customers: 2, Total: money(t, "15.50"),
				From: day(2011, 1, 2), To: day(2011, 12, 9), Lines: 2,
			}
			if strings.Contains(test.content, "note") {
				want.IgnoredColumns = []string{"note"}
			}
			if diff := cmp.Diff(want, report, sameMoney); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			wantTable := []string{"007|0042|2011-12-09|12.50|United Kingdom", "008|43|2011-01-02|3.00|Eire"}
			if diff := cmp.Diff(wantTable, tableOf(t, db)); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImportTellsEachBadRow(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ row, want string }{
		"no order id":                     {",1,2011-01-01,1.00,Here", "order_id is empty"},
		"no customer":                     {"a, ,2011-01-01,1.00,Here", "customer_id is empty"},
		"a day that is none":              {"a,1,2011-02-30,1.00,Here", `order_date "2011-02-30" is not a day written YYYY-MM-DD, from 1900 on`},
		"a day of the year 0":             {"a,1,0000-01-01,1.00,Here", `order_date "0000-01-01" is not a day written YYYY-MM-DD, from 1900 on`},
		"a day with a time":               {"a,1,2011-01-01 08:00,1.00,Here", `order_date "2011-01-01 08:00" is not a day written YYYY-MM-DD, from 1900 on`},
		"no day":                          {"a,1,,1.00,Here", `order_date "" is not a day written YYYY-MM-DD, from 1900 on`},
		"three decimals":                  {"a,1,2011-01-01,1.005,Here", `order_amount "1.005" has more than 2 decimals`},
		"zero":                            {"a,1,2011-01-01,0.00,Here", `order_amount "0.00" is not above zero`},
		"below zero":                      {"a,1,2011-01-01,-1.00,Here", `order_amount "-1.00" is not above zero`},
		"an amount with a thousands mark": {`a,1,2011-01-01,"1,234.50",Here`, `order_amount "1,234.50" is not an amount such as 12.50`},
		"an amount that is none":          {"a,1,2011-01-01,NaN,Here", `order_amount "NaN" is not an amount such as 12.50`},
		"an amount with an exponent":      {"a,1,2011-01-01,1e3,Here", `order_amount "1e3" is not an amount such as 12.50`},
		"an amount that ends at a point":  {"a,1,2011-01-01,1.,Here", `order_amount "1." is not an amount such as 12.50`},
		"no amount":                       {"a,1,2011-01-01,,Here", `order_amount "" is not an amount such as 12.50`},
		"an amount beyond the column":     {"a,1,2011-01-01,12345678901234567.00,Here", `order_amount "12345678901234567.00" is too large`},
		"an order id that came before":    {"first,1,2011-01-01,1.00,Here", `order_id "first" came before, on line 2`},
		"a field too few":                 {"a,1,2011-01-01,1.00", "it has 4 fields, the header has 5"},
		"a field too many":                {"a,1,2011-01-01,1.00,Here,There", "it has 6 fields, the header has 5"},
		"a control character":             {"a\x1b[2J,1,2011-01-01,1.00,Here", `order_id "a\x1b[2J" is not plain UTF-8 text`},
		"a separator of ours":             {"a,1,2011-01-01,1.00,He\x1fre", `country "He\x1fre" is not plain UTF-8 text`},
		"a NUL":                           {"a,1\x00,2011-01-01,1.00,Here", `customer_id "1\x00" is not plain UTF-8 text`},
		"text that is not UTF-8":          {"a,1,2011-01-01,1.00,R\xe9union", `country "R\xe9union" is not plain UTF-8 text`},
		"a quote in the middle":           {`a"b"c,1,2011-01-01,1.00,Here`, "a quote stands where none may be"},
		"a quote that is never closed":    {`"a,1,2011-01-01,1.00,Here`, "a quote is opened and never closed"},
		"a line that is far too long":     {"a,1,2011-01-01,1.00," + strings.Repeat("x", 70<<10), "the line is longer than 64 KiB"},
		"a line that is endless":          {"a,1,2011-01-01,1.00," + strings.Repeat("x", 1<<20), "the line is longer than 64 KiB"},
		"a long id is cut in the message": {"a,1,2011-01-01," + strings.Repeat("x", 100) + ",Here", `order_amount "` + strings.Repeat("x", 40) + `…" is not an amount such as 12.50`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := emptyShop(t)
			path := writeFile(t, "orders.csv", orderHeader+"first,1,2011-01-01,1.00,Here\n"+test.row+"\nlast,1,2011-01-02,1.00,\n")
			report, err := shop.Import(t.Context(), db, path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]shop.BadRow{{Line: 3, Reason: test.want}}, report.Bad); diff != "" {
				t.Errorf("bad rows (-want +got):\n%s", diff)
			}
			if report.BadCount != 1 || report.Lines != 3 || report.Orders != 2 {
				t.Errorf("got %d bad and %d orders of %d lines, want 1 and 2 of 3", report.BadCount, report.Orders, report.Lines)
			}
			want := []string{"first|1|2011-01-01|1.00|Here", "last|1|2011-01-02|1.00|NULL"}
			if diff := cmp.Diff(want, tableOf(t, db)); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImportGoesOnAfterAnOpenQuoteAndCountsEveryBadRow(t *testing.T) {
	t.Parallel()
	content := strings.Builder{}
	content.WriteString(orderHeader)
	for i := range 200 {
		fmt.Fprintf(&content, "\"o%d,1,2011-01-01,1.00,Here\no%d,1,2011-01-01,1.00,Here\n", i, i)
	}
	report, err := shop.Import(t.Context(), emptyShop(t), writeFile(t, "orders.csv", content.String()))
	if err != nil {
		t.Fatal(err)
	}
	// Two open quotes close each other, which is found out and read line by line again.
	if report.Orders != 200 || report.BadCount != 200 || report.Lines != 400 || len(report.Bad) != 50 {
		t.Errorf("got %d orders, %d bad, %d lines, %d listed; want 200, 200, 400, 50",
			report.Orders, report.BadCount, report.Lines, len(report.Bad))
	}
	if got := report.Bad[49].Line; got != 100 {
		t.Errorf("line of the 50th bad row: got %d, want 100", got)
	}
}

func TestImportRefusesWhatIsNotAnOrdersFile(t *testing.T) {
	t.Parallel()
	whole := packed(t, orderHeader+strings.Repeat("a,1,2011-01-01,1.00,Here\n", 5_000))
	otherZip := zipOf(t, map[string]string{"notes.txt": "nothing"})
	tests := map[string]struct{ name, content, want string }{
		"a CSV that is empty":              {"orders.csv", "", "is empty"},
		"a CSV of empty lines":             {"orders.csv", "\n\n\n", "is empty"},
		"a CSV of a mark only":             {"orders.csv", "\uFEFF", "is empty"},
		"a CSV with a header only":         {"orders.csv", orderHeader, "holds no order that can be used (0 lines)"},
		"a CSV with bad rows only":         {"orders.csv", orderHeader + "a,1,2011-01-01,0,Here\n,,,,\n", `holds no order that can be used (2 lines, 2 bad, the first on line 2: order_amount "0" is not above zero)`},
		"a CSV without a column":           {"orders.csv", "order_id,customer_id,order_date,country\na,1,2011-01-01,Here\n", "lacks the column order_amount in its first line"},
		"a CSV without a header":           {"orders.csv", "a,1,2011-01-01,1.00,Here\n", "lacks the columns order_id, customer_id, order_date, order_amount, country in its first line"},
		"a CSV with a column twice":        {"orders.csv", "order_id,order_id,customer_id,order_date,order_amount,country\n", "names the column order_id twice"},
		"line items without a column":      {"orders.csv", "InvoiceNo,StockCode,Quantity,InvoiceDate,CustomerID,Country\n", "lacks the column UnitPrice in its first line"},
		"a CSV with semicolons":            {"orders.csv", strings.ReplaceAll(orderHeader, ",", ";"), "is parted by semicolons: save it with commas"},
		"a CSV in UTF-16":                  {"orders.csv", "\xff\xfeo\x00r\x00", "is UTF-16 text: save it as CSV UTF-8"},
		"a CSV with an endless first line": {"orders.csv", strings.Repeat("x", 1<<20), "is no CSV: in its first line the line is longer than 64 KiB"},
		"a CSV that is a gzip":             {"orders.csv", whole, "is not what its name claims: it holds gzip, not csv"},
		"a CSV that is a zip":              {"orders.csv", otherZip, "is not what its name claims: it holds zip or workbook, not csv"},
		"a gzip that is text":              {"orders.csv.gz", orderHeader + "a,1,2011-01-01,1.00,Here\n", "is not what its name claims: it holds text, not csv.gz"},
		"a gzip that is empty":             {"orders.csv.gz", "", "is empty"},
		"a gzip of nothing":                {"orders.csv.gz", packed(t, ""), "is empty"},
		"a gzip cut in its header":         {"orders.csv.gz", whole[:5], "is damaged or not whole: it cannot be read to its end"},
		"a gzip cut in the middle":         {"orders.csv.gz", whole[:len(whole)/2], "is damaged or not whole: it cannot be read to its end"},
		"a gzip without its checksum":      {"orders.csv.gz", whole[:len(whole)-8], "is damaged or not whole: it cannot be read to its end"},
		"a gzip with a wrong checksum":     {"orders.csv.gz", whole[:len(whole)-8] + "12345678", "is damaged or not whole: it cannot be read to its end"},
		"a gzip with something behind":     {"orders.csv.gz", whole + "more", "is damaged or not whole: it cannot be read to its end"},
		"a workbook that is text":          {"orders.xlsx", "not a workbook", "is not what its name claims: it holds text, not xlsx"},
		"a workbook with a password":       {"orders.xlsx", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more", "is not what its name claims: it holds old .xls, or workbook with a password, not xlsx"},
		"a workbook that is another zip":   {"orders.xlsx", otherZip, "is a zip of something else than a workbook"},
		"a workbook cut in the middle":     {"orders.xlsx", otherZip[:len(otherZip)-10], "is damaged or not whole: it cannot be read to its end"},
		"an archive":                       {"online+retail.zip", otherZip, "has none of the endings .csv, .csv.gz, .xlsx (unpack an archive first)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, path := stocked(t), writeFile(t, test.name, test.content)
			_, err := shop.Import(t.Context(), db, path)
			wantRefusal(t, db, err, "the orders file "+path+" "+test.want)
		})
	}
	t.Run("a file that is not there", func(t *testing.T) {
		t.Parallel()
		db, path := stocked(t), filepath.Join(t.TempDir(), "orders.csv")
		_, err := shop.Import(t.Context(), db, path)
		wantRefusal(t, db, err, "the orders file "+path+" is not there")
	})
	t.Run("a directory", func(t *testing.T) {
		t.Parallel()
		db, path := stocked(t), filepath.Join(t.TempDir(), "orders.csv")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := shop.Import(t.Context(), db, path)
		wantRefusal(t, db, err, "the orders file "+path+" is a directory")
	})
}

// wantRefusal checks an error for a caller, and that the order which was there is there still.
func wantRefusal(t *testing.T, db *sql.DB, err error, detail string) {
	t.Helper()
	var told *functions.Error
	if !errors.As(err, &told) {
		t.Fatalf("got error %v, want a *functions.Error", err)
	}
	if told.Code != functions.InvalidArgument || told.Detail != detail {
		t.Errorf("got %s %q\nwant %s %q", told.Code, told.Detail, functions.InvalidArgument, detail)
	}
	for _, word := range []string{".csv.gz", ".xlsx", "order_amount", "InvoiceNo"} {
		if !strings.Contains(told.Hint, word) {
			t.Errorf("the hint does not name %s: %s", word, told.Hint)
		}
	}
	if diff := cmp.Diff([]string{"old|1|2011-01-01|1.00|Here"}, tableOf(t, db)); diff != "" {
		t.Errorf("the table changed (-want +got):\n%s", diff)
	}
}

func TestImportThatIsCancelledLeavesTheTable(t *testing.T) {
	t.Parallel()
	db := stocked(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	ctx = functions.WithReporter(ctx, func(functions.Progress) {
		if seen++; seen == 2 {
			cancel()
		}
	})
	_, err := shop.Import(ctx, db, manyOrders(t, 200_000))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	if diff := cmp.Diff([]string{"old|1|2011-01-01|1.00|Here"}, tableOf(t, db)); diff != "" {
		t.Errorf("the table changed (-want +got):\n%s", diff)
	}
}

func TestImportReplacesTheTableWhole(t *testing.T) {
	t.Parallel()
	db, path := stocked(t), manyOrders(t, 20_000) // more than two batches
	for range 2 {
		report, err := shop.Import(t.Context(), db, path)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(tableOf(t, db)); got != 20_000 || report.Orders != 20_000 {
			t.Errorf("got %d rows and %d orders reported, want 20000", got, report.Orders)
		}
	}
}

// manyOrders writes a CSV of n orders of n/4 customers.
func manyOrders(tb testing.TB, n int) string {
	tb.Helper()
	var content bytes.Buffer
	content.WriteString(orderHeader)
	for i := range n {
		fmt.Fprintf(&content, "%d,%d,20%02d-%02d-%02d,%d.%02d,United Kingdom\n",
			500_000+i, 10_000+i%(n/4+1), 10+i%3, 1+i%12, 1+i%28, 1+i%900, i%100)
	}
	return writeFile(tb, "many.csv", content.String())
}

// BenchmarkImport reads a million orders, and the same file with DuckDB's own CSV reader.
func BenchmarkImport(b *testing.B) {
	if testing.Short() {
		b.Skip("a million orders: left out by -short")
	}
	const orders = 1_000_000
	path := manyOrders(b, orders)
	var ours, theirs float64
	for b.Loop() {
		db := emptyShop(b)
		start := b.Elapsed()
		if _, err := shop.Import(b.Context(), db, path); err != nil {
			b.Fatal(err)
		}
		middle := b.Elapsed()
		_, err := db.ExecContext(b.Context(), `CREATE TABLE plain AS SELECT * FROM read_csv(?, types={'order_id': 'VARCHAR',
			'customer_id': 'VARCHAR', 'order_date': 'DATE', 'order_amount': 'DECIMAL(18,2)', 'country': 'VARCHAR'})`, path)
		if err != nil {
			b.Fatal(err)
		}
		ours, theirs = ours+(middle-start).Seconds(), theirs+(b.Elapsed()-middle).Seconds()
	}
	b.ReportMetric(orders*float64(b.N)/ours, "rows/s")
	b.ReportMetric(orders*float64(b.N)/theirs, "read_csv_rows/s")
	b.ReportMetric(ours/theirs, "times_read_csv")
}

func ExampleImport() {
	dir, err := os.MkdirTemp("", "orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "orders.csv")
	content := orderHeader + "1,17850,2010-12-01,139.12,United Kingdom\n2,17850,2010-12-32,22.20,United Kingdom\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	report, err := shop.Import(context.Background(), db, path)
	fmt.Println(report.Orders, "order,", report.Total, err)
	for _, bad := range report.Bad {
		fmt.Printf("line %d: %s\n", bad.Line, bad.Reason)
	}
	// Output:
	// 1 order, 139.12 <nil>
	// line 3: order_date "2010-12-32" is not a day written YYYY-MM-DD, from 1900 on
}
