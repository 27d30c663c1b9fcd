package functions

import (
	"strings"
	"time"
	"unicode"
)

// BuildPriorityQueue sorts customers into P1, P2 and P3 and stores the queue of the day (§8.2, tool 3).
var BuildPriorityQueue = define[BuildPriorityQueueInput, BuildPriorityQueueOutput](Tool{
	Name: "build_priority_queue", EntryPoint: "BuildPriorityQueue", Title: "Build the priority queue",
	Description: "Applies the rules to every customer and replaces the day's rows in customer_priority, whole and at once. " +
		"Use dry_run to see sizes and movements without writing. Running it twice leaves the same rows.",
	Hints: Hints{Idempotent: true}, Scope: ScopeAct, Timeout: 30 * time.Second,
})

// BuildPriorityQueueInput names the day.
type BuildPriorityQueueInput struct {
	Date     DateRef   `json:"date,omitempty" jsonschema:"day: YYYY-MM-DD, or latest; default today; must be the newest alert date"`
	DryRun   bool      `json:"dry_run,omitempty" jsonschema:"judge and compare, write nothing"`
	Override *Override `json:"override,omitempty" jsonschema:"passes a guardrail that stops; is logged"`
}

// Check implements Input.
func (in BuildPriorityQueueInput) Check() error {
	if err := in.Date.Check(); err != nil {
		return err
	}
	return in.Override.check()
}

// IsDryRun implements Input.
func (in BuildPriorityQueueInput) IsDryRun() bool { return in.DryRun }

// Forced says who passes a stopping guardrail and why, for the log; empty when nobody does.
func (in BuildPriorityQueueInput) Forced() string { return in.Override.String() }

// Override lets a named person pass a stopping guardrail, with a reason.
type Override struct {
	By  string `json:"by" jsonschema:"the person who decides"`
	Why string `json:"why" jsonschema:"the reason"`
}

// maxOverrideText bounds what a caller may write into the audit log.
const maxOverrideText = 200

// isLine tells whether a person's text is one line that says something and is not too long to be kept.
func isLine(text string) bool {
	return strings.TrimSpace(text) != "" && len(text) <= maxOverrideText && !strings.ContainsFunc(text, unicode.IsControl)
}

// String is the person and the reason in one line; empty for none.
func (o *Override) String() string {
	if o == nil {
		return ""
	}
	return o.By + ": " + o.Why
}

func (o *Override) check() error {
	if o == nil {
		return nil
	}
	for _, text := range []string{o.By, o.Why} {
		if !isLine(text) {
			return Errorf(InvalidArgument, "override needs a person and a reason").
				WithHint(`write {"by": "name", "why": "reason"}, each one line of at most 200 bytes`)
		}
	}
	return nil
}

// BuildPriorityQueueOutput says what was built and what changed by it.
type BuildPriorityQueueOutput struct {
	Date          Date         `json:"date"`
	P1Count       int64        `json:"p1_count"`
	P2Count       int64        `json:"p2_count"`
	P3Count       int64        `json:"p3_count"`
	Total         int64        `json:"total"`
	TableUpdated  string       `json:"table_updated" jsonschema:"customer_priority; empty when nothing was written"`
	DryRun        bool         `json:"dry_run"`
	RowsReplaced  int64        `json:"rows_replaced" jsonschema:"rows of the day that stood there before"`
	Tiers         []TierTotal  `json:"tiers"`
	Changes       QueueChanges `json:"changes"`
	Guardrails    Guardrails   `json:"guardrails"`
	DataQuality   DataQuality  `json:"data_quality"`
	Excluded      int64        `json:"excluded" jsonschema:"customers on the exclusion list: in no tier"`
	RulesVersion  string       `json:"rules_version"`
	RulesStale    bool         `json:"rules_stale,omitempty" jsonschema:"older rules are in force than those published; the log says why"`
	MedianRevenue Money        `json:"median_revenue" jsonschema:"median total_revenue that the rules compared with"`
}

// QueueChanges compares the queue with the one that was stored last.
type QueueChanges struct {
	ComparedWith *Date          `json:"compared_with" jsonschema:"day of that queue; null when there was none"`
	Added        int64          `json:"added"`
	Removed      int64          `json:"removed"`
	Moved        []TierMovement `json:"moved"`
	Unchanged    int64          `json:"unchanged" jsonschema:"customers in the same tier as before"`
}

// TierMovement counts customers that changed from one tier to another.
type TierMovement struct {
	From      Tier  `json:"from"`
	To        Tier  `json:"to"`
	Customers int64 `json:"customers"`
}

// Verdict is what the guardrails say.
type Verdict string

// The verdicts. VerdictStop stops a run before anything leaves, unless it is overridden.
const (
	VerdictOK   Verdict = "ok"
	VerdictWarn Verdict = "warn"
	VerdictStop Verdict = "stop"
)

// Verdicts lists every verdict, mildest first.
var Verdicts = []Verdict{VerdictOK, VerdictWarn, VerdictStop}

// Guardrails is the guardrails' verdict and what led to it.
type Guardrails struct {
	Verdict    Verdict            `json:"verdict"`
	Findings   []GuardrailFinding `json:"findings"`
	Overridden string             `json:"overridden_by,omitempty" jsonschema:"who passed a stop, and why"`
	// ComparedWith is absent where nothing is compared: in an export.
	ComparedWith string `json:"compared_with,omitempty" jsonschema:"the run that sizes were held against, or that there was none"`
}

// GuardrailFinding is a guardrail that spoke, with the figure and the limit.
type GuardrailFinding struct {
	Guardrail string  `json:"guardrail" jsonschema:"its name in the rules"`
	Verdict   Verdict `json:"verdict"`
	Message   string  `json:"message" jsonschema:"the figure and the limit in words"`
}
