package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

// scene is where a fault is played: a folder with the warehouse of a shop, and the stand-ins.
type scene struct {
	*command
	fault    fault
	out      string
	secret   string
	receiver *shop.Receiver
	hook     *server
	mailbox  *shop.Mailbox
	heard    *heard
	watch    func(functions.Progress) // nil: nobody watches
}

// heard is what the stand-ins print; they do it from goroutines of their own.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

// take answers the lines that came since it was asked last.
func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := strings.TrimRight(h.text.String(), "\n")
	h.text.Reset()
	if text == "" {
		return []string{}
	}
	return strings.Split(text, "\n")
}

// setScene starts the stand-ins for a fault. Close stops them.
func (c *command) setScene(ctx context.Context, f fault, out string) (*scene, error) {
	shop.LinkOutages()
	secret, err := newSecret()
	if err != nil {
		return nil, err
	}
	s := &scene{command: c, fault: f, out: out, secret: secret, heard: &heard{}}
	if s.receiver, err = shop.NewReceiver(shop.Options{Out: s.heard, Secrets: []string{secret}, Now: c.Now}); err != nil {
		return nil, err
	}
	if s.hook, err = listen(ctx, "127.0.0.1:0", s.receiver); err != nil {
		return nil, err
	}
	if s.mailbox, err = shop.OpenMailbox(ctx, s.heard); err != nil {
		return nil, errors.Join(err, s.hook.stop(ctx))
	}
	return s, nil
}

func (s *scene) close(ctx context.Context) error {
	s.mailbox.Close()
	return s.hook.stop(ctx)
}

// act is one run of the day's playbook, and what a person gets of it.
type act struct {
	What     string                            `json:"what"`
	Date     functions.Date                    `json:"date"`
	RunID    string                            `json:"run_id"`
	Exit     int                               `json:"exit"` // of the command that triggers it
	TookMS   float64                           `json:"took_ms"`
	Stages   []stageTime                       `json:"stages"`
	Arrivals []float64                         `json:"deliveries_after_ms"` // when they reached the receiver
	Asked    []shop.Statement                  `json:"statements_without_answer,omitempty"`
	Output   *functions.TriggerPlaybookOutput  `json:"output,omitempty"`
	Problem  *functions.Problem                `json:"problem,omitempty"`
	Decision *functions.GetAlertDecisionOutput `json:"decision,omitempty"`
	Log      *functions.Run                    `json:"log,omitempty"` // its row, once the warehouse can be read
	StandIns []string                          `json:"stand_ins"`
}

// played is what both acts left behind.
type played struct {
	Broken     act         `json:"broken"`
	Mended     act         `json:"mended"`
	Reconciled int         `json:"rows_reconciled"` // that waited in the archive
	RowsAtOnce int64       `json:"rows_at_once"`    // of the log
	Ledger     []ledgerRow `json:"receiver"`
	Deliveries int         `json:"deliveries"`
	Mails      []shop.Mail `json:"mails"`
	Runs       int         `json:"runs"`
	Lost       int         `json:"lost_runs"`       // without an end in the log
	Duplicates int         `json:"duplicates"`      // posts and tickets beyond one for the day
	Brief      string      `json:"brief,omitempty"` // that the first run kept, when it made one
	Promises   []kept      `json:"promises"`
}

// ledgerRow is what the receiver did under one id.
type ledgerRow struct {
	ID         string `json:"webhook_id"`
	SlackPosts int    `json:"slack_posts"`
	Tickets    int    `json:"tickets"`
	Worked     int    `json:"deliveries_worked"`
}

// play plays the fault and its mend on the warehouse that lies in the folder, filled as of the day.
func (s *scene) play(ctx context.Context, day, first functions.Date, told func(*act, *played)) (*played, error) {
	p := &played{Ledger: []ledgerRow{}, Mails: []shop.Mail{}}
	days := [2]functions.Date{day, day}
	if s.fault.early {
		days = [2]functions.Date{first.AddDays(earlyDay), first.AddDays(readyDay)}
		if err := s.detect(ctx, days[0]); err != nil {
			return nil, err
		}
	}
	s.receiver.Break(s.fault.trouble)
	if err := s.broken(ctx, days[0], p); err != nil {
		return nil, err
	}
	told(&p.Broken, p)
	s.receiver.Mend()
	if s.fault.early {
		if err := s.detect(ctx, days[1]); err != nil {
			return nil, err
		}
	}
	if err := s.mended(ctx, days[1], p); err != nil {
		return nil, err
	}
	told(&p.Mended, p)
	s.judge(p)
	return p, nil
}

// The days of a shop that the fault without a baseline plays, counted from its first order.
const (
	earlyDay = 3
	readyDay = 7
)

// detect fills the input tables as of another day.
func (s *scene) detect(ctx context.Context, day functions.Date) (err error) {
	env := s.env(day, false)
	defer closing(env, &err)
	db, err := embedded(ctx, env)
	if err != nil {
		return err
	}
	_, err = shop.Detect(ctx, db, day)
	return err
}

func closing(env *setup.Env, err *error) {
	if closed := env.Close(); *err == nil {
		*err = closed
	}
}

// broken triggers the day while something is out of order.
func (s *scene) broken(ctx context.Context, day functions.Date, p *played) (err error) {
	env := s.env(day, true)
	defer closing(env, &err)
	if p.Broken, err = s.trigger(ctx, env, day, s.fault.broken); err != nil {
		return err
	}
	if asleep, err := env.Warehouse(ctx); err == nil {
		if sleeper, is := asleep.Driver().(*shop.Sleeper); is {
			p.Broken.Asked = sleeper.Asked()
		}
	}
	return nil
}

// mended writes what waits, triggers the day again, and looks at all that was left behind.
func (s *scene) mended(ctx context.Context, day functions.Date, p *played) (err error) {
	env := s.env(day, false)
	defer closing(env, &err)
	log, err := env.Log(ctx)
	if err != nil {
		return err
	}
	if p.Reconciled, err = log.Reconcile(ctx); err != nil {
		return err
	}
	if p.Mended, err = s.trigger(ctx, env, day, s.fault.mended); err != nil {
		return err
	}
	db, err := embedded(ctx, env)
	if err != nil {
		return err
	}
	var rows int64
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM ops_runs_log").Scan(&rows); err != nil {
		return fmt.Errorf("count the rows of the log: %w", err)
	}
	p.RowsAtOnce = rows - int64(p.Reconciled)
	papers, err := env.Archive(ctx)
	if err != nil {
		return err
	}
	written, err := brief.Stored(ctx, papers, day, functions.FormatMarkdown)
	if err != nil && functions.CodeOf(err) != functions.FailedPrecondition { // a run that sent nothing keeps none
		return err
	}
	p.Brief = written.Text
	return s.look(ctx, env, p)
}

// look reads the log by its door, and asks the stand-ins what came.
func (s *scene) look(ctx context.Context, env *setup.Env, p *played) error {
	var runs []functions.Run
	err := s.within(ctx, env, func(client *client) error {
		input, err := json.Marshal(functions.ReadRecordInput{Record: functions.RecordRuns})
		if err != nil {
			return fmt.Errorf("write the input: %w", err)
		}
		answer, err := client.call(ctx, functions.ReadRecord, input)
		if err != nil {
			return err
		}
		out, err := decode[functions.ReadRecordOutput](answer)
		runs = out.Runs
		return err
	})
	if err != nil {
		return err
	}
	began := map[string]bool{p.Broken.RunID: true, p.Mended.RunID: true}
	for i, run := range runs {
		began[run.RunID] = true
		for _, act := range []*act{&p.Broken, &p.Mended} {
			if act.RunID == run.RunID {
				act.Log = &runs[i]
			}
		}
	}
	p.Runs = len(began)
	for id := range began {
		at := slices.IndexFunc(runs, func(run functions.Run) bool { return run.RunID == id })
		if at < 0 || runs[at].Status == functions.RunRunning || runs[at].Status == functions.RunAbandoned {
			p.Lost++
		}
	}
	posts, tickets := 0, 0
	for _, entry := range s.receiver.Ledger() {
		p.Ledger = append(p.Ledger, ledgerRow{entry.ID, entry.Posts, entry.Tickets, entry.Attempts})
		posts, tickets = posts+entry.Posts, tickets+entry.Tickets
	}
	p.Duplicates = max(0, posts-1) + max(0, tickets-1)
	p.Deliveries, p.Mails = len(s.receiver.Arrivals()), append(p.Mails, s.mailbox.Mails()...)
	return nil
}

// within serves the doors while work lasts.
func (s *scene) within(ctx context.Context, env *setup.Env, work func(*client) error) (err error) {
	doors, err := listen(ctx, "127.0.0.1:0", mux(env))
	if err != nil {
		return err
	}
	defer func() {
		if stopped := doors.stop(ctx); err == nil {
			err = stopped
		}
	}()
	return work(&client{base: doors.URL, http: &http.Client{}})
}

// trigger triggers the day by its door. Its error is of the demonstration: how the run ended is in the act.
func (s *scene) trigger(ctx context.Context, env *setup.Env, day functions.Date, what string) (act, error) {
	done := act{What: what, Date: day, Arrivals: []float64{}}
	input, err := json.Marshal(map[string]any{"date": day})
	if err != nil {
		return done, fmt.Errorf("write the input: %w", err)
	}
	came := len(s.receiver.Arrivals())
	watch := &stopwatch{now: s.Now, began: s.Now()}
	err = s.within(ctx, env, func(client *client) error {
		if s.fault.early {
			if err := done.decide(ctx, client, input); err != nil {
				return err
			}
		}
		reported := functions.WithReporter(ctx, func(p functions.Progress) {
			watch.see(p)
			if s.watch != nil {
				s.watch(p)
			}
		})
		answer, err := client.call(reported, functions.TriggerPlaybook, input)
		return done.ended(answer, err)
	})
	took, stages := watch.stop()
	done.TookMS, done.Stages = milliseconds(took), stages
	for _, at := range s.receiver.Arrivals()[came:] {
		done.Arrivals = append(done.Arrivals, milliseconds(at.Sub(watch.began)))
	}
	done.StandIns = s.heard.take()
	return done, err
}

// decide asks for the decision of the day.
func (a *act) decide(ctx context.Context, client *client, input []byte) error {
	answer, err := client.call(ctx, functions.GetAlertDecision, input)
	if err != nil {
		return err
	}
	decision, err := decode[functions.GetAlertDecisionOutput](answer)
	a.Decision = &decision
	return err
}

// ended notes how the run ended, and with what the command ends that triggers it (design section 5).
func (a *act) ended(answer json.RawMessage, err error) error {
	failure, failed := errors.AsType[*functions.Error](err)
	if err != nil && !failed {
		return err
	}
	if failed {
		problem := functions.ProblemOf(failure, failure.RunID)
		problem.Detail, problem.Hint, problem.Result = failure.Detail, failure.Hint, nil
		a.Problem, a.Exit, a.RunID = &problem, exitFailed, failure.RunID
		answer, _ = failure.Result.(json.RawMessage)
		if answer == nil {
			return nil
		}
	}
	out, err := decode[functions.TriggerPlaybookOutput](answer)
	if err != nil {
		return err
	}
	a.Output, a.RunID = &out, out.RunID
	if out.Status == functions.RunSkipped {
		a.Exit = exitSkipped
	}
	return nil
}

// pauses are the times between the deliveries.
func (a *act) pauses() []time.Duration {
	var pauses []time.Duration
	for i := 1; i < len(a.Arrivals); i++ {
		pauses = append(pauses, time.Duration((a.Arrivals[i]-a.Arrivals[i-1])*float64(time.Millisecond)))
	}
	return pauses
}
