package duckdbwarehouse_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

var monday = functions.Date{Year: 2026, Month: time.January, Day: 12}

// generation makes the n-th queue of a day. Its rows carry n, and how many they are follows from n, so that a whole
// day can be told from a half one.
func generation(n int) []retention.QueueRow {
	rows := make([]retention.QueueRow, generationSize(n))
	for i := range rows {
		rows[i] = retention.QueueRow{
			RunDate: monday, CustomerID: fmt.Sprintf("C%d-%07d", n, i), Status: functions.Active, RiskLevel: functions.RiskHigh,
			RiskScore: int64(n), Tier: functions.P1, Score: 90, Reason: fmt.Sprintf("reason %d of generation %d", i, n),
			RuleID: "p1", RulesVersion: "0123456789ab", CreatedAt: time.Unix(int64(n), 0),
		}
	}
	return rows
}

func generationSize(n int) int { return 6000 + n%7 }

// A kill is a moment at which the writer dies.
type kill struct {
	name string
	// after is how many generations it may write first.
	after int
	// wait returns when the moment has come; it is called when the writer has said that it begins the last generation.
	wait func(wal string)
}

func kills() []kill {
	atOnce := func(string) {}
	return []kill{
		{"as it begins", 1, atOnce},
		{"when the log file starts to grow", 1, func(wal string) { untilChanged(wal, 1) }},
		{"when the log file has grown for a while", 2, func(wal string) { untilChanged(wal, 3) }},
		{"some generations later", 3, func(wal string) { untilChanged(wal, 10) }},
	}
}

// untilChanged waits until the size of the file has changed that many times. It looks without a pause: the moment that
// it waits for is short.
func untilChanged(path string, times int) {
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return -1 // DuckDB removes its log after a checkpoint
		}
		return info.Size()
	}
	for last := size(); times > 0; {
		if now := size(); now != last {
			last, times = now, times-1
		}
	}
}

// A process that replaces the queue again and again is killed in the middle. Whoever opens the file then sees a whole
// day: the last one that the writer knew to be written, or a newer one that it had begun.
func TestAKilledWriterLeavesAWholeDay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "warehouse.duckdb")
	w := open(t, file)
	if _, err := w.ReplaceQueue(t.Context(), monday, generation(0), functions.Date{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	next, inTheMiddle := 1, 0
	for _, kill := range kills() {
		begun, done := killedWriter(t, file, next, kill)
		if begun > done {
			inTheMiddle++
		}
		w := open(t, file)
		rows, err := readQueue(t, w.Queue)
		if err != nil {
			t.Fatalf("killed %s: %v", kill.name, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		stands := wholeGeneration(t, kill.name, rows)
		if stands < done || stands > begun {
			t.Errorf("killed %s: generation %d stands, want one from %d (written) to %d (begun)", kill.name, stands, done, begun)
		}
		t.Logf("killed %s: written %d, begun %d, stands %d", kill.name, done, begun, stands)
		next = begun + 1
	}
	if inTheMiddle == 0 {
		t.Error("no writer was killed in the middle of a replacement: the test proves nothing")
	}
}

// killedWriter starts a writer, kills it at its moment, and answers the last generation that it said it had begun and
// the last that it said it had written.
func killedWriter(t *testing.T, file string, first int, kill kill) (begun, done int) {
	t.Helper()
	cmd := process(t, "replace", file, first)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done = first - 1
	moment := make(chan struct{})
	go func() {
		<-moment
		kill.wait(file + ".wal")
		killNow(cmd)
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() { // until the pipe ends with the process
		var what string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &what, &n); err != nil {
			t.Fatalf("the writer said %q: %v", lines.Text(), err)
		}
		if what == "done" {
			done = n
			continue
		}
		begun = n
		if n == first+kill.after {
			close(moment)
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("killed %s: the writer ended by itself: %v", kill.name, err)
	}
	return begun, done
}

func killNow(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// wholeGeneration answers which generation the rows are, and fails the test when they are not exactly one.
func wholeGeneration(t *testing.T, when string, rows []retention.QueueRow) int {
	t.Helper()
	if len(rows) == 0 {
		t.Fatalf("killed %s: the day is empty", when)
	}
	n := rows[0].RiskScore
	for _, row := range rows {
		if row.RiskScore != n {
			t.Fatalf("killed %s: generations %d and %d stand together", when, n, row.RiskScore)
		}
	}
	if want := generationSize(int(n)); len(rows) != want {
		t.Fatalf("killed %s: %d rows of generation %d stand, want %d", when, len(rows), n, want)
	}
	return int(n)
}
