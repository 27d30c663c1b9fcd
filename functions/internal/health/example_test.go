package health_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/health"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// Two of four runs failed: an alarm begins, and the next check only sees that it stands.
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
	now := time.Date(2026, 1, 12, 7, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	log := &runlog.Log{Warehouse: rows, Archive: papers, Logger: slog.New(slog.DiscardHandler), Now: clock, Longest: time.Hour}
	for i, status := range []functions.RunStatus{functions.RunSkipped, functions.RunSuccess, functions.RunFailed, functions.RunFailed} {
		log.Finish(ctx, retention.Run{RunID: fmt.Sprint("run-", i), RunTimestamp: now.AddDate(0, 0, i-4), Status: status})
	}

	history, err := health.Read(ctx, log, now, time.UTC, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	window := history.Last(30)
	fmt.Println("success rate:", health.Values(history.Figures(window))[health.SuccessRate])
	alarm := health.Alarm{
		Group: health.GroupRules, Name: "runs-fail", What: "Too many runs fail.", When: "success_rate < 90", Tell: []string{"data_team"},
		Holds: func(figures map[string]float64) (holds, known bool) {
			rate, known := figures[health.SuccessRate]
			return rate < 90, known
		},
	}
	checker := &health.Checker{Archive: papers, Logger: slog.New(slog.DiscardHandler), Now: clock, NoMail: "no mail is configured"}
	for range 2 {
		alarms, err := checker.Check(ctx, history, []health.Alarm{alarm}, window, true)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(alarms[0].Name, alarms[0].State, alarms[0].Change, alarms[0].MailWhy)
	}
	// Output:
	// success rate: 50
	// runs-fail standing began no mail is configured
	// runs-fail standing none no mail is configured
}
