package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// What §16 asks.
const (
	// CleanDays is how many days in a row must have gone without an error in shadow.
	CleanDays = 7
	// HandledWarnings is how many WARNING alerts must have been handled in the pilot.
	HandledWarnings = 2
	// CampaignWithin is how soon the campaign of a WARNING must have been started.
	CampaignWithin = 30 * time.Minute
	// MostFalsePositives is the share of false positives in percent beyond which the rollout goes back.
	MostFalsePositives = 5.0
	// LongestDowntime is how long the system may be down before the rollout goes back.
	LongestDowntime = 24 * time.Hour
	// Grace is what a daily run may come later than a day after the one before: the clock change of a time zone, and a
	// run that is slow or is repeated by its scheduler.
	Grace = 2 * time.Hour
)

// mostIDs is how many runs, days or notes stand behind a criterion in an answer.
const mostIDs = 10

// Input is what the evidence is made from.
type Input struct {
	Phase functions.Phase
	Runs  []retention.Run         // newest first, without dry runs
	Notes []functions.RolloutNote // newest first
	Now   time.Time
	Zone  *time.Location

	FalsePositivePct *float64 // of the alert days of the window, as health computes it; nil: unknown
	HoursSinceRun    *float64 // nil: no run ever ended
	LastRunID        string
}

// Judge says how far the rollout has come.
func Judge(in Input) functions.RolloutView {
	view := functions.RolloutView{Phase: in.Phase, Notes: in.Notes, Triggers: in.triggers()}
	stint := in.stint()
	if len(stint) > 0 {
		view.Since = new(in.day(stint[len(stint)-1]))
	}
	switch in.Phase {
	case functions.PhaseShadow:
		view.Next = functions.PhasePilot
		view.Criteria = []functions.RolloutCriterion{
			in.cleanDays(stint),
			in.approved("brief_approved", "CRM manager approves brief format", functions.NoteBriefApproved),
			in.approved("export_approved", "Export format works in CRM tool", functions.NoteExportApproved),
		}
	case functions.PhasePilot:
		view.Next = functions.PhaseProduction
		handled := handledWarnings(stint)
		view.Criteria = []functions.RolloutCriterion{
			in.warningsHandled(handled), in.campaignsStarted(handled), in.noFalsePositives(handled),
		}
	case functions.PhaseProduction, functions.PhaseDisabled:
		return view
	}
	view.Ready = !slices.ContainsFunc(view.Criteria, func(c functions.RolloutCriterion) bool { return !c.Met }) &&
		!slices.ContainsFunc(view.Triggers, func(t functions.RollbackTrigger) bool { return t.State == functions.AlarmStanding })
	if view.Ready {
		view.Change = "phase: " + string(view.Next)
	}
	return view
}

func (in Input) day(run retention.Run) functions.Date {
	return civil.DateOf(run.RunTimestamp.In(in.Zone))
}

// stint are the runs since the present phase began: what was shown in an earlier stay in it does not count. A run that
// failed before it knew its phase belongs to where it stands.
func (in Input) stint() []retention.Run {
	end := slices.IndexFunc(in.Runs, func(run retention.Run) bool { return run.Phase != "" && run.Phase != in.Phase })
	if end < 0 {
		end = len(in.Runs)
	}
	return in.Runs[:end]
}

// cleanDays counts the days in a row, up to today or yesterday, on which a run ended and none failed. A day without a
// run breaks the row: the system is to run daily.
func (in Input) cleanDays(stint []retention.Run) functions.RolloutCriterion {
	c := functions.RolloutCriterion{Name: "clean_days", Text: fmt.Sprintf("%d consecutive days with no errors", CleanDays)}
	byDay := map[functions.Date][]retention.Run{}
	for _, run := range stint {
		if run.Status != functions.RunRunning {
			byDay[in.day(run)] = append(byDay[in.day(run)], run)
		}
	}
	today := civil.DateOf(in.Now.In(in.Zone))
	day, stopped := today, ""
	if len(byDay[day]) == 0 { // today's run may be yet to come
		day = day.AddDays(-1)
	}
	for ; stopped == ""; day = day.AddDays(-1) {
		runs := byDay[day]
		bad := slices.IndexFunc(runs, failed)
		switch {
		case len(runs) == 0:
			stopped = fmt.Sprintf("on %s no run ended in this phase", day)
		case bad >= 0:
			stopped = fmt.Sprintf("on %s run %s %s", day, runs[bad].RunID, runs[bad].Status)
		default:
			c.Days = append(c.Days, day)
			for _, run := range runs {
				c.RunIDs = append(c.RunIDs, run.RunID)
			}
		}
	}
	c.Met = len(c.Days) >= CleanDays
	c.Found = fmt.Sprintf("%d in a row; %s", len(c.Days), stopped)
	c.Days, c.RunIDs = c.Days[:min(len(c.Days), mostIDs)], c.RunIDs[:min(len(c.RunIDs), mostIDs)]
	return c
}

func failed(run retention.Run) bool {
	return run.Status == functions.RunFailed || run.Status == functions.RunAbandoned
}

// approved asks for a note of a kind.
func (in Input) approved(name, text string, kind functions.NoteKind) functions.RolloutCriterion {
	c := functions.RolloutCriterion{Name: name, Text: text, Found: "nobody has written so down"}
	for _, note := range in.Notes {
		if note.What == kind {
			c.Met, c.NoteIDs = true, []string{note.ID}
			c.Found = fmt.Sprintf("%s on %s: %s", note.Who, civil.DateOf(note.At.In(in.Zone)), note.Why)
			if note.RunID != "" {
				c.RunIDs = []string{note.RunID}
			}
			return c
		}
	}
	return c
}

// handledWarnings are the runs of the phase whose WARNING was confirmed by a receipt, newest first; of an alert day that
// was sent more than once the first.
func handledWarnings(stint []retention.Run) []retention.Run {
	var handled []retention.Run
	seen := map[functions.Date]bool{}
	for _, run := range slices.Backward(stint) {
		if run.Severity != functions.Warning || run.DeliveryState != functions.DeliveryConfirmed || run.AlertDate == nil || seen[*run.AlertDate] {
			continue
		}
		seen[*run.AlertDate] = true
		handled = append(handled, run)
	}
	slices.Reverse(handled)
	return handled
}

// counting are the handled WARNINGs that the criteria of the pilot look at: the newest ones, as many as §16 asks for, so
// that a bad beginning can be made good.
func counting(handled []retention.Run) []retention.Run {
	return handled[:min(len(handled), HandledWarnings)]
}

func (in Input) warningsHandled(handled []retention.Run) functions.RolloutCriterion {
	c := functions.RolloutCriterion{
		Name: "warnings_handled", Text: fmt.Sprintf("%d WARNING alerts handled successfully", HandledWarnings),
		Met: len(handled) >= HandledWarnings, Found: fmt.Sprintf("%d confirmed by a receipt in this phase", len(handled)),
	}
	for _, run := range handled[:min(len(handled), mostIDs)] {
		c.Days, c.RunIDs = append(c.Days, *run.AlertDate), append(c.RunIDs, run.RunID)
	}
	return c
}

func (in Input) campaignsStarted(handled []retention.Run) functions.RolloutCriterion {
	c := functions.RolloutCriterion{
		Name: "campaigns_started", Text: fmt.Sprintf("Campaign launched within %d minutes", int(CampaignWithin.Minutes())),
	}
	var found []string
	inTime := 0
	for _, run := range counting(handled) {
		c.Days, c.RunIDs = append(c.Days, *run.AlertDate), append(c.RunIDs, run.RunID)
		note := in.started(run)
		if note == nil {
			found = append(found, fmt.Sprintf("%s: nobody has written down when", run.AlertDate))
			continue
		}
		c.NoteIDs = append(c.NoteIDs, note.ID)
		after := note.At.Sub(run.CreatedAt)
		if after <= CampaignWithin {
			inTime++
		}
		found = append(found, fmt.Sprintf("%s: after %s, says %s", run.AlertDate, minutes(after), note.Who))
	}
	c.Met = inTime >= HandledWarnings
	c.Found = cmp.Or(strings.Join(found, "; "), "no WARNING was confirmed yet")
	return c
}

// started is the note of when the campaign of a run's alert day began, the earliest; nil when there is none.
func (in Input) started(run retention.Run) *functions.RolloutNote {
	var first *functions.RolloutNote
	for i, note := range in.Notes {
		if note.What == functions.NoteCampaignStarted && in.alertDay(note.RunID) == *run.AlertDate && (first == nil || note.At.Before(first.At)) {
			first = &in.Notes[i]
		}
	}
	return first
}

// alertDay is the alert day of a run; none for a run that is not there.
func (in Input) alertDay(runID string) functions.Date {
	for _, run := range in.Runs {
		if run.RunID == runID && run.AlertDate != nil {
			return *run.AlertDate
		}
	}
	return functions.Date{}
}

func (in Input) noFalsePositives(handled []retention.Run) functions.RolloutCriterion {
	c := functions.RolloutCriterion{Name: "no_false_positives", Text: "No false positives", Found: "no WARNING was confirmed yet"}
	if len(handled) == 0 {
		return c
	}
	unreal := FalsePositives(in.Notes)
	c.Met, c.Found = len(handled) >= HandledWarnings, "none of those that count was reported"
	for _, run := range counting(handled) {
		c.Days, c.RunIDs = append(c.Days, *run.AlertDate), append(c.RunIDs, run.RunID)
		for _, runID := range unreal {
			if in.alertDay(runID) == *run.AlertDate {
				c.Met, c.Found = false, fmt.Sprintf("%s was reported as a false positive", run.AlertDate)
				c.NoteIDs = append(c.NoteIDs, in.noteOf(functions.NoteFalsePositive, runID))
			}
		}
	}
	return c
}

// noteOf is the newest note of a kind about a run.
func (in Input) noteOf(kind functions.NoteKind, runID string) string {
	for _, note := range in.Notes {
		if note.What == kind && note.RunID == runID {
			return note.ID
		}
	}
	return ""
}

// minutes is a span of time in whole minutes, upwards.
func minutes(d time.Duration) string {
	return fmt.Sprintf("%d min", int((max(0, d)+time.Minute-1)/time.Minute))
}
