package cli

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

// kept is a promise of §14 or of the table of outcomes, and whether the run kept it.
type kept struct {
	What string `json:"what"`
	Kept bool   `json:"kept"`
	Got  string `json:"got,omitempty"` // when it was not kept
}

// promise notes a promise.
func (p *played) promise(held bool, got any, format string, args ...any) {
	one := kept{What: fmt.Sprintf(format, args...), Kept: held}
	if !held {
		one.Got = fmt.Sprint(got)
	}
	p.Promises = append(p.Promises, one)
}

// asPromised tells whether everything was kept.
func (p *played) asPromised() bool {
	return !slices.ContainsFunc(p.Promises, func(one kept) bool { return !one.Kept })
}

// judge holds what was played against what is promised.
func (s *scene) judge(p *played) {
	want, first := s.fault.want, p.Broken
	got := first.outcome()
	p.promise(got == outcomeOf(want), got, "the run ends as %s", outcomeOf(want))
	p.promise(len(first.Arrivals) == want.attempts, len(first.Arrivals), "%s at the webhook", count(want.attempts, "attempt"))
	s.judgeMail(p)
	s.judgeAudiences(p)
	row := first.Log
	p.promise(row != nil && row.Status == want.status && row.DeliveryState == want.delivery && row.EmailSent == (want.mailTo != "") &&
		row.WebhookAttempts == int64(want.attempts), fmt.Sprintf("%+v", row), "its row in the log says the same")
	p.promise(p.Reconciled == want.waiting, p.Reconciled, "%s of the log waited until the warehouse was back", count(want.waiting, "row"))
	p.promise(p.RowsAtOnce+int64(p.Reconciled) == 2*int64(p.Runs) && p.Lost == 0, fmt.Sprintf("%d rows of %d runs", p.RowsAtOnce, p.Runs),
		"every run has a row of its begin and one of its end")
	if s.fault.early {
		s.judgeEarly(p)
		return
	}
	again := p.Mended.outcome()
	if again.status == functions.RunSuccess && p.Mended.Output.AlreadyDone {
		again.words = "the first result"
	}
	p.promise(strings.HasPrefix(again.String(), want.again), again, "triggered again: %s", want.again)
	once := len(p.Ledger) == 1 && p.Ledger[0].SlackPosts == 1 && p.Ledger[0].Tickets == 1
	p.promise(once, p.Ledger, "one Slack message and one ticket for the day, under one id")
}

// judgeEarly looks at a day without a baseline, and at the first day that has one.
func (s *scene) judgeEarly(p *played) {
	early, ready := p.Broken.Decision, p.Mended.Decision
	p.promise(early != nil && !early.AlertFlag && early.Severity == functions.Info && !early.BaselineReady, early,
		"no alert, severity INFO, no baseline")
	p.promise(ready != nil && ready.BaselineReady, ready, "day 8: %s", s.fault.want.again)
	p.promise(p.Deliveries == 0, p.Deliveries, "nothing was sent")
}

// judgeMail looks whether the right people got the right mail.
func (s *scene) judgeMail(p *played) {
	role := s.fault.want.mailTo
	switch {
	case role == "":
		p.promise(len(p.Mails) == 0, p.Mails, "no mail")
	case len(p.Mails) != 1 || !slices.Equal(p.Mails[0].To, []string{addressee(role)}):
		p.promise(false, p.Mails, "one mail to %s", addressee(role))
	case role == functions.DataTeam:
		p.promise(partsOf(p.Mails[0], "text/plain") == 1, p.Mails[0], "one mail to %s that says what is out of order", addressee(role))
	default:
		var exports []functions.TierExports
		if p.Broken.Output != nil {
			exports = p.Broken.Output.Artifacts.Exports
		}
		mail := p.Mails[0]
		whole := partsOf(mail, "text/plain") == 1 && partsOf(mail, "text/html") == 1 && partsOf(mail, "image/png") == 1 &&
			partsOf(mail, "text/csv") == len(exports) && len(exports) > 0
		p.promise(whole, mail.Parts, "one mail to %s: the brief as text and HTML, a chart, %s", addressee(role), retention.Counted(len(exports), "audience"))
	}
}

func partsOf(mail shop.Mail, kind string) int {
	count := 0
	for _, part := range mail.Parts {
		if part.Type == kind {
			count++
		}
	}
	return count
}

// judgeAudiences looks whether the files stand in for the sheets.
func (s *scene) judgeAudiences(p *played) {
	if s.fault.ports["RETENTIONOPS_SHEETS"] == "" || p.Broken.Output == nil {
		return
	}
	artifacts := p.Broken.Output.Artifacts
	there := len(artifacts.Exports) > 0 && !artifacts.GSheetsUploaded
	for _, export := range artifacts.Exports {
		link, err := url.Parse(export.Link)
		if err == nil {
			_, err = os.Stat(link.Path)
		}
		there = there && err == nil && strings.Contains(p.Brief, export.Link)
	}
	p.promise(there, artifacts, "%s as CSV files, linked in the brief", retention.Counted(len(artifacts.Exports), "audience"))
	p.promise(len(p.standIns()) > 0, p.Brief, "the brief says that the files stand in for the sheets")
	state := ""
	if p.Broken.Log != nil {
		state = p.Broken.Log.ExportState
	}
	p.promise(strings.HasPrefix(state, "csv stood in for gsheet"), state, "the log says that the files stand in for the sheets")
}

// count is a number of things, in words when there are none.
func count(n int, noun string) string {
	if n == 0 {
		return "no " + noun
	}
	return retention.Counted(n, noun)
}

// standIns are the lines of the brief that tell of files which stand in for sheets.
func (p *played) standIns() []string {
	var lines []string
	for line := range strings.Lines(p.Brief) {
		if strings.Contains(line, "the CSV file stands in for it") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// ending is how a run ended.
type ending struct {
	status   functions.RunStatus
	delivery functions.DeliveryState
	exit     int
	words    string // say more than the rest, when there are any
}

// String tells it in words.
func (e ending) String() string {
	if e.words != "" {
		return e.words
	}
	return fmt.Sprintf("%s, delivery %s, exit %d", e.status, e.delivery, e.exit)
}

func outcomeOf(want promise) ending {
	return ending{status: want.status, delivery: want.delivery, exit: want.exit}
}

// outcome is how the run of an act ended.
func (a *act) outcome() ending {
	end := ending{exit: a.Exit}
	if a.Output != nil {
		end.status, end.delivery = a.Output.Status, a.Output.DeliveryState
	}
	return end
}
