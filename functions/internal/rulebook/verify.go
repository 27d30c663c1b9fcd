package rulebook

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Verification is the outcome of judging customers twice: by our engine, and by expr's own machine, which is what a rule
// means.
type Verification struct {
	RulesVersion string         `json:"rules_version"`
	Sets         []VerifiedSet  `json:"sets"`
	Different    int64          `json:"different"`
	Differences  []Disagreement `json:"differences"` // the first of them
}

// VerifiedSet counts the customers of one origin.
type VerifiedSet struct {
	Customers     string          `json:"customers"` // random, or data with its day
	Judged        int64           `json:"judged"`
	SetAside      int64           `json:"set_aside"` // could not be judged, and were not
	InTier        int64           `json:"in_tier"`
	Different     int64           `json:"different"`
	MedianRevenue functions.Money `json:"median_revenue"`
}

// Disagreement is one thing that the two say otherwise of a customer.
type Disagreement struct {
	Customer  []functions.NamedValue `json:"customer"`
	What      string                 `json:"what"`
	Engine    string                 `json:"engine"`
	Reference string                 `json:"reference"`
}

// Joined is the outcome with the sets of one name as one.
func (v Verification) Joined() Verification {
	var sets []VerifiedSet
	for _, set := range v.Sets {
		at := slices.IndexFunc(sets, func(s VerifiedSet) bool { return s.Customers == set.Customers })
		if at < 0 {
			sets = append(sets, set)
			continue
		}
		sets[at].Judged += set.Judged
		sets[at].SetAside += set.SetAside
		sets[at].InTier += set.InTier
		sets[at].Different += set.Different
	}
	v.Sets = sets
	return v
}

// mostDisagreements is how many disagreements are listed; all are counted.
const mostDisagreements = 20

// Verify judges every customer twice and adds a set of that name to the outcome.
func (v *Verification) Verify(b *Book, name string, median functions.Money, customers []retention.Customer) {
	v.RulesVersion = b.version
	v.compare(b, name, median, customers, b.NewJudge(median), b.NewReferenceJudge(median))
}

func (v *Verification) compare(b *Book, name string, median functions.Money, customers []retention.Customer, engine, reference *Judge) {
	set := VerifiedSet{Customers: name, MedianRevenue: median}
	for i := range customers {
		c := &customers[i]
		if len(b.Vet(c)) > 0 {
			set.SetAside++
			continue
		}
		set.Judged++
		got, engineErr := engine.Judge(c)
		want, referenceErr := reference.Judge(c)
		if got.Tier != "" {
			set.InTier++
		}
		found := disagree(got, want)
		if engineErr != nil || referenceErr != nil {
			found = append(found, Disagreement{What: "error", Engine: fmt.Sprint(engineErr), Reference: fmt.Sprint(referenceErr)})
		}
		if len(found) == 0 {
			continue
		}
		set.Different++
		for _, d := range found {
			if len(v.Differences) < mostDisagreements {
				d.Customer = append((&explainer{book: b, customer: c, median: median}).signals(), functions.NamedValue{Name: "customer_id", Value: c.ID})
				v.Differences = append(v.Differences, d)
			}
		}
	}
	v.Sets, v.Different = append(v.Sets, set), v.Different+set.Different
}

// disagree lists where two verdicts differ, by the bit.
func disagree(got, want Verdict) []Disagreement {
	var found []Disagreement
	differs := func(what, engine, reference string) {
		if engine != reference {
			found = append(found, Disagreement{What: what, Engine: engine, Reference: reference})
		}
	}
	differs("tier", string(got.Tier), string(want.Tier))
	differs("rule", got.RuleID, want.RuleID)
	if math.Float64bits(got.Score) != math.Float64bits(want.Score) {
		differs("score", strconv.FormatFloat(got.Score, 'x', -1, 64), strconv.FormatFloat(want.Score, 'x', -1, 64))
	}
	differs("reason", got.Reason, want.Reason)
	differs("action", got.Action, want.Action)
	differs("value_proxy", got.ValueProxy.String(), want.ValueProxy.String())
	return found
}

// Write tells the outcome to a person.
func (v Verification) Write(w io.Writer) error {
	var out strings.Builder
	for _, d := range v.Differences {
		fmt.Fprintf(&out, "%s: the engine says %s, expr says %s, of a customer with", d.What, d.Engine, d.Reference)
		for _, value := range d.Customer {
			fmt.Fprintf(&out, " %s %s", value.Name, value.Value)
		}
		out.WriteString("\n")
	}
	for _, set := range v.Sets {
		fmt.Fprintf(&out, "%s: %d customers, %d in a tier: tier, rule, score, reason, action, value_proxy %d different",
			set.Customers, set.Judged, set.InTier, set.Different)
		if set.SetAside > 0 {
			fmt.Fprintf(&out, "; %d set aside and not judged", set.SetAside)
		}
		out.WriteString("\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// RandomCustomers makes sound customers of every kind: any words, any numbers within the bounds, and very often exactly
// the numbers that the rules name, and those just beside them. They keep no fact: rules must mean the same for whoever
// comes. The same seed gives the same customers.
func (b *Book) RandomCustomers(count int, seed uint64) []retention.Customer {
	random := rand.New(rand.NewPCG(seed, 2026)) //nolint:gosec // made-up customers are no secret
	edges := b.edges()
	customers := make([]retention.Customer, count)
	for i := range customers {
		c := &customers[i]
		c.ID, c.Rows = "random-"+strconv.Itoa(i), retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1}
		for _, f := range b.vocabulary.fields {
			if !f.isStatistic() && (!f.mayBeEmpty || random.IntN(4) > 0) {
				f.randomize(c, random, edges)
			}
		}
	}
	return customers
}

// edges are all numbers that the rules name.
func (b *Book) edges() []float64 {
	var found numberList
	p := b.priority
	trees := []ast.Node{}
	for _, r := range p.rules {
		trees = append(trees, r.when.tree)
	}
	for i := range p.mentions {
		trees = append(trees, p.mentions[i].when.tree)
	}
	for i := range p.score.parts {
		trees = append(trees, p.score.parts[i].points.tree)
	}
	for _, tier := range functions.Tiers {
		for _, a := range p.actions[tier] {
			if a.when != nil {
				trees = append(trees, a.when.tree)
			}
		}
	}
	for _, tree := range trees {
		ast.Walk(&tree, &found)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

type numberList []float64

// Visit implements ast.Visitor.
func (l *numberList) Visit(node *ast.Node) {
	if n, is := (*node).(*ast.FloatNode); is {
		*l = append(*l, n.Value)
	}
}

// randomize puts a random value into the column of a customer.
func (f *field) randomize(c *retention.Customer, random *rand.Rand, edges []float64) {
	switch {
	case f.choice != nil:
		column := f.choice(c)
		column.V, column.Valid = f.values[random.IntN(len(f.values))], true
	case f.yes != nil:
		column := f.yes(c)
		column.V, column.Valid = random.IntN(2) == 0, true
	case f.whole != nil:
		column := f.whole(c)
		column.V, column.Valid = int64(math.Round(f.randomNumber(random, edges, 1))), true
	default:
		column := f.amount(c)
		amount := decimal.NewFromFloat(f.randomNumber(random, edges, 0.01))
		if random.IntN(8) > 0 {
			amount = amount.Round(2)
		}
		low, high := decimal.NewFromFloat(f.low), decimal.NewFromFloat(f.high)
		column.V, column.Valid = functions.Money{Decimal: decimal.Max(low, decimal.Min(high, amount))}, true
	}
}

// randomNumber is a bound, an edge, a number one step beside an edge, or any number, small ones more often.
func (f *field) randomNumber(random *rand.Rand, edges []float64, step float64) float64 {
	number := f.low + (f.high-f.low)*math.Pow(10, -9*random.Float64())
	switch kind := random.IntN(16); {
	case kind == 0:
		number = f.low
	case kind == 1:
		number = f.high
	case kind < 10 && len(edges) > 0:
		number = edges[random.IntN(len(edges))] + float64(random.IntN(3)-1)*step
	case kind < 13:
		number = f.low + math.Floor(400*random.Float64())
	}
	return min(max(number, f.low), f.high)
}
