//go:build integration

package cli_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions/internal/browsertest"
	"github.com/retentionops/retentionops/functions/internal/cli"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/rules"
)

// asked runs a command as a program does and reads its answer.
func asked(t *testing.T, answer any, args ...string) {
	t.Helper()
	var shown, said bytes.Buffer
	code := cli.Run(t.Context(), args, cli.IO{
		Name: "retentionops", In: strings.NewReader(""), Out: &shown, Err: &said,
		Lookuper: envconfig.MapLookuper(nil), Now: time.Now, NewID: setup.NewID,
	})
	if code != 0 {
		t.Fatalf("retentionops %v: exit %d\n%s%s", args, code, shown.String(), said.String())
	}
	if err := json.Unmarshal(shown.Bytes(), answer); err != nil {
		t.Fatal(err)
	}
}

// rewrittenRules are the shipped rules in a folder, with texts replaced in pairs.
func rewrittenRules(t *testing.T, pairs ...string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"fields.yaml", "priority.yaml", "playbooks.yaml", "rollout.yaml"} {
		data, err := fs.ReadFile(rules.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(strings.NewReplacer(pairs...).Replace(string(data))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestBrowserShowsWhatAChangeDoes opens the page of a comparison in a browser: it complains of nothing, asks for nothing,
// and shows the figures that the command gives a program.
func TestBrowserShowsWhatAChangeDoes(t *testing.T) {
	place := "duckdb:" + filepath.Join(t.TempDir(), "warehouse.duckdb")
	var imported any
	asked(t, &imported, "import", "--generate", "6000", "--date", "2026-01-12", "--warehouse", place)
	edited := rewrittenRules(t, "p1_min_revenue: 0 ", "p1_min_revenue: 300 ", "recent_days: 180", "recent_days: 365",
		"high_value: 2000", "high_value: 1000.50", "start: {P1: 70", "start: {P1: 75", "churn_risk_level: [HIGH, MEDIUM]", "churn_risk_level: [HIGH, LOW]",
		"total_revenue: medium_value..high_value}, say: medium value", "total_revenue: medium_value..high_value}, say: middling value")
	file := filepath.Join(t.TempDir(), "change.html")
	var answer struct {
		Difference struct{ Moves, Changes []any }
		Data       struct {
			Tiers []struct {
				Tier          string
				Before, After int
			}
			Movers []struct {
				CustomerID string `json:"customer_id"`
			}
			Guardrails struct{ Verdict string }
		}
	}
	asked(t, &answer, "rules", "diff", "built-in", edited, "--data", "--warehouse", place, "--html", file)
	if len(answer.Difference.Moves) < 3 || len(answer.Difference.Changes) < 3 || len(answer.Data.Movers) != 10 {
		t.Fatalf("the change is too small to show: %+v", answer)
	}
	page := browsertest.Open(t, file)
	if diff := cmp.Diff([]string(nil), append(page.Complaints, page.Requests...)); diff != "" {
		t.Errorf("complaints and requests (-want +got):\n%s", diff)
	}
	text := func(selector string) string {
		found, _ := page.Eval(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? "nothing at " + %q`, selector, selector)).(string)
		return found
	}
	for i, tier := range answer.Data.Tiers {
		want := fmt.Sprintf("%s\t%d\t%d\t", tier.Tier, tier.Before, tier.After)
		if got := text(fmt.Sprintf("#tiers tbody tr:nth-child(%d)", i+1)); !strings.HasPrefix(got, want) {
			t.Errorf("the page shows %q, want %q", got, want)
		}
		// The picture says the same, also to who does not see it.
		if picture, _ := page.Eval(`document.querySelector("#bars-text").textContent`).(string); !strings.Contains(picture, fmt.Sprintf("%s %d -> %d", tier.Tier, tier.Before, tier.After)) {
			t.Errorf("the picture says %q", picture)
		}
	}
	for selector, want := range map[string]any{
		`#moves tbody tr`: len(answer.Difference.Moves), `#changes tbody tr`: len(answer.Difference.Changes),
		`#movers tbody tr`: 2 * len(answer.Data.Movers), `#matrix tbody tr`: 4, `#parameters tbody tr`: 3, `svg path.flow`: 3, `script`: 0,
		`th:not([scope])`: 0, `svg:not([role=img]), svg:not([aria-labelledby])`: 0, `table:has(thead td)`: 0,
	} {
		if got := page.Eval(fmt.Sprintf("document.querySelectorAll(%q).length", selector)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v on the page, want %v", selector, got, want)
		}
	}
	if got := text("#movers tbody tr th"); got != answer.Data.Movers[0].CustomerID {
		t.Errorf("the first mover is %q, want %q", got, answer.Data.Movers[0].CustomerID)
	}
	if got := text("main"); !strings.Contains(got, "Guardrails: "+answer.Data.Guardrails.Verdict) || !strings.Contains(got, "recent_days") {
		t.Errorf("the page says: %.300s", got)
	}
	// The policy holds for styles too: they are the page's own, and the page has them.
	if got := page.Eval(`getComputedStyle(document.querySelector(".pictures")).display`); got != "grid" {
		t.Errorf("the pictures are laid out as %v, want grid", got)
	}
	if got := page.Eval(`document.documentElement.scrollWidth <= innerWidth`); got != true {
		t.Error("the page is wider than the window")
	}
	page.Screenshot("change.png")
}

// TestBrowserTakesHostileTextAsText puts markup into all that a comparison shows: ids of customers, texts of rules, names
// of folders.
func TestBrowserTakesHostileTextAsText(t *testing.T) {
	const mischief = `<script>console.log('ran')</script><img src=x onerror=console.log('ran')><style>@import 'x.css'</style></table></svg></style></title><!--`
	place := "duckdb:" + filepath.Join(t.TempDir(), "warehouse.duckdb")
	var imported any
	asked(t, &imported, "import", "--generate", "6000", "--date", "2026-01-12", "--warehouse", place)
	tables, err := warehouse.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	db := tables.Driver().(interface{ DB() *sql.DB }).DB()
	for _, table := range []string{"retention_snapshot", "churn_detection", "base_customers"} {
		if _, err := db.ExecContext(t.Context(), "UPDATE "+table+" SET customer_id = ? || customer_id", mischief); err != nil {
			t.Fatal(err)
		}
	}
	if err := tables.Close(); err != nil {
		t.Fatal(err)
	}
	quoted := strings.ReplaceAll(mischief, `"`, `\"`)
	edited := rewrittenRules(t, "p1_min_revenue: 0 ", "p1_min_revenue: 300 ", "do: VIP outreach + 10% loyalty incentive", `do: "`+quoted+`"`,
		`reason: "{retention_status} + {churn_risk_level} risk"`, `reason: "`+quoted+` {retention_status}"`, "in_brackets: frequency drop", `in_brackets: "`+quoted+`"`)
	named := filepath.Join(t.TempDir(), `<script>console.log("ran")<`)
	if err := os.CopyFS(named, os.DirFS(edited)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "change.html")
	var answer any
	asked(t, &answer, "rules", "diff", "built-in", named, "--data", "--warehouse", place, "--html", file)
	page := browsertest.Open(t, file)
	if diff := cmp.Diff([]string(nil), append(append(page.Complaints, page.Requests...), page.Said...)); diff != "" {
		t.Errorf("complaints, requests and what was said (-want +got):\n%s", diff)
	}
	if got := page.Eval(`document.querySelectorAll("script, img, style:not(head > style)").length`); got != float64(0) {
		t.Errorf("%v pieces of the texts became markup", got)
	}
	for selector, where := range map[string]string{"#movers tbody tr th": "customer", "#changes tbody": "change", "h1 + p": "folder"} {
		if got, _ := page.Eval(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector)).(string); !strings.Contains(got, "<script>") {
			t.Errorf("the %s is shown as %.200q", where, got)
		}
	}
	page.Screenshot("hostile.png")
}
