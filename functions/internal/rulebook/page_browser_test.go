//go:build integration

package rulebook_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/browsertest"
)

func TestBrowserShowsTheRulesAndComplainsOfNothing(t *testing.T) {
	const hostile = `<script>document.title = "run"</script><img src="http://evil.example/p" onerror="document.title = 5">`
	for name, folder := range map[string]struct{ old, replacement string }{
		"shipped": {"do: VIP outreach", "do: VIP outreach"},
		"hostile": {"do: VIP outreach", "do: '" + hostile + "' # "},
	} {
		t.Run(name, func(t *testing.T) {
			_, text := pageOf(t, shippedWith(t, "priority.yaml", folder.old, folder.replacement))
			path := filepath.Join(t.TempDir(), "rules.html")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			page := browsertest.Open(t, path)
			if diff := cmp.Diff([]string(nil), append(page.Complaints, page.Requests...)); diff != "" {
				t.Errorf("complaints and requests (-want +got):\n%s", diff)
			}
			if title, _ := page.Eval("document.title").(string); title == "run" || title == "5" {
				t.Error("a text of the rules was run")
			}
			if got := page.Eval(`document.querySelectorAll("section").length`); got != 11.0 {
				t.Errorf("the page has %v sections", got)
			}
			// The style is let in by the policy, and the page is no wider than its window.
			if got := page.Eval(`getComputedStyle(document.querySelector("table")).borderCollapse`); got != "collapse" {
				t.Errorf("tables are laid out as %v", got)
			}
			if got := page.Eval(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`); got != true {
				t.Error("the page is wider than the window")
			}
			page.Screenshot("rules_" + name + ".png")
		})
	}
}
