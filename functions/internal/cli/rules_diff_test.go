package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/rules"
)

// TestDeployedIsWhatTheHostJudgesBy compares rules by the version that the archive keeps, by what built the newest queue,
// and with those of a host while it holds its warehouse.
func TestDeployedIsWhatTheHostJudgesBy(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, rules.FS); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "priority.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), "recent_days: 180", "recent_days: 240", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	place := "duckdb:" + filepath.Join(t.TempDir(), "warehouse.duckdb")
	person(t, "import", "--generate", "6000", "--date", "2026-01-12", "--warehouse", place)
	built := person(t, "call", "build_priority_queue", "--date", "latest", "--rules", folder, "--warehouse", place)
	version := regexp.MustCompile(`"rules_version": "([0-9a-f]{12})"`).FindStringSubmatch(built)
	if version == nil {
		t.Fatalf("the answer carries no version: %s", built)
	}
	const moves = "none -> P3  churn_risk_level HIGH, days_since_last_order 181..240"
	for _, word := range []string{version[1], "deployed"} { // both from the archive
		if got := person(t, "rules", "diff", "built-in", word, "--warehouse", place); !strings.Contains(got, moves) {
			t.Errorf("built-in to %s: got:\n%s\nwant in it: %s", word, got, moves)
		}
	}
	host := serve(t, []string{"serve", "--rules", folder, "--warehouse", place})
	defer host.stop(t)
	got := person(t, "rules", "diff", "built-in", "deployed", "--url", host.base)
	if !strings.Contains(got, moves) {
		t.Errorf("got:\n%s\nwant in it: %s", got, moves)
	}
	if got := person(t, "rules", "diff", "deployed", folder, "--url", host.base); !strings.Contains(got, "These are the same files.") {
		t.Errorf("got:\n%s", got)
	}
}
