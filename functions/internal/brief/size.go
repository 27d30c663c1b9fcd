package brief

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
)

// Size is how large a part of a written brief is, beside the most that may be sent.
type Size struct {
	Part  string `json:"part"`
	Size  int    `json:"size"`
	Limit int    `json:"limit"`
	Unit  string `json:"unit"`
	Why   string `json:"why"` // whose limit it is, and what happens beyond it
}

// Fits says whether the part is within its limit.
func (s Size) Fits() bool { return s.Size <= s.Limit }

// String is the size in words: "blocks 11 of 50 blocks".
func (s Size) String() string { return fmt.Sprintf("%s %d of %d %s", s.Part, s.Size, s.Limit, s.Unit) }

// The limits in words.
const (
	whyGmail     = "Gmail cuts a mail near 102 KB, and the links at its end are lost"
	whyRendering = "a brief that is longer is not written"
	whyHeadline  = "it is cut: a Slack header takes no more"
	whyBlocks    = "Slack refuses a message with more blocks; ours is cut at a line before"
	whySection   = "Slack refuses a longer section; ours begins another one"
	whyAll       = "Slack refuses all blocks together near 13,200; ours is cut at a line before"
	whyCard      = "Teams refuses a message near 28 KB, and some from 21 KB; ours is cut at a line before"
	whyPayload   = "Make.com takes no larger body, and a larger one is not sent"
	whyText      = "Slack cuts a longer text; ours is cut at a line before"
)

// Sizes measures a written brief against the limits of where it goes.
func Sizes(out functions.GenerateBriefOutput) []Size {
	subject := Size{"subject", utf8.RuneCountInString(out.Subject), maxSubject, "characters", whyHeadline}
	switch out.Format {
	case functions.FormatSlack:
		return append([]Size{subject}, slackSizes(out)...)
	case functions.FormatEmail:
		return []Size{
			subject,
			{"text", len(out.Text), maxRendered, "bytes", whyRendering},
			{"html", len(out.HTML), maxRendered, "bytes", whyGmail},
		}
	case functions.FormatTeams:
		return append([]Size{subject}, teamsSizes(out)...)
	default:
		return []Size{subject, {"text", len(out.Text), maxRendered, "bytes", whyRendering}}
	}
}

// SizeOfPayload measures the body of a webhook.
func SizeOfPayload(body []byte) Size {
	return Size{"payload", len(body), maxPayload, "bytes", whyPayload}
}

func slackSizes(out functions.GenerateBriefOutput) []Size {
	var made []slackBlock
	if err := json.Unmarshal(out.Blocks, &made); err != nil {
		made = nil // a brief without blocks, or of somebody else: nothing to count
	}
	var whole any
	encoded := []byte(out.Blocks)
	if json.Unmarshal(out.Blocks, &whole) == nil { // on its way through a door the JSON may have been escaped
		if again, err := encode(whole); err == nil {
			encoded = again
		}
	}
	longest := 0
	for _, block := range made {
		if block.Type == "section" && block.Text != nil {
			longest = max(longest, utf8.RuneCountInString(block.Text.Text))
		}
	}
	return []Size{
		{"blocks", len(made), blockLimit, "blocks", whyBlocks},
		{"longest section", longest, sectionLimit, "characters", whySection},
		{"all blocks", utf8.RuneCount(encoded), blocksBudget, "characters", whyAll},
		{"text", utf8.RuneCountInString(out.Text), textLimit, "characters", whyText},
	}
}

// Cut says whether a message for Slack or Teams was cut to fit.
func Cut(out functions.GenerateBriefOutput) bool {
	if out.Format == functions.FormatTeams {
		return strings.Contains(string(out.Card), teamsCutNote)
	}
	return out.Format == functions.FormatSlack && (strings.Contains(string(out.Blocks), cutNote) || strings.Contains(out.Text, cutNote))
}
