package brief_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update and read what it wrote", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func shipped(tb testing.TB) *brief.Templates {
	tb.Helper()
	templates, err := brief.Load(brieftemplates.FS)
	if err != nil {
		tb.Fatal(err)
	}
	return templates
}

func TestShippedTemplatesWriteEachDayInEachFormat(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	for _, fixture := range brief.Fixtures() {
		for _, format := range functions.Formats {
			t.Run(fixture.Name+" as "+string(format), func(t *testing.T) {
				t.Parallel()
				out, err := templates.Render(format, brief.Compose(fixture.Input))
				if err != nil {
					t.Fatal(err)
				}
				wantHead := functions.GenerateBriefOutput{
					Date: fixture.Input.Decision.AlertDate, Format: format, Severity: fixture.Input.Decision.Severity,
					Phase: fixture.Input.Rollout.Phase, RulesVersion: fixture.Input.Assessment.RulesVersion, RunID: fixture.Input.RunID,
				}
				head := out
				head.Subject, head.Text, head.HTML, head.Blocks, head.Card = "", "", "", nil, nil
				if diff := cmp.Diff(wantHead, head); diff != "" {
					t.Errorf("head differs (-want +got):\n%s", diff)
				}
				switch format {
				case functions.FormatMarkdown:
					golden(t, "golden/"+fixture.Name+".md", out.Text)
				case functions.FormatSlack:
					golden(t, "golden/"+fixture.Name+".slack.txt", out.Text)
					var blocks bytes.Buffer
					if err := json.Indent(&blocks, out.Blocks, "", "  "); err != nil {
						t.Fatal(err)
					}
					golden(t, "golden/"+fixture.Name+".slack.blocks.json", blocks.String()+"\n")
				case functions.FormatEmail:
					golden(t, "golden/"+fixture.Name+".email.txt", "Subject: "+out.Subject+"\n\n"+out.Text)
					golden(t, "golden/"+fixture.Name+".email.html", out.HTML)
				case functions.FormatTeams:
					golden(t, "golden/"+fixture.Name+".teams.txt", out.Text)
					var card bytes.Buffer
					if err := json.Indent(&card, out.Card, "", "  "); err != nil {
						t.Fatal(err)
					}
					golden(t, "golden/"+fixture.Name+".teams.card.json", card.String()+"\n")
				}
			})
		}
	}
}

func TestInfoDaySaysThatNoActionIsNeeded(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	for _, fixture := range brief.Fixtures() {
		for _, format := range functions.Formats {
			out, err := templates.Render(format, brief.Compose(fixture.Input))
			if err != nil {
				t.Fatal(err)
			}
			texts := []string{out.Text}
			if format == functions.FormatEmail {
				texts = append(texts, out.HTML)
			}
			for _, text := range texts {
				info := fixture.Input.Decision.Severity == functions.Info
				if got := strings.Contains(text, "No action is needed."); got != info {
					t.Errorf("%s %s: says no action is needed: %t, want %t", fixture.Name, format, got, info)
				}
				if got := strings.Contains(strings.ToLower(text), "what to do now"); got == info {
					t.Errorf("%s %s: says what to do: %t, want %t", fixture.Name, format, got, !info)
				}
			}
		}
	}
}

func TestMailPageIsSomethingMailProgramsTake(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	for _, fixture := range brief.Fixtures() {
		out, err := templates.Render(functions.FormatEmail, brief.Compose(fixture.Input))
		if err != nil {
			t.Fatal(err)
		}
		if len(out.HTML) > 100_000 {
			t.Errorf("%s: the page has %d bytes, want at most 100000", fixture.Name, len(out.HTML))
		}
		for _, no := range []string{"<script", "<style", "<svg", "<link", "<img", "ZgotmplZ", "javascript:"} {
			if strings.Contains(strings.ToLower(out.HTML), strings.ToLower(no)) {
				t.Errorf("%s: the page holds %s", fixture.Name, no)
			}
		}
	}
}
