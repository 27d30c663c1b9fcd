package mcp

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// BenchmarkCall is a call of a tool through the gateway and a door of this process, with and without a collector on this
// machine. One after the other each call waits for the collector; side by side only the last of a crowd does.
func BenchmarkCall(b *testing.B) {
	var posts atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	b.Cleanup(collector.Close)
	for _, way := range []struct{ name, endpoint string }{{"untraced", ""}, {"traced", collector.URL}} {
		gateway := benchmarked(b, way.endpoint)
		b.Run(way.name+"/one after the other", func(b *testing.B) {
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				callOnce(b, gateway)
			}
		})
		b.Run(way.name+"/side by side", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			posts.Store(0)
			defer reportCPU(b)()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					callOnce(b, gateway)
				}
			})
			b.ReportMetric(float64(posts.Load())/float64(b.N), "posts/op")
		})
	}
}

// reportCPU reports the CPU that a call takes, the collector's share with it: it is the same on a busy machine.
func reportCPU(b *testing.B) (report func()) {
	b.Helper()
	before := usedCPU(b)
	return func() { b.ReportMetric(float64(usedCPU(b)-before)/float64(b.N), "cpu-ns/op") }
}

func usedCPU(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

func benchmarked(b *testing.B, endpoint string) *Gateway {
	b.Helper()
	d := door.New(envconfig.MapLookuper(map[string]string{"RETENTIONOPS_AUTH": "local"}), slog.New(slog.DiscardHandler), time.Now,
		func() string { return ulid.Make().String() })
	gateway, err := New(Options{
		Lookuper: envconfig.MapLookuper(map[string]string{
			"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "0", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
		}),
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: func() string { return ulid.Make().String() },
		Caller: Local(map[string]http.Handler{"get_alert_decision": door.Handle(d, functions.GetAlertDecision, anAlert)}),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { gateway.Close(context.Background()) })
	return gateway
}

func callOnce(b *testing.B, gateway *Gateway) {
	b.Helper()
	body := modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"})
	request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "http://localhost"+Path, strings.NewReader(string(body)))
	request.RemoteAddr = "127.0.0.1:1"
	modern.headers(request.Header, body)
	w := httptest.NewRecorder()
	gateway.ServeHTTP(w, request)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "17.18") {
		b.Fatal(w.Code, w.Body)
	}
}
