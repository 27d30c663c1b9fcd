package audience_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/filedestination"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse" // registers duckdb:
)

// stored is a warehouse with the rows as the queue of the day.
func stored(tb testing.TB, rows ...retention.QueueRow) *warehouse.Warehouse {
	tb.Helper()
	w, err := warehouse.Open(tb.Context(), "duckdb:")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	store(tb, w, rows...)
	return w
}

func store(tb testing.TB, w *warehouse.Warehouse, rows ...retention.QueueRow) {
	tb.Helper()
	if _, err := w.ReplaceQueue(tb.Context(), day, rows, day.AddDays(-90)); err != nil {
		tb.Fatal(err)
	}
}

// exporter writes files into a directory of its own.
func exporter(tb testing.TB, w audience.Queue) (e *audience.Exporter, dir string) {
	tb.Helper()
	dir = tb.TempDir()
	return &audience.Exporter{Warehouse: w, CSV: into(dir)}, dir
}

func into(dir string) func(context.Context) (destination.Destination, error) {
	return func(context.Context) (destination.Destination, error) {
		return filedestination.Open(&url.URL{Scheme: "file", Path: dir})
	}
}

func scored(id string, tier functions.Tier, score float64) retention.QueueRow {
	row := rowOf(id)
	row.Tier, row.Score = tier, score
	return row
}

// fileBehind reads the file that a link names.
func fileBehind(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(u.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func ids(t *testing.T, file string) []string {
	t.Helper()
	var got []string
	for _, row := range parse(t, file, ',')[1:] {
		got = append(got, row[1])
	}
	return got
}

func TestATierBecomesAFile(t *testing.T) {
	t.Parallel()
	e, dir := exporter(t, stored(t,
		scored("low", functions.P1, 71.5), scored("b", functions.P1, 90), scored("+49170", functions.P1, 90),
		scored("=1+1", functions.P1, 99), scored("other tier", functions.P2, 100),
	))
	got, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1}, "shadow")
	if err != nil {
		t.Fatal(err)
	}
	digest, link := got.Digest, got.CSVURL
	got.Digest, got.CSVURL = "", ""
	want := functions.ExportAudienceOutput{
		Date: day, Tier: functions.P1, RowsExported: 3, RowsAvailable: 4, Columns: audience.Columns(), RulesVersion: "0123456789ab",
		LeftOut: []functions.LeftOut{{
			Reason:    "a spreadsheet would run the customer_id as a formula, and changing it would lose the customer",
			Customers: 1, CustomerIDs: []string{"=1+1"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got)\n%s", diff)
	}
	if link != "file://"+dir+"/shadow/2026-01-12_P1.csv" || len(digest) != 64 {
		t.Errorf("link %q, digest %q", link, digest)
	}
	if diff := cmp.Diff([]string{"+49170", "b", "low"}, ids(t, fileBehind(t, link))); diff != "" {
		t.Errorf("customers in the file (-want +got)\n%s", diff)
	}
}

func TestALimitCutsTheLowestScores(t *testing.T) {
	t.Parallel()
	w := stored(t, scored("a", functions.P2, 60), scored("b", functions.P2, 50), scored("=x", functions.P2, 55), scored("c", functions.P2, 40))
	for limit, want := range map[int][]string{1: {"a"}, 2: {"a", "b"}, 3: {"a", "b", "c"}, 4: {"a", "b", "c"}} {
		e, _ := exporter(t, w)
		out, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P2, Limit: &limit}, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, ids(t, fileBehind(t, out.CSVURL))); diff != "" {
			t.Errorf("limit %d (-want +got)\n%s", limit, diff)
		}
		if out.Truncated != (limit < 3) || out.RowsAvailable != 4 || out.LeftOut[0].Customers != 1 {
			t.Errorf("limit %d: %+v", limit, out)
		}
	}
}

func TestWithoutALimitTheDefaultHolds(t *testing.T) {
	t.Parallel()
	rows := make([]retention.QueueRow, functions.DefaultLimit+1)
	for i := range rows {
		rows[i] = rowOf(fmt.Sprintf("%05d", i))
	}
	e, _ := exporter(t, stored(t, rows...))
	out, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1}, "")
	if err != nil || out.RowsExported != functions.DefaultLimit || !out.Truncated {
		t.Errorf("Export = %d rows, truncated %v, %v; want %d", out.RowsExported, out.Truncated, err, functions.DefaultLimit)
	}
	_, report := audience.Build(day, functions.P1, rows, 0, "", audience.Settings{})
	if report.Exported != functions.DefaultLimit || !report.Truncated {
		t.Errorf("Build = %+v", report)
	}
}

func TestTheFirstTwentyLeftOutAreNamed(t *testing.T) {
	t.Parallel()
	var rows []retention.QueueRow
	for i := range 25 {
		rows = append(rows, scored(fmt.Sprintf("=%d", i), functions.P1, 99-float64(i)))
	}
	e, _ := exporter(t, stored(t, rows...))
	out, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1}, "")
	if err != nil {
		t.Fatal(err)
	}
	left := out.LeftOut[0]
	if left.Customers != 25 || len(left.CustomerIDs) != 20 || left.CustomerIDs[0] != "=0" || left.CustomerIDs[19] != "=19" {
		t.Errorf("left out = %+v", left)
	}
}

func TestAnEmptyTierIsAHeaderAndADayWithoutAQueueIsAFault(t *testing.T) {
	t.Parallel()
	w := stored(t, scored("a", functions.P1, 90))
	e, dir := exporter(t, w)
	out, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P3}, "")
	if err != nil {
		t.Fatal(err)
	}
	if out.RowsExported != 0 || out.RowsAvailable != 0 || out.RulesVersion != "0123456789ab" || out.LeftOut == nil {
		t.Errorf("an empty tier: %+v", out)
	}
	if file := fileBehind(t, out.CSVURL); file != strings.Join(audience.Columns(), ",")+"\r\n" {
		t.Errorf("an empty tier: the file is %q", file)
	}
	for date, detail := range map[functions.Date]string{
		day.AddDays(1):  "there is no queue of 2026-01-13; the newest before it is of 2026-01-12",
		day.AddDays(-1): "there is no queue of 2026-01-11",
	} {
		_, err := e.Export(t.Context(), date, functions.ExportAudienceInput{Tier: functions.P1}, "")
		problem := functions.ProblemOf(err, "")
		if problem.Code != functions.FailedPrecondition || problem.Detail != detail || !strings.Contains(problem.Hint, "build_priority_queue") {
			t.Errorf("%s: %+v", date, problem)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v; want one file", entries, err)
	}
}

func TestADryRunWritesNothingAndItsDigestHolds(t *testing.T) {
	t.Parallel()
	w := stored(t, scored("a", functions.P1, 90), scored("b", functions.P1, 80))
	e, dir := exporter(t, w)
	in := functions.ExportAudienceInput{Tier: functions.P1, DryRun: true}
	plan, err := e.Export(t.Context(), day, in, "")
	if err != nil || plan.RowsExported != 2 || plan.CSVURL != "" || !plan.DryRun {
		t.Fatalf("dry run = %+v, %v", plan, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("after a dry run the directory holds %v, %v", entries, err)
	}
	in.DryRun, in.ExpectDigest = false, plan.Digest
	store(t, w, scored("b", functions.P1, 80), scored("a", functions.P1, 90)) // the same day built again
	if out, err := e.Export(t.Context(), day, in, ""); err != nil || out.Digest != plan.Digest {
		t.Errorf("Export with the digest of the plan = %+v, %v", out, err)
	}
	store(t, w, scored("b", functions.P1, 80), scored("a", functions.P1, 89.5))
	out, err := e.Export(t.Context(), day, in, "")
	if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(functions.ProblemOf(err, "").Hint, "dry_run") {
		t.Errorf("Export after a change = %+v, %v; want failed_precondition", out, err)
	}
}

func TestTheDigestStandsForRowsRulesDestinationAndForm(t *testing.T) {
	t.Parallel()
	const version, target, place = "v1", functions.TargetCSV, "somewhere"
	var settings audience.Settings
	base := func() destination.Audience {
		a, _ := audience.Build(day, functions.P1, []retention.QueueRow{rowOf("a"), rowOf("b")}, 0, "", settings)
		return a
	}
	seen := map[string]string{}
	add := func(name, digest string) {
		if other, taken := seen[digest]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[digest] = name
	}
	a := base()
	add("the base", audience.Digest(a, version, target, place, settings))
	if audience.Digest(a, version, target, place, settings) != audience.Digest(base(), version, target, place, settings) {
		t.Error("two digests of the same differ")
	}
	add("other rules", audience.Digest(a, "v2", target, place, settings))
	add("another target", audience.Digest(a, version, functions.TargetBoth, place, settings))
	add("another place", audience.Digest(a, version, target, "elsewhere", settings))
	add("another delimiter", audience.Digest(a, version, target, place, audience.Settings{Delimiter: audience.Semicolon}))
	add("a byte order mark", audience.Digest(a, version, target, place, audience.Settings{BOM: true}))
	for name, change := range map[string]func(*destination.Audience){
		"another folder":     func(a *destination.Audience) { a.Folder = "shadow" },
		"another day":        func(a *destination.Audience) { a.Date = day.AddDays(1) },
		"another tier":       func(a *destination.Audience) { a.Tier = functions.P2 },
		"another order":      func(a *destination.Audience) { slices.Reverse(a.Rows) },
		"a row less":         func(a *destination.Audience) { a.Rows = a.Rows[:1] },
		"a cell changed":     func(a *destination.Audience) { a.Rows[1][6] = "94.6" },
		"a cell moved along": func(a *destination.Audience) { a.Rows[0][1], a.Rows[0][2] = "aA", "CTIVE" },
	} {
		changed := base()
		change(&changed)
		add(name, audience.Digest(changed, version, target, place, settings))
	}
}

// failing is a spreadsheet that cannot be written.
type failing struct{ err error }

func (f failing) Deliver(context.Context, destination.Audience) (string, error) { return "", f.err }

func (f failing) Find(context.Context, string, functions.Date, functions.Tier) (string, bool, error) {
	return "", false, f.err
}

// hanging is a spreadsheet that does not answer.
type hanging struct{ failing }

func (hanging) Deliver(ctx context.Context, _ destination.Audience) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func TestWhereAnAudienceGoes(t *testing.T) {
	t.Parallel()
	w := stored(t, scored("a", functions.P1, 90))
	answers := func(d destination.Destination, err error) func(context.Context) (destination.Destination, error) {
		return func(context.Context) (destination.Destination, error) { return d, err }
	}
	notSet := functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_SHEETS is not set")
	secret := fmt.Errorf("https://sheets/?token=s3cret: %w", errors.New("boom"))
	for _, row := range []struct {
		name    string
		sheets  func(context.Context) (destination.Destination, error)
		csvNone bool
		target  functions.Target
		dryRun  bool
		want    string // which links there are, and the note or the error
	}{
		{name: "csv is the default", want: "csv"},
		{name: "csv does not look at sheets", target: "csv", sheets: answers(nil, errors.New("must not be opened")), want: "csv"},
		{name: "both", target: "both", sheets: into(t.TempDir()), want: "csv gsheet"},
		{name: "gsheet needs no directory", target: "gsheet", csvNone: true, sheets: into(t.TempDir()), want: "gsheet"},
		{name: "csv without a directory", target: "csv", csvNone: true, want: "failed_precondition: no directory for CSV files is configured"},
		{name: "both without a directory", target: "both", csvNone: true, sheets: into(t.TempDir()), want: "failed_precondition: no directory for CSV files is configured"},
		{name: "gsheet without a spreadsheet", target: "gsheet", want: "failed_precondition: no spreadsheet is configured"},
		{name: "gsheet with none behind the setting", target: "gsheet", sheets: answers(nil, nil), want: "failed_precondition: no spreadsheet is configured"},
		{name: "gsheet that is not set", target: "gsheet", sheets: answers(nil, notSet), want: "failed_precondition: RETENTIONOPS_SHEETS is not set"},
		{name: "a dry run says it too", target: "gsheet", dryRun: true, want: "failed_precondition: no spreadsheet is configured"},
		{name: "a dry run of both", target: "both", dryRun: true, sheets: into(t.TempDir()), want: ""},
		{
			name: "both without a spreadsheet", target: "both",
			want: "csv; the sheet could not be written; the CSV file stands in for it: no spreadsheet is configured",
		},
		{
			name: "a dry run of both without a spreadsheet", target: "both", dryRun: true,
			want: "; the sheet could not be written; the CSV file stands in for it: no spreadsheet is configured",
		},
		{
			name: "both with a sheet that fails", target: "both",
			sheets: answers(failing{functions.Errorf(functions.ResourceExhausted, "the quota of the spreadsheet is used up")}, nil),
			want:   "csv; the sheet could not be written; the CSV file stands in for it: the quota of the spreadsheet is used up",
		},
		{
			name: "both with a sheet that fails for reasons of its own", target: "both", sheets: answers(failing{secret}, nil),
			want: "csv; the sheet could not be written; the CSV file stands in for it",
		},
		{
			name: "both with a sheet that does not answer", target: "both", sheets: answers(hanging{}, nil),
			want: "csv; the sheet could not be written; the CSV file stands in for it",
		},
		{
			name: "gsheet that fails", target: "gsheet", sheets: answers(failing{functions.Errorf(functions.Unavailable, "later")}, nil),
			want: "unavailable: later",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			e, _ := exporter(t, w)
			e.Sheets, e.Logger = row.sheets, slog.New(slog.NewTextHandler(&log, nil))
			if row.target == functions.TargetBoth && strings.Contains(row.name, "does not answer") {
				e.Deadline = time.Second // long enough for the file
			}
			if row.csvNone {
				e.CSV = nil
			}
			in := functions.ExportAudienceInput{Tier: functions.P1, Destination: row.target, DryRun: row.dryRun}
			out, err := e.Export(t.Context(), day, in, "")
			got := outcome(out, err)
			if got != row.want {
				t.Errorf("Export = %q, want %q", got, row.want)
			}
			if told := strings.Contains(log.String(), "stands in"); told != (len(out.Notes) > 0) {
				t.Errorf("the log has %q", log.String())
			}
		})
	}
}

// outcome puts an answer into one line.
func outcome(out functions.ExportAudienceOutput, err error) string {
	if err != nil {
		return err.Error()
	}
	var links []string
	if out.CSVURL != "" {
		links = append(links, "csv")
	}
	if out.GSheetURL != "" {
		links = append(links, "gsheet")
	}
	return strings.Join(append([]string{strings.Join(links, " ")}, out.Notes...), "; ")
}

func TestAnInputThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	e, _ := exporter(t, stored(t, scored("a", functions.P1, 90)))
	zero := 0
	for name, call := range map[string]func() error{
		"no tier": func() error {
			_, err := e.Export(t.Context(), day, functions.ExportAudienceInput{}, "")
			return err
		},
		"a limit of 0": func() error {
			_, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1, Limit: &zero}, "")
			return err
		},
		"a folder that leads away": func() error {
			_, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: functions.P1}, "..")
			return err
		},
	} {
		if err := call(); functions.CodeOf(err) != functions.InvalidArgument {
			t.Errorf("%s: %v, want invalid_argument", name, err)
		}
	}
}

func TestACallerWhoHasGoneGetsNoFile(t *testing.T) {
	t.Parallel()
	e, dir := exporter(t, stored(t, scored("a", functions.P1, 90)))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := e.Export(gone, day, functions.ExportAudienceInput{Tier: functions.P1}, ""); err == nil {
		t.Errorf("Export = %+v, want an error", out)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestTheDigestStandsForThePlacesOfItsTarget(t *testing.T) {
	t.Parallel()
	w := stored(t, scored("a", functions.P1, 90))
	for _, row := range []struct {
		target      functions.Target
		csv, sheets bool // whether it stands for the place
	}{
		{functions.TargetCSV, true, false}, {functions.TargetGSheet, false, true}, {functions.TargetBoth, true, true},
	} {
		digest := func(csv, sheets string) string {
			e, _ := exporter(t, w)
			e.Sheets, e.CSVAt, e.SheetsAt = into(t.TempDir()), csv, sheets
			in := functions.ExportAudienceInput{Tier: functions.P1, Destination: row.target, DryRun: true}
			out, err := e.Export(t.Context(), day, in, "")
			if err != nil {
				t.Fatal(err)
			}
			return out.Digest
		}
		before := digest("file:///a", "sheets://a")
		if moved := digest("file:///b", "sheets://a") != before; moved != row.csv {
			t.Errorf("%s: another directory changes the digest: %t", row.target, moved)
		}
		if moved := digest("file:///a", "sheets://b") != before; moved != row.sheets {
			t.Errorf("%s: another spreadsheet changes the digest: %t", row.target, moved)
		}
	}
}

func TestWhatWasJudgedLeavesWhateverIsStored(t *testing.T) {
	t.Parallel()
	rows := []retention.QueueRow{
		scored("a", functions.P1, 90), scored("b", functions.P1, 80), scored("c", functions.P2, 70), scored("d", functions.P3, 60),
	}
	judged := &retention.Assessment{AsOf: day, RulesVersion: "0123456789ab", Rows: rows}
	e, _ := exporter(t, stored(t, rows...))
	for tier, want := range map[functions.Tier][]string{functions.P1: {"a", "b"}, functions.P2: {"c"}, functions.P3: {"d"}} {
		plan, err := e.Export(t.Context(), day, functions.ExportAudienceInput{Tier: tier}, "")
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Deliver(t.Context(), judged, tier, functions.TargetCSV, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plan, out); diff != "" {
			t.Errorf("%s: as stored (-), as judged (+):\n%s", tier, diff)
		}
		if diff := cmp.Diff(want, ids(t, fileBehind(t, out.CSVURL))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tier, diff)
		}
	}
	e.Warehouse = nil // it is not asked
	judged.Rows = rows[:2]
	out, err := e.Deliver(t.Context(), judged, functions.P2, functions.TargetCSV, "")
	if err != nil || out.RowsExported != 0 || out.RulesVersion != "0123456789ab" {
		t.Errorf("an empty tier: %+v, %v", out, err)
	}
	if _, err := e.Deliver(t.Context(), judged, functions.P1, functions.TargetCSV, ".."); functions.CodeOf(err) != functions.InvalidArgument {
		t.Errorf("a folder that leads away: %v, want invalid_argument", err)
	}
}

func TestReadyTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	broken := func(context.Context) (destination.Destination, error) {
		return nil, functions.Errorf(functions.Unavailable, "not there")
	}
	for _, row := range []struct {
		name        string
		csv, sheets func(context.Context) (destination.Destination, error)
		target      functions.Target
		want        functions.Code
	}{
		{"a directory", into(t.TempDir()), nil, functions.TargetCSV, ""},
		{"no directory", nil, into(t.TempDir()), functions.TargetCSV, functions.FailedPrecondition},
		{"a directory that cannot be opened", broken, nil, functions.TargetCSV, functions.Unavailable},
		{"a file stands in for a sheet", into(t.TempDir()), broken, functions.TargetBoth, ""},
		{"both need the file", broken, into(t.TempDir()), functions.TargetBoth, functions.Unavailable},
		{"no spreadsheet", into(t.TempDir()), nil, functions.TargetGSheet, functions.FailedPrecondition},
		{"a spreadsheet", broken, into(t.TempDir()), functions.TargetGSheet, ""},
	} {
		e := &audience.Exporter{CSV: row.csv, Sheets: row.sheets}
		if err := e.Ready(t.Context(), row.target); functions.CodeOf(err) != row.want {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}
