package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

// grace is what the gateway waits beyond the function's own deadline, so that the function says what happened.
const grace = 5 * time.Second

// toolHandler makes the handler of a tool. It never errs: mcp-go would send the error's text to the client.
func (g *Gateway) toolHandler(tool *functions.Tool) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
		var result *mcpgo.CallToolResult
		messageOf(ctx).about(aTool, tool.Name)
		id, err := g.audited(ctx, tool.Name, call.Params.RawArguments, func(ctx context.Context, told *entry) error {
			form := g.formFor(principalOf(ctx), tool.Name)
			if form == nil { // the filter has refused it already
				return functions.Errorf(functions.PermissionDenied, "%s is not offered to you", tool.Name)
			}
			var err error
			result, err = g.handle(ctx, form, call, told)
			return err
		})
		if err != nil {
			return problem(err, id), nil
		}
		return result, nil
	}
}

// handle does a call, once it is known that its caller may use this form of the tool.
func (g *Gateway) handle(ctx context.Context, form *offered, call mcpgo.CallToolRequest, told *entry) (*mcpgo.CallToolResult, error) {
	in, err := form.check(call.Params.RawArguments)
	if err != nil {
		return nil, err
	}
	report := g.reporter(ctx, call.Params.Meta)
	if form.Scope == functions.ScopeAct && !in.dryRun {
		if g.config.RequireHuman.on() && !asksPeople(ctx) {
			return nil, functions.Errorf(functions.PermissionDenied, "%s acts, and here only for clients that can ask a person", form.Name).
				WithHint("send dry_run true, or use a client with elicitation over MCP 2026-07-28")
		}
		if form.confirmed() {
			deed, err := readDeed(form.Tool, in.input)
			if err != nil {
				return nil, err
			}
			c := &confirming{Gateway: g, form: form, request: call, told: told, report: report, deed: deed}
			return c.confirm(ctx, in.token)
		}
		ctx = acting(ctx)
	}
	answer, err := g.call(ctx, form.Tool, in.input, report)
	if err != nil {
		return nil, err
	}
	told.run = runIn(answer)
	return form.result(answer)
}

// call calls a function for who asks, if it may, within the function's time.
func (g *Gateway) call(
	ctx context.Context, tool *functions.Tool, input json.RawMessage, report func(functions.Progress),
) (json.RawMessage, error) {
	if err := mayRead(ctx, tool); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tool.Timeout+grace)
	defer cancel()
	return g.caller.Call(ctx, tool, input, report)
}

// mayRead tells whether who asks may read at all.
func mayRead(ctx context.Context, tool *functions.Tool) error {
	if slices.Contains(principalOf(ctx).Scopes, functions.ScopeRead) {
		return nil
	}
	return functions.Errorf(functions.PermissionDenied, "%s needs the scope %s", tool.Name, functions.ScopeRead).
		WithHint("ask the operator for a key with that scope")
}

// told makes of an error one that mcp-go may send: what is written for the caller, or an id.
func told(err error, id string) error {
	document := functions.ProblemOf(err, id)
	text := document.Title
	if document.Detail != "" {
		text = document.Detail
	}
	if document.Hint != "" {
		text += " (" + document.Hint + ")"
	}
	return fmt.Errorf("%s; code %s, run_id %s", text, document.Code, document.RunID)
}
