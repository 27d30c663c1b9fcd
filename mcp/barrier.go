package mcp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

// patience bounds how long a step waits to be on its way before the work goes on.
const patience = 250 * time.Millisecond

// barrier makes sure that progress is written before what follows it. mcp-go hands notifications to a goroutine, which
// loses against the answer about half of the time.
type barrier struct {
	mu        sync.Mutex
	sent, out int
	moved     chan struct{} // closed and new with each event that is out
}

func newBarrier() *barrier { return &barrier{moved: make(chan struct{})} }

// passed counts an event that is out.
func (b *barrier) passed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out++
	close(b.moved)
	b.moved = make(chan struct{})
}

// send sends an event and waits until it is out.
func (b *barrier) send(ctx context.Context, event func() error) {
	b.mu.Lock()
	if event() != nil {
		b.mu.Unlock()
		return // nobody listens
	}
	b.sent++
	mine := b.sent
	late := time.NewTimer(patience)
	defer late.Stop()
	for b.out < mine {
		moved := b.moved
		b.mu.Unlock()
		select {
		case <-moved:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
		b.mu.Lock()
	}
	b.mu.Unlock()
}

type barrierKey struct{}

func withBarrier(ctx context.Context, b *barrier) context.Context {
	return context.WithValue(ctx, barrierKey{}, b)
}

// eventWriter counts the events of one HTTP answer: mcp-go flushes after each.
type eventWriter struct {
	http.ResponseWriter
	events *barrier
}

// WriteHeader implements http.ResponseWriter. No proxy on the way should keep events back.
func (w *eventWriter) WriteHeader(status int) {
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		w.Header().Set("X-Accel-Buffering", "no")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher.
func (w *eventWriter) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // whoever has hung up cannot be told
	w.events.passed()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *eventWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// lineWriter counts the notifications on a stream of lines, which mcp-go writes whole.
type lineWriter struct {
	io.Writer
	events *barrier
}

var notification = []byte(`"method":"notifications/`) // inside a text its quotes would be escaped

// Write implements io.Writer.
func (w *lineWriter) Write(line []byte) (int, error) {
	n, err := w.Writer.Write(line)
	if bytes.Contains(line, notification) {
		w.events.passed()
	}
	return n, err
}

// acknowledged waits until mcp-go's word that it listens is out: it comes the same way as progress, and must not come after
// the end of what it begins.
func acknowledged(ctx context.Context, _ any, _ *mcpgo.SubscriptionsListenRequest, _ *mcpgo.SubscriptionsListenResult) {
	if events, _ := ctx.Value(barrierKey{}).(*barrier); events != nil {
		events.send(ctx, func() error { return nil }) // it is sent already
	}
}

// reporter makes what a function reports the progress of an MCP request; to who did not ask for it nothing is sent.
func (g *Gateway) reporter(ctx context.Context, meta *mcpgo.Meta) func(functions.Progress) {
	events, _ := ctx.Value(barrierKey{}).(*barrier)
	if meta == nil || meta.ProgressToken == nil || events == nil {
		return unheard
	}
	last, between := 0.0, 1.0 // as long as nobody counts, each step is one
	return func(step functions.Progress) {
		if step.Step > 0 {
			between = 1.0 / 64
		}
		value := float64(step.Step)
		if value <= last {
			value = last + between // it must rise
		}
		last = value
		params := map[string]any{"progressToken": meta.ProgressToken, "progress": value, "message": step.Message}
		if step.Steps > 0 {
			params["total"] = step.Steps
		}
		events.send(ctx, func() error {
			return server.ServerFromContext(ctx).SendNotificationToClient(ctx, "notifications/progress", params)
		})
	}
}
