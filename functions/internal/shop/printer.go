package shop

import (
	"io"
	"iter"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	// standIn begins every line that the receiver prints, so that nobody takes it for a real Slack or Jira.
	standIn = "[local stand-in for Make.com] "
	// mailStandIn begins every line that the mailbox prints.
	mailStandIn = "[local stand-in for the mail server] "
	// slackTextLimit is where Slack cuts a message text.
	slackTextLimit = 40_000
)

// printer writes lines for a person. Text of a payload cannot forge a line, reach the terminal's controls, or carry a
// secret: every line has the prefix, control characters are shown as a mark, links lose their query.
type printer struct {
	prefix  string
	mu      *sync.Mutex
	out     io.Writer
	secrets *strings.Replacer
}

func newPrinter(prefix string, out io.Writer, secrets []string) printer {
	if out == nil {
		out = io.Discard
	}
	var pairs []string
	for _, secret := range secrets {
		if secret != "" {
			pairs = append(pairs, secret, "[secret]")
		}
		if bare := strings.TrimPrefix(secret, "whsec_"); bare != "" && bare != secret {
			pairs = append(pairs, bare, "[secret]")
		}
	}
	return printer{prefix: prefix, mu: &sync.Mutex{}, out: out, secrets: strings.NewReplacer(pairs...)}
}

// print writes the lines in one piece. Where the writer fails there is nobody left to tell.
func (p printer) print(lines ...string) {
	var text strings.Builder
	for _, given := range lines {
		for line := range splitLines(given) {
			text.WriteString(p.prefix + plain(bareLinks(p.secrets.Replace(line))) + "\n")
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.out, text.String())
}

// lineEnd is everything that a terminal or an editor may take for the end of a line.
var lineEnd = regexp.MustCompile("\r\n|[\n\v\f\r\u0085\u2028\u2029]")

func splitLines(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lineEnd.Split(text, -1) {
			if !yield(line) {
				return
			}
		}
	}
}

// plain replaces what a terminal would obey, and what would turn the direction of the text, by a mark.
func plain(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '�'
		default:
			return r
		}
	}, line)
}

var link = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s<>|"']+`)

// hookHosts are hosts whose paths are credentials.
var hookHosts = []string{"make.com", "integromat.com", "hooks.slack.com"}

// bareLinks takes from every link what may be a credential: user and password, query and fragment (a signed link has
// its signature there), and the path where the host is one of webhooks.
func bareLinks(line string) string {
	return link.ReplaceAllStringFunc(line, func(found string) string {
		text := strings.TrimRight(found, ").,;")
		after := found[len(text):]
		parsed, err := url.Parse(text)
		if err != nil {
			return "[link that cannot be read]" + after
		}
		note := ""
		if parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil {
			note = "?…"
		}
		for _, host := range hookHosts {
			if name := strings.ToLower(parsed.Hostname()); name == host || strings.HasSuffix(name, "."+host) {
				parsed.Path, parsed.RawPath, note = "/", "", "…"
			}
		}
		parsed.User, parsed.RawQuery, parsed.ForceQuery, parsed.Fragment, parsed.RawFragment = nil, "", false, "", ""
		return parsed.String() + note + after
	})
}

// clip cuts a text at a rune and says so.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "… (cut here, as Slack would)"
}
