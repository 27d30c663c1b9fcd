package shop

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
)

const (
	// lineLimit is the longest line of a CSV in bytes, and the longest record that spans several lines.
	lineLimit = 64 << 10
	// recordLines is how many lines a record with line breaks in quotes may have. A quote that is never closed would
	// else swallow the rest of the file.
	recordLines = 50
)

// csvRows reads a CSV (RFC 4180, commas, UTF-8) line by line. Unlike encoding/csv alone it goes on after a faulty row,
// with the line below it, and a line or a quote without an end costs no more than its limit.
type csvRows struct {
	in      *bufio.Reader
	file    io.Closer
	names   []string
	fields  []string
	line    int        // the number of the line read last
	pending []textLine // lines to be read again
	failed  error      // what ended the file, io.EOF included
}

type textLine struct {
	number int
	text   string
	fault  string
}

const tooLong = "the line is longer than 64 KiB"

// newCSVRows reads the header. The file is closed with the rows.
func newCSVRows(path string, in io.Reader, file io.Closer) (*csvRows, error) {
	r := &csvRows{in: bufio.NewReaderSize(in, lineLimit), file: file}
	mark, err := r.in.Peek(3)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, damaged(path, err)
	case len(mark) == 0:
		return nil, unusable(path, "is empty")
	case string(mark) == "\uFEFF":
		_, _ = r.in.Discard(len(mark)) // a byte order mark, as Excel writes it
	case len(mark) > 1 && (string(mark[:2]) == "\xff\xfe" || string(mark[:2]) == "\xfe\xff"):
		return nil, unusable(path, "is UTF-16 text: save it as CSV UTF-8")
	}
	header, err := r.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, unusable(path, "is empty")
	case err != nil:
		return nil, damaged(path, err)
	case header.fault != "":
		return nil, unusable(path, "is no CSV: in its first line %s", header.fault)
	}
	for _, name := range header.fields {
		r.names = append(r.names, strings.Clone(name))
	}
	if len(r.names) == 1 && strings.Count(r.names[0], ";") > 1 {
		return nil, unusable(path, "is parted by semicolons: save it with commas")
	}
	return r, nil
}

func (r *csvRows) header() []string { return r.names }

func (r *csvRows) dayZero() time.Time { return excelEpoch }

// Close implements io.Closer.
func (r *csvRows) Close() error { return r.file.Close() }

// next gives the next row. Empty lines are passed over, as CSV readers do.
func (r *csvRows) next() (row, error) {
	for {
		line, err := r.read()
		if err != nil {
			return row{}, err
		}
		switch {
		case line.fault != "":
			return row{line: line.number, fault: line.fault}, nil
		case line.text == "":
			continue
		case strings.IndexByte(line.text, '"') < 0:
			return r.checked(line.number, r.split(line.text)), nil
		default:
			return r.quoted(line), nil
		}
	}
}

// read gives one line without its end.
func (r *csvRows) read() (textLine, error) {
	if len(r.pending) > 0 {
		line := r.pending[0]
		r.pending = r.pending[1:]
		return line, nil
	}
	if r.failed != nil {
		return textLine{}, r.failed
	}
	raw, err := r.in.ReadSlice('\n')
	r.line++
	line := textLine{number: r.line, text: string(raw)}
	for errors.Is(err, bufio.ErrBufferFull) {
		line.text, line.fault = "", tooLong
		_, err = r.in.ReadSlice('\n')
	}
	if r.failed = err; err != nil && (!errors.Is(err, io.EOF) || line.text == "" && line.fault == "") {
		return textLine{}, err
	}
	line.text = strings.TrimSuffix(strings.TrimSuffix(line.text, "\n"), "\r")
	return line, nil
}

// split parts a line without quotes.
func (r *csvRows) split(text string) []string {
	r.fields = r.fields[:0]
	for {
		field, rest, more := strings.Cut(text, ",")
		r.fields = append(r.fields, field)
		if !more {
			return r.fields
		}
		text = rest
	}
}

// quoted reads a record with quotes, over as many lines as it takes to close them. If that comes to nothing only the
// first line is at fault; the others are read again, each on its own.
func (r *csvRows) quoted(first textLine) row {
	record, taken := first.text, []textLine(nil)
	faulty := func(reason string) row {
		r.pending = append(taken, r.pending...)
		return row{line: first.number, fault: reason}
	}
	for strings.Count(record, `"`)%2 != 0 {
		line, err := r.read()
		if err == nil {
			taken = append(taken, line)
		}
		if err != nil || line.fault != "" || len(taken) == recordLines || len(record)+len(line.text) > lineLimit {
			return faulty("a quote is opened and never closed")
		}
		record += "\n" + line.text
	}
	reader := csv.NewReader(strings.NewReader(record))
	fields, err := reader.Read()
	if err == nil {
		if _, err = reader.Read(); errors.Is(err, io.EOF) {
			return r.checked(first.number, fields)
		}
	}
	return faulty("a quote stands where none may be")
}

func (r *csvRows) checked(line int, fields []string) row {
	if r.names != nil && len(fields) != len(r.names) {
		return row{line: line, fault: fmt.Sprintf("it has %d fields, the header has %d", len(fields), len(r.names))}
	}
	return row{line: line, fields: fields}
}

// orderReader reads rows that are orders.
type orderReader struct {
	columns []int // order_id, customer_id, order_date, order_amount, country
	batch   *orderBatch
	report  *ImportReport
	seen    map[string]int // the line of each order id
	day     string         // the last sound day: most orders share it with the one before
}

func (o *orderReader) finish() error { return nil }

func (o *orderReader) read(r row) error {
	field := func(i int) string { return strings.TrimSpace(r.fields[o.columns[i]]) }
	next := importedOrder{id: field(0), customer: field(1), day: field(2), amount: field(3), country: field(4)}
	if reason := o.fault(next); reason != "" {
		o.report.bad(r.line, "%s", reason)
		return nil
	}
	if first, known := o.seen[next.id]; known {
		o.report.bad(r.line, "order_id %s came before, on line %d", show(next.id), first)
		return nil
	}
	o.seen[strings.Clone(next.id)] = r.line
	return o.batch.add(next)
}

func (o *orderReader) fault(next importedOrder) string {
	for _, text := range [...]struct{ name, value string }{
		{"order_id", next.id}, {"customer_id", next.customer}, {"country", next.country},
	} {
		if text.value == "" && text.name != "country" {
			return text.name + " is empty"
		}
		if !isPlainText(text.value) {
			return fmt.Sprintf("%s %s is not plain UTF-8 text", text.name, show(text.value))
		}
	}
	if next.day == "" || next.day != o.day {
		if _, err := parseDay(next.day); err != nil {
			return fmt.Sprintf("order_date %s is not a day written YYYY-MM-DD, from 1900 on", show(next.day))
		}
		o.day = strings.Clone(next.day)
	}
	if reason := amountFault(next.amount); reason != "" {
		return fmt.Sprintf("order_amount %s %s", show(next.amount), reason)
	}
	return ""
}

// amountDigits is how many digits before the point a DECIMAL(18,2) holds.
const amountDigits = 16

// amountFault says what is wrong with an amount; empty for one such as 12, 12.5 or 12.50.
func amountFault(text string) string {
	negative := strings.HasPrefix(text, "-")
	whole, decimals, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	switch {
	case !isDigits(whole) || point && !isDigits(decimals):
		return "is not an amount such as 12.50"
	case negative || strings.Trim(whole+decimals, "0") == "":
		return "is not above zero"
	case len(decimals) > 2:
		return "has more than 2 decimals"
	case len(whole) > amountDigits:
		return "is too large"
	default:
		return ""
	}
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// isPlainText reports whether a text is UTF-8 without control characters, so that it can stand in a table, a CSV and
// on a terminal.
func isPlainText(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
}

// firstYear is the earliest year of an order. An earlier one is a slip of the pen, and costs the detection a row for
// each day since.
const firstYear = 1900

func parseDay(text string) (functions.Date, error) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return functions.Date{}, fmt.Errorf("read day %q: %w", text, err)
	}
	if at.Year() < firstYear {
		return functions.Date{}, fmt.Errorf("read day %q: before %d", text, firstYear)
	}
	return functions.Date{Year: at.Year(), Month: at.Month(), Day: at.Day()}, nil
}

// short cuts a text of the file for a message.
func short(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// show quotes a text of the file for a message, so that no control character of it reaches a terminal.
func show(text string) string { return strconv.Quote(short(text)) }
