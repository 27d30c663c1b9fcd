package audience

import (
	"io"
	"strings"

	"github.com/retentionops/retentionops/functions/internal/destination"
)

// byteOrderMark begins a file for readers, such as Excel, that take UTF-8 for something else without it.
const byteOrderMark = "\uFEFF"

// chunk is how much of a file is gathered before it is handed on.
const chunk = 64 << 10

// file is an audience as CSV: UTF-8, RFC 4180, lines end in CR LF, and every cell reads back as it was, but for text
// that a spreadsheet would run. encoding/csv is not used as it rewrites line breaks inside cells, and a customer's id
// may hold one.
type file struct {
	columns  []destination.Column
	rows     [][]string
	settings Settings
}

// WriteTo implements io.WriterTo.
func (f *file) WriteTo(w io.Writer) (written int64, err error) {
	buffer := make([]byte, 0, chunk+chunk/4)
	flush := func() error {
		n, err := w.Write(buffer)
		written += int64(n)
		buffer = buffer[:0]
		return err
	}
	if f.settings.BOM {
		buffer = append(buffer, byteOrderMark...)
	}
	delimiter := f.settings.Delimiter.char()
	for i, column := range f.columns {
		buffer = appendCell(buffer, i, column.Name, delimiter)
	}
	buffer = append(buffer, '\r', '\n')
	for _, row := range f.rows {
		for i, text := range row {
			if f.columns[i].Kind == destination.Text && i != customerID {
				buffer = appendText(buffer, i, text, delimiter)
			} else {
				buffer = appendCell(buffer, i, text, delimiter)
			}
		}
		buffer = append(buffer, '\r', '\n')
		if len(buffer) >= chunk {
			if err := flush(); err != nil {
				return written, err
			}
		}
	}
	return written, flush()
}

// appendText appends a text cell. One that a spreadsheet would run gets an apostrophe before it; numbers and dates are
// ours and typed, and an apostrophe would turn them into text.
func appendText(to []byte, place int, text string, delimiter byte) []byte {
	if opensFormula(text) {
		if place > 0 {
			to = append(to, delimiter)
		}
		return appendQuoted(to, "'"+text)
	}
	return appendCell(to, place, text, delimiter)
}

func appendCell(to []byte, place int, text string, delimiter byte) []byte {
	if place > 0 {
		to = append(to, delimiter)
	}
	if mustQuote(text, delimiter) {
		return appendQuoted(to, text)
	}
	return append(to, text...)
}

// mustQuote tells text that would not read back without quotes. Blanks at either end are safe in RFC 4180 without
// them, but some readers trim.
func mustQuote(text string, delimiter byte) bool {
	if text == "" {
		return false
	}
	if text[0] <= ' ' || text[len(text)-1] <= ' ' {
		return true
	}
	for i := range len(text) {
		if b := text[i]; b == delimiter || b == '"' || b == '\r' || b == '\n' {
			return true
		}
	}
	return false
}

func appendQuoted(to []byte, text string) []byte {
	to = append(to, '"')
	to = append(to, strings.ReplaceAll(text, `"`, `""`)...)
	return append(to, '"')
}
