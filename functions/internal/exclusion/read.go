package exclusion

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

const (
	// maxBytes bounds a file: a million lines of 128 bytes. A hash and its line break are 77.
	maxBytes = 128 << 20
	// fileTimeout bounds the reading of a file.
	fileTimeout = 20 * time.Second
)

// Table is the warehouse, as far as it is needed here.
type Table interface {
	// Exclusions visits every customer_id of a table, each once; failed_precondition when there is no such table.
	Exclusions(ctx context.Context, table string, visit func(entry string) error) error
}

// Reader reads the list that the settings name.
type Reader struct {
	Settings Settings
	Folder   func(ctx context.Context, url string) (archive.Archive, error) // opens the folder that holds a file
	Table    func(ctx context.Context) (Table, error)                       // opens the warehouse
}

// Read reads the list as it stands now; nil when none is configured. A list that is configured and cannot be read, or
// has an entry that cannot be used, is an error and never a shorter list: nobody may be contacted by an accident.
// Errors name the place of an entry and never the entry.
func (r Reader) Read(ctx context.Context) (*List, error) {
	if err := r.Settings.CheckKey(); err != nil {
		return nil, err
	}
	if r.Settings.List == "" {
		return nil, nil
	}
	at, err := r.Settings.place()
	if err != nil {
		return nil, err
	}
	list := newList(r.Settings.key())
	if at.file == "" {
		err = r.readTable(ctx, at.table, list)
	} else {
		err = r.readFile(ctx, at, list)
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (r Reader) readTable(ctx context.Context, table string, list *List) error {
	from, err := r.Table(ctx)
	if err != nil {
		return err
	}
	return from.Exclusions(ctx, table, func(entry string) error {
		if b := list.add(entry); b != nil {
			return fault("an entry of the exclusion list "+b.what, b.hint)
		}
		return nil
	})
}

// readFile reads the file. What is wrong with the place is the operator's to mend, whatever the port calls it.
func (r Reader) readFile(ctx context.Context, at place, list *List) error {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	folder, err := r.Folder(ctx, at.folder)
	var document []byte
	if err == nil {
		document, err = folder.Get(ctx, at.file)
	}
	switch code := functions.CodeOf(err); {
	case err == nil:
		return list.parse(document)
	case errors.Is(err, archive.ErrNotFound):
		return fault("the exclusion list is not there", varList+" names a file that does not exist; "+placeHint)
	case code == functions.FailedPrecondition, code == functions.InvalidArgument:
		return fault("the exclusion list cannot be opened", varList+": "+placeHint).WithCause(err)
	default:
		return fmt.Errorf("read the exclusion list: %w", err)
	}
}

// The characters that separate the values of a line: the comma, and those that spreadsheets use in its place.
const separators = ",;\t"

// column is the name of the column that holds the entries.
const column = "customer_id"

// parse reads CSV with a header that names customer_id, or lines of one entry each.
func (l *List) parse(document []byte) error {
	document = bytes.TrimPrefix(document, []byte("\uFEFF"))
	if err := check(document); err != nil {
		return err
	}
	lines := csv.NewReader(bytes.NewReader(document))
	lines.ReuseRecord = true
	first, _, _ := bytes.Cut(bytes.TrimLeft(document, "\r\n"), []byte("\n")) // the reader passes over empty lines too
	at, named, err := begin(lines, string(first))
	if err != nil {
		return err
	}
	for {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		entry := record[at]
		line, _ := lines.FieldPos(at)
		if len(record) > 1 && !named || len(record) == 1 && strings.ContainsAny(entry, separators) {
			return fault(fmt.Sprintf("line %d of the exclusion list holds more than one value", line), severalHint)
		}
		if len(record) > 1 {
			entry = strings.Clone(entry) // what is kept shall not keep the whole line
		}
		if b := l.add(entry); b != nil {
			return fault(fmt.Sprintf("line %d of the exclusion list %s", line, b.what), b.hint)
		}
	}
}

// check refuses what would be read as a list of entries that are nobody's.
func check(document []byte) error {
	switch {
	case len(document) > maxBytes:
		return fault("the exclusion list is larger than 128 MiB", "leave out columns beside customer_id, or keep the list in a table")
	case len(bytes.TrimSpace(document)) == 0:
		return fault("the exclusion list is empty", "write the header customer_id: a file without any line may be half a file")
	case !utf8.Valid(document) || bytes.IndexByte(document, 0) >= 0:
		return fault("the exclusion list is not UTF-8 text", "save it as CSV UTF-8, not compressed")
	default:
		return nil
	}
}

// begin reads the header, if the first line is one, and tells in which column the entries stand.
func begin(lines *csv.Reader, first string) (at int, named bool, err error) {
	separator, named := header(first)
	switch {
	case !named && looksLikeHeader(first):
		return 0, false, fault("line 1 of the exclusion list reads like the name of another column", "name the column customer_id, or leave the header out")
	case !named:
		lines.FieldsPerRecord = -1 // several values on a line are told of by who reads them
		return 0, false, nil
	}
	lines.Comma = separator
	names, err := lines.Read()
	if err != nil {
		return 0, true, broken(err)
	}
	if at = slices.IndexFunc(names, isColumn); at < 0 {
		return 0, true, fault("line 1 of the exclusion list has no column customer_id", severalHint)
	}
	return at, true, nil
}

const severalHint = "write one entry a line, or begin with a header that names customer_id and has a name for each value"

// header tells whether a line names the column of the entries, and what separates the columns.
func header(line string) (separator rune, has bool) {
	for _, separator := range separators {
		if slices.ContainsFunc(strings.Split(line, string(separator)), isColumn) {
			return separator, true
		}
	}
	return ',', false
}

func isColumn(name string) bool { return strings.EqualFold(strings.Trim(name, " \r\""), column) }

// looksLikeHeader tells a name that people give the column. As an id it would exclude nobody.
func looksLikeHeader(line string) bool {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, line)
	return slices.Contains([]string{"id", "ids", "customer", "customerid", "customers", "email", "mail", "hash", "entry"}, letters) &&
		!strings.ContainsFunc(line, unicode.IsDigit)
}

// broken tells of a line that is no CSV. The reader's own text quotes nothing of it.
func broken(err error) error {
	what, hint := "the exclusion list is not CSV", `put an entry with a quote in it into quotes and double the quote inside: "a ""b"""`
	if at, ok := errors.AsType[*csv.ParseError](err); ok {
		what = fmt.Sprintf("line %d of the exclusion list is not CSV", at.Line)
		if errors.Is(at.Err, csv.ErrFieldCount) {
			what, hint = fmt.Sprintf("line %d of the exclusion list has more or fewer values than line 1", at.Line), severalHint
		}
	}
	return fault(what, hint).WithCause(err)
}
