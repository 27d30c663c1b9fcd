package playbook

import (
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/runlog"
)

// TestDeadlinesNest adds up what a run may take in the worst case: each deadline must end before the one around it.
func TestDeadlinesNest(t *testing.T) {
	t.Parallel()
	// What end does, in its order: the mark of the stage, a begin row that was not written before with the rows of
	// earlier runs and the document that keeps it, the mail, the end row with its document, the claim.
	end := runlog.ArchiveDeadline +
		runlog.ReconcileDeadline + runlog.RowDeadline + runlog.ArchiveDeadline +
		mailDeadline +
		runlog.RowDeadline + runlog.ArchiveDeadline +
		claimDeadline
	if end > endReserve {
		t.Errorf("the end of a run takes up to %s, %s are kept back", end, endReserve)
	}
	const sending = sendAttempts*DefaultAnswer + (sendAttempts-1)*busyTimes*DefaultBetween*(100+retryJitter*100)/100
	if stages := DefaultLongest - endReserve; sending > stages*2/3 {
		t.Errorf("the sending takes up to %s of the %s that the stages have", sending, stages)
	}
	const room = 15 * time.Second // for the opening of the ports before a run and the answer after it
	if whole := functions.TriggerPlaybook.Timeout; DefaultLongest+room > whole {
		t.Errorf("a run may take %s, its call %s: no room of %s", DefaultLongest, whole, room)
	}
	if DefaultHold <= functions.TriggerPlaybook.Timeout {
		t.Errorf("a claim runs out after %s, before its call ends after %s", DefaultHold, functions.TriggerPlaybook.Timeout)
	}
	// The program has about five seconds between the word that it ends and its end.
	stopping := stoppingMarkDeadline + 2*(runlog.StoppingRowDeadline+runlog.StoppingArchiveDeadline) + stoppingClaimDeadline
	if stopping > 4*time.Second {
		t.Errorf("the end of a run takes up to %s when the program ends, 4s are there", stopping)
	}
}
