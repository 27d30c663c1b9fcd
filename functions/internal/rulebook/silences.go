package rulebook

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
)

// Silence is a time in which alerts set nothing going.
type Silence struct {
	From, To   functions.Date // days of alerts, both in
	Who        string         // whom to ask
	Why        string
	Severities []functions.Severity // what it silences; all when the file names none

	place value
}

// longestSilence is how many days a silence may last: one that nobody remembers is a switched off alarm.
const (
	longestSilence = 92
	maxSilences    = 200
)

// covers tells whether the silence is about an alert.
func (s Silence) covers(date functions.Date, severity functions.Severity) bool {
	return !date.Before(s.From) && !date.After(s.To) && slices.Contains(s.Severities, severity)
}

// loadSilences reads silences.yaml. A folder of an earlier version has none.
func loadSilences(files fs.FS, out *collector) []Silence {
	if lacks(files, silencesFile) {
		out.remind(silencesFile, "the file is missing: no alert is silenced")
		return nil
	}
	document, _ := openDocument(files, silencesFile, out)
	if document == nil {
		return nil
	}
	top := document.root.section("silences")
	if top.missing() {
		return nil
	}
	var silences []Silence
	for i, item := range top.need("silences").items() {
		if i == maxSilences {
			item.report(idTooLong, fmt.Sprintf("there are more than %d silences", maxSilences), "take out those that have ended")
			break
		}
		silences = append(silences, readSilence(item))
	}
	return silences
}

func readSilence(content value) Silence {
	silence := Silence{place: content, Severities: slices.Clone(alertSeverities)}
	s := content.section("from", "to", "who", "why", "severities")
	if s.missing() {
		return silence
	}
	before := s.faults()
	to := s.need("to")
	silence.From, silence.To = s.need("from").day(), to.day()
	silence.Who, silence.Why = s.need("who").text(), s.need("why").text()
	if named, has := s.maybe("severities"); has {
		silence.Severities = nil
		for _, severity := range wordsOf(named, "severity", texts(alertSeverities)) {
			silence.Severities = append(silence.Severities, functions.Severity(severity))
		}
		if s.faults() == before && len(silence.Severities) == 0 {
			named.report(idType, "the silence is about nothing", "leave severities out for all of them")
		}
	}
	if s.faults() > before {
		return silence
	}
	switch days := silence.To.DaysSince(silence.From) + 1; {
	case days < 1:
		to.report(idOutOfBounds, fmt.Sprintf("the silence ends on %s, before it begins", silence.To), "")
	case days > longestSilence:
		to.report(idOutOfBounds, fmt.Sprintf("the silence lasts %d days, at most %d are possible", days, longestSilence),
			"end it earlier, and write a new one when it is still wanted then")
	}
	return silence
}

// day reads a day, such as 2026-12-24.
func (v value) day() functions.Date {
	if v.missing() {
		return functions.Date{}
	}
	day, err := time.Parse(time.DateOnly, v.raw())
	if err != nil {
		v.report(idType, fmt.Sprintf("%q is not a day", v.raw()), "write YYYY-MM-DD, such as 2026-12-24")
		return functions.Date{}
	}
	return civil.DateOf(day)
}

// lacks tells whether a folder lacks a file that earlier versions did not have, and has none of almost that name.
func lacks(files fs.FS, name string) bool {
	_, err := fs.Stat(files, name)
	return errors.Is(err, fs.ErrNotExist) && misnamed(files, name) == ""
}

// Silences gives every silence of silences.yaml, in the order of the file.
func (b *Book) Silences() []Silence { return slices.Clone(b.silences) }

// Silence finds the silence that an alert falls into.
func (b *Book) Silence(date functions.Date, severity functions.Severity) (Silence, bool) {
	for _, silence := range b.silences {
		if silence.covers(date, severity) {
			return silence, true
		}
	}
	return Silence{}, false
}

// Reminders are what only a clock can say of silences: a warning of those that have ended and of those that begin more
// than a year from now, where the year is most likely a slip, and a note of those in force.
func (b *Book) Reminders(today functions.Date) Findings {
	out := &collector{}
	for _, silence := range b.silences {
		place := silence.place.into(out)
		switch {
		case silence.To.Before(today):
			place.add(Finding{
				ID: idExpired, Severity: SeverityWarning, Message: fmt.Sprintf("the silence of %s ended on %s", silence.Who, silence.To),
				Hint: "take it out; it stays in the history of this file",
			})
		case silence.From.DaysSince(today) > 366:
			place.add(Finding{
				ID: idExpired, Severity: SeverityWarning, Message: fmt.Sprintf("the silence begins on %s, more than a year from now", silence.From),
				Hint: "is the year right?",
			})
		case !silence.From.After(today):
			place.add(Finding{
				ID: idInForce, Severity: SeverityNote,
				Message: fmt.Sprintf("until %s no %s sets anything going: %s (%s)", silence.To, strings.Join(texts(silence.Severities), " or "), silence.Why, silence.Who),
			})
		}
	}
	return out.sorted()
}
