package mcp

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheAppIsFoundAndReachesNothing reads the page as a host does, and looks at what it asks for and what is in it.
func TestTheAppIsFoundAndReachesNothing(t *testing.T) {
	t.Parallel()
	gateway := serve(t, nil, Local(nil))
	for _, e := range eras {
		named := 0
		for _, raw := range gateway.ask(t, e, 1, "tools/list", nil).Result.Tools {
			var tool struct {
				Name string
				Meta map[string]json.RawMessage `json:"_meta"`
			}
			if err := json.Unmarshal(raw, &tool); err != nil {
				t.Fatal(err)
			}
			if len(tool.Meta) == 0 {
				continue
			}
			named++
			if got, want := string(tool.Meta["ui"]), `{"resourceUri":"`+uriApp+`","visibility":["model","app"]}`; got != want {
				t.Errorf("%s: ui is %s, want %s", tool.Name, got, want)
			}
			if got := string(tool.Meta["ui/resourceUri"]); got != `"`+uriApp+`"` {
				t.Errorf("%s: the key for old hosts is %s", tool.Name, got)
			}
		}
		if named == 0 {
			t.Errorf("%s: no tool names the app", e)
		}
		read := gateway.ask(t, e, 2, "resources/read", map[string]any{"uri": uriApp})
		var body struct {
			Result struct {
				Contents []struct {
					MIMEType, Text string
					Meta           struct{ UI json.RawMessage } `json:"_meta"`
				}
				TTLMs      int64 `json:"ttlMs"`
				CacheScope string
			}
		}
		if err := json.Unmarshal(read.body, &body); err != nil || len(body.Result.Contents) != 1 {
			t.Fatalf("%v: %s", err, read.body)
		}
		page := body.Result.Contents[0]
		if page.MIMEType != "text/html;profile=mcp-app" {
			t.Errorf("the media type is %q", page.MIMEType)
		}
		want := `{"csp":{"baseUriDomains":[],"connectDomains":[],"frameDomains":[],"resourceDomains":[]},"prefersBorder":true}`
		if got := string(page.Meta.UI); got != want {
			t.Errorf("the content asks for %s, want %s", got, want)
		}
		if e == modern && (body.Result.TTLMs != appKept.Milliseconds() || body.Result.CacheScope != "public") {
			t.Errorf("it may be kept for %d ms by %q", body.Result.TTLMs, body.Result.CacheScope)
		}
		if other := gateway.ask(t, e, 3, "resources/read", map[string]any{"uri": uriRules}); strings.Contains(string(other.body), `"public"`) {
			t.Errorf("other readings may be kept: %s", other.body)
		}
		if found := regexp.MustCompile(`https?://|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|fetch\(|XMLHttp|import |\bsrc=|\{\{`).
			FindAllString(strings.ReplaceAll(page.Text, `/^https:\/\//`, ""), -1); found != nil {
			t.Errorf("the page holds %q", found)
		}
	}
	discovered := gateway.ask(t, modern, 4, "server/discover", nil)
	var said struct {
		Result struct {
			Capabilities struct{ Extensions map[string]any }
		}
	}
	if err := json.Unmarshal(discovered.body, &said); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{appExtension: map[string]any{"mimeTypes": []any{mediaApp}}}, said.Result.Capabilities.Extensions); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
}

// TestTheAppAllowsItselfItsOwnPartsOnly compares the page's policy with the page.
func TestTheAppAllowsItselfItsOwnPartsOnly(t *testing.T) {
	t.Parallel()
	page := app()
	policy := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if policy == nil {
		t.Fatal("the page has no policy")
	}
	for tag, directive := range map[string]string{"script": "script-src", "style": "style-src"} {
		parts := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(page, -1)
		if len(parts) != 1 || strings.Count(page, "<"+tag) != 1 {
			t.Fatalf("%d parts of %s", len(parts), tag)
		}
		if want := directive + " " + hashed(parts[0][1]); !slices.Contains(strings.Split(policy[1], "; "), want) {
			t.Errorf("the policy %q lacks %q", policy[1], want)
		}
	}
	if !strings.HasPrefix(policy[1], "default-src 'none'; ") || strings.Contains(policy[1], "unsafe") {
		t.Errorf("the policy is %q", policy[1])
	}
}
