package brief_test

import (
	"testing"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

func TestStoredBriefIsTheOneThatWasSent(t *testing.T) {
	t.Parallel()
	papers, err := archive.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	templates := shipped(t)
	fixture := brief.Fixtures()[1]
	date := fixture.Input.Decision.AlertDate
	var briefs []functions.GenerateBriefOutput
	for _, format := range []functions.Format{functions.FormatSlack, functions.FormatEmail} {
		briefs = append(briefs, render(t, templates, format, brief.Compose(fixture.Input)))
	}
	if err := brief.Store(t.Context(), papers, date, nil); err != nil { // an earlier run of the day
		t.Fatal(err)
	}
	if err := brief.Store(t.Context(), papers, date, briefs); err != nil {
		t.Fatal(err)
	}
	for _, want := range briefs {
		got, err := brief.Stored(t.Context(), papers, date, want.Format)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", want.Format, diff)
		}
	}
	for _, missing := range []struct {
		name   string
		date   functions.Date
		format functions.Format
		want   string
	}{
		{"a format that was not written", date, functions.FormatMarkdown, "failed_precondition: the brief of 2026-01-19 is not stored as markdown"},
		{"a day without a run", civil.Date{Year: 2025, Month: 1, Day: 1}, functions.FormatSlack, "failed_precondition: no brief of 2025-01-01 is stored"},
	} {
		t.Run(missing.name, func(t *testing.T) {
			_, err := brief.Stored(t.Context(), papers, missing.date, missing.format)
			if err == nil || err.Error() != missing.want {
				t.Errorf("error %v, want %s", err, missing.want)
			}
		})
	}
}

func TestADamagedDocumentIsAnError(t *testing.T) {
	t.Parallel()
	papers, err := archive.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := papers.Put(t.Context(), "briefs/2026-01-12.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	_, err = brief.Stored(t.Context(), papers, civil.Date{Year: 2026, Month: 1, Day: 12}, functions.FormatSlack)
	if functions.CodeOf(err) != functions.Internal {
		t.Errorf("error %v, want internal", err)
	}
}
