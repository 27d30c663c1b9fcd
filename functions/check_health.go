package functions

import "time"

// CheckHealth computes the figures of §15 from the audit log, judges the alarms of rules/monitoring.yaml and the
// rollback triggers of §16, and shows what the next phase of the rollout asks for. It is a supporting function: a
// scheduler calls it, and so do the commands health and rollout.
var CheckHealth = define[CheckHealthInput, CheckHealthOutput](Tool{
	Name: "check_health", EntryPoint: "CheckHealth", Title: "Check the health of the runs",
	Description: "Computes the figures of the playbook runs from the audit log and holds them against their targets and the alarms " +
		"of the rules. It mails when an alarm begins and when it ends, once each, and shows what the next phase of the rollout asks for. " +
		"dry_run only shows; note writes down what no log can know.",
	Hints: Hints{OpenWorld: true}, Scope: ScopeAct, Timeout: 2 * time.Minute,
})

// The bounds of check_health's window.
const (
	MinWindowDays = 1
	MaxWindowDays = 400
)

// CheckHealthInput says what to look at.
type CheckHealthInput struct {
	DryRun     bool       `json:"dry_run,omitempty" jsonschema:"only show: remember nothing, mail nothing, write no late row"`
	WindowDays *int       `json:"window_days,omitempty" jsonschema:"days that the figures shown are computed over, 1 to 400, default as the rules say; alarms are judged over the rules' window"`
	Note       *NoteInput `json:"note,omitempty" jsonschema:"written down before the check; not with dry_run"`
}

// Check implements Input.
func (in CheckHealthInput) Check() error {
	if days := in.WindowDays; days != nil && (*days < MinWindowDays || *days > MaxWindowDays) {
		return Errorf(InvalidArgument, "window_days %d is out of range", *days).WithHint("write 1 to 400, or leave it out for what the rules say")
	}
	if in.Note == nil {
		return nil
	}
	if in.DryRun {
		return Errorf(InvalidArgument, "a dry run writes nothing down").WithHint("leave out note or dry_run")
	}
	return in.Note.check()
}

// IsDryRun implements Input.
func (in CheckHealthInput) IsDryRun() bool { return in.DryRun }

// FigureUnit is what a figure counts.
type FigureUnit string

// The units of figures.
const (
	UnitPercent FigureUnit = "percent"
	UnitSeconds FigureUnit = "seconds"
	UnitHours   FigureUnit = "hours"
	UnitDays    FigureUnit = "days"
	UnitCount   FigureUnit = "count"
)

// FigureUnits lists every unit.
var FigureUnits = []FigureUnit{UnitPercent, UnitSeconds, UnitHours, UnitDays, UnitCount}

// FigureVerdict says how a figure stands to its target.
type FigureVerdict string

// The verdicts on figures.
const (
	TargetMet     FigureVerdict = "met"
	TargetMissed  FigureVerdict = "missed"
	TargetUnknown FigureVerdict = "unknown"   // nothing of the kind happened yet, or not for long enough
	TargetNone    FigureVerdict = "no_target" // it has none
)

// FigureVerdicts lists every verdict.
var FigureVerdicts = []FigureVerdict{TargetMet, TargetMissed, TargetUnknown, TargetNone}

// AlarmState says how an alarm stands.
type AlarmState string

// The states of an alarm.
const (
	AlarmQuiet    AlarmState = "quiet"
	AlarmStanding AlarmState = "standing"
	AlarmUnknown  AlarmState = "unknown" // its figures are not known, and it did not stand before
)

// AlarmStates lists every state.
var AlarmStates = []AlarmState{AlarmQuiet, AlarmStanding, AlarmUnknown}

// AlarmChange says what a check changed about an alarm. Of a dry run it says what the check would have changed.
type AlarmChange string

// The changes of an alarm.
const (
	AlarmBegan     AlarmChange = "began"
	AlarmEnded     AlarmChange = "ended"
	AlarmUnchanged AlarmChange = "none"
)

// AlarmChanges lists every change.
var AlarmChanges = []AlarmChange{AlarmBegan, AlarmEnded, AlarmUnchanged}

// MailState says whether people were told of an alarm's newest change.
type MailState string

// The states of an alarm's mail.
const (
	MailSent    MailState = "sent"
	MailFailed  MailState = "failed"  // it is tried again by the next check
	MailPending MailState = "pending" // another check is at it, or this one only shows
	MailNone    MailState = "none"    // there is nothing to tell, or nobody to tell it to
)

// MailStates lists every state of an alarm's mail.
var MailStates = []MailState{MailSent, MailFailed, MailPending, MailNone}

// CheckHealthOutput is the health of the runs at one moment.
type CheckHealthOutput struct {
	CheckedAt  time.Time      `json:"checked_at"`
	Phase      Phase          `json:"phase"`
	From       Date           `json:"from" jsonschema:"first day of the window"`
	To         Date           `json:"to" jsonschema:"its last day: today"`
	WindowDays int            `json:"window_days"`
	Figures    []HealthFigure `json:"figures"`
	Days       []HealthDay    `json:"days" jsonschema:"every day of the window, oldest first"`
	Alarms     []HealthAlarm  `json:"alarms" jsonschema:"those of rules/monitoring.yaml, then the rollback triggers"`
	Rollout    RolloutView    `json:"rollout"`
	DryRun     bool           `json:"dry_run"`
	LateRows   int            `json:"late_rows_written" jsonschema:"rows that the warehouse had not taken before and took now"`
	Notices    []string       `json:"notices" jsonschema:"what this check could not do, or what a reader must know"`
}

// HealthFigure is one figure of the window.
type HealthFigure struct {
	Name    string        `json:"name"`
	Meaning string        `json:"meaning"`
	Unit    FigureUnit    `json:"unit"`
	Value   *float64      `json:"value" jsonschema:"null when nothing of the kind happened"`
	Of      int64         `json:"of" jsonschema:"how many cases it was computed from"`
	Target  string        `json:"target,omitempty" jsonschema:"absent when it has none"`
	Verdict FigureVerdict `json:"verdict"`
	RunIDs  []string      `json:"run_ids" jsonschema:"the newest runs behind it: those that speak against it, or make it what it is"`
}

// HealthDay is one day of the trend.
type HealthDay struct {
	Date               Date     `json:"date"`
	Runs               int64    `json:"runs" jsonschema:"runs that ended or were abandoned"`
	FailedRuns         int64    `json:"failed_runs"`
	Alerts             int64    `json:"alerts" jsonschema:"alert days that became known on this day"`
	SuccessRate        *float64 `json:"success_rate" jsonschema:"percent; null without a run"`
	WebhookFailureRate *float64 `json:"webhook_failure_rate" jsonschema:"percent; null when nothing was sent"`
	ExportSuccessRate  *float64 `json:"export_success_rate" jsonschema:"percent; null when nothing was to be exported"`
	MeanSeconds        *float64 `json:"mean_seconds" jsonschema:"null when no run worked"`
}

// HealthAlarm is an alarm and how it stands.
type HealthAlarm struct {
	Name    string       `json:"name"`
	What    string       `json:"what" jsonschema:"what it means, as the rules say it"`
	When    string       `json:"when" jsonschema:"its condition, as the rules say it"`
	ForDays int          `json:"for_days" jsonschema:"days in a row that the condition must hold; 0 asks the whole window"`
	Tell    []string     `json:"tell" jsonschema:"the roles that are told"`
	State   AlarmState   `json:"state"`
	Change  AlarmChange  `json:"change" jsonschema:"by this check; what would change in a dry run"`
	BeganAt *time.Time   `json:"began_at" jsonschema:"when it was first seen to hold, this time or the last"`
	EndedAt *time.Time   `json:"ended_at" jsonschema:"null while it stands"`
	Mail    MailState    `json:"mail" jsonschema:"whether its newest change was told"`
	MailWhy string       `json:"mail_why" jsonschema:"why it was not; else empty"`
	Saw     []NamedValue `json:"saw" jsonschema:"the figures of its condition"`
	RunIDs  []string     `json:"run_ids" jsonschema:"the newest runs behind it"`
}
