package priority_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

const exclusionKey = "a key of the tests"

// never makes a list of these entries.
func never(t *testing.T, entries ...string) *exclusion.List {
	t.Helper()
	path := filepath.Join(t.TempDir(), "never.csv")
	if err := os.WriteFile(path, []byte("customer_id\n"+strings.Join(entries, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := exclusion.Reader{
		Settings: exclusion.Settings{List: "file://" + path, Key: exclusionKey}, Folder: archive.Open,
	}.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func assessWithout(t *testing.T, w *warehouse.Warehouse, list priority.Exclusions) *retention.Assessment {
	t.Helper()
	a, err := priority.Assess(t.Context(), w, shipped(t), list, today)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func idsOf(a *retention.Assessment) (ids []string) {
	for i := range a.Rows {
		ids = append(ids, a.Rows[i].CustomerID)
	}
	return ids
}

func TestWhoIsExcludedIsInNoTierAndElseCounts(t *testing.T) {
	t.Parallel()
	unsound := sound("unsound", "SLEEPING", 10, "HIGH", "100")
	w := stocked(t,
		sound("a", "ACTIVE", 24, "HIGH", "3847"), sound("b", "ACTIVE", 24, "HIGH", "1"), sound("c", "AT_RISK", 60, "HIGH", "30"),
		sound("d", "AT_RISK", 60, "LOW", "30"), unsound)
	all := assess(t, w)
	a := assessWithout(t, w, never(t, "a", exclusion.Hash(exclusionKey, "c"), "d", "unsound", "nobody here"))
	if diff := cmp.Diff([]string{"b"}, idsOf(a)); diff != "" {
		t.Errorf("in a tier (-want +got):\n%s", diff)
	}
	if a.Excluded != 4 || a.Customers != 5 {
		t.Errorf("%d of %d are excluded, want 4 of 5", a.Excluded, a.Customers)
	}
	for _, total := range a.Tiers {
		if want := map[functions.Tier]int64{functions.P1: 1}[total.Tier]; total.Customers != want {
			t.Errorf("%s has %d customers, want %d", total.Tier, total.Customers, want)
		}
	}
	// Everything that is not about tiers stands as it was.
	same := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-without the list +with it):\n%s", what, diff)
		}
	}
	same("statuses", all.StatusByRisk, a.StatusByRisk)
	same("data quality", all.Quality, a.Quality)
	same("median", all.MedianRevenue.String(), a.MedianRevenue.String())
	b := slices.IndexFunc(all.Rows, func(row retention.QueueRow) bool { return row.CustomerID == "b" })
	if diff := cmp.Diff(all.Rows[b], a.Rows[0], cmp.Comparer(func(x, y functions.Money) bool { return x.Equal(y.Decimal) })); diff != "" {
		t.Errorf("the row of another (-without the list +with it):\n%s", diff)
	}
}

func TestTheFingerprintTellsWhoIsExcluded(t *testing.T) {
	t.Parallel()
	w := stocked(t, sound("a", "ACTIVE", 24, "HIGH", "3847"), sound("b", "ACTIVE", 24, "HIGH", "1"), sound("fine", "ACTIVE", 3, "LOW", "100"))
	seen := map[string]string{}
	for name, list := range map[string]priority.Exclusions{
		"nobody": nil, "a": never(t, "a"), "b": never(t, "b"), "a and b": never(t, "a", "b"), "fine": never(t, "fine"),
	} {
		print := assessWithout(t, w, list).Fingerprint
		if other, taken := seen[print]; taken {
			t.Errorf("excluding %s has the fingerprint of excluding %s", name, other)
		}
		seen[print] = name
	}
	for name, same := range map[string]*exclusion.List{"nobody": never(t, "no customer of ours"), "a": never(t, exclusion.Hash(exclusionKey, "a"), "x")} {
		if other := seen[assessWithout(t, w, same).Fingerprint]; other != name {
			t.Errorf("a list that excludes %s has the fingerprint of one that excludes %q", name, other)
		}
	}
}

func TestAnEntryOfTheListMakesTheQueueAnew(t *testing.T) {
	t.Parallel()
	w := stocked(t, sound("a", "ACTIVE", 24, "HIGH", "3847"), sound("b", "ACTIVE", 24, "HIGH", "1"), sound("fine", "ACTIVE", 3, "LOW", "100"))
	b, book := builder(t, w), shipped(t)
	pass := &functions.Override{By: "test", Why: "two of three are in P1"}
	build := func(list priority.Exclusions) functions.BuildPriorityQueueOutput {
		t.Helper()
		out, err := b.Build(t.Context(), book, assessWithout(t, w, list), priority.Options{ReuseSame: true, Override: pass})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := build(nil); out.TableUpdated == "" || out.Excluded != 0 || out.P1Count != 2 {
		t.Errorf("the first queue: %+v", out)
	}
	if out := build(nil); out.TableUpdated != "" {
		t.Errorf("the same queue was written again: %+v", out)
	}
	if out := build(never(t, "a")); out.TableUpdated == "" || out.Excluded != 1 || out.P1Count != 1 || out.Changes.Removed != 1 {
		t.Errorf("after an entry: %+v", out)
	}
	if rows := queue(t, w); len(rows) != 1 || !strings.HasPrefix(rows[0], "P1 b ") {
		t.Errorf("the queue holds %q", rows)
	}
}

func TestAnExplanationSaysWhoIsExcluded(t *testing.T) {
	t.Parallel()
	w := stocked(t, sound("a", "ACTIVE", 24, "HIGH", "3847"), sound("b", "ACTIVE", 24, "HIGH", "1"), sound("fine", "ACTIVE", 3, "LOW", "100"))
	b, book := builder(t, w), shipped(t)
	pass := &functions.Override{By: "test", Why: "most are in P1"}
	if _, err := b.Build(t.Context(), book, assessWithout(t, w, never(t, "b")), priority.Options{Override: pass}); err != nil {
		t.Fatal(err)
	}
	e := priority.Explainer{Queues: w, Customers: w, Archive: b.Archive, Book: book, Excluded: never(t, "a", "b")}
	told := func(id string) (functions.Explanation, string) {
		t.Helper()
		explained, err := e.Explain(t.Context(), id, today)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := rulebook.Explanation(explained).Write(&text); err != nil {
			t.Fatal(err)
		}
		return explained, text.String()
	}
	barred, text := told("b")
	if !barred.Excluded || barred.Tier != "" || barred.Score != nil || len(barred.Rules) != 0 || len(barred.Signals) == 0 ||
		!strings.Contains(text, "on the exclusion list: in no tier") {
		t.Errorf("who is excluded: %+v\n%s", barred, text)
	}
	since, text := told("a")
	if !since.Excluded || since.Tier != functions.P1 || since.Score == nil || !strings.Contains(text, "on the exclusion list since its row was made") {
		t.Errorf("who is excluded since: %+v\n%s", since, text)
	}
	other, text := told("fine")
	if other.Excluded || len(other.Rules) == 0 || strings.Contains(text, "exclusion") {
		t.Errorf("who is not: %+v\n%s", other, text)
	}
	if !strings.Contains(text, "no tier: no rule fits") {
		t.Errorf("who is not: %s", text)
	}
}

func TestAPreviewLeavesOutWhoIsExcluded(t *testing.T) {
	t.Parallel()
	w := stocked(t, sound("a", "ACTIVE", 24, "HIGH", "3847"), sound("b", "ACTIVE", 24, "HIGH", "1"), sound("fine", "ACTIVE", 3, "LOW", "100"))
	before, after := shipped(t), amended(t, "p1_min_revenue: 0", "p1_min_revenue: 4000")
	versions := priority.Versions{Before: before, After: after, Difference: rulebook.Diff(before, after), Limits: before.Guardrails()}
	versions.Excluded = never(t, "a", "nobody")
	c, err := priority.CompareBooks(t.Context(), w, versions)
	if err != nil {
		t.Fatal(err)
	}
	if c.Customers != 3 || c.Excluded != 1 || c.Tiers[0].Before != 1 || c.Tiers[0].Leaving != 1 || c.Moved() != 1 {
		t.Errorf("got %+v", c)
	}
	for _, mover := range c.Movers {
		if mover.CustomerID == "a" {
			t.Errorf("who is excluded is named: %+v", mover)
		}
	}
}
