//go:build integration

package preview_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/brief/preview"
	"github.com/retentionops/retentionops/functions/internal/browsertest"
)

// opened writes a page and opens it.
func opened(t *testing.T, page preview.Page) *browsertest.Page {
	t.Helper()
	name := filepath.Join(t.TempDir(), "preview.html")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := page.Write(file); err != nil {
		t.Fatal(err)
	}
	return browsertest.Open(t, name)
}

func TestBrowserHasNothingToComplainOf(t *testing.T) {
	for _, fixture := range brief.Fixtures() {
		t.Run(fixture.Name, func(t *testing.T) {
			page := opened(t, sample(t, fixture.Name))
			if diff := cmp.Diff([]string(nil), append(page.Complaints, page.Requests...)); diff != "" {
				t.Errorf("complaints and requests (-want +got):\n%s", diff)
			}
			got := page.Eval(`[...document.querySelectorAll("h2")].map(h => h.textContent).filter(t => /^(Markdown|Slack|E-mail|Teams)/.test(t)).join("; ")`)
			if want := "Markdown; Slack; Slack, text; E-mail; E-mail, text; Teams; Teams, text"; got != want {
				t.Errorf("the page shows %v, want %s", got, want)
			}
			if mail, _ := page.EvalFrame("document.body.innerText").(string); !strings.Contains(mail, "The alert") {
				t.Errorf("the frame shows no mail: %q", mail)
			}
			// The policy holds for styles too: they are the page's own, and the page has them.
			if got := page.Eval(`getComputedStyle(document.querySelector("main")).display`); got != "grid" {
				t.Errorf("the columns are laid out as %v, want grid", got)
			}
			page.Screenshot(fixture.Name + ".png")
		})
	}
}

func TestBrowserRunsAndLoadsNothing(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	mischief := strings.ReplaceAll(`
<script>console.log("ran"); top.document.title = "ran"; fetch("URL/fetch")</script>
<img src="URL/picture.png" onerror="console.log('ran')"><img src="x" onerror="console.log('ran')">
<svg onload="console.log('ran')"></svg><body onload="console.log('ran')">
<style>@import "URL/style.css"; @font-face { font-family: f; src: url("URL/font") } p { font-family: f; background: url("URL/background") }</style>
<link rel="stylesheet" href="URL/sheet.css"><link rel="prefetch" href="URL/prefetch"><link rel="preload" as="image" href="URL/preload">
<meta http-equiv="refresh" content="0;url=URL/refresh"><base href="URL/">
<iframe src="URL/frame"></iframe><object data="URL/object"></object><embed src="URL/embed"><video autoplay src="URL/video"></video>
<iframe srcdoc="&lt;script&gt;console.log('ran'); fetch('URL/inner')&lt;/script&gt;"></iframe>
<a id="link" href="javascript:console.log('ran')">x</a><p>text</p>
</textarea></pre></title></style></script><!-- "'> --></iframe>`, "URL", server.URL)
	markup := "[x](javascript:console.log('ran')) <javascript:console.log('ran')> [d](data:text/html,ran) ![p](" + server.URL + "/p.png)\n\n" +
		"[x]: javascript:console.log('ran')\n\n[x]\n\n`" + mischief + "`\n\n" + mischief
	slack := "<!channel> <javascript:console.log('ran')|x> <" + server.URL + `/"onclick="console.log('ran')|x> ` + mischief + "```" + mischief + "```"
	page := opened(t, preview.Page{
		Day: mischief, Templates: mischief,
		Briefs: []functions.GenerateBriefOutput{
			{Format: functions.FormatMarkdown, Severity: functions.Severity(mischief), Subject: mischief, Text: markup},
			{Format: functions.FormatSlack, Subject: mischief, Text: slack, Blocks: blocks(t, slack, mischief)},
			{Format: functions.FormatEmail, Subject: mischief, Text: mischief, HTML: "<!doctype html><html><body>" + mischief},
			{Format: functions.FormatTeams, Subject: mischief, Text: mischief, Card: functions.JSONObject(card(t, mischief))},
			{Format: "other", Subject: mischief, Text: mischief},
		},
	})
	page.Eval(`document.querySelectorAll("a:not([href^=http])").forEach(a => a.click())`)
	page.EvalFrame(`document.querySelectorAll("#link").forEach(a => a.click())`)
	if got := page.Eval("document.scripts.length"); got != float64(0) {
		t.Errorf("the page has %v scripts, want none", got)
	}
	schemes := page.Eval(`[...new Set([...document.links].map(a => a.protocol))].join(" ")`)
	if schemes != "http:" {
		t.Errorf("links go to %q, want http: only", schemes)
	}
	if title, _ := page.Eval("document.title").(string); !strings.HasSuffix(title, ": preview") {
		t.Errorf("the title is %q", title)
	}
	for _, what := range append(page.Said, page.Complaints...) {
		if strings.HasPrefix(what, "ran") || strings.HasPrefix(what, "exception") {
			t.Errorf("a script ran: %s", what)
		}
	}
	if text, _ := page.EvalFrame("document.body.innerText").(string); !strings.Contains(text, "text") {
		t.Errorf("the frame shows no mail: %q", text)
	}
	page.Screenshot("hostile.png")
	if n := asked.Load(); n != 0 {
		t.Errorf("%d addresses were asked, want none: %v", n, page.Requests)
	}
	t.Logf("refused: %d, tried: %d", len(page.Complaints), len(page.Requests))
}
