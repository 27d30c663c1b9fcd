package preview

import (
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// entities are the three that Slack knows; any other stands in a message as it is written.
var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// literal is a piece of a message as text: what Slack shows for it, escaped for HTML.
func literal(text string) string { return template.HTMLEscapeString(entities.Replace(text)) }

// mrkdwn draws a text in Slack's markup about as Slack does: bold, italics, strike, code, quotes, links, mentions.
// A name such as :warning: stays as it is.
func mrkdwn(text string) template.HTML {
	const fence = "```"
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, fence)
		code, after, closed := strings.Cut(rest, fence)
		if !found || !closed || strings.TrimSpace(code) == "" {
			break
		}
		quotes(&out, before)
		out.WriteString("<pre>" + literal(strings.Trim(code, "\n")) + "</pre>")
		text = strings.TrimPrefix(after, "\n")
	}
	quotes(&out, text)
	return template.HTML(out.String()) //nolint:gosec // each text in it went through literal
}

// quotes draws lines, and puts those that begin with > together. Slack stores > as &gt; and takes both.
func quotes(out *strings.Builder, text string) {
	if text == "" {
		return
	}
	quoted, first := false, true
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		inside, isQuote := strings.CutPrefix(line, ">")
		if !isQuote {
			inside, isQuote = strings.CutPrefix(line, "&gt;")
		}
		switch {
		case isQuote && !quoted:
			out.WriteString("<blockquote>")
		case !isQuote && quoted:
			out.WriteString("</blockquote>")
		case !first:
			out.WriteByte('\n')
		}
		quoted, first = isQuote, false
		if isQuote {
			line = strings.TrimPrefix(inside, " ")
		}
		inline(out, line)
	}
	if quoted {
		out.WriteString("</blockquote>")
	}
}

// emphasis are the marks of Slack's emphasis and the elements they stand for.
var emphasis = map[byte]string{'*': "b", '_': "i", '~': "s"}

// inline draws a line. Marks that do not belong together are text.
func inline(out *strings.Builder, line string) {
	plain := 0 // from here on nothing is written yet
	upTo := func(i int) { out.WriteString(literal(line[plain:i])) }
	hopeless := map[byte]bool{} // marks that nothing closes in the rest of the line
	for i := 0; i < len(line); {
		mark := line[i]
		switch element := emphasis[mark]; {
		case mark == '<' || mark == '`':
			end := spanEnd(line, i)
			if end < 0 {
				i++
				continue
			}
			upTo(i)
			if mark == '`' {
				out.WriteString("<code>" + literal(line[i+1:end-1]) + "</code>")
			} else {
				control(out, line[i+1:end-1])
			}
			i, plain = end, end
		case element != "" && !hopeless[mark] && opens(line, i):
			end := closing(line, i)
			if end < 0 {
				hopeless[mark] = true
				i++
				continue
			}
			upTo(i)
			out.WriteString("<" + element + ">")
			inline(out, line[i+1:end])
			out.WriteString("</" + element + ">")
			i, plain = end+1, end+1
		default:
			i++
		}
	}
	upTo(len(line))
}

// spanEnd is the place behind a <…> or a `…` that begins at i, or -1.
func spanEnd(line string, i int) int {
	last := byte('>')
	if line[i] == '`' {
		last = '`'
	}
	n := strings.IndexByte(line[i+1:], last)
	if n < 1 {
		return -1
	}
	return i + 1 + n + 1
}

// opens says whether the mark at i can begin an emphasis: no word is in front of it, no blank behind, and it is alone.
func opens(line string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(line[:i])
	after, _ := utf8.DecodeRuneInString(line[i+1:])
	mark := rune(line[i])
	return i+1 < len(line) && !wordy(before) && before != mark && !unicode.IsSpace(after) && after != mark
}

// closing is where the emphasis that begins at i ends, or -1. Code and links are passed over.
func closing(line string, i int) int {
	for j := i + 1; j < len(line); {
		if line[j] == '<' || line[j] == '`' {
			if end := spanEnd(line, j); end > 0 {
				j = end
				continue
			}
		}
		if line[j] == line[i] && j > i+1 {
			before, _ := utf8.DecodeLastRuneInString(line[:j])
			after, _ := utf8.DecodeRuneInString(line[j+1:])
			if !unicode.IsSpace(before) && (j+1 == len(line) || !wordy(after) && after != rune(line[j])) {
				return j
			}
		}
		j++
	}
	return -1
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// control draws what stands between < and >: a mention or a link. Anything else is text, brackets included.
func control(out *strings.Builder, text string) {
	target, label, labelled := strings.Cut(text, "|")
	switch {
	case target == "!channel" || target == "!here" || target == "!everyone":
		mention(out, "@"+target[1:], "notifies people")
	case strings.HasPrefix(target, "!subteam^"):
		mention(out, named(label, "@"+strings.TrimPrefix(target, "!subteam^")), "notifies a group")
	case strings.HasPrefix(target, "!date^") && labelled:
		out.WriteString(literal(label))
	case len(target) > 1 && target[0] == '@':
		mention(out, named(label, target), "notifies a person")
	case len(target) > 1 && target[0] == '#':
		mention(out, "#"+strings.TrimPrefix(named(label, target), "#"), "a channel")
	case web(entities.Replace(target)):
		out.WriteString(link(entities.Replace(target)) + literal(named(label, target)) + "</a>")
	default:
		out.WriteString(literal("<" + text + ">"))
	}
}

// named is the label of a link or a mention, or what it stands for where it has none.
func named(label, target string) string {
	if label == "" {
		return target
	}
	return label
}

func mention(out *strings.Builder, name, what string) {
	_, _ = fmt.Fprintf(out, `<span class="mention" title="%s">%s</span>`, what, literal(name))
}

// web says whether an address is one of the web. Nothing else is a link on the page, whatever a browser would do.
func web(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// link opens a link to an address of the web. Its target sees neither the page nor where it is.
func link(address string) string {
	escaped := template.HTMLEscapeString(address)
	return `<a href="` + escaped + `" title="` + escaped + `" target="_blank" rel="noopener noreferrer nofollow">`
}
