package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// A request is bounded in size and in the time that its body may take. The largest honest one has a few hundred bytes.
const (
	maxBody  = 1 << 20
	bodyTime = 10 * time.Second
)

// Path is where the gateway speaks MCP; so it does at /, for hosts that cut the path off.
const Path = "/mcp"

// Patterns are those of all that it answers beside /, for a program that serves more than the gateway.
func Patterns() []string {
	const metadata = server.WellKnownProtectedResourcePath
	return []string{Path, Path + "/", metadata, metadata + "/"}
}

// ServeHTTP implements http.Handler: it lets in whom it should, and refuses what mcp-go would do badly.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	known := &request{id: door.RequestID(r, g.newID), agent: r.UserAgent()}
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, known))
	header := w.Header()
	header.Set("X-Request-Id", known.id)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if thrown := recover(); thrown != nil && thrown != http.ErrAbortHandler { //nolint:errorlint // it is thrown as it is
			g.logger.ErrorContext(r.Context(), "mcp: panic", slog.String("request_id", known.id),
				slog.String("panic", fmt.Sprint(thrown)), slog.String("stack_trace", string(debug.Stack())))
			g.refuse(w, r, functions.Errorf(functions.Internal, ""))
		}
	}()
	if err := g.serve(w, r, known); err != nil {
		g.refuse(w, r, err)
	}
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, known *request) error {
	metadata := g.authorized != nil && slices.Contains(g.authorized.paths, r.URL.Path)
	if !metadata && !spokenAt(r.URL.Path) {
		return functions.Errorf(functions.NotFound, "there is nothing at this path").
			WithHint("MCP is spoken at " + Path + "; with fewer tools at " + Path + "/read, /act, /readonly and /TOOL, the name of one")
	}
	if g.asksForHealth(r) {
		g.health(w, r)
		return nil
	}
	if g.closed != nil {
		return functions.Errorf(functions.FailedPrecondition, "this gateway is closed").
			WithHint("its operator finds the reason in the log").WithCause(g.closed)
	}
	if err := g.checkHost(r); err != nil {
		return err
	}
	if metadata { // any page may read it: it is what a client begins with
		g.authorized.metadata.ServeHTTP(w, r)
		return nil
	}
	if err := g.checkOrigin(w.Header(), r); err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodOptions && r.Header.Get("Origin") != "":
		w.WriteHeader(http.StatusNoContent)
		return nil
	case r.Method != http.MethodPost: // no stream is kept open for a server that has nothing to tell
		w.Header().Set("Allow", http.MethodPost)
		return functions.Errorf(functions.MethodNotAllowed, "MCP is spoken by POST")
	}
	who, err := g.admit(w.Header(), r)
	known.principal = who.Name
	if err != nil {
		return err
	}
	asked, err := narrowingOf(r)
	if err != nil {
		return err
	}
	who = asked.of(who)
	return g.post(w, r.WithContext(withNarrowing(withPrincipal(r.Context(), who), asked)), who)
}

// spokenAt tells whether MCP is spoken at a path: at ours, below it with fewer tools, and at /.
func spokenAt(path string) bool {
	name, below := strings.CutPrefix(path, Path+"/")
	_, known := toolset(name)
	return path == Path || path == "/" || path == "" || below && (known || name == "")
}

// post reads the one message of a request and hands it on.
func (g *Gateway) post(w http.ResponseWriter, r *http.Request, who Principal) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return functions.Errorf(functions.UnsupportedMedia, "MCP is spoken in JSON").WithHint("send Content-Type: application/json, not compressed")
	}
	body, err := g.body(w, r)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return functions.Errorf(functions.TooLarge, "the body is larger than %d bytes", maxBody)
	} else if err != nil {
		return functions.Errorf(functions.InvalidArgument, "the body ended early").WithCause(err)
	}
	message, fault := readMessage(body)
	if fault != nil {
		g.logger.WarnContext(r.Context(), "mcp: no message", slog.String("request_id", requestOf(r.Context()).id),
			slog.String("principal", who.Name), slog.Int("code", fault.code))
		writeRPCError(w, fault.code, fault.says)
		return nil
	}
	if message.Method == string(mcpgo.MethodNotificationCancelled) {
		// Without a session an id is everybody's: it would cancel whoever else uses the same. Who wants to cancel hangs up.
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	if kind, limited := limitedBy(message.Method, message.Params.Name); limited {
		if wait := g.limits.take(who.Name, kind); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(wait))
			return functions.Errorf(functions.ResourceExhausted, "more than %d calls a minute", g.config.Rate).
				WithHint(fmt.Sprintf("try again in %d s", wait))
		}
	}
	if needed := g.lacks(r.Context(), who, message); needed != nil {
		g.stepUp(w, r, message, needed)
		return nil
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	defer g.telemetry.entered()()
	events := newBarrier()
	g.http.ServeHTTP(&eventWriter{ResponseWriter: w, events: events}, r.WithContext(withBarrier(r.Context(), events)))
	return nil
}

// body reads what is sent, as long as it comes: who sends a byte now and then holds no request open.
func (g *Gateway) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(g.bodyTime)) // where there is none, the platform holds the body already
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil { // else what is left of it is not waited for either
		_ = connection.SetReadDeadline(time.Time{})
	}
	return body, err
}

// limitedBy names what a request is counted as; lists cost nothing and are not counted.
func limitedBy(method, name string) (kind string, limited bool) {
	switch mcpgo.MCPMethod(method) {
	case mcpgo.MethodToolsCall:
		if _, known := functions.ToolNamed(name); known {
			return name, true
		}
		return "unknown", true
	case mcpgo.MethodResourcesRead, mcpgo.MethodPromptsGet, mcpgo.MethodCompletionComplete:
		return method, true
	default:
		return "", false
	}
}

// writeRPCError answers with an error of JSON-RPC without an id.
func writeRPCError(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{ // whoever has hung up cannot be told
		"jsonrpc": "2.0", "id": nil, "error": map[string]any{"code": code, "message": message},
	})
}

// refuse answers with a problem document and logs it: who is not let in is worth a line too.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	known := requestOf(r.Context())
	if unlogged, may := g.knocks.may(known.principal, g.now()); may {
		g.logger.WarnContext(r.Context(), "mcp: refused", slog.String("request_id", known.id), slog.String("code", string(functions.CodeOf(err))),
			slog.String("principal", known.principal), slog.String("client", clean(known.agent, shortName)), slog.String("error", shortened(err.Error())),
			slog.Int64("unlogged", unlogged))
	}
	g.answerProblem(w, r, err)
}

// answerProblem answers with the problem document of an error.
func (g *Gateway) answerProblem(w http.ResponseWriter, r *http.Request, err error) {
	document := functions.ProblemOf(err, requestOf(r.Context()).id)
	body, encodeErr := functions.Marshal(document)
	if encodeErr != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(document.Status)
	_, _ = w.Write(append(body, '\n')) //nolint:gosec // it is declared as JSON, and nothing guesses: nosniff
}

// shortened is a text for the log that may quote what a stranger has sent.
func shortened(text string) string {
	const longest = 500
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// asksForHealth tells a look from a client that wants to listen.
func (g *Gateway) asksForHealth(r *http.Request) bool {
	return (r.URL.Path == "/" || r.URL.Path == "") && (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		!strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

func (g *Gateway) health(w http.ResponseWriter, r *http.Request) {
	status := "ok"
	if g.closed != nil {
		status = "closed"
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return
	}
	_ = json.NewEncoder(w).Encode(struct { // whoever has hung up cannot be told
		Tool    string `json:"tool"`
		Status  string `json:"status"`
		Version string `json:"version,omitempty"`
	}{"mcp_gateway", status, g.config.Version})
}

// request is what the entrance knows of a request beside who may do what.
type request struct {
	id, agent string
	principal string // empty until somebody is known
}

type requestKey struct{}

func requestOf(ctx context.Context) request {
	if known, is := ctx.Value(requestKey{}).(*request); is {
		return *known
	}
	return request{}
}
