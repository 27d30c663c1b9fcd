package shop_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/shop"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

func TestSheetsAreDownUnderASchemeOfTheirOwn(t *testing.T) {
	t.Parallel()
	shop.LinkOutages()
	down, err := destination.Open(t.Context(), shop.SheetsDown)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := down.Deliver(t.Context(), destination.Audience{}); functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("Deliver: got %v, want unavailable", err)
	}
	if _, found, err := down.Find(t.Context(), "", functions.Date{}, functions.P1); found || functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("Find: got %t, %v, want unavailable", found, err)
	}
}

func TestAWarehouseThatTimesOutIsTriedAndRemembersIt(t *testing.T) {
	t.Parallel()
	shop.LinkOutages()
	asleep, err := warehouse.Open(t.Context(), shop.WarehouseTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer asleep.Close()
	asleep.AttemptTimeout, asleep.Pauses = time.Millisecond, []time.Duration{time.Millisecond, time.Millisecond}
	ctx, day := t.Context(), functions.Date{Year: 2026, Month: 1, Day: 12}
	errs := map[string]error{}
	_, errs["read the alert"] = asleep.AlertOn(ctx, day)
	_, errs["read the newest alert"] = asleep.NewestAlert(ctx)
	_, errs["read the customers"] = asleep.Customers(ctx, func(retention.Customer) error { return nil })
	errs["read the exclusions"] = asleep.Exclusions(ctx, "t", func(string) error { return nil })
	_, errs["write the queue"] = asleep.ReplaceQueue(ctx, day, nil, functions.Date{})
	errs["read the queue"] = asleep.Queue(ctx, day, functions.P1, func(retention.QueueRow) error { return nil })
	_, errs["sum up the queue"] = asleep.QueueSummary(ctx, day)
	errs["write the log row failed"] = asleep.AppendRun(ctx, retention.Run{Status: functions.RunFailed})
	_, errs["read the log"] = asleep.Runs(ctx, warehouse.RunQuery{})
	sleeper, ok := asleep.Driver().(*shop.Sleeper)
	if !ok {
		t.Fatalf("the driver is %T", asleep.Driver())
	}
	asked := map[string]int{}
	for _, statement := range sleeper.Asked() {
		asked[statement.Name] = statement.Attempts
	}
	want := map[string]int{}
	for name, err := range errs {
		want[name] = 3
		if functions.CodeOf(err) != functions.DeadlineExceeded {
			t.Errorf("%s: got %v, want deadline_exceeded", name, err)
		}
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("what it was asked (-want +got):\n%s", diff)
	}
}
