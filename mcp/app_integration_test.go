//go:build integration

package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

const (
	markup    = `<img src=x onerror="window.ran=1"><script>window.ran=1</script>`
	backwards = "\u202eevil\u2066 abc"
	appReady  = `document.getElementById("status").textContent.startsWith("Read at")`
	appText   = `document.querySelector("main").innerText`
	quietTown = `!document.getElementById("outcome").innerText`
)

// hostile are doors whose customers and texts were written by somebody who wishes us ill.
func (w *town) hostile() work {
	behind := w.work()
	behind.alert = func(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
		return functions.GetAlertDecisionOutput{
			AlertDate: day, Severity: functions.Critical, AlertFlag: true, CurrentValue: 24.66, BaselineValue: new(18.66), DeltaRelativePct: new(32.15),
			SampleSize: 5887, Thresholds: functions.Thresholds{WarningPct: 15, CriticalPct: 25}, BaselineReady: true, ActionRequired: true, Reason: "because " + markup,
		}, nil
	}
	behind.brief = func(context.Context, functions.GenerateBriefInput) (functions.GenerateBriefOutput, error) {
		return functions.GenerateBriefOutput{
			Date: day, Format: functions.FormatMarkdown, Severity: functions.Critical, Phase: functions.PhaseProduction, Subject: "s", Text: "# " + markup,
			RulesVersion: "0123456789ab", Currency: "EUR", TopCustomers: []functions.TopCustomer{
				{Tier: functions.P1, Rank: 1, CustomerID: markup, ValueProxy: money("639.57"), Score: 95, Reason: markup, Action: markup},
				{Tier: functions.P1, Rank: 2, CustomerID: backwards, ValueProxy: money("1"), Score: 94, Reason: backwards, Action: "call"},
				{Tier: functions.P2, Rank: 1, CustomerID: strings.Repeat("x", 600), ValueProxy: money("12345678.90"), Score: 70, Reason: "long", Action: "call"},
			},
		}, nil
	}
	behind.sizes = func(context.Context, functions.GetOperationalContextInput) (functions.GetOperationalContextOutput, error) {
		return functions.GetOperationalContextOutput{
			Date: day, TotalCustomers: 5887, StatusDistribution: functions.StatusCounts{Active: 1297, AtRisk: 1452, Inactive: 3138}, Excluded: 12,
			AtRiskByRiskLevel: functions.RiskCounts{High: 383, Low: 1069}, RulesVersion: "0123456789ab",
			DataQuality: functions.DataQuality{SetAside: 2, Issues: []functions.QualityIssue{{Issue: "i", Customers: 2, Meaning: markup}}},
		}, nil
	}
	return behind
}

// visited is what came of a visit.
type visited struct {
	Values         []any
	Said, Requests []string
}

// visit shows the app in a host made of the official client and bridge, and takes these steps there.
func visit(t *testing.T, settings map[string]string, behind work, query url.Values, steps ...[3]string) visited {
	t.Helper()
	gateway := serve(t, keyed("", settings), Local(doorsWith(t, door.ModeLocal, behind)))
	modules, bundle := nodeModules(t), filepath.Join(t.TempDir(), "host.js")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	packed := exec.CommandContext(ctx, filepath.Join(modules, "@esbuild/linux-x64/bin/esbuild"), "testdata/app/host.mjs", "--bundle", "--format=esm", "--outfile="+bundle)
	packed.Env = append(os.Environ(), "NODE_PATH="+modules)
	if output, err := packed.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) { // the host's own server stands between, as in a chat
		r.Header.Set("Authorization", "Bearer "+bearer)
		r.Header.Del("Origin")
		gateway.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /host.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, bundle) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><iframe sandbox="allow-scripts" style="width:720px;border:0"></iframe><script type="module" src="/host.js"></script>`)
	})
	mux.HandleFunc("GET /reached", func(http.ResponseWriter, *http.Request) { t.Error("the app has reached the host's server") })
	host := httptest.NewServer(mux)
	t.Cleanup(host.Close)
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no chromium: install the package chromium (%v)", err)
	}
	list, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	command := node(ctx, t, "testdata/app/visit.mjs", chromium, host.URL+"/?"+query.Encode(), strings.ReplaceAll(string(list), "{{host}}", host.URL))
	command.Env = append(command.Env, "NODE_PATH="+modules)
	output, err := command.Output()
	if err != nil {
		var why string
		if exit, is := err.(*exec.ExitError); is { //nolint:errorlint // Output gives it as it is
			why = string(exit.Stderr)
		}
		t.Fatalf("%v\n%s", err, why)
	}
	var got visited
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, request := range got.Requests {
		if !strings.HasPrefix(request, host.URL+"/") && !strings.HasPrefix(request, "data:") && request != "about:srcdoc" {
			t.Errorf("a request went to %s", request)
		}
	}
	return got
}

func briefOf(more ...string) url.Values {
	query := url.Values{"tool": {"generate_brief"}, "arguments": {`{"date":"latest"}`}}
	for _, name := range more {
		query.Set(name, "")
	}
	return query
}

func click(id string) [3]string {
	return [3]string{"app", "look", `document.getElementById("` + id + `").click()`}
}

// TestTheAppInAnOfficialHost draws hostile texts, keeps to its frame, and runs the playbook with the host's confirmation.
func TestTheAppInAnOfficialHost(t *testing.T) {
	t.Parallel()
	town := newTown()
	got := visit(t, nil, town.hostile(), briefOf("asks"),
		[3]string{"host", "until", `window.seen?.initialized`},
		[3]string{"app", "until", appReady},
		[3]string{"app", "look", appText},
		[3]string{"app", "look", `document.querySelectorAll("img, script:not(body > script), iframe, [onerror]").length + " " + ("ran" in window)`},
		[3]string{"app", "look", `[...document.querySelectorAll("#top .customer.wide .data")].map(one => one.textContent)`},
		[3]string{"app", "look", `self.origin + " " + document.documentElement.dataset.theme + " " + getComputedStyle(document.body).color`},
		[3]string{"app", "look", `fetch("{{host}}/reached", { mode: "no-cors" }).then(() => "reached", () => "blocked")`},
		[3]string{"app", "look", `new Promise(done => { const picture = new Image(); picture.onload = () => done("reached"); picture.onerror = () => done("blocked"); picture.src = "{{host}}/reached" })`},
		[3]string{"app", "look", `document.documentElement.scrollWidth <= document.documentElement.clientWidth`},
		[3]string{"app", "look", `document.getElementById("outcome").textContent`},
		[3]string{"host", "shot", filepath.Join(t.ArtifactDir(), "official.png")},
		click("trigger"),
		[3]string{"app", "until", `document.getElementById("outcome").innerText.includes("declined")`},
		[3]string{"host", "look", `window.says = "yes"`},
		click("dry-run"),
		[3]string{"app", "until", appReady + " && " + quietTown},
		click("trigger"),
		[3]string{"app", "until", `document.getElementById("outcome").innerText.includes("The playbook ran")`},
		[3]string{"app", "look", `document.getElementById("outcome").innerText`},
		[3]string{"host", "look", `window.seen`},
		[3]string{"host", "look", `window.bridge.teardownResource({}).then(() => "answered")`},
		[3]string{"app", "look", `[...document.querySelectorAll("button")].every(button => button.disabled)`},
	)
	v := got.Values
	text, _ := v[2].(string)
	for _, shown := range []string{"24.66 %", "18.66 %", "+32.15 %", "because " + markup, "€639.57", "€12,345,678.90", "312", "#retention", "P1 (312) to csv", "1,452 (24.7 %)", "2: " + markup} {
		if !strings.Contains(text, shown) {
			t.Errorf("the page does not show %q:\n%s", shown, text)
		}
	}
	if v[3] != "0 false" {
		t.Errorf("texts became markup: %v", v[3])
	}
	if diff := cmp.Diff([]any{markup, backwards, strings.Repeat("x", 600)}, v[4]); diff != "" {
		t.Errorf("the customers (-want +got):\n%s", diff)
	}
	if v[5] != "null dark rgb(250, 250, 250)" {
		t.Errorf("origin, theme and colour of the host: %v", v[5])
	}
	if v[6] != "blocked" || v[7] != "blocked" || v[8] != true || v[9] != "" {
		t.Errorf("fetch %v, picture %v, fits %v, outcome %q", v[6], v[7], v[8], v[9])
	}
	outcome, _ := v[17].(string)
	if !strings.Contains(outcome, "RET-7") || !strings.Contains(outcome, "confirmed") {
		t.Errorf("the outcome is %q", outcome)
	}
	seen, _ := v[18].(map[string]any)
	asked, _ := seen["asked"].([]any)
	told, _ := json.Marshal(seen["told"])
	faults, _ := seen["faults"].([]any)
	if len(asked) != 2 || !strings.Contains(fmt.Sprint(asked[1]), "#retention") || !strings.Contains(string(told), "delivery confirmed") || len(faults) != 0 || seen["mimeType"] != mediaApp {
		t.Errorf("the host saw %v", seen)
	}
	if heights, _ := seen["heights"].([]any); len(heights) == 0 {
		t.Error("the host was told no height")
	}
	if v[19] != "answered" || v[20] != true {
		t.Errorf("torn down: %v, buttons off: %v", v[19], v[20])
	}
	done, calls := town.did()
	if len(done) != 1 || len(calls) != 1 || calls[0].Confirmation == "" {
		t.Errorf("done: %q by %+v", done, calls)
	}
}

// TestTheAppConfirmsWhereTheHostCannot asks by itself, with a button of its own for the yes.
func TestTheAppConfirmsWhereTheHostCannot(t *testing.T) {
	t.Parallel()
	town := newTown()
	query := url.Values{"tool": {"trigger_playbook"}, "arguments": {`{"date":"latest","dry_run":true}`}}
	confirming := `!document.getElementById("confirm").hidden && document.getElementById("confirm-words").textContent`
	got := visit(t, nil, town.hostile(), query,
		[3]string{"app", "until", appReady},
		click("trigger"),
		[3]string{"app", "until", confirming},
		[3]string{"app", "look", `document.activeElement.id`},
		click("no"),
		[3]string{"app", "until", `document.getElementById("confirm").hidden && document.getElementById("status").textContent === "Nothing was sent."`},
		click("dry-run"),
		[3]string{"app", "until", appReady},
		click("trigger"),
		[3]string{"app", "until", confirming},
		[3]string{"host", "look", `window.seen.calls.filter(call => call.arguments.confirm_token).length`},
		click("yes"),
		[3]string{"app", "until", `document.getElementById("outcome").innerText.includes("The playbook ran")`},
		[3]string{"host", "look", `window.seen.faults`},
	)
	v := got.Values
	if words := fmt.Sprint(v[2]); !strings.Contains(words, "#retention") || v[3] != "confirm" || v[10] != float64(0) {
		t.Errorf("asked %q with the focus at %v; tokens sent before the yes: %v", words, v[3], v[10])
	}
	if diff := cmp.Diff([]any{}, v[13]); diff != "" {
		t.Errorf("the host complains (-want +got):\n%s", diff)
	}
	if done, calls := town.did(); len(done) != 1 || calls[0].Confirmation == "" {
		t.Errorf("done: %q by %+v", done, calls)
	}
}

// TestTheAppReadsWhereNothingActs shows what there is to read, and no button.
func TestTheAppReadsWhereNothingActs(t *testing.T) {
	t.Parallel()
	behind := newTown().hostile()
	behind.sizes = func(context.Context, functions.GetOperationalContextInput) (functions.GetOperationalContextOutput, error) {
		return functions.GetOperationalContextOutput{}, functions.Errorf(functions.FailedPrecondition, "the customers are of another day").WithHint("use latest")
	}
	got := visit(t, map[string]string{"RETENTIONOPS_MCP_ACTIONS": "false"}, behind, briefOf(),
		[3]string{"app", "until", `document.getElementById("status").textContent.startsWith("The customers are of another day. Use latest.")`},
		[3]string{"app", "look", appText},
		[3]string{"app", "look", `[...document.querySelectorAll("button")].filter(button => button.offsetParent).length`},
	)
	if text := fmt.Sprint(got.Values[1]); !strings.Contains(text, "Runs are not offered here") || !strings.Contains(text, "24.66 %") || !strings.Contains(text, "€639.57") || got.Values[2] != float64(0) {
		t.Errorf("%v buttons:\n%s", got.Values[2], text)
	}
}

// TestTheAppOfSomebodyWhoMayOnlyRead says so when a run is asked for, and does not offer it again.
func TestTheAppOfSomebodyWhoMayOnlyRead(t *testing.T) {
	t.Parallel()
	town := newTown()
	got := visit(t, keyed("read", nil), town.hostile(), briefOf(),
		[3]string{"app", "until", appReady},
		click("trigger"),
		[3]string{"app", "until", `document.getElementById("outcome").innerText.includes("did not come through")`},
		[3]string{"app", "look", `document.getElementById("outcome").innerText`},
		click("dry-run"),
		[3]string{"app", "until", appReady + " && " + quietTown},
		[3]string{"app", "look", `document.getElementById("trigger").hidden`},
	)
	if done, _ := town.did(); len(done) != 0 || got.Values[6] != true || !strings.Contains(fmt.Sprint(got.Values[3]), "permission_denied") {
		t.Errorf("done %q; hidden %v; %v", done, got.Values[6], got.Values[3])
	}
}
