package warehousetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

var written = time.Date(2026, time.January, 12, 6, 30, 0, 123456000, time.UTC)

// row makes a full row of the queue.
func row(date functions.Date, id string, tier functions.Tier, score float64) retention.QueueRow {
	return retention.QueueRow{
		RunDate: date, CustomerID: id, Status: functions.Active, RiskLevel: functions.RiskHigh, RiskScore: 70,
		Tier: tier, Score: score, Reason: "ACTIVE + HIGH risk (frequency drop)", DaysSinceLastOrder: 24,
		TotalRevenue: exact("3847.1"), TotalOrders: 12, AvgOrderValue: some(exact("320.591666667")),
		Action: "Call within 24 hours", ValueProxy: exact("1154.13"), RuleID: "p1_prevention", RulesVersion: "0123456789ab",
		FrequencyDrop: true, StatusInconsistent: true, ValueDrop: true, CreatedAt: written,
	}
}

func mustReplace(t trial, w driver.Warehouse, date functions.Date, rows []retention.QueueRow) (replaced int64) {
	t.Helper()
	replaced, err := w.ReplaceQueue(t.Context(), date, rows, functions.Date{})
	if err != nil {
		t.Fatalf("replace the queue of %s: %v", date, err)
	}
	return replaced
}

func queueOf(t trial, w driver.Warehouse, date functions.Date, tier functions.Tier) (rows []retention.QueueRow) {
	t.Helper()
	err := w.Queue(t.Context(), date, tier, func(row retention.QueueRow) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatalf("read the queue of %s: %v", date, err)
	}
	return rows
}

var queueChecks = []check{
	{"a queue is read back as it was written, every column of it", func(t trial) {
		w := t.open(Inputs{})
		ugly := row(monday, "Jürgen \"J\" O'Neil; -- 客户\n🧵", functions.P1, 94.512345678901234)
		ugly.TotalRevenue = exact("12345678901234567890123456789.123456789")
		ugly.ValueProxy = exact("-0.000000001")
		everyFieldSet(t, ugly)
		ugly.Reason, ugly.Action = "", ""
		bare := retention.QueueRow{
			RunDate: monday, CustomerID: "0007", Tier: functions.P3, CreatedAt: written, ValueDrop: true, RiskScore: -1,
			DaysSinceLastOrder: math.MaxInt64, TotalOrders: math.MinInt64,
		}
		rows := []retention.QueueRow{ugly, bare}
		same(t, "replaced", int64(0), mustReplace(t, w, monday, rows))
		got := queueOf(t, w, monday, "")
		same(t, "queue", rows, got)
		same(t, "digits of the amount", "12345678901234567890123456789.123456789", got[0].TotalRevenue.String())
	}},
	{"the queue is in the order of work: tier, score, id by its bytes", func(t trial) {
		w := t.open(Inputs{})
		want := []retention.QueueRow{
			row(monday, "z", functions.P1, 70), // a P1 can score less than a P2
			row(monday, "a", functions.P2, 80),
			row(monday, "10", functions.P2, 75.5),
			row(monday, "9", functions.P2, 75.5),
			row(monday, "B", functions.P2, 75.5),
			row(monday, "b", functions.P2, 75.5),
			row(monday, "Ä", functions.P2, 75.5),
			row(monday, "c", functions.P3, 100),
		}
		shuffled := slices.Clone(want)
		slices.Reverse(shuffled)
		mustReplace(t, w, monday, shuffled)
		same(t, "queue", want, queueOf(t, w, monday, ""))
		same(t, "P2", want[1:7], queueOf(t, w, monday, functions.P2))
	}},
	{"a day without rows visits nothing", func(t trial) {
		w := t.open(Inputs{})
		if rows := queueOf(t, w, monday, ""); len(rows) != 0 {
			t.Errorf("got %d rows, want none", len(rows))
		}
	}},
	{"replacing twice leaves the same rows and counts those before", func(t trial) {
		w := t.open(Inputs{})
		rows := []retention.QueueRow{row(monday, "1", functions.P1, 90), row(monday, "2", functions.P1, 80)}
		same(t, "replaced at first", int64(0), mustReplace(t, w, monday, rows))
		same(t, "replaced again", int64(2), mustReplace(t, w, monday, rows))
		same(t, "queue", rows, queueOf(t, w, monday, ""))
	}},
	{"replacing a day leaves the other days alone", func(t trial) {
		w := t.open(Inputs{})
		old := []retention.QueueRow{row(sunday, "1", functions.P1, 90)}
		mustReplace(t, w, sunday, old)
		mustReplace(t, w, monday, []retention.QueueRow{row(monday, "1", functions.P2, 60)})
		mustReplace(t, w, monday, []retention.QueueRow{row(monday, "2", functions.P2, 60)})
		same(t, "the day before", old, queueOf(t, w, sunday, ""))
	}},
	{"an empty queue replaces too", func(t trial) {
		w := t.open(Inputs{})
		mustReplace(t, w, monday, []retention.QueueRow{row(monday, "1", functions.P1, 90)})
		same(t, "replaced", int64(1), mustReplace(t, w, monday, nil))
		if rows := queueOf(t, w, monday, ""); len(rows) != 0 {
			t.Errorf("got %d rows, want none", len(rows))
		}
	}},
	{"days that have expired are removed, also by an empty queue", func(t trial) {
		w := t.open(Inputs{})
		for _, date := range []functions.Date{sunday, monday} {
			mustReplace(t, w, date, []retention.QueueRow{row(date, "1", functions.P1, 90)})
		}
		if _, err := w.ReplaceQueue(t.Context(), tuesday, nil, monday); err != nil {
			t.Fatal(err)
		}
		if rows := queueOf(t, w, sunday, ""); len(rows) != 0 {
			t.Errorf("got %d rows of the expired day, want none", len(rows))
		}
		if rows := queueOf(t, w, monday, ""); len(rows) != 1 {
			t.Errorf("got %d rows of the first day that is kept, want 1", len(rows))
		}
	}},
	{"what is not one day's queue is refused and changes nothing", func(t trial) {
		w := t.open(Inputs{})
		before := []retention.QueueRow{row(monday, "1", functions.P1, 90)}
		mustReplace(t, w, monday, before)
		with := func(change func(*retention.QueueRow)) []retention.QueueRow {
			changed := row(monday, "2", functions.P1, 80)
			change(&changed)
			return []retention.QueueRow{row(monday, "1", functions.P2, 60), changed}
		}
		for name, rows := range map[string][]retention.QueueRow{
			"a row of another day":      with(func(r *retention.QueueRow) { r.RunDate = sunday }),
			"an id twice":               with(func(r *retention.QueueRow) { r.CustomerID = "1" }),
			"a score that is no number": with(func(r *retention.QueueRow) { r.Score = math.NaN() }),
			"a score without end":       with(func(r *retention.QueueRow) { r.Score = math.Inf(1) }),
			"a tenth decimal":           with(func(r *retention.QueueRow) { r.ValueProxy = exact("0.0000000001") }),
			"too many digits":           with(func(r *retention.QueueRow) { r.TotalRevenue = exact("100000000000000000000000000000") }),
			"a tenth decimal of a mean": with(func(r *retention.QueueRow) { r.AvgOrderValue = some(exact("1.0000000001")) }),
		} {
			_, err := w.ReplaceQueue(t.Context(), monday, rows, functions.Date{})
			wantCode(t, name, functions.InvalidArgument, err)
		}
		_, err := w.ReplaceQueue(t.Context(), monday, before, tuesday)
		wantCode(t, "a day that has expired", functions.InvalidArgument, err)
		_, err = w.ReplaceQueue(t.Context(), functions.Date{}, nil, functions.Date{})
		wantCode(t, "no day", functions.InvalidArgument, err)
		same(t, "queue", before, queueOf(t, w, monday, ""))
	}},
	{"a row without a time gets the engine's", func(t trial) {
		w := t.open(Inputs{})
		timeless := row(monday, "1", functions.P1, 90)
		timeless.CreatedAt = time.Time{}
		mustReplace(t, w, monday, []retention.QueueRow{timeless})
		if got := queueOf(t, w, monday, "")[0].CreatedAt; got.Year() < 2020 {
			t.Errorf("got created_at %v, want the time of writing", got)
		}
	}},
	{"the error of a visit ends the reading of a queue and comes back as it is", func(t trial) {
		w := t.open(Inputs{})
		mustReplace(t, w, monday, []retention.QueueRow{row(monday, "1", functions.P1, 90), row(monday, "2", functions.P1, 80)})
		enough, visits := errors.New("enough"), 0
		err := w.Queue(t.Context(), monday, "", func(retention.QueueRow) error { visits++; return enough })
		if err != enough || visits != 1 { //nolint:errorlint // it must be this very error
			t.Errorf("got %v after %d visits, want the visit's own error after 1", err, visits)
		}
	}},
	{"a summary has every tier and sums without losing a digit", func(t trial) {
		w := t.open(Inputs{})
		var rows []retention.QueueRow
		for i := range 10 {
			big := row(monday, fmt.Sprint(i), functions.P1, 90)
			big.ValueProxy = exact("1234567890123456789012345678.100000001")
			rows = append(rows, big)
		}
		small := row(monday, "small", functions.P3, 50)
		small.ValueProxy = exact("0.1")
		small.CreatedAt = written.Add(time.Microsecond)
		rows = append(rows, small)
		mustReplace(t, w, monday, rows)
		mustReplace(t, w, sunday, []retention.QueueRow{row(sunday, "1", functions.P2, 60)})
		got, err := w.QueueSummary(t.Context(), tuesday)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "summary", retention.QueueSummary{Date: monday, RulesVersion: "0123456789ab", CreatedAt: small.CreatedAt, Tiers: []functions.TierTotal{
			{Tier: functions.P1, Customers: 10, ValueAtRisk: exact("12345678901234567890123456781.00000001")},
			{Tier: functions.P2},
			{Tier: functions.P3, Customers: 1, ValueAtRisk: exact("0.1")},
		}}, got)
		got, err = w.QueueSummary(t.Context(), sunday)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "date of the summary of an earlier day", sunday, got.Date)
	}},
	{"a summary before the first queue is not_found", func(t trial) {
		w := t.open(Inputs{})
		mustReplace(t, w, monday, []retention.QueueRow{row(monday, "1", functions.P1, 90)})
		_, err := w.QueueSummary(t.Context(), sunday)
		wantCode(t, "QueueSummary", functions.NotFound, err)
	}},
	{"a reader sees a whole day, the old one or the new", func(t trial) {
		w := t.open(Inputs{})
		const days = 12
		mustReplace(t, w, monday, generation(0))
		ctx, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				for ctx.Err() == nil {
					var seen []retention.QueueRow
					err := w.Queue(t.Context(), monday, "", func(row retention.QueueRow) error {
						seen = append(seen, row)
						return nil
					})
					if err != nil {
						t.Errorf("read while another writes: %v", err)
						return
					}
					if whole := wholeGeneration(seen); whole != nil {
						t.Error(whole)
						return
					}
				}
			})
		}
		for n := 1; n <= days; n++ {
			mustReplace(t, w, monday, generation(n))
		}
		stop()
		readers.Wait()
		same(t, "queue at the end", len(generation(days)), len(queueOf(t, w, monday, "")))
	}},
	{"of writers at once one stands, whole, also on a day that had no rows", func(t trial) {
		w := t.open(Inputs{})
		var writers sync.WaitGroup
		for n := range 4 {
			rows := generation(n)
			writers.Go(func() {
				_, err := w.ReplaceQueue(t.Context(), monday, rows, functions.Date{})
				if err != nil && functions.CodeOf(err) != functions.Unavailable {
					t.Errorf("write at once with others: %v", err)
				}
			})
		}
		writers.Wait()
		if whole := wholeGeneration(queueOf(t, w, monday, "")); whole != nil {
			t.Error(whole)
		}
	}},
}

// generation makes the n-th queue of a day. Its rows carry n, and how many they are follows from n, so that a reader
// can tell a whole day from a half one.
func generation(n int) []retention.QueueRow {
	rows := make([]retention.QueueRow, generationSize(n))
	for i := range rows {
		rows[i] = row(monday, fmt.Sprintf("%d-%04d", n, i), functions.P1, 90)
		rows[i].RiskScore = int64(n)
	}
	return rows
}

func generationSize(n int) int { return 100 + n%5 }

// wholeGeneration says what is wrong with rows that are not exactly one generation.
func wholeGeneration(rows []retention.QueueRow) error {
	if len(rows) == 0 {
		return errors.New("the day is empty")
	}
	n := rows[0].RiskScore
	for _, row := range rows {
		if row.RiskScore != n {
			return fmt.Errorf("rows of generations %d and %d stand together", n, row.RiskScore)
		}
	}
	if want := generationSize(int(n)); len(rows) != want {
		return fmt.Errorf("%d rows of generation %d stand, want %d", len(rows), n, want)
	}
	return nil
}
