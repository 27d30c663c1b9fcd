//go:build integration

package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/browsertest"
)

// ready is true in the app once it has read everything that it shows.
const ready = `document.getElementById("status").textContent.startsWith("Read at")`

// runsAt are the runs in the log of a serve.
func runsAt(t *testing.T, base string) []functions.Run {
	t.Helper()
	answer := sent(t, http.MethodPost, base+"/read_record", `{"record":"runs"}`, map[string]string{"Content-Type": "application/json"})
	var out functions.ReadRecordOutput
	if err := json.Unmarshal([]byte(answer.text), &out); err != nil {
		t.Fatalf("%v: %s", err, answer.text)
	}
	return out.Runs
}

// TestBrowserRunsThePlaybook opens the page that serve shows, on the generated shop with real functions and the shop's
// receiver. A no sends nothing. A yes sends once, and the log says who.
func TestBrowserRunsThePlaybook(t *testing.T) {
	s := newStand(t, newShop(t))
	base := started(t, s.command(t, "", "serve", "--addr", "127.0.0.1:0"))
	page := browsertest.Visit(t, base+"/")
	page.AwaitFrame(ready)

	call := func(tool, input string, out any) {
		t.Helper()
		answer := sent(t, http.MethodPost, base+"/"+tool, input, map[string]string{"Content-Type": "application/json"})
		if err := json.Unmarshal([]byte(answer.text), out); err != nil {
			t.Fatalf("%v: %s", err, answer.text)
		}
	}
	var plan functions.TriggerPlaybookOutput
	call("trigger_playbook", `{"date":"latest","dry_run":true}`, &plan)
	var brief functions.GenerateBriefOutput
	call("generate_brief", `{"date":"latest"}`, &brief)
	text := func(selector string) string {
		found, _ := page.EvalFrame(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? "nothing at " + %q`, selector, selector)).(string)
		return found
	}
	for i, tier := range plan.Plan.Tiers {
		row := text(fmt.Sprintf("#tiers tbody tr:nth-child(%d)", i+1))
		if !strings.HasPrefix(row, string(tier.Tier)) || !strings.Contains(row, fmt.Sprint("\t", tier.Customers, "\t€")) {
			t.Errorf("the page shows the tier %q, want %+v", row, tier)
		}
	}
	if len(brief.TopCustomers) == 0 {
		t.Fatal("the brief names nobody")
	}
	for i, customer := range brief.TopCustomers {
		row := text(fmt.Sprintf("#top tbody tr:nth-child(%d)", i+1))
		if !strings.HasPrefix(row, fmt.Sprintf("%s · %d", customer.Tier, customer.Rank)) || !strings.Contains(row, customer.Reason) || !strings.Contains(row, customer.Action) {
			t.Errorf("the page shows the customer %q, want %+v", row, customer)
		}
	}
	if got := text("#plan"); !strings.Contains(got, plan.Plan.Channel) || !strings.Contains(got, plan.Plan.Ticket.Title) || !strings.Contains(got, string(plan.Guardrails.Verdict)) {
		t.Errorf("the plan is shown as %q", got)
	}
	if got := page.EvalFrame(`[...document.querySelectorAll("tbody tr")].filter(row => row.children.length !==
		[...row.closest("table").querySelectorAll("thead th")].filter(head => !head.hidden).length).length`); got != float64(0) {
		t.Errorf("%v rows have not as many cells as there are columns", got)
	}
	if got := regexp.MustCompile(`false|undefined|null|NaN|\[object`).FindAllString(text("main"), -1); got != nil {
		t.Errorf("the page says %q", got)
	}
	if got := page.EvalFrame(`self.origin + " " + (window.parent !== window)`); got != "null true" {
		t.Errorf("the app's origin is %v", got)
	}

	page.EvalFrame(`document.getElementById("dry-run").click()`)
	page.AwaitFrame(ready)
	if runs := runsAt(t, base); len(runs) != 0 {
		t.Fatalf("looking has made %d runs", len(runs))
	}

	page.EvalFrame(`document.getElementById("trigger").click()`)
	asked, _ := page.Await(`document.getElementById("question").open && document.getElementById("question-words").textContent`).(string)
	if !strings.Contains(asked, plan.Plan.Channel) || !strings.Contains(asked, "2026-01-12") {
		t.Errorf("the person is asked %q", asked)
	}
	page.Screenshot("question.png")
	page.Eval(`document.getElementById("decline").click()`)
	page.AwaitFrame(`document.getElementById("outcome").innerText.includes("declined")`)
	if runs, ledger := runsAt(t, base), s.receiver.Ledger(); len(runs) != 0 || len(ledger) != 0 {
		t.Fatalf("after a no there are %d runs, and the receiver has %+v", len(runs), ledger)
	}

	page.EvalFrame(`document.getElementById("dry-run").click()`)
	page.AwaitFrame(ready)
	page.EvalFrame(`document.getElementById("trigger").click()`)
	page.Await(`document.getElementById("question").open`)
	page.Eval(`document.getElementById("approve").click()`)
	page.AwaitFrame(`document.getElementById("outcome").innerText.includes("The playbook ran")`)
	s.once(t)
	runs := runsAt(t, base)
	if len(runs) != 1 || runs[0].Status != functions.RunSuccess || runs[0].DeliveryState != functions.DeliveryConfirmed || runs[0].ConfirmationID == "" || runs[0].TicketID == "" {
		t.Fatalf("the log holds %+v", runs)
	}
	if got := text("#outcome"); !strings.Contains(got, runs[0].RunID) || !strings.Contains(got, runs[0].TicketID) {
		t.Errorf("the outcome is %q, want %s and %s", got, runs[0].RunID, runs[0].TicketID)
	}
	for _, request := range page.Requests {
		if request != base+"/mcp" && request != base+"/favicon.ico" && !strings.HasPrefix(request, "data:") { // the browser's own pictures
			t.Errorf("the page asked for %s", request)
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{400, 1200} {
			page.Dress(width, scheme)
			page.Await(`document.getElementById("app").clientWidth > 0`)
			if got := page.EvalFrame(`[...document.querySelectorAll("main *")].filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1 &&
				!one.closest("thead")).map(one => one.tagName + " " + one.textContent).join("; ")`); got != "" {
				t.Errorf("at %d wider than the frame: %v", width, got)
			}
			if got := page.AwaitFrame(fmt.Sprintf(`document.documentElement.dataset.theme === %q`, scheme)); got != true {
				t.Errorf("the app is not %s", scheme)
			}
			page.Screenshot(fmt.Sprintf("pack-%d-%s.png", width, scheme))
		}
	}
	if len(page.Complaints)+len(page.Said) > 0 {
		t.Errorf("the browser says %q, %q", page.Complaints, page.Said)
	}
}
