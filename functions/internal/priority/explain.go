package priority

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Explainer tells why a customer stands where it stands. It reads only.
type Explainer struct {
	Queues    Queues
	Customers Customers
	Archive   archive.Archive // holds the rules of each version, and what each day's queue was built from
	Book      *rulebook.Book  // the present rules
	Excluded  Exclusions      // who is never to be contacted, as the list stands now; nil excludes nobody
}

// Explain gives the receipt of a customer's row in the queue of a day, by the rules and the statistics that the row was
// made with. A customer without a row is judged from the input tables by the present rules, if they are as of that day.
// A customer that is in neither is not_found. Who is on the exclusion list has no tier but that of a row that was made
// before; the receipt says so.
func (e *Explainer) Explain(ctx context.Context, customerID string, date functions.Date) (functions.Explanation, error) {
	row, rows, err := e.find(ctx, customerID, date)
	if err != nil {
		return functions.Explanation{}, err
	}
	never := e.Excluded != nil && e.Excluded.Has(customerID)
	if row != nil {
		receipt, err := e.ofRow(ctx, row)
		receipt.Excluded = never
		return receipt, err
	}
	var c *retention.Customer
	all, err := ReadPopulation(ctx, e.Customers, e.Book, func(one *retention.Customer) {
		if one.ID == customerID {
			c = one
		}
	})
	if err != nil {
		return functions.Explanation{}, err
	}
	if all.AsOf != date {
		return functions.Explanation{}, functions.Errorf(functions.NotFound, "customer %q is not in the queue of %s, which holds %s",
			customerID, date, retention.Counted(rows, "customer")).
			WithHint(fmt.Sprintf("who got no tier can be asked about only as of the tables, which is %s: ask for that day", all.AsOf))
	}
	if c == nil {
		return functions.Explanation{}, functions.Errorf(functions.NotFound, "there is no customer %q among the %s of %s",
			customerID, retention.Counted(all.Customers, "customer"), all.AsOf).WithHint("write the customer_id as the tables have it")
	}
	receipt, err := e.Book.Explain(c, all.MedianRevenue)
	if err != nil {
		return functions.Explanation{}, err
	}
	receipt.Origin, receipt.Date = functions.OriginTables, &all.AsOf
	if never {
		receipt = rulebook.Explanation{
			CustomerID: receipt.CustomerID, Date: receipt.Date, Origin: receipt.Origin, RulesVersion: receipt.RulesVersion,
			MedianRevenue: receipt.MedianRevenue, Signals: receipt.Signals, Excluded: true, SetAside: receipt.SetAside,
			Rules: []functions.AskedRule{}, Changes: []functions.TierChange{}, Differences: []functions.StoredDifference{},
		}
	}
	return functions.Explanation(receipt), nil
}

// errFound ends a visit early.
var errFound = errors.New("found")

// find gives the customer's row of a day, or how many rows there are without it.
func (e *Explainer) find(ctx context.Context, customerID string, date functions.Date) (found *retention.QueueRow, rows int64, err error) {
	err = e.Queues.Queue(ctx, date, "", func(row retention.QueueRow) error {
		rows++
		if row.CustomerID != customerID {
			return nil
		}
		found = &row
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, rows, err
}

// Population is everybody in the input tables.
type Population struct {
	AsOf          functions.Date
	Customers     int64                // all ids, those that cannot be judged included
	Sound         []retention.Customer // those that can, in the order of their ids
	MedianRevenue functions.Money      // of the sound ones: what the rules compare with
}

// ReadPopulation reads everybody from the input tables, and judges nobody. Every customer is shown to visit as well,
// also those that cannot be judged.
func ReadPopulation(ctx context.Context, source Customers, book *rulebook.Book, visit func(*retention.Customer)) (Population, error) {
	var p Population
	var err error
	p.AsOf, err = source.Customers(ctx, func(c retention.Customer) error {
		p.Customers++
		visit(&c)
		if len(book.Vet(&c)) == 0 {
			p.Sound = append(p.Sound, c)
		}
		return nil
	})
	p.MedianRevenue = medianRevenue(p.Sound)
	return p, err
}

// ofRow explains a stored row, and says where the row itself has it otherwise.
func (e *Explainer) ofRow(ctx context.Context, row *retention.QueueRow) (functions.Explanation, error) {
	record, err := e.record(ctx, row)
	if err != nil {
		return functions.Explanation{}, err
	}
	book, err := e.bookOf(ctx, row.RulesVersion)
	if err != nil {
		return functions.Explanation{}, err
	}
	c := customerOf(row)
	receipt, err := book.Explain(c, record.MedianRevenue)
	if err != nil {
		return functions.Explanation{}, err
	}
	receipt.Origin, receipt.Date = functions.OriginQueue, &row.RunDate
	receipt.Differences = differences(row, &receipt)
	return functions.Explanation(receipt), nil
}

// record is what the archive holds of the building of a row's queue.
func (e *Explainer) record(ctx context.Context, row *retention.QueueRow) (built, error) {
	var record built
	document, err := e.Archive.Get(ctx, builtName(row.RunDate))
	if errors.Is(err, archive.ErrNotFound) {
		return record, functions.Errorf(functions.FailedPrecondition, "the archive does not hold what the queue of %s was built from", row.RunDate).
			WithHint("was the queue built with another RETENTIONOPS_ARCHIVE?")
	}
	if err != nil {
		return record, err
	}
	if err := json.Unmarshal(document, &record); err != nil {
		return record, fmt.Errorf("read what the queue of %s was built from: %w", row.RunDate, err)
	}
	if record.RulesVersion != row.RulesVersion {
		return record, functions.Errorf(functions.FailedPrecondition, "the archive holds the building of the queue of %s by rules %s; the row is of %s",
			row.RunDate, record.RulesVersion, row.RulesVersion).
			WithHint("a building that did not end left this behind: build the queue of that day again")
	}
	if !record.BuiltAt.Equal(row.CreatedAt) { // of two builds at once, the rows of one and the record of the other are left
		return record, functions.Errorf(functions.FailedPrecondition, "the archive holds another building of the queue of %s than the one that the row is of",
			row.RunDate).WithHint("two buildings met; build the queue of that day again")
	}
	return record, nil
}

// bookOf are the rules of a version: the present ones, or those in the archive.
func (e *Explainer) bookOf(ctx context.Context, version string) (*rulebook.Book, error) {
	if e.Book.Version() == version {
		return e.Book, nil
	}
	files, err := KeptRules(ctx, e.Archive, version)
	if functions.CodeOf(err) == functions.NotFound {
		return nil, functions.Errorf(functions.FailedPrecondition, "the archive does not hold the rules of version %s", version).
			WithHint("was the queue built with another RETENTIONOPS_ARCHIVE?")
	}
	if err != nil {
		return nil, err
	}
	book, err := rulebook.LoadKept(files)
	if err != nil {
		return nil, functions.Errorf(functions.FailedPrecondition, "the rules of version %s cannot be read any more", version).
			WithHint("retentionops rules check names each place; the files are in the archive under rules/" + version).WithCause(err)
	}
	if book.Version() != version {
		return nil, functions.Errorf(functions.FailedPrecondition, "the rules in the archive under version %s are of version %s", version, book.Version()).
			WithHint("the files were changed there; put the true ones back")
	}
	return book, nil
}

func rulesName(version, file string) string { return "rules/" + version + "/" + file }

// KeptRules reads the files that judge in a version from the archive, by name; not_found when it was never used to
// build a queue.
func KeptRules(ctx context.Context, papers archive.Archive, version string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range rulebook.Judging() {
		data, err := papers.Get(ctx, rulesName(version, name))
		if errors.Is(err, archive.ErrNotFound) {
			return nil, functions.Errorf(functions.NotFound, "the archive does not hold the rules of version %s", version).
				WithHint("a version is kept when a queue is built by it; queue rows and runs carry theirs as rules_version")
		}
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return files, nil
}

// customerOf is the customer that a row was made of: it carries all that was judged.
func customerOf(row *retention.QueueRow) *retention.Customer {
	return &retention.Customer{
		ID: row.CustomerID, Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1},
		Status: given(string(row.Status)), DaysSinceLastOrder: given(row.DaysSinceLastOrder),
		RiskLevel: given(string(row.RiskLevel)), RiskScore: given(row.RiskScore),
		FrequencyDrop: given(row.FrequencyDrop), StatusInconsistent: given(row.StatusInconsistent), ValueDrop: given(row.ValueDrop),
		TotalRevenue: given(row.TotalRevenue), TotalOrders: given(row.TotalOrders), AvgOrderValue: row.AvgOrderValue,
	}
}

func given[T any](value T) sql.Null[T] { return sql.Null[T]{V: value, Valid: true} }

// differences are what a stored row says otherwise than its own rules: nobody should have changed it.
func differences(row *retention.QueueRow, e *rulebook.Explanation) []functions.StoredDifference {
	found := []functions.StoredDifference{}
	differs := func(what, stored, rules string) {
		if stored != rules {
			found = append(found, functions.StoredDifference{What: what, Stored: stored, Rules: rules})
		}
	}
	differs("tier", string(row.Tier), string(e.Tier))
	if len(found) > 0 {
		return found // all else follows from another tier
	}
	number := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	differs("rule_id", row.RuleID, e.RuleID)
	differs("score", number(row.Score), number(e.Score.Score))
	differs("reason", row.Reason, e.Reason.Text)
	differs("action", row.Action, e.Action.Text)
	differs("value_proxy", row.ValueProxy.String(), e.ValueProxy.Value.String())
	return found
}
