package brief

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
)

// Limits of a message in Teams.
const (
	// cardBudget is for the whole message as JSON, in bytes. Teams takes about 28 KB (learn.microsoft.com, "Format cards in
	// Teams"); refusals were seen from 21 KB on.
	cardBudget = 20_000
	// cardLineLimit is the longest line, in characters: a longer one says nothing that a person reads in a channel.
	cardLineLimit = 2_000
)

// cardVersion is the lowest version that has what our cards use (adaptivecards.io, "Schema Explorer": RichTextBlock).
const cardVersion = "1.2"

// teamsCutNote says at the end of a card that something is missing.
const teamsCutNote = "This message was cut to fit Teams. The whole brief: generate_brief with format markdown."

// teamsMessage is what the Power Automate trigger "When a Teams webhook request is received" takes.
type teamsMessage struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string       `json:"contentType"`
	Content     adaptiveCard `json:"content"`
}

type adaptiveCard struct {
	Schema       string     `json:"$schema"`
	Type         string     `json:"type"`
	Version      string     `json:"version"`
	FallbackText string     `json:"fallbackText"`
	Body         []cardLine `json:"body"`
}

// cardLine is a RichTextBlock: a line of texts in which nothing is markup. A TextBlock would read its text as Markdown
// and as calls of date functions, and each kind of Teams breaks the lines of one differently.
type cardLine struct {
	Type      string    `json:"type"`
	Separator bool      `json:"separator,omitempty"`
	Spacing   string    `json:"spacing,omitempty"`
	Inlines   []textRun `json:"inlines"`
}

// textRun is a text that looks the same throughout.
type textRun struct {
	Type         string   `json:"type"`
	Text         string   `json:"text"`
	Size         string   `json:"size,omitempty"`
	Weight       string   `json:"weight,omitempty"`
	IsSubtle     bool     `json:"isSubtle,omitempty"`
	SelectAction *openURL `json:"selectAction,omitempty"`
}

type openURL struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// teamsCard makes the card of a rendered body, and the same as plain text. The card is made here, so that a business
// user edits text only: a line of the text is a line of the card, an empty line makes a gap, three dashes a rule.
func teamsCard(out *functions.GenerateBriefOutput, body string) error {
	card := adaptiveCard{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: cardVersion,
		// A client too old for the card reads this one as Markdown, so it holds no text of the data.
		FallbackText: fmt.Sprintf("Retention brief of %s: %s.", out.Date, out.Severity),
	}
	headline := richLine(textRun{Type: "TextRun", Text: out.Subject, Size: "large", Weight: "bolder"})
	message := teamsMessage{Type: "message", Attachments: []teamsAttachment{
		{ContentType: "application/vnd.microsoft.card.adaptive", Content: card},
	}}
	used := bytesOf(message) + bytesOf(headline) + bytesOf(cutLine())
	lines, text := []cardLine{headline}, []string{out.Subject, ""}
	gap, rule := true, false
	for line := range strings.SplitSeq(strings.TrimSpace(body), "\n") {
		switch line {
		case "":
			gap = true
			text = append(text, "")
			continue
		case "---":
			gap, rule = true, true
			text = append(text, line)
			continue
		}
		runs := runsOf(line)
		if len(runs) == 0 { // nothing but values, and all of them empty
			gap = true
			continue
		}
		made := richLine(runs...)
		if made.Separator = rule; !gap {
			made.Spacing = "none"
		}
		if used += bytesOf(made); used > cardBudget {
			lines, text = append(lines, cutLine()), append(text, "", teamsCutNote)
			break
		}
		lines, text = append(lines, made), append(text, plainOf(made))
		gap, rule = false, false
	}
	message.Attachments[0].Content.Body = lines
	encoded, err := encode(message)
	if err != nil {
		return fmt.Errorf("write the card: %w", err)
	}
	out.Card, out.Text = encoded, tidy(strings.Join(text, "\n"))
	return nil
}

func richLine(runs ...textRun) cardLine { return cardLine{Type: "RichTextBlock", Inlines: runs} }

func cutLine() cardLine {
	return richLine(textRun{Type: "TextRun", Text: teamsCutNote, IsSubtle: true})
}

// bytesOf is how many bytes a part adds to the message.
func bytesOf(part any) int {
	encoded, err := encode(part)
	if err != nil { // texts only: it cannot be
		return cardBudget
	}
	return len(encoded) + len(",")
}

// cardMarkup is what a template of a card can make of its text: **bold** and [a link](https://…). The places of values
// are marked in it, so that a text which a value has brought in is never taken for markup.
var cardMarkup = regexp.MustCompile(`\*\*|\[([^\[\]]+)\]\(((?:https?://|` + string(addressMark) + `)[^()\s]*)\)`)

// The marks of values in a text of a card; clean removes them from everything else.
const (
	valueBegin  = '\uFDD2' // a value, up to valueEnd
	valueEnd    = '\uFDD3'
	textPlace   = '\uFDD4' // where a value stood, while its line is read
	addressMark = '\uFDD5' // where an address stood, and before each address
)

// writeTeams is for the card of Teams.
func writeTeams(value any) string {
	text := write(value, func(text string) string { return text })
	if address, ok := value.(URL); ok && address.known() {
		text = string(addressMark) + text
	}
	return string(valueBegin) + text + string(valueEnd)
}

// runsOf reads a line of a template's text.
func runsOf(line string) []textRun {
	skeleton, values := withoutValues(line)
	if item, is := strings.CutPrefix(skeleton, "- "); is {
		skeleton = "• " + item
	}
	fill := func(part string) string {
		var filled strings.Builder
		for _, r := range part {
			if (r == textPlace || r == addressMark) && len(values) > 0 {
				filled.WriteString(values[0])
				values = values[1:]
			} else {
				filled.WriteRune(r)
			}
		}
		return filled.String()
	}
	var runs []textRun
	weight, room := "", cardLineLimit
	add := func(text string, action *openURL) {
		if text = clip(text, max(room, 1)); text == "" || room <= 0 {
			return
		}
		room -= utf8.RuneCountInString(text)
		runs = append(runs, textRun{Type: "TextRun", Text: text, Weight: weight, SelectAction: action})
	}
	rest := 0
	for _, at := range cardMarkup.FindAllStringSubmatchIndex(skeleton, -1) {
		add(fill(skeleton[rest:at[0]]), nil)
		rest = at[1]
		if at[2] < 0 { // **
			if weight == "" {
				weight = "bolder"
			} else {
				weight = ""
			}
			continue
		}
		label, address := fill(skeleton[at[2]:at[3]]), URL(fill(skeleton[at[4]:at[5]]))
		if address.Web() {
			add(label, &openURL{"Action.OpenUrl", address.safe()})
		} else {
			add(label+": "+string(address), nil)
		}
	}
	add(fill(skeleton[rest:]), nil)
	return runs
}

// withoutValues takes the values out of a line and leaves a mark at the place of each.
func withoutValues(line string) (skeleton string, values []string) {
	var kept strings.Builder
	for {
		before, after, found := strings.Cut(line, string(valueBegin))
		kept.WriteString(withoutMarks.Replace(before))
		if !found {
			return kept.String(), values
		}
		value, rest, _ := strings.Cut(after, string(valueEnd))
		if address, is := strings.CutPrefix(value, string(addressMark)); is {
			kept.WriteRune(addressMark)
			values = append(values, address)
		} else {
			kept.WriteRune(textPlace)
			values = append(values, value)
		}
		line = rest
	}
}

// withoutMarks takes marks out of a text in which no value stands.
var withoutMarks = strings.NewReplacer(string(valueBegin), "", string(valueEnd), "", string(textPlace), "", string(addressMark), "")

// plainOf is a line of a card for who reads no card.
func plainOf(line cardLine) string {
	var text strings.Builder
	for _, run := range line.Inlines {
		text.WriteString(run.Text)
		if run.SelectAction != nil {
			text.WriteString(": " + run.SelectAction.URL)
		}
	}
	return text.String()
}

// teamsSizes measures a message for Teams.
func teamsSizes(out functions.GenerateBriefOutput) []Size {
	var message teamsMessage
	size := len(out.Card)
	if json.Unmarshal(out.Card, &message) == nil { // on its way through a door the JSON may have been escaped
		if again, err := encode(message); err == nil {
			size = len(again)
		}
	}
	return []Size{{"card", size, cardBudget, "bytes", whyCard}, {"text", len(out.Text), maxRendered, "bytes", whyRendering}}
}
