package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rollout"
)

// criteria are the criteria of a view, a line each.
func criteria(view functions.RolloutView) []string {
	var lines []string
	for _, c := range view.Criteria {
		lines = append(lines, fmt.Sprintf("%s %t: %s", c.Name, c.Met, c.Found))
	}
	return lines
}

// TestShadow follows the shadow phase from its first day to the pilot.
func TestShadow(t *testing.T) {
	t.Parallel()
	const nobody = "nobody has written so down"
	tests := []struct {
		name string
		done func(*house)
		want []string
	}{
		{"nothing yet", func(*house) {}, []string{
			"clean_days false: 0 in a row; on 2026-03-29 no run ended in this phase", "brief_approved false: " + nobody, "export_approved false: " + nobody,
		}},
		{"a day is missing", func(h *house) {
			for _, daysAgo := range []int{0, 1, 2, 4, 5, 6, 7, 8} {
				h.ran(daysAgo)
			}
		}, []string{
			"clean_days false: 3 in a row; on 2026-03-27 no run ended in this phase", "brief_approved false: " + nobody, "export_approved false: " + nobody,
		}},
		{"a failed run breaks the row, also one that was repeated", func(h *house) {
			for daysAgo := range 9 {
				h.ran(daysAgo)
			}
			h.ran(4, broken)
		}, []string{
			"clean_days false: 4 in a row; on 2026-03-26 run run-010 failed", "brief_approved false: " + nobody, "export_approved false: " + nobody,
		}},
		{"days of another phase do not count", func(h *house) {
			for daysAgo := range 9 {
				if daysAgo < 3 {
					h.ran(daysAgo)
					continue
				}
				h.ran(daysAgo, in(functions.PhasePilot))
			}
		}, []string{
			"clean_days false: 3 in a row; on 2026-03-27 no run ended in this phase", "brief_approved false: " + nobody, "export_approved false: " + nobody,
		}},
		{"today's run is yet to come", func(h *house) {
			for daysAgo := 1; daysAgo < 8; daysAgo++ {
				h.ran(daysAgo)
			}
			h.note(functions.NoteBriefApproved, "", 0)
			h.note(functions.NoteExportApproved, "run-007", 0)
		}, []string{
			"clean_days true: 7 in a row; on 2026-03-22 no run ended in this phase",
			"brief_approved true: Ada on 2026-03-30: seen", "export_approved true: Ada on 2026-03-30: seen",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, functions.PhaseShadow)
			test.done(h)
			view := h.view()
			if diff := cmp.Diff(test.want, criteria(view)); diff != "" {
				t.Errorf("criteria (-want +got):\n%s", diff)
			}
			ready := !strings.Contains(strings.Join(test.want, " "), " false: ")
			change := ""
			if ready {
				change = "phase: pilot"
			}
			if view.Ready != ready || view.Change != change || view.Next != functions.PhasePilot {
				t.Errorf("ready %t, change %q, next %s", view.Ready, view.Change, view.Next)
			}
		})
	}
}

// TestPilot follows the pilot: two WARNINGs, their campaigns, and what people say of them.
func TestPilot(t *testing.T) {
	t.Parallel()
	const soon, late = 12 * time.Minute, 31 * time.Minute
	tests := []struct {
		name string
		done func(*house)
		want []string
	}{
		{"no WARNING yet", func(h *house) { h.ran(0) }, []string{
			"warnings_handled false: 0 confirmed by a receipt in this phase", "campaigns_started false: no WARNING was confirmed yet",
			"no_false_positives false: no WARNING was confirmed yet",
		}},
		{"one WARNING, one without a receipt, one of an earlier phase, one CRITICAL", func(h *house) {
			h.ran(9, warned, in(functions.PhaseProduction))
			h.ran(8, warned)
			h.ran(7, warned, func(run *retention.Run) { run.DeliveryState = functions.DeliveryAccepted })
			h.ran(6, warned, func(run *retention.Run) { run.Severity = functions.Critical })
		}, []string{
			"warnings_handled false: 1 confirmed by a receipt in this phase",
			"campaigns_started false: 2026-03-22: nobody has written down when",
			"no_false_positives false: none of those that count was reported",
		}},
		{"a campaign that came late", func(h *house) {
			h.note(functions.NoteCampaignStarted, h.ran(8, warned), soon)
			h.note(functions.NoteCampaignStarted, h.ran(2, warned), late)
		}, []string{
			"warnings_handled true: 2 confirmed by a receipt in this phase",
			"campaigns_started false: 2026-03-28: after 31 min, says Ada; 2026-03-22: after 12 min, says Ada",
			"no_false_positives true: none of those that count was reported",
		}},
		{"a false positive", func(h *house) {
			h.note(functions.NoteCampaignStarted, h.ran(8, warned), soon)
			run := h.ran(2, warned)
			h.note(functions.NoteCampaignStarted, run, soon)
			h.note(functions.NoteFalsePositive, run, 0)
		}, []string{
			"warnings_handled true: 2 confirmed by a receipt in this phase",
			"campaigns_started true: 2026-03-28: after 12 min, says Ada; 2026-03-22: after 12 min, says Ada",
			"no_false_positives false: 2026-03-28 was reported as a false positive",
		}},
		{"a bad beginning made good, a day sent twice, a report taken back", func(h *house) {
			h.note(functions.NoteFalsePositive, h.ran(9, warned), 0)
			h.note(functions.NoteCampaignStarted, h.ran(8, warned), soon)
			run := h.ran(2, warned)
			h.ran(2, warned, func(run *retention.Run) {
				run.RunTimestamp, run.CreatedAt = run.RunTimestamp.Add(time.Hour), run.CreatedAt.Add(time.Hour)
			})
			h.note(functions.NoteCampaignStarted, run, soon)
			h.note(functions.NoteCampaignStarted, run, late)
			h.note(functions.NoteFalsePositive, run, 0)
			h.note(functions.NoteFalsePositiveWithdrawn, run, 0)
		}, []string{
			"warnings_handled true: 3 confirmed by a receipt in this phase",
			"campaigns_started true: 2026-03-28: after 12 min, says Ada; 2026-03-22: after 12 min, says Ada",
			"no_false_positives true: none of those that count was reported",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, functions.PhasePilot)
			test.done(h)
			view := h.view()
			if diff := cmp.Diff(test.want, criteria(view)); diff != "" {
				t.Errorf("criteria (-want +got):\n%s", diff)
			}
			if ready := !strings.Contains(strings.Join(test.want, " "), " false: "); view.Ready != ready || ready && view.Change != "phase: production" {
				t.Errorf("ready %t, change %q", view.Ready, view.Change)
			}
		})
	}
}

// TestACriterionNamesItsRows follows the rows behind a criterion to the log and the notes.
func TestACriterionNamesItsRows(t *testing.T) {
	t.Parallel()
	h := open(t, functions.PhasePilot)
	first, second := h.ran(8, warned), h.ran(2, warned)
	note := h.note(functions.NoteCampaignStarted, second, time.Minute)
	view := h.view()
	for _, c := range view.Criteria {
		if diff := cmp.Diff([]string{second, first}, c.RunIDs); diff != "" {
			t.Errorf("%s: runs (-want +got):\n%s", c.Name, diff)
		}
		if len(c.Days) != 2 || c.Days[0].String() != "2026-03-28" {
			t.Errorf("%s: days %v", c.Name, c.Days)
		}
	}
	if diff := cmp.Diff([]string{note}, view.Criteria[1].NoteIDs); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if view.Since == nil || view.Since.String() != "2026-03-22" || len(view.Notes) != 1 || view.Notes[0].ID != note {
		t.Errorf("since %v, notes %v", view.Since, view.Notes)
	}
}

// TestTheLastPhaseAsksForNothing looks at production and at the phase that stops everything.
func TestTheLastPhaseAsksForNothing(t *testing.T) {
	t.Parallel()
	for _, phase := range []functions.Phase{functions.PhaseProduction, functions.PhaseDisabled} {
		h := open(t, phase)
		h.ran(0, warned)
		if view := h.view(); len(view.Criteria) > 0 || view.Ready || view.Change != "" || view.Next != "" || len(view.Triggers) != 3 {
			t.Errorf("%s: %+v", phase, view)
		}
	}
}

// TestTriggers judges the reasons to go back.
func TestTriggers(t *testing.T) {
	t.Parallel()
	notes := func(kinds ...functions.NoteKind) (notes []functions.RolloutNote) {
		for i, kind := range kinds { // newest first
			notes = append(notes, functions.RolloutNote{ID: fmt.Sprintf("note-%d", i), What: kind, Who: "Ada", Why: "enough", At: noon})
		}
		return notes
	}
	tests := []struct {
		name string
		in   rollout.Input
		want string
	}{
		{"nothing known", rollout.Input{Phase: functions.PhaseShadow}, "unknown unknown quiet"},
		{"all well", rollout.Input{Phase: functions.PhasePilot, FalsePositivePct: new(5.0), HoursSinceRun: new(26.0)}, "quiet quiet quiet"},
		{"just beyond", rollout.Input{Phase: functions.PhasePilot, FalsePositivePct: new(5.1), HoursSinceRun: new(26.1)}, "standing standing quiet"},
		{"a request", rollout.Input{Phase: functions.PhaseProduction, Notes: notes(functions.NoteBriefApproved, functions.NoteDisableRequested)}, "unknown unknown standing"},
		{"a request taken back", rollout.Input{
			Phase: functions.PhaseProduction, Notes: notes(functions.NoteDisableWithdrawn, functions.NoteDisableRequested),
		}, "unknown unknown quiet"},
		{"it has gone back already", rollout.Input{
			Phase: functions.PhaseDisabled, FalsePositivePct: new(50.0), HoursSinceRun: new(900.0), Notes: notes(functions.NoteDisableRequested),
		}, "unknown unknown unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.in.Zone, test.in.Now = time.UTC, noon
			view := rollout.Judge(test.in)
			var got []string
			for _, trigger := range view.Triggers {
				got = append(got, string(trigger.State))
				if trigger.Found == "" || trigger.Text == "" {
					t.Errorf("%s says nothing", trigger.Name)
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("false positives, downtime, request (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAStandingTriggerHoldsTheNextPhaseBack meets every criterion while the team asks to stop.
func TestAStandingTriggerHoldsTheNextPhaseBack(t *testing.T) {
	t.Parallel()
	h := open(t, functions.PhaseShadow)
	for daysAgo := range 8 {
		h.ran(daysAgo)
	}
	h.note(functions.NoteBriefApproved, "", 0)
	h.note(functions.NoteExportApproved, "", 0)
	if view := h.view(); !view.Ready {
		t.Errorf("not ready: %v", criteria(view))
	}
	h.note(functions.NoteDisableRequested, "", 0)
	if view := h.view(); view.Ready || view.Change != "" {
		t.Errorf("ready %t, change %q", view.Ready, view.Change)
	}
}
