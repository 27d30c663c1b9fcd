package mcp

import (
	"context"
	"io"
	"log/slog"

	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

// ServeStdio serves one client over two streams, a message a line, until the input ends or the context does. Who starts
// the process is its only caller: it needs no key, and no limit holds it back.
func (g *Gateway) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := g.Check(); err != nil {
		return err
	}
	defer g.telemetry.flush()
	events := newBarrier()
	stdio := server.NewStdioServer(g.mcp)
	stdio.SetErrorLogger(slog.NewLogLogger(g.logger.Handler(), slog.LevelWarn))
	stop := ctx
	stdio.SetContextFunc(func(ctx context.Context) context.Context {
		ctx = functions.WithStop(ctx, stop) // what was confirmed goes on when the input ends, and gives way to a signal
		if client := server.ClientSessionFromContext(ctx); client != nil {
			client.Initialize() // a client of 2026-07-28 never says so itself, and would hear of no progress
		}
		return withBarrier(withPrincipal(ctx, Principal{Name: "local", Scopes: functions.Scopes}), events)
	})
	if err := stdio.Listen(ctx, in, &lineWriter{Writer: out, events: events}); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
