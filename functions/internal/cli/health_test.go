package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cli"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// morning is when somebody looks at the house, after the daily run of six.
var morning = time.Date(2026, 3, 30, 7, 30, 0, 0, time.UTC)

// logged is a house whose log holds these runs, one a day and the newest today; it gives the URL of its warehouse.
// Letters: q a quiet day, w a WARNING with a receipt, u one that nobody confirmed, f a failure, - no run.
func logged(t *testing.T, phase functions.Phase, days string) string {
	t.Helper()
	place := "duckdb:" + filepath.Join(t.TempDir(), "warehouse.duckdb")
	tables, err := warehouse.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	for i, letter := range days {
		if letter == '-' {
			continue
		}
		began := time.Date(2026, 3, 30, 6, 0, 0, 0, time.UTC).AddDate(0, 0, i+1-len(days))
		if err := tables.AppendRun(t.Context(), loggedRun(fmt.Sprintf("run-%03d", i), phase, began, letter)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tables.Close(); err != nil {
		t.Fatal(err)
	}
	return place
}

func loggedRun(id string, phase functions.Phase, began time.Time, letter rune) functions.Run {
	date, flag, took := civil.DateOf(began), false, int64(60)
	run := functions.Run{
		RunID: id, RunTimestamp: began, AlertDate: &date, AlertFlag: &flag, Severity: functions.Info, Status: functions.RunSkipped,
		Stage: "decide", Phase: phase, DeliveryState: functions.DeliveryNone, ExecutionTimeMS: &took, CreatedAt: began.Add(30 * time.Second),
	}
	if letter == 'f' {
		run.Status, run.Stage = functions.RunFailed, "queue"
	}
	if letter == 'w' || letter == 'u' {
		flag, took = true, 4000+int64(began.Day())*100
		run.Severity, run.Status, run.Stage, run.ExportState, run.WebhookAttempts = functions.Warning, functions.RunSuccess, "end", "csv", 1
		run.DeliveryState = functions.DeliveryConfirmed
	}
	if letter == 'u' {
		took, run.Status, run.Stage, run.WebhookAttempts, run.DeliveryState = 98_000, functions.RunFailed, "send", 3, functions.DeliveryUnconfirmed
	}
	return run
}

// look runs a command on that morning and gives what it showed and its exit code.
func look(t *testing.T, terminal bool, args ...string) (shown string, code int) {
	t.Helper()
	made := 0
	return lookOn(t, terminal, &made, args...)
}

// lookOn is look with ids that go on from those of the looks before.
func lookOn(t *testing.T, terminal bool, made *int, args ...string) (shown string, code int) {
	t.Helper()
	var out, said bytes.Buffer
	code = cli.Run(t.Context(), args, cli.IO{
		Name: "retentionops", In: strings.NewReader(""), Out: &out, Err: &said, Terminal: terminal,
		Lookuper: envconfig.MapLookuper(nil), Now: func() time.Time { return morning },
		NewID: func() string { *made++; return fmt.Sprintf("id-%03d", *made) },
	})
	if said.Len() > 0 {
		t.Logf("retentionops %v said:\n%s", args, said.String())
	}
	return out.String(), code
}

// wantShown compares with a file of testdata/shown; RETENTIONOPS_TEST_UPDATE=1 rewrites it.
func wantShown(t *testing.T, name, got string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(got) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	got = strings.Join(lines, "\n") + "\n"
	path := filepath.Join("testdata", "shown", name)
	if os.Getenv("RETENTIONOPS_TEST_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestHealthAtATerminal shows three houses to a person: a sound one, one with a missed target, one with alarms.
func TestHealthAtATerminal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, days string
		code       int
	}{
		{"healthy", "qqqqqwqqqqqqqqqqqqqqqqqqqwqqqqqqqq", 0},
		{"missed", "qqqqqwqqqqqqqquqqqqqqqqqqwqqqqqqqq", 4},
		{"alarming", "qqqqqwqqqq--qqqqqqqqqqqqqwquuwuwff", 1},
		{"young", "q", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			place := logged(t, functions.PhaseProduction, test.days)
			shown, code := look(t, true, "health", "--warehouse", place)
			wantShown(t, "health_"+test.name+".txt", shown)
			if code != test.code {
				t.Errorf("exit %d, want %d", code, test.code)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(strings.TrimPrefix(place, "duckdb:")), "archive")); err == nil {
				t.Error("a look has left something in the archive")
			}
		})
	}
}

// TestHealthForAProgram reads the same as JSON, over a window of its own.
func TestHealthForAProgram(t *testing.T) {
	t.Parallel()
	shown, code := look(t, false, "health", "--window", "2", "--warehouse", logged(t, functions.PhaseProduction, "qqqqqwqqqqqqqqqqqqqqqqqqqwquuwuwqf"))
	var out functions.CheckHealthOutput
	if err := json.Unmarshal([]byte(shown), &out); err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	if code != 1 || out.WindowDays != 2 || len(out.Days) != 2 || *out.Figures[0].Value != 50 || !out.DryRun {
		t.Errorf("exit %d, %+v", code, out)
	}
}

// TestHealthNotifies remembers an alarm; the next look shows since when it stands.
func TestHealthNotifies(t *testing.T) {
	t.Parallel()
	place := logged(t, functions.PhaseProduction, "qqq--")
	shown, code := look(t, true, "health", "--notify", "--warehouse", place)
	if code != 1 || !strings.Contains(shown, "2026-03-30 07:30  not mailed: no mail is configured") {
		t.Errorf("exit %d:\n%s", code, shown)
	}
	shown, code = look(t, true, "health", "--warehouse", place)
	if code != 1 || !strings.Contains(shown, "2026-03-30 07:30") {
		t.Errorf("exit %d:\n%s", code, shown)
	}
}

// TestRolloutAtATerminal follows a rollout from shadow to a pilot that went wrong.
func TestRolloutAtATerminal(t *testing.T) {
	t.Parallel()
	place := logged(t, functions.PhaseShadow, "qqqwqqqqq")
	made := 0
	at := func(args ...string) (string, int) {
		return lookOn(t, true, &made, append(args, "--warehouse", place)...)
	}
	shown, code := at("rollout")
	wantShown(t, "rollout_waits.txt", shown)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	at("rollout", "approve", "brief", "--who", "Ada, CRM", "--why", "reads well", "--run", "run-003")
	shown, _ = at("rollout", "approve", "export", "--who", "Ben", "--why", "imported 89 rows")
	wantShown(t, "rollout_ready.txt", shown)
	shown, code = at("rollout", "report", "disable-requested", "--who", "Ada, CRM", "--why", "wrong customers")
	wantShown(t, "rollout_stopped.txt", shown)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	if _, code = at("rollout"); code != 1 {
		t.Errorf("with a reason to go back: exit %d, want 1", code)
	}
	for _, args := range [][]string{
		{"rollout", "approve", "campaign-started", "--who", "Ada", "--why", "x"},
		{"rollout", "report", "false-positive", "--who", "Ada", "--why", "x"},
		{"rollout", "approve", "brief", "--who", "Ada"},
	} {
		if shown, code := at(args...); code != 2 {
			t.Errorf("%v: exit %d, want 2\n%s", args, code, shown)
		}
	}
}
