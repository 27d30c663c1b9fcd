package health

import (
	"context"
	"slices"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// Log is the audit log.
type Log interface {
	// List reads runs, newest first, each in its state; a run that never ended is abandoned.
	List(ctx context.Context, query warehouse.RunQuery) ([]retention.Run, error)
}

// MaxRuns is how many runs are read, the newest ones: half a century of a daily run with a repetition.
const MaxRuns = 40_000

// History is the log at one moment, as the figures see it. Dry runs are left out. A run belongs to the day on which it
// began, in the zone that also decides which day is today.
type History struct {
	runs   []retention.Run         // newest first, those that are still running included
	alerts []alertDay              // in the order in which they became known
	unreal map[functions.Date]bool // days whose alert was none
	now    time.Time
	zone   *time.Location
	cut    bool // the log holds older runs than were read
}

// alertDay is a day with an alert. It became known with the first run that saw it: a day that is run again, or looked
// at later, is no second alert.
type alertDay struct {
	date  functions.Date
	known time.Time
	runs  []retention.Run // oldest first
}

// Read reads the log. falsePositives names the runs whose alert was none, as people reported.
func Read(ctx context.Context, log Log, now time.Time, zone *time.Location, falsePositives []string) (*History, error) {
	runs, err := log.List(ctx, warehouse.RunQuery{Limit: MaxRuns})
	if err != nil {
		return nil, err
	}
	h := &History{now: now, zone: zone, unreal: map[functions.Date]bool{}, cut: len(runs) == MaxRuns}
	days := map[functions.Date]int{}
	for _, run := range runs {
		if run.DryRun {
			continue
		}
		h.runs = append(h.runs, run)
	}
	for _, run := range slices.Backward(h.runs) {
		if run.AlertDate == nil || run.AlertFlag == nil || !*run.AlertFlag {
			continue
		}
		at, seen := days[*run.AlertDate]
		if !seen {
			at = len(h.alerts)
			days[*run.AlertDate] = at
			h.alerts = append(h.alerts, alertDay{date: *run.AlertDate, known: run.RunTimestamp})
		}
		h.alerts[at].runs = append(h.alerts[at].runs, run)
		if slices.Contains(falsePositives, run.RunID) {
			h.unreal[*run.AlertDate] = true
		}
	}
	return h, nil
}

// Runs gives the runs, newest first. They must not be changed.
func (h *History) Runs() []retention.Run { return h.runs }

// Cut tells whether the log holds older runs than were read.
func (h *History) Cut() bool { return h.cut }

// Today is the present day.
func (h *History) Today() functions.Date { return h.day(h.now) }

func (h *History) day(t time.Time) functions.Date { return civil.DateOf(t.In(h.zone)) }

// first is the day of the oldest run; false when there is none.
func (h *History) first() (functions.Date, bool) {
	if len(h.runs) == 0 {
		return functions.Date{}, false
	}
	return h.day(h.runs[len(h.runs)-1].RunTimestamp), true
}

// Span is a stretch of days, both included.
type Span struct{ From, To functions.Date }

// Last is the span of so many days that ends today.
func (h *History) Last(days int) Span { return Span{From: h.Today().AddDays(1 - days), To: h.Today()} }

// Days is how many days the span has.
func (s Span) Days() int { return s.To.DaysSince(s.From) + 1 }

func (s Span) holds(day functions.Date) bool { return !day.Before(s.From) && !day.After(s.To) }

// until is the moment up to which a span is looked at: the end of its last day, or now.
func (h *History) until(s Span) time.Time {
	end := s.To.AddDays(1).In(h.zone)
	if end.After(h.now) {
		return h.now
	}
	return end
}
