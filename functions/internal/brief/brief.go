// Package brief writes the day's brief for a manager: it puts together what the brief says, and renders it as
// Markdown, as a Slack message with its blocks, as a mail and as a card for Teams, by the templates that business users
// edit. It also writes what the webhook of a playbook carries, by templates of their own.
//
// It is not where anything is decided, read or sent: it is handed the decision, the assessment and the links.
//
// Three things hold whatever stands in the templates and in the data. A text from the data is escaped for the format
// at the place where it is written; nobody who edits a template has to think of it. Only the rules can notify people.
// And a rendering ends: its steps and its bytes are counted.
package brief

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/retentionops/retentionops/functions"
)

// The templates of a brief. The subject is rendered for every format: it is the mail's subject and the headline.
const (
	subjectFile  = "brief.subject.tmpl"
	markdownFile = "brief.markdown.tmpl"
	slackFile    = "brief.slack.tmpl"
	textFile     = "brief.email.txt.tmpl"
	htmlFile     = "brief.email.html.tmpl"
	teamsFile    = "brief.teams.tmpl"
)

// The bounds of a rendering.
const (
	// maxRendered is the most that one template may write, in bytes. Gmail cuts a mail near 102 KB, and the links at
	// its end are what is lost (seen by senders, not documented); the other formats need less.
	maxRendered = 100_000
	// maxSteps bounds the work of a template that writes little, such as lists within lists within lists. The shipped
	// ones take a few hundred.
	maxSteps = 20_000
	// maxSubject is the most characters of a subject: what Slack takes in a header block.
	maxSubject = headerLimit
)

// Templates are the templates of a brief, read and checked. They are immutable and safe for concurrent use.
type Templates struct {
	subject  map[functions.Format]*texttemplate.Template
	markdown *texttemplate.Template
	slack    *texttemplate.Template
	text     *texttemplate.Template
	html     *htmltemplate.Template
	teams    *texttemplate.Template
	payloads map[string]*texttemplate.Template // by their names
	version  string
}

// Version stands for the text of the templates: the first 12 hex digits of a SHA-256. Line ends do not count.
func (t *Templates) Version() string { return t.version }

// Load reads and checks the templates. When they are at fault the error is rulebook.Findings, with every fault of
// every file in it. Warnings are no fault: they are for Check.
func Load(files fs.FS) (*Templates, error) {
	templates, findings := Check(files)
	if findings.Errors() > 0 {
		return nil, findings
	}
	return templates, nil
}

// Render writes the brief in one format. A brief that is too long is tried again with shorter lists of customers; a
// template that writes too much even then is failed_precondition.
func (t *Templates) Render(format functions.Format, data Data) (functions.GenerateBriefOutput, error) {
	out := functions.GenerateBriefOutput{
		Format: format, Severity: functions.Severity(data.Severity), Phase: functions.Phase(data.Phase),
		RulesVersion: data.RulesVersion, RunID: data.RunID,
	}
	date, err := parseDate(data.Date)
	if err != nil {
		return out, err
	}
	out.Date = date
	for {
		err := t.render(&out, data)
		if err == nil || !errors.Is(err, errTooMuch) {
			return out, err
		}
		shorter, ok := shorten(data)
		if !ok {
			return out, functions.Errorf(functions.FailedPrecondition, "the %s brief is too long: %s", format, tooMuch).
				WithHint("shorten the lists in brief_templates/").WithCause(err)
		}
		data = shorter
	}
}

func (t *Templates) render(out *functions.GenerateBriefOutput, data Data) error {
	subject, known := t.subject[out.Format]
	if !known {
		return functions.Errorf(functions.InvalidArgument, "format %q is not known", string(out.Format)).
			WithHint("valid: markdown, slack, email, teams")
	}
	headline, err := run(subject, data)
	if err != nil {
		return err
	}
	switch out.Format {
	case functions.FormatSlack:
		out.Subject = headlineOf(sealSlack(headline, ""))
		body, err := run(t.slack, data)
		if err != nil {
			return err
		}
		return slackMessage(out, tidy(sealSlack(body, data.Mention)))
	case functions.FormatEmail:
		out.Subject = headlineOf(headline)
		text, err := run(t.text, data)
		if err != nil {
			return err
		}
		page, err := run(t.html, data)
		if err != nil {
			return err
		}
		out.Text, out.HTML = tidy(text), strings.TrimSpace(page)+"\n"
		return nil
	case functions.FormatTeams:
		out.Subject = headlineOf(headline)
		body, err := run(t.teams, data)
		if err != nil {
			return err
		}
		return teamsCard(out, tidy(body))
	default:
		out.Subject = headlineOf(headline)
		text, err := run(t.markdown, data)
		out.Text = tidy(text)
		return err
	}
}

// template is what text/template and html/template have in common.
type template interface {
	Name() string
	Execute(to io.Writer, data any) error
}

// run executes a template of a brief within the bounds.
func run(t template, data Data) (string, error) { return runWithin(t, data, maxRendered) }

// runWithin executes a template that may write so many bytes.
func runWithin(t template, data any, most int) (string, error) {
	to := &boundedWriter{most: most}
	if err := t.Execute(to, data); err != nil {
		return "", fmt.Errorf("write %s: %w", t.Name(), err)
	}
	return to.text.String(), nil
}

// tooMuch says what a template may not.
var tooMuch = fmt.Sprintf("a template writes more than %d bytes or takes more than %d steps", maxRendered, maxSteps)

// errTooMuch is what a template meets that writes or works too much.
var errTooMuch = errors.New("the template writes too much")

// boundedWriter keeps what a template writes, and counts. Each action and each round of a loop writes, if only
// nothing (see watch), so that a template that never writes a byte comes to an end as well.
type boundedWriter struct {
	text  bytes.Buffer
	most  int // bytes
	steps int
}

// Write implements io.Writer.
func (w *boundedWriter) Write(text []byte) (int, error) {
	if w.steps++; w.steps > maxSteps || w.text.Len()+len(text) > w.most {
		return 0, errTooMuch
	}
	return w.text.Write(text)
}

// shorten halves the lists of customers. It is not ok when there is nothing left to halve.
func shorten(data Data) (Data, bool) {
	longest := 0
	for _, tier := range data.Tiers {
		longest = max(longest, len(tier.Top))
	}
	if longest == 0 {
		return data, false
	}
	const note = "The lists of customers were shortened so that the brief fits; the exports hold them all."
	tiers := make([]Tier, len(data.Tiers))
	for i, tier := range data.Tiers {
		tier.Top = tier.Top[:min(len(tier.Top), longest/2)]
		tiers[i] = tier
	}
	data.Tiers = tiers
	if len(data.Notes) == 0 || data.Notes[len(data.Notes)-1] != note {
		data.Notes = append(slices.Clip(data.Notes), note)
	}
	return data, true
}

// tidy takes out blanks at the ends of lines and leaves at most one empty line in a row, so that a template may be
// laid out for its reader.
func tidy(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" && (len(kept) == 0 || kept[len(kept)-1] == "") {
			continue
		}
		kept = append(kept, line)
	}
	return strings.TrimRight(strings.Join(kept, "\n"), "\n") + "\n"
}

// headlineOf puts a rendered subject on one line: a mail header must not hold a line break, whoever wrote it.
func headlineOf(text string) string {
	return clip(clean(strings.ReplaceAll(text, string(mentionMark), "")), maxSubject)
}

// clip cuts a text to a number of characters and marks the cut. It does not cut through an entity or a link.
func clip(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return whole(string(runes[:limit-1])) + "…"
}

// whole drops an entity (&amp;) or a link (<https://…>) that a cut has left open at the end of a text.
func whole(text string) string {
	if i := strings.LastIndexByte(text, '&'); i >= 0 && len(text)-i < len("&quot;") && !strings.Contains(text[i:], ";") {
		text = text[:i]
	}
	if i := strings.LastIndexByte(text, '<'); i >= 0 && !strings.Contains(text[i:], ">") {
		text = text[:i]
	}
	return text
}
