package functions

import (
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// Date is a calendar day without a time or a zone. Its text form is YYYY-MM-DD.
type Date = civil.Date

// DateRef is a day as a caller names it: "YYYY-MM-DD", "latest" (the newest date in alert_logic), or empty, which
// means today in the configured time zone.
type DateRef string

// Latest is the DateRef for the newest date in alert_logic.
const Latest DateRef = "latest"

// Check reports an invalid_argument error when the text is neither a day nor "latest" nor empty.
func (r DateRef) Check() error {
	if r == "" || r == Latest {
		return nil
	}
	// civil.ParseDate accepts 0000-00-00; a real day survives the trip through time.Parse.
	if _, err := time.Parse(time.DateOnly, string(r)); err != nil {
		return Errorf(InvalidArgument, "date %q is not a day", string(r)).
			WithHint(`write YYYY-MM-DD, "latest" for the newest alert date, or leave date out for today`)
	}
	return nil
}

// Month is a month as a caller names it, YYYY-MM, or empty.
type Month string

// Check reports an invalid_argument error when the text is neither a month nor empty.
func (m Month) Check() error {
	if since, _ := m.Span(); m != "" && since.IsZero() {
		return Errorf(InvalidArgument, "month %q is not a month", string(m)).WithHint("write YYYY-MM")
	}
	return nil
}

// Span is when the month begins and when the next one does, in UTC; zero times when there is no such month.
func (m Month) Span() (since, before time.Time) {
	since, err := time.Parse("2006-01", string(m))
	if err != nil || since.IsZero() {
		return time.Time{}, time.Time{}
	}
	return since, since.AddDate(0, 1, 0)
}

// Severity is what the detection (SQL5) says of a day.
type Severity string

// The severities of §5.1.
const (
	Info     Severity = "INFO"
	Warning  Severity = "WARNING"
	Critical Severity = "CRITICAL"
)

// Severities lists every severity, mildest first.
var Severities = []Severity{Info, Warning, Critical}

// Status is where a customer stands in time (SQL2, §5.2).
type Status string

// The statuses of §5.2. Any other word, DATA_QUALITY_ISSUE included, is counted as a data-quality issue.
const (
	Active   Status = "ACTIVE"
	AtRisk   Status = "AT_RISK"
	Inactive Status = "INACTIVE"
)

// Statuses lists every status, freshest first.
var Statuses = []Status{Active, AtRisk, Inactive}

// Risk is the level of churn risk that the detection gives a customer (SQL3, §5.3).
type Risk string

// The risk levels of §5.3.
const (
	RiskHigh   Risk = "HIGH"
	RiskMedium Risk = "MEDIUM"
	RiskLow    Risk = "LOW"
)

// Risks lists every risk level, highest first.
var Risks = []Risk{RiskHigh, RiskMedium, RiskLow}

// Tier is a place in the priority queue (§7.1). Lower tiers are worked first.
type Tier string

// The tiers of §7.1.
const (
	P1 Tier = "P1" // prevention: still buying, likely to leave
	P2 Tier = "P2" // intervention: sliding away
	P3 Tier = "P3" // win-back: gone, but not for long
)

// Tiers lists every tier in the order of work.
var Tiers = []Tier{P1, P2, P3}

// Phase is how far the rollout has come (§16).
type Phase string

// The phases of §16. Disabled stops every side effect and leaves the reading tools on.
const (
	PhaseShadow     Phase = "shadow"
	PhasePilot      Phase = "pilot"
	PhaseProduction Phase = "production"
	PhaseDisabled   Phase = "disabled"
)

// Phases lists every phase in the order of the rollout.
var Phases = []Phase{PhaseShadow, PhasePilot, PhaseProduction, PhaseDisabled}

// Format is a form of the brief.
type Format string

// The formats of generate_brief.
const (
	FormatMarkdown Format = "markdown"
	FormatSlack    Format = "slack"
	FormatEmail    Format = "email"
	FormatTeams    Format = "teams"
)

// Formats lists every format; the first is the default.
var Formats = []Format{FormatMarkdown, FormatSlack, FormatEmail, FormatTeams}

// Target is where export_audience puts a tier.
type Target string

// The targets of export_audience (§8.2).
const (
	TargetCSV    Target = "csv"
	TargetGSheet Target = "gsheet"
	TargetBoth   Target = "both"
)

// Targets lists every target; the first is the default.
var Targets = []Target{TargetCSV, TargetGSheet, TargetBoth}

// RunStatus is the outcome of a playbook run as the audit log keeps it (§6.2, and "running" while it lasts).
type RunStatus string

// The statuses of a run. RunAbandoned is never written: it is how a reader is shown a run that began and never ended.
const (
	RunRunning   RunStatus = "running"
	RunSuccess   RunStatus = "success"
	RunFailed    RunStatus = "failed"
	RunSkipped   RunStatus = "skipped"
	RunAbandoned RunStatus = "abandoned"
)

// RunStatuses lists every status of a run.
var RunStatuses = []RunStatus{RunRunning, RunSuccess, RunFailed, RunSkipped, RunAbandoned}

// DeliveryState is what is known of a playbook's delivery. A status code alone proves nothing: Make.com answers 200
// "Accepted" also when the scenario is switched off. Only a receipt confirms.
type DeliveryState string

// The delivery states; the list is closed.
const (
	DeliveryConfirmed   DeliveryState = "confirmed"   // a receipt came back
	DeliveryAccepted    DeliveryState = "accepted"    // no receipt, and the rules make one optional
	DeliveryUnconfirmed DeliveryState = "unconfirmed" // an answer without a receipt, after all retries
	DeliveryUnknown     DeliveryState = "unknown"     // no answer at all, after all retries
	DeliveryRefused     DeliveryState = "refused"     // a final no, such as 410
	DeliveryNone        DeliveryState = "none"        // nothing was sent
)

// DeliveryStates lists every delivery state.
var DeliveryStates = []DeliveryState{
	DeliveryConfirmed, DeliveryAccepted, DeliveryUnconfirmed, DeliveryUnknown, DeliveryRefused, DeliveryNone,
}

// Scope is what a caller may do.
type Scope string

// The scopes. Every dry run needs only ScopeRead.
const (
	ScopeRead Scope = "retention:read"
	ScopeAct  Scope = "retention:act"
)

// Scopes lists every scope.
var Scopes = []Scope{ScopeRead, ScopeAct}

// checkWord reports an invalid_argument error that names the valid words when word is not one of them.
func checkWord[W ~string](field string, word W, valid []W) error {
	if slices.Contains(valid, word) {
		return nil
	}
	return Errorf(InvalidArgument, "%s %q is not known", field, string(word)).WithHint("valid: " + joinWords(valid))
}

func joinWords[W ~string](words []W) string {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = string(word)
	}
	return strings.Join(names, ", ")
}
