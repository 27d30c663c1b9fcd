package sheetsdestination

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"google.golang.org/api/sheets/v4"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud"
)

// The limits of a spreadsheet.
const (
	mostCells = 10_000_000 // https://support.google.com/drive/answer/37603
	mostTabs  = 200        // told by many, by Google nowhere that we know
)

// tabName is the name of an audience's tab. It holds no id of a run: a day's list that is made again stands in place of
// the first, so that nobody works on two lists of one day, and a brief can link to it.
func tabName(folder string, date functions.Date, tier functions.Tier) string {
	name := fmt.Sprintf("%04d%02d%02d-%s", date.Year, date.Month, date.Day, tier)
	if folder != "" {
		name = folder + "-" + name
	}
	return name
}

var tabNames = regexp.MustCompile(`^(?:[A-Za-z0-9][A-Za-z0-9_-]{0,62}-)?(\d{4})(\d\d)(\d\d)-P[123]$`)

// dayOf is the day of an audience's tab; false for the tabs of people.
func dayOf(title string) (functions.Date, bool) {
	parts := tabNames.FindStringSubmatch(title)
	if parts == nil {
		return functions.Date{}, false
	}
	date, err := civil.ParseDate(strings.Join(parts[1:], "-"))
	return date, err == nil
}

// A draft is a hidden tab that is being written.
type draft struct {
	id         int64
	title      string
	rows, cols int64
}

const draftMark = "retentionops writing "

func draftTitle(now time.Time, id int64) string {
	return draftMark + strconv.FormatInt(now.Unix(), 10) + "-" + strconv.FormatInt(id, 36)
}

// abandonedAfter is far longer than any function runs.
const abandonedAfter = time.Hour

// abandoned tells a draft whose writer must be dead.
func abandoned(title string, now time.Time) bool {
	rest, ours := strings.CutPrefix(title, draftMark)
	begun, _, _ := strings.Cut(rest, "-")
	seconds, err := strconv.ParseInt(begun, 10, 64)
	return ours && err == nil && now.Sub(time.Unix(seconds, 0)) > abandonedAfter
}

func titled(tabs []*sheets.SheetProperties, title string) *sheets.SheetProperties {
	return first(tabs, func(t *sheets.SheetProperties) bool { return t.Title == title })
}

func numbered(tabs []*sheets.SheetProperties, id int64) *sheets.SheetProperties {
	return first(tabs, func(t *sheets.SheetProperties) bool { return t.SheetId == id })
}

func first(tabs []*sheets.SheetProperties, is func(*sheets.SheetProperties) bool) *sheets.SheetProperties {
	if i := slices.IndexFunc(tabs, is); i >= 0 {
		return tabs[i]
	}
	return nil
}

// tabs reads which tabs there are; no cell is read.
func (d *Destination) tabs(ctx context.Context) (tabs []*sheets.SheetProperties, err error) {
	err = d.Caller.Do(ctx, func(ctx context.Context, _ error) error {
		answer, err := d.client.Get(d.id).
			Fields("sheets.properties(sheetId,title,hidden,gridProperties(rowCount,columnCount))").Context(ctx).Do()
		if err != nil {
			return err
		}
		tabs = nil
		for _, sheet := range answer.Sheets {
			tabs = append(tabs, sheet.Properties)
		}
		return nil
	})
	return tabs, err
}

// rounds is how often the tabs are looked at again when others change them at the same time.
const rounds = 6

// change looks at the tabs and changes them in one step, all or nothing, as plan says; no requests mean that all is as it
// should be. When the step is refused, since another has changed the tabs in between or our own answer was lost, it looks
// again. Lost tells the plan that an earlier step may have been taken.
func (d *Destination) change(
	ctx context.Context, plan func(tabs []*sheets.SheetProperties, lost bool) ([]*sheets.Request, error),
) error {
	lost := false
	var refused error
	for round := range rounds {
		tabs, err := d.tabs(ctx)
		if err != nil {
			return err
		}
		requests, err := plan(tabs, lost)
		if err != nil || len(requests) == 0 {
			return err
		}
		refused = d.Caller.Do(ctx, func(ctx context.Context, earlier error) error {
			lost = lost || earlier != nil && cloud.Status(earlier) != http.StatusTooManyRequests
			_, err := d.client.BatchUpdate(d.id, &sheets.BatchUpdateSpreadsheetRequest{Requests: requests}).
				Fields("spreadsheetId").Context(ctx).Do()
			return err
		})
		if cloud.Status(refused) != http.StatusBadRequest || cloud.Says(refused, noRoom, noSpreadsheet) {
			return refused
		}
		if err := d.Caller.Wait(ctx, round); err != nil {
			return err
		}
	}
	return refused
}

// old are the tabs to be removed: audiences of more than the days before the audience's own day, and what dead writers
// left behind. One tab that can be seen must stay, or Sheets refuses.
func (d *Destination) old(tabs []*sheets.SheetProperties, date functions.Date) []*sheets.SheetProperties {
	var old []*sheets.SheetProperties
	seen := 0
	for _, t := range tabs {
		if !t.Hidden {
			seen++
		}
	}
	for _, t := range tabs {
		day, ours := dayOf(t.Title)
		if expired := ours && d.days > 0 && day.Before(date.AddDays(-d.days)); !expired && !abandoned(t.Title, d.Now()) {
			continue
		}
		if !t.Hidden {
			if seen == 1 {
				continue // it goes with the next delivery
			}
			seen--
		}
		old = append(old, t)
	}
	return old
}

func remove(tab int64) *sheets.Request {
	return &sheets.Request{DeleteSheet: &sheets.DeleteSheetRequest{SheetId: tab, ForceSendFields: []string{"SheetId"}}}
}

// room is resource_exhausted when the draft, and after it the tab that it will be copied to, do not fit.
func room(tabs, old []*sheets.SheetProperties, draft draft) error {
	cells, count := 2*draft.rows*draft.cols, len(tabs)-len(old)+1
	for _, t := range tabs {
		if t.GridProperties != nil && !slices.Contains(old, t) {
			cells += t.GridProperties.RowCount * t.GridProperties.ColumnCount
		}
	}
	if cells > mostCells || count > mostTabs {
		return full()
	}
	return nil
}
