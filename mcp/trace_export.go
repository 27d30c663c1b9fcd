package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sethvargo/go-envconfig"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/semconv/v1.41.0/mcpconv"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// observed is what the gateway reads of OpenTelemetry's variables. Those of sampling, batches and further attributes of
// the process (OTEL_TRACES_SAMPLER, OTEL_BSP_*, OTEL_METRIC_EXPORT_INTERVAL, OTEL_RESOURCE_ATTRIBUTES) its SDK reads.
type observed struct {
	Disabled bool   `env:"OTEL_SDK_DISABLED"`
	Service  string `env:"OTEL_SERVICE_NAME"` // empty: retentionops-mcp
	Endpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	Traces   string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`  // in place of ENDPOINT/v1/traces
	Metrics  string `env:"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"` // in place of ENDPOINT/v1/metrics
	Headers  string `env:"OTEL_EXPORTER_OTLP_HEADERS"`          // a secret: NAME=VALUE, several separated by commas
	Protocol string `env:"OTEL_EXPORTER_OTLP_PROTOCOL, default=http/protobuf"`
	Timeout  int    `env:"OTEL_EXPORTER_OTLP_TIMEOUT, default=10000"` // milliseconds
	Counting string `env:"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, default=cumulative"`
}

const (
	flushPatience = 500 * time.Millisecond
	flushPause    = 30 * time.Second // how long nobody waits again for a collector that took longer, or failed
	metricsEvery  = 10 * time.Second // how often measurements are sent at the end of a call
	lastPatience  = 2 * time.Second  // for what is still kept when the process ends
)

// telemetry sends spans and measurements to a collector over HTTP; where none is named it costs and does nothing.
//
// A Cloud Function's CPU stands still between two requests, and so does every batch that waits for a timer. So the last
// call to end waits until what is kept has been sent, for a bounded time; under load the calls that go on keep the CPU,
// and the batches go by themselves. A collector that does not answer is waited for once in half a minute.
type telemetry struct {
	tracer   trace.Tracer
	duration mcpconv.ServerOperationDuration

	traces   *sdktrace.TracerProvider // nil: none are sent
	metrics  *sdkmetric.MeterProvider // nil: none are sent
	now      func() time.Time
	patience time.Duration // what a collector may take of the time of a call
	underWay atomic.Int64

	mu        sync.Mutex
	pausedTil time.Time
	measured  time.Time // when measurements were last sent at the end of a call
}

// newTelemetry never fails: with a fault in its settings nothing is sent, and the log says so once.
func newTelemetry(options Options, version string) *telemetry {
	t := &telemetry{now: options.Now, patience: flushPatience, tracer: tracenoop.NewTracerProvider().Tracer(scopeName)}
	t.duration, _ = mcpconv.NewServerOperationDuration(nil) // counts nothing, and cannot fail
	var from observed
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: &from, Lookuper: options.Lookuper})
	if err == nil && !from.Disabled {
		err = t.start(from, options.Logger, options.NewID(), version)
	}
	if err != nil {
		options.Logger.WarnContext(context.Background(), "mcp: no telemetry is sent", slog.String("error", err.Error()))
	}
	return t
}

func (t *telemetry) start(from observed, logger *slog.Logger, instance, version string) error {
	traces, err := signalAt(from.Traces, from.Endpoint, "/v1/traces")
	if err != nil {
		return err
	}
	metrics, err := signalAt(from.Metrics, from.Endpoint, "/v1/metrics")
	if err != nil || traces == "" && metrics == "" {
		return err
	}
	header, err := otlpHeaders(from.Headers)
	if err != nil {
		return err
	}
	if from.Protocol != "http/protobuf" || from.Timeout <= 0 {
		return errors.New("OTEL_EXPORTER_OTLP_PROTOCOL is not http/protobuf, or OTEL_EXPORTER_OTLP_TIMEOUT no number of milliseconds")
	}
	who, err := identityOf(from.Service, instance, version)
	if err != nil {
		return err
	}
	to := &collector{next: http.DefaultTransport, logger: logger, now: t.now, failed: t.pause}
	client := &http.Client{CheckRedirect: noRedirect, Transport: to} // what the headers hold is for the collector alone
	patience := time.Duration(from.Timeout) * time.Millisecond
	ctx := context.Background()
	if traces != "" {
		out, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(traces), otlptracehttp.WithHeaders(header), otlptracehttp.WithTimeout(patience),
			otlptracehttp.WithHTTPClient(client), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
		if err != nil {
			return err
		}
		t.traces = sdktrace.NewTracerProvider(sdktrace.WithResource(who), sdktrace.WithBatcher(quietSpans{out}))
		t.tracer = t.traces.Tracer(scopeName, trace.WithInstrumentationVersion(version))
	}
	if metrics != "" {
		out, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(metrics), otlpmetrichttp.WithHeaders(header), otlpmetrichttp.WithTimeout(patience),
			otlpmetrichttp.WithHTTPClient(client), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}),
			otlpmetrichttp.WithTemporalitySelector(counting(from.Counting)))
		if err != nil {
			return err
		}
		t.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithResource(who), sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter),
			sdkmetric.WithReader(sdkmetric.NewPeriodicReader(quietMetrics{out})))
		t.duration, err = mcpconv.NewServerOperationDuration(t.metrics.Meter(scopeName, metric.WithInstrumentationVersion(version)),
			metric.WithExplicitBucketBoundaries(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300))
		return err
	}
	return nil
}

// counting is how measurements are counted: from the beginning, so that what one message loses the next one tells, or, as
// some collectors want it, each message since the one before.
func counting(preference string) sdkmetric.TemporalitySelector {
	switch strings.ToLower(preference) {
	case "delta":
		return sdkmetric.DeltaTemporalitySelector
	case "lowmemory":
		return sdkmetric.LowMemoryTemporalitySelector
	default:
		return sdkmetric.CumulativeTemporalitySelector
	}
}

// signalAt is where a signal goes: to its own address as it stands, or below the common one; nowhere when neither is set.
func signalAt(own, common, path string) (string, error) {
	address := own
	if own == "" && common != "" {
		address = strings.TrimRight(common, "/") + path
	}
	if address == "" {
		return "", nil
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return "", errors.New("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: write https://HOST[:PORT][/PATH], credentials in OTEL_EXPORTER_OTLP_HEADERS")
	}
	return address, nil
}

// otlpHeaders reads NAME=VALUE, separated by commas, the values as in a URL. No error quotes them.
func otlpHeaders(text string) (map[string]string, error) {
	header := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, is := strings.Cut(pair, "=")
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !is || err != nil || name == "" {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS cannot be used: write NAME=VALUE, several separated by commas")
		}
		header[name] = plain
	}
	return header, nil
}

// identityOf is what spans and measurements say of the process: nothing of its machine, its user or its arguments.
func identityOf(service, instance, version string) (*resource.Resource, error) {
	named := resource.WithAttributes(semconv.ServiceName("retentionops-mcp"))
	told := resource.WithFromEnv() // OTEL_RESOURCE_ATTRIBUTES
	ours := resource.WithAttributes(semconv.ServiceVersion(version), semconv.ServiceInstanceID(instance))
	if service != "" {
		ours = resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(version), semconv.ServiceInstanceID(instance))
	}
	return resource.New(context.Background(), named, told, resource.WithTelemetrySDK(), ours)
}

// entered counts a call that has begun. What it returns is called when the call has ended, and sends what is kept when
// no other call is under way.
func (t *telemetry) entered() (left func()) {
	if t.traces == nil && t.metrics == nil {
		return func() {}
	}
	t.underWay.Add(1)
	return func() {
		if t.underWay.Add(-1) == 0 {
			t.flush()
		}
	}
}

func (t *telemetry) flush() {
	now := t.now()
	t.mu.Lock()
	paused, measure := now.Before(t.pausedTil), now.Sub(t.measured) >= metricsEvery
	if !paused && measure {
		t.measured = now
	}
	t.mu.Unlock()
	if paused {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.patience)
	defer cancel()
	if t.send(ctx, measure) != nil {
		t.pause()
	}
}

// send sends both signals at once.
func (t *telemetry) send(ctx context.Context, measurements bool) error {
	var both sync.WaitGroup
	var spans, measured error
	if t.traces != nil {
		both.Go(func() { spans = t.traces.ForceFlush(ctx) })
	}
	if t.metrics != nil && measurements {
		both.Go(func() { measured = t.metrics.ForceFlush(ctx) })
	}
	both.Wait()
	return errors.Join(spans, measured)
}

// pause lets the calls of the next time not wait.
func (t *telemetry) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pausedTil = t.now().Add(flushPause)
}

// close sends what is still kept, for a bounded time, and ends what works in the background.
func (t *telemetry) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastPatience)
	defer cancel()
	var both sync.WaitGroup
	if t.traces != nil {
		both.Go(func() { _ = t.traces.Shutdown(ctx) }) // what went wrong the collector has logged
	}
	if t.metrics != nil {
		both.Go(func() { _ = t.metrics.Shutdown(ctx) })
	}
	both.Wait()
}

// collector is the way to who the telemetry is sent to. What it does not take is lost: nobody waits longer, and nothing
// fails.
type collector struct {
	next   http.RoundTripper
	logger *slog.Logger
	now    func() time.Time
	failed func()

	mu     sync.Mutex
	logged time.Time
}

// RoundTrip implements http.RoundTripper. It sees what goes wrong before the exporter puts the address and the
// collector's own words around it.
func (c *collector) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // by whom depends on who gave up first
		c.lost(request.Context(), errors.New("the collector does not answer in time"))
	case err != nil:
		c.lost(request.Context(), fmt.Errorf("the collector cannot be reached: %w", err))
	case response.StatusCode/100 != 2:
		c.lost(request.Context(), fmt.Errorf("the collector answers with status %d", response.StatusCode))
	}
	return response, err
}

// lost logs once a minute that something was, without the address and the headers.
func (c *collector) lost(ctx context.Context, err error) {
	c.failed()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.logged) >= time.Minute {
		c.logged = now
		c.logger.WarnContext(ctx, "mcp: telemetry is lost", slog.String("error", err.Error()))
	}
}

// quietSpans and quietMetrics keep an exporter's errors from the SDK, which would write them where no line belongs: the
// collector has logged them.
type (
	quietSpans   struct{ sdktrace.SpanExporter }
	quietMetrics struct{ sdkmetric.Exporter }
)

// ExportSpans implements sdktrace.SpanExporter.
func (q quietSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	_ = q.SpanExporter.ExportSpans(ctx, spans)
	return nil
}

// Export implements sdkmetric.Exporter.
func (q quietMetrics) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	_ = q.Exporter.Export(ctx, all)
	return nil
}
