package sheetsdestination_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/api/sheets/v4"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	"github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
)

func TestOldTabsAreRemoved(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC)
	dead := fmt.Sprintf("retentionops writing %d-abc", now.Add(-2*time.Hour).Unix())
	alive := fmt.Sprintf("retentionops writing %d-def", now.Add(-time.Minute).Unix())
	people := []string{
		"Notes", "20250101", "20250101-P4", "20251301-P1", "Copy of 20250101-P1", "20250101-P1 (2)", "a b-20250101-P1", "retentionops writing a poem",
	}
	ours := []string{"20250101-P1", "shadow-20251013-P3", "20251014-P2", "20260111-P1", "20260301-P1", dead, alive}
	for query, gone := range map[string][]string{
		"":           {"20250101-P1", "shadow-20251013-P3", dead}, // 90 days before the day that is delivered
		"days=90":    {"20250101-P1", "shadow-20251013-P3", dead},
		"days=10000": {dead},
		"days=0":     {dead},
		"days=1":     {"20250101-P1", "shadow-20251013-P3", "20251014-P2", dead},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			fake := cloudtest.NewSheets(t, spreadsheet)
			want := []string{"Sheet1"}
			for _, title := range append(append([]string{}, people...), ours...) {
				fake.AddTab(title, []string{"x"})
				if !strings.Contains(strings.Join(gone, "\n")+"\n", title+"\n") {
					want = append(want, title)
				}
			}
			d := open(t, fake, query)
			d.Now = func() time.Time { return now }
			deliver(t, d, destinationtest.New("", day, functions.P1, "a"))
			if diff := cmp.Diff(append(want, "20260112-P1"), titles(fake)); diff != "" {
				t.Errorf("tabs (-want +got)\n%s", diff)
			}
		})
	}
}

// Sheets wants one tab that can be seen: when all that can be are old, the last goes with the next delivery.
func TestTheLastTabStaysUntilThereIsAnother(t *testing.T) {
	t.Parallel()
	fake := cloudtest.NewSheets(t, spreadsheet)
	fake.AddTab("20240101-P1")
	fake.AddTab("20240101-P2")
	fake.RemoveTab(0)
	d := open(t, fake, "")
	for tier, want := range map[functions.Tier][]string{functions.P1: {"20240101-P2", "20260112-P1"}} {
		deliver(t, d, destinationtest.New("", day, tier, "a"))
		if diff := cmp.Diff(want, titles(fake)); diff != "" {
			t.Errorf("tabs (-want +got)\n%s", diff)
		}
	}
	deliver(t, d, destinationtest.New("", day, functions.P2, "a"))
	if diff := cmp.Diff([]string{"20260112-P1", "20260112-P2"}, titles(fake)); diff != "" {
		t.Errorf("tabs (-want +got)\n%s", diff)
	}
}

func TestAFullSpreadsheetIsToldBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	many := cloudtest.NewSheets(t, spreadsheet)
	for i := range 199 {
		many.AddTab(fmt.Sprint("tab ", i))
	}
	wide := destinationtest.New("", day, functions.P1, "a")
	wide.Columns = make([]destination.Column, 3_000_000)
	wide.Rows = nil
	for name, row := range map[string]struct {
		fake *cloudtest.Sheets
		a    destination.Audience
	}{
		"too many tabs":  {many, destinationtest.New("", day, functions.P1, "a")},
		"too many cells": {cloudtest.NewSheets(t, spreadsheet), wide},
	} {
		_, err := open(t, row.fake, "").Deliver(t.Context(), row.a)
		problem := functions.ProblemOf(err, "")
		if problem.Code != functions.ResourceExhausted || !strings.Contains(problem.Hint, "RETENTIONOPS_SHEETS_DAYS") {
			t.Errorf("%s: %v", name, err)
		}
		if seen := row.fake.Script.Requests(); len(seen) != 1 { // a look
			t.Errorf("%s: requests %q", name, seen)
		}
	}
}

func TestALongListGoesInChunks(t *testing.T) {
	t.Parallel()
	fake := cloudtest.NewSheets(t, spreadsheet)
	var ids []string
	for i := range 12_000 {
		ids = append(ids, fmt.Sprintf("%05d <%s> & %s\n", i, strings.Repeat("\"", 20), strings.Repeat("东京", 60)))
	}
	var sizes []int64
	measure := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		sizes = append(sizes, r.ContentLength)
		next.ServeHTTP(w, r)
	}
	fake.Script.Add(http.MethodPut, "", measure, measure, measure, measure, measure, measure, measure, measure)
	a := destinationtest.New("", day, functions.P1, ids...)
	got, err := read(fake)(deliver(t, open(t, fake, ""), a))
	if diff := cmp.Diff(destinationtest.Cells(a), got); err != nil || diff != "" {
		t.Errorf("behind the link: %v (-want +got)\n%s", err, diff)
	}
	if len(sizes) < 3 {
		t.Errorf("%d requests with cells", len(sizes))
	}
	for _, size := range sizes {
		if size <= 0 || size > 2_000_000 {
			t.Errorf("a request of %d bytes; Google recommends 2 MB at most", size)
		}
	}
}

func TestACellThatNoSpreadsheetTakes(t *testing.T) {
	t.Parallel()
	fake := cloudtest.NewSheets(t, spreadsheet)
	d := open(t, fake, "")
	deliver(t, d, destinationtest.New("", day, functions.P1, strings.Repeat("東", 50_000)))
	_, err := d.Deliver(t.Context(), destinationtest.New("", day, functions.P1, strings.Repeat("x", 50_001)))
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, "customer_id") {
		t.Errorf("got %+v", problem)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"sheets://" + spreadsheet:                   true,
		"sheets://" + spreadsheet + "/":             true,
		"sheets://" + spreadsheet + "?days=0":       true,
		"sheets://" + spreadsheet + "?days=-1":      false,
		"sheets://" + spreadsheet + "?days=x":       false,
		"sheets://" + spreadsheet + "?day=1":        false,
		"sheets://" + spreadsheet + "?days=1&a=b":   false,
		"sheets://" + spreadsheet + "/edit":         false,
		"sheets://" + spreadsheet + "#gid=0":        false,
		"sheets://user:hunter2@" + spreadsheet:      false,
		"sheets://short":                            false,
		"sheets:" + spreadsheet:                     false,
		"sheets://docs.google.com/spreadsheets/d/x": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sheetsdestination.Open(t.Context(), u, cloudtest.Options("http://127.0.0.1:1/")...)
		if good && err != nil || !good && functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v gives away the password", err)
		}
	}
}

// TestLive delivers three lists to one place of a real spreadsheet. The last stays there, for a person to look at.
func TestLive(t *testing.T) {
	place := os.Getenv("RETENTIONOPS_TEST_SHEETS")
	if place == "" {
		t.Skip("not run on Google Sheets itself: set RETENTIONOPS_TEST_SHEETS to sheets://SPREADSHEET_ID of a spreadsheet that is shared with you as an editor")
	}
	d, err := destination.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for _, ids := range [][]string{{"17850", "007", "12E5", "=1+1"}, {"13047"}, nil} {
		a := destinationtest.New("live", day, functions.P1, ids...)
		link := deliver(t, d, a)
		found, there, err := d.Find(t.Context(), a.Folder, a.Date, a.Tier)
		if err != nil || !there || found != link {
			t.Errorf("Find = %q, %v, %v; want %q", found, there, err, link)
		}
		if diff := cmp.Diff(destinationtest.Cells(a), seen(t, link)); diff != "" {
			t.Errorf("behind the link (-want +got)\n%s", diff)
		}
		links = append(links, link)
	}
	if links[0] != links[1] || links[1] != links[2] {
		t.Errorf("the links of one place differ: %q", links)
	}
}

// seen are the cells behind a link, read from Google Sheets itself.
func seen(t *testing.T, link string) [][]string {
	t.Helper()
	path, gid, _ := strings.Cut(strings.TrimPrefix(link, "https://docs.google.com/spreadsheets/d/"), "/edit#gid=")
	tab, err := strconv.ParseInt(gid, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sheets.NewService(t.Context(), option.WithScopes(sheets.SpreadsheetsScope))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Spreadsheets.Values.BatchGetByDataFilter(path, &sheets.BatchGetValuesByDataFilterRequest{
		DataFilters:       []*sheets.DataFilter{{GridRange: &sheets.GridRange{SheetId: tab}}},
		ValueRenderOption: "UNFORMATTED_VALUE",
	}).Context(t.Context()).Do()
	if err != nil {
		t.Fatal(err)
	}
	var cells [][]string
	for _, row := range answer.ValueRanges[0].ValueRange.Values {
		texts := make([]string, len(row))
		for i, value := range row {
			texts[i] = fmt.Sprint(value)
		}
		cells = append(cells, texts)
	}
	return cells
}
