package cli

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	"github.com/retentionops/retentionops/mcp"
)

// The page that serve shows at /: a host of the gateway's app, in the place of a chat.
var (
	//go:embed serve_page.html
	hostPageFile string
	//go:embed serve_page.js
	hostPageScript string
)

// hostPage answers with the page, to browsers of this machine alone. What it shows is asked for by its script.
func hostPage() http.HandlerFunc {
	script := strings.TrimSuffix(hostPageScript, "\n")
	page := strings.Replace(hostPageFile, "{{script}}", script, 1)
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	// The app's frame has no address of its own, so this policy holds in it too: it must let the app's own parts pass.
	appScript, appStyle := mcp.AppSources()
	policy := "default-src 'none'; script-src " + sourceOf("\n"+script+"\n") + " " + appScript +
		"; style-src " + sourceOf(style) + " " + appStyle +
		"; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if err := door.FromThisMachine(r); err != nil {
			refuse(w, err)
			return
		}
		header.Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page)) // whoever has hung up cannot be told
	}
}

// sourceOf names a script or a style in a content security policy.
func sourceOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// noHostPage says why there is no page where callers need a key.
func noHostPage(w http.ResponseWriter, _ *http.Request) {
	refuse(w, functions.Errorf(functions.NotFound, "there is no page here: RETENTIONOPS_AUTH is key, and a page has no key to show").
		WithHint("MCP clients find the gateway at "+mcp.Path+", with a bearer of RETENTIONOPS_MCP_KEYS; for the page serve with RETENTIONOPS_AUTH=local"))
}
