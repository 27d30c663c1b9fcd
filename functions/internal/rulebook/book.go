// Package rulebook reads the rule files, checks them, and judges customers by them: tier, score, reason, action and
// value at stake, each with the rule that gave it. It also knows what the files say of playbooks and of the rollout.
//
// It is not a data source and it changes nothing: it is handed a customer and gives back a verdict. Expressions are
// evaluated by expr; no other package may link that.
package rulebook

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// The rule files that a book is made of. The first two judge; a change in the others changes no verdict.
const (
	fieldsFile    = "fields.yaml"
	priorityFile  = "priority.yaml"
	playbooksFile = "playbooks.yaml"
	rolloutFile   = "rollout.yaml"

	monitoringFile = "monitoring.yaml"
	silencesFile   = "silences.yaml"
)

// ruleFiles are all of them, in the order in which people read what is wrong with them.
var ruleFiles = []string{fieldsFile, priorityFile, playbooksFile, rolloutFile, monitoringFile, silencesFile}

// FileNames are the names of the rule files, without their examples. A folder of an earlier version may lack the last two.
func FileNames() []string { return slices.Clone(ruleFiles) }

// Book is a set of rule files that was read, checked and compiled. It is immutable and safe for concurrent use.
type Book struct {
	version    string
	files      map[string][]byte // the files that judge
	vocabulary *vocabulary
	priority   *priority
	playbooks  *playbooks
	rollouts   map[functions.Phase]Rollout
	phase      functions.Phase
	monitoring Monitoring
	silences   []Silence
}

// Verdict is what the rules say of one customer.
type Verdict struct {
	Tier       functions.Tier // empty when no rule fits
	RuleID     string         // the rule that gave the tier
	Score      float64        // 0 to 100
	Reason     string         // in words
	Action     string         // what to do
	ValueProxy Amount         // the value at stake
}

// Detection is what the detection's thresholds are said to be. They are shown beside an alert and decide nothing.
type Detection struct {
	WarningPct   float64 // relative change that makes a WARNING
	CriticalPct  float64 // relative change that makes a CRITICAL
	BaselineDays int     // days that the baseline is the mean of
	MinCustomers int     // customers below which no alert is raised
}

// Playbook is what an alert of one severity sets going.
type Playbook struct {
	Severity functions.Severity
	Export   []functions.Tier
	Mention  string // nobody, here or channel
	Ticket   Ticket
	Do       []string // what people are asked to do, in this order
}

// Ticket is the ticket that a playbook opens.
type Ticket struct {
	Type         string
	Priority     string
	Title        string // may carry {date} and {severity}
	AnswerWithin time.Duration
}

// Rollout is how far a phase of the rollout may go.
type Rollout struct {
	Phase         functions.Phase
	ActsOn        []functions.Severity
	Sends         bool
	Channel       string
	TicketProject string
	Folder        string // under which exports of the phase are kept; empty is the top
}

// Guardrails are the limits beyond which a queue is warned about or stopped.
type Guardrails struct {
	TierShare     Limit // share of all customers in one tier
	TierGrowth    Limit // growth of a tier against the queue sent last
	TierShrinkage Limit // shrinkage of a tier against the queue sent last
	SetAsideShare Limit // share of customers that could not be judged
	MinTierSize   int64 // growth and shrinkage of a smaller tier are not looked at

	UnknownStatusShare Limit // share of customers whose status is a word that nobody knows
	StaleDays          Limit // days between today and the day of the data
}

// Limit is a pair of limits, in percent where nothing else is said.
type Limit struct{ WarnOver, StopOver float64 }

// Mail says who gets mail, and what may go with it.
type Mail struct {
	RetentionTeam []string // told when a message did not arrive
	DataTeam      []string // told when the data or its warehouse is at fault
	AttachUpTo    int64    // bytes of audiences that may be attached; 0 attaches none
}

// BriefSettings say what a brief shows.
type BriefSettings struct {
	TopCustomers    int
	ShowCustomerIDs bool
	Currency        string
	DashboardURL    string
}

// Load reads, checks and compiles the rule files. The error is Findings when the files are at fault.
func Load(files fs.FS) (*Book, error) {
	book, findings := Check(files)
	if book == nil {
		return nil, findings
	}
	return book, nil
}

// Version stands for exactly these judging files: the first twelve hex digits of a SHA-256 over the names and bytes of
// fields.yaml and priority.yaml.
func (b *Book) Version() string { return b.version }

// Files gives the bytes of the files that judge, by name, for the archive. The caller may keep them.
func (b *Book) Files() map[string][]byte {
	files := make(map[string][]byte, len(b.files))
	for name, data := range b.files {
		files[name] = slices.Clone(data)
	}
	return files
}

// WithPhase gives the same book in another phase of the rollout. An unknown phase is disabled: it stops everything.
func (b *Book) WithPhase(phase functions.Phase) *Book {
	other := *b
	other.phase = phase
	if _, known := b.rollouts[phase]; !known {
		other.phase = functions.PhaseDisabled
	}
	return &other
}

// WithMail gives the same book with others who get mail; what may be attached stays.
func (b *Book) WithMail(mail Mail) *Book {
	other, playbooks := *b, *b.playbooks
	playbooks.mail.RetentionTeam = slices.Clone(mail.RetentionTeam)
	playbooks.mail.DataTeam = slices.Clone(mail.DataTeam)
	other.playbooks = &playbooks
	return &other
}

// Detection gives the declared thresholds of the detection.
func (b *Book) Detection() Detection { return b.playbooks.detection }

// Playbook gives the playbook of a severity. INFO has none.
func (b *Book) Playbook(severity functions.Severity) (Playbook, bool) {
	playbook, has := b.playbooks.playbooks[severity]
	if !has {
		return Playbook{}, false
	}
	playbook.Export, playbook.Do = slices.Clone(playbook.Export), slices.Clone(playbook.Do)
	return playbook, true
}

// Rollout gives the present phase and what it may do.
func (b *Book) Rollout() Rollout {
	rollout := b.rollouts[b.phase]
	rollout.ActsOn = slices.Clone(rollout.ActsOn)
	return rollout
}

// Guardrails gives the limits for a queue.
func (b *Book) Guardrails() Guardrails { return b.playbooks.guardrails }

// Brief gives the settings of the brief.
func (b *Book) Brief() BriefSettings { return b.playbooks.brief }

// Mail gives who gets mail.
func (b *Book) Mail() Mail {
	m := b.playbooks.mail
	m.RetentionTeam, m.DataTeam = slices.Clone(m.RetentionTeam), slices.Clone(m.DataTeam)
	return m
}

// PayloadTemplate names the template that the webhook's body is made of: brief_templates/payload.NAME.tmpl.
func (b *Book) PayloadTemplate() string { return b.playbooks.payload }

// Monitoring gives what health is held against.
func (b *Book) Monitoring() Monitoring { return b.monitoring }

// ReceiptRequired tells whether a delivered playbook must be answered with a receipt.
func (b *Book) ReceiptRequired() bool { return b.playbooks.receiptRequired }

// versionOf hashes the judging files. Each name and content is preceded by its length, so that no two sets of files
// read the same.
func versionOf(files map[string][]byte) string {
	sum := sha256.New()
	part := func(data []byte) {
		_ = binary.Write(sum, binary.BigEndian, uint64(len(data))) // a hash never fails to take bytes
		sum.Write(data)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		part([]byte(name))
		part(files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}
