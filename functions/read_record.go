package functions

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// ReadRecord reads what the house keeps. It is a supporting function, not one of the six tools: the command and the
// gateway use it.
var ReadRecord = define[ReadRecordInput, ReadRecordOutput](Tool{
	Name: "read_record", EntryPoint: "ReadRecord", Title: "Read what is kept",
	Description: "Reads what is kept: the newest runs, those of a month or one run of the audit log, why a customer is in its tier " +
		"(explanation), and the rule files of a version (rules) or what they say in words (rulebook). Changes nothing.",
	Hints: Hints{ReadOnly: true, Idempotent: true}, Scope: ScopeRead, Timeout: time.Minute,
})

// Supporting lists the functions that are deployed beside the six tools.
var Supporting = []*Tool{ReadRecord, CheckHealth}

// Record is a kind of thing that is kept.
type Record string

// The kinds of record.
const (
	RecordRuns Record = "runs" // the newest runs, newest first
	RecordRun  Record = "run"  // one run

	RecordExplanation Record = "explanation" // why a customer got its verdict
	RecordRules       Record = "rules"       // the rule files that judge
	RecordRulebook    Record = "rulebook"    // what the rules say, in words
)

// Records lists every kind.
var Records = []Record{RecordRuns, RecordRun, RecordExplanation, RecordRules, RecordRulebook}

// The bounds of read_record's limit.
const (
	DefaultRuns = 50
	MaxRuns     = 1000
)

// ReadRecordInput names the record.
type ReadRecordInput struct {
	Record       Record  `json:"record" jsonschema:"what to read"`
	RunID        string  `json:"run_id,omitempty" jsonschema:"which run; only for run"`
	Limit        *int    `json:"limit,omitempty" jsonschema:"at most this many runs, 1 to 1000, default 50; only for runs"`
	Month        Month   `json:"month,omitempty" jsonschema:"YYYY-MM: only runs that began in this month, in UTC; only for runs"`
	CustomerID   string  `json:"customer_id,omitempty" jsonschema:"which customer; only for explanation"`
	Date         DateRef `json:"date,omitempty" jsonschema:"day of the queue: YYYY-MM-DD, or latest, which is the default; only for explanation"`
	RulesVersion string  `json:"rules_version,omitempty" jsonschema:"which version, default the deployed one; only for rules and rulebook"`
}

// Check implements Input.
func (in ReadRecordInput) Check() error {
	if err := checkWord("record", in.Record, Records); err != nil {
		return err
	}
	for _, key := range []struct {
		name    string
		set     bool
		records []Record
	}{
		{"run_id", in.RunID != "", []Record{RecordRun}},
		{"month", in.Month != "", []Record{RecordRuns}},
		{"customer_id", in.CustomerID != "", []Record{RecordExplanation}},
		{"date", in.Date != "", []Record{RecordExplanation}},
		{"rules_version", in.RulesVersion != "", []Record{RecordRules, RecordRulebook}},
	} {
		if key.set && !slices.Contains(key.records, in.Record) {
			return Errorf(InvalidArgument, "%s goes with record %s only", key.name, joinWords(key.records)).WithHint("leave " + key.name + " out")
		}
	}
	switch {
	case in.Record == RecordRun && strings.TrimSpace(in.RunID) == "":
		return Errorf(InvalidArgument, "record run needs a run_id").WithHint("record runs lists them")
	case in.Record == RecordExplanation && strings.TrimSpace(in.CustomerID) == "":
		return Errorf(InvalidArgument, "record explanation needs a customer_id").WithHint("every row of the queue carries one")
	case in.Limit != nil && (in.Record != RecordRuns || *in.Limit < 1 || *in.Limit > MaxRuns):
		return Errorf(InvalidArgument, "limit %d cannot be used", *in.Limit).WithHint("write 1 to 1000, with record runs only")
	case in.RulesVersion != "" && !rulesVersion.MatchString(in.RulesVersion):
		return Errorf(InvalidArgument, "%q is not a version of the rules", in.RulesVersion).
			WithHint("write the twelve digits that a queue row or a run carries as rules_version")
	}
	if err := in.Month.Check(); err != nil {
		return err
	}
	return in.Date.Check()
}

// rulesVersion is what a version of the rules looks like.
var rulesVersion = regexp.MustCompile(`^[0-9a-f]{12}$`)

// IsDryRun implements Input.
func (ReadRecordInput) IsDryRun() bool { return false }

// ReadRecordOutput holds what was asked for.
type ReadRecordOutput struct {
	Record      Record       `json:"record"`
	Runs        []Run        `json:"runs" jsonschema:"the runs, or the one run, as the log holds them"`
	Explanation *Explanation `json:"explanation,omitempty"`
	Rules       *RuleFiles   `json:"rules,omitempty"`
	Rulebook    *RuleText    `json:"rulebook,omitempty"`
}
