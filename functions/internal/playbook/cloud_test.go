package playbook_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
	"github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
)

// inTheCloud moves a house's papers into a bucket, its files into another and its sheets into a spreadsheet.
func inTheCloud(t *testing.T, h *house) (*cloudtest.Storage, *cloudtest.Sheets) {
	t.Helper()
	const spreadsheet = "1aBcD_efGhIjKlMnOpQrStUvWxYz-0123456789"
	storage, sheets := cloudtest.NewStorage(t, "papers", "exports"), cloudtest.NewSheets(t, spreadsheet)
	papers, err := gcsarchive.Open(t.Context(), &url.URL{Scheme: "gs", Host: "papers", Path: "/house"}, storage.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := gcsdestination.Open(t.Context(), &url.URL{Scheme: "gs", Host: "exports"}, storage.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := sheetsdestination.Open(t.Context(), &url.URL{Scheme: "sheets", Host: spreadsheet}, sheets.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	builder, log := *h.Builder, *h.Log
	builder.Archive, log.Archive = papers, papers
	h.Archive, h.Builder, h.Log = papers, &builder, &log
	exporter := *h.Exporter
	exporter.CSV = func(context.Context) (destination.Destination, error) { return bucket, nil }
	exporter.Sheets = func(context.Context) (destination.Destination, error) { return sheet, nil }
	h.Target = functions.TargetBoth
	exporter.CSVAt, exporter.SheetsAt, exporter.Logger = "gs://exports", "sheets://"+spreadsheet, h.Logger
	h.Exporter = &exporter
	return storage, sheets
}

// A day is run once, whatever instance claims it, and whatever the cloud does on the way.
func TestARunInTheCloud(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		storage, sheets func(*cloudtest.Script)
		state           string
		tabs            []string
	}{
		"all well": {state: "csv and gsheet", tabs: []string{"Sheet1", "20260112-P1", "20260112-P2"}},
		"answers are lost and calls are refused for a while": {
			storage: func(s *cloudtest.Script) {
				s.Add(http.MethodPost, "papers", cloudtest.Lose, nil, cloudtest.Refuse(503, "", ""), cloudtest.Drop)
				s.Add(http.MethodPost, "exports", cloudtest.Lose)
				s.Add(http.MethodGet, "", cloudtest.Drop, cloudtest.Truncate)
			},
			sheets: func(s *cloudtest.Script) {
				s.Add("", "", cloudtest.Drop, cloudtest.Lose, cloudtest.Refuse(503, "", ""), cloudtest.Lose)
			},
			state: "csv and gsheet", tabs: []string{"Sheet1", "20260112-P1", "20260112-P2"},
		},
		"the spreadsheet is not shared": {
			sheets: func(s *cloudtest.Script) {
				for range 2 {
					s.Add("", "", cloudtest.Refuse(403, "forbidden", "The caller does not have permission"))
				}
			},
			state: "csv stood in for gsheet (2 of 2 tiers)", tabs: []string{"Sheet1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			storage, sheets := inTheCloud(t, h)
			if row.storage != nil {
				row.storage(&storage.Script)
			}
			if row.sheets != nil {
				row.sheets(&sheets.Script)
			}
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err != nil || out.DeliveryState != functions.DeliveryConfirmed {
				t.Fatalf("Run = %+v, %v", out, err)
			}
			if storage.Script.Left()+sheets.Script.Left() != 0 {
				t.Errorf("%d and %d faults were not played", storage.Script.Left(), sheets.Script.Left())
			}
			again, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err != nil || again.RunID != out.RunID || len(hook.requests()) != 1 {
				t.Errorf("again = %+v, %v with %d messages; want the result of the first", again, err, len(hook.requests()))
			}
			rows := h.rows(t)
			if len(rows) != 1 || rows[0].ExportState != row.state {
				t.Errorf("the log holds %+v, want one run with %q", rows, row.state)
			}
			var tabs []string
			for _, tab := range sheets.Tabs() {
				tabs = append(tabs, tab.Title)
			}
			if diff := cmp.Diff(row.tabs, tabs); diff != "" {
				t.Errorf("tabs (-want +got)\n%s", diff)
			}
			links := rows[0].ExportP1Link + rows[0].ExportP2Link
			if strings.Contains(links, "docs.google.com") != (len(row.tabs) > 1) || strings.Contains(links, "storage.cloud.google.com") != (len(row.tabs) == 1) {
				t.Errorf("links %s", links)
			}
		})
	}
}

// A link that opens without a login is never made by a run: not in the message, the papers, the log or a stored row.
func TestARunSignsNothing(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	inTheCloud(t, h)
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"the message": hook.requests()[0].body, "the log": h.logged.String()}
	for _, name := range h.kept(t, "") {
		document, err := h.Archive.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(document)
	}
	for _, run := range h.rows(t) {
		texts["the row"] += strings.Join([]string{run.ExportP1Link, run.ExportP2Link, run.ExportP3Link, run.ErrorMessage}, " ")
	}
	links := 0
	for place, text := range texts {
		if strings.Contains(text, "X-Goog-") || strings.Contains(text, "storage.googleapis.com") {
			t.Errorf("%s holds a signed link: %s", place, text)
		}
		if strings.Contains(text, "docs.google.com") {
			links++
		}
	}
	if links < 3 {
		t.Errorf("only %d of %d places hold a link at all: the test would not see a signed one", links, len(texts))
	}
}
