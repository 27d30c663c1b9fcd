package priority_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/rules"
)

// amended are the shipped rules with texts replaced, in pairs.
func amended(t *testing.T, pairs ...string) *rulebook.Book {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"fields.yaml", "priority.yaml", "playbooks.yaml", "rollout.yaml"} {
		data, err := rules.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: []byte(strings.NewReplacer(pairs...).Replace(string(data)))}
	}
	book, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// compared judges the customers of a warehouse by the shipped rules and by others.
func compared(t *testing.T, w *warehouse.Warehouse, after *rulebook.Book, lastSent *retention.Run) (*priority.Comparison, *rulebook.BookDiff) {
	t.Helper()
	before := shipped(t)
	difference := rulebook.Diff(before, after)
	c, err := priority.CompareBooks(context.Background(), w, priority.Versions{
		Before: before, After: after, Difference: difference, Limits: before.Guardrails(), LastSent: lastSent,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, difference
}

func TestCompareBooksCountsEveryCustomerOnce(t *testing.T) {
	t.Parallel()
	w := stocked(t,
		sound("a", "ACTIVE", 10, "HIGH", "5000"),  // P1, VIP outreach before and after
		sound("b", "ACTIVE", 10, "HIGH", "1500"),  // P1, another action and mention
		sound("c", "ACTIVE", 10, "HIGH", "10"),    // P1 -> none
		sound("d", "ACTIVE", 10, "HIGH", "20.50"), // P1 -> none
		sound("e", "AT_RISK", 40, "HIGH", "100"),  // P2
		sound("f", "INACTIVE", 300, "HIGH", "50"), // none -> P3
		sound("g", "INACTIVE", 400, "HIGH", "50"), // none
		sound("h", "LOST", 10, "HIGH", "50"),      // set aside
		sound("i", "ACTIVE", 200, "HIGH", "3000"), // P1, though it breaks a fact
		sound("j", "AT_RISK", 200, "HIGH", "40"),  // P2: it breaks a fact as well
	)
	after := amended(t, "p1_min_revenue: 0 ", "p1_min_revenue: 1000 ", "recent_days: 180", "recent_days: 365", "high_value: 2000", "high_value: 1200")
	c, difference := compared(t, w, after, nil)
	if c.Date != today || c.Customers != 10 {
		t.Errorf("%d customers as of %s", c.Customers, c.Date)
	}
	value := func(text string) functions.Money {
		amount, err := functions.ParseMoney(text)
		if err != nil {
			t.Fatal(err)
		}
		return amount
	}
	same := cmp.Comparer(func(a, b functions.Money) bool { return a.Equal(b.Decimal) })
	wantTiers := []priority.TierChange{
		{Tier: "P1", Before: 5, After: 3, Leaving: 2, ValueBefore: value("2859.15"), ValueAfter: value("2850")},
		{Tier: "P2", Before: 2, After: 2, ValueBefore: value("42"), ValueAfter: value("42")},
		{Tier: "P3", After: 1, Entering: 1, ValueAfter: value("15")},
	}
	if diff := cmp.Diff(wantTiers, c.Tiers, same); diff != "" {
		t.Errorf("tiers (-want +got):\n%s", diff)
	}
	if change := c.Tiers[0].ValueChange(); change.String() != "-9.15" {
		t.Errorf("P1 wins %s", change)
	}
	wantFlows := []priority.Flow{
		{From: "P1", To: "P1", Headcount: priority.Headcount{Customers: 3, Value: value("2850")}},
		{From: "P1", To: "none", Headcount: priority.Headcount{Customers: 2, Value: value("9.15")}},
		{From: "P2", To: "P2", Headcount: priority.Headcount{Customers: 2, Value: value("42")}},
		{From: "none", To: "P3", Headcount: priority.Headcount{Customers: 1, Value: value("15")}},
		{From: "none", To: "none", Headcount: priority.Headcount{Customers: 1}},
		{From: "set aside", To: "set aside", Headcount: priority.Headcount{Customers: 1}},
	}
	if diff := cmp.Diff(wantFlows, c.Flows, same); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	if len(difference.Moves) != 2 || c.Moves[0].Customers != 2 || c.Moves[1].Customers != 1 || c.Untold != 0 || c.Moved() != 3 {
		t.Errorf("by region: %+v, untold %d, moved %d", c.Moves, c.Untold, c.Moved())
	}
	if len(difference.Changes) != 2 || c.Changes[0].Customers != 1 || c.Changes[1].Customers != 1 {
		t.Errorf("changes %+v: %+v", difference.Changes, c.Changes)
	}
	wantKept := priority.KeptChanges{Customers: 5, Changed: 1, Actions: 1, Reasons: 1}
	if diff := cmp.Diff(wantKept, c.Kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	var movers []string
	for _, m := range c.Movers {
		movers = append(movers, fmt.Sprintf("%s: %s %s -> %s %s", m.CustomerID, m.Before.Place, m.Before.Action, m.After.Place, m.After.Action))
	}
	wantMovers := []string{
		"f: none  -> P3 Strong comeback offer (20% discount) + survey",
		"d: P1 Personal email + reminder -> none ",
		"c: P1 Personal email + reminder -> none ",
		"b: P1 Personal email + free shipping offer -> P1 VIP outreach + 10% loyalty incentive",
	}
	if diff := cmp.Diff(wantMovers, movers); diff != "" {
		t.Errorf("movers (-want +got):\n%s", diff)
	}
}

// TestAMoverThatBreaksAFactIsCountedApart holds that no number hides customers whom the regions do not tell of.
func TestAMoverThatBreaksAFactIsCountedApart(t *testing.T) {
	t.Parallel()
	w := stocked(t, sound("a", "INACTIVE", 10, "HIGH", "100"), sound("b", "INACTIVE", 100, "HIGH", "100"))
	c, _ := compared(t, w, amended(t, "retention_status: INACTIVE, churn_risk_level: HIGH,", "retention_status: INACTIVE, churn_risk_level: HIGH, total_revenue: over 200,"), nil)
	if c.Moved() != 2 || c.Moves[0].Customers+c.Untold != 2 {
		t.Errorf("moved %d, told %+v, untold %d", c.Moved(), c.Moves, c.Untold)
	}
}

func TestCompareBooksAsksTheGuardrailsOfTheNewRules(t *testing.T) {
	t.Parallel()
	people := make([]customer, 0, 100)
	for i := range 100 {
		people = append(people, sound(fmt.Sprintf("c%02d", i), "INACTIVE", 300, "HIGH", "100"))
	}
	sent, none := int64(20), int64(0)
	run := &retention.Run{RunID: "r1", P1Count: &none, P2Count: &none, P3Count: &sent}
	c, _ := compared(t, stocked(t, people...), amended(t, "recent_days: 180", "recent_days: 365"), run)
	var spoke []string
	for _, finding := range c.Guardrails.Findings {
		spoke = append(spoke, finding.Guardrail+" "+string(finding.Verdict))
	}
	if diff := cmp.Diff([]string{"tier_share stop", "tier_growth stop"}, spoke, cmpopts.EquateEmpty()); diff != "" || c.Guardrails.Verdict != functions.VerdictStop {
		t.Errorf("verdict %s, findings (-want +got):\n%s", c.Guardrails.Verdict, diff)
	}
	if len(c.Movers) != 10 || c.Movers[0].CustomerID != "c00" {
		t.Errorf("%d movers, the first %+v", len(c.Movers), c.Movers[0])
	}
}

func TestTheNewestQueueNamesTheRulesInUse(t *testing.T) {
	t.Parallel()
	w := stocked(t, sound("a", "ACTIVE", 10, "HIGH", "5000"))
	b := builder(t, w)
	if _, err := priority.NewestRules(t.Context(), b.Archive); functions.CodeOf(err) != functions.NotFound {
		t.Errorf("before any queue: %v", err)
	}
	if _, err := b.Build(t.Context(), shipped(t), assess(t, w), priority.Options{Override: &functions.Override{By: "me", Why: "one customer"}}); err != nil {
		t.Fatal(err)
	}
	// A building that did not end is of no use.
	if err := b.Archive.Put(t.Context(), "queues/2026-01-13.json", []byte(`{"rules_version": "000000000000"}`)); err != nil {
		t.Fatal(err)
	}
	if got, err := priority.NewestRules(t.Context(), b.Archive); got != shipped(t).Version() || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
