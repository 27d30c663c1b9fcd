package mcp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/mark3labs/mcp-go/tracing"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/semconv/v1.41.0/mcpconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/retentionops/retentionops/functions"
)

// The names in spans and metrics are those of OpenTelemetry's conventions for MCP. Every value is from a closed set: no
// argument, no address with its variables, no error's text, nothing else that a caller has written.

// other stands for what a caller has named and nobody knows.
const other = "_OTHER"

// errorCode is the code of ours that an error carries, beside the error.type of the conventions.
const errorCode = attribute.Key("retentionops.error.code")

// scopeName names this code to those who read its spans.
const scopeName = "github.com/retentionops/retentionops/mcp"

var w3c propagation.TraceContext

// knownMethods are those that a client may send.
var knownMethods = map[string]bool{
	string(mcpgo.MethodInitialize): true, string(mcpgo.MethodPing): true, string(mcpgo.MethodServerDiscover): true,
	string(mcpgo.MethodToolsList): true, string(mcpgo.MethodToolsCall): true,
	string(mcpgo.MethodResourcesList): true, string(mcpgo.MethodResourcesTemplatesList): true, string(mcpgo.MethodResourcesRead): true,
	string(mcpgo.MethodPromptsList): true, string(mcpgo.MethodPromptsGet): true, string(mcpgo.MethodCompletionComplete): true,
	string(mcpgo.MethodSubscriptionsListen):     true,
	string(mcpgo.MethodNotificationInitialized): true, string(mcpgo.MethodNotificationCancelled): true,
	string(mcpgo.MethodNotificationProgress): true, string(mcpgo.MethodNotificationRootsListChanged): true,
}

// messages is the tracer and the propagator that mcp-go asks: one span and one measurement a message, whichever way the
// message came.
type messages struct{ g *Gateway }

// arrival is what the transport said of a message.
type arrival struct {
	overHTTP bool
	version  string            // of the protocol, as the header has it
	ambient  trace.SpanContext // its own trace, when the message names another
}

type arrivalKey struct{}

// ExtractMeta implements tracing.MetaPropagator. mcp-go asks it first.
func (messages) ExtractMeta(ctx context.Context, meta *mcpgo.Meta) context.Context {
	if meta == nil {
		return ctx
	}
	carried := propagation.MapCarrier{}
	for _, field := range w3c.Fields() {
		if text, is := meta.AdditionalFields[field].(string); is {
			carried[field] = text
		}
	}
	return w3c.Extract(ctx, carried)
}

// Extract implements tracing.Propagator. The trace that a message names itself is its parent, as the conventions want;
// that of the HTTP request is then linked, else it is the parent.
func (messages) Extract(ctx context.Context, header http.Header) context.Context {
	arrived := arrival{overHTTP: len(header) > 0, version: header.Get(server.HeaderKeyProtocolVersion)}
	carried := w3c.Extract(ctx, propagation.HeaderCarrier(header))
	if named := trace.SpanContextFromContext(ctx); !named.IsValid() {
		ctx = carried
	} else if ambient := trace.SpanContextFromContext(carried); !ambient.Equal(named) {
		arrived.ambient = ambient
	}
	return context.WithValue(ctx, arrivalKey{}, arrived)
}

// InjectMeta implements tracing.MetaPropagator: the gateway asks nobody over MCP.
func (messages) InjectMeta(_ context.Context, meta *mcpgo.Meta) *mcpgo.Meta { return meta }

// Inject implements tracing.Propagator.
func (messages) Inject(ctx context.Context, header http.Header) {
	w3c.Inject(ctx, propagation.HeaderCarrier(header))
}

// Start implements tracing.Tracer. Of what mcp-go says of a message only the method is taken: the rest is the caller's
// words. Its span of a tool would say what the span of the message says.
func (m messages) Start(ctx context.Context, name string, kind tracing.SpanKind, _ ...tracing.Attribute) (context.Context, tracing.Span) {
	if kind != tracing.SpanKindServer {
		return tracing.NoopTracer().Start(ctx, name, kind)
	}
	one := &message{g: m.g, method: strings.TrimPrefix(name, "mcp."), began: m.g.now()}
	if !knownMethods[one.method] {
		one.method = other
	}
	arrived, _ := ctx.Value(arrivalKey{}).(arrival)
	one.is(semconv.NetworkTransportPipe)
	if arrived.overHTTP {
		one.attributes[0] = semconv.NetworkTransportTCP
		one.is(semconv.NetworkProtocolName("http"))
	}
	if version := cmp.Or(server.RequestProtocolVersion(ctx), arrived.version); mcpgo.IsValidProtocolVersion(version) {
		one.is(semconv.McpProtocolVersion(version))
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	if arrived.ambient.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: arrived.ambient}))
	}
	ctx, one.span = m.g.telemetry.tracer.Start(ctx, one.method, options...)
	return context.WithValue(ctx, messageKey{}, one), one
}

// message is one message of a client while it is worked on.
type message struct {
	g          *Gateway
	span       trace.Span
	method     string
	began      time.Time
	attributes []attribute.KeyValue
	status     string // the code of the JSON-RPC error that it is answered with
	failed     string // error.type
}

type messageKey struct{}

// messageOf is the message that is worked on; one that nobody sees, outside of any.
func messageOf(ctx context.Context) *message {
	if one, is := ctx.Value(messageKey{}).(*message); is {
		return one
	}
	return &message{span: trace.SpanFromContext(context.Background())}
}

func (o *message) is(attributes ...attribute.KeyValue) {
	o.attributes = append(o.attributes, attributes...)
}

// What a message can be about.
const (
	aTool     = semconv.GenAIToolNameKey
	aPrompt   = semconv.GenAIPromptNameKey
	aResource = semconv.McpResourceURIKey
)

// about says what the message is about. The name must be one of ours: of a resource the address as it is offered.
func (o *message) about(kind attribute.Key, name string) {
	switch kind {
	case aResource: // not for the name and the measurement, say the conventions
		o.span.SetAttributes(kind.String(name))
		return
	case aTool:
		o.is(semconv.GenAIOperationNameExecuteTool)
	}
	o.is(kind.String(name))
	o.span.SetName(o.method + " " + name)
}

// ended says how the work on the message ended. A tool's error is a result to MCP; what else fails is answered with an
// error of JSON-RPC, whose code mcp-go knows.
func (o *message) ended(err error) {
	if err == nil {
		return
	}
	o.is(errorCode.String(string(functions.CodeOf(err))))
	if o.method == string(mcpgo.MethodToolsCall) {
		o.failed = "tool_error"
	}
}

// answeredWith is a hook: it keeps the code of an error of JSON-RPC.
func answeredWith(ctx context.Context, _ any, _ mcpgo.MCPMethod, _ any, err error) {
	if refused, is := errors.AsType[interface {
		error
		ToJSONRPCError() mcpgo.JSONRPCError
	}](err); is {
		messageOf(ctx).status = strconv.Itoa(refused.ToJSONRPCError().Error.Code)
	}
}

// SetAttributes implements tracing.Span: what mcp-go sets is the caller's words, or known.
func (*message) SetAttributes(...tracing.Attribute) {}

// RecordError implements tracing.Span: the text of an error stays in the log.
func (*message) RecordError(error) {}

// SetStatus implements tracing.Span.
func (o *message) SetStatus(code tracing.StatusCode, _ string) {
	if code == tracing.StatusError && o.failed == "" {
		o.failed = other
	}
}

// End implements tracing.Span.
func (o *message) End() {
	if o.status != "" {
		o.failed = o.status
		o.is(semconv.RPCResponseStatusCode(o.status))
	}
	if o.failed != "" {
		o.is(semconv.ErrorTypeKey.String(o.failed))
		o.span.SetStatus(codes.Error, "")
	}
	ctx := trace.ContextWithSpan(context.Background(), o.span)
	o.g.telemetry.duration.Record(ctx, o.g.now().Sub(o.began).Seconds(), mcpconv.MethodNameAttr(o.method), o.attributes...)
	o.is(semconv.McpMethodNameKey.String(o.method))
	o.span.SetAttributes(o.attributes...)
	o.span.End()
}

// traceOf is where a message stands in its trace, for the log.
func (g *Gateway) traceOf(ctx context.Context) []slog.Attr {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return nil
	}
	id := span.TraceID().String()
	if g.config.Project != "" {
		id = "projects/" + g.config.Project + "/traces/" + id
	}
	return []slog.Attr{slog.String("trace", id), slog.String("span_id", span.SpanID().String())}
}

// startCall begins the span of a call to a function, by the conventions for HTTP, and tells the function of it.
func startCall(request *http.Request, tool *functions.Tool) trace.Span {
	ctx := request.Context()
	where := url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host, Path: request.URL.Path}
	attributes := []attribute.KeyValue{
		semconv.HTTPRequestMethodPost, semconv.URLFull(where.String()), semconv.ServerAddress(where.Hostname()),
	}
	if port, err := strconv.Atoi(where.Port()); err == nil {
		attributes = append(attributes, semconv.ServerPort(port))
	}
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer(scopeName).Start(ctx, "POST "+tool.Name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	w3c.Inject(ctx, propagation.HeaderCarrier(request.Header))
	return span
}

// endCall ends the span of a call.
func endCall(span trace.Span, response *http.Response, err error) {
	if response != nil {
		span.SetAttributes(semconv.HTTPResponseStatusCode(response.StatusCode))
	}
	if err != nil {
		span.SetAttributes(semconv.ErrorTypeKey.String(string(functions.CodeOf(err))))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
