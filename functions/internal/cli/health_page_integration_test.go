//go:build integration

package cli_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/browsertest"
)

// TestBrowserShowsTheHealth opens the page in a browser: it complains of nothing, asks for nothing, and shows the figures
// that the command gives a program.
func TestBrowserShowsTheHealth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "health.html")
	shown, _ := look(t, false, "health", "--html", file, "--warehouse", logged(t, functions.PhaseProduction, "qqqqqwqqqq--qqqqqqqqqqqqqwquuwuwff"))
	var out functions.CheckHealthOutput
	if err := json.Unmarshal([]byte(shown), &out); err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	page := browsertest.Open(t, file)
	if diff := cmp.Diff([]string(nil), append(append(page.Complaints, page.Requests...), page.Said...)); diff != "" {
		t.Errorf("complaints, requests and what was said (-want +got):\n%s", diff)
	}
	text := func(selector string) string {
		found, _ := page.Eval(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? "nothing at " + %q`, selector, selector)).(string)
		return found
	}
	for i, figure := range out.Figures {
		if got := text(fmt.Sprintf("#figures tbody tr:nth-child(%d)", i+1)); !strings.HasPrefix(got, figure.Name+"\t") || !strings.Contains(got, figure.Meaning) {
			t.Errorf("the page shows %q, want %s", got, figure.Name)
		}
	}
	for i, alarm := range out.Alarms {
		row := fmt.Sprintf("#alarms tbody tr:nth-child(%d) ", i+1)
		if name, state := text(row+"th"), text(row+"td span"); name != alarm.Name+"\n"+alarm.What || state != string(alarm.State) {
			t.Errorf("the page shows %q, %s, want %s, %s", name, state, alarm.Name, alarm.State)
		}
	}
	runs, failed, alerts := int64(0), 0, 0
	for _, day := range out.Days {
		runs += day.Runs
		if day.FailedRuns > 0 {
			failed++
		}
		if day.Alerts > 0 {
			alerts++
		}
	}
	for selector, want := range map[string]any{
		`#figures tbody tr`: len(out.Figures), `#alarms tbody tr`: len(out.Alarms), `svg`: 3, `#runs-chart rect.fail`: failed, `#runs-chart path.alert`: alerts,
		`svg line.target`: 2, `script`: 0, `th:not([scope])`: 0, `svg:not([role=img]), svg:not([aria-labelledby])`: 0, `table:has(thead td)`: 0,
	} {
		if got := page.Eval(fmt.Sprintf("document.querySelectorAll(%q).length", selector)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v on the page, want %v", selector, got, want)
		}
	}
	// The picture says the same, also to who does not see it.
	if picture, _ := page.Eval(`document.querySelector("#runs-chart-text").textContent`).(string); !strings.Contains(picture, fmt.Sprintf("%d runs", runs)) {
		t.Errorf("the picture says %q", picture)
	}
	// Nothing is drawn outside its picture.
	if got := page.Eval(`[...document.querySelectorAll("svg rect, svg text, svg path")].filter(part => {
		const inner = part.getBBox(), outer = part.ownerSVGElement.viewBox.baseVal
		return inner.x < -1 || inner.y < -1 || inner.x + inner.width > outer.width + 1 || inner.y + inner.height > outer.height + 1
	}).length`); got != float64(0) {
		t.Errorf("%v parts are drawn outside their picture", got)
	}
	page.Screenshot("health.png")
}

// TestBrowserTakesANoteAsText writes markup into what a person may write down, and into the name of a rule's alarm.
func TestBrowserTakesANoteAsText(t *testing.T) {
	const mischief = `<script>console.log("ran")</script><img src=x onerror=console.log("ran")>`
	place := logged(t, functions.PhaseProduction, "qqqqqwqq")
	made := 0
	lookOn(t, false, &made, "rollout", "report", "disable-requested", "--who", mischief, "--why", mischief, "--warehouse", place)
	file := filepath.Join(t.TempDir(), "health.html")
	lookOn(t, false, &made, "health", "--html", file, "--warehouse", place)
	page := browsertest.Open(t, file)
	if diff := cmp.Diff([]string(nil), append(append(page.Complaints, page.Requests...), page.Said...)); diff != "" {
		t.Errorf("complaints, requests and what was said (-want +got):\n%s", diff)
	}
	if got := page.Eval(`document.querySelectorAll("script, img, style:not(head > style)").length`); got != float64(0) {
		t.Errorf("%v pieces of the texts became markup", got)
	}
	if got, _ := page.Eval(`document.querySelector("#alarms").innerText`).(string); !strings.Contains(got, "<script>") {
		t.Errorf("the note is not shown: %.300q", got)
	}
}
