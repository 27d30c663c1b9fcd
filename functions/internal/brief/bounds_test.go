package brief_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

type block struct {
	Type string `json:"type"`
	Text *struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Verbatim bool   `json:"verbatim"`
	} `json:"text"`
}

func blocksOf(t *testing.T, out functions.GenerateBriefOutput) []block {
	t.Helper()
	var blocks []block
	if err := json.Unmarshal(out.Blocks, &blocks); err != nil {
		t.Fatal(err)
	}
	return blocks
}

const cutNote = "_This message was cut to fit Slack. The whole brief: generate_brief with format markdown._"

func notes(n int, text string) brief.Data {
	data := brief.Data{Date: "2026-01-12", Severity: "WARNING"}
	for i := range n {
		data.Notes = append(data.Notes, fmt.Sprintf("%03d %s", i, text))
	}
	return data
}

func TestSlackMessageKeepsSlacksLimits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		data       brief.Data
		blocks     int
		cut        bool
	}{
		{"paragraphs are sections, three dashes a divider", "One\n\nTwo\nlines\n\n---\n\nThree", brief.Data{}, 5, false},
		{"a long paragraph is split at its lines", "{{range .Notes}}\n{{.}}\n{{end}}", notes(50, strings.Repeat("a", 90)), 3, false},
		{"a long line is cut", "{{range .Notes}}\n{{.}}\n{{end}}", notes(1, strings.Repeat("a", 4000)), 2, false},
		{"many paragraphs end at 50 blocks", "{{range .Notes}}\n{{.}}\n\n{{end}}", notes(80, "x"), 50, true},
		{"many characters end at the budget", "{{range .Notes}}\n{{.}}\n{{end}}", notes(200, strings.Repeat("a", 90)), 6, true},
		{"escapes count", "{{range .Notes}}\n{{.}}\n{{end}}", notes(200, strings.Repeat("&", 20)), 6, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := with("-")
			files["brief.slack.tmpl"].Data = []byte(test.body)
			test.data.Date = "2026-01-12"
			out := render(t, loaded(t, files), functions.FormatSlack, test.data)
			blocks := blocksOf(t, out)
			if len(blocks) != test.blocks {
				t.Errorf("%d blocks, want %d", len(blocks), test.blocks)
			}
			if n := utf8.RuneCount(out.Blocks); n > 10_000 {
				t.Errorf("the blocks have %d characters, want at most 10000", n)
			}
			for i, block := range blocks {
				if block.Type == "divider" {
					continue
				}
				if n := utf8.RuneCountInString(block.Text.Text); n == 0 || n > 3000 {
					t.Errorf("block %d has %d characters, want 1 to 3000", i, n)
				}
				if i > 0 && (block.Text.Type != "mrkdwn" || !block.Text.Verbatim) {
					t.Errorf("block %d is %+v, want verbatim mrkdwn: else Slack makes links of plain text", i, block.Text)
				}
			}
			last := blocks[len(blocks)-1]
			if got := last.Text.Text == cutNote; got != test.cut {
				t.Errorf("the last block is %q: cut %t, want %t", last.Text.Text, got, test.cut)
			}
			if test.cut {
				before := blocks[len(blocks)-2].Text.Text
				line := before[strings.LastIndexByte(before, '\n')+1:]
				escaped := strings.NewReplacer("&", "&amp;")
				whole := func(note string) bool { return escaped.Replace(note) == line }
				found := false
				for _, note := range test.data.Notes {
					found = found || whole(note)
				}
				if !found {
					t.Errorf("the message ends with half a line: %q", line)
				}
			}
		})
	}
}

func TestSlackTextIsCutAtALine(t *testing.T) {
	t.Parallel()
	files := with("-")
	files["brief.slack.tmpl"].Data = []byte("{{range .Notes}}\n{{.}}\n{{end}}")
	out := render(t, loaded(t, files), functions.FormatSlack, notes(900, strings.Repeat("é", 45)))
	if n := utf8.RuneCountInString(out.Text); n > 40_000 || n < 39_000 {
		t.Errorf("the text has %d characters, want a little under 40000", n)
	}
	lines := strings.Split(out.Text, "\n")
	if got := lines[len(lines)-1]; got != cutNote {
		t.Errorf("the text ends with %q", got)
	}
	if got, want := lines[len(lines)-3], strings.Repeat("é", 45); !strings.HasSuffix(got, want) {
		t.Errorf("the last line is %q", got)
	}
}

// crowd is a brief with many customers in each tier.
func crowd(n int, reason string) brief.Data {
	data := brief.Data{Date: "2026-01-12", Severity: "WARNING", ActionNeeded: true, Customers: 1}
	for _, tier := range functions.Tiers {
		shown := brief.Tier{Name: string(tier)}
		for i := range n {
			shown.Top = append(shown.Top, brief.Customer{Rank: i + 1, Reason: reason})
		}
		data.Tiers = append(data.Tiers, shown)
	}
	return data
}

func TestAMailThatIsTooLongHasShorterLists(t *testing.T) {
	t.Parallel()
	data := crowd(50, strings.Repeat("<", 500))
	data.Notes = []string{"A note."}
	out := render(t, shipped(t), functions.FormatEmail, data)
	if len(out.HTML) > 100_000 {
		t.Errorf("the page has %d bytes", len(out.HTML))
	}
	if strings.Count(out.HTML, "The lists of customers were shortened") != 1 {
		t.Error("the page does not say once that its lists were shortened")
	}
	if !strings.Contains(out.HTML, strings.Repeat("&lt;", 500)) {
		t.Error("the page has lost all customers")
	}
	if diff := cmp.Diff(crowd(50, strings.Repeat("<", 500)).Tiers, data.Tiers); diff != "" || len(data.Notes) != 1 {
		t.Errorf("the data was changed: %s", diff)
	}
}

func TestARenderingEnds(t *testing.T) {
	t.Parallel()
	const empty = "{{range .Notes}}{{range $.Notes}}{{range $.Notes}}{{range $.Notes}}{{end}}{{end}}{{end}}{{end}}"
	const doubling = `{{define "a"}}{{template "b" .}}{{template "b" .}}{{end}}{{define "b"}}{{template "c" .}}{{template "c" .}}{{end}}` +
		`{{define "c"}}{{range .Notes}}{{range $.Notes}}{{end}}{{end}}{{end}}{{template "a" .}}`
	for _, test := range []struct{ name, body string }{
		{"lists within lists that write nothing", empty},
		{"templates that call templates", doubling},
		{"a text that repeats", "{{range .Notes}}{{range $.Notes}}" + strings.Repeat("x", 1000) + "{{end}}{{end}}"},
	} {
		for _, format := range functions.Formats {
			t.Run(test.name+" as "+string(format), func(t *testing.T) {
				t.Parallel()
				templates := loaded(t, with(test.body)) // the test briefs have few notes: only real data is too much
				_, err := templates.Render(format, notes(200, "x"))
				var coded *functions.Error
				if !errors.As(err, &coded) || coded.Code != functions.FailedPrecondition || coded.Hint == "" {
					t.Errorf("error %v, want failed_precondition with a hint", err)
				}
			})
		}
	}
}

func TestUnknownFormatIsRefused(t *testing.T) {
	t.Parallel()
	_, err := shipped(t).Render("pdf", brief.Data{Date: "2026-01-12"})
	if got := functions.CodeOf(err); got != functions.InvalidArgument {
		t.Errorf("error %v, want invalid_argument", err)
	}
}
