package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Runs finds a run of the log.
type Runs interface {
	// Show reads one run; not_found when the log has none of that id.
	Show(ctx context.Context, runID string) (retention.Run, error)
}

// Notes keeps what people wrote down, one document each under rollout/notes/. A note is never changed and never removed:
// one that was wrong is answered by another.
type Notes struct {
	Archive archive.Archive
	Runs    Runs
	Now     func() time.Time
	NewID   func() string
}

const notesFolder = "rollout/notes/"

// nameTime sorts as text by time and holds nothing that a name may not.
const nameTime = "20060102T150405.000000Z"

// Record keeps a note. The run that it names must be in the log, and what is written down must have happened.
func (n *Notes) Record(ctx context.Context, in functions.NoteInput, phase functions.Phase) (functions.RolloutNote, error) {
	now := n.Now().UTC().Truncate(time.Microsecond)
	at, err := in.Happened(now)
	if err != nil {
		return functions.RolloutNote{}, err
	}
	if at.After(now) {
		return functions.RolloutNote{}, functions.Errorf(functions.InvalidArgument, "at %s is yet to come", in.At).WithHint("a note says what has happened")
	}
	if err := n.about(ctx, in, at); err != nil {
		return functions.RolloutNote{}, err
	}
	note := functions.RolloutNote{
		ID: n.NewID(), What: in.What, Who: in.Who, Why: in.Why, RunID: in.RunID, At: at, WrittenAt: now,
		Caller: functions.CallFrom(ctx).Caller, Phase: phase,
	}
	document, err := json.Marshal(note)
	if err != nil {
		return note, fmt.Errorf("write down a note: %w", err)
	}
	err = n.Archive.PutIfAbsent(ctx, notesFolder+now.Format(nameTime)+"_"+note.ID+".json", document)
	if errors.Is(err, archive.ErrExists) {
		return note, functions.Errorf(functions.Unavailable, "a note of that id is there already").WithHint("try again").WithCause(err)
	}
	return note, err
}

// about refuses a note about a run that the log does not have, that saw no alert, or that began later.
func (n *Notes) about(ctx context.Context, in functions.NoteInput, at time.Time) error {
	if in.RunID == "" {
		return nil
	}
	run, err := n.Runs.Show(ctx, in.RunID)
	switch {
	case err != nil:
		return err
	case in.What.NeedsRun() && (run.AlertFlag == nil || !*run.AlertFlag):
		return functions.Errorf(functions.FailedPrecondition, "run %s saw no alert", in.RunID).WithHint("name a run that did: retentionops runs list")
	case at.Before(run.RunTimestamp):
		return functions.Errorf(functions.InvalidArgument, "run %s began later, on %s", in.RunID, run.RunTimestamp.Format(time.RFC3339)).
			WithHint("a note about a run says what happened after its begin")
	default:
		return nil
	}
}

// All reads every note, newest first.
func (n *Notes) All(ctx context.Context) ([]functions.RolloutNote, error) {
	names, err := n.Archive.List(ctx, notesFolder)
	if err != nil {
		return nil, err
	}
	var notes []functions.RolloutNote
	for _, name := range slices.Backward(names) {
		document, err := n.Archive.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		var note functions.RolloutNote
		if err := json.Unmarshal(document, &note); err != nil {
			return nil, fmt.Errorf("read the note %s: %w", name, err)
		}
		notes = append(notes, note)
	}
	return notes, nil
}

// FalsePositives are the runs whose alert was none: the newest note about a run stands.
func FalsePositives(notes []functions.RolloutNote) []string {
	var runs []string
	seen := map[string]bool{}
	for _, note := range notes {
		if note.What != functions.NoteFalsePositive && note.What != functions.NoteFalsePositiveWithdrawn || seen[note.RunID] {
			continue
		}
		seen[note.RunID] = true
		if note.What == functions.NoteFalsePositive {
			runs = append(runs, note.RunID)
		}
	}
	return runs
}
