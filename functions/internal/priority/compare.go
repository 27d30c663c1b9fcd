package priority

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Comparison is what another version of the rules would change for the customers of a day.
type Comparison struct {
	Date       functions.Date       `json:"date"`
	Customers  int64                `json:"customers"` // all ids seen, those set aside included
	Excluded   int64                `json:"excluded"`  // of those, who is on the exclusion list: no rules give them a tier, so they are in no figure below
	Tiers      []TierChange         `json:"tiers"`     // every tier, in order
	Flows      []Flow               `json:"flows"`     // from where to where, those who stay included
	Moves      []Headcount          `json:"moves"`     // of each move of the difference, in its order
	Changes    []Headcount          `json:"changes"`   // of each change of the difference, in its order
	Untold     int64                `json:"untold"`    // who moves and lies in no region that was told: a fact of fields.yaml does not hold
	Kept       KeptChanges          `json:"kept"`
	Movers     []Mover              `json:"movers"` // the largest: who changes place first, then by value at stake
	Guardrails functions.Guardrails `json:"guardrails"`
}

// TierChange is a tier before and after.
type TierChange struct {
	Tier        functions.Tier  `json:"tier"`
	Before      int64           `json:"before"`
	After       int64           `json:"after"`
	Entering    int64           `json:"entering"`  // from no tier
	Leaving     int64           `json:"leaving"`   // into no tier
	MovedIn     int64           `json:"moved_in"`  // from another tier
	MovedOut    int64           `json:"moved_out"` // into another tier
	ValueBefore functions.Money `json:"value_before"`
	ValueAfter  functions.Money `json:"value_after"`
}

// ValueChange is how much value at stake the tier wins.
func (t TierChange) ValueChange() functions.Money {
	return functions.Money{Decimal: t.ValueAfter.Sub(t.ValueBefore.Decimal)}
}

// Flow counts the customers that go from one place to another.
type Flow struct {
	From rulebook.Place `json:"from"`
	To   rulebook.Place `json:"to"`
	Headcount
}

// Headcount is a number of customers and what is at stake with them: by the new rules, or by the old ones for who has no
// tier by the new.
type Headcount struct {
	Customers int64           `json:"customers"`
	Value     functions.Money `json:"value"`
}

func (h *Headcount) add(value functions.Money) {
	h.Customers++
	h.Value = h.Value.Plus(value)
}

// KeptChanges counts what changes for customers who keep their tier. A customer with several changes counts in each.
type KeptChanges struct {
	Customers  int64   `json:"customers"` // who keep their tier
	Changed    int64   `json:"changed"`   // with any of the following
	Scores     int64   `json:"scores"`
	LowestMove float64 `json:"lowest_score_move"`
	TopMove    float64 `json:"highest_score_move"`
	Actions    int64   `json:"actions"`
	Reasons    int64   `json:"reasons"`
	Values     int64   `json:"values"`
	Rules      int64   `json:"rules"` // another rule gives the same tier
}

// Mover is a customer whose verdict changes.
type Mover struct {
	CustomerID string   `json:"customer_id"`
	Before     Judgment `json:"before"`
	After      Judgment `json:"after"`
	value      functions.Money
}

// Judgment is what one version of the rules says of a customer. Beside the place all is empty for who has no tier.
type Judgment struct {
	Place  rulebook.Place  `json:"place"`
	RuleID string          `json:"rule_id"`
	Score  float64         `json:"score"`
	Reason string          `json:"reason"`
	Action string          `json:"action"`
	Value  functions.Money `json:"value"`
}

// mostMovers is how many of the largest movers are named.
const mostMovers = 10

// Versions are two versions of the rules to be compared.
type Versions struct {
	Before, After *rulebook.Book
	Difference    *rulebook.BookDiff // of the two
	Limits        rulebook.Guardrails
	LastSent      *retention.Run // what the guardrails compare with; nil when nothing was sent
	Excluded      Exclusions     // who is never to be contacted; nil excludes nobody
}

// CompareBooks judges every customer of the newest alert date by both versions. It reads the customers once, and
// writes nothing.
func CompareBooks(ctx context.Context, source Customers, v Versions) (*Comparison, error) {
	functions.Report(ctx, functions.Progress{Stage: "read", Message: "Reading the customers"})
	var people []retention.Customer
	var barred []bool // which of them are excluded; they count in the median, as everywhere
	asOf, err := source.Customers(ctx, func(c retention.Customer) error {
		people, barred = append(people, c), append(barred, v.Excluded != nil && v.Excluded.Has(c.ID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	functions.Report(ctx, functions.Progress{Stage: "judge", Message: fmt.Sprintf("Judging %d customers twice", len(people))})
	before, after := newBench(v.Before, people), newBench(v.After, people)
	out := &Comparison{Date: asOf, Customers: int64(len(people)), Movers: []Mover{}}
	for _, tier := range functions.Tiers {
		out.Tiers = append(out.Tiers, TierChange{Tier: tier})
	}
	tally := &tally{
		Comparison: out, difference: v.Difference, locator: rulebook.NewLocator(after.median),
		flows: map[[2]rulebook.Place]*Headcount{},
	}
	out.Moves, out.Changes = make([]Headcount, len(v.Difference.Moves)), make([]Headcount, len(v.Difference.Changes))
	for i := range people {
		if i%10_000 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if barred[i] {
			out.Excluded++
			continue
		}
		was, err := before.judge(&people[i])
		if err != nil {
			return nil, err
		}
		is, err := after.judge(&people[i])
		if err != nil {
			return nil, err
		}
		tally.take(&people[i], was, is)
	}
	tally.close()
	out.Guardrails = Guard(v.Limits, after.assessment(out), Against{LastSent: v.LastSent})
	return out, nil
}

// bench judges by one of the two books.
type bench struct {
	book     *rulebook.Book
	judging  *rulebook.Judge
	median   functions.Money
	setAside int64
	unknown  int64 // statuses
}

func newBench(book *rulebook.Book, people []retention.Customer) *bench {
	b := &bench{book: book}
	sound := make([]retention.Customer, 0, len(people))
	for i := range people {
		faults := book.Vet(&people[i])
		if len(faults) == 0 {
			sound = append(sound, people[i])
		}
		if slices.ContainsFunc(faults, func(f rulebook.Fault) bool { return ofStatus(f.Issue) }) {
			b.unknown++
		}
	}
	b.setAside = int64(len(people) - len(sound))
	b.median = medianRevenue(sound)
	b.judging = book.NewJudge(b.median)
	return b
}

func (b *bench) judge(c *retention.Customer) (Judgment, error) {
	if len(b.book.Vet(c)) > 0 {
		return Judgment{Place: rulebook.PlaceSetAside}, nil
	}
	verdict, err := b.judging.Judge(c)
	if err != nil {
		return Judgment{}, fmt.Errorf("judge a customer by rules %s: %w", b.book.Version(), err)
	}
	return Judgment{
		Place: rulebook.PlaceOf(verdict.Tier), RuleID: verdict.RuleID, Score: verdict.Score,
		Reason: verdict.Reason, Action: verdict.Action, Value: verdict.ValueProxy.Money(),
	}, nil
}

// assessment is what the guardrails look at.
func (b *bench) assessment(c *Comparison) *retention.Assessment {
	a := &retention.Assessment{AsOf: c.Date, RulesVersion: b.book.Version(), Customers: c.Customers}
	a.Quality.SetAside = b.setAside
	a.Quality.Issues = []functions.QualityIssue{{Issue: unknownStatus, Customers: b.unknown}}
	for _, tier := range c.Tiers {
		a.Tiers = append(a.Tiers, functions.TierTotal{Tier: tier.Tier, Customers: tier.After, ValueAtRisk: tier.ValueAfter})
	}
	return a
}

// tally adds up customers.
type tally struct {
	*Comparison
	difference *rulebook.BookDiff
	locator    *rulebook.Locator
	flows      map[[2]rulebook.Place]*Headcount
}

// take adds a customer.
func (t *tally) take(c *retention.Customer, was, is Judgment) {
	from, to := tierAt(was.Place), tierAt(is.Place)
	value := is.Value
	if to < 0 {
		value = was.Value
	}
	key := [2]rulebook.Place{was.Place, is.Place}
	if t.flows[key] == nil {
		t.flows[key] = &Headcount{}
	}
	t.flows[key].add(value)
	t.takeTiers(from, to, was, is)
	switch {
	case was.Place != is.Place:
		t.locate(c, was.Place, is.Place, value)
	case to < 0:
		return
	default:
		t.Kept.Customers++
		if !t.takeKept(c, was, is) {
			return
		}
	}
	t.Movers = append(t.Movers, Mover{CustomerID: c.ID, Before: was, After: is, value: value})
	if len(t.Movers) >= 100*mostMovers {
		t.keepLargest()
	}
}

// tierAt is the number of a tier, or -1 for a place that is none.
func tierAt(place rulebook.Place) int { return slices.Index(functions.Tiers, functions.Tier(place)) }

func (t *tally) takeTiers(from, to int, was, is Judgment) {
	if from >= 0 {
		tier := &t.Tiers[from]
		tier.Before++
		tier.ValueBefore = tier.ValueBefore.Plus(was.Value)
		switch {
		case to < 0:
			tier.Leaving++
		case to != from:
			tier.MovedOut++
		}
	}
	if to >= 0 {
		tier := &t.Tiers[to]
		tier.After++
		tier.ValueAfter = tier.ValueAfter.Plus(is.Value)
		switch {
		case from < 0:
			tier.Entering++
		case to != from:
			tier.MovedIn++
		}
	}
}

// locate counts a customer in the first region that tells of its move.
func (t *tally) locate(c *retention.Customer, from, to rulebook.Place, value functions.Money) {
	t.locator.Look(c)
	for i := range t.difference.Moves {
		if m := &t.difference.Moves[i]; m.From == from && m.To == to && t.locator.In(&m.Region) {
			t.Moves[i].add(value)
			return
		}
	}
	t.Untold++
}

// takeKept counts what changes for a customer who keeps the tier, and tells whether anything does.
func (t *tally) takeKept(c *retention.Customer, was, is Judgment) bool {
	changed := false
	for _, one := range []struct {
		changes bool
		count   *int64
	}{
		{was.Score != is.Score, &t.Kept.Scores},
		{was.Action != is.Action, &t.Kept.Actions},
		{was.Reason != is.Reason, &t.Kept.Reasons},
		{!was.Value.Equal(is.Value.Decimal), &t.Kept.Values},
	} {
		if one.changes {
			*one.count++
			changed = true
		}
	}
	if was.RuleID != is.RuleID {
		t.Kept.Rules++
	}
	if move := math.Round((is.Score-was.Score)*1e6) / 1e6; move != 0 {
		t.Kept.LowestMove, t.Kept.TopMove = min(t.Kept.LowestMove, move), max(t.Kept.TopMove, move)
	}
	if changed {
		t.Kept.Changed++
	}
	if len(t.difference.Changes) == 0 {
		return changed
	}
	t.locator.Look(c)
	for i := range t.difference.Changes {
		if change := &t.difference.Changes[i]; (change.Tier == "" || rulebook.Place(change.Tier) == is.Place) && t.locator.In(&change.Region) {
			t.Changes[i].add(is.Value)
		}
	}
	return changed
}

// keepLargest orders the movers and drops all but the largest.
func (t *tally) keepLargest() {
	stays := func(m Mover) int {
		if m.Before.Place == m.After.Place {
			return 1
		}
		return 0
	}
	slices.SortFunc(t.Movers, func(a, b Mover) int {
		return cmp.Or(cmp.Compare(stays(a), stays(b)), b.value.Cmp(a.value.Decimal), cmp.Compare(a.CustomerID, b.CustomerID))
	})
	t.Movers = t.Movers[:min(len(t.Movers), mostMovers)]
}

// close puts the sums in order.
func (t *tally) close() {
	t.keepLargest()
	t.Flows = []Flow{}
	for _, from := range rulebook.Places {
		for _, to := range rulebook.Places {
			if count := t.flows[[2]rulebook.Place{from, to}]; count != nil {
				t.Flows = append(t.Flows, Flow{From: from, To: to, Headcount: *count})
			}
		}
	}
}

// Moved counts who changes place.
func (c *Comparison) Moved() (customers int64) {
	for _, flow := range c.Flows {
		if flow.From != flow.To {
			customers += flow.Customers
		}
	}
	return customers
}

// NewestRules is the version of the rules by which the newest queue was built; not_found when there is none. It asks the
// archive alone, so that it can be asked while another program holds the warehouse.
func NewestRules(ctx context.Context, papers archive.Archive) (version string, err error) {
	names, err := papers.List(ctx, "queues/")
	if err != nil {
		return "", err
	}
	for _, name := range slices.Backward(names) { // the names are days
		document, err := papers.Get(ctx, name)
		if err != nil {
			return "", fmt.Errorf("read what the newest queue was built from: %w", err)
		}
		var record built
		if json.Unmarshal(document, &record) == nil && record.Complete {
			return record.RulesVersion, nil
		}
	}
	return "", functions.Errorf(functions.NotFound, "no queue was built yet, so no rules are in use").
		WithHint("build one with: retentionops call build_priority_queue --date latest; built-in names the rules of this program")
}
