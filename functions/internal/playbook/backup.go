package playbook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/mail"
)

// mailDeadline bounds all that a mail takes: what it is made of, the sending, and the note that it was sent.
const mailDeadline = 20 * time.Second

// Post is how people are told by mail, once a day of each thing.
type Post struct {
	Archive archive.Archive
	Open    func(context.Context) (mail.Sender, error) // nil, or answers a nil Sender, where no mail is configured
	Logger  *slog.Logger
	Now     func() time.Time
}

// mailed is the archive's document of a mail that was sent.
type mailed struct {
	RunID  string    `json:"run_id"`
	ToRole string    `json:"to_role"`
	At     time.Time `json:"at"`
}

// tell sends a mail about something unless the same was mailed today. When a mail with files is refused it goes without
// them: a mail that comes without its files is better than one that does not come.
func (p *Post) tell(ctx context.Context, role, about, runID string, letter letter) functions.BackupMail {
	said := functions.BackupMail{ToRole: role}
	now := p.Now().UTC()
	name := "mails/" + now.Format(time.DateOnly) + "/" + about + ".json"
	if document, err := p.Archive.Get(ctx, name); err == nil {
		var before mailed
		if json.Unmarshal(document, &before) == nil {
			said.Error = fmt.Sprintf("already mailed: run %s did at %s", before.RunID, before.At.Format(time.TimeOnly+" MST"))
			return said
		}
	} else if !errors.Is(err, archive.ErrNotFound) { // rather twice than not at all
		p.Logger.WarnContext(ctx, "whether a mail was sent before is not known", "run_id", runID, "error", err.Error())
	}
	err := p.send(ctx, letter)
	if err != nil {
		p.Logger.ErrorContext(ctx, "a mail was not sent, or not to everybody", "run_id", runID, "to_role", role, "error", err.Error())
		said.Error = mailFault(err)
	}
	if said.Sent = err == nil || errors.Is(err, mail.ErrPartly); !said.Sent {
		return said
	}
	document, err := json.Marshal(mailed{RunID: runID, ToRole: role, At: now})
	if err == nil {
		err = p.Archive.Put(ctx, name, document)
	}
	if err != nil {
		p.Logger.WarnContext(ctx, "that a mail was sent was not kept; another run may send it again", "run_id", runID, "error", err.Error())
	}
	return said
}

func (p *Post) send(ctx context.Context, l letter) error {
	if len(l.To) == 0 {
		return functions.Errorf(functions.FailedPrecondition, "nobody is named for it").
			WithHint("name addresses under mail in rules/playbooks.yaml")
	}
	var sender mail.Sender
	if p.Open != nil {
		var err error
		if sender, err = p.Open(ctx); err != nil {
			return err
		}
	}
	if sender == nil {
		return functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_MAIL is not set").
			WithHint("set it to smtp://user@host:587 or smtps://user@host:465")
	}
	message, err := l.message(true)
	if err != nil {
		return err
	}
	err = sender.Send(ctx, message)
	if functions.CodeOf(err) != functions.FailedPrecondition || errors.Is(err, mail.ErrPartly) || len(message.Attached) == 0 {
		return err
	}
	if message, lighter := l.message(false); lighter == nil && sender.Send(ctx, message) == nil {
		return nil
	}
	return err
}

// mailFault says in one sentence why a mail was not sent.
func mailFault(err error) string {
	problem := functions.ProblemOf(err, "")
	text := cmp.Or(problem.Detail, problem.Title)
	if problem.Hint != "" {
		text += " (" + problem.Hint + ")"
	}
	return text
}

// backup tells people by mail of a run that did not deliver, in a phase that sends: the retention team when a message is
// not confirmed, the data team when a stage before it gave up. The outcome of the run stays what it is.
func (w *run) backup(ctx context.Context, failure *functions.Error) {
	if failure == nil || w.unheard || !w.rollout.Sends || functions.StopFrom(ctx).Err() != nil {
		return
	}
	role := w.told(failure)
	if role == "" {
		return
	}
	ctx, cancel := functions.Outlive(ctx, mailDeadline, 0)
	defer cancel()
	said := functions.BackupMail{ToRole: role}
	defer func() {
		if fault := recover(); fault != nil { // the log's row must be written whatever a mail meets
			said.Error = "an internal fault; the log has it under the run's id"
			w.Logger.ErrorContext(ctx, "a mail could not be written", "run_id", w.out.RunID, "error", fmt.Sprint(fault))
		}
		w.out.BackupMail, w.row.EmailSent = &said, said.Sent
	}()
	post := &Post{Archive: w.Archive, Open: w.Mail, Logger: w.Logger, Now: w.Now}
	if role == functions.DataTeam {
		said = post.tell(ctx, role, role+"_"+w.row.Stage, w.out.RunID, w.stageLetter(failure))
		return
	}
	said = post.tell(ctx, role, w.webhookID, w.out.RunID, w.backupLetter(ctx, failure))
}

// told is the role that must hear of a failure; empty when nobody must: whoever names a day or sets a setting is told by
// the answer. A run for today or the newest day may be one that nobody looks at.
func (w *run) told(failure *functions.Error) string {
	named := w.in.Date != "" && w.in.Date != functions.Latest || w.in.Replay != ""
	switch {
	case w.out.DeliveryState != functions.DeliveryNone:
		return functions.RetentionTeam
	case failure.Code == functions.Unavailable, failure.Code == functions.Internal,
		w.row.NotificationReason == reasonGuardrail, w.dataFault && !named:
		return functions.DataTeam
	default:
		return ""
	}
}

// files are the audiences of the message as files, as far as they fit together under the limit of the rules; left names
// those that do not.
func (w *run) files() (fit []mail.File, left []functions.Tier) {
	limit := w.Book.Mail().AttachUpTo
	if w.assessment == nil || limit <= 0 {
		return nil, nil
	}
	for _, export := range w.out.Artifacts.Exports {
		audience, _ := w.Exporter.Judged(w.assessment, export.Tier, "")
		content := &bounded{left: limit}
		name, err := destination.CSVName("", audience.Date, export.Tier)
		if err == nil {
			_, err = audience.CSV.WriteTo(content)
		}
		if err != nil {
			left = append(left, export.Tier)
			continue
		}
		limit = content.left
		fit = append(fit, mail.File{Name: name, Type: "text/csv; charset=utf-8", Content: content.Bytes()})
	}
	return fit, left
}

// bounded keeps what is written as long as it fits.
type bounded struct {
	bytes.Buffer
	left int64
}

var errNoRoom = errors.New("no room left")

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errNoRoom
	}
	return b.Buffer.Write(p)
}

// mailedBrief is the brief of the run, or the one that was kept with the message that was sent again.
func (w *run) mailedBrief(ctx context.Context) functions.GenerateBriefOutput {
	if written, has := w.briefs[functions.FormatEmail]; has {
		return written
	}
	kept, err := brief.Stored(ctx, w.Archive, w.out.Date, functions.FormatEmail)
	if err != nil {
		w.Logger.WarnContext(ctx, "a mail goes without its brief", "run_id", w.out.RunID, "error", err.Error())
	}
	return kept
}
