package playbook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
)

// stageSetup is where a run stops that could not even begin.
const stageSetup = "setup"

// teams is the archive's document of whom to tell when the rules cannot be read any more: what the last run read in them.
type teams struct {
	Phase    functions.Phase `json:"phase"`
	Sends    bool            `json:"sends"`
	DataTeam []string        `json:"data_team"`
}

const teamsName = "mails/teams.json"

// keepTeams keeps whom to tell. A run does not fail for it.
func (w *run) keepTeams(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, runlog.ArchiveDeadline) // an archive that hangs must not use up the run's time
	defer cancel()
	document, err := json.Marshal(teams{w.rollout.Phase, w.rollout.Sends, w.Book.Mail().DataTeam})
	if err == nil {
		var before []byte
		if before, err = w.Archive.Get(ctx, teamsName); err == nil && bytes.Equal(before, document) {
			return
		}
		err = w.Archive.Put(ctx, teamsName, document)
	}
	if err != nil {
		w.Logger.WarnContext(ctx, "whom to tell of broken rules was not kept", "run_id", w.out.RunID, "error", err.Error())
	}
}

// Unbegun writes down a run that could not begin, by a fault in a rule file, a template or a setting, or because the
// warehouse could not be opened: a daily run that fails must not fail unseen. The data team is mailed, if the phase of
// the run before sends; their addresses are those that it read.
func (p *Post) Unbegun(ctx context.Context, log *runlog.Log, cause error) {
	call, problem := functions.CallFrom(ctx), functions.ProblemOf(cause, "")
	row := retention.Run{
		RunID: call.RunID, RunTimestamp: p.Now().UTC(), Caller: call.Caller, ConfirmationID: call.Confirmation, Status: functions.RunFailed, Stage: stageSetup,
		DeliveryState: functions.DeliveryNone, NotificationReason: reasonFailed,
		ErrorMessage: logText(&functions.Error{Code: problem.Code, Detail: problem.Detail, Hint: problem.Hint}),
	}
	told, err := p.unbegunMail(ctx, call.RunID, problem, &row)
	if err != nil {
		p.Logger.WarnContext(ctx, "whom to tell of a run that could not begin is not known", "run_id", call.RunID, "error", err.Error())
	}
	row.EmailSent = told != nil && told.Sent
	row.ErrorMessage += mailText(told)
	log.Finish(ctx, row)
}

// unbegunMail mails the data team; nil when nobody is to be told.
func (p *Post) unbegunMail(ctx context.Context, runID string, problem functions.Problem, row *retention.Run) (*functions.BackupMail, error) {
	ctx, cancel := functions.Outlive(ctx, mailDeadline, 0)
	defer cancel()
	document, err := p.Archive.Get(ctx, teamsName)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, nil
	}
	var known teams
	if err == nil {
		err = json.Unmarshal(document, &known)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", teamsName, err)
	}
	row.Phase = known.Phase
	if !known.Sends {
		return nil, nil
	}
	l := letter{
		To: known.DataTeam, Subject: "Not sent: today's playbook could not begin", First: "Not sent: today's playbook could not begin.",
		Facts: []fact{{Name: "Why", Text: problem.Detail}},
	}
	if problem.Detail == "" {
		l.Facts[0].Text = problem.Title
	}
	if problem.Hint != "" {
		l.Facts = append(l.Facts, fact{Name: "What to do", Text: problem.Hint})
	}
	l.Facts = append(l.Facts, fact{Name: "Then", Text: "trigger the day again"},
		fact{Name: "From", Text: fmt.Sprintf("run %s, phase %s as the run before it read it", runID, known.Phase)})
	said := p.tell(ctx, functions.DataTeam, functions.DataTeam+"_"+stageSetup, runID, l)
	return &said, nil
}
