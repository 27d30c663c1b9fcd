package playbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/alert"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/runlog"
)

// The times of a Runner that names no others.
const (
	// DefaultLongest is how long a run may take in all, its end included. The tool's own deadline leaves room for what
	// comes before a run, the opening of the ports, and after it, the answer.
	DefaultLongest = 270 * time.Second
	// DefaultHold is how long a claim keeps others out when its run does not end it. It outlasts the longest run with
	// room for two clocks that differ.
	DefaultHold = 10 * time.Minute
	// DefaultFresh is how long a message may lie in a receiver's queue and still be worked: a day, as the next one has
	// an alert of its own.
	DefaultFresh = 24 * time.Hour

	// endReserve is kept back from the longest run for its end: the mark that it is reached, a begin row that was not
	// written before, the mail that stands in for what did not arrive, the end row and the end of the claim, each with a
	// deadline of its own.
	endReserve = runlog.ArchiveDeadline + runlog.BeginDeadline + mailDeadline + runlog.FinishDeadline + claimDeadline
)

// errStopped is why the stages of a run end when the program is about to end.
var errStopped = errors.New("the program is about to end")

// Runner runs playbooks. Its parts are set before its first use; it is then safe for several goroutines.
type Runner struct {
	Alert     *alert.Decider
	Customers priority.Customers
	// Exclusions reads who is never to be contacted; nil excludes nobody.
	Exclusions func(context.Context) (priority.Exclusions, error)
	Book       *rulebook.Book
	RulesStale bool // the book is older than what is published
	Templates  *brief.Templates
	Builder    *priority.Builder
	Exporter   *audience.Exporter
	Target     functions.Target // where audiences go; empty is csv. With both, the file stands in for a sheet that fails
	Log        *runlog.Log
	Archive    archive.Archive
	Client     *http.Client
	Config     Config
	Mail       func(context.Context) (mail.Sender, error) // opens what mail is sent by; nil, or a nil Sender: nobody gets mail
	Logger     *slog.Logger
	Now        func() time.Time
	NewID      func() string // makes the id of a run whose call has none

	Longest time.Duration // of a run; 0 is DefaultLongest
	Hold    time.Duration // of a claim; 0 is DefaultHold. It must be longer than Longest
	Fresh   time.Duration // of a message; 0 is DefaultFresh
	Answer  time.Duration // of the webhook, at the longest; 0 is DefaultAnswer
	Between time.Duration // two attempts at the webhook; 0 is DefaultBetween

	Pause  func(context.Context, time.Duration) error // waits between attempts; nil waits by the machine's clock
	Jitter func() float64                             // 0 to 1, spreads the pauses; nil is random
}

// run is one run on its way: what is known so far, so that its end can be told at any point.
type run struct {
	*Runner
	in  functions.TriggerPlaybookInput
	out functions.TriggerPlaybookOutput
	row retention.Run

	decision   functions.GetAlertDecisionOutput
	play       rulebook.Playbook
	rollout    rulebook.Rollout
	assessment *retention.Assessment
	built      functions.BuildPriorityQueueOutput
	notes      []string // what a reader of the brief must know
	briefs     map[functions.Format]functions.GenerateBriefOutput

	key, webhookID string
	supersedes     string // the ticket of the day's WARNING, which a CRITICAL updates
	claim          *claim
	earlier        message // the day's newest message when this run claimed it
	stored         *stored // the message of an earlier run, when this one sends it again
	logged         bool    // the begin row was handed to the log
	skipped        bool    // ends well, and nothing was sent
	broke          bool    // the program panicked
	dataFault      bool    // the input tables are not as they must be
	unheard        bool    // the caller went away before the day was claimed, and that ended it
}

// Run runs the playbook of a day, or with DryRun says what it would do and writes nothing.
//
// A run that was made and did not deliver answers with its output and a *functions.Error that carries the same output
// and the run's id. A day that was sent before answers with the first result, AlreadyDone. A day that another run works
// on is failed_precondition with the id of that run; no run is made then, and none is logged.
//
// With Replay it sends the stored message of an earlier run again, as it is, also after a confirmed delivery: the
// receiver then answers with its first receipt.
//
// A day in the shadow phase is claimed like any other, so that two runs do not write over each other; but it ends as
// skipped and never as sent, so it may be run as often as people want to look at it.
//
// Once the day is claimed the run goes on to its end, also when the caller goes away. Only when the program itself is
// about to end (functions.StopFrom) it ends in the stage it has reached, and writes that down.
func (r *Runner) Run(ctx context.Context, in functions.TriggerPlaybookInput) (functions.TriggerPlaybookOutput, error) {
	if err := in.Check(); err != nil {
		return functions.TriggerPlaybookOutput{}, err
	}
	call := functions.CallFrom(ctx)
	if call.RunID == "" {
		call.RunID = r.NewID()
	}
	w := &run{Runner: r, in: in, rollout: r.Book.Rollout(), briefs: map[functions.Format]functions.GenerateBriefOutput{}}
	w.out = functions.TriggerPlaybookOutput{
		RunID: call.RunID, Phase: w.rollout.Phase, Status: functions.RunRunning, DeliveryState: functions.DeliveryNone,
		RulesVersion: r.Book.Version(), RulesStale: r.RulesStale, DryRun: in.DryRun,
		Guardrails: functions.Guardrails{Verdict: functions.VerdictOK, Findings: []functions.GuardrailFinding{}},
		Artifacts:  functions.Artifacts{Exports: []functions.TierExports{}},
	}
	w.row = retention.Run{RunID: call.RunID, RunTimestamp: r.Now().UTC(), Caller: call.Caller, ConfirmationID: call.Confirmation}
	ctx = functions.WithCall(ctx, call)
	if in.DryRun {
		return w.plan(ctx)
	}
	return w.work(ctx)
}

// work goes through the stages. Whatever happens after the first one is written down by end.
func (w *run) work(ctx context.Context) (out functions.TriggerPlaybookOutput, err error) {
	// The end must not be cut off by the caller either, and its own steps have deadlines.
	last := context.WithoutCancel(ctx)
	answered := false // by an earlier run, or refused for another that is at work: no run was made
	defer func() {
		if fault := recover(); fault != nil {
			answered, w.broke = false, true
			err = functions.Errorf(functions.Internal, "stage %s broke down", w.row.Stage).
				WithCause(fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))
		}
		if !answered {
			w.unheard = ctx.Err() != nil && w.claim == nil
			if w.unheard && errors.Is(err, ctx.Err()) {
				err = functions.Errorf(functions.Unavailable, "the caller went away in stage %s, before the day was claimed: nothing was begun", w.row.Stage).
					WithHint("trigger the day again").WithCause(err)
			}
			out, err = w.end(last, err)
		}
	}()
	going, cancel := w.going(last)
	defer cancel()
	called, leave := context.WithCancel(going) // until the day is claimed the caller may go away
	defer leave()
	defer context.AfterFunc(ctx, leave)()
	if ctx.Err() != nil { // AfterFunc is a moment later; who has left already must leave no claim
		leave()
	}
	w.keepTeams(called)
	decide := w.decide
	if w.in.Replay != "" {
		decide = w.recall
	}
	if err := decide(called); err != nil || w.skipped {
		// A replay that names a message which cannot go is a wrong call: no run was made, and none counts as failed.
		code := functions.CodeOf(err)
		answered = w.in.Replay != "" && (code == functions.NotFound || code == functions.FailedPrecondition)
		return out, stopped(going, w.row.Stage, err)
	}
	earlier, held, err := w.begin(called)
	if earlier != nil || held {
		answered = true
		if earlier != nil {
			out = *earlier
			out.AlreadyDone = true
		}
		return out, err
	}
	if err != nil || w.skipped {
		return out, stopped(going, w.row.Stage, err)
	}
	w.writeBegin(going)
	for _, stage := range []func(context.Context) error{w.queue, w.export, w.brief, w.send} {
		if err := stage(going); err != nil {
			return out, stopped(going, w.row.Stage, err)
		}
	}
	return out, nil
}

// going is the context of all stages but the end. It keeps the end's time back, and ends with the program.
func (w *run) going(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithTimeout(ctx, cmp.Or(w.Longest, DefaultLongest)-endReserve)
	going, end := context.WithCancelCause(bounded)
	release := context.AfterFunc(functions.StopFrom(ctx), func() { end(errStopped) })
	return going, func() { release(); end(nil); cancel() }
}

// stopped tells that a stage ended because the program is about to end, unless it has an answer of its own.
func stopped(going context.Context, stage string, err error) error {
	if !errors.Is(context.Cause(going), errStopped) || err == nil {
		return err
	}
	switch functions.CodeOf(err) {
	case functions.FailedPrecondition, functions.NotFound:
		return err
	default:
		return functions.Errorf(functions.Unavailable, "the program was stopped in stage %s", stage).
			WithHint("ask again: " + hintAgain).WithCause(err)
	}
}

// The stages of a run, in order, as the log and the archive name them.
const (
	stageDecide     = "decide"
	stageBegin      = "begin"
	stageQueue      = "queue"
	stageGuardrails = "guardrails"
	stageExport     = "export"
	stageBrief      = "brief"
	stageSend       = "send"
	stageEnd        = "end"
)

var stages = []string{stageDecide, stageBegin, stageQueue, stageGuardrails, stageExport, stageBrief, stageSend, stageEnd}

// enter says that the run has reached a stage: to whoever listens, and in the archive once the run exists.
func (w *run) enter(ctx context.Context, stage, message string) {
	step := 1
	for stages[step-1] != stage {
		step++
	}
	functions.Report(ctx, functions.Progress{Stage: stage, Message: message, Step: step, Steps: len(stages)})
	if stage != stageEnd { // the log keeps where a run stopped, and every run ends
		w.row.Stage = stage
	}
	if w.claim == nil {
		return
	}
	delivery := w.out.DeliveryState
	if stage == stageSend && w.rollout.Sends { // from here on something may leave
		delivery = functions.DeliveryUnknown
	}
	// Where the run stopped can be told without it, less exactly: no reason to stop here.
	if err := w.Log.Stage(ctx, w.out.RunID, stage, delivery); err != nil {
		w.Logger.WarnContext(ctx, "the stage of a run was not kept", "run_id", w.out.RunID, "stage", stage, "error", err.Error())
	}
}

func (w *run) claims() *claims {
	return &claims{archive: w.Archive, now: w.Now, hold: cmp.Or(w.Hold, DefaultHold)}
}

func (w *run) sender() (*sender, error) {
	signers, err := w.Config.signers()
	if err != nil {
		return nil, err
	}
	s := &sender{
		client: w.Client, url: w.Config.URL, apiKey: w.Config.APIKey, signers: signers,
		required: w.Book.ReceiptRequired(), now: w.Now, pause: w.Pause, jitter: w.Jitter, between: w.Between, answerIn: w.Answer,
	}
	if s.client == nil {
		s.client = http.DefaultClient
	}
	if s.pause == nil {
		s.pause = functions.Pause
	}
	if s.jitter == nil {
		s.jitter = rand.Float64
	}
	return s, nil
}
