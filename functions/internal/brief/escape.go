package brief

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"
)

// mentionMark stands for the mention while a Slack text is being made. It is no character (Unicode keeps U+FDD0 for
// uses like this one), and clean removes it from everything else: only Data.Mention can bring it into a text.
const mentionMark = '\uFDD0'

// textMark stands before each text that a value has brought into a Slack text, so that brackets which a template puts
// around a customer id make no link of it.
const textMark = '\uFDD1'

// writer turns a value into the text that a template writes for it. Every template of a format ends each of its
// actions with the format's writer, put there when it is loaded: a value cannot reach the text in another way.
type writer func(value any) string

// writeHTML prepares a value for html/template, which then escapes it for the place where it stands.
func writeHTML(value any) string { return write(value, func(text string) string { return text }) }

// writePlain is for the mail's plain text and the subject: one line, nothing invisible.
func writePlain(value any) string { return write(value, func(text string) string { return text }) }

// writeMarkdown is for GitHub's Markdown, and safe too where somebody posts the Markdown to Slack as it is.
func writeMarkdown(value any) string { return write(value, escapeMarkdown) }

// writeSlack is for Slack's mrkdwn.
func writeSlack(value any) string {
	if mention, ok := value.(Mention); ok {
		if mention == "" {
			return ""
		}
		return string(mentionMark)
	}
	if address, ok := value.(URL); ok && address.known() {
		return slackEscaper.Replace(write(value, nil)) // Slack reads &amp; in an address as &
	}
	return write(value, func(text string) string { return string(textMark) + slackEscaper.Replace(text) })
}

// write is the common part: figures are ours and are written as they are, addresses lose what could end a link, and
// every text is cleaned and then escaped.
func write(value any, escape func(string) string) string {
	switch value := value.(type) {
	case Count, Percent, Change, Score:
		return fmt.Sprint(value)
	case URL:
		switch {
		case value.known():
			return value.safe()
		case strange.MatchString(clean(string(value))):
			return "#" // javascript: and the like link to nothing
		}
		return escape(clean(string(value)))
	case Mention:
		if value == "" {
			return ""
		}
		return escape("@" + clean(string(value)))
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return escape(clean(v.String()))
	}
	return escape(clean(fmt.Sprint(value)))
}

// clean puts a text on one line and takes out what a reader cannot see: control characters, marks that turn the
// direction of writing, zero-width spaces, noncharacters, broken UTF-8. The joiners U+200C and U+200D stay: Persian
// and emoji need them.
func clean(text string) string {
	if plain(text) {
		return text
	}
	var kept strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case unicode.IsSpace(r) || unicode.In(r, unicode.Zl, unicode.Zp):
			kept.WriteByte(' ')
		case r == '\u200C' || r == '\u200D':
			kept.WriteRune(r)
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), noncharacter(r):
			// left out
		default:
			kept.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(kept.String()), " ")
}

// plain says that a text needs no cleaning: printable ASCII without two spaces in a row or one at an end.
func plain(text string) bool {
	space := true
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space || text == ""
}

func noncharacter(r rune) bool { return r >= 0xFDD0 && r <= 0xFDEF || r&0xFFFE == 0xFFFE }

// slackEscaper escapes exactly what Slack's documentation names (Formatting text for app surfaces: "replace the
// ampersand, the less-than sign and the greater-than sign").
var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackLink is what may stand between < and > in a Slack text besides the mention.
var slackLink = regexp.MustCompile(`^<https?://[^<>|\s]+(\|[^<>\n]*)?>`)

// mentions are Slack's own words for whom to notify.
var mentions = map[Mention]string{"here": "<!here>", "channel": "<!channel>"}

// sealSlack makes a rendered text safe whatever its template is: < stays only before a web link, and the mention
// comes in, once. A template such as <{{.ID}}> thus notifies nobody, also when an id reads !channel.
func sealSlack(text string, mention Mention) string {
	var sealed strings.Builder
	for {
		i := strings.IndexByte(text, '<')
		if i < 0 {
			break
		}
		sealed.WriteString(text[:i])
		link := slackLink.FindString(text[i:])
		if link == "" {
			sealed.WriteString("&lt;")
			text = text[i+1:]
			continue
		}
		sealed.WriteString(link)
		text = text[i+len(link):]
	}
	sealed.WriteString(text)
	first := strings.Replace(sealed.String(), string(mentionMark), mentions[mention], 1)
	return strings.NewReplacer(string(mentionMark), "", string(textMark), "").Replace(first)
}

// escapeMarkdown keeps a text from being anything but text. <, > and & become entities, which Markdown and Slack both
// understand; @ at the beginning of a word becomes the full-width sign, since no escape keeps GitHub from a mention.
func escapeMarkdown(text string) string {
	var out strings.Builder
	runes := []rune(text)
	at := func(i int) rune {
		if i < 0 || i >= len(runes) {
			return ' '
		}
		return runes[i]
	}
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for i, r := range runes {
		switch r {
		case '&':
			out.WriteString("&amp;")
			continue
		case '<':
			out.WriteString("&lt;")
			continue
		case '>':
			out.WriteString("&gt;")
			continue
		case '@':
			if !word(at(i - 1)) {
				r = '＠'
			}
		case '\\', '`', '*', '[', ']', '|', '~', '$':
			out.WriteByte('\\')
		case '_':
			if !word(at(i-1)) || !word(at(i+1)) { // AT_RISK needs no escape
				out.WriteByte('\\')
			}
		case ':':
			if at(i+1) == '/' && at(i+2) == '/' { // http://… links by itself
				out.WriteByte('\\')
			}
		case '.', ')':
			www := r == '.' && i >= 3 && strings.EqualFold(string(runes[i-3:i]), "www")
			if www || leadingNumber(runes[:i]) && at(i+1) == ' ' { // www.… links by itself; "1. " is a list
				out.WriteByte('\\')
			}
		case '#', '+', '-', '=':
			if i == 0 && strings.ContainsRune(" #+-=", at(1)) { // a heading, a list, a rule, an underline; not -12
				out.WriteByte('\\')
			}
		}
		out.WriteRune(r)
	}
	return out.String()
}

// leadingNumber says whether the runes are digits only.
func leadingNumber(runes []rune) bool {
	for _, r := range runes {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(runes) > 0
}

// schemes are the addresses that a brief may link: the web, and the local files and buckets of our destinations.
var schemes = regexp.MustCompile(`^(https?|file|gs)://[^/?#]*`)

// strange matches an address with a scheme; what schemes does not match as well is none of ours.
var strange = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)

// urlBytes are the bytes that stay as they are in an address. Brackets, quotes, blanks, | and \ are not among them:
// they end a link in one of the formats.
const urlBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#@!$&*+,;=%"

// known says whether the address has a scheme that a brief links; another is shown as a text.
func (u URL) known() bool { return schemes.MatchString(clean(string(u))) }

// safe writes the address so that it cannot leave its place in any format.
func (u URL) safe() string {
	address := clean(string(u))
	var safe strings.Builder
	for i := range len(address) {
		if strings.IndexByte(urlBytes, address[i]) >= 0 {
			safe.WriteByte(address[i])
		} else {
			fmt.Fprintf(&safe, "%%%02X", address[i])
		}
	}
	return safe.String()
}
