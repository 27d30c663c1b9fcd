package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
)

const (
	// DefaultHold is how long an attempt to tell people keeps others from it when it does not say how it went. It
	// outlasts a call of check_health.
	DefaultHold = 10 * time.Minute
	// staleAfter is how old the end of an alarm may be and still be told: when nobody could be told for a week, the end
	// of an alarm that nobody knows of is no news.
	staleAfter = 7 * 24 * time.Hour
	// mailDeadline is for one mail.
	mailDeadline = 30 * time.Second
	// settleDeadline is for writing down how an attempt went, also when the caller has gone.
	settleDeadline, stoppingSettleDeadline = 5 * time.Second, 500 * time.Millisecond
)

const dryRunTells = "a dry run tells nobody"

// letter is one mail to the people of some roles, about all that changed for them.
type letter struct {
	to       []string
	cases    []*standing
	attempts []*attempt
}

// tell tells people of begins and ends that they do not know of yet: one mail to the same people in one check. What was
// not told is tried again by the next check; what was told, also to some of them only, is not told again.
func (c *Checker) tell(ctx context.Context, m *memory, cases []*standing, act bool) error {
	letters := map[string]*letter{}
	for _, s := range cases {
		mine, to, err := c.due(ctx, m, s, act)
		if err != nil {
			return err
		}
		if mine == nil {
			continue
		}
		key := strings.Join(to, "\n")
		if letters[key] == nil {
			letters[key] = &letter{to: to}
		}
		letters[key].cases = append(letters[key].cases, s)
		letters[key].attempts = append(letters[key].attempts, mine)
	}
	for _, key := range slices.Sorted(maps.Keys(letters)) {
		c.send(ctx, m, letters[key])
	}
	return nil
}

// due decides whether this check tells people of an alarm's newest event, and makes the attempt its own.
func (c *Checker) due(ctx context.Context, m *memory, s *standing, act bool) (mine *attempt, to []string, err error) {
	if s.changed != functions.AlarmUnchanged && !act {
		s.mail, s.mailWhy = functions.MailPending, dryRunTells
		return nil, nil, nil
	}
	if s.mail = functions.MailNone; s.past.last == nil {
		return nil, nil, nil
	}
	newest, next, err := m.attempted(ctx, s.past)
	if err != nil {
		return nil, nil, err
	}
	event, now := s.past.last, c.Now()
	to = c.addresses(event.Tell)
	switch {
	case newest != nil && newest.State == functions.MailSent:
		s.mail, s.mailWhy = functions.MailSent, newest.Why
	case event.Change == functions.AlarmEnded && now.Sub(event.At) > staleAfter:
		// It is over, and was never told: nothing to do any more.
	case newest != nil && newest.State == functions.MailPending && now.Sub(newest.At) < cmp.Or(c.Hold, DefaultHold):
		s.mail, s.mailWhy = functions.MailPending, "another check is telling people"
	case c.Mail == nil:
		s.mailWhy = cmp.Or(c.NoMail, "no mail is configured")
	case len(to) == 0:
		s.mailWhy = fmt.Sprintf("nobody is named as %s under mail in rules/playbooks.yaml", strings.Join(event.Tell, " or "))
	case !act && newest != nil && newest.State == functions.MailFailed:
		s.mail, s.mailWhy = functions.MailFailed, newest.Why
	case !act:
		s.mail, s.mailWhy = functions.MailPending, dryRunTells
	default:
		s.mail, s.mailWhy = functions.MailPending, "another check is telling people"
		mine, err = m.claim(ctx, next, functions.CallFrom(ctx).RunID)
	}
	return mine, to, err
}

// addresses are those of the roles, each once.
func (c *Checker) addresses(roles []string) []string {
	var to []string
	for _, role := range roles {
		to = append(to, c.To[role]...)
	}
	slices.Sort(to)
	return slices.Compact(to)
}

// send sends a letter and writes down how it went.
func (c *Checker) send(ctx context.Context, m *memory, l *letter) {
	state, why := functions.MailSent, ""
	bounded, cancel := context.WithTimeout(ctx, mailDeadline)
	err := c.Mail.Send(bounded, c.write(l))
	cancel()
	switch {
	case errors.Is(err, mail.ErrPartly):
		why = "some recipients did not get it"
	case err != nil:
		problem := functions.ProblemOf(err, "")
		state, why = functions.MailFailed, strings.TrimSuffix(string(problem.Code)+": "+problem.Detail, ": ")
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "people were not told of an alarm", "alarm", l.cases[0].past.key(), "error", err.Error())
	}
	ctx, cancel = functions.Outlive(ctx, settleDeadline, stoppingSettleDeadline)
	defer cancel()
	for i, s := range l.cases {
		s.mail, s.mailWhy = state, why
		l.attempts[i].State, l.attempts[i].Why = state, why
		if err := m.settle(ctx, l.attempts[i]); err != nil {
			c.Logger.WarnContext(ctx, "how people were told of an alarm was not kept: they may be told again",
				"alarm", s.past.key(), "error", err.Error())
		}
	}
}

// write puts a letter together.
func (c *Checker) write(l *letter) mail.Message {
	var names []string
	var text strings.Builder
	for _, s := range l.cases {
		names = append(names, s.past.name+" "+string(s.past.last.Change))
		writeCase(&text, s.past)
	}
	fmt.Fprintf(&text, "Phase: %s. Look further: retentionops health, and retentionops runs show RUN_ID for a run.\n"+
		"You are told once when an alarm begins and once when it ends.\n", c.Phase)
	return mail.Message{To: l.to, Subject: "RetentionOps: " + strings.Join(names, ", "), Text: text.String()}
}

func writeCase(text *strings.Builder, p *past) {
	e := p.last
	switch {
	case e.Change == functions.AlarmBegan:
		fmt.Fprintf(text, "%s: the alarm began on %s.\n", p.name, moment(e.At))
	case p.beganAt == nil:
		fmt.Fprintf(text, "%s: the alarm ended on %s.\n", p.name, moment(e.At))
	default:
		fmt.Fprintf(text, "%s: the alarm of %s ended on %s.\n", p.name, moment(*p.beganAt), moment(e.At))
	}
	fmt.Fprintf(text, "  %s\n  condition: %s\n", e.What, e.When)
	for _, value := range e.Saw {
		fmt.Fprintf(text, "  %s: %s\n", value.Name, cmp.Or(value.Value, "not known"))
	}
	if len(e.RunIDs) > 0 {
		fmt.Fprintf(text, "  runs: %s\n", strings.Join(e.RunIDs, ", "))
	}
	text.WriteString("\n")
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
