package audience

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Queue is the stored queue that an export reads.
type Queue interface {
	// Queue visits a tier of the day by score; a day without rows visits nothing.
	Queue(ctx context.Context, date functions.Date, tier functions.Tier, visit func(retention.QueueRow) error) error
	// QueueSummary sums up the newest day not after date that has rows; not_found when there is none.
	QueueSummary(ctx context.Context, date functions.Date) (retention.QueueSummary, error)
}

// Exclusions tell who is never to be contacted.
type Exclusions interface {
	Has(customerID string) bool
}

// defaultDeadline bounds one delivery when an Exporter names no other.
const defaultDeadline = 20 * time.Second

// Exporter writes a tier of a day's queue to where audiences go.
type Exporter struct {
	Warehouse Queue
	// CSV and Sheets open the destinations. Sheets is nil, or answers nil or an error, where no spreadsheet is configured.
	CSV, Sheets func(ctx context.Context) (destination.Destination, error)
	// CSVAt and SheetsAt are the URLs of the destinations. A digest stands for them too; they are told to nobody.
	CSVAt, SheetsAt string
	Settings        Settings
	Excluded        Exclusions    // left out of a stored queue, which may be older than the entry; nil excludes nobody
	Logger          *slog.Logger  // told of a sheet that a file stood in for; nil: nobody is
	Deadline        time.Duration // for one delivery; 0 means 20 s
}

// Export reads the tier and delivers it. failed_precondition: the day has no queue, the spreadsheet is not configured,
// or the digest is not the one expected. When both were asked for and the sheet cannot be written, the file stands in
// and the notes say so.
func (e *Exporter) Export(
	ctx context.Context, date functions.Date, in functions.ExportAudienceInput, folder string,
) (functions.ExportAudienceOutput, error) {
	var none functions.ExportAudienceOutput
	if err := in.Check(); err != nil {
		return none, err
	}
	if err := destination.CheckPlace(folder, date, in.Tier); err != nil {
		return none, err
	}
	target := in.Destination
	if target == "" {
		target = functions.Targets[0]
	}
	var signer destination.Signer
	if in.SignedMinutes > 0 {
		var err error
		if signer, err = e.signer(ctx); err != nil {
			return none, err
		}
	}
	collected, version, err := e.read(ctx, date, in)
	if err != nil {
		return none, err
	}
	audience, report := collected.audience(date, in.Tier, folder, e.Settings), collected.report()
	out := e.output(audience, report, version, target)
	out.DryRun = in.DryRun
	if in.ExpectDigest != "" && in.ExpectDigest != out.Digest {
		return none, functions.Errorf(functions.FailedPrecondition, "the audience is not the one of the digest that was expected").
			WithHint("rows, rules or settings have changed since: look at a new dry_run and send its digest")
	}
	out, err = e.deliver(ctx, audience, target, out)
	if err != nil || signer == nil || in.DryRun {
		return out, err
	}
	if out.SignedURL, err = e.sign(ctx, signer, audience, in.SignedMinutes); err != nil {
		return none, err
	}
	return out, nil
}

// Deliver delivers a tier as it was just judged, without reading it back: what leaves is what the guardrails saw, whatever
// is stored in the meantime. Who is excluded is not among the rows. The rest is as with Export; it answers the same digest for the same rows.
func (e *Exporter) Deliver(
	ctx context.Context, judged *retention.Assessment, tier functions.Tier, target functions.Target, folder string,
) (functions.ExportAudienceOutput, error) {
	if err := destination.CheckPlace(folder, judged.AsOf, tier); err != nil {
		return functions.ExportAudienceOutput{}, err
	}
	audience, report := e.Judged(judged, tier, folder)
	return e.deliver(ctx, audience, target, e.output(audience, report, judged.RulesVersion, target))
}

// Judged is the audience of a tier as Deliver delivers it: the same rows, the same bytes.
func (e *Exporter) Judged(judged *retention.Assessment, tier functions.Tier, folder string) (destination.Audience, Report) {
	// Rows are ordered by tier.
	from := slices.IndexFunc(judged.Rows, func(row retention.QueueRow) bool { return row.Tier == tier })
	rows := judged.Rows[max(from, 0):]
	if past := slices.IndexFunc(rows, func(row retention.QueueRow) bool { return row.Tier != tier }); past >= 0 {
		rows = rows[:past]
	}
	return Build(judged.AsOf, tier, rows, functions.DefaultLimit, folder, e.Settings)
}

// Ready opens the destinations that a target cannot do without, and writes nothing: what is missing is known before
// anything begins. A sheet that a file can stand in for is not asked for.
func (e *Exporter) Ready(ctx context.Context, target functions.Target) error {
	open, missing := e.CSV, csvMissing
	if target == functions.TargetGSheet {
		open, missing = e.Sheets, sheetMissing
	}
	_, err := e.deliverTo(ctx, destination.Audience{}, open, missing, true)
	return err
}

func (e *Exporter) output(
	audience destination.Audience, report Report, version string, target functions.Target,
) functions.ExportAudienceOutput {
	return functions.ExportAudienceOutput{
		Date: audience.Date, Tier: audience.Tier, RowsExported: report.Exported, RowsAvailable: report.Available,
		Truncated: report.Truncated, LeftOut: report.LeftOut, Columns: Columns(),
		Digest: Digest(audience, version, target, e.Place(target), e.Settings), RulesVersion: version,
	}
}

// read gathers the tier. A day whose queue has no row in the tier is an empty audience; a day without a queue is a fault.
func (e *Exporter) read(
	ctx context.Context, date functions.Date, in functions.ExportAudienceInput,
) (*collector, string, error) {
	c := &collector{limit: functions.DefaultLimit, never: e.Excluded}
	if in.Limit != nil {
		c.limit = *in.Limit
	}
	err := e.Warehouse.Queue(ctx, date, in.Tier, func(row retention.QueueRow) error {
		c.add(&row)
		return nil
	})
	if err != nil || c.available > 0 {
		return c, c.version, err
	}
	summary, err := e.Warehouse.QueueSummary(ctx, date)
	switch {
	case functions.CodeOf(err) == functions.NotFound:
		return nil, "", functions.Errorf(functions.FailedPrecondition, "there is no queue of %s", date).
			WithHint("build it first with build_priority_queue").WithCause(err)
	case err != nil:
		return nil, "", err
	case summary.Date != date:
		return nil, "", functions.Errorf(functions.FailedPrecondition, "there is no queue of %s; the newest before it is of %s", date, summary.Date).
			WithHint("build it first with build_priority_queue, or export the day that is there")
	}
	return c, summary.RulesVersion, nil
}

// deliver writes the audience to its targets, or with a dry run only looks whether it could.
func (e *Exporter) deliver(
	ctx context.Context, audience destination.Audience, target functions.Target, out functions.ExportAudienceOutput,
) (functions.ExportAudienceOutput, error) {
	var none functions.ExportAudienceOutput
	// The file goes first: a sheet that hangs until the deadline must not cost the file that is to stand in for it.
	if target != functions.TargetGSheet {
		link, err := e.deliverTo(ctx, audience, e.CSV, csvMissing, out.DryRun)
		if err != nil {
			return none, err
		}
		out.CSVURL = link
	}
	if target == functions.TargetCSV {
		return out, nil
	}
	link, err := e.deliverTo(ctx, audience, e.Sheets, sheetMissing, out.DryRun)
	switch {
	case err == nil:
		out.GSheetURL = link
	case target == functions.TargetGSheet:
		return none, err
	case ctx.Err() != nil && !out.DryRun: // the caller has gone; nobody reads a note
		return none, err
	default:
		out.Notes = append(out.Notes, standIn(err))
		if e.Logger != nil {
			e.Logger.WarnContext(ctx, "the CSV file stands in for a sheet", "tier", string(audience.Tier), "error", err.Error())
		}
	}
	return out, nil
}

// standIn says that the file stands in for the sheet, and why, as far as a caller may know.
func standIn(err error) string {
	note := "the sheet could not be written; the CSV file stands in for it"
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.Internal && problem.Detail != "" {
		note += ": " + problem.Detail
	}
	return note
}

// What is said when a destination is asked for that is not configured.
var (
	csvMissing   = [2]string{"no directory for CSV files is configured", "set RETENTIONOPS_EXPORTS, such as file:///srv/exports or gs://bucket/exports"}
	sheetMissing = [2]string{"no spreadsheet is configured", "set RETENTIONOPS_SHEETS to sheets://SPREADSHEET_ID, or export to csv"}
)

func (e *Exporter) deliverTo(
	ctx context.Context, audience destination.Audience, open func(context.Context) (destination.Destination, error),
	missing [2]string, dryRun bool,
) (link string, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.deadline())
	defer cancel()
	var to destination.Destination
	if open != nil {
		if to, err = open(ctx); err != nil {
			return "", err
		}
	}
	if to == nil {
		return "", functions.Errorf(functions.FailedPrecondition, "%s", missing[0]).WithHint(missing[1])
	}
	if dryRun {
		return "", nil
	}
	return to.Deliver(ctx, audience)
}
