package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

// forms are the two forms of a tool: whole, and for a tool that acts its dry run alone.
type forms struct{ whole, dry *offered }

// addTools registers the tools. Each caller sees the form that it may use.
func (g *Gateway) addTools() error {
	if g.closed == nil && g.config.Actions.on() && !g.config.ReadOnly.on() && g.seals == nil {
		g.logger.WarnContext(context.Background(), "mcp: the tools that act stay hidden: RETENTIONOPS_MCP_CONFIRM_KEYS is not set")
	}
	for _, tool := range functions.Tools {
		var f forms
		var err error
		if f.whole, err = offer(tool, false); err != nil {
			return fmt.Errorf("offer %s: %w", tool.Name, err)
		}
		if tool.Scope == functions.ScopeAct {
			if f.dry, err = offer(tool, true); err != nil {
				return fmt.Errorf("offer the dry run of %s: %w", tool.Name, err)
			}
		}
		g.tools[tool.Name] = f
		g.mcp.AddTool(f.whole.definition, g.toolHandler(tool))
	}
	return nil
}

// acts tells whether the tools that act are offered to anybody.
func (g *Gateway) acts() bool {
	return g.config.Actions.on() && !g.config.ReadOnly.on() && g.seals != nil
}

// formFor is the form of a tool that somebody may use; nil for none.
func (g *Gateway) formFor(who Principal, name string) *offered {
	f, known := g.tools[name]
	switch {
	case !known || !slices.Contains(who.Scopes, functions.ScopeRead):
		return nil
	case f.dry == nil:
		return f.whole
	case !g.acts():
		return nil
	case slices.Contains(who.Scopes, functions.ScopeAct):
		return f.whole
	default:
		return f.dry
	}
}

// visible is the filter of tools: it shows to a caller what it may use, in the form in which it may. mcp-go asks it at
// each list and at each call.
func (g *Gateway) visible(ctx context.Context, tools []mcpgo.Tool) []mcpgo.Tool {
	seen := make([]mcpgo.Tool, 0, len(tools))
	for _, tool := range tools {
		if form := g.formFor(principalOf(ctx), tool.Name); form != nil {
			seen = append(seen, form.definition)
		}
	}
	return seen
}

// hooks audit what mcp-go refuses by itself: a call of a tool that is hidden or that there is not. And they keep the order
// of a subscription, the codes of errors for its span, and let a host keep the app.
func (g *Gateway) hooks() *server.Hooks {
	hooks := &server.Hooks{}
	hooks.AddAfterSubscriptionsListen(acknowledged)
	hooks.AddAfterReadResource(keepApp)
	hooks.AddOnError(answeredWith)
	hooks.AddOnError(func(ctx context.Context, _ any, method mcpgo.MCPMethod, message any, err error) {
		call, is := message.(*mcpgo.CallToolRequest)
		if method != mcpgo.MethodToolsCall || !is || !errors.Is(err, server.ErrToolNotFound) {
			return
		}
		_, _ = g.audited(ctx, clean(call.Params.Name, shortName), call.Params.RawArguments, func(context.Context, *entry) error {
			return functions.Errorf(functions.PermissionDenied, "the tool is not offered to this caller")
		})
	})
	return hooks
}

const instructions = "RetentionOps shows which customers are slipping away and what to do about it. Begin with get_alert_decision " +
	"(date latest); get_operational_context shows sizes, generate_brief the brief of the day. "

// instructions tell a client how to begin.
func (g *Gateway) instructions() string {
	acting := "Tools that act are not offered here. "
	if g.acts() {
		acting = "Before a tool that acts, call it with dry_run and show the plan; where only dry_run is offered, nothing can be done. " +
			"export_audience and trigger_playbook ask for a confirmation: a person decides, not you. "
	}
	return instructions + acting + "Dates are YYYY-MM-DD or latest."
}
