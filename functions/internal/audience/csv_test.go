package audience_test

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// text is an audience's file.
func text(tb testing.TB, a destination.Audience) string {
	tb.Helper()
	var file strings.Builder
	n, err := a.CSV.WriteTo(&file)
	if err != nil || n != int64(file.Len()) {
		tb.Fatalf("WriteTo = %d, %v; wrote %d bytes", n, err, file.Len())
	}
	return file.String()
}

// parse reads a file strictly by RFC 4180, every byte of a cell as it stands: encoding/csv changes line breaks in cells.
func parse(tb testing.TB, file string, delimiter byte) [][]string {
	tb.Helper()
	var rows [][]string
	var row []string
	for at := 0; at < len(file); {
		var cell strings.Builder
		if file[at] == '"' {
			for at++; ; at++ {
				if at >= len(file) {
					tb.Fatalf("a quote is not closed in line %d", len(rows)+1)
				}
				if file[at] != '"' {
					cell.WriteByte(file[at])
				} else if at+1 < len(file) && file[at+1] == '"' {
					cell.WriteByte('"')
					at++
				} else {
					break
				}
			}
			at++
		} else {
			for at < len(file) && file[at] != delimiter && file[at] != '\r' && file[at] != '\n' {
				if file[at] == '"' {
					tb.Fatalf("a quote in an unquoted cell in line %d", len(rows)+1)
				}
				cell.WriteByte(file[at])
				at++
			}
		}
		row = append(row, cell.String())
		switch {
		case strings.HasPrefix(file[at:], "\r\n"):
			rows, row, at = append(rows, row), nil, at+2
		case at < len(file) && file[at] == delimiter:
			at++
		default:
			tb.Fatalf("line %d does not go on with a delimiter or CR LF: %q", len(rows)+1, file[at:min(at+9, len(file))])
		}
	}
	if row != nil {
		tb.Fatalf("the last line does not end in CR LF")
	}
	return rows
}

func TestTheColumnsAndTheForm(t *testing.T) {
	t.Parallel()
	full := rowOf("17850")
	full.AvgOrderValue = sql.Null[functions.Money]{V: money("320.5917"), Valid: true}
	plain := rowOf("007")
	plain.Score, plain.TotalRevenue, plain.ValueProxy, plain.RiskScore = 70, money("0"), money("-12.5"), 0
	got := text(t, build([]retention.QueueRow{full, plain}, audience.Settings{}))
	want := "run_date,customer_id,retention_status,churn_risk_level,churn_risk_score,priority_tier,priority_score,priority_reason," +
		"days_since_last_order,total_revenue,total_orders,avg_order_value,recommended_action,value_proxy,rule_id,rules_version\r\n" +
		`2026-01-12,17850,ACTIVE,HIGH,70,P1,94.5,"ACTIVE + HIGH risk (frequency drop), high value",24,3847.10,12,320.5917,` +
		"Personal call within 24 h,1154.13,p1_prevention,0123456789ab\r\n" +
		`2026-01-12,007,ACTIVE,HIGH,0,P1,70,"ACTIVE + HIGH risk (frequency drop), high value",24,0.00,12,,` +
		"Personal call within 24 h,-12.50,p1_prevention,0123456789ab\r\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("file (-want +got)\n%s", diff)
	}
}

func TestAmountsAreExactAndScoresPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0.00", "5": "5.00", "12.5": "12.50", "12.50": "12.50", "12.500000000": "12.50", "12.345678901": "12.345678901",
		"-0.1": "-0.10", "0.000000001": "0.000000001", "99999999999999999999999999999.999999999": "99999999999999999999999999999.999999999",
	} {
		row := rowOf("1")
		row.TotalRevenue = money(in)
		if got := build([]retention.QueueRow{row}, audience.Settings{}).Rows[0][9]; got != want {
			t.Errorf("the amount %s is written %q, want %q", in, got, want)
		}
	}
	for in, want := range map[float64]string{
		94.5: "94.5", 70: "70", 0: "0", 100: "100", 1e-7: "0.0000001", 86.51234567890123: "86.51234567890123", 1e21: "1000000000000000000000",
	} {
		row := rowOf("1")
		row.Score = in
		if got := build([]retention.QueueRow{row}, audience.Settings{}).Rows[0][6]; got != want {
			t.Errorf("the score %v is written %q, want %q", in, got, want)
		}
	}
}

func build(rows []retention.QueueRow, s audience.Settings) destination.Audience {
	a, _ := audience.Build(day, functions.P1, rows, len(rows)+1, "", s)
	return a
}

func TestTextThatASpreadsheetWouldRunIsNeutralised(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"plain text", "Personal call", "Personal call"},
		{"a sign in the middle", "ACTIVE + HIGH", "ACTIVE + HIGH"},
		{"a formula", "=1+1", "'=1+1"},
		{"a plus", "+1", "'+1"},
		{"a dash, also before a number", "-12", "'-12"},
		{"an at sign", "@SUM(A1)", "'@SUM(A1)"},
		{"a tab", "\tx", "'\tx"},
		{"a carriage return", "\rx", "'\rx"},
		{"a line feed", "\nx", "'\nx"},
		{"a blank and a formula", " =1", "' =1"},
		{"a NUL and a formula", "\x00=1", "'\x00=1"},
		{"a full-width formula", "＝1", "'＝1"},
		{"a formula with quotes and delimiters", `=HYPERLINK("http://x","a;b")`, `'=HYPERLINK("http://x","a;b")`},
		{"nothing", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := rowOf("-12")
			r.Status, r.RiskLevel, r.Reason = functions.Status(row.text), functions.Risk(row.text), row.text
			r.Action, r.RuleID, r.RulesVersion, r.Tier = row.text, row.text, row.text, functions.Tier(row.text)
			r.RiskScore, r.Score, r.DaysSinceLastOrder, r.TotalRevenue = -1, -1.5, -2, money("-3.25")
			r.TotalOrders, r.AvgOrderValue, r.ValueProxy = -4, sql.Null[functions.Money]{V: money("-5"), Valid: true}, money("-6")
			want := []string{
				"2026-01-12", "-12", row.want, row.want, "-1", row.want, "-1.5", row.want, "-2", "-3.25", "-4", "-5.00", row.want,
				"-6.00", row.want, row.want,
			}
			for _, delimiter := range []audience.Delimiter{audience.Comma, audience.Semicolon, audience.Tab} {
				a := build([]retention.QueueRow{r}, audience.Settings{Delimiter: delimiter})
				file := text(t, a)
				if diff := cmp.Diff(want, parse(t, file, byte(delimiter))[1]); diff != "" {
					t.Errorf("with %s (-want +got)\n%s", delimiter, diff)
				}
				if row.want != row.text && !strings.Contains(file, `"'`) {
					t.Errorf("with %s the neutralised cell is not quoted: %q", delimiter, file)
				}
				if a.Rows[0][7] != row.text {
					t.Errorf("the cells for a sheet have %q, want %q: nothing runs there, and the apostrophe would show", a.Rows[0][7], row.text)
				}
			}
		})
	}
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	rows := []retention.QueueRow{rowOf("1")}
	without, with := text(t, build(rows, audience.Settings{})), text(t, build(rows, audience.Settings{BOM: true}))
	if with != "\xef\xbb\xbf"+without {
		t.Errorf("with a byte order mark the file begins %q", with[:9])
	}
}

// awkward are pieces that CSV files break on.
var awkward = []string{
	",", ";", "\t", `"`, `""`, "\r", "\n", "\r\n", " ", "'", "=", "+", "-", "@", "＝", "a", "Z", "0", "9", "é", "東", "🛍", "\u00a0", "\\", `\.`, "|", "#",
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(8) {
		b.WriteString(awkward[r.IntN(len(awkward))])
	}
	return b.String()
}

func TestAFileReadsBackEqual(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2026, 1)) // the same rows every time
	delimiters := []audience.Delimiter{audience.Comma, audience.Semicolon, audience.Tab}
	for round := range 300 {
		rows := make([]retention.QueueRow, r.IntN(40))
		for i := range rows {
			rows[i] = rowOf(randomText(r))
			rows[i].Reason, rows[i].Action, rows[i].RuleID = randomText(r), randomText(r), randomText(r)
			rows[i].TotalRevenue = money(fmt.Sprintf("%d.%09d", r.Int64N(1e15)-5e14, r.IntN(1e9)))
			rows[i].Score = r.Float64() * 100
		}
		settings := audience.Settings{Delimiter: delimiters[round%3], BOM: round%2 == 1}
		limit := 1 + r.IntN(40)
		a, report := audience.Build(day, functions.P1, rows, limit, "", settings)
		checkReport(t, rows, limit, report)
		file := strings.TrimPrefix(text(t, a), "\xef\xbb\xbf")
		got := parse(t, file, byte(settings.Delimiter))
		checkCells(t, a, got)
		// And as a reader that changes line breaks in cells sees it.
		reader := csv.NewReader(strings.NewReader(file))
		reader.Comma = rune(settings.Delimiter)
		plain, err := reader.ReadAll()
		if err != nil {
			t.Fatalf("encoding/csv: %v", err)
		}
		for _, row := range got {
			for i := range row {
				row[i] = strings.ReplaceAll(row[i], "\r\n", "\n")
			}
		}
		if diff := cmp.Diff(got, plain); diff != "" {
			t.Fatalf("encoding/csv reads otherwise (-want +got)\n%s", diff)
		}
	}
}

// checkReport holds a report against a plain count.
func checkReport(t *testing.T, rows []retention.QueueRow, limit int, report audience.Report) {
	t.Helper()
	var out int64
	for _, left := range report.LeftOut {
		out += left.Customers
		if want := min(left.Customers, 20); int64(len(left.CustomerIDs)) != want {
			t.Errorf("%d ids are named of %d, want %d", len(left.CustomerIDs), left.Customers, want)
		}
	}
	soundRows := int64(len(rows)) - out
	want := audience.Report{
		Exported: min(soundRows, int64(limit)), Available: int64(len(rows)), Truncated: soundRows > int64(limit), LeftOut: report.LeftOut,
	}
	if diff := cmp.Diff(want, report); diff != "" || report.LeftOut == nil {
		t.Fatalf("report (-want +got)\n%s", diff)
	}
}

// checkCells holds what was read against what was given: only text gains an apostrophe, and only before a formula.
func checkCells(tb testing.TB, a destination.Audience, got [][]string) {
	tb.Helper()
	if diff := cmp.Diff(audience.Columns(), got[0]); diff != "" || len(got) != len(a.Rows)+1 {
		tb.Fatalf("%d lines for %d rows; header (-want +got)\n%s", len(got), len(a.Rows), diff)
	}
	for i, row := range a.Rows {
		for j, want := range row {
			cell := got[i+1][j]
			guarded := cell == "'"+want && a.Columns[j].Kind == destination.Text && j != 1
			if cell != want && !guarded {
				tb.Fatalf("row %d, %s: %q, want %q", i, a.Columns[j].Name, cell, want)
			}
			if a.Columns[j].Kind == destination.Text && j != 1 && cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
				tb.Fatalf("row %d, %s: %q would run", i, a.Columns[j].Name, cell)
			}
		}
	}
}

func FuzzAFileReadsBackEqual(f *testing.F) {
	f.Add("17850", "a reason", "an action", uint8(0))
	f.Add("-12", "=1+1", `"`, uint8(1))
	f.Add("a\r\nb", "\r", "\n", uint8(2))
	f.Add("a\x00", " ", "\ufeff=", uint8(3))
	f.Add(`\.`, ";", "\t", uint8(4))
	f.Fuzz(func(t *testing.T, id, reason, action string, form uint8) {
		row := rowOf(id)
		row.Reason, row.Action = reason, action
		settings := audience.Settings{
			Delimiter: []audience.Delimiter{audience.Comma, audience.Semicolon, audience.Tab}[form%3], BOM: form%2 == 1,
		}
		a := build([]retention.QueueRow{row, rowOf("last")}, settings)
		file := text(t, a)
		checkCells(t, a, parse(t, strings.TrimPrefix(file, "\xef\xbb\xbf"), byte(settings.Delimiter)))
		if len(a.Rows) == 2 && !utf8.ValidString(id) {
			t.Errorf("the key %q is not UTF-8 and was exported", id)
		}
	})
}

// full is a disk that takes only so much.
type full struct{ left int }

var errFull = errors.New("no space left")

// Write implements io.Writer.
func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		n := f.left
		f.left = 0
		return n, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

func TestAFileThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	rows := make([]retention.QueueRow, 2000) // several chunks
	for i := range rows {
		rows[i] = rowOf(fmt.Sprint(i))
	}
	a := build(rows, audience.Settings{})
	size := len(text(t, a))
	for _, room := range []int{0, 1, size / 2, size - 1} {
		if n, err := a.CSV.WriteTo(&full{left: room}); !errors.Is(err, errFull) || n != int64(room) {
			t.Errorf("WriteTo with room for %d = %d, %v", room, n, err)
		}
	}
	if n, err := a.CSV.WriteTo(&full{left: size}); err != nil || n != int64(size) {
		t.Errorf("WriteTo with just enough room = %d, %v", n, err)
	}
}

// BenchmarkWrite writes the same rows as a file of ours and plainly with encoding/csv; the ratio is ours over plain.
func BenchmarkWrite(b *testing.B) {
	rows := make([]retention.QueueRow, functions.MaxLimit)
	for i := range rows {
		rows[i] = rowOf(fmt.Sprint(10000 + i))
	}
	a, _ := audience.Build(day, functions.P1, rows, len(rows), "", audience.Settings{})
	perSecond := map[string]float64{}
	measure := func(name string, write func(io.Writer) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := write(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
			perSecond[name] = float64(len(rows)*b.N) / b.Elapsed().Seconds()
			b.ReportMetric(perSecond[name], "rows/s")
			if name == "ours" {
				b.ReportMetric(perSecond["ours"]/perSecond["plain"], "ratio")
			}
		})
	}
	measure("plain", func(w io.Writer) error {
		writer := csv.NewWriter(w)
		writer.UseCRLF = true
		if err := writer.Write(audience.Columns()); err != nil {
			return err
		}
		return writer.WriteAll(a.Rows)
	})
	measure("ours", func(w io.Writer) error { _, err := a.CSV.WriteTo(w); return err })
	measure("build and write", func(w io.Writer) error {
		a, _ := audience.Build(day, functions.P1, rows, len(rows), "", audience.Settings{})
		_, err := a.CSV.WriteTo(w)
		return err
	})
}

// The plain writer loses what ours keeps; else there would be no reason for one of our own.
func TestThePlainWriterChangesLineBreaks(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	writer := csv.NewWriter(&file)
	writer.UseCRLF = true
	if err := writer.WriteAll([][]string{{"a\nb\rc"}}); err != nil {
		t.Fatal(err)
	}
	if got := parse(t, file.String(), ',')[0][0]; got == "a\nb\rc" {
		t.Error("encoding/csv keeps line breaks in cells: use it instead of csv.go")
	}
}
