package shop_test

import (
	"archive/zip"
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/retentionops/retentionops/functions/internal/shop"
)

// The columns of the original, in its order.
var lineHeader = []any{"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"}

// at is a moment as a workbook holds it: days since 1899-12-30.
func at(year, month, dayOfMonth, hour, minute int) float64 {
	moment := time.Date(year, time.Month(month), dayOfMonth, hour, minute, 0, 0, time.UTC)
	return moment.Sub(time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)).Hours() / 24
}

// workbook writes a workbook with one sheet, "Online Retail", in the types of the original: numbers are numbers,
// dates are numbers with a style.
func workbook(t *testing.T, rows ...[]any) string {
	t.Helper()
	return workbookWith(t, func(book *excelize.File) {
		if err := book.SetSheetName("Sheet1", "Online Retail"); err != nil {
			t.Fatal(err)
		}
		fillSheet(t, book, "Online Retail", append([][]any{lineHeader}, rows...))
	})
}

func workbookWith(t *testing.T, fill func(*excelize.File)) string {
	t.Helper()
	book := excelize.NewFile()
	defer book.Close()
	fill(book)
	path := filepath.Join(t.TempDir(), "Online Retail.xlsx")
	if err := book.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func fillSheet(t *testing.T, book *excelize.File, sheet string, rows [][]any) {
	t.Helper()
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if err := book.SetSheetRow(sheet, cell, &row); err != nil {
			t.Fatal(err)
		}
	}
	format := "m/d/yy h:mm"
	style, err := book.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		t.Fatal(err)
	}
	if err := book.SetColStyle(sheet, "E", style); err != nil {
		t.Fatal(err)
	}
}

func TestImportCleansTheLinesOfTheWorkbook(t *testing.T) {
	t.Parallel()
	path := workbook(t,
		// 2-4: two lines and an exact duplicate of the second, prices with three decimals: 15.3 + 2 × 0.0425 = 15.385
		[]any{536365, "85123A", "WHITE HANGING HEART", 6, at(2010, 12, 1, 8, 26), 2.55, 17850, "United Kingdom"},
		[]any{536365, 71053, "PADS", 5, at(2010, 12, 1, 8, 26), 0.0085, 17850, "United Kingdom"},
		[]any{536365, 71053, "PADS", 5, at(2010, 12, 1, 8, 26), 0.0085, 17850, "United Kingdom"},
		// 5-8: one line a cleaning rule
		[]any{536366, 22633, "HAND WARMER", 6, at(2010, 12, 1, 8, 28), 1.85, nil, "United Kingdom"},
		[]any{"C536379", "D", "Discount", -1, at(2010, 12, 1, 9, 41), 27.5, 14527, "United Kingdom"},
		[]any{536367, 22633, "HAND WARMER", -6, at(2010, 12, 1, 8, 28), 1.85, 13047, "United Kingdom"},
		[]any{536367, 22633, "HAND WARMER", 6, at(2010, 12, 1, 8, 28), 0, 13047, "United Kingdom"},
		// 9: a cancelled line counts for the first rule that takes it out
		[]any{"C536380", "D", "Discount", -1, at(2010, 12, 1, 9, 41), 27.5, nil, "United Kingdom"},
		// 10: an invoice number of another kind, without a customer
		[]any{"A563185", "B", "Adjust bad debt", 1, at(2011, 8, 12, 14, 50), 11062.06, nil, "United Kingdom"},
		// 11: rounds half away from zero, 3 × 0.335 = 1.005; the id and the date are text
		[]any{"581587", 22138, "BAKING SET", 3, "2011-12-09 12:50:00", 0.335, "12680.0", "France"},
		// 12: an empty row
		nil,
		// 13-16: bad ones
		[]any{581588, 22138, "BAKING SET", "three", at(2011, 12, 9, 12, 50), 4.95, 12681, "France"},
		[]any{581588, 22138, "BAKING SET", 3, "yesterday", 4.95, 12681, "France"},
		[]any{581588, 22138, "BAKING SET", 3, at(2011, 12, 9, 12, 50), nil, 12681, "France"},
		[]any{536365, 22138, "BAKING SET", 3, at(2010, 12, 1, 8, 26), 4.95, 12681, "France"},
		// 17: another line of the first invoice, a minute to midnight the day before, far from the others
		[]any{536365, 71053, "LANTERN", 1, at(2010, 11, 30, 23, 59), 1, 17850, "United Kingdom"},
		// 18: adds up to less than half a cent
		[]any{581589, 1, "PADS", 1, at(2011, 12, 9, 12, 50), 0.001, 12681, "France"},
		// 19: no country, which is the last cell
		[]any{581590, 1, "PADS", 1, at(2011, 12, 9, 23, 59), 0.005, 12681},
	)
	db := stocked(t)
	report, err := shop.Import(t.Context(), db, path)
	if err != nil {
		t.Fatal(err)
	}
	want := shop.ImportReport{
		Format: "line items xlsx", Orders: 3, Customers: 3, Total: money(t, "17.41"),
		From: day(2010, 11, 30), To: day(2011, 12, 9), Lines: 17,
		Dropped: []shop.Dropped{
			{Rule: "no customer", Lines: 3},
			{Rule: "cancelled: the invoice number begins with C", Lines: 1},
			{Rule: "quantity not above 0", Lines: 1},
			{Rule: "price not above 0", Lines: 1},
		},
		BadCount: 5,
		Bad: []shop.BadRow{
			{Line: 13, Reason: `Quantity "three" is not a number`},
			{Line: 14, Reason: `InvoiceDate "yesterday" is not a date: YYYY-MM-DD, or month/day/year, or a spreadsheet's number`},
			{Line: 15, Reason: `UnitPrice "" is not a number`},
			{Line: 16, Reason: `invoice "536365" belongs to customer "17850" by line 2, and here to "12681"`},
			{Line: 18, Reason: `invoice "581589", which begins here, adds up to 0.00: the amount is not above zero`},
		},
	}
	if diff := cmp.Diff(want, report, sameMoney); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	wantTable := []string{
		"536365|17850|2010-11-30|16.39|United Kingdom", // 15.3 + 0.0425 + 0.0425 + 1 = 16.385
		"581587|12680|2011-12-09|1.01|France",
		"581590|12681|2011-12-09|0.01|NULL",
	}
	if diff := cmp.Diff(wantTable, tableOf(t, db)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestImportReadsNumbersAsTheyWereTyped(t *testing.T) {
	t.Parallel()
	// Excel writes 2.55 with 17 digits, and quantities may come with an exponent.
	path := rewritten(t, workbook(t, []any{536365, "85123A", "HEART", 1000, at(2010, 12, 1, 8, 26), 2.55, 17850, "United Kingdom"}),
		"xl/worksheets/sheet1.xml", "<v>2.55</v>", "<v>2.5499999999999998</v>", "<v>1000</v>", "<v>1E3</v>")
	db := emptyShop(t)
	report, err := shop.Import(t.Context(), db, path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"536365|17850|2010-12-01|2550.00|United Kingdom"}, tableOf(t, db)); diff != "" {
		t.Errorf("table (-want +got):\n%s\n%+v", diff, report)
	}
}

func TestImportReadsTheDaysOfAWorkbookFromAMacintosh(t *testing.T) {
	t.Parallel()
	path := workbookWith(t, func(book *excelize.File) {
		mac := true
		if err := book.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &mac}); err != nil {
			t.Fatal(err)
		}
		fillSheet(t, book, "Sheet1", [][]any{lineHeader, {1, "x", "x", 1, at(2010, 12, 1, 8, 26) - 1462, 1, 17850, "France"}})
	})
	db := emptyShop(t)
	if _, err := shop.Import(t.Context(), db, path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1|17850|2010-12-01|1.00|France"}, tableOf(t, db)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestImportFindsTheSheetWithTheLines(t *testing.T) {
	t.Parallel()
	path := workbookWith(t, func(book *excelize.File) {
		fillSheet(t, book, "Sheet1", [][]any{{"About this file"}, {"InvoiceNo", "see the other sheet"}})
		if _, err := book.NewSheet("Lines"); err != nil {
			t.Fatal(err)
		}
		fillSheet(t, book, "Lines", [][]any{
			{"Country", "Note", "CustomerID", "UnitPrice", "InvoiceDate", "Quantity", "InvoiceNo"},
			{"France", "a note", 17850, 1.5, at(2010, 12, 1, 8, 26), 2, 9},
		})
	})
	db := emptyShop(t)
	report, err := shop.Import(t.Context(), db, path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"9|17850|2010-12-01|3.00|France"}, tableOf(t, db)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Note"}, report.IgnoredColumns); diff != "" {
		t.Errorf("ignored columns (-want +got):\n%s", diff)
	}
}

func TestImportRefusesAWorkbookThatIsNotWhole(t *testing.T) {
	t.Parallel()
	sound := []any{536365, "85123A", "HEART", 1, at(2010, 12, 1, 8, 26), 2.55, 17850, "United Kingdom"}
	const notWhole = "is damaged or not whole: it cannot be read to its end"
	tests := map[string]struct {
		path string
		want string
	}{
		"a sheet that breaks off": {
			rewritten(t, workbook(t, sound, sound), "xl/worksheets/sheet1.xml", `</sheetData>`, "", `</worksheet>`, ""), notWhole,
		},
		"strings that break off": {rewritten(t, workbook(t, sound), "xl/sharedStrings.xml", `</sst>`, ""), notWhole},
		"other columns": {
			workbookWith(t, func(book *excelize.File) { fillSheet(t, book, "Sheet1", [][]any{{"InvoiceNo", "Country"}}) }),
			"has no sheet with line items: the first row lacks CustomerID, Quantity, UnitPrice, InvoiceDate",
		},
		"no cell at all": {
			workbookWith(t, func(*excelize.File) {}),
			"has no sheet with line items: the first row lacks InvoiceNo, CustomerID, Quantity, UnitPrice, InvoiceDate, Country",
		},
		"cancelled lines only": {
			workbook(t, []any{"C1", "x", "x", 1, at(2010, 12, 1, 8, 26), 2.55, 17850, "United Kingdom"}),
			"holds no order that can be used (1 line, 1 dropped (cancelled: the invoice number begins with C))",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := stocked(t)
			_, err := shop.Import(t.Context(), db, test.path)
			wantRefusal(t, db, err, "the orders file "+test.path+" "+test.want)
		})
	}
}

func TestImportReadsLineItemsOfACSV(t *testing.T) {
	t.Parallel()
	const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
	tests := map[string]string{
		"days as the published copies have them": header +
			"536365,85123A,\"WHITE HEART, \xa3 sign\",6,12/1/2010 8:26,2.55,17850,United Kingdom\n" +
			"C536379,D,Discount,-1,12/1/2010 9:41,27.5,14527,United Kingdom\n" +
			"536365,71053,LANTERN,6,12/1/2010 8:26,3.39,17850.0,United Kingdom\n",
		"days by year": header +
			"536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n" +
			"C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527,United Kingdom\n" +
			"536365.0,71053,LANTERN,6.0,2010-12-01,3.39,17850.0,United Kingdom\n",
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := emptyShop(t)
			report, err := shop.Import(t.Context(), db, writeFile(t, "lines.csv", content))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"536365|17850|2010-12-01|35.64|United Kingdom"}, tableOf(t, db)); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
			if report.BadCount != 0 || report.Format != "line items csv" || report.Dropped[1].Lines != 1 {
				t.Errorf("report: got %+v, want no bad row and one cancelled line", report)
			}
		})
	}
}

func TestImportRefusesDaysThatCanOnlyBeDayMonthYear(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "lines.csv", "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"+
		"1,1,01/12/2010 08:26,1,1,France\n2,1,13/12/2010 08:26,1,1,France\n")
	db := stocked(t)
	_, err := shop.Import(t.Context(), db, path)
	wantRefusal(t, db, err, "the orders file "+path+
		` has an InvoiceDate as day/month/year ("13/12/2010 08:26", line 3): write YYYY-MM-DD`)
}

// rewritten is a copy of a zip in which the texts of one part are replaced, in pairs of old and new.
func rewritten(t *testing.T, path, part string, pairs ...string) string {
	t.Helper()
	from, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	parts, changed := map[string]string{}, false
	for _, file := range from.File {
		content, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		parts[file.Name] = string(text)
		if file.Name == part {
			parts[file.Name] = strings.NewReplacer(pairs...).Replace(string(text))
			changed = parts[file.Name] != string(text)
		}
	}
	if !changed {
		t.Fatalf("nothing of %v stands in %s", pairs, part)
	}
	return writeFile(t, "rewritten.xlsx", zipOf(t, parts))
}

func zipOf(t *testing.T, parts map[string]string) string {
	t.Helper()
	var packed bytes.Buffer
	writer := zip.NewWriter(&packed)
	for name, content := range parts {
		part, err := writer.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}
