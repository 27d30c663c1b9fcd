package sheetsdestination_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	"github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
)

const spreadsheet = "1aBcD_efGhIjKlMnOpQrStUvWxYz-0123456789"

var day = functions.Date{Year: 2026, Month: 1, Day: 12}

// open is the destination of a spreadsheet; query is what stands behind the question mark.
func open(tb testing.TB, fake *cloudtest.Sheets, query string) *sheetsdestination.Destination {
	tb.Helper()
	d, err := sheetsdestination.Open(tb.Context(), &url.URL{Scheme: "sheets", Host: spreadsheet, RawQuery: query}, fake.Options()...)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// at is the tab that a link leads to.
func at(fake *cloudtest.Sheets, link string) (cloudtest.Tab, error) {
	gid, found := strings.CutPrefix(link, "https://docs.google.com/spreadsheets/d/"+spreadsheet+"/edit#gid=")
	if found {
		for _, tab := range fake.Tabs() {
			if strconv.FormatInt(tab.ID, 10) == gid && !tab.Hidden {
				return tab, nil
			}
		}
	}
	return cloudtest.Tab{}, fmt.Errorf("nothing can be seen at %q", link)
}

// read gives the cells behind a link with every digit of their numbers.
func read(fake *cloudtest.Sheets) func(link string) ([][]string, error) {
	return func(link string) ([][]string, error) {
		tab, err := at(fake, link)
		if err != nil {
			return nil, err
		}
		cells := make([][]string, len(tab.Values))
		for i, row := range tab.Values {
			for _, value := range row {
				text := ""
				switch v := value.(type) {
				case float64:
					text = strconv.FormatFloat(v, 'f', -1, 64)
				case string:
					text = v
				}
				cells[i] = append(cells[i], text)
			}
		}
		return cells, nil
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	destinationtest.Run(t, func(t *testing.T) destinationtest.Harness {
		t.Helper()
		fake := cloudtest.NewSheets(t, spreadsheet)
		return destinationtest.Harness{Destination: open(t, fake, ""), Read: read(fake)}
	})
}

func deliver(t *testing.T, d destination.Destination, a destination.Audience) string {
	t.Helper()
	link, err := d.Deliver(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// titles are the tabs in their order; a hidden one stands in brackets.
func titles(fake *cloudtest.Sheets) (titles []string) {
	for _, tab := range fake.Tabs() {
		if tab.Hidden {
			tab.Title = "(" + tab.Title + ")"
		}
		titles = append(titles, tab.Title)
	}
	return titles
}

func TestWhatAPersonSees(t *testing.T) {
	t.Parallel()
	fake := cloudtest.NewSheets(t, spreadsheet)
	a := destination.Audience{
		Date: day, Tier: functions.P1, Folder: "shadow",
		Columns: []destination.Column{
			{Name: "run_date", Kind: destination.Day},
			{Name: "customer_id"},
			{Name: "total_orders", Kind: destination.Number},
			{Name: "total_revenue", Kind: destination.Number},
			{Name: "reason"},
		},
		Rows: [][]string{
			{"2026-01-12", "007", "12", "1234567.50", "=HYPERLINK(\"https://x\")"},
			{"2026-01-12", "12E5", "1200", "-0.128", "TRUE"},
			{"2026-01-12", "'+49", "", "12345678901234567.89", "<b> & \"c\"\nd"},
		},
	}
	tab, err := at(fake, deliver(t, open(t, fake, ""), a))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"run_date", "customer_id", "total_orders", "total_revenue", "reason"},
		{"2026-01-12", "007", "12", "1,234,567.50", "=HYPERLINK(\"https://x\")"},
		{"2026-01-12", "12E5", "1,200", "-0.13", "TRUE"},
		{"2026-01-12", "'+49", "", "12345678901234567.89", "<b> & \"c\"\nd"}, // too long for a number of Sheets: exact, as text
	}
	if diff := cmp.Diff(want, tab.Cells); diff != "" {
		t.Errorf("cells (-want +got)\n%s", diff)
	}
	if _, text := tab.Values[1][1].(string); !text {
		t.Errorf("the id is %T", tab.Values[1][1])
	}
	if number, ok := tab.Values[1][3].(float64); !ok || number != 1234567.5 {
		t.Errorf("the amount is %v (%T)", tab.Values[1][3], tab.Values[1][3])
	}
	if number, ok := tab.Values[2][3].(float64); !ok || number != -0.128 {
		t.Errorf("behind the rounded amount stands %v", tab.Values[2][3])
	}
	if tab.Title != "shadow-20260112-P1" || tab.Hidden || tab.Frozen != 1 || tab.Bold != 1 || tab.Rows != 4 {
		t.Errorf("the tab is %+v", tab)
	}
	if diff := cmp.Diff([]string{"Sheet1", "shadow-20260112-P1"}, titles(fake)); diff != "" {
		t.Errorf("tabs (-want +got)\n%s", diff)
	}
}
