package runlog_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// A run is logged when it begins and when it ends; the newest row is its state.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "papers")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	papers, err := archive.Open(ctx, "file://"+dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := warehouse.Open(ctx, "duckdb:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rows.Close()

	clock := time.Date(2026, 1, 12, 6, 30, 0, 0, time.UTC)
	log := &runlog.Log{
		Warehouse: rows, Archive: papers, Logger: slog.New(slog.DiscardHandler), Longest: 10 * time.Minute,
		Now: func() time.Time { return clock },
	}
	run := retention.Run{RunID: "01KERUN", RunTimestamp: clock, Severity: functions.Warning}
	fmt.Println("begin written:", log.Begin(ctx, run))
	if err := log.Stage(ctx, run.RunID, "send", functions.DeliveryUnknown); err != nil {
		fmt.Println(err)
	}
	state, _ := log.Show(ctx, run.RunID)
	fmt.Println(state.Status, state.Stage)

	clock = clock.Add(time.Hour) // it never ended
	state, _ = log.Show(ctx, run.RunID)
	fmt.Println(state.Status, state.Stage, state.DeliveryState)

	run.Status, run.Stage, run.DeliveryState = functions.RunSuccess, "end", functions.DeliveryConfirmed
	fmt.Println("end written:", log.Finish(ctx, run))
	state, _ = log.Show(ctx, run.RunID)
	fmt.Println(state.Status, state.Stage)
	// Output:
	// begin written: true
	// running send
	// abandoned send unknown
	// end written: true
	// success end
}
