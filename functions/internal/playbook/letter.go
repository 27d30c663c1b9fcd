package playbook

import (
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/brief/chart"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// letter is what a mail of a run says, before it is put into text and HTML. Its first line says what is wrong.
type letter struct {
	To      []string
	Subject string
	First   string
	Facts   []fact
	Brief   functions.GenerateBriefOutput // stands below; empty when the mail stands for itself
	Files   []mail.File
	Picture []mail.File
	Drawn   template.HTML // the picture in the HTML
}

// fact is a line of a letter: what it is about, and what there is to say.
type fact struct {
	Name, Text string
	Link       string // behind the text
}

// linked is a fact with a link, if it is one that a reader of mail can follow.
func linked(name, text, link string) fact {
	if strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://") {
		return fact{Name: name, Text: text + ",", Link: link}
	}
	return fact{Name: name, Text: text + ", " + link}
}

// letterHTML stands at the top of a mail. It is no brief template: a business user who edits those must not be able to
// lose what is not confirmed.
var letterHTML = template.Must(template.New("letter").Parse(
	`<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding:16px 16px 0 16px">
<table role="presentation" width="640" cellpadding="0" cellspacing="0" style="width:100%;max-width:640px;background:#ffffff;border:1px solid #b91c1c">
<tr><td style="padding:16px 24px;font-size:16px;font-weight:bold;color:#b91c1c">{{.First}}</td></tr>
{{range .Facts}}<tr><td style="padding:0 24px 8px 24px"><b>{{.Name}}:</b> {{.Text}}{{if .Link}} <a href="{{.Link}}">{{.Link}}</a>{{end}}</td></tr>
{{end}}{{if .Drawn}}<tr><td style="padding:0 24px 16px 24px">{{.Drawn}}</td></tr>
{{end}}</table>
</td></tr></table>
`))

// message is the letter as a mail, with its files or without.
func (l *letter) message(withFiles bool) (mail.Message, error) {
	m := mail.Message{To: l.To, Subject: l.Subject, Inline: l.Picture}
	facts := l.Facts
	if withFiles {
		m.Attached = l.Files
	} else if len(l.Files) > 0 {
		facts = append(slices.Clip(facts), fact{Name: "Attached", Text: "nothing: the mail server did not take the files; the links lead to them"})
	}
	var text strings.Builder
	text.WriteString(l.First + "\n")
	for _, fact := range facts {
		text.WriteString("\n" + strings.TrimSpace(fact.Name+": "+fact.Text+" "+fact.Link) + "\n")
	}
	if l.Brief.Text != "" {
		text.WriteString("\n----------\n\n" + l.Brief.Text)
	}
	m.Text = text.String()
	shown := *l
	shown.Facts = facts
	var top strings.Builder
	if err := letterHTML.Execute(&top, shown); err != nil {
		return m, fmt.Errorf("write a mail: %w", err)
	}
	m.HTML = atTop(l.Brief.HTML, top.String())
	return m, nil
}

// page is what a letter without a brief stands in.
const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="margin:0;padding:0;background:#f3f4f6;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:1.45;color:#1f2937">
</body>
</html>
`

// atTop puts HTML at the top of a page's body.
func atTop(html, top string) string {
	if html == "" {
		html = page
	}
	at := strings.Index(strings.ToLower(html), "<body")
	if at < 0 {
		return top + html
	}
	end := strings.IndexByte(html[at:], '>')
	if end < 0 {
		return top + html
	}
	end += at + 1
	return html[:end] + "\n" + top + html[end:]
}

// backupLetter stands in for a message that is not confirmed: the brief, the links, the audiences, and the ticket to be
// opened by hand. What a receipt proves is not said again.
func (w *run) backupLetter(ctx context.Context, failure *functions.Error) letter {
	artifacts := w.out.Artifacts
	missing := "the Slack message and the ticket"
	switch {
	case artifacts.SlackPosted:
		missing = "the ticket"
	case artifacts.JiraTicket != "":
		missing = "the Slack message"
	}
	verb := "Not confirmed"
	if w.out.DeliveryState == functions.DeliveryRefused {
		verb = "Not delivered"
	}
	l := letter{
		To:      w.Book.Mail().RetentionTeam,
		Subject: fmt.Sprintf("%s: %s of the %s of %s", verb, missing, w.out.Severity, w.out.Date),
		First:   fmt.Sprintf("%s: %s of the %s of %s.", verb, missing, w.out.Severity, w.out.Date),
	}
	l.Facts = append(l.Facts, fact{Name: "Why", Text: w.out.Reason}, fact{Name: "What to do", Text: w.toDo(failure)})
	switch {
	case artifacts.SlackPosted:
		l.Facts = append(l.Facts, fact{Name: "Confirmed", Text: "Slack message " + artifacts.SlackMessageTS + " in " + w.rollout.Channel})
	case artifacts.JiraTicket != "":
		l.Facts = append(l.Facts, fact{Name: "Confirmed", Text: "ticket " + artifacts.JiraTicket})
	}
	if artifacts.JiraTicket == "" {
		l.Facts = append(l.Facts, fact{Name: "Ticket", Text: w.ticketWords()})
	}
	for _, export := range artifacts.Exports {
		l.Facts = append(l.Facts, linked(string(export.Tier), retention.Counted(export.Rows, "customer"), export.Link))
	}
	if !artifacts.SlackPosted { // else the brief has arrived
		l.Brief = w.mailedBrief(ctx)
		w.draw(ctx, &l)
		var left []functions.Tier
		if l.Files, left = w.files(); len(left) > 0 {
			l.Facts = append(l.Facts, fact{Name: "Attached", Text: fmt.Sprintf("not %v: above attach_up_to_kb of the rules; the links lead to them", left)})
		}
	}
	l.Facts = append(l.Facts, w.origin())
	return l
}

// chartID is what the HTML of a mail calls its picture.
const chartID = "chart"

// draw puts the picture of the day into a letter. A letter goes without it rather than not at all.
func (w *run) draw(ctx context.Context, l *letter) {
	picture, err := chart.Draw(brief.Compose(w.known()))
	if err != nil {
		w.Logger.WarnContext(ctx, "a mail goes without its picture", "run_id", w.out.RunID, "error", err.Error())
		return
	}
	l.Picture = []mail.File{{Name: "chart.png", Type: chart.Type, ContentID: chartID, Content: picture.PNG}}
	l.Drawn = template.HTML(picture.HTML(chartID)) //nolint:gosec // made and escaped by the picture itself
}

// toDo is what a person does about a message that is not confirmed.
func (w *run) toDo(failure *functions.Error) string {
	if w.out.DeliveryState == functions.DeliveryRefused {
		return failure.Hint + ". Until then, work from this mail"
	}
	return fmt.Sprintf("look in %s and in %s: what is not there, do by hand from this mail. Or mend the scenario and send the "+
		"same message again: retentionops runs replay %s", w.rollout.Channel, w.rollout.TicketProject, w.out.RunID)
}

// ticketWords is the ticket to be opened by hand.
func (w *run) ticketWords() string {
	planned := w.ticket()
	return fmt.Sprintf("%s in %s, priority %s, %q, due %s",
		planned.Type, planned.Project, planned.Priority, planned.Title, planned.Due.UTC().Format(time.RFC1123))
}

// origin says where a letter comes from.
func (w *run) origin() fact {
	text := fmt.Sprintf("run %s, phase %s, rules %s", w.out.RunID, w.rollout.Phase, w.out.RulesVersion)
	if w.webhookID != "" {
		text += ", message " + w.webhookID
	}
	return fact{Name: "From", Text: text}
}

// stageLetter tells those who run the warehouse that a run came to nothing before anything was sent.
func (w *run) stageLetter(failure *functions.Error) letter {
	day := "the day"
	if w.row.AlertDate != nil {
		day = strings.TrimSpace(fmt.Sprintf("%s %s", w.row.AlertDate, w.out.Severity))
	}
	l := letter{
		To:      w.Book.Mail().DataTeam,
		Subject: fmt.Sprintf("Not sent: the playbook of %s failed in stage %s", day, w.row.Stage),
		First:   fmt.Sprintf("Not sent: the playbook of %s failed in stage %s, before anything left.", day, w.row.Stage),
		Facts:   []fact{{Name: "Why", Text: w.out.Reason}},
	}
	if failure.Hint != "" {
		l.Facts = append(l.Facts, fact{Name: "What to do", Text: failure.Hint})
	}
	l.Facts = append(l.Facts, fact{Name: "Then", Text: "trigger the day again; the next daily run does it too"}, w.origin())
	return l
}
