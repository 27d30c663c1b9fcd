package functions

import "time"

// The bounds of export_audience's limit.
const (
	DefaultLimit = 2000   // §8.2
	MaxLimit     = 100000 // what one spreadsheet or CRM import still takes
)

// MaxSignedMinutes is the longest that a signed link may last: the platform keeps the keys of such signatures for 12 hours
// for sure.
const MaxSignedMinutes = 12 * 60

// ExportAudience writes one tier of a day's queue to a file or a spreadsheet (§8.2, tool 5).
var ExportAudience = define[ExportAudienceInput, ExportAudienceOutput](Tool{
	Name: "export_audience", EntryPoint: "ExportAudience", Title: "Export an audience",
	Description: "Writes one tier of the day's queue, highest score first, for the CRM: a CSV file, a Google Sheet, or both. " +
		"Needs a built queue of that date. Writing again replaces the same file. dry_run shows counts and a digest.",
	Hints: Hints{Idempotent: true, OpenWorld: true}, Scope: ScopeAct, Timeout: 30 * time.Second,
})

// ExportAudienceInput names the tier and where it goes.
type ExportAudienceInput struct {
	Date         DateRef   `json:"date,omitempty" jsonschema:"day of a built queue: YYYY-MM-DD, or latest; default today"`
	Tier         Tier      `json:"tier" jsonschema:"which tier"`
	Destination  Target    `json:"destination,omitempty" jsonschema:"where it goes"`
	Limit        *int      `json:"limit,omitempty" jsonschema:"at most this many customers, 1 to 100000, highest score first"`
	DryRun       bool      `json:"dry_run,omitempty" jsonschema:"count only, write nothing"`
	Override     *Override `json:"override,omitempty" jsonschema:"passes a guardrail that stops; is logged"`
	ExpectDigest string    `json:"expect_digest,omitempty" jsonschema:"digest of a dry run; refuses when anything has changed since"`
	// SignedMinutes asks for a link that needs no login. It stands in this answer and nowhere else.
	SignedMinutes int `json:"signed_minutes,omitempty" jsonschema:"also a link without login for 1 to 720 minutes: a secret"`
}

// Check implements Input.
func (in ExportAudienceInput) Check() error {
	if err := in.Date.Check(); err != nil {
		return err
	}
	if err := checkWord("tier", in.Tier, Tiers); err != nil {
		return err
	}
	if in.Limit != nil && (*in.Limit < 1 || *in.Limit > MaxLimit) {
		return Errorf(InvalidArgument, "limit %d is out of range", *in.Limit).WithHint("write 1 to 100000, or leave it out for 2000")
	}
	if err := in.Override.check(); err != nil {
		return err
	}
	switch {
	case in.SignedMinutes < 0 || in.SignedMinutes > MaxSignedMinutes:
		return Errorf(InvalidArgument, "signed_minutes %d is out of range", in.SignedMinutes).WithHint("write 1 to 720, or leave it out")
	case in.SignedMinutes > 0 && in.Destination == TargetGSheet:
		return Errorf(InvalidArgument, "signed_minutes is for a CSV file, and destination is gsheet").WithHint("valid with it: csv, both")
	case in.Destination == "":
		return nil
	}
	return checkWord("destination", in.Destination, Targets)
}

// IsDryRun implements Input.
func (in ExportAudienceInput) IsDryRun() bool { return in.DryRun }

// Forced says who passes a stopping guardrail and why, for the log; empty when nobody does.
func (in ExportAudienceInput) Forced() string { return in.Override.String() }

// ExportAudienceOutput says what was written where.
type ExportAudienceOutput struct {
	Date          Date       `json:"date"`
	Tier          Tier       `json:"tier"`
	RowsExported  int64      `json:"rows_exported" jsonschema:"rows written, or that would be written by a dry run"`
	RowsAvailable int64      `json:"rows_available" jsonschema:"rows of the tier in the queue"`
	Truncated     bool       `json:"truncated" jsonschema:"whether limit cut rows"`
	LeftOut       []LeftOut  `json:"left_out" jsonschema:"rows kept out of the file, and why"`
	CSVURL        string     `json:"csv_url,omitempty" jsonschema:"where the CSV lies"`
	SignedURL     string     `json:"signed_url,omitempty" jsonschema:"opens the CSV without a login: keep it secret"`
	GSheetURL     string     `json:"gsheet_url,omitempty" jsonschema:"where the sheet lies"`
	Notes         []string   `json:"notes,omitempty" jsonschema:"what went otherwise than asked, such as a file that stands in for a sheet"`
	Columns       []string   `json:"columns"`
	Guardrails    Guardrails `json:"guardrails" jsonschema:"whether the data is too old to leave"`
	DryRun        bool       `json:"dry_run"`
	Digest        string     `json:"digest" jsonschema:"stands for exactly these rows, rules and destinations"`
	RulesVersion  string     `json:"rules_version" jsonschema:"the rules that built the queue"`
}

// LeftOut names customers that are not in a file, with the reason.
type LeftOut struct {
	Reason      string   `json:"reason"`
	Customers   int64    `json:"customers"`
	CustomerIDs []string `json:"customer_ids" jsonschema:"the first 20 of them"`
}
