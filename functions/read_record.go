package functions

import (
	"strings"
	"time"
)

// ReadRecord reads what the house keeps. It is a supporting function, not one of the six tools: the command and the
// gateway use it.
var ReadRecord = define[ReadRecordInput, ReadRecordOutput](Tool{
	Name: "read_record", EntryPoint: "ReadRecord", Title: "Read what is kept",
	Description: "Reads the audit log: the newest runs, or one run by its id. Changes nothing.",
	Hints:       Hints{ReadOnly: true, Idempotent: true}, Scope: ScopeRead, Timeout: 30 * time.Second,
})

// Supporting lists the functions that are deployed beside the six tools.
var Supporting = []*Tool{ReadRecord}

// Record is a kind of thing that is kept.
type Record string

// The kinds of record.
const (
	RecordRuns Record = "runs" // the newest runs, newest first
	RecordRun  Record = "run"  // one run
)

// Records lists every kind.
var Records = []Record{RecordRuns, RecordRun}

// The bounds of read_record's limit.
const (
	DefaultRuns = 50
	MaxRuns     = 1000
)

// ReadRecordInput names the record.
type ReadRecordInput struct {
	Record Record `json:"record" jsonschema:"what to read"`
	RunID  string `json:"run_id,omitempty" jsonschema:"which run; only for run"`
	Limit  *int   `json:"limit,omitempty" jsonschema:"at most this many runs, 1 to 1000, default 50; only for runs"`
}

// Check implements Input.
func (in ReadRecordInput) Check() error {
	if err := checkWord("record", in.Record, Records); err != nil {
		return err
	}
	switch {
	case in.Record == RecordRun && strings.TrimSpace(in.RunID) == "":
		return Errorf(InvalidArgument, "record run needs a run_id").WithHint("record runs lists them")
	case in.Record != RecordRun && in.RunID != "":
		return Errorf(InvalidArgument, "run_id goes with record run only").WithHint("leave run_id out")
	case in.Limit != nil && (in.Record != RecordRuns || *in.Limit < 1 || *in.Limit > MaxRuns):
		return Errorf(InvalidArgument, "limit %d cannot be used", *in.Limit).WithHint("write 1 to 1000, with record runs only")
	}
	return nil
}

// IsDryRun implements Input.
func (ReadRecordInput) IsDryRun() bool { return false }

// ReadRecordOutput holds what was asked for.
type ReadRecordOutput struct {
	Record Record `json:"record"`
	Runs   []Run  `json:"runs" jsonschema:"the runs, or the one run, as the log holds them"`
}
