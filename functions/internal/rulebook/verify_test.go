package rulebook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/rules"
)

// TestRandomCustomersAreSoundAndOfEveryKind holds that random customers can be judged, lie on the edges of the rules,
// and are the same for the same seed.
func TestRandomCustomersAreSoundAndOfEveryKind(t *testing.T) {
	t.Parallel()
	book, err := Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	customers := book.RandomCustomers(10_000, 7)
	median := functions.Money{Decimal: decimal.NewFromInt(625)}
	judge := book.NewJudge(median)
	seen := map[string]int{}
	for i := range customers {
		c := &customers[i]
		if faults := book.Vet(c); len(faults) > 0 {
			t.Fatalf("%+v: %v", c, faults)
		}
		verdict, err := judge.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		seen["tier "+string(verdict.Tier)]++
		for _, edge := range []string{"1999.99", "2000", "2000.01", "1000", "0", "1000000000"} {
			if c.TotalRevenue.V.String() == edge {
				seen["revenue "+edge]++
			}
		}
		for _, days := range []int64{179, 180, 181} {
			if c.DaysSinceLastOrder.V == days {
				seen["around 180 days"]++
			}
		}
		if !c.AvgOrderValue.Valid {
			seen["empty"]++
		}
	}
	for _, kind := range []string{
		"tier ", "tier P1", "tier P2", "tier P3", "empty", "around 180 days",
		"revenue 1999.99", "revenue 2000", "revenue 2000.01", "revenue 1000", "revenue 0", "revenue 1000000000",
	} {
		if seen[kind] < 100 {
			t.Errorf("only %d customers are %q", seen[kind], kind)
		}
	}
	if diff := cmp.Diff(customers[:100], book.RandomCustomers(100, 7)); diff != "" {
		t.Errorf("the same seed gives other customers:\n%s", diff)
	}
	if cmp.Equal(customers[:100], book.RandomCustomers(100, 8)) {
		t.Error("another seed gives the same customers")
	}
}

// TestVerifyFindsADifference judges by two versions of the rules, as if the engine had read one and expr the other.
func TestVerifyFindsADifference(t *testing.T) {
	t.Parallel()
	book, err := Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	files := book.Files()
	files[priorityFile] = []byte(strings.Replace(string(files[priorityFile]), "high_value: 2000 ", "high_value: 2001 ", 1))
	other, err := LoadKept(files)
	if err != nil {
		t.Fatal(err)
	}
	median := functions.Money{Decimal: decimal.NewFromInt(625)}
	customers := book.RandomCustomers(2000, 1)
	var same, different Verification
	same.Verify(book, "random", median, customers)
	if same.Different != 0 || same.Sets[0].Judged != 2000 || same.Sets[0].InTier == 0 {
		t.Errorf("got %+v", same)
	}
	different.compare(book, "random", median, customers, book.NewJudge(median), other.NewReferenceJudge(median))
	if different.Different == 0 || len(different.Differences) == 0 || len(different.Differences) > mostDisagreements {
		t.Fatalf("got %+v", different)
	}
	var out strings.Builder
	if err := different.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"reason: the engine says ", "total_revenue 200", "random: 2000 customers"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
