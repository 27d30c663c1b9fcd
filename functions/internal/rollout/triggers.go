package rollout

import (
	"fmt"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// The names of the rollback triggers.
const (
	TriggerFalsePositives   = "false_positives"
	TriggerDowntime         = "downtime"
	TriggerDisableRequested = "disable_requested"
)

// triggers are the reasons of §16 to go back. In the phase disabled the rollout has gone back already: nothing is
// expected of it, and no trigger is judged.
func (in Input) triggers() []functions.RollbackTrigger {
	triggers := []functions.RollbackTrigger{in.falsePositives(), in.downtime(), in.disableRequested()}
	if in.Phase == functions.PhaseDisabled {
		for i := range triggers {
			triggers[i].State, triggers[i].Found = functions.AlarmUnknown, "the phase is disabled"
		}
	}
	return triggers
}

func (in Input) falsePositives() functions.RollbackTrigger {
	t := functions.RollbackTrigger{
		Name: TriggerFalsePositives, Text: fmt.Sprintf("False positive rate >%g%%", MostFalsePositives), State: functions.AlarmUnknown,
		Found: "no alert in the window", RunIDs: FalsePositives(in.Notes),
	}
	for _, runID := range t.RunIDs {
		t.NoteIDs = append(t.NoteIDs, in.noteOf(functions.NoteFalsePositive, runID))
	}
	if pct := in.FalsePositivePct; pct != nil {
		t.State, t.Found = state(*pct > MostFalsePositives), fmt.Sprintf("%.1f %% of the alert days of the window", *pct)
	}
	t.RunIDs, t.NoteIDs = t.RunIDs[:min(len(t.RunIDs), mostIDs)], t.NoteIDs[:min(len(t.NoteIDs), mostIDs)]
	return t
}

// downtime asks for a run that has ended, in whatever way: that runs fail is another alarm.
func (in Input) downtime() functions.RollbackTrigger {
	t := functions.RollbackTrigger{
		Name: TriggerDowntime, Text: fmt.Sprintf("System downtime >%g hours", LongestDowntime.Hours()), State: functions.AlarmUnknown,
		Found: "no run has ever ended",
	}
	if in.HoursSinceRun == nil {
		return t
	}
	t.State = state(*in.HoursSinceRun > (LongestDowntime + Grace).Hours())
	t.Found = fmt.Sprintf("the last run ended %.1f hours ago; a daily run may be %g hours late", *in.HoursSinceRun, Grace.Hours())
	t.RunIDs = []string{in.LastRunID}
	return t
}

// disableRequested stands from a request on until it is withdrawn.
func (in Input) disableRequested() functions.RollbackTrigger {
	t := functions.RollbackTrigger{Name: TriggerDisableRequested, Text: "Team requests disable", State: functions.AlarmQuiet, Found: "nobody has"}
	for _, note := range in.Notes {
		switch note.What {
		case functions.NoteDisableRequested:
			t.State = functions.AlarmStanding
		case functions.NoteDisableWithdrawn:
		default:
			continue
		}
		t.Found = fmt.Sprintf("%s on %s: %s", note.Who, note.At.In(in.Zone).Format(time.DateOnly), note.Why)
		t.NoteIDs = []string{note.ID}
		return t
	}
	return t
}

func state(holds bool) functions.AlarmState {
	if holds {
		return functions.AlarmStanding
	}
	return functions.AlarmQuiet
}
