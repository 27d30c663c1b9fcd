package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/rules"
)

// TestDeployedIsWhatTheHostJudgesBy compares the rules of a host with a folder, while the host holds its warehouse.
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
	host := serve(t, []string{"serve", "--rules", folder, "--warehouse", place})
	defer host.stop(t)
	got := person(t, "rules", "diff", "built-in", "deployed", "--url", host.base)
	if want := "none -> P3  churn_risk_level HIGH, days_since_last_order 181..240"; !strings.Contains(got, want) {
		t.Errorf("got:\n%s\nwant in it: %s", got, want)
	}
	if got := person(t, "rules", "diff", "deployed", folder, "--url", host.base); !strings.Contains(got, "These are the same files.") {
		t.Errorf("got:\n%s", got)
	}
}
