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
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"

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

// ServeHTTP implements http.Handler: it lets in whom it should, and refuses what mcp-go would do badly.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID(r, g.newID)
	header := w.Header()
	header.Set("X-Request-Id", id)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if thrown := recover(); thrown != nil && thrown != http.ErrAbortHandler { //nolint:errorlint // it is thrown as it is
			g.logger.ErrorContext(r.Context(), "mcp: panic", slog.String("request_id", id),
				slog.String("panic", fmt.Sprint(thrown)), slog.String("stack_trace", string(debug.Stack())))
			g.refuse(w, r, id, functions.Errorf(functions.Internal, ""))
		}
	}()
	if err := g.serve(w, r, id); err != nil {
		g.refuse(w, r, id, err)
	}
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, id string) error {
	if r.URL.Path != Path && r.URL.Path != "/" && r.URL.Path != "" {
		return functions.Errorf(functions.NotFound, "there is nothing at this path").WithHint("MCP is spoken at " + Path)
	}
	if g.asksForHealth(r) {
		g.health(w, r)
		return nil
	}
	if g.closed != nil {
		return functions.Errorf(functions.FailedPrecondition, "this gateway is closed").
			WithHint("its operator finds the reason in the log").WithCause(g.closed)
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
	if err != nil {
		return err
	}
	return g.post(w, r.WithContext(withRequest(withPrincipal(r.Context(), who), id, r.UserAgent())), who)
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
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
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
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	document := functions.ProblemOf(err, id)
	g.logger.WarnContext(r.Context(), "mcp: refused", slog.String("request_id", id), slog.String("code", string(document.Code)),
		slog.String("client", clean(r.UserAgent())), slog.String("error", err.Error()))
	body, encodeErr := functions.Marshal(document)
	if encodeErr != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(document.Status)
	_, _ = w.Write(append(body, '\n')) //nolint:gosec // it is declared as JSON, and nothing guesses: nosniff
}

// asksForHealth tells a look from a client that wants to listen.
func (g *Gateway) asksForHealth(r *http.Request) bool {
	return r.URL.Path != Path && (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
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

// checkOrigin refuses hosts that are not ours, so that no web page reaches us under a name of its own, and web pages
// that are not listed.
func (g *Gateway) checkOrigin(header http.Header, r *http.Request) error {
	if g.config.Auth == door.ModeLocal {
		return door.FromThisMachine(r)
	}
	host := strings.ToLower(r.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !slices.ContainsFunc(words(strings.ToLower(g.config.Hosts)), func(known string) bool {
		return host == known || strings.HasPrefix(known, ".") && strings.HasSuffix(host, known)
	}) {
		return functions.Errorf(functions.PermissionDenied, "the Host is not known").WithHint("the operator lists it in RETENTIONOPS_MCP_HOSTS")
	}
	for _, origin := range r.Header.Values("Origin") {
		if !slices.Contains(words(g.config.Origins), origin) {
			return functions.Errorf(functions.PermissionDenied, "web pages may not call").WithHint("the operator lists those that may in RETENTIONOPS_MCP_ORIGINS")
		}
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Methods", http.MethodPost)
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Method, Mcp-Name")
		header.Set("Vary", "Origin")
	}
	return nil
}

// admit finds out who asks. Its errors tell a stranger nothing.
func (g *Gateway) admit(header http.Header, r *http.Request) (Principal, error) {
	switch g.config.Auth {
	case door.ModeLocal:
		return Principal{Name: "local", Scopes: functions.Scopes}, nil
	case door.ModeIAM:
		return Principal{Name: door.PlatformAccount(r), Scopes: functions.Scopes}, nil
	default:
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	name, scopes, known := g.keys.Whose(strings.TrimSpace(token))
	switch {
	case len(r.Header.Values("Authorization")) != 1 || !strings.EqualFold(scheme, "bearer"):
		header.Set("WWW-Authenticate", `Bearer realm="retentionops"`)
		return Principal{}, functions.Errorf(functions.Unauthenticated, "").WithHint("send Authorization: Bearer KEY")
	case !known:
		header.Set("WWW-Authenticate", `Bearer realm="retentionops", error="invalid_token"`)
		return Principal{}, functions.Errorf(functions.Unauthenticated, "")
	case !slices.Contains(scopes, functions.ScopeRead): // everything here is reading
		header.Set("WWW-Authenticate", `Bearer realm="retentionops", error="insufficient_scope", scope="`+string(functions.ScopeRead)+`"`)
		return Principal{}, functions.Errorf(functions.PermissionDenied, "the gateway needs the scope %s", functions.ScopeRead).
			WithHint("ask the operator for a key with that scope")
	}
	return Principal{Name: name, Scopes: scopes}, nil
}

var soundID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func requestID(r *http.Request, newID func() string) string {
	if id := r.Header.Get("X-Request-Id"); soundID.MatchString(id) {
		return id
	}
	return newID()
}

// request is what the entrance knows of a request beside its principal.
type request struct{ id, agent string }

type requestKey struct{}

func withRequest(ctx context.Context, id, agent string) context.Context {
	return context.WithValue(ctx, requestKey{}, request{id, agent})
}

func requestOf(ctx context.Context) request {
	known, _ := ctx.Value(requestKey{}).(request)
	return known
}
