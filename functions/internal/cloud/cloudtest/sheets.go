package cloudtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/api/option"
	"google.golang.org/api/sheets/v4"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

// Sheets is Google Sheets with one spreadsheet, behind the check of its discovery document and a script. It does what the
// methods that the house uses do, as far as their documentation and their known refusals tell; it keeps the cells, so that
// a test reads what a person would see.
type Sheets struct {
	Script  Script
	Address string

	tb       testing.TB
	document *discoverytest.Document
	id       string

	mu   sync.Mutex
	tabs map[int64]*tab
}

// tab is one sheet. A tab is never changed once another may see it: a batch works on copies.
type tab struct {
	id         int64
	title      string
	index      int
	hidden     bool
	rows, cols int64
	frozen     int64
	cells      [][]cell // as far as anything was written
}

type cell struct {
	value  any // nil, string, float64, bool
	bold   bool
	format sheets.NumberFormat
}

// The limits of a spreadsheet (https://support.google.com/drive/answer/37603) and of a cell.
const (
	mostCells = 10_000_000
	mostText  = 50_000
)

// NewSheets starts Google Sheets with a spreadsheet of that id, which holds one empty tab as a new one does.
func NewSheets(tb testing.TB, id string) *Sheets {
	tb.Helper()
	s := &Sheets{tb: tb, document: discoverytest.Load(tb, "sheets/v4"), id: id, tabs: map[int64]*tab{}}
	s.tabs[0] = &tab{title: "Sheet1", rows: 1000, cols: 26}
	s.Address = Serve(tb, s.Script.Before(s.document.Handler(tb, s.serve)))
	return s
}

// Options let a client reach it.
func (s *Sheets) Options() []option.ClientOption { return Options(s.Address + "/") }

// refusal is what the API answers with status 400.
type refusal struct{ message string }

// Error implements error.
func (r refusal) Error() string { return r.message }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

func (s *Sheets) serve(w http.ResponseWriter, r *http.Request, call *discoverytest.Call) {
	if call.Params["spreadsheetId"] != s.id {
		discoverytest.Fault(w, http.StatusNotFound, "NOT_FOUND", "notFound", "Requested entity was not found.")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller has gone: nothing is done
	}
	s.mu.Lock()
	answer, err := s.do(call, body)
	s.mu.Unlock()
	if err != nil {
		discoverytest.Fault(w, http.StatusBadRequest, "INVALID_ARGUMENT", "badRequest", err.Error())
		return
	}
	s.answer(w, call, answer)
}

func (s *Sheets) do(call *discoverytest.Call, body []byte) (any, error) {
	switch call.Method {
	case "sheets.spreadsheets.get":
		return s.describe(), nil
	case "sheets.spreadsheets.values.update":
		return s.update(call, body)
	case "sheets.spreadsheets.batchUpdate":
		return s.batch(body)
	default:
		s.tb.Errorf("the stand-in of Google Sheets does not know %s", call.Method)
		return nil, refuse("not known here")
	}
}

// answer sends what was asked for of an answer and no more.
func (s *Sheets) answer(w http.ResponseWriter, call *discoverytest.Call, answer any) {
	text, err := json.Marshal(answer)
	err = errors.Join(err, s.document.CheckAnswer(call.Method, text))
	var value any
	err = errors.Join(err, json.Unmarshal(text, &value))
	chosen, selectErr := discoverytest.Select(value, call.Query.Get("fields"))
	if err := errors.Join(err, selectErr); err != nil {
		s.tb.Error(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(chosen) // the client may have gone
}

func (s *Sheets) inOrder() []*tab {
	return slices.SortedFunc(maps.Values(s.tabs), func(a, b *tab) int { return a.index - b.index })
}

func (s *Sheets) describe() *sheets.Spreadsheet {
	spreadsheet := &sheets.Spreadsheet{SpreadsheetId: s.id, SpreadsheetUrl: "https://docs.google.com/spreadsheets/d/" + s.id + "/edit"}
	for _, t := range s.inOrder() {
		spreadsheet.Sheets = append(spreadsheet.Sheets, &sheets.Sheet{Properties: &sheets.SheetProperties{
			SheetId: t.id, Title: t.title, Index: int64(t.index), Hidden: t.hidden, SheetType: "GRID",
			GridProperties:  &sheets.GridProperties{RowCount: t.rows, ColumnCount: t.cols, FrozenRowCount: t.frozen},
			ForceSendFields: []string{"SheetId", "Index"},
		}})
	}
	return spreadsheet
}

// update writes values RAW: text stays text, and nothing is run or parsed.
func (s *Sheets) update(call *discoverytest.Call, body []byte) (any, error) {
	if option := call.Query.Get("valueInputOption"); option != "RAW" {
		return nil, refuse("the stand-in knows RAW only, not %s", option)
	}
	var values struct{ Values [][]any }
	if err := json.Unmarshal(body, &values); err != nil {
		return nil, err
	}
	title, area, err := parseRange(call.Params["range"])
	t := s.titled(title)
	switch {
	case err != nil || t == nil:
		return nil, refuse("Unable to parse range: %s", call.Params["range"])
	case area.toRow > t.rows || area.toCol > t.cols:
		return nil, refuse("Range (%s) exceeds grid limits. Max rows: %d, max columns: %d", call.Params["range"], t.rows, t.cols)
	case int64(len(values.Values)) > area.toRow-area.fromRow:
		return nil, refuse("Requested writing within range [%s], but tried writing to row [%d]", call.Params["range"], area.toRow+1)
	}
	changed, written := *t, int64(0)
	changed.cells = slices.Clone(t.cells)
	for i, row := range values.Values {
		if int64(len(row)) > area.toCol-area.fromCol {
			return nil, refuse("Requested writing within range [%s], but tried writing to column [%d]", call.Params["range"], area.toCol+1)
		}
		own := changed.own(area.fromRow + int64(i))
		for j, value := range row {
			if text, ok := value.(string); ok && len([]rune(text)) > mostText {
				return nil, refuse("Your input contains more than the maximum of %d characters in a single cell.", mostText)
			}
			if value != nil { // null leaves a cell as it is
				own[area.fromCol+int64(j)].value = value
				written++
			}
		}
	}
	s.tabs[t.id] = &changed
	return &sheets.UpdateValuesResponse{SpreadsheetId: s.id, UpdatedRange: call.Params["range"], UpdatedCells: written}, nil
}

// own is a row that may be written to: a copy, as wide as the tab.
func (t *tab) own(row int64) []cell {
	for int64(len(t.cells)) <= row {
		t.cells = append(t.cells, nil)
	}
	cells := make([]cell, t.cols)
	copy(cells, t.cells[row])
	t.cells[row] = cells
	return cells
}

func (s *Sheets) titled(title string) *tab {
	for _, t := range s.tabs {
		if strings.EqualFold(t.title, title) { // names that differ in case only are one name
			return t
		}
	}
	return nil
}

// area is a rectangle; from is in it, to is not.
type area struct{ fromRow, toRow, fromCol, toCol int64 }

// parseRange reads 'title'!A1:K500.
func parseRange(text string) (title string, a area, err error) {
	cut := strings.LastIndexByte(text, '!')
	if cut < 2 || text[0] != '\'' || text[cut-1] != '\'' {
		return "", a, errors.New("the stand-in wants a quoted tab before the cells")
	}
	title = strings.ReplaceAll(text[1:cut-1], "''", "'")
	var from, to string
	var first, last int64
	cells := text[cut+1:]
	if _, err := fmt.Sscanf(strings.NewReplacer(":", " ").Replace(spaced(cells)), "%s %d %s %d", &from, &first, &to, &last); err != nil {
		return "", a, err
	}
	return title, area{first - 1, last, column(from), column(to) + 1}, nil
}

// spaced puts a blank between the letters and the digits of A1:K500.
func spaced(cells string) string {
	var b strings.Builder
	for i, r := range cells {
		if i > 0 && r >= '0' && r <= '9' && cells[i-1] >= 'A' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func column(letters string) int64 {
	n := int64(0)
	for _, r := range letters {
		n = n*26 + int64(r-'A') + 1
	}
	return n - 1
}
