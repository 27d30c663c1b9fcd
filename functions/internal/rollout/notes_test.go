package rollout_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rollout"
)

// TestANoteIsKeptWithWhoWhyAndWhen writes one down and reads it back.
func TestANoteIsKeptWithWhoWhyAndWhen(t *testing.T) {
	t.Parallel()
	h := open(t, functions.PhasePilot)
	run := h.ran(1, warned)
	ctx := functions.WithCall(t.Context(), functions.Call{RunID: "call", Caller: "make"})
	kept, err := h.notes.Record(ctx, functions.NoteInput{
		What: functions.NoteCampaignStarted, Who: "Zoë 😀", Why: "first mail seen", RunID: run, At: "2026-03-29T08:20:00+02:00",
	}, h.phase)
	if err != nil {
		t.Fatal(err)
	}
	want := functions.RolloutNote{
		ID: "note-002", What: functions.NoteCampaignStarted, Who: "Zoë 😀", Why: "first mail seen", RunID: run,
		At: time.Date(2026, 3, 29, 6, 20, 0, 0, time.UTC), WrittenAt: noon, Caller: "make", Phase: functions.PhasePilot,
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	all, err := h.notes.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]functions.RolloutNote{want}, all); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// TestNotesThatAreRefused names what no note may say.
func TestNotesThatAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t, functions.PhasePilot)
	quiet, alert := h.ran(2), h.ran(1, warned)
	tests := []struct {
		name string
		in   functions.NoteInput
		code functions.Code
	}{
		{"a run that is not there", functions.NoteInput{What: functions.NoteFalsePositive, RunID: "run-999"}, functions.NotFound},
		{"a run without an alert", functions.NoteInput{What: functions.NoteFalsePositive, RunID: quiet}, functions.FailedPrecondition},
		{"a time to come", functions.NoteInput{What: functions.NoteBriefApproved, At: "2026-03-30T12:00:01Z"}, functions.InvalidArgument},
		{"before the run began", functions.NoteInput{What: functions.NoteCampaignStarted, RunID: alert, At: "2026-03-29T05:59:59Z"}, functions.InvalidArgument},
		{"no time", functions.NoteInput{What: functions.NoteBriefApproved, At: "noon"}, functions.InvalidArgument},
	}
	for _, test := range tests {
		_, err := h.notes.Record(t.Context(), test.in, h.phase)
		if fault, ok := errors.AsType[*functions.Error](err); !ok || fault.Code != test.code || fault.Hint == "" {
			t.Errorf("%s: %v, want %s with a hint", test.name, err, test.code)
		}
	}
	if all, err := h.notes.All(t.Context()); len(all) > 0 || err != nil {
		t.Errorf("kept %v, %v", all, err)
	}
}

// TestNotesOfOneMomentAreAllKept writes many at the same instant.
func TestNotesOfOneMomentAreAllKept(t *testing.T) {
	t.Parallel()
	h := open(t, functions.PhaseShadow)
	var all sync.WaitGroup
	for i := range 20 {
		notes := *h.notes
		notes.NewID = func() string { return fmt.Sprintf("note-%02d", i) }
		all.Go(func() {
			if _, err := notes.Record(t.Context(), functions.NoteInput{What: functions.NoteBriefApproved, Who: "Ada", Why: "x"}, h.phase); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if kept, err := h.notes.All(t.Context()); len(kept) != 20 || err != nil {
		t.Errorf("kept %d, %v", len(kept), err)
	}
}

// TestTheNewestWordOnARunStands lists the runs that are reported at last.
func TestTheNewestWordOnARunStands(t *testing.T) {
	t.Parallel()
	h := open(t, functions.PhasePilot)
	first, second, third := h.ran(3, warned), h.ran(2, warned), h.ran(1, warned)
	h.note(functions.NoteFalsePositive, first, 0)
	h.note(functions.NoteFalsePositive, second, 0)
	h.note(functions.NoteFalsePositiveWithdrawn, first, 0)
	h.note(functions.NoteFalsePositiveWithdrawn, third, 0)
	h.note(functions.NoteFalsePositive, third, 0)
	notes, err := h.notes.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{third, second}, rollout.FalsePositives(notes)); diff != "" {
		t.Errorf("false positives (-want +got):\n%s", diff)
	}
}
