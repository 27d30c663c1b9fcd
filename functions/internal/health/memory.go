package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

// What is remembered of an alarm are its begins and ends, one document each under health/alarms/GROUP/NAME/, numbered
// without a gap: the newest says how it stands. Each is made with put-if-absent, so of two checks at the same moment one
// begins an alarm and the other sees that it has begun. Nothing is ever changed or removed.
//
// The attempts to tell people lie beside them, under health/mails/GROUP/NAME/NUMBER/, one document each as well. Who
// makes one may send; how it went is written into it. An attempt that says nothing after a while was cut off, and gives
// way to the next.
const (
	alarmFolder = "health/alarms/"
	mailFolder  = "health/mails/"
)

// event is a begin or an end of an alarm, as it is kept.
type event struct {
	Change functions.AlarmChange  `json:"change"` // began or ended
	At     time.Time              `json:"at"`
	What   string                 `json:"what"`
	When   string                 `json:"when"`
	Tell   []string               `json:"tell"`
	Saw    []functions.NamedValue `json:"saw"`
	RunIDs []string               `json:"run_ids"`
	By     string                 `json:"by"` // the check that saw it: its call's run_id

	number int
}

// past is what is remembered of an alarm: its newest event, and when it stood last.
type past struct {
	group, name    string
	last           *event
	beganAt, ended *time.Time
}

func (p *past) stands() bool { return p.last != nil && p.last.Change == functions.AlarmBegan }

func (p *past) key() string { return p.group + "/" + p.name }

// memory is the archive as alarms use it.
type memory struct {
	archive archive.Archive
	now     func() time.Time
}

// all reads what is remembered, by group and name.
func (m *memory) all(ctx context.Context) (map[string]*past, error) {
	names, err := m.archive.List(ctx, alarmFolder)
	if err != nil {
		return nil, err
	}
	numbers := map[string]int{}
	for _, name := range names {
		var number int
		folder, file := path.Split(strings.TrimPrefix(name, alarmFolder))
		if _, err := fmt.Sscanf(file, "%06d.json", &number); err == nil {
			numbers[strings.TrimSuffix(folder, "/")] = max(number, numbers[strings.TrimSuffix(folder, "/")])
		}
	}
	pasts := map[string]*past{}
	for key, number := range numbers {
		group, name, _ := strings.Cut(key, "/")
		p := &past{group: group, name: name}
		if err := m.read(ctx, p, number); err != nil {
			return nil, err
		}
		pasts[key] = p
	}
	return pasts, nil
}

// read fills in an alarm's newest event, and the begin before it when that is an end.
func (m *memory) read(ctx context.Context, p *past, number int) (err error) {
	if p.last, err = m.event(ctx, p, number); err != nil {
		return err
	}
	p.beganAt, p.ended = &p.last.At, nil
	if p.last.Change == functions.AlarmEnded {
		p.ended, p.beganAt = &p.last.At, nil
		if before, err := m.event(ctx, p, number-1); err == nil {
			p.beganAt = &before.At
		} else if !errors.Is(err, archive.ErrNotFound) {
			return err
		}
	}
	return nil
}

func (m *memory) event(ctx context.Context, p *past, number int) (*event, error) {
	document, err := m.archive.Get(ctx, eventName(p, number))
	if err != nil {
		return nil, err
	}
	e := &event{number: number}
	if err := json.Unmarshal(document, e); err != nil {
		return nil, fmt.Errorf("read what is remembered of an alarm: %w", err)
	}
	return e, nil
}

func eventName(p *past, number int) string {
	return fmt.Sprintf("%s%s/%06d.json", alarmFolder, p.key(), number)
}

// add keeps the next event of an alarm. It tells whether this call made it; when another check was faster, p holds what
// that one saw.
func (m *memory) add(ctx context.Context, p *past, e event) (made bool, err error) {
	e.number = 1
	if p.last != nil {
		e.number = p.last.number + 1
	}
	document, err := json.Marshal(e)
	if err != nil {
		return false, fmt.Errorf("write down an alarm: %w", err)
	}
	switch err := m.archive.PutIfAbsent(ctx, eventName(p, e.number), document); {
	case err == nil, errors.Is(err, archive.ErrExists):
		return err == nil, m.read(ctx, p, e.number)
	default:
		return false, err
	}
}

// attempt is an attempt to tell people of an event, as it is kept.
type attempt struct {
	At    time.Time           `json:"at"`
	State functions.MailState `json:"state"` // pending, sent or failed
	Why   string              `json:"why"`
	By    string              `json:"by"`

	name string
}

func attemptFolder(p *past) string {
	return fmt.Sprintf("%s%s/%06d/", mailFolder, p.key(), p.last.number)
}

// attempted reads the newest attempt to tell people of an alarm's newest event; nil before the first.
func (m *memory) attempted(ctx context.Context, p *past) (newest *attempt, next string, err error) {
	names, err := m.archive.List(ctx, attemptFolder(p))
	if err != nil {
		return nil, "", err
	}
	next = fmt.Sprintf("%s%06d.json", attemptFolder(p), len(names)+1)
	if len(names) == 0 {
		return nil, next, nil
	}
	newest = &attempt{name: slices.Max(names)}
	document, err := m.archive.Get(ctx, newest.name)
	if err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(document, newest); err != nil {
		return nil, "", fmt.Errorf("read an attempt to tell of an alarm: %w", err)
	}
	return newest, next, nil
}

// claim makes the next attempt this check's own; false when another check was faster.
func (m *memory) claim(ctx context.Context, name, by string) (mine *attempt, err error) {
	mine = &attempt{At: m.now().UTC(), State: functions.MailPending, By: by, name: name}
	document, err := json.Marshal(mine)
	if err != nil {
		return nil, fmt.Errorf("write down an attempt to tell of an alarm: %w", err)
	}
	if err := m.archive.PutIfAbsent(ctx, name, document); errors.Is(err, archive.ErrExists) {
		return nil, nil //nolint:nilnil // another check is at it: no attempt of ours, and no fault
	} else if err != nil {
		return nil, err
	}
	return mine, nil
}

// settle writes down how an attempt went.
func (m *memory) settle(ctx context.Context, a *attempt) error {
	document, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write down how an attempt to tell of an alarm went: %w", err)
	}
	return m.archive.Put(ctx, a.name, document)
}
