package rollout_test

import (
	"fmt"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rollout"
)

// A week without an error and one of two approvals: the pilot has to wait.
func ExampleJudge() {
	now := time.Date(2026, 1, 12, 7, 0, 0, 0, time.UTC)
	var runs []retention.Run
	for day := range 7 {
		runs = append(runs, retention.Run{
			RunID: fmt.Sprint("run-", day), RunTimestamp: now.AddDate(0, 0, -day), Phase: functions.PhaseShadow, Status: functions.RunSkipped,
		})
	}
	view := rollout.Judge(rollout.Input{
		Phase: functions.PhaseShadow, Runs: runs, Now: now, Zone: time.UTC,
		Notes: []functions.RolloutNote{{ID: "n1", What: functions.NoteBriefApproved, Who: "Ada", Why: "reads well", At: now}},
	})
	for _, criterion := range view.Criteria {
		fmt.Printf("%t %s: %s\n", criterion.Met, criterion.Text, criterion.Found)
	}
	fmt.Println("ready for the", view.Next, view.Ready)
	// Output:
	// true 7 consecutive days with no errors: 7 in a row; on 2026-01-05 no run ended in this phase
	// true CRM manager approves brief format: Ada on 2026-01-12: reads well
	// false Export format works in CRM tool: nobody has written so down
	// ready for the pilot false
}
