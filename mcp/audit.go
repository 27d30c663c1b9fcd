package mcp

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

// decision is what the gateway decided about a request.
type decision string

// The decisions. Whether a call then did its work is its outcome.
const (
	allowed   decision = "allowed"   // it needs no confirmation
	denied    decision = "denied"    // by the gateway, or by a confirmation that does not fit
	asked     decision = "asked"     // nothing was done: a confirmation was asked for
	confirmed decision = "confirmed" // it was confirmed, and done
	declined  decision = "declined"  // a person said no, or closed the question
)

// entry is what the work of a request tells for its audit line.
type entry struct {
	decision     decision // allowed when it is not said
	confirmation string   // id of the confirmation that was asked for or given
	run          string   // the run that the answer speaks of
}

// audited does the work of a request and writes one line of it: who asked what, what was decided, and how it ended. Of
// the arguments it keeps a keyed digest alone: who has the log cannot try arguments until one fits. A panic becomes an
// error. The id is that of the line, and of the answer when it is an error.
func (g *Gateway) audited(
	ctx context.Context, what string, arguments json.RawMessage, work func(context.Context, *entry) error,
) (id string, err error) {
	began, told := g.now(), &entry{}
	id = cmp.Or(requestOf(ctx).id, g.newID())
	defer func() {
		thrown := recover()
		if thrown != nil {
			err = fmt.Errorf("panic: %v", thrown)
		}
		attrs := []slog.Attr{
			slog.String("principal", principalOf(ctx).Name), slog.String("client", clientName(ctx)), slog.String("tool", what),
			slog.String("arguments_digest", g.digest(arguments)), slog.String("request_id", id),
			slog.Float64("seconds", g.now().Sub(began).Seconds()),
		}
		if thrown != nil {
			attrs = append(attrs, slog.String("stack_trace", string(debug.Stack())))
		}
		messageOf(ctx).ended(err)
		g.audit(ctx, told, id, append(attrs, g.traceOf(ctx)...), err)
	}()
	return id, work(ctx, told)
}

// audit writes the line.
func (g *Gateway) audit(ctx context.Context, told *entry, id string, attrs []slog.Attr, err error) {
	outcome, level := "ok", slog.LevelInfo
	if err != nil {
		code := functions.CodeOf(err)
		outcome, level = string(code), slog.LevelWarn
		if code == functions.Internal {
			level = slog.LevelError
		}
		if coded, ours := errors.AsType[*functions.Error](err); ours && coded.RunID != "" {
			told.run = coded.RunID
		}
		if code == functions.PermissionDenied && told.decision == "" {
			told.decision = denied
		}
		if cause := cause(err); cause != "" {
			attrs = append(attrs, slog.String("error", cause))
		}
	}
	if told.confirmation != "" {
		attrs = append(attrs, slog.String("confirmation_id", told.confirmation))
	}
	g.logger.LogAttrs(ctx, level, "mcp: "+outcome, append(attrs, slog.String("decision", string(cmp.Or(told.decision, allowed))),
		slog.String("outcome", outcome), slog.String("run_id", cmp.Or(told.run, id)))...)
}

// digest stands for arguments in the log.
func (g *Gateway) digest(arguments json.RawMessage) string {
	sum := hmac.New(sha256.New, g.auditKey)
	sum.Write(arguments)
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// runIn is the run that an answer speaks of.
func runIn(answer json.RawMessage) string {
	var of struct {
		RunID string `json:"run_id"`
	}
	_ = json.Unmarshal(answer, &of) // most answers have none
	return of.RunID
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
		return clean(info.ClientInfo.Name+" "+info.ClientInfo.Version, shortName)
	}
	if told, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok && told.GetClientInfo().Name != "" {
		info := told.GetClientInfo() // an older client says it once, at the beginning
		return clean(info.Name+" "+info.Version, shortName)
	}
	return clean(requestOf(ctx).agent, shortName)
}

const (
	shortName = 64  // bytes of what a stranger calls itself
	wholeName = 128 // of a principal: all that it can have, and all that a door keeps
)

func clean(text string, longest int) string {
	var kept strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) && kept.Len() < longest {
			kept.WriteRune(r)
		}
	}
	return strings.TrimSpace(kept.String())
}
