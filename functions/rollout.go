package functions

import (
	"slices"
	"strings"
	"time"
)

// NoteKind is what a person may write down about the rollout, because no log can know it.
type NoteKind string

// The kinds of note.
const (
	NoteBriefApproved          NoteKind = "brief_approved"           // the CRM manager approves the brief (§16, shadow)
	NoteExportApproved         NoteKind = "export_approved"          // the export was tried in the CRM (§16, shadow)
	NoteCampaignStarted        NoteKind = "campaign_started"         // the campaign of a run was started (§16, pilot)
	NoteFalsePositive          NoteKind = "false_positive"           // the alert of a run was none (§16, pilot and rollback)
	NoteFalsePositiveWithdrawn NoteKind = "false_positive_withdrawn" // it was one after all
	NoteDisableRequested       NoteKind = "disable_requested"        // the team asks to stop (§16, rollback)
	NoteDisableWithdrawn       NoteKind = "disable_withdrawn"        // it no longer does
)

// NoteKinds lists every kind of note.
var NoteKinds = []NoteKind{
	NoteBriefApproved, NoteExportApproved, NoteCampaignStarted, NoteFalsePositive, NoteFalsePositiveWithdrawn,
	NoteDisableRequested, NoteDisableWithdrawn,
}

// NeedsRun tells whether a note of this kind speaks of one run.
func (k NoteKind) NeedsRun() bool {
	return slices.Contains([]NoteKind{NoteCampaignStarted, NoteFalsePositive, NoteFalsePositiveWithdrawn}, k)
}

// NoteInput is a note as it is handed in.
type NoteInput struct {
	What  NoteKind `json:"what" jsonschema:"what is written down"`
	Who   string   `json:"who" jsonschema:"the person who says so"`
	Why   string   `json:"why" jsonschema:"on what grounds"`
	RunID string   `json:"run_id,omitempty" jsonschema:"the run that it is about; needed by campaign_started, false_positive and false_positive_withdrawn"`
	At    string   `json:"at,omitempty" jsonschema:"when it happened, such as 2026-01-12T08:30:00Z; default now"`
}

func (n *NoteInput) check() error {
	if err := checkWord("note.what", n.What, NoteKinds); err != nil {
		return err
	}
	for _, text := range []string{n.Who, n.Why} {
		if !isLine(text) {
			return Errorf(InvalidArgument, "a note needs a person and a reason").
				WithHint(`write {"what": "brief_approved", "who": "name", "why": "reason"}, each one line of at most 200 bytes`)
		}
	}
	if n.What.NeedsRun() && strings.TrimSpace(n.RunID) == "" {
		return Errorf(InvalidArgument, "a note of %s needs a run_id", n.What).WithHint("the list of runs names them")
	}
	if _, err := n.Happened(time.Time{}); err != nil {
		return err
	}
	return nil
}

// Happened is when the thing happened: what the note says, else now.
func (n *NoteInput) Happened(now time.Time) (time.Time, error) {
	if n.At == "" {
		return now, nil
	}
	at, err := time.Parse(time.RFC3339, n.At)
	if err != nil {
		return at, Errorf(InvalidArgument, "at %q is not a time", n.At).WithHint("write something like 2026-01-12T08:30:00Z, or leave it out for now")
	}
	return at.UTC(), nil
}

// RolloutNote is a note as it is kept.
type RolloutNote struct {
	ID        string    `json:"id"`
	What      NoteKind  `json:"what"`
	Who       string    `json:"who"`
	Why       string    `json:"why"`
	RunID     string    `json:"run_id,omitempty" jsonschema:"absent when it is about no single run"`
	At        time.Time `json:"at" jsonschema:"when it happened"`
	WrittenAt time.Time `json:"written_at"`
	Caller    string    `json:"caller" jsonschema:"who handed it in"`
	Phase     Phase     `json:"phase" jsonschema:"the phase when it was written"`
}

// RolloutView is how far the rollout has come, with what says so (§16).
type RolloutView struct {
	Phase    Phase              `json:"phase"`
	Since    *Date              `json:"since" jsonschema:"day of the first run in this phase; null before it"`
	Criteria []RolloutCriterion `json:"criteria" jsonschema:"what the present phase must have shown; none in production"`
	Next     Phase              `json:"next,omitempty" jsonschema:"the phase after this one"`
	Ready    bool               `json:"ready" jsonschema:"every criterion is met and no rollback trigger stands"`
	Change   string             `json:"change,omitempty" jsonschema:"the line of rules/rollout.yaml to write; nothing switches by itself"`
	Triggers []RollbackTrigger  `json:"triggers"`
	Notes    []RolloutNote      `json:"notes" jsonschema:"newest first"`
}

// RolloutCriterion is one thing that a phase must have shown, met or not, with the rows that say so.
type RolloutCriterion struct {
	Name    string   `json:"name"`
	Text    string   `json:"text" jsonschema:"what §16 asks"`
	Met     bool     `json:"met"`
	Found   string   `json:"found" jsonschema:"what was found, in words"`
	Days    []Date   `json:"days"`
	RunIDs  []string `json:"run_ids"`
	NoteIDs []string `json:"note_ids"`
}

// RollbackTrigger is one reason of §16 to go back.
type RollbackTrigger struct {
	Name    string     `json:"name"`
	Text    string     `json:"text" jsonschema:"what §16 says"`
	State   AlarmState `json:"state"`
	Found   string     `json:"found" jsonschema:"what was found, in words"`
	RunIDs  []string   `json:"run_ids"`
	NoteIDs []string   `json:"note_ids"`
}
