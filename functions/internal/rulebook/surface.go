package rulebook

import (
	"errors"
	"io"
	"io/fs"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

type (
	vocabulary struct{}
	priority   struct{}
	playbooks  struct {
		detection       Detection
		playbooks       map[functions.Severity]Playbook
		guardrails      Guardrails
		brief           BriefSettings
		receiptRequired bool
	}
)

// Severity is how bad a finding is.
type Severity string

// The severities of a finding. An error keeps the files from being used.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is one fault in a rule file.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Length   int      `json:"length"`
	Severity Severity `json:"severity"`
	ID       string   `json:"id"`
	Message  string   `json:"message"`
	Source   string   `json:"source"`
	Hint     string   `json:"hint,omitempty"`
}

// String is the finding as a person reads it.
func (f Finding) String() string { return f.Message }

// Findings are the faults of a set of rule files, in the order of files and places.
type Findings []Finding

// Error lists the findings.
func (f Findings) Error() string { return "rules" }

// Write lists the findings for a person.
func (f Findings) Write(io.Writer) error { return nil }

// Under gives the findings with the folder in front of each file name.
func (f Findings) Under(string) Findings { return f }

// Check reads the files and reports every problem at once. The book is nil when there is an error among them.
func Check(fs.FS) (*Book, Findings) { return nil, Findings{{Message: "being built"}} }

// Fault is why a customer cannot be judged.
type Fault struct{ Issue, Meaning string }

// Vet gives the faults of a customer; none when it can be judged.
func (b *Book) Vet(*retention.Customer) []Fault { return nil }

// Judge judges customers, one after another: it belongs to one goroutine.
type Judge struct{}

// NewJudge makes a judge that compares with the median revenue of all customers.
func (b *Book) NewJudge(functions.Money) *Judge { return &Judge{} }

// Judge gives the verdict on a customer that was vetted.
func (j *Judge) Judge(*retention.Customer) (Verdict, error) { return Verdict{}, errors.New("being built") }

// Result is the outcome of one example.
type Result struct {
	File        string       `json:"file"`
	Line        int          `json:"line"`
	Name        string       `json:"name"`
	Differences []Difference `json:"differences,omitempty"` // none when it passed
}

// Difference is one thing that an example expected otherwise.
type Difference struct {
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Report is the outcome of all examples.
type Report struct {
	Results []Result `json:"results"`
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
}

// Write lists the failures and the totals for a person.
func (r Report) Write(io.Writer) error { return nil }

// Test runs the examples of every *_test.yaml file. The error is Findings when those files are at fault.
func Test(*Book, fs.FS) (Report, error) { return Report{}, errors.New("being built") }
