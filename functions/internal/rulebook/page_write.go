package rulebook

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"unicode"
)

// Markdown writes the document as Markdown. No text of the rules can make anything else of it than text.
func (p Page) Markdown(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# The rules\n\nrules_version `%s`", p.RulesVersion)
	if p.Phase != "" {
		fmt.Fprintf(&out, ", phase %s", inMarkdown(string(p.Phase)))
	}
	out.WriteString("\n")
	for _, s := range p.Sections {
		fmt.Fprintf(&out, "\n## %s\n", inMarkdown(s.Title))
		for _, text := range s.Text {
			fmt.Fprintf(&out, "\n%s\n", inMarkdown(text))
		}
		for _, t := range s.Tables {
			if t.Caption != "" {
				fmt.Fprintf(&out, "\n**%s**\n", inMarkdown(t.Caption))
			}
			out.WriteString("\n")
			tableRow(&out, t.Head)
			tableRow(&out, strings.Split(strings.Repeat("---,", len(t.Head)-1)+"---", ","))
			for _, cells := range t.Rows {
				tableRow(&out, cells)
			}
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func tableRow(out *strings.Builder, cells []string) {
	for _, cell := range cells {
		if cell != "---" {
			cell = inMarkdown(cell)
		}
		out.WriteString("| " + cell + " ")
	}
	out.WriteString("|\n")
}

// inMarkdown is a text in which no sign means anything. A _ or - inside of a word means nothing anyway and stays
// readable.
func inMarkdown(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	runes := []rune(text)
	var out strings.Builder
	word := func(at int) bool {
		return at >= 0 && at < len(runes) && (unicode.IsLetter(runes[at]) || unicode.IsDigit(runes[at]))
	}
	for i, r := range runes {
		switch {
		case strings.ContainsRune("\\`*[]<>|&~!#", r), r == '_' && (!word(i-1) || !word(i+1)),
			i == 0 && strings.ContainsRune("-+=:", r):
			out.WriteRune('\\')
		case r == ':' && strings.HasPrefix(string(runes[i:min(len(runes), i+3)]), "://"),
			r == '.' && i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www"):
			out.WriteRune('\\') // nor does an address become a link
		}
		out.WriteRune(r)
	}
	return out.String()
}

//go:embed page.css
var pageStyle string

//go:embed page.html.tmpl
var pageText string

var pageTemplate = htmltemplate.Must(htmltemplate.New("page").Parse(pageText))

// HTML writes the document as one HTML file that needs no other, runs nothing and loads nothing: its content security
// policy lets in its own style alone.
func (p Page) HTML(w io.Writer) error {
	sum := sha256.Sum256([]byte(pageStyle))
	err := pageTemplate.Execute(w, struct {
		Page
		Policy string
		Style  htmltemplate.CSS
	}{
		p, "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
		htmltemplate.CSS(pageStyle), //nolint:gosec // it is the file beside this one
	})
	if err != nil {
		return fmt.Errorf("write the rules as HTML: %w", err)
	}
	return nil
}
