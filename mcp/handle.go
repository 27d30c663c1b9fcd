package mcp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

// grace is what the gateway waits beyond the function's own deadline, so that the function says what happened.
const grace = 5 * time.Second

// toolHandler makes the handler of a tool. It never errs: mcp-go would send the error's text to the client.
func (g *Gateway) toolHandler(tool *offered) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
		var result *mcpgo.CallToolResult
		id, err := g.audited(ctx, tool.Name, call.Params.RawArguments, func(ctx context.Context) (string, error) {
			input, err := tool.check(call.Params.RawArguments)
			if err != nil {
				return "", err
			}
			answer, err := g.call(ctx, tool.Tool, input, g.reporter(ctx, call.Params.Meta))
			if err != nil {
				return "", err
			}
			result, err = tool.result(answer)
			return runIn(answer), err
		})
		if err != nil {
			return problem(err, id), nil
		}
		return result, nil
	}
}

// call calls a function for who asks, if it may, within the function's time.
func (g *Gateway) call(
	ctx context.Context, tool *functions.Tool, input json.RawMessage, report func(functions.Progress),
) (json.RawMessage, error) {
	if !slices.Contains(principalOf(ctx).Scopes, functions.ScopeRead) {
		return nil, functions.Errorf(functions.PermissionDenied, "%s needs the scope %s", tool.Name, functions.ScopeRead).
			WithHint("ask the operator for a key with that scope")
	}
	ctx, cancel := context.WithTimeout(ctx, tool.Timeout+grace)
	defer cancel()
	return g.caller.Call(ctx, tool, input, report)
}

// audited does the work of a request and writes one line of it: who asked what, and how it ended. Of the arguments it
// keeps a digest alone. A panic becomes an error. The id is that of the line, and of the answer when it is an error.
func (g *Gateway) audited(
	ctx context.Context, what string, arguments json.RawMessage, work func(context.Context) (runID string, err error),
) (id string, err error) {
	run := ""
	began := g.now()
	known := requestOf(ctx)
	if id = known.id; id == "" {
		id = g.newID()
	}
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("panic: %v", thrown)
		}
		g.audit(ctx, what, id, run, arguments, began, err)
	}()
	run, err = work(ctx)
	return id, err
}

// runIn is the run that an answer speaks of.
func runIn(answer json.RawMessage) string {
	var of struct {
		RunID string `json:"run_id"`
	}
	_ = json.Unmarshal(answer, &of) // most answers have none
	return of.RunID
}

func (g *Gateway) audit(ctx context.Context, what, id, run string, arguments json.RawMessage, began time.Time, err error) {
	digest := sha256.Sum256(arguments)
	outcome, level := "ok", slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("principal", principalOf(ctx).Name), slog.String("client", clientName(ctx)), slog.String("tool", what),
		slog.String("arguments_digest", hex.EncodeToString(digest[:8])), slog.String("request_id", id),
		slog.Float64("seconds", g.now().Sub(began).Seconds()),
	}
	if err != nil {
		code := functions.CodeOf(err)
		outcome, level = string(code), slog.LevelWarn
		if code == functions.Internal {
			level = slog.LevelError
		}
		if coded, ours := errors.AsType[*functions.Error](err); ours && coded.RunID != "" {
			run = coded.RunID
		}
		if cause := cause(err); cause != "" {
			attrs = append(attrs, slog.String("error", cause))
		}
	}
	g.logger.LogAttrs(ctx, level, "mcp: "+outcome, append(attrs, slog.String("outcome", outcome), slog.String("run_id", cmp.Or(run, id)))...)
}

// cause is the text of an error for the log. What is wrong with arguments quotes them, and is left out.
func cause(err error) string {
	coded, ours := errors.AsType[*functions.Error](err)
	if !ours {
		return err.Error()
	}
	if inner := coded.Unwrap(); inner != nil {
		return inner.Error()
	}
	return ""
}

// clientName is what the client calls itself: its own words, cut and cleaned, by which nothing is decided.
func clientName(ctx context.Context) string {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientInfo != nil {
		return clean(info.ClientInfo.Name + " " + info.ClientInfo.Version)
	}
	return clean(requestOf(ctx).agent)
}

func clean(text string) string {
	const longest = 64
	var kept strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) && kept.Len() < longest {
			kept.WriteRune(r)
		}
	}
	return strings.TrimSpace(kept.String())
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
