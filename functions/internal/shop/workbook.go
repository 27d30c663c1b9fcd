package shop

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// workbookLimit is how large a workbook may be unpacked. The original of the data set takes a tenth of it.
const workbookLimit = 2 << 30

// sheetRows reads the line items of a workbook row by row.
type sheetRows struct {
	book   *excelize.File
	rows   *excelize.Rows
	names  []string
	line   int
	is1904 bool
}

// openWorkbook finds the first sheet whose first row names the columns of line items.
func openWorkbook(path string) (*sheetRows, error) {
	if err := checkParts(path); err != nil {
		return nil, err
	}
	// Raw values: a formatted price is a rounded one, and a formatted date depends on the machine.
	book, err := excelize.OpenFile(path, excelize.Options{RawCellValue: true, UnzipSizeLimit: workbookLimit})
	if err != nil {
		return nil, unusable(path, "is not a workbook that can be read").WithCause(err)
	}
	source, err := findSheet(path, book)
	if err != nil {
		return nil, errors.Join(err, book.Close())
	}
	return source, nil
}

func findSheet(path string, book *excelize.File) (*sheetRows, error) {
	properties, err := book.GetWorkbookProps()
	if err != nil {
		return nil, unusable(path, "is not a workbook that can be read").WithCause(err)
	}
	is1904 := properties.Date1904 != nil && *properties.Date1904
	nearest := lineColumns.match(nil).missing
	for _, sheet := range book.GetSheetList() {
		rows, err := book.Rows(sheet)
		if err != nil {
			continue // a chart sheet has no rows
		}
		if rows.Next() {
			names, err := rows.Columns()
			if err != nil {
				return nil, errors.Join(damaged(path, err), rows.Close())
			}
			found := lineColumns.match(names)
			if len(found.missing) == 0 {
				return &sheetRows{book: book, rows: rows, names: names, line: 1, is1904: is1904}, nil
			}
			if len(found.missing) < len(nearest) {
				nearest = found.missing
			}
		}
		if err := rows.Close(); err != nil {
			return nil, fmt.Errorf("close sheet: %w", err)
		}
	}
	return nil, unusable(path, "has no sheet with line items: the first row lacks %s", strings.Join(nearest, ", "))
}

func (s *sheetRows) header() []string { return s.names }

func (s *sheetRows) dayZero() time.Time {
	if s.is1904 {
		return macEpoch
	}
	return excelEpoch
}

// Close implements io.Closer.
func (s *sheetRows) Close() error { return errors.Join(s.rows.Close(), s.book.Close()) }

func (s *sheetRows) next() (row, error) {
	for s.rows.Next() {
		s.line++
		cells, err := s.rows.Columns()
		if err != nil {
			return row{}, fmt.Errorf("read row %d: %w", s.line, err)
		}
		if len(cells) == 0 {
			continue // an empty row
		}
		for len(cells) < len(s.names) {
			cells = append(cells, "") // empty cells at the end of a row are not stored
		}
		return row{line: s.line, fields: cells}, nil
	}
	if err := s.rows.Error(); err != nil {
		return row{}, fmt.Errorf("read the sheet: %w", err)
	}
	return row{}, io.EOF
}

// checkParts makes sure that the zip is a workbook and that its sheets are whole. The library takes XML that breaks off
// for the end of a sheet, and rows would be missing without a word.
func checkParts(path string) error {
	packed, err := zip.OpenReader(path)
	if err != nil {
		return damaged(path, err)
	}
	defer packed.Close() //nolint:errcheck // it was only read
	isWorkbook := false
	for _, part := range packed.File {
		name := strings.ToLower(strings.ReplaceAll(part.Name, `\`, "/"))
		isWorkbook = isWorkbook || name == "xl/workbook.xml"
		isSheet := strings.HasPrefix(name, "xl/worksheets/") && strings.HasSuffix(name, ".xml")
		if name != "xl/sharedstrings.xml" && !isSheet {
			continue
		}
		if part.UncompressedSize64 > workbookLimit {
			return unusable(path, "is larger than 2 GiB unpacked")
		}
		if err := checkPart(part); err != nil {
			return damaged(path, fmt.Errorf("read %s: %w", part.Name, err))
		}
	}
	if !isWorkbook {
		return unusable(path, "is a zip of something else than a workbook")
	}
	return nil
}

func checkPart(part *zip.File) error {
	content, err := part.Open()
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // it was only read
	var end tail
	if _, err := io.Copy(&end, io.LimitReader(content, workbookLimit)); err != nil {
		return err
	}
	last := bytes.TrimSpace(end.bytes)
	for _, sound := range []string{"worksheet>", "sst>", "uniqueCount=\"0\"/>"} {
		if bytes.HasSuffix(last, []byte(sound)) {
			return nil
		}
	}
	return io.ErrUnexpectedEOF
}

// tail keeps the end of what is written to it.
type tail struct{ bytes []byte }

func (t *tail) Write(p []byte) (int, error) {
	const kept = 64
	t.bytes = append(t.bytes, p[max(0, len(p)-kept):]...)
	t.bytes = t.bytes[max(0, len(t.bytes)-kept):]
	return len(p), nil
}
