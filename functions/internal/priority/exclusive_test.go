package priority_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/filedestination"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// given are customers that need no warehouse: the order of their ids is theirs.
type given []retention.Customer

func (g given) Customers(_ context.Context, visit func(retention.Customer) error) (functions.Date, error) {
	for _, c := range g {
		if err := visit(c); err != nil {
			return functions.Date{}, err
		}
	}
	return today, nil
}

// randomRules are the shipped rules with other tiers: two to six rules that overlap as they like, in the order of their
// tiers or in any.
func randomRules(t *testing.T, r *rand.Rand, inOrder bool) *rulebook.Book {
	t.Helper()
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	tiers := make([]string, 2+r.IntN(5))
	for i := range tiers {
		tiers[i] = one("P1", "P2", "P3")
	}
	if inOrder {
		slices.Sort(tiers)
	}
	var text strings.Builder
	text.WriteString("tiers:\n")
	for i, tier := range tiers {
		cells := []string{
			"retention_status: " + one("ACTIVE", "AT_RISK", "INACTIVE", "[ACTIVE, AT_RISK]", "not ACTIVE"),
			"churn_risk_level: " + one("HIGH", "not LOW", "[HIGH, LOW]", "MEDIUM"),
			"days_since_last_order: " + one("over 10", "below 60", "20..120", "at least 31"),
			"total_revenue: " + one("over 500", "below 2000", "100..1500"),
		}
		r.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		fmt.Fprintf(&text, "  - rule: r-%d\n    tier: %s\n    when: {%s}\n    reason: why\n", i, tier, strings.Join(cells[:1+r.IntN(2)], ", "))
	}
	shipped, err := fs.ReadFile(rules.FS, "priority.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(shipped), "tiers:")
	_, after, _ := strings.Cut(rest, "\nalso_mention:")
	fields, err := fs.ReadFile(rules.FS, "fields.yaml")
	if err != nil {
		t.Fatal(err)
	}
	written := before + text.String() + "\nalso_mention:" + after
	book, err := rulebook.LoadJudging(fstest.MapFS{
		"priority.yaml": &fstest.MapFile{Data: []byte(written)}, "fields.yaml": &fstest.MapFile{Data: fields},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	return book
}

// Whatever the rules say, a customer is in one tier only, that of the first rule that fits; where the rules stand in the
// order of their tiers, who is in a tier fits no rule of an earlier one. The files that leave share nobody.
func TestACustomerInAnEarlierTierIsInNoLaterOne(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(20261122, 7))
	exclusive(t, shipped(t), r.Uint64(), true)
	several := 0
	for i := range 20 {
		inOrder := i%2 == 0
		several += exclusive(t, randomRules(t, r, inOrder), r.Uint64(), inOrder)
	}
	if several < 300 {
		t.Errorf("only %d customers fit rules of several tiers: the test shows little", several)
	}
}

// exclusive checks one book on random customers, and counts those who fit rules of several tiers.
func exclusive(t *testing.T, book *rulebook.Book, seed uint64, inOrder bool) (several int) {
	t.Helper()
	customers := given(book.RandomCustomers(200, seed))
	a, err := priority.Assess(t.Context(), customers, book, nil, today)
	if err != nil {
		t.Fatal(err)
	}
	tiers := map[string]functions.Tier{}
	for i := range a.Rows {
		row := &a.Rows[i]
		if tier, twice := tiers[row.CustomerID]; twice {
			t.Errorf("%s is in %s and in %s", row.CustomerID, tier, row.Tier)
		}
		tiers[row.CustomerID] = row.Tier
	}
	for i := range customers {
		explained, err := book.Explain(&customers[i], a.MedianRevenue)
		if err != nil {
			t.Fatal(err)
		}
		if len(explained.SetAside) > 0 {
			continue
		}
		fitting := fittingTiers(explained.Rules)
		tier := tiers[customers[i].ID]
		switch {
		case len(fitting) == 0 && tier == "":
		case len(fitting) == 0 || tier != fitting[0]:
			t.Errorf("%s is in %q and fits rules of %q", customers[i].ID, tier, fitting)
		case inOrder && tier != slices.Min(fitting):
			t.Errorf("%s is in %q and fits a rule of %q", customers[i].ID, tier, slices.Min(fitting))
		}
		if len(slices.Compact(slices.Sorted(slices.Values(fitting)))) > 1 {
			several++
		}
	}
	left := leaving(t, a)
	if len(left) != len(tiers) {
		t.Errorf("%d customers leave, %d are in a tier", len(left), len(tiers))
	}
	for id, files := range left {
		if len(files) != 1 || files[0] != tiers[id] {
			t.Errorf("%s leaves in the files of %q and is in %s", id, files, tiers[id])
		}
	}
	return several
}

// fittingTiers are the tiers of the rules that fit, in the order of the rules, as expr's own machine has it.
func fittingTiers(asked []functions.AskedRule) (tiers []functions.Tier) {
	for _, rule := range asked {
		if rule.Fits {
			tiers = append(tiers, rule.Tier)
		}
	}
	return tiers
}

// leaving exports every tier and tells in which files each customer is.
func leaving(t *testing.T, a *retention.Assessment) map[string][]functions.Tier {
	t.Helper()
	files, err := filedestination.Open(&url.URL{Scheme: "file", Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := &audience.Exporter{CSV: func(context.Context) (destination.Destination, error) { return files, nil }}
	left := map[string][]functions.Tier{}
	for _, tier := range functions.Tiers {
		out, err := e.Deliver(t.Context(), a, tier, functions.TargetCSV, "")
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(strings.TrimPrefix(out.CSVURL, "file://"))
		if err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(file).ReadAll()
		_ = file.Close()
		if err != nil {
			t.Fatal(err)
		}
		at := slices.Index(records[0], "customer_id")
		for _, record := range records[1:] {
			left[record[at]] = append(left[record[at]], tier)
		}
	}
	return left
}
