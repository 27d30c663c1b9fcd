// Package checkhealth is the door of check_health: it registers the entry point, links the drivers that this function
// needs and no other, and hands what the log, the notes and the rules hold to the rooms that judge it. It decides nothing
// itself.
package checkhealth

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/health"
	_ "github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
	"github.com/retentionops/retentionops/functions/internal/rollout"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.CheckHealth.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves check_health in the given environment.
func Handler(env *setup.Env) http.Handler {
	return door.Handle(door.For(env), functions.CheckHealth,
		func(ctx context.Context, in functions.CheckHealthInput) (functions.CheckHealthOutput, error) {
			v := &visit{env: env, in: in}
			return v.check(ctx)
		})
}

// lateRowsDeadline is for the rows that the warehouse had not taken: the check goes on without them.
const lateRowsDeadline = 20 * time.Second

// visit is one call.
type visit struct {
	env   *setup.Env
	in    functions.CheckHealthInput
	book  *rulebook.Book
	log   *runlog.Log
	notes *rollout.Notes
	zone  *time.Location
	out   functions.CheckHealthOutput
}

func (v *visit) check(ctx context.Context) (out functions.CheckHealthOutput, err error) {
	if err := v.open(ctx); err != nil {
		return out, err
	}
	now := v.env.Now()
	v.out = functions.CheckHealthOutput{CheckedAt: now.UTC(), Phase: v.book.Rollout().Phase, DryRun: v.in.DryRun}
	if v.env.RulesStale() {
		v.notice("older rules are in force than those published; the log says why")
	}
	act := v.mayAct()
	if v.in.Note != nil {
		if _, err := v.notes.Record(ctx, *v.in.Note, v.out.Phase); err != nil {
			return out, err
		}
	}
	if act {
		v.writeLateRows(ctx)
	}
	notes, err := v.notes.All(ctx)
	if err != nil {
		return out, err
	}
	history, err := health.Read(ctx, v.log, now, v.zone, rollout.FalsePositives(notes))
	if err != nil {
		return out, err
	}
	window := history.Last(v.book.Monitoring().Window)
	v.show(history, window)
	v.out.Rollout = v.evidence(history, window, notes)
	v.out.Alarms, err = v.checker(ctx).Check(ctx, history, v.alarms(), window, act)
	return v.out, err
}

// open opens what the check needs.
func (v *visit) open(ctx context.Context) (err error) {
	if v.book, err = v.env.Rules(ctx); err != nil {
		return err
	}
	if v.zone, err = v.env.Zone(ctx); err != nil {
		return err
	}
	if v.log, err = v.env.Log(ctx); err != nil {
		return err
	}
	papers, err := v.env.Archive(ctx)
	v.notes = &rollout.Notes{Archive: papers, Runs: v.log, Now: v.env.Now, NewID: v.env.NewID}
	return err
}

// mayAct tells whether the check remembers and tells. The phase disabled stops every side effect; a note is none.
func (v *visit) mayAct() bool {
	if v.in.DryRun {
		return false
	}
	if v.out.Phase == functions.PhaseDisabled {
		v.notice("the phase is disabled: no alarm is remembered and nobody is told")
		return false
	}
	return true
}

func (v *visit) notice(format string, args ...any) {
	v.out.Notices = append(v.out.Notices, fmt.Sprintf(format, args...))
}

// writeLateRows writes the rows that the warehouse had not taken. What still waits counts in the figures all the same.
func (v *visit) writeLateRows(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lateRowsDeadline)
	defer cancel()
	written, err := v.log.Reconcile(ctx)
	v.out.LateRows = written
	if err != nil {
		v.notice("rows of earlier runs still wait to be written (%s)", functions.CodeOf(err))
		v.env.Logger().WarnContext(ctx, "rows of earlier runs are still to be written", "error", err.Error())
	}
}

// show puts the figures of the window that is asked for into the answer.
func (v *visit) show(history *health.History, window health.Span) {
	if v.in.WindowDays != nil {
		window = history.Last(*v.in.WindowDays)
	}
	v.out.From, v.out.To, v.out.WindowDays = window.From, window.To, window.Days()
	v.out.Figures, v.out.Days = history.Judged(window, v.book.Monitoring()), history.Days(window)
	switch {
	case len(history.Runs()) == 0:
		v.notice("the log holds no run yet")
	case history.Cut():
		v.notice("only the newest %d runs were looked at", health.MaxRuns)
	}
}

// evidence is how far the rollout has come, judged over the rules' window.
func (v *visit) evidence(history *health.History, window health.Span, notes []functions.RolloutNote) functions.RolloutView {
	in := rollout.Input{Phase: v.out.Phase, Runs: history.Runs(), Notes: notes, Now: v.out.CheckedAt, Zone: v.zone}
	for _, figure := range history.Figures(window) {
		switch figure.Name {
		case health.FalsePositiveRate:
			in.FalsePositivePct = figure.Value
		case health.HoursSinceRun:
			if in.HoursSinceRun = figure.Value; len(figure.RunIDs) > 0 {
				in.LastRunID = figure.RunIDs[0]
			}
		}
	}
	return rollout.Judge(in)
}

// checker puts together who is told, and how. A fault in the mail's settings hides no figure.
func (v *visit) checker(ctx context.Context) *health.Checker {
	c := &health.Checker{
		Archive: v.notes.Archive, Logger: v.env.Logger(), Now: v.env.Now, Phase: v.out.Phase,
		NoMail: "no mail is configured: RETENTIONOPS_MAIL is not set",
		To:     map[string][]string{"retention_team": v.book.Mail().RetentionTeam, "data_team": v.book.Mail().DataTeam},
	}
	sender, err := v.env.Mail(ctx)
	if err != nil {
		problem := functions.ProblemOf(err, "")
		c.NoMail = strings.TrimSuffix("mail cannot be sent: "+problem.Detail, ": ")
		v.env.Logger().WarnContext(ctx, "mail cannot be sent", "error", err.Error())
		return c
	}
	c.Mail = sender
	return c
}
