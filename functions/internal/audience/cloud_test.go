package audience_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
	"github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
)

const (
	spreadsheet = "1aBcD_efGhIjKlMnOpQrStUvWxYz-0123456789"
	account     = "exports@project.iam.gserviceaccount.com"
)

// clouds are the places of a company, on loopback: a bucket, a spreadsheet, and who signs links.
type clouds struct {
	*audience.Exporter
	storage *cloudtest.Storage
	sheets  *cloudtest.Sheets
	iam     *cloudtest.IAM
	logged  bytes.Buffer
}

func inTheCloud(t *testing.T) *clouds {
	t.Helper()
	c := &clouds{storage: cloudtest.NewStorage(t, "exports"), sheets: cloudtest.NewSheets(t, spreadsheet), iam: cloudtest.NewIAM(t, account)}
	bucket, err := gcsdestination.Open(t.Context(), &url.URL{Scheme: "gs", Host: "exports", RawQuery: "signer=" + account}, c.storage.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	bucket.Signing = cloudtest.Options(c.iam.Address)
	sheet, err := sheetsdestination.Open(t.Context(), &url.URL{Scheme: "sheets", Host: spreadsheet}, c.sheets.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	c.Exporter = &audience.Exporter{
		Warehouse: stored(t, scored("007", functions.P1, 90), scored("b", functions.P1, 80.5)),
		CSV:       func(context.Context) (destination.Destination, error) { return bucket, nil },
		Sheets:    func(context.Context) (destination.Destination, error) { return sheet, nil },
		Logger:    slog.New(slog.NewJSONHandler(&c.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return c
}

func TestBothInTheCloud(t *testing.T) {
	t.Parallel()
	c := inTheCloud(t)
	for range 2 { // again, as after a lost answer
		out, err := c.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1, Destination: functions.TargetBoth}, "pilot")
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Notes) != 0 || out.CSVURL != "https://storage.cloud.google.com/exports/pilot/2026-01-12_P1.csv" ||
			!strings.HasPrefix(out.GSheetURL, "https://docs.google.com/spreadsheets/d/"+spreadsheet+"/edit#gid=") {
			t.Errorf("Export = %+v", out)
		}
	}
	file, err := c.storage.GetObject("exports", "pilot/2026-01-12_P1.csv")
	if err != nil {
		t.Fatal(err)
	}
	csv := parse(t, string(file.Content), ',')
	tabs := c.sheets.Tabs()
	if len(tabs) != 2 || tabs[1].Title != "pilot-20260112-P1" {
		t.Fatalf("the spreadsheet holds %+v", tabs)
	}
	if diff := cmp.Diff([]string{"007", "b"}, []string{csv[1][1], csv[2][1]}); diff != "" {
		t.Errorf("customers in the file (-want +got)\n%s", diff)
	}
	for i, row := range tabs[1].Cells {
		if diff := cmp.Diff(csv[i][:4], row[:4]); diff != "" {
			t.Errorf("row %d of the sheet (-file +sheet)\n%s", i, diff)
		}
	}
}

func TestTheFileStandsInForASheetOfTheCloud(t *testing.T) {
	t.Parallel()
	const stands = "the sheet could not be written; the CSV file stands in for it: "
	for name, row := range map[string]struct {
		fault cloudtest.Fault
		want  string
	}{
		"not shared":      {cloudtest.Refuse(403, "forbidden", "The caller does not have permission"), stands + "writing an audience sheet is refused by the spreadsheet"},
		"not there":       {cloudtest.Refuse(404, "notFound", "secret"), stands + "writing an audience sheet is not possible: the spreadsheet is not there"},
		"over the quota":  {cloudtest.Refuse(429, "rateLimitExceeded", "secret", "Retry-After", "60"), stands + "writing an audience sheet is held back by the rate limit"},
		"full":            {cloudtest.Refuse(400, "badRequest", "above the limit of 10000000 cells"), stands + "the spreadsheet is full"},
		"a fault of ours": {cloudtest.Refuse(400, "badRequest", "secret"), strings.TrimSuffix(stands, ": ")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := inTheCloud(t)
			for range 10 {
				c.sheets.Script.Add(http.MethodPost, "", row.fault)
			}
			out, err := c.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1, Destination: functions.TargetBoth}, "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{row.want}, out.Notes); diff != "" || out.CSVURL == "" || out.GSheetURL != "" {
				t.Errorf("Export = %+v (-want +got)\n%s", out, diff)
			}
			if _, err := c.storage.GetObject("exports", "2026-01-12_P1.csv"); err != nil {
				t.Errorf("the file that stands in: %v", err)
			}
		})
	}
}

func TestASignedLinkStandsInTheAnswerAlone(t *testing.T) {
	t.Parallel()
	c := inTheCloud(t)
	in := functions.ExportAudienceInput{Tier: functions.P1, Destination: functions.TargetBoth, SignedMinutes: 720}
	c.sheets.Script.Add("", "", cloudtest.Refuse(403, "forbidden", "")) // so that something is logged
	out, err := c.Export(t.Context(), day, in, "")
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(out.SignedURL)
	if err != nil || link.Path != "/exports/2026-01-12_P1.csv" || link.Query().Get("X-Goog-Expires") != "43200" || link.Query().Get("X-Goog-Signature") == "" {
		t.Fatalf("the signed link is %q, %v", out.SignedURL, err)
	}
	out.SignedURL = ""
	rest, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if c.logged.Len() == 0 {
		t.Error("nothing was logged: the test would not see a leak")
	}
	for place, text := range map[string]string{"the rest of the answer": string(rest), "the log": c.logged.String()} {
		if strings.Contains(text, "X-Goog") || strings.Contains(text, link.Query().Get("X-Goog-Signature")) {
			t.Errorf("%s holds the signature: %s", place, text)
		}
	}
	// Without being asked for there is none, and a run never asks.
	in.SignedMinutes = 0
	if out, err := c.Export(t.Context(), day, in, ""); err != nil || out.SignedURL != "" {
		t.Errorf("Export = %+v, %v", out, err)
	}
	in.SignedMinutes, in.DryRun = 60, true
	if out, err := c.Export(t.Context(), day, in, ""); err != nil || out.SignedURL != "" {
		t.Errorf("a dry run = %+v, %v", out, err)
	}
}

func TestWhatCannotBeSigned(t *testing.T) {
	t.Parallel()
	refused := inTheCloud(t)
	refused.iam.Script.Add("", "", cloudtest.Refuse(403, "forbidden", "secret"))
	files, dir := exporter(t, stored(t, scored("a", functions.P1, 90)))
	none, _ := exporter(t, stored(t, scored("a", functions.P1, 90)))
	none.CSV = nil
	for _, row := range []struct {
		name string
		e    *audience.Exporter
		in   functions.ExportAudienceInput
		want functions.Code
		hint string
	}{
		{"files of this machine", files, functions.ExportAudienceInput{SignedMinutes: 5}, functions.FailedPrecondition, "gs://bucket"},
		{"a dry run says it too", files, functions.ExportAudienceInput{SignedMinutes: 5, DryRun: true}, functions.FailedPrecondition, "gs://bucket"},
		{"no place for files", none, functions.ExportAudienceInput{SignedMinutes: 5}, functions.FailedPrecondition, "RETENTIONOPS_EXPORTS"},
		{"an account that may not", refused.Exporter, functions.ExportAudienceInput{SignedMinutes: 5}, functions.FailedPrecondition, "Token Creator"},
		{"too long", refused.Exporter, functions.ExportAudienceInput{SignedMinutes: 721}, functions.InvalidArgument, "1 to 720"},
		{"less than nothing", refused.Exporter, functions.ExportAudienceInput{SignedMinutes: -1}, functions.InvalidArgument, "1 to 720"},
		{"a sheet", refused.Exporter, functions.ExportAudienceInput{SignedMinutes: 5, Destination: functions.TargetGSheet}, functions.InvalidArgument, "csv, both"},
	} {
		row.in.Tier = functions.P1
		out, err := row.e.Export(t.Context(), day, row.in, "")
		problem := functions.ProblemOf(err, "")
		if problem.Code != row.want || !strings.Contains(problem.Hint, row.hint) || strings.Contains(problem.Detail, "secret") {
			t.Errorf("%s: Export = %+v, %v; want %s with the hint %q", row.name, out, err, row.want, row.hint)
		}
	}
	if out, err := files.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1}, ""); err != nil || !strings.Contains(out.CSVURL, dir) {
		t.Errorf("Export = %+v, %v", out, err)
	}
}
