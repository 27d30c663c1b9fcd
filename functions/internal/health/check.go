package health

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/mail"
)

// Checker judges alarms, remembers them and tells people. Its parts are set before its first use; it is then safe for
// several goroutines.
type Checker struct {
	Archive archive.Archive
	Mail    mail.Sender         // nil: nobody can be told
	NoMail  string              // why Mail is nil
	To      map[string][]string // the addresses of each role
	Logger  *slog.Logger
	Now     func() time.Time
	Phase   functions.Phase // stands in what is mailed

	Hold time.Duration // of an attempt to tell people, after which it counts as cut off; 0 is 10 minutes
}

// Check judges the alarms over a window and answers how each stands. With act it remembers what changed and tells people
// once of each begin and each end; without, it only shows what it would do. Alarms that stand and are no longer in the
// rules end.
func (c *Checker) Check(ctx context.Context, h *History, alarms []Alarm, window Span, act bool) ([]functions.HealthAlarm, error) {
	remembered := &memory{archive: c.Archive, now: c.Now}
	pasts, err := remembered.all(ctx)
	if err != nil {
		return nil, err
	}
	var cases []*standing
	for _, alarm := range alarms {
		s := &standing{alarm: alarm, judged: h.judgeAlarm(alarm, window), past: pasts[alarm.Group+"/"+alarm.Name]}
		if s.past == nil {
			s.past = &past{group: alarm.Group, name: alarm.Name}
		}
		delete(pasts, s.past.key())
		cases = append(cases, s)
	}
	cases = append(cases, gone(pasts)...)
	for _, s := range cases {
		if err := c.change(ctx, remembered, s, act); err != nil {
			return nil, err
		}
	}
	if err := c.tell(ctx, remembered, cases, act); err != nil {
		return nil, err
	}
	answer := make([]functions.HealthAlarm, 0, len(cases))
	for _, s := range cases {
		if s.alarm.Holds != nil || s.isNews() {
			answer = append(answer, s.shown())
		}
	}
	return answer, nil
}

// standing is one alarm in the course of a check.
type standing struct {
	alarm   Alarm // without Holds: it is no longer in the rules
	judged  judged
	past    *past
	changed functions.AlarmChange
	mail    functions.MailState
	mailWhy string
}

// isNews tells whether an alarm that is no longer in the rules is worth a line.
func (s *standing) isNews() bool {
	return s.changed != functions.AlarmUnchanged || s.mail == functions.MailFailed || s.mail == functions.MailPending
}

// gone are the alarms that are remembered and no longer in the rules.
func gone(pasts map[string]*past) []*standing {
	var cases []*standing
	for _, key := range slices.Sorted(maps.Keys(pasts)) {
		p := pasts[key]
		cases = append(cases, &standing{
			alarm: Alarm{Group: p.group, Name: p.name, What: p.last.What, When: p.last.When, Tell: p.last.Tell}, past: p,
			judged: judged{known: true, saw: []functions.NamedValue{{Name: "rules/monitoring.yaml", Value: "the alarm is no longer there"}}},
		})
	}
	return cases
}

// change notes a begin or an end. What is not known changes nothing.
func (c *Checker) change(ctx context.Context, m *memory, s *standing, act bool) error {
	s.changed = functions.AlarmUnchanged
	switch {
	case !s.judged.known || s.judged.holds == s.past.stands():
		return nil
	case s.judged.holds:
		s.changed = functions.AlarmBegan
	default:
		s.changed = functions.AlarmEnded
	}
	if !act {
		return nil
	}
	made, err := m.add(ctx, s.past, event{
		Change: s.changed, At: c.Now().UTC(), What: s.alarm.What, When: s.alarm.When, Tell: s.alarm.Tell,
		Saw: s.judged.saw, RunIDs: s.judged.runIDs, By: functions.CallFrom(ctx).RunID,
	})
	if !made {
		s.changed = functions.AlarmUnchanged // another check saw it first
	}
	return err
}

// shown is the alarm as an answer tells it.
func (s *standing) shown() functions.HealthAlarm {
	stands := s.past.stands()
	switch s.changed { // of a dry run: as it would stand
	case functions.AlarmBegan:
		stands = true
	case functions.AlarmEnded:
		stands = false
	case functions.AlarmUnchanged:
	}
	state := functions.AlarmQuiet
	switch {
	case stands:
		state = functions.AlarmStanding
	case !s.judged.known:
		state = functions.AlarmUnknown
	}
	return functions.HealthAlarm{
		Name: s.alarm.Name, What: s.alarm.What, When: s.alarm.When, ForDays: s.alarm.ForDays, Tell: s.alarm.Tell,
		State: state, Change: s.changed, BeganAt: s.past.beganAt, EndedAt: s.past.ended,
		Mail: cmp.Or(s.mail, functions.MailNone), MailWhy: s.mailWhy, Saw: s.judged.saw, RunIDs: s.judged.runIDs,
	}
}
