package cloudtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/api/sheets/v4"
)

// batch does all of its requests, or none when one is refused.
func (s *Sheets) batch(body []byte) (any, error) {
	var requests sheets.BatchUpdateSpreadsheetRequest
	if err := json.Unmarshal(body, &requests); err != nil {
		return nil, err
	}
	before := s.tabs
	s.tabs = maps.Clone(before)
	response := &sheets.BatchUpdateSpreadsheetResponse{SpreadsheetId: s.id}
	for i, request := range requests.Requests {
		name, reply, err := s.one(request)
		if err == nil {
			err = s.sound()
		}
		if err != nil {
			s.tabs = before
			return nil, refuse("Invalid requests[%d].%s: %s", i, name, err)
		}
		response.Replies = append(response.Replies, reply)
	}
	if err := s.visible(); err != nil {
		s.tabs = before
		return nil, err
	}
	return response, nil
}

func (s *Sheets) one(request *sheets.Request) (name string, reply *sheets.Response, err error) {
	reply = &sheets.Response{}
	switch {
	case request.AddSheet != nil:
		name = "addSheet"
		var t *tab
		if t, err = s.add(request.AddSheet.Properties); err == nil {
			reply.AddSheet = &sheets.AddSheetResponse{Properties: &sheets.SheetProperties{SheetId: t.id, Title: t.title}}
		}
	case request.DeleteSheet != nil:
		name, err = "deleteSheet", s.remove(request.DeleteSheet.SheetId)
	case request.UpdateSheetProperties != nil:
		name, err = "updateSheetProperties", s.change(request.UpdateSheetProperties)
	case request.RepeatCell != nil:
		name, err = "repeatCell", s.repeat(request.RepeatCell)
	case request.CopyPaste != nil:
		name, err = "copyPaste", s.copyPaste(request.CopyPaste)
	default:
		s.tb.Errorf("the stand-in of Google Sheets does not know this request: %+v", request)
		name, err = "request", refuse("not known here")
	}
	return name, reply, err
}

func (s *Sheets) add(p *sheets.SheetProperties) (*tab, error) {
	t := &tab{id: p.SheetId, title: p.Title, index: len(s.tabs), hidden: p.Hidden, rows: 1000, cols: 26}
	for _, other := range s.tabs {
		t.index = max(t.index, other.index+1)
	}
	if g := p.GridProperties; g != nil {
		t.rows, t.cols, t.frozen = g.RowCount, g.ColumnCount, g.FrozenRowCount
	}
	switch {
	case t.title == "" || t.id <= 0:
		return nil, refuse("the stand-in wants a title and an id")
	case s.titled(t.title) != nil:
		return nil, taken(t.title)
	case s.tabs[t.id] != nil:
		return nil, refuse("Duplicate sheet id: %d", t.id)
	}
	s.tabs[t.id] = t
	return t, nil
}

func taken(title string) error {
	return refuse("A sheet with the name %q already exists. Please enter another name.", title)
}

func (s *Sheets) remove(id int64) error {
	if s.tabs[id] == nil {
		return refuse("No sheet with id: %d", id)
	}
	delete(s.tabs, id)
	return nil
}

func (s *Sheets) change(request *sheets.UpdateSheetPropertiesRequest) error {
	p := request.Properties
	before := s.tabs[p.SheetId]
	if before == nil {
		return refuse("No sheet with id: %d", p.SheetId)
	}
	t := *before
	for field := range strings.SplitSeq(request.Fields, ",") {
		if err := s.document.CheckMask("SheetProperties", field); err != nil {
			s.tb.Errorf("updateSheetProperties: fields: %v", err)
		}
		switch field {
		case "title":
			if other := s.titled(p.Title); other != nil && other.id != t.id {
				return taken(p.Title)
			}
			t.title = p.Title
		case "hidden":
			t.hidden = p.Hidden
		case "gridProperties.rowCount":
			t.rows = p.GridProperties.RowCount
			t.cells = t.cells[:min(int64(len(t.cells)), t.rows):min(int64(len(t.cells)), t.rows)]
		case "gridProperties.columnCount":
			t.cols = p.GridProperties.ColumnCount
			t.cells = slices.Clone(t.cells)
			for i, row := range t.cells {
				t.cells[i] = row[:min(int64(len(row)), t.cols)]
			}
		case "gridProperties.frozenRowCount":
			t.frozen = p.GridProperties.FrozenRowCount
		default:
			s.tb.Errorf("the stand-in of Google Sheets does not change %s", field)
		}
	}
	s.tabs[t.id] = &t
	return nil
}

// within is the rectangle of a grid range in its tab; a side that is not given is the tab's own.
func (s *Sheets) within(r *sheets.GridRange) (*tab, area, error) {
	t := s.tabs[r.SheetId]
	if t == nil {
		return nil, area{}, refuse("No grid with id: %d", r.SheetId)
	}
	a := area{r.StartRowIndex, r.EndRowIndex, r.StartColumnIndex, r.EndColumnIndex}
	if a.toRow == 0 {
		a.toRow = t.rows
	}
	if a.toCol == 0 {
		a.toCol = t.cols
	}
	if a.toRow > t.rows || a.toCol > t.cols || a.fromRow >= a.toRow || a.fromCol >= a.toCol {
		return nil, area{}, refuse("Attempting to write to a range outside of the grid")
	}
	return t, a, nil
}

func (s *Sheets) repeat(request *sheets.RepeatCellRequest) error {
	t, a, err := s.within(request.Range)
	if err != nil {
		return err
	}
	if err := s.document.CheckMask("CellData", request.Fields); err != nil {
		s.tb.Errorf("repeatCell: fields: %v", err)
	}
	changed := *t
	changed.cells = slices.Clone(t.cells)
	for row := a.fromRow; row < a.toRow; row++ {
		own := changed.own(row)
		for i := a.fromCol; i < a.toCol; i++ {
			switch format := request.Cell.UserEnteredFormat; request.Fields {
			case "userEnteredFormat.textFormat.bold":
				own[i].bold = format.TextFormat.Bold
			case "userEnteredFormat.numberFormat":
				own[i].format = *format.NumberFormat
			default:
				return refuse("the stand-in does not repeat %s", request.Fields)
			}
		}
	}
	s.tabs[t.id] = &changed
	return nil
}

func (s *Sheets) copyPaste(request *sheets.CopyPasteRequest) error {
	from, source, err := s.within(request.Source)
	if err != nil {
		return err
	}
	to, target, err := s.within(request.Destination)
	if err != nil {
		return err
	}
	if request.PasteType != "PASTE_NORMAL" || target.toRow-target.fromRow != source.toRow-source.fromRow ||
		target.toCol-target.fromCol != source.toCol-source.fromCol {
		return refuse("the stand-in copies whole cells to a place of the same size")
	}
	changed := *to
	changed.cells = slices.Clone(to.cells)
	for i := range source.toRow - source.fromRow {
		own := changed.own(target.fromRow + i)
		var row []cell
		if source.fromRow+i < int64(len(from.cells)) {
			row = from.cells[source.fromRow+i]
		}
		for j := range source.toCol - source.fromCol {
			own[target.fromCol+j] = cell{}
			if source.fromCol+j < int64(len(row)) {
				own[target.fromCol+j] = row[source.fromCol+j]
			}
		}
	}
	s.tabs[to.id] = &changed
	return nil
}

// sound tells what no spreadsheet is.
func (s *Sheets) sound() error {
	cells := int64(0)
	for _, t := range s.tabs {
		cells += t.rows * t.cols
		if t.frozen >= t.rows {
			return refuse("You can't freeze all visible rows on the sheet.")
		}
	}
	if cells > mostCells {
		return refuse("This action would increase the number of cells in the workbook above the limit of %d cells.", mostCells)
	}
	return nil
}

func (s *Sheets) visible() error {
	for _, t := range s.tabs {
		if !t.hidden {
			return nil
		}
	}
	return refuse("You can't remove all the visible sheets in a document.")
}

// Tab is a tab as a person sees it.
type Tab struct {
	ID     int64
	Title  string
	Hidden bool
	Frozen int64
	Bold   int        // rows at the top that are bold throughout
	Cells  [][]string // as they are shown: numbers in the format of their cell
	Values [][]any    // what is behind them: string, float64, or nil
	Rows   int64      // of the grid
}

// Tabs are the tabs in their order.
func (s *Sheets) Tabs() []Tab {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seen []Tab
	for _, t := range s.inOrder() {
		seen = append(seen, t.see())
	}
	return seen
}

// AddTab adds a tab of that title with the cells of a person.
func (s *Sheets) AddTab(title string, cells ...[]string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tab{id: int64(1000 + len(s.tabs)), title: title, index: len(s.tabs), rows: 1000, cols: 26}
	for i, row := range cells {
		for j, text := range row {
			t.own(int64(i))[j].value = text
		}
	}
	s.tabs[t.id] = t
	return t.id
}

// RemoveTab removes a tab, as a person may do at any time.
func (s *Sheets) RemoveTab(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tabs = maps.Clone(s.tabs)
	delete(s.tabs, id)
}

func (t *tab) see() Tab {
	seen := Tab{ID: t.id, Title: t.title, Hidden: t.hidden, Frozen: t.frozen, Rows: t.rows}
	filled := 0
	for i, row := range t.cells {
		texts, values, bold := make([]string, len(row)), make([]any, len(row)), len(row) > 0
		for j, c := range row {
			texts[j], values[j], bold = c.text(), c.value, bold && c.bold
			if c.value != nil {
				filled = i + 1
			}
		}
		if bold && seen.Bold == i {
			seen.Bold++
		}
		seen.Cells, seen.Values = append(seen.Cells, texts), append(seen.Values, values)
	}
	seen.Cells, seen.Values = seen.Cells[:filled], seen.Values[:filled]
	return seen
}

// text is how a cell is shown, in the English way.
func (c cell) text() string {
	switch value := c.value.(type) {
	case nil:
		return ""
	case float64:
		_, decimals, _ := strings.Cut(c.format.Pattern, ".")
		if !strings.HasPrefix(c.format.Pattern, "#,##0") {
			return fmt.Sprint(value)
		}
		whole, fraction, _ := strings.Cut(fmt.Sprintf("%.*f", len(decimals), value), ".")
		for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
		if fraction != "" {
			whole += "." + fraction
		}
		return whole
	default:
		return fmt.Sprint(value)
	}
}
