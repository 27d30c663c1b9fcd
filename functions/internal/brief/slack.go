package brief

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
)

// Slack's limits, in characters. The first four are documented (docs.slack.dev, reference: blocks, text object,
// chat.postMessage); a message beyond them is refused, not cut, but for the text.
const (
	sectionLimit = 3_000
	headerLimit  = 150
	blockLimit   = 50
	textLimit    = 40_000
	// blocksBudget is for all blocks together, as JSON. Slack answers msg_blocks_too_long near 13,200 characters
	// (undocumented; 13,172 and 13,297 were seen), so it is well below.
	blocksBudget = 10_000
)

// cutNote says at the end of a message that something is missing.
const cutNote = "_This message was cut to fit Slack. The whole brief: generate_brief with format markdown._"

type slackBlock struct {
	Type string     `json:"type"`
	Text *slackText `json:"text,omitempty"`
}

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Verbatim keeps Slack from making links and mentions of plain text ("automatic parsing"), which it does otherwise.
	Verbatim bool `json:"verbatim,omitempty"`
}

// slackMessage makes text and blocks of a rendered body. The blocks are made here, so that a business user edits text
// only: a headline, a section for each paragraph, a divider for a line of three dashes.
func slackMessage(out *functions.GenerateBriefOutput, body string) error {
	message := blocks{}
	message.add(slackBlock{Type: "header", Text: &slackText{Type: "plain_text", Text: out.Subject}})
	for paragraph := range strings.SplitSeq(strings.TrimSpace(body), "\n\n") {
		if paragraph = strings.Trim(paragraph, "\n"); paragraph != "" && !message.paragraph(paragraph) {
			break
		}
	}
	encoded, err := message.json()
	if err != nil {
		return fmt.Errorf("write slack blocks: %w", err)
	}
	out.Blocks = encoded
	out.Text = cutAtLine("*"+out.Subject+"*\n\n"+body, textLimit)
	return nil
}

// blocks are a message in the making.
type blocks struct {
	made []slackBlock
	size int
}

func (b *blocks) add(block slackBlock) { b.made, b.size = append(b.made, block), b.size+cost(block) }

// fits says whether there is room for the block and for the note after it.
func (b *blocks) fits(block slackBlock) bool {
	return len(b.made)+2 <= blockLimit && b.size+cost(block)+cost(section(cutNote)) <= blocksBudget-len("[]")
}

// paragraph adds a paragraph. It is false when the message is full: then the note stands at its end.
func (b *blocks) paragraph(text string) bool {
	if text == "---" {
		return b.addOrCut(slackBlock{Type: "divider"}, nil)
	}
	lines := strings.Split(text, "\n")
	for len(lines) > 0 {
		if utf8.RuneCountInString(lines[0]) > sectionLimit { // one line, longer than a section may be
			lines[0] = clip(lines[0], sectionLimit)
		}
		n := 1
		for size := utf8.RuneCountInString(lines[0]); n < len(lines); n++ {
			if size += 1 + utf8.RuneCountInString(lines[n]); size > sectionLimit {
				break
			}
		}
		if !b.addOrCut(section(strings.Join(lines[:n], "\n")), lines[:n]) {
			return false
		}
		lines = lines[n:]
	}
	return true
}

// addOrCut adds the block, or as many of its lines as there is room for and the note.
func (b *blocks) addOrCut(block slackBlock, lines []string) bool {
	if b.fits(block) {
		b.add(block)
		return true
	}
	for n := len(lines) - 1; n > 0; n-- {
		if part := section(strings.Join(lines[:n], "\n")); b.fits(part) {
			b.add(part)
			break
		}
	}
	b.add(section(cutNote))
	return false
}

func (b *blocks) json() (json.RawMessage, error) { return encode(b.made) }

func section(text string) slackBlock {
	return slackBlock{Type: "section", Text: &slackText{Type: "mrkdwn", Text: text, Verbatim: true}}
}

// cost is how many characters a block adds to the message.
func cost(block slackBlock) int {
	encoded, err := encode(block)
	if err != nil { // texts only: it cannot be
		return blocksBudget
	}
	return utf8.RuneCount(encoded) + len(",")
}

// encode writes JSON without HTML's escapes: Slack counts what it reads, and &lt; is four characters, not nine.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// cutAtLine cuts a text to a number of characters at the end of a line, and says so.
func cutAtLine(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	runes := []rune(text)[:limit-utf8.RuneCountInString(cutNote)-2]
	kept := string(runes)
	if i := strings.LastIndexByte(kept, '\n'); i > 0 {
		kept = kept[:i]
	}
	return whole(kept) + "\n\n" + cutNote
}
