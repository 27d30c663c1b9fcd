package brief_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// card is a message for Teams as a reader sees it.
type card struct {
	Type        string `json:"type"`
	Attachments []struct {
		ContentType string          `json:"contentType"`
		Content     json.RawMessage `json:"content"`
	} `json:"attachments"`
	body []cardLine
}

type cardLine struct {
	Type      string `json:"type"`
	Separator bool   `json:"separator"`
	Spacing   string `json:"spacing"`
	Inlines   []struct {
		Type         string                      `json:"type"`
		Text         string                      `json:"text"`
		Weight       string                      `json:"weight"`
		SelectAction *struct{ Type, URL string } `json:"selectAction"`
	} `json:"inlines"`
}

func cardOf(tb testing.TB, out functions.GenerateBriefOutput) card {
	tb.Helper()
	var read card
	if err := json.Unmarshal(out.Card, &read); err != nil {
		tb.Fatal(err)
	}
	if len(read.Attachments) != 1 {
		tb.Fatalf("%d attachments in %s", len(read.Attachments), out.Card)
	}
	var content struct{ Body []cardLine }
	if err := json.Unmarshal(read.Attachments[0].Content, &content); err != nil {
		tb.Fatal(err)
	}
	read.body = content.Body
	return read
}

// lines are the texts of the card. What is bold stands between stars, a link as [text](address).
func (c card) lines() []string {
	var lines []string
	for _, line := range c.body {
		text := ""
		for _, run := range line.Inlines {
			part := run.Text
			if run.SelectAction != nil {
				part = "[" + part + "](" + run.SelectAction.URL + ")"
			}
			if run.Weight != "" && len(lines) > 0 {
				part = "*" + part + "*"
			}
			text += part
		}
		lines = append(lines, text)
	}
	return lines
}

// publishedSchema is that of Adaptive Cards 1.5, as Teams takes them. It is written for draft 6 of JSON Schema; what it
// uses means the same in draft 7, which the validator knows.
func publishedSchema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	text, err := os.ReadFile("testdata/adaptive-card-1.5.0.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	fixed := strings.Replace(string(text), "http://json-schema.org/draft-06/schema#", "http://json-schema.org/draft-07/schema#", 1)
	var schema jsonschema.Schema
	if err := json.Unmarshal([]byte(fixed), &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

func TestTheCardIsOneBySchema(t *testing.T) {
	t.Parallel()
	schema, templates := publishedSchema(t), shipped(t)
	for _, fixture := range brief.Fixtures() {
		out := render(t, templates, functions.FormatTeams, brief.Compose(fixture.Input))
		read := cardOf(t, out)
		if read.Type != "message" || read.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
			t.Errorf("%s: a Power Automate webhook takes no %s of %s", fixture.Name, read.Type, read.Attachments[0].ContentType)
		}
		content := object(t, string(read.Attachments[0].Content))
		if err := schema.Validate(content); err != nil {
			t.Errorf("%s: %v", fixture.Name, err)
		}
		for what, spoil := range map[string]func(line map[string]any){ // the schema does look
			"a field that a line does not have": func(line map[string]any) { line["colour"] = "red" },
			"a line of no kind":                 func(line map[string]any) { line["type"] = "RichText" },
			"a text that is a number":           func(line map[string]any) { part(t, asList(line["inlines"])[0]).(map[string]any)["text"] = 1.0 },
			"a spacing of no kind":              func(line map[string]any) { line["spacing"] = "tiny" },
		} {
			spoiled := object(t, string(read.Attachments[0].Content))
			spoil(asList(spoiled["body"])[1].(map[string]any))
			if schema.Validate(spoiled) == nil {
				t.Errorf("%s: the schema takes %s", fixture.Name, what)
			}
		}
	}
}

func TestACardIsMadeOfTheTextOfItsTemplate(t *testing.T) {
	t.Parallel()
	data := brief.Data{
		Date: "2026-01-12", Decision: "**b** [x](https://evil.example) <at>all</at> {{DATE(2026-01-12T06:00:00Z)}}",
		Dashboard: "https://d.example/?a=1&b=(2)", RunID: "https://evil.example", Notes: []string{"", "file:///x"},
	}
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"a line is a line", "One\nTwo\n\nThree", []string{"One", "Two", "Three"}},
		{"stars make bold, up to the end of the line", "a **b** c **d\ne", []string{"a *b* c *d*", "e"}},
		{"bold goes on over values", "**a {{.Date}}** b", []string{"*a 2026-01-12* b"}},
		{"a dash makes a point", "- a\n-b", []string{"• a", "-b"}},
		{"a link that the template holds", "[Wiki {{.Date}}](https://wiki.example/{{.Date}}) now", []string{"[Wiki 2026-01-12](https://wiki.example/2026-01-12) now"}},
		{"a link to an address of the brief", "[Dashboard]({{.Dashboard}})", []string{"[Dashboard](https://d.example/?a=1&b=%282%29)"}},
		{"no link to an address in a text", "[x]({{.RunID}})", []string{"[x](https://evil.example)"}},
		{"a value is text and nothing else", "{{.Decision}}", []string{data.Decision}},
		{"a dash that a value brings in is a dash", "{{slice .Date 4 6}} x", []string{"-0 x"}},
		{"a line of empty values is no line", "a\n{{index .Notes 0}}\nb", []string{"a", "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := with("-")
			files["brief.teams.tmpl"].Data = []byte("{{if .Notes}}\n" + test.body + "\n{{end}}\n-")
			out := render(t, loaded(t, files), functions.FormatTeams, data)
			want := append(append([]string{"Subject"}, test.want...), "-")
			read := cardOf(t, out)
			if diff := cmp.Diff(want, read.lines()); diff != "" {
				t.Errorf("lines differ (-want +got):\n%s", diff)
			}
			for _, line := range read.body {
				for _, run := range line.Inlines {
					if strings.Contains(run.Text, "evil") && run.SelectAction != nil {
						t.Errorf("a text of the data is a link: %+v", run)
					}
				}
			}
		})
	}
}

func TestACardShowsWhereAParagraphEnds(t *testing.T) {
	t.Parallel()
	files := with("-")
	files["brief.teams.tmpl"].Data = []byte("a\nb\n\nc\n\n---\n\nd\n")
	var got []string
	for _, line := range cardOf(t, render(t, loaded(t, files), functions.FormatTeams, brief.Data{Date: "2026-01-12"})).body {
		got = append(got, fmt.Sprintf("%s %q %t", line.Inlines[0].Text, line.Spacing, line.Separator))
	}
	want := []string{`Subject "" false`, `a "" false`, `b "none" false`, `c "" false`, `d "" true`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines differ (-want +got):\n%s", diff)
	}
}

func TestACardKeepsItsBudget(t *testing.T) {
	t.Parallel()
	schema := publishedSchema(t)
	files := with("-")
	files["brief.teams.tmpl"].Data = []byte("{{range .Notes}}\n{{.}}\n{{end}}")
	templates := loaded(t, files)
	for _, test := range []struct {
		name string
		data brief.Data
		cut  bool
	}{
		{"a short one is whole", notes(10, "x"), false},
		{"a long one is cut at a line", notes(400, strings.Repeat("é\"", 40)), true},
		{"a long line is cut", notes(1, strings.Repeat("a", 90_000)), false},
		{"long lines are cut and left out", notes(30, strings.Repeat("\"", 3000)), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out := render(t, templates, functions.FormatTeams, test.data)
			if len(out.Card) > 20_000 || test.cut && len(out.Card) < 10_000 {
				t.Errorf("the message has %d bytes, want at most 20000, and not much less when it was cut", len(out.Card))
			}
			lines := cardOf(t, out).lines()
			const note = "This message was cut to fit Teams. The whole brief: generate_brief with format markdown."
			if got := lines[len(lines)-1] == note; got != test.cut || brief.Cut(out) != test.cut || strings.HasSuffix(out.Text, note+"\n") != test.cut {
				t.Errorf("cut %t and %t, want %t; the last line is %q", got, brief.Cut(out), test.cut, lines[len(lines)-1])
			}
			for _, size := range brief.Sizes(out) {
				if !size.Fits() {
					t.Errorf("%s", size)
				}
			}
			if err := schema.Validate(object(t, string(cardOf(t, out).Attachments[0].Content))); err != nil {
				t.Error(err)
			}
		})
	}
}

// FuzzTeams looks for a text that becomes more than a text in a card.
func FuzzTeams(f *testing.F) {
	for _, text := range []string{"C-1", "**", "[x](https://e)", "\uFDD2\uFDD3\uFDD4\uFDD5", "\uFDD5https://e", "a\n---\nb", "\xff", strings.Repeat("*", 4000)} {
		f.Add(text)
	}
	templates := loaded(f, with("**a** [{{.Decision}}]({{.Decision}}) {{.Decision}} end"))
	f.Fuzz(func(t *testing.T, text string) {
		out := render(t, templates, functions.FormatTeams, brief.Data{Date: "2026-01-12", Decision: text})
		body := cardOf(t, out).body
		if len(body) != 2 || len(out.Card) > 20_000 {
			t.Fatalf("%q: %s", text, out.Card)
		}
		for i, run := range body[1].Inlines {
			if run.SelectAction != nil || (run.Weight != "") != (i == 0) || strings.ContainsAny(run.Text, "\uFDD2\uFDD3\uFDD4\uFDD5\n") {
				t.Errorf("%q: run %+v", text, run)
			}
		}
	})
}
