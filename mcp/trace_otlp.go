package mcp

import (
	"context"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// OTLP's messages, field by field, as far as the gateway sends them. OpenTelemetry's own exporters bring gRPC and all of
// protobuf's reflection with them and would nearly double the function; these numbers never change.

// writer writes the fields of a protobuf message.
type writer []byte

func (w *writer) text(field protowire.Number, text string) {
	if text != "" {
		*w = protowire.AppendString(protowire.AppendTag(*w, field, protowire.BytesType), text)
	}
}

func (w *writer) bytes(field protowire.Number, data []byte) {
	*w = protowire.AppendBytes(protowire.AppendTag(*w, field, protowire.BytesType), data)
}

func (w *writer) number(field protowire.Number, value uint64) {
	*w = protowire.AppendVarint(protowire.AppendTag(*w, field, protowire.VarintType), value)
}

func (w *writer) fixed(field protowire.Number, value uint64) {
	*w = protowire.AppendFixed64(protowire.AppendTag(*w, field, protowire.Fixed64Type), value)
}

func (w *writer) float(field protowire.Number, value float64) {
	w.fixed(field, math.Float64bits(value))
}

func (w *writer) time(field protowire.Number, at time.Time) { w.fixed(field, uint64(at.UnixNano())) }

// message writes a message inside this one.
func (w *writer) message(field protowire.Number, write func(*writer)) {
	var inner writer
	write(&inner)
	w.bytes(field, inner)
}

func (w *writer) attributes(field protowire.Number, all []attribute.KeyValue) {
	for _, one := range all {
		w.message(field, func(w *writer) {
			w.text(1, string(one.Key))
			w.message(2, func(w *writer) { w.value(one.Value) })
		})
	}
}

func (w *writer) value(value attribute.Value) {
	switch value.Type() {
	case attribute.BOOL:
		w.number(2, protowire.EncodeBool(value.AsBool()))
	case attribute.INT64:
		w.number(3, uint64(value.AsInt64()))
	case attribute.FLOAT64:
		w.float(4, value.AsFloat64())
	default: // a list among OTEL_RESOURCE_ATTRIBUTES cannot be
		w.bytes(1, []byte(value.String()))
	}
}

// within writes what is around the spans or measurements of one process.
func within(who *resource.Resource, by instrumentation.Scope, write func(*writer)) []byte {
	var request writer
	request.message(1, func(w *writer) {
		w.message(1, func(w *writer) { w.attributes(1, who.Attributes()) })
		w.message(2, func(w *writer) {
			w.message(1, func(w *writer) {
				w.text(1, by.Name)
				w.text(2, by.Version)
			})
			write(w)
		})
		w.text(3, who.SchemaURL())
	})
	return request
}

// spanExporter implements sdktrace.SpanExporter.
type spanExporter struct {
	to      *collector
	address string
}

// ExportSpans implements sdktrace.SpanExporter. All spans are of this process and this package.
func (e spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	e.to.post(ctx, e.address, within(spans[0].Resource(), spans[0].InstrumentationScope(), func(w *writer) {
		for _, span := range spans {
			w.message(2, func(w *writer) { w.span(span) })
		}
	}))
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (spanExporter) Shutdown(context.Context) error { return nil }

// span leaves the tracestate out: it is the caller's words.
func (w *writer) span(span sdktrace.ReadOnlySpan) {
	context, parent := span.SpanContext(), span.Parent()
	traceID, spanID := context.TraceID(), context.SpanID()
	w.bytes(1, traceID[:])
	w.bytes(2, spanID[:])
	if parent.HasSpanID() {
		id := parent.SpanID()
		w.bytes(4, id[:])
	}
	w.text(5, span.Name())
	w.number(6, uint64(span.SpanKind())) // counted as OTLP counts
	w.time(7, span.StartTime())
	w.time(8, span.EndTime())
	w.attributes(9, span.Attributes())
	for _, link := range span.Links() {
		w.message(13, func(w *writer) {
			traceID, spanID := link.SpanContext.TraceID(), link.SpanContext.SpanID()
			w.bytes(1, traceID[:])
			w.bytes(2, spanID[:])
			w.flags(6, link.SpanContext, link.SpanContext)
		})
	}
	if span.Status().Code == codes.Error {
		w.message(15, func(w *writer) { w.number(3, 2) })
	}
	w.flags(16, context, parent)
}

// flags are those of the W3C, and whether the other span is of another process.
func (w *writer) flags(field protowire.Number, of, span trace.SpanContext) {
	const known, remote = 0x100, 0x200
	flags := uint32(of.TraceFlags()) | known
	if span.IsRemote() {
		flags |= remote
	}
	*w = protowire.AppendFixed32(protowire.AppendTag(*w, field, protowire.Fixed32Type), flags)
}

// metricExporter implements sdkmetric.Exporter.
type metricExporter struct {
	to       *collector
	address  string
	counting metricdata.Temporality
}

// Temporality implements sdkmetric.Exporter.
func (e metricExporter) Temporality(sdkmetric.InstrumentKind) metricdata.Temporality {
	return e.counting
}

// Aggregation implements sdkmetric.Exporter.
func (metricExporter) Aggregation(kind sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(kind)
}

// Export implements sdkmetric.Exporter.
func (e metricExporter) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	for _, scope := range all.ScopeMetrics {
		e.to.post(ctx, e.address, within(all.Resource, scope.Scope, func(w *writer) {
			for _, metric := range scope.Metrics {
				if histogram, is := metric.Data.(metricdata.Histogram[float64]); is { // the gateway has no others
					w.message(2, func(w *writer) { w.histogram(metric, histogram) })
				}
			}
		}))
	}
	return nil
}

// ForceFlush implements sdkmetric.Exporter.
func (metricExporter) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdkmetric.Exporter.
func (metricExporter) Shutdown(context.Context) error { return nil }

func (w *writer) histogram(metric metricdata.Metrics, of metricdata.Histogram[float64]) {
	w.text(1, metric.Name)
	w.text(2, metric.Description)
	w.text(3, metric.Unit)
	w.message(9, func(w *writer) {
		for _, point := range of.DataPoints {
			w.message(1, func(w *writer) { w.point(point) })
		}
		if of.Temporality == metricdata.DeltaTemporality {
			w.number(2, 1)
		} else {
			w.number(2, 2)
		}
	})
}

func (w *writer) point(point metricdata.HistogramDataPoint[float64]) {
	w.time(2, point.StartTime)
	w.time(3, point.Time)
	w.fixed(4, point.Count)
	w.float(5, point.Sum)
	var counts, bounds writer
	for _, count := range point.BucketCounts {
		counts = protowire.AppendFixed64(counts, count)
	}
	for _, bound := range point.Bounds {
		bounds = protowire.AppendFixed64(bounds, math.Float64bits(bound))
	}
	w.bytes(6, counts)
	w.bytes(7, bounds)
	w.attributes(9, point.Attributes.ToSlice())
	if least, has := point.Min.Value(); has {
		w.float(11, least)
	}
	if most, has := point.Max.Value(); has {
		w.float(12, most)
	}
}
