// Package mcp is the gateway: it offers the tools of the contract to assistants over the Model Context Protocol, by
// streamable HTTP and by standard input and output, reads what is asked, and passes calls on to the functions.
//
// It holds no trade of its own and reaches no data: what a tool does is the function's. Tools that act are hidden unless
// the settings offer them, and show their dry run alone to who may only read. What reaches people or leaves the house
// (export_audience, trigger_playbook) needs a confirmation: the gateway finds out by a dry run what would happen, says it
// in its own words, and does exactly that after a yes. It remembers nothing in between: what was asked travels with the
// client, sealed.
package mcp

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// Caller calls a function by its tool. An error that its caller may read is a *functions.Error; report is told how far
// a long call has come.
type Caller interface {
	Call(ctx context.Context, tool *functions.Tool, input json.RawMessage, report func(functions.Progress)) (json.RawMessage, error)
}

// Principal is who asks, as the entrance has found out.
type Principal struct {
	Name   string
	Scopes []functions.Scope

	stepsUp bool // it can come again with more scopes: it has them of an authorization server
}

// Options are what a gateway needs of its program.
type Options struct {
	Lookuper envconfig.Lookuper
	Logger   *slog.Logger
	Now      func() time.Time
	NewID    func() string
	Caller   Caller
}

// Gateway serves the tools to assistants. It keeps nothing between two requests but the limits of its callers, and for a
// moment the newest runs, for completions.
type Gateway struct {
	config settings
	closed *functions.Error // why nobody is let in over HTTP; nil when it is open
	keys   door.Keyring
	limits *limiter

	telemetry *telemetry
	seals     *seals // nil: nothing can be confirmed, and the tools that act are hidden

	auditKey []byte // of the digests in the log

	tools  map[string]forms
	knocks *knocks

	authorized *authorized // by a token of an authorization server; nil when there is none

	caller Caller
	logger *slog.Logger
	now    func() time.Time
	newID  func() string

	bodyTime time.Duration // what the body of a request may take

	mcp  *server.MCPServer
	http http.Handler // mcp-go's, behind the guard
}

// Lists change with a deployment; what is read changes with every run.
const listsFresh = 5 * time.Minute

// New makes a gateway. A fault in its settings does not stop the program: as a function's door it stays closed, says so
// to whoever knocks, and why in the log. Its error is a fault of the program.
func New(options Options) (*Gateway, error) {
	g := &Gateway{
		caller: options.Caller, logger: options.Logger, now: options.Now, newID: options.NewID, tools: map[string]forms{}, bodyTime: bodyTime,
	}
	g.knocks = newKnocks()
	g.closed = g.configure(options.Lookuper)
	g.auditKey = g.seals.auditKey()
	g.limits = newLimiter(g.config.Rate, options.Now)
	g.telemetry = newTelemetry(options, version(g.config.Version))
	traces := messages{g}
	completions := &completer{g: g, recent: recent{turn: newTurn()}}
	g.mcp = server.NewMCPServer("retentionops", version(g.config.Version),
		server.WithTitle("RetentionOps"), server.WithInstructions(g.instructions()),
		// No list ever changes while the process lives: a stream that waits for it would only be billed.
		server.WithToolCapabilities(false), server.WithResourceCapabilities(false, false), server.WithPromptCapabilities(false),
		server.WithExtensions(extensions),
		server.WithCompletions(), server.WithPromptCompletionProvider(completions), server.WithResourceCompletionProvider(completions),
		server.WithCacheHints(listsFresh.Milliseconds(), mcpgo.CacheScopePrivate),
		server.WithMethodCacheHints(mcpgo.MethodResourcesRead, 0, mcpgo.CacheScopePrivate),
		server.WithLogger(slog.New(slog.DiscardHandler)), // the audit line says what is to be said
		server.WithToolFilter(g.visible), server.WithToolFilter(narrowed), server.WithHooks(g.hooks()),
		server.WithTracer(traces), server.WithPropagator(traces), server.WithMetaPropagator(traces),
	)
	if err := g.addTools(); err != nil {
		return nil, err
	}
	g.addResources()
	g.addApp()
	g.addPrompts()
	g.http = server.NewStreamableHTTPServer(g.mcp, server.WithStateLess(true), server.WithDisableStreaming(true),
		server.WithDisableLocalhostProtection(true), // the guard looks at the Host, with a list
		server.WithStreamableHTTPLogger(g.logger))
	return g, nil
}

func version(deployed string) string {
	if deployed == "" {
		return "dev"
	}
	return deployed
}

// Check reports why the gateway is closed; nil when it is not.
func (g *Gateway) Check() error {
	if g.closed == nil {
		return nil
	}
	return g.closed
}

// Close sends what is still kept of spans and measurements, in bounded time. Where none are sent it does nothing.
func (g *Gateway) Close(ctx context.Context) { g.telemetry.close(ctx) }

type principalKey struct{}

func withPrincipal(ctx context.Context, who Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, who)
}

// principalOf is who asks; nobody, who may nothing, when no entrance said.
func principalOf(ctx context.Context) Principal {
	who, _ := ctx.Value(principalKey{}).(Principal)
	return who
}
