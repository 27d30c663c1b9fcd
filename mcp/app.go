package mcp

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
)

// The app is a page that a host draws in a chat (MCP Apps, extension io.modelcontextprotocol/ui of 2026-01-26): the
// action pack of a day. Who has no apps loses nothing: the tools' answers stand alone.
const (
	uriApp       = "ui://retentionops/action-pack.html"
	mediaApp     = "text/html;profile=mcp-app"
	appExtension = "io.modelcontextprotocol/ui"
)

var (
	//go:embed app/action-pack.html
	appPage string
	//go:embed app/action-pack.js
	appScript string
)

// appTools are the tools whose answers the app draws.
var appTools = []*functions.Tool{functions.GenerateBrief, functions.TriggerPlaybook}

// ui is what the app asks of its host: no address to load from or talk to, and a border around it.
var ui = map[string]any{
	"csp":           map[string]any{"connectDomains": []string{}, "resourceDomains": []string{}, "frameDomains": []string{}, "baseUriDomains": []string{}},
	"prefersBorder": true,
}

// appMeta names the app on a tool; hosts older than the extension read the second key.
func appMeta(tool *functions.Tool) *mcpgo.Meta {
	if !slices.Contains(appTools, tool) {
		return nil
	}
	return mcpgo.NewMetaFromMap(map[string]any{
		"ui": map[string]any{"resourceUri": uriApp, "visibility": []string{"model", "app"}}, "ui/resourceUri": uriApp,
	})
}

// app is the page in one piece. It lets itself run its own script, wear its own style, and reach nothing, whatever the
// host allows.
func app() string {
	script, style := AppSources()
	policy := "default-src 'none'; script-src " + script + "; style-src " + style + "; base-uri 'none'; form-action 'none'"
	return strings.NewReplacer("{{policy}}", policy, "{{script}}", strings.TrimSuffix(appScript, "\n")).Replace(appPage)
}

// AppSources name the app's own script and style in a content security policy. A host that draws the app in a frame
// without an address hands its own policy down to it, and names them there.
func AppSources() (script, style string) {
	_, rest, _ := strings.Cut(appPage, "<style>")
	inside, _, _ := strings.Cut(rest, "</style>")
	return hashed("\n" + strings.TrimSuffix(appScript, "\n") + "\n"), hashed(inside)
}

// hashed names a text for a content security policy.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (g *Gateway) addApp() {
	page := app()
	resource := mcpgo.NewResource(uriApp, "action_pack", mcpgo.WithResourceTitle("Action pack"), mcpgo.WithMIMEType(mediaApp),
		mcpgo.WithResourceDescription("The action pack of a day, as a page that a chat can show."))
	g.mcp.AddResource(resource, g.resourceHandler(uriApp, func(_ context.Context, uri string, _ map[string]string) ([]mcpgo.ResourceContents, error) {
		return []mcpgo.ResourceContents{mcpgo.TextResourceContents{
			URI: uri, MIMEType: mediaApp, Text: page, Meta: map[string]any{"ui": ui},
		}}, nil
	}))
}

// appKept is how long a host may keep the page: a day after a deployment all have the new one.
const appKept = 24 * time.Hour

// keepApp says of the page, and of it alone, that it is the same for everybody.
func keepApp(_ context.Context, _ any, request *mcpgo.ReadResourceRequest, result *mcpgo.ReadResourceResult) {
	if request.Params.URI == uriApp {
		result.SetCacheHints(appKept.Milliseconds(), mcpgo.CacheScopePublic)
	}
}

// extensions are those of the protocol that the gateway speaks.
var extensions = map[string]any{appExtension: json.RawMessage(`{"mimeTypes":["` + mediaApp + `"]}`)}
