package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cli"
)

var update = flag.Bool("update", false, "rewrite the files under artifacts/")

const artifacts = "../../../artifacts"

// TestArtifactsAreOfARealRun plays the demonstration on both alert days of the made-up shop and compares what it left
// with the files that people read in the repository.
func TestArtifactsAreOfARealRun(t *testing.T) {
	t.Parallel()
	warning := play(t, "2026-01-12")
	compare(t, "example_brief_warning.md", warning.brief)
	compare(t, "example_audience_p1.csv", firstRows(warning.audience, 10))
	compare(t, "example_run_log.json", warning.runLog)
	compare(t, "example_brief_critical.md", play(t, "2026-01-19").brief)
}

// played is what a demonstration left behind.
type played struct{ brief, audience, runLog string }

// play runs the demonstration with a clock that starts in the morning of the day, and ids that count up.
func play(t *testing.T, date string) played {
	t.Helper()
	out := filepath.Join(t.TempDir(), "demo")
	morning, err := time.Parse(time.RFC3339, date+"T06:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var ids atomic.Int64
	var answer bytes.Buffer
	world := cli.IO{
		In: strings.NewReader(""), Out: &answer, Err: io.Discard, Lookuper: envconfig.MapLookuper(nil),
		Now:   func() time.Time { return morning.Add(time.Since(began)) },
		NewID: func() string { return fmt.Sprintf("run-%03d", ids.Add(1)) },
	}
	run := func(args ...string) []byte {
		answer.Reset()
		if code := cli.Run(context.Background(), args, world); code != 0 {
			t.Fatalf("retentionops %v: exit %d\n%s", args, code, answer.String())
		}
		return answer.Bytes()
	}
	run("demo", "--date", date, "--out", out)
	stored, err := os.ReadFile(filepath.Join(out, "archive", "briefs", date+".json"))
	if err != nil {
		t.Fatal(err)
	}
	audience, err := os.ReadFile(filepath.Join(out, "exports", date+"_P1.csv"))
	if err != nil {
		t.Fatal(err)
	}
	log := run("runs", "list", "--warehouse", "duckdb:"+filepath.Join(out, "warehouse.duckdb"))
	at := func(text string) string { return strings.ReplaceAll(text, out, "/demo") }
	return played{brief: at(markdownOf(t, stored)), audience: string(audience), runLog: at(string(log))}
}

// markdownOf is the Markdown brief of those that a run stored.
func markdownOf(t *testing.T, stored []byte) string {
	t.Helper()
	var briefs struct {
		Briefs []functions.GenerateBriefOutput `json:"briefs"`
	}
	if err := json.Unmarshal(stored, &briefs); err != nil {
		t.Fatal(err)
	}
	for _, brief := range briefs.Briefs {
		if brief.Format == functions.FormatMarkdown {
			return brief.Text
		}
	}
	t.Fatalf("no Markdown brief in %.200s", stored)
	return ""
}

func firstRows(csv string, rows int) string {
	lines := strings.SplitAfter(csv, "\n")
	return strings.Join(lines[:min(len(lines), rows+1)], "")
}

// moments are what differs from run to run; their place is compared, not their value.
var moments = regexp.MustCompile(`"(run_timestamp|created_at)": "[^"]+"|"execution_time_ms": \d+|"slack_message_ts": "[^"]+"`)

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(artifacts, name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./functions/internal/cli -run Artifacts -update writes it", err)
	}
	same := func(text string) string {
		return moments.ReplaceAllStringFunc(text, func(found string) string { return found[:strings.Index(found, ":")] })
	}
	if diff := cmp.Diff(same(string(want)), same(got)); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", name, diff)
	}
}
