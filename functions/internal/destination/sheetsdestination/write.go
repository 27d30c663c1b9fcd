package sheetsdestination

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/api/sheets/v4"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

const (
	// largestRequest is what Google recommends at most (https://developers.google.com/workspace/sheets/api/limits).
	largestRequest = 2_000_000 // bytes
	mostText       = 50_000    // characters of a cell; told by many, by Google in its refusals
)

// rowsOf is how many rows a tab has: header and customers. A header alone cannot be frozen, so there is a row below it.
func rowsOf(audience *destination.Audience) int64 { return max(int64(len(audience.Rows))+1, 2) }

// check finds the cell that no spreadsheet takes.
func check(audience *destination.Audience) error {
	for _, row := range audience.Rows {
		for i, text := range row {
			if len(text) > mostText && utf8.RuneCountInString(text) > mostText {
				return functions.Errorf(functions.FailedPrecondition, "a cell of column %s is longer than %d characters, which no spreadsheet takes",
					audience.Columns[i].Name, mostText).WithHint("export this tier to csv")
			}
		}
	}
	return nil
}

// begin adds the draft, hidden and with the form of its columns, and removes old tabs.
func (d *Destination) begin(ctx context.Context, draft draft, audience *destination.Audience) error {
	return d.change(ctx, func(tabs []*sheets.SheetProperties, _ bool) (requests []*sheets.Request, err error) {
		if numbered(tabs, draft.id) != nil {
			return nil, nil // its answer was lost
		}
		old := d.old(tabs, audience.Date)
		if err := room(tabs, old, draft); err != nil {
			return nil, err
		}
		for _, tab := range old {
			requests = append(requests, remove(tab.SheetId))
		}
		requests = append(requests, &sheets.Request{AddSheet: &sheets.AddSheetRequest{Properties: &sheets.SheetProperties{
			SheetId: draft.id, Title: draft.title, Hidden: true, GridProperties: grid(draft),
		}}})
		return append(requests, form(draft, audience)...), nil
	})
}

func grid(draft draft) *sheets.GridProperties {
	return &sheets.GridProperties{RowCount: draft.rows, ColumnCount: draft.cols, FrozenRowCount: 1}
}

// form makes the header bold and gives each column its kind: what is text stays text when somebody edits the cell.
func form(draft draft, audience *destination.Audience) []*sheets.Request {
	requests := []*sheets.Request{{RepeatCell: &sheets.RepeatCellRequest{
		Range:  &sheets.GridRange{SheetId: draft.id, EndRowIndex: 1},
		Cell:   &sheets.CellData{UserEnteredFormat: &sheets.CellFormat{TextFormat: &sheets.TextFormat{Bold: true}}},
		Fields: "userEnteredFormat.textFormat.bold",
	}}}
	for i, column := range audience.Columns {
		format := &sheets.NumberFormat{Type: "TEXT", Pattern: "@"}
		if column.Kind == destination.Number {
			format = &sheets.NumberFormat{Type: "NUMBER", Pattern: pattern(audience.Rows, i)}
		}
		requests = append(requests, &sheets.Request{RepeatCell: &sheets.RepeatCellRequest{
			Range:  &sheets.GridRange{SheetId: draft.id, StartRowIndex: 1, StartColumnIndex: int64(i), EndColumnIndex: int64(i) + 1},
			Cell:   &sheets.CellData{UserEnteredFormat: &sheets.CellFormat{NumberFormat: format}},
			Fields: "userEnteredFormat.numberFormat",
		}})
	}
	return requests
}

// shownDecimals is how many decimals a person is shown at most. All of them stand in the cell.
const shownDecimals = 2

// pattern shows as many decimals as the column has, up to cents: counts have none.
func pattern(rows [][]string, column int) string {
	decimals := 0
	for _, row := range rows {
		if _, fraction, found := strings.Cut(row[column], "."); found {
			decimals = max(decimals, len(fraction))
		}
	}
	if decimals == 0 {
		return "#,##0"
	}
	return "#,##0." + strings.Repeat("0", min(decimals, shownDecimals))
}

// fill writes the cells into the draft, chunk by chunk, each to its own fixed range: a chunk that is written again after
// a lost answer doubles nothing.
func (d *Destination) fill(ctx context.Context, draft draft, audience *destination.Audience) error {
	header := make([]any, len(audience.Columns))
	for i, column := range audience.Columns {
		header[i] = column.Name
	}
	chunk := chunk{first: 1}
	chunk.add(header, len(header)*64)
	for _, row := range audience.Rows {
		values, size := valuesOf(audience.Columns, row)
		if chunk.size+size > largestRequest-1000 { // what stands around the rows
			if err := d.write(ctx, draft, chunk); err != nil {
				return err
			}
			chunk = chunk.next()
		}
		chunk.add(values, size)
	}
	return d.write(ctx, draft, chunk)
}

// chunk is rows that go in one request.
type chunk struct {
	first int // the number of its first row, from 1
	rows  [][]any
	size  int
}

func (c *chunk) add(row []any, size int) {
	c.rows = append(c.rows, row)
	c.size += size
}

// next is the chunk after this one; it uses its memory again.
func (c chunk) next() chunk { return chunk{first: c.first + len(c.rows), rows: c.rows[:0]} }

func (d *Destination) write(ctx context.Context, draft draft, chunk chunk) error {
	place := fmt.Sprintf("'%s'!A%d:%s%d", draft.title, chunk.first, letters(draft.cols), chunk.first+len(chunk.rows)-1)
	return d.Caller.Do(ctx, func(ctx context.Context, _ error) error {
		_, err := d.client.Values.Update(d.id, place, &sheets.ValueRange{Values: chunk.rows}).
			ValueInputOption("RAW"). // nothing is run, and 007 stays 007
			Fields("updatedCells").Context(ctx).Do()
		return err
	})
}

// letters is the name of the nth column, from 1.
func letters(n int64) string {
	if n == 0 {
		return ""
	}
	return letters((n-1)/26) + string(rune('A'+(n-1)%26))
}

// valuesOf are the cells of a row, and how many bytes they take at most.
func valuesOf(columns []destination.Column, row []string) (values []any, size int) {
	values = make([]any, len(row))
	for i, text := range row {
		size += len("\"\",") + len(text)
		switch {
		case text == "":
			size += len("null")
		case columns[i].Kind == destination.Number && isNumber(text):
			values[i] = json.Number(text)
		default:
			values[i] = text
			for j := range len(text) {
				if b := text[j]; b < ' ' || b == '"' || b == '\\' || b == '<' || b == '>' || b == '&' {
					size += len(`\u0000`) - 1
				}
			}
		}
	}
	return values, size
}

// publish shows the draft under the name, or copies it over the tab of that name and removes it: in one step.
func (d *Destination) publish(ctx context.Context, draft draft, name string) (id int64, err error) {
	err = d.change(ctx, func(tabs []*sheets.SheetProperties, lost bool) ([]*sheets.Request, error) {
		mine, there := numbered(tabs, draft.id), titled(tabs, name)
		switch {
		case mine != nil && mine.Title == name: // its answer was lost
			id = mine.SheetId
			return nil, nil
		case mine == nil && there != nil && lost: // and here
			id = there.SheetId
			return nil, nil
		case mine == nil:
			return nil, functions.Errorf(functions.Unavailable, "the sheet was removed while it was being written").WithHint("try again")
		case there == nil:
			id = mine.SheetId
			return []*sheets.Request{show(draft, name)}, nil
		default:
			id = there.SheetId
			return copyOver(draft, there), nil
		}
	})
	return id, err
}

func show(draft draft, name string) *sheets.Request {
	return &sheets.Request{UpdateSheetProperties: &sheets.UpdateSheetPropertiesRequest{
		Properties: &sheets.SheetProperties{SheetId: draft.id, Title: name, ForceSendFields: []string{"Hidden"}},
		Fields:     "title,hidden",
	}}
}

// copyOver gives the tab the draft's size, which clears what a longer list left below, and its cells with their form.
func copyOver(draft draft, there *sheets.SheetProperties) []*sheets.Request {
	all := func(tab int64) *sheets.GridRange {
		return &sheets.GridRange{SheetId: tab, EndRowIndex: draft.rows, EndColumnIndex: draft.cols, ForceSendFields: []string{"SheetId"}}
	}
	return []*sheets.Request{
		{UpdateSheetProperties: &sheets.UpdateSheetPropertiesRequest{
			Properties: &sheets.SheetProperties{
				SheetId: there.SheetId, GridProperties: grid(draft), ForceSendFields: []string{"SheetId"},
			},
			Fields: "gridProperties.rowCount,gridProperties.columnCount,gridProperties.frozenRowCount",
		}},
		{CopyPaste: &sheets.CopyPasteRequest{Source: all(draft.id), Destination: all(there.SheetId), PasteType: "PASTE_NORMAL"}},
		remove(draft.id),
	}
}

// discardTime is what is spent on taking a draft away after a fault.
const discardTime = 5 * time.Second

// discard takes away what was written of a draft. It is tried once: what stays is hidden, and a later delivery removes it.
func (d *Destination) discard(ctx context.Context, draft draft) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	_, _ = d.client.BatchUpdate(d.id, &sheets.BatchUpdateSpreadsheetRequest{Requests: []*sheets.Request{remove(draft.id)}}).
		Fields("spreadsheetId").Context(ctx).Do()
}
