package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// faultReport is a played fault for a program.
type faultReport struct {
	Fault     string          `json:"fault"`
	Row       string          `json:"row"` // of §14
	Phase     functions.Phase `json:"phase"`
	Shortened []string        `json:"shortened"` // deadlines and pauses, against a real run
	Shop      loaded          `json:"shop"`
	*played
	Next   []string `json:"next"` // what to look at afterwards; the stand-ins are gone then, so that nothing can be sent
	TookMS int64    `json:"took_ms"`
}

// playFault plays one fault for a person.
func (c *command) playFault(ctx context.Context, f fault, from source, out string) (err error) {
	began := c.Now()
	if err := freshFolder(ctx, out); err != nil {
		return err
	}
	if from.orders == "" && from.date == "" {
		from.date = demoDate
	}
	report := faultReport{Fault: f.name, Row: f.row, Phase: functions.PhaseProduction, Shortened: f.shortened(), Next: []string{}}
	if report.Shortened == nil {
		report.Shortened = []string{}
	}
	c.openFault(&report, from)
	s, err := c.setScene(ctx, f, out)
	if err != nil {
		return err
	}
	defer func() {
		if closed := s.close(ctx); err == nil {
			err = closed
		}
	}()
	if report.Shop, err = c.stock(ctx, s.env(functions.Date{}, false), from); err != nil {
		return err
	}
	c.showStock(report.Shop)
	detection := report.Shop.Detection
	if !f.early && !detection.Alert.Flag {
		return functions.Errorf(functions.FailedPrecondition, "%s has no alert: there is nothing to send, and nothing to fail", detection.AsOf).
			WithHint("name a day with an alert with --date")
	}
	s.watch = c.showProgress
	report.played, err = s.play(ctx, detection.AsOf, detection.FirstOrder, func(a *act, p *played) { s.showAct(a, p, &report) })
	if err != nil {
		return err
	}
	report.TookMS = c.Now().Sub(began).Milliseconds()
	return c.closeFault(&report)
}

// openFault tells what is going to be played.
func (c *command) openFault(report *faultReport, from source) {
	if c.json {
		return
	}
	c.printf("%s on %s. Fault %s, of §14: %s.\n", c.paint(bold, "RetentionOps"), shopName(from), c.paint(bold, report.Fault), report.Row)
	c.printf("Phase production, against local stand-ins for Make.com and the mail server: nothing leaves this machine.\n")
	if len(report.Shortened) > 0 {
		c.printf("Shortened for the demo: %s.\n", strings.Join(report.Shortened, "; "))
	}
	c.printf("\n")
}

// showAct tells a person how a run went.
func (s *scene) showAct(a *act, p *played, report *faultReport) {
	s.clearStep()
	first := a == &p.Broken
	if first {
		for _, next := range s.fault.next {
			text := strings.NewReplacer("{run}", a.RunID, "{date}", a.Date.String()).Replace(next)
			report.Next = append(report.Next, fmt.Sprintf("%s %s --warehouse %s", s.Name, text, outputs(s.out)["warehouse"]))
		}
	}
	if s.json {
		return
	}
	title := s.paint(bad, "Out of order:")
	if !first {
		title = s.paint(good, "Mended:")
	}
	s.printf("%s %s\n", title, a.What)
	if !first && s.fault.want.waiting > 0 {
		s.printf("  runs reconcile: %s written that waited in the archive\n", retention.Counted(p.Reconciled, "row"))
	}
	if a.Decision != nil {
		s.printf("  get_alert_decision --date %s: %s  %s\n", a.Date, s.paintSeverity(a.Decision.Severity), a.Decision.Reason)
	}
	s.printf("  trigger_playbook --date %s\n", a.Date)
	for _, statement := range a.Asked {
		s.printf("    %s: %s without an answer\n", statement.Name, retention.Counted(statement.Attempts, "attempt"))
	}
	s.showAttempts(a)
	for _, line := range a.StandIns {
		if !strings.Contains(line, "for Make.com]   |") { // the message itself is long
			s.printf("    %s\n", s.paint(faint, line))
		}
	}
	s.showEnd(a)
}

// showAttempts tells when the deliveries came.
func (s *scene) showAttempts(a *act) {
	if len(a.Arrivals) == 0 {
		return
	}
	attempts := []string{fmt.Sprintf("attempt 1 after %.1f s", a.Arrivals[0]/1000)}
	for i, pause := range a.pauses() {
		attempts = append(attempts, fmt.Sprintf("attempt %d %.1f s later", i+2, pause.Seconds()))
	}
	s.printf("    %s\n", strings.Join(attempts, ", "))
}

// showEnd tells how a run ended: to who triggered it, and in the log.
func (s *scene) showEnd(a *act) {
	end, reason := a.outcome(), ""
	color := wary
	if a.Output != nil {
		reason = a.Output.Reason
		if a.Output.Status == functions.RunSuccess {
			color = good
		}
		if a.Output.AlreadyDone {
			reason = "sent before: this is the result of run " + a.RunID
		}
	}
	s.printf("    %s: %s\n", s.paint(color, end.String()), reason)
	if a.Problem != nil && a.Problem.Hint != "" {
		s.printf("    hint: %s\n", a.Problem.Hint)
	}
	if a.Output == nil {
		return
	}
	if a.Output.Artifacts.Exports != nil {
		for _, export := range a.Output.Artifacts.Exports {
			s.printf("    audience %s: %s, %s\n", export.Tier, retention.Counted(export.Rows, "row"), export.Link)
		}
	}
}

// closeFault tells what is in the log, what was kept of the promises, and what a person does.
func (c *command) closeFault(report *faultReport) error {
	if c.json {
		if err := c.printJSON(report); err != nil {
			return err
		}
	} else {
		c.showRows(report.played)
		c.showPromises(report.played)
		c.printf("Look further:\n")
		for _, next := range report.Next {
			c.printf("  %s\n", next)
		}
		c.printf("%s\n", c.paint(faint, fmt.Sprintf("Done in %.1f s. The stand-ins are gone now, and the phase is that of the rules again.", float64(report.TookMS)/1000)))
	}
	if !report.asPromised() {
		return exit(exitFailed)
	}
	return nil
}

// showRows shows what the log holds of the runs.
func (c *command) showRows(p *played) {
	if lines := p.standIns(); len(lines) > 0 {
		c.printf("\nThe brief says:\n  %s\n", strings.Join(lines, "\n  "))
	}
	c.printf("\nThe log (runs list):\n")
	writer := c.newTable("  run", "status", "delivery", "attempts", "mail", "why", "exports", "error")
	for i, act := range []*act{&p.Broken, &p.Mended} {
		if act.Log == nil || i > 0 && act.RunID == p.Broken.RunID {
			continue
		}
		writer.AppendRow([]any{
			"  " + act.Log.RunID, standing(*act.Log), act.Log.DeliveryState, act.Log.WebhookAttempts,
			map[bool]string{true: "sent"}[act.Log.EmailSent], act.Log.NotificationReason, act.Log.ExportState,
			shortened(act.Log.ErrorMessage),
		})
	}
	writer.Render()
	for _, entry := range p.Ledger {
		c.printf("The receiver under %s: %s, %s, and it was asked %s\n", entry.ID,
			retention.Counted(entry.SlackPosts, "Slack message"), retention.Counted(entry.Tickets, "ticket"), retention.Counted(entry.Worked, "time"))
	}
}

// longestCell is how much of an error a table shows; runs show has all of it.
const longestCell = 50

func shortened(text string) string {
	if runes := []rune(text); len(runes) > longestCell {
		return string(runes[:longestCell]) + "…"
	}
	return text
}

// showPromises shows what was promised, and whether it was kept.
func (c *command) showPromises(p *played) {
	c.printf("\nPromised by §14 and the table of outcomes:\n")
	for _, one := range p.Promises {
		if one.Kept {
			c.printf("  %s  %s\n", c.paint(good, "kept  "), one.What)
			continue
		}
		c.printf("  %s  %s; got %s\n", c.paint(bad, "BROKEN"), one.What, one.Got)
	}
	c.printf("\n")
}
