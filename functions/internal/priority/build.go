package priority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// TableName is the table that Build writes (§6.1).
const TableName = "customer_priority"

// Queues keeps the queue of each day.
type Queues interface {
	ReplaceQueue(ctx context.Context, date functions.Date, rows []retention.QueueRow, expireBefore functions.Date) (replaced int64, err error)
	Queue(ctx context.Context, date functions.Date, tier functions.Tier, visit func(retention.QueueRow) error) error
	QueueSummary(ctx context.Context, date functions.Date) (retention.QueueSummary, error) // not_found when there is none
}

// Builder stores the queue of a day.
type Builder struct {
	Queues   Queues
	Archive  archive.Archive // keeps the rule files of each version, and what each day's queue was built from
	Now      func() time.Time
	KeepDays int // days of queue that are kept (§6.1: 90)
}

// Options say how a queue is built.
type Options struct {
	DryRun    bool                // judge and compare, write nothing
	Override  *functions.Override // passes a guardrail that stops
	LastSent  *retention.Run      // what the guardrails compare with
	Today     functions.Date      // set where something is about to leave: data that is too old must not
	ReuseSame bool                // write nothing when the stored day was built from the same customers by the same rules
}

// Build compares the assessment with the queue stored last, asks the guardrails, and replaces the day. A guardrail
// that stops is failed_precondition with the output as its result, and nothing is written.
func (b *Builder) Build(
	ctx context.Context, book *rulebook.Book, a *retention.Assessment, o Options,
) (functions.BuildPriorityQueueOutput, error) {
	out := functions.BuildPriorityQueueOutput{
		Date: a.AsOf, Total: int64(len(a.Rows)), DryRun: o.DryRun, Tiers: a.Tiers, DataQuality: a.Quality,
		Excluded: a.Excluded, RulesVersion: a.RulesVersion, MedianRevenue: a.MedianRevenue,
	}
	for _, tier := range a.Tiers {
		switch tier.Tier {
		case functions.P1:
			out.P1Count = tier.Customers
		case functions.P2:
			out.P2Count = tier.Customers
		case functions.P3:
			out.P3Count = tier.Customers
		}
	}
	var err error
	if out.Changes, err = b.compare(ctx, a); err != nil {
		return out, err
	}
	out.Guardrails = Guard(book.Guardrails(), a, Against{LastSent: o.LastSent, Today: o.Today})
	if o.DryRun {
		return out, nil
	}
	if err := b.keep(ctx, book); err != nil { // also of a run that a guardrail stops: its log row names the version
		return out, err
	}
	if out.Guardrails, err = Pass(out.Guardrails, o.Override); err != nil {
		if stopped, ok := errors.AsType[*functions.Error](err); ok {
			stopped.Result = out
		}
		return out, err
	}
	if o.ReuseSame && b.same(ctx, a) {
		return out, nil
	}
	return b.write(ctx, a, out)
}

// built is what the archive keeps of a day's queue: enough to explain a row later.
type built struct {
	RulesVersion  string          `json:"rules_version"`
	Fingerprint   string          `json:"input_fingerprint"`
	MedianRevenue functions.Money `json:"median_revenue"`
	Rows          int             `json:"rows"`
	Complete      bool            `json:"complete"` // false from before the table is replaced until after it
	BuiltAt       time.Time       `json:"built_at"`
	RunID         string          `json:"run_id"`
}

func builtName(date functions.Date) string { return "queues/" + date.String() + ".json" }

// keep keeps the rule files of the version, so that a row can be explained when the rules have changed since.
func (b *Builder) keep(ctx context.Context, book *rulebook.Book) error {
	for name, content := range book.Files() {
		err := b.Archive.PutIfAbsent(ctx, rulesName(book.Version(), name), content)
		if err != nil && !errors.Is(err, archive.ErrExists) {
			return fmt.Errorf("keep the rule files of version %s: %w", book.Version(), err)
		}
	}
	return nil
}

func (b *Builder) write(
	ctx context.Context, a *retention.Assessment, out functions.BuildPriorityQueueOutput,
) (functions.BuildPriorityQueueOutput, error) {
	now := b.Now().UTC().Truncate(time.Microsecond) // the warehouse keeps microseconds
	for i := range a.Rows {
		a.Rows[i].CreatedAt = now
	}
	record := built{
		RulesVersion: a.RulesVersion, Fingerprint: a.Fingerprint, MedianRevenue: a.MedianRevenue, Rows: len(a.Rows),
		BuiltAt: now, RunID: functions.CallFrom(ctx).RunID,
	}
	if err := b.record(ctx, a.AsOf, record); err != nil {
		return out, err
	}
	functions.Report(ctx, functions.Progress{Stage: "write", Message: fmt.Sprintf("Writing %d rows", len(a.Rows))})
	replaced, err := b.Queues.ReplaceQueue(ctx, a.AsOf, a.Rows, a.AsOf.AddDays(-b.KeepDays))
	if err != nil {
		return out, err
	}
	out.RowsReplaced, out.TableUpdated = replaced, TableName
	record.Complete = true
	return out, b.record(ctx, a.AsOf, record)
}

func (b *Builder) record(ctx context.Context, date functions.Date, record built) error {
	document, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("keep what the queue of %s was built from: %w", date, err)
	}
	return b.Archive.Put(ctx, builtName(date), document)
}

// same tells whether the stored queue of the day was built from the same customers by the same rules. What cannot be
// read is not the same: building again is always right.
func (b *Builder) same(ctx context.Context, a *retention.Assessment) bool {
	rows, stored := b.stored(ctx, a.AsOf, a.RulesVersion, a.Fingerprint)
	return stored && rows == len(a.Rows)
}

// stored tells whether the stored queue of a day was built from these customers by these rules, and how many rows it has.
//
// Table and record are not written as one: of two builds at once, the rows of one and the record of the other may be
// what is left. So the record counts only for the rows that carry its time.
func (b *Builder) stored(ctx context.Context, date functions.Date, rulesVersion, fingerprint string) (rows int, stored bool) {
	document, err := b.Archive.Get(ctx, builtName(date))
	if err != nil {
		return 0, false
	}
	var record built
	if json.Unmarshal(document, &record) != nil || !record.Complete ||
		record.RulesVersion != rulesVersion || record.Fingerprint != fingerprint {
		return 0, false
	}
	summary, err := b.Queues.QueueSummary(ctx, date)
	if functions.CodeOf(err) == functions.NotFound {
		return 0, record.Rows == 0
	}
	return record.Rows, err == nil && summary.Date == date && summary.RulesVersion == rulesVersion &&
		summary.CreatedAt.Equal(record.BuiltAt) && count(summary.Tiers) == int64(record.Rows)
}

// ExcludedSince counts the customers on the list in tiers of a day whose queue was built from these customers by these
// rules: those who were put there since. Known is false when the day was built anew, so that nobody can tell any more who
// was in its tiers.
func (b *Builder) ExcludedSince(
	ctx context.Context, date functions.Date, rulesVersion, fingerprint string, tiers []functions.Tier, list Exclusions,
) (customers int64, known bool, err error) {
	if _, stored := b.stored(ctx, date, rulesVersion, fingerprint); !stored {
		return 0, false, nil
	}
	err = b.Queues.Queue(ctx, date, "", func(row retention.QueueRow) error {
		if slices.Contains(tiers, row.Tier) && list.Has(row.CustomerID) {
			customers++
		}
		return nil
	})
	return customers, err == nil, err
}

func count(tiers []functions.TierTotal) int64 {
	var customers int64
	for _, tier := range tiers {
		customers += tier.Customers
	}
	return customers
}

// compare counts who would enter, leave and move against the newest stored queue up to that day.
func (b *Builder) compare(ctx context.Context, a *retention.Assessment) (functions.QueueChanges, error) {
	changes := functions.QueueChanges{Moved: []functions.TierMovement{}}
	summary, err := b.Queues.QueueSummary(ctx, a.AsOf)
	if functions.CodeOf(err) == functions.NotFound {
		changes.Added = int64(len(a.Rows))
		return changes, nil
	}
	if err != nil {
		return changes, err
	}
	changes.ComparedWith = &summary.Date
	before := make(map[string]functions.Tier, count(summary.Tiers))
	err = b.Queues.Queue(ctx, summary.Date, "", func(row retention.QueueRow) error {
		before[row.CustomerID] = row.Tier
		return nil
	})
	if err != nil {
		return changes, err
	}
	moved := map[functions.TierMovement]int64{}
	for i := range a.Rows {
		tier, was := before[a.Rows[i].CustomerID]
		switch {
		case !was:
			changes.Added++
		case tier == a.Rows[i].Tier:
			changes.Unchanged++
		default:
			moved[functions.TierMovement{From: tier, To: a.Rows[i].Tier}]++
		}
		delete(before, a.Rows[i].CustomerID)
	}
	changes.Removed = int64(len(before))
	for _, from := range functions.Tiers {
		for _, to := range functions.Tiers {
			movement := functions.TierMovement{From: from, To: to}
			if movement.Customers = moved[movement]; movement.Customers > 0 {
				changes.Moved = append(changes.Moved, movement)
			}
		}
	}
	return changes, nil
}
