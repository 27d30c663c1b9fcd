// Package preview shows a written brief as one HTML page, all formats side by side: the Slack message about as Slack
// draws it, the Markdown and the mail, each with its size beside what its medium takes.
//
// It is not where briefs are made or sent, and no deployed function links it: the page is for the person who edits
// the templates. It loads nothing and runs nothing; whatever stands in a brief is shown as text.
package preview

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

//go:embed page.html.tmpl
var pageFile string

// page escapes each value for its place; what it is handed as HTML comes from mrkdwn and markdown, which escape too.
var page = template.Must(template.New("page.html.tmpl").Parse(pageFile))

// Page is what a preview shows.
type Page struct {
	Day       string // whose brief it is, in words: "the sample day warning"
	Templates string // where the templates come from, as the person names it
	Briefs    []functions.GenerateBriefOutput
	Payloads  []Payload // what the webhook would carry; none for a real day, which only its run puts together
}

// Payload is the body of a webhook.
type Payload struct {
	Template string // the file that wrote it
	Body     []byte
}

// column is one format on the page: what its readers see, in each of the ways they may see it.
type column []panel

// panel is one of the ways. One of its five contents is set.
type panel struct {
	Name, Note, Subject string
	Sizes               []brief.Size
	Long                bool // to be scrolled within its frame

	Blocks   []block
	Card     []cardLine
	Markup   template.HTML
	Plain    string
	Document string // a whole HTML document, shown in a frame without any permission
}

// Write writes the page: one document that needs nothing else.
func (p Page) Write(to io.Writer) error {
	if len(p.Briefs) == 0 {
		return functions.Errorf(functions.InvalidArgument, "there is no brief to show")
	}
	shown := struct {
		Page
		functions.GenerateBriefOutput
		Columns []column
		Cut     bool
	}{Page: p, GenerateBriefOutput: p.Briefs[0]}
	for _, one := range p.Briefs {
		panels, err := columnOf(one)
		if err != nil {
			return err
		}
		shown.Columns = append(shown.Columns, panels)
		shown.Cut = shown.Cut || brief.Cut(one)
	}
	payloads, err := payloadColumn(p.Payloads)
	if err != nil {
		return err
	}
	if len(payloads) > 0 {
		shown.Columns = append(shown.Columns, payloads)
	}
	var written bytes.Buffer
	if err := page.Execute(&written, shown); err != nil {
		return fmt.Errorf("write the preview: %w", err)
	}
	_, err = written.WriteTo(to)
	return err
}

func columnOf(one functions.GenerateBriefOutput) (column, error) {
	sizes := brief.Sizes(one)
	only := func(parts ...string) []brief.Size {
		return slices.DeleteFunc(slices.Clone(sizes), func(s brief.Size) bool { return !slices.Contains(parts, s.Part) })
	}
	switch one.Format {
	case functions.FormatSlack:
		blocks, err := blocksOf(one.Blocks)
		if err != nil {
			return nil, err
		}
		return column{
			{
				Name: "Slack", Note: "the message in the channel; Slack puts pictures for names such as :warning:",
				Sizes: only("subject", "blocks", "longest section", "all blocks"), Blocks: blocks,
			},
			{
				Name: "Slack, text", Note: "the notification, and what is read where blocks are not shown",
				Sizes: only("text"), Markup: mrkdwn(one.Text),
			},
		}, nil
	case functions.FormatEmail:
		return column{
			{
				Name: "E-mail", Note: "the mail with HTML; pictures are not loaded here, and links are not followed",
				Subject: one.Subject, Sizes: only("subject", "html"), Document: one.HTML,
			},
			{
				Name: "E-mail, text", Note: "the mail for readers without HTML",
				Subject: one.Subject, Sizes: only("text"), Plain: one.Text,
			},
		}, nil
	case functions.FormatTeams:
		lines, err := cardOf(one.Card)
		if err != nil {
			return nil, err
		}
		return column{
			{Name: "Teams", Note: "the message in the channel, about as Teams shows it", Sizes: only("subject", "card"), Card: lines},
			{Name: "Teams, text", Note: "the same as text, for who reads no card", Sizes: only("text"), Plain: one.Text, Long: true},
		}, nil
	case functions.FormatMarkdown:
		text, err := markdown(one.Text)
		return column{{
			Name: "Markdown", Note: "the brief for tickets and files; HTML in it is shown as text",
			Subject: one.Subject, Sizes: sizes, Markup: text,
		}}, err
	default:
		return column{{Name: string(one.Format), Subject: one.Subject, Sizes: sizes, Plain: one.Text}}, nil
	}
}

// payloadColumn shows the bodies of the webhook, laid out for reading.
func payloadColumn(payloads []Payload) (column, error) {
	var shown column
	for _, one := range payloads {
		var indented bytes.Buffer
		if err := json.Indent(&indented, one.Body, "", "  "); err != nil {
			return nil, fmt.Errorf("read the payload of %s: %w", one.Template, err)
		}
		shown = append(shown, panel{
			Name: one.Template, Note: "what the webhook carries; line breaks and indents are for you and are not sent",
			Sizes: []brief.Size{brief.SizeOfPayload(one.Body)}, Plain: indented.String(), Long: true,
		})
	}
	return shown, nil
}

// cardLine is a line of a card, as far as a preview draws it.
type cardLine struct {
	Separator bool
	Spacing   string
	Inlines   []struct {
		Text, Size, Weight string
		IsSubtle           bool
		SelectAction       struct{ URL brief.URL }
	}
}

// cardOf reads the card of a message for Teams.
func cardOf(message functions.JSONObject) ([]cardLine, error) {
	var read struct {
		Attachments []struct{ Content struct{ Body []cardLine } }
	}
	if len(message) > 0 {
		if err := json.Unmarshal(message, &read); err != nil {
			return nil, fmt.Errorf("read the card: %w", err)
		}
	}
	var lines []cardLine
	for _, attachment := range read.Attachments {
		lines = append(lines, attachment.Content.Body...)
	}
	return lines, nil
}

// block is a block of a Slack message, ready to be shown.
type block struct {
	Type   string
	Markup template.HTML
	Plain  string // the text of a header; the JSON of a block that is not drawn
}

// blocksOf reads the blocks of a message. Only the kinds that a brief is made of are drawn; another is shown as JSON.
func blocksOf(encoded json.RawMessage) ([]block, error) {
	var found []json.RawMessage
	if len(encoded) > 0 {
		if err := json.Unmarshal(encoded, &found); err != nil {
			return nil, fmt.Errorf("read the Slack blocks: %w", err)
		}
	}
	shown := make([]block, 0, len(found))
	for _, one := range found {
		var read struct {
			Type string
			Text struct{ Type, Text string }
		}
		if err := json.Unmarshal(one, &read); err != nil {
			read.Type = "" // of no kind that a brief is made of
		}
		switch {
		case read.Type == "divider":
			shown = append(shown, block{Type: read.Type})
		case read.Type == "header":
			shown = append(shown, block{Type: read.Type, Plain: entities.Replace(read.Text.Text)})
		case read.Type == "section" && read.Text.Type == "mrkdwn":
			shown = append(shown, block{Type: read.Type, Markup: mrkdwn(read.Text.Text)})
		default:
			var indented bytes.Buffer
			if err := json.Indent(&indented, one, "", "  "); err != nil {
				return nil, fmt.Errorf("read the Slack blocks: %w", err)
			}
			shown = append(shown, block{Plain: indented.String()})
		}
	}
	return shown, nil
}
