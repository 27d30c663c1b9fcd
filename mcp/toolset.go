package mcp

import (
	"context"
	"net/http"
	"slices"
	"strings"

	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
)

// The headers in which a client asks to see fewer tools. Their names are those that github-mcp-server has made known.
const (
	toolsetsHeader = "X-MCP-Toolsets"
	toolsHeader    = "X-MCP-Tools"
	excludeHeader  = "X-MCP-Exclude-Tools"
	readOnlyHeader = "X-MCP-Readonly"
)

// readOnlySet is the toolset of all tools, of which those that act are there with their dry run alone.
const readOnlySet = "readonly"

// narrowing is what a client asks to see of the tools. Each word of it takes away and none adds: who puts one in front of
// a client, as a policy, cannot be gone around by another. Resources and prompts only read; they stay.
type narrowing struct {
	tools    []string // what is left; nil for all
	readOnly bool
}

// toolset names the tools of a toolset: those that read, those that act, or one by its name.
func toolset(name string) (tools []string, known bool) {
	for _, tool := range functions.Tools {
		if name == tool.Name || name == readOnlySet || "retention:"+name == string(tool.Scope) {
			tools = append(tools, tool.Name)
		}
	}
	return tools, len(tools) > 0
}

// toolsetHint names the toolsets.
func toolsetHint() string { return "toolsets: read, act, readonly; " + toolHint() }

func toolHint() string {
	names := make([]string, len(functions.Tools))
	for i, tool := range functions.Tools {
		names[i] = tool.Name
	}
	return "tools: " + strings.Join(names, ", ")
}

// keep leaves of the tools only these.
func (n *narrowing) keep(tools []string) {
	if n.tools == nil {
		n.tools = slices.Clone(tools)
		return
	}
	n.tools = slices.DeleteFunc(n.tools, func(name string) bool { return !slices.Contains(tools, name) })
}

// narrowingOf reads what the path and the headers of a request ask for.
func narrowingOf(r *http.Request) (n narrowing, err error) {
	if name, is := strings.CutPrefix(r.URL.Path, Path+"/"); is && name != "" {
		tools, _ := toolset(name) // a path that names none leads nowhere
		n.keep(tools)
		n.readOnly = name == readOnlySet
	}
	var kept []string
	for _, name := range named(r, toolsetsHeader) {
		tools, known := toolset(name)
		if !known {
			return n, unknownName(toolsetsHeader, name, toolsetHint())
		}
		kept, n.readOnly = append(kept, tools...), n.readOnly || name == readOnlySet
	}
	if kept != nil {
		n.keep(kept)
	}
	only, err := toolsNamed(r, toolsHeader)
	if err != nil {
		return n, err
	}
	if only != nil {
		n.keep(only)
	}
	without, err := toolsNamed(r, excludeHeader)
	if err != nil {
		return n, err
	}
	if without != nil {
		every, _ := toolset(readOnlySet)
		n.keep(slices.DeleteFunc(every, func(name string) bool { return slices.Contains(without, name) }))
	}
	n.readOnly = n.readOnly || slices.ContainsFunc(r.Header.Values(readOnlyHeader), isOn)
	return n, nil
}

// named are the names in a header, of all its lines. An empty header asks for nothing.
func named(r *http.Request, header string) (names []string) {
	for name := range strings.SplitSeq(strings.Join(r.Header.Values(header), ","), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func toolsNamed(r *http.Request, header string) ([]string, error) {
	names := named(r, header)
	for _, name := range names {
		if _, known := functions.ToolNamed(name); !known {
			return nil, unknownName(header, name, toolHint())
		}
	}
	return names, nil
}

func unknownName(header, name, hint string) error {
	return functions.Errorf(functions.InvalidArgument, "%s names %.40q, which is not there", header, name).WithHint(hint)
}

// isOn reads a switch in a header: what is not clearly off is on, as it only takes away.
func isOn(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "0", "f", "false", "n", "no", "off":
		return false
	default:
		return true
	}
}

// of is what a caller may do in a request that asks for less.
func (n narrowing) of(who Principal) Principal {
	if n.readOnly {
		who.stepsUp = false // more scopes would not help
		who.Scopes = slices.DeleteFunc(slices.Clone(who.Scopes), func(scope functions.Scope) bool { return scope != functions.ScopeRead })
	}
	return who
}

type narrowingKey struct{}

func withNarrowing(ctx context.Context, n narrowing) context.Context {
	return context.WithValue(ctx, narrowingKey{}, n)
}

// narrowed is the filter of tools that a client asks for, after the one that looks at what it may use.
func narrowed(ctx context.Context, tools []mcpgo.Tool) []mcpgo.Tool {
	return slices.DeleteFunc(tools, func(tool mcpgo.Tool) bool { return !askedFor(ctx, tool.Name) })
}

// askedFor tells whether a request asks for a tool; one that asks for none asks for all.
func askedFor(ctx context.Context, name string) bool {
	n, _ := ctx.Value(narrowingKey{}).(narrowing)
	return n.tools == nil || slices.Contains(n.tools, name)
}

// lacks are the scopes that a call needs, when its caller has not all of them and can get more. It looks early, so that
// the client hears with which scopes to come again. Who has a key cannot, and gets the tool's own refusal, which an
// assistant can read.
func (g *Gateway) lacks(ctx context.Context, who Principal, message incoming) (needed []functions.Scope) {
	tool, known := functions.ToolNamed(message.Params.Name)
	if message.Method != string(mcpgo.MethodToolsCall) || !known || tool.Scope != functions.ScopeAct ||
		!who.stepsUp || !g.acts() || !askedFor(ctx, tool.Name) || message.isDryRun() || slices.Contains(who.Scopes, functions.ScopeAct) {
		return nil
	}
	return functions.Scopes
}

// stepUp refuses a call for want of a scope, and audits it as the call that it is.
func (g *Gateway) stepUp(w http.ResponseWriter, r *http.Request, message incoming, needed []functions.Scope) {
	w.Header().Set("WWW-Authenticate", g.challenge("insufficient_scope", needed...))
	_, err := g.audited(r.Context(), message.Params.Name, message.Params.Arguments, func(context.Context, *entry) error {
		return functions.Errorf(functions.PermissionDenied, "%s needs the scope %s; its dry run does not", message.Params.Name, functions.ScopeAct).
			WithHint("ask for a token with that scope, or send dry_run true: it shows what would happen and changes nothing")
	})
	g.answerProblem(w, r, err)
}
