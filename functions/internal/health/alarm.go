package health

import (
	"math"
	"slices"
	"strconv"

	"github.com/retentionops/retentionops/functions"
)

// Alarm is a condition that people want to hear of.
type Alarm struct {
	Group   string // GroupRules or GroupRollback: two lists that may use the same names
	Name    string // of letters, digits, - and _
	What    string // what it means, in a sentence
	When    string // the condition as a person reads it
	ForDays int    // days in a row that it must hold; 0 asks the window
	Tell    []string

	// Holds judges the condition by the figures that are known; known is false when one of those it needs is not.
	Holds func(figures map[string]float64) (holds, known bool)

	// Figures are those that the condition names: they are shown with it. An alarm about something else says in Found and
	// RunIDs what is behind it.
	Figures []string
	Found   []functions.NamedValue
	RunIDs  []string
}

// The groups of alarms.
const (
	GroupRules    = "rules"    // of rules/monitoring.yaml
	GroupRollback = "rollback" // the triggers of §16
)

// judged is what the figures say of an alarm.
type judged struct {
	holds, known bool
	saw          []functions.NamedValue
	runIDs       []string
}

// judge asks an alarm's condition, over the window or day by day.
//
// Day by day, the condition must hold on the newest days of the window on which it can be judged, as many as it asks
// for. A day that cannot be judged, as there was no run, is passed over: it neither makes an alarm nor ends one. That
// days have no run at all is an alarm of its own (hours_since_run). Today counts as soon as it can be judged.
func (h *History) judgeAlarm(a Alarm, window Span) judged {
	if a.ForDays < 1 {
		return h.over(a, window)
	}
	var all judged
	days := 0
	for day := window.To; !day.Before(window.From) && days < a.ForDays; day = day.AddDays(-1) {
		one := h.over(a, Span{day, day})
		if !one.known {
			continue
		}
		days++
		for _, value := range one.saw {
			all.saw = append(all.saw, functions.NamedValue{Name: value.Name + " on " + day.String(), Value: value.Value})
		}
		all.runIDs = merged(all.runIDs, one.runIDs)
		if all.known = true; !one.holds {
			return all
		}
	}
	all.holds = all.known && days == a.ForDays
	return all
}

func (h *History) over(a Alarm, s Span) judged {
	figures := h.Figures(s)
	var j judged
	j.holds, j.known = a.Holds(Values(figures))
	if j.saw, j.runIDs = a.Found, a.RunIDs; j.saw != nil {
		return j
	}
	for _, figure := range figures {
		if !slices.Contains(a.Figures, figure.Name) {
			continue
		}
		value := ""
		if figure.Value != nil {
			value = strconv.FormatFloat(math.Round(*figure.Value*100)/100, 'f', -1, 64)
		}
		j.saw = append(j.saw, functions.NamedValue{Name: figure.Name, Value: value})
		j.runIDs = merged(j.runIDs, figure.RunIDs)
	}
	return j
}

// merged adds ids that are not there yet, up to what an answer names.
func merged(ids, more []string) []string {
	for _, id := range more {
		if len(ids) < mostRunIDs && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
