package brief

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Jira's limits, in characters.
const (
	// jiraSummaryLimit is the longest summary (Jira answers "Summary must be less than 255 characters").
	jiraSummaryLimit = 254
	// jiraDescriptionLimit is for the description as JSON. Jira takes 32,767 characters in a text field; whether it
	// counts the text or its JSON is not documented, so the larger of them stays below.
	jiraDescriptionLimit = 32_000
)

// jiraCutNote says at the end of a description that something is missing.
const jiraCutNote = "This text was cut to fit Jira. The whole brief: generate_brief with format markdown."

// jiraNode is a node of the Atlassian Document Format (developer.atlassian.com, "Atlassian Document Format"). A text in
// it is a text and nothing else: no markup of Jira is read in it.
type jiraNode struct {
	Version int         `json:"version,omitempty"`
	Type    string      `json:"type"`
	Attrs   *jiraAttrs  `json:"attrs,omitempty"`
	Content []*jiraNode `json:"content,omitempty"`
	Text    string      `json:"text,omitempty"`
	Marks   []jiraMark  `json:"marks,omitempty"`
}

type jiraAttrs struct {
	Level int    `json:"level,omitempty"`
	Href  string `json:"href,omitempty"`
}

type jiraMark struct {
	Type  string     `json:"type"`
	Attrs *jiraAttrs `json:"attrs,omitempty"`
}

// jira writes the description and the whole request of the payload's ticket; the request is empty when there is none.
func jira(p *Payload) (description, body string, err error) {
	document := jiraDocument(p)
	encoded, err := encode(document)
	if err != nil || p.Ticket.Project == "" || p.Ticket.Type == "" {
		return string(encoded), "", err
	}
	fields := map[string]any{
		"summary":     clip(clean(p.Ticket.Title), jiraSummaryLimit),
		"description": document,
		"priority":    map[string]string{"name": p.Ticket.Priority},
		"duedate":     p.Ticket.Due.Format(time.DateOnly),
	}
	request := map[string]any{"fields": fields}
	if p.Ticket.Update != "" { // an issue keeps its project and type, and the labels that it has
		request["update"] = map[string]any{"labels": []map[string]string{{"add": p.Ticket.Label}}}
	} else {
		fields["project"] = map[string]string{"key": p.Ticket.Project}
		fields["issuetype"] = map[string]string{"name": p.Ticket.Type}
		fields["labels"] = []string{p.Ticket.Label}
	}
	whole, err := encode(request)
	return string(encoded), string(whole), err
}

// jiraDocument makes a document of the plain text of the brief: an empty line ends a paragraph, a line in capitals is a
// heading, lines with a dash are a list. The links are those of the exports: an address in a text from the data stays text.
func jiraDocument(p *Payload) *jiraNode {
	document := &jiraNode{Version: 1, Type: "doc"}
	links := []string{p.ExportURLs.P1, p.ExportURLs.P2, p.ExportURLs.P3}
	size := 0
	for line := range strings.Lines(p.BriefText) {
		line = strings.TrimRight(line, "\n")
		if size += jiraCost(line); size > jiraDescriptionLimit-2*jiraCost(jiraCutNote) {
			document.Content = append(document.Content, nil)
			document.line(jiraCutNote, nil)
			break
		}
		document.line(line, links)
	}
	document.Content = withoutGaps(document.Content)
	if len(document.Content) == 0 { // a document must hold something
		document.Content = []*jiraNode{{Type: "paragraph"}}
	}
	return document
}

// jiraCost is more than what a line adds to the document as JSON.
func jiraCost(line string) int {
	const around = 180 // the longest way to wrap a line: an item of a list with a link in it
	encoded, err := encode(line)
	if err != nil { // a text is always taken
		return jiraDescriptionLimit
	}
	return utf8.RuneCount(encoded)*2 + around // a link is written twice
}

// line adds a line to the document. A nil node is an empty line.
func (n *jiraNode) line(line string, links []string) {
	var last *jiraNode
	if len(n.Content) > 0 {
		last = n.Content[len(n.Content)-1]
	}
	text := strings.TrimSpace(line)
	item, isItem := strings.CutPrefix(text, "- ")
	switch {
	case text == "" || text == "--":
		n.Content = append(n.Content, nil)
	case isItem:
		made := &jiraNode{Type: "listItem", Content: []*jiraNode{{Type: "paragraph", Content: jiraTexts(item, links)}}}
		if last == nil || last.Type != "bulletList" {
			last = &jiraNode{Type: "bulletList"}
			n.Content = append(n.Content, last)
		}
		last.Content = append(last.Content, made)
	case isHeading(text):
		n.Content = append(n.Content, &jiraNode{Type: "heading", Attrs: &jiraAttrs{Level: 3}, Content: jiraTexts(text, nil)})
	case last != nil && last.Type == "paragraph":
		last.Content = append(append(last.Content, &jiraNode{Type: "hardBreak"}), jiraTexts(text, links)...)
	default:
		n.Content = append(n.Content, &jiraNode{Type: "paragraph", Content: jiraTexts(text, links)})
	}
}

// isHeading says whether a line of the mail's text is a heading: letters, and all of them capitals.
func isHeading(line string) bool {
	return strings.ToUpper(line) == line && strings.ToLower(line) != line && !strings.ContainsAny(line, "0123456789:_")
}

// jiraTexts makes the texts of a line; an address of the exports in it is a link.
func jiraTexts(line string, links []string) []*jiraNode {
	for _, link := range links {
		if !URL(link).Web() {
			continue
		}
		before, after, found := strings.Cut(line, URL(link).safe())
		if !found {
			continue
		}
		address := URL(link).safe()
		made := &jiraNode{Type: "text", Text: address, Marks: []jiraMark{{Type: "link", Attrs: &jiraAttrs{Href: address}}}}
		texts := append(jiraTexts(before, nil), made)
		return append(texts, jiraTexts(after, nil)...)
	}
	if line == "" {
		return nil
	}
	return []*jiraNode{{Type: "text", Text: line}}
}

// withoutGaps takes out the empty lines: what they separate is separate now.
func withoutGaps(nodes []*jiraNode) []*jiraNode {
	var kept []*jiraNode
	for _, node := range nodes {
		if node != nil {
			kept = append(kept, node)
		}
	}
	return kept
}
