package mcp

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector: it decodes OTLP with OpenTelemetry's own messages, and keeps the bytes.
type receiver struct {
	url string

	mu       sync.Mutex
	raw      bytes.Buffer
	header   http.Header
	resource map[string]any
	spans    []*traces.Span
	metrics  []*metrics.Metric
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw.Write(body)
	r.header = request.Header.Clone()
	if err := r.decode(request.URL.Path, body); err != nil || request.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not so", http.StatusBadRequest)
	}
}

func (r *receiver) decode(path string, body []byte) error {
	switch path {
	case "/v1/traces":
		var got collectortrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &got); err != nil {
			return err
		}
		for _, of := range got.ResourceSpans {
			r.resource = plainly(of.Resource.Attributes)
			for _, scope := range of.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
		return nil
	case "/v1/metrics":
		var got collectormetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &got); err != nil {
			return err
		}
		for _, of := range got.ResourceMetrics {
			for _, scope := range of.ScopeMetrics {
				r.metrics = append(r.metrics, scope.Metrics...)
			}
		}
		return nil
	default:
		return fmt.Errorf("nothing is at %s", path)
	}
}

func plainly(attributes []*common.KeyValue) map[string]any {
	all := map[string]any{}
	for _, one := range attributes {
		switch value := one.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			all[one.Key] = value.StringValue
		case *common.AnyValue_IntValue:
			all[one.Key] = value.IntValue
		default:
			all[one.Key] = fmt.Sprint(one.Value)
		}
	}
	return all
}

// span is a span as a test wants it.
type span struct {
	Name, Kind, Trace, Parent, Link string
	Failed                          bool
	Attributes                      map[string]any
}

// got are the spans that have arrived, by name.
func (r *receiver) got() map[string]span {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]span{}
	for _, one := range r.spans {
		s := span{
			Name: one.Name, Kind: one.Kind.String(), Trace: hex.EncodeToString(one.TraceId), Parent: hex.EncodeToString(one.ParentSpanId),
			Failed: one.Status.GetCode() == traces.Status_STATUS_CODE_ERROR, Attributes: plainly(one.Attributes),
		}
		if len(one.Links) == 1 {
			s.Link = hex.EncodeToString(one.Links[0].TraceId) + "/" + hex.EncodeToString(one.Links[0].SpanId)
		}
		all[one.Name] = s
	}
	return all
}

func (r *receiver) id(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.spans {
		if one.Name == name {
			return hex.EncodeToString(one.SpanId)
		}
	}
	return ""
}

// traced serves a gateway that sends what it does to a collector.
func traced(t *testing.T, endpoint string, more map[string]string, caller Caller) *served {
	t.Helper()
	settings := map[string]string{
		"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "0", "RETENTIONOPS_VERSION": "abc", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
	}
	maps.Copy(settings, more)
	gateway := serve(t, settings, caller)
	gateway.telemetry.patience = time.Minute // so that a slow machine loses nothing
	t.Cleanup(func() { gateway.Close(context.Background()) })
	return gateway
}
