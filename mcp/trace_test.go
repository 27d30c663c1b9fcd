package mcp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

const (
	metaTrace   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	headerTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// seeing tells what trace the doors behind a caller are told of.
func seeing(handlers map[string]http.Handler, seen *safeBuffer) map[string]http.Handler {
	all := map[string]http.Handler{}
	for name, handler := range handlers {
		all[name] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(seen, r.Header.Get("Traceparent")+" "+r.Header.Get("Tracestate"))
			handler.ServeHTTP(w, r)
		})
	}
	return all
}

// deployedAt calls doors over HTTPS.
func deployedAt(t *testing.T, handlers map[string]http.Handler) Caller {
	t.Helper()
	mux, connected := http.NewServeMux(), ""
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	for name, handler := range handlers {
		mux.Handle("/"+name, handler)
		connected += " " + name + "=" + server.URL + "/" + name
	}
	return newDeployed(connected, server.Client(), newIdentity(time.Now))
}

func TestACallIsTracedFromTheClientToTheFunction(t *testing.T) {
	t.Parallel()
	callers := map[string]func(*testing.T, *safeBuffer) Caller{
		"in this process": func(t *testing.T, seen *safeBuffer) Caller {
			t.Helper()
			return Local(seeing(doorsWith(t, door.ModeLocal, work{}), seen))
		},
		"over HTTPS": func(t *testing.T, seen *safeBuffer) Caller {
			t.Helper()
			return deployedAt(t, seeing(doorsWith(t, door.ModeIAM, work{}), seen))
		},
	}
	for name, caller := range callers {
		for _, e := range eras {
			t.Run(name+", "+string(e), func(t *testing.T) {
				t.Parallel()
				collector, seen := receive(t), &safeBuffer{}
				gateway := traced(t, collector.url, nil, caller(t, seen))
				request := gateway.request(t, e, e.message(1, "tools/call", map[string]any{
					"name": "get_alert_decision", "_meta": map[string]any{"traceparent": metaTrace, "tracestate": "vendor=1"},
				}))
				request.Header.Set("Traceparent", headerTrace)
				if got := gateway.send(t, request); got.Result.IsError {
					t.Fatal(got.text())
				}
				// Nothing more is asked of the gateway: what the call was has been sent when it ended.
				spans := collector.got()
				call := spans["POST get_alert_decision"]
				if call.Attributes["server.address"] == "" || call.Attributes["url.full"] == "" {
					t.Errorf("where was it called? %v", call.Attributes)
				}
				for _, varying := range []string{"server.address", "server.port", "url.full"} {
					delete(call.Attributes, varying)
				}
				spans[call.Name] = call
				want := map[string]span{
					"tools/call get_alert_decision": {
						Name: "tools/call get_alert_decision", Kind: "SPAN_KIND_SERVER",
						Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Parent: "00f067aa0ba902b7", Link: "0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331",
						Attributes: map[string]any{
							"mcp.method.name": "tools/call", "mcp.protocol.version": string(e), "gen_ai.tool.name": "get_alert_decision",
							"gen_ai.operation.name": "execute_tool", "network.transport": "tcp", "network.protocol.name": "http",
						},
					},
					"POST get_alert_decision": {
						Name: "POST get_alert_decision", Kind: "SPAN_KIND_CLIENT", Trace: "4bf92f3577b34da6a3ce929d0e0e4736",
						Parent:     collector.id("tools/call get_alert_decision"),
						Attributes: map[string]any{"http.request.method": "POST", "http.response.status_code": int64(200)},
					},
				}
				if diff := cmp.Diff(want, spans); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				told := "00-4bf92f3577b34da6a3ce929d0e0e4736-" + collector.id("POST get_alert_decision") + "-01 vendor=1\n"
				if seen.String() != told {
					t.Errorf("the function was told %q, want %q", seen.String(), told)
				}
				if log := gateway.log.String(); !strings.Contains(log, `"logging.googleapis.com/trace":"4bf92f3577b34da6a3ce929d0e0e4736"`) {
					t.Errorf("the line of the call names no trace: %s", log)
				}
			})
		}
	}
}

// TestTheTraceOfTheRequestIsTheParent when the message names none; and a broken one is none.
func TestTheTraceOfTheRequestIsTheParent(t *testing.T) {
	t.Parallel()
	collector := receive(t)
	gateway := traced(t, collector.url, map[string]string{"OTEL_SERVICE_NAME": "mine"}, Local(doorsWith(t, door.ModeLocal, work{})))
	request := gateway.request(t, modern, modern.message(1, "tools/list", map[string]any{"_meta": map[string]any{"traceparent": 7}}))
	request.Header.Set("Traceparent", headerTrace)
	gateway.send(t, request)
	if got := collector.got()["tools/list"]; got.Trace != "0af7651916cd43dd8448eb211c80319c" || got.Parent != "b7ad6b7169203331" || got.Link != "" {
		t.Errorf("%+v", got)
	}
	request = gateway.request(t, modern, modern.message(1, "prompts/list", nil))
	request.Header.Set("Traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01")
	gateway.send(t, request)
	if got := collector.got()["prompts/list"]; got.Parent != "" || len(got.Trace) != 32 {
		t.Errorf("%+v", got)
	}
	if collector.resource["service.name"] != "mine" || collector.resource["service.version"] != "abc" || collector.resource["service.instance.id"] == "" {
		t.Errorf("sent by %v", collector.resource)
	}
}

// TestFailuresAreTraced by their class alone.
func TestFailuresAreTraced(t *testing.T) {
	t.Parallel()
	broken := work{alert: func(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
		return functions.GetAlertDecisionOutput{}, errSecret
	}}
	for name, test := range map[string]struct {
		method string
		params map[string]any
		span   string
		want   map[string]any
	}{
		"a tool's error": {
			"tools/call",
			map[string]any{"name": "get_alert_decision"},
			"tools/call get_alert_decision",
			map[string]any{"error.type": "tool_error", "retentionops.error.code": "internal", "rpc.response.status_code": nil},
		},
		"its call": {
			"tools/call",
			map[string]any{"name": "get_alert_decision"},
			"POST get_alert_decision",
			map[string]any{"error.type": "internal", "http.response.status_code": int64(200)},
		},
		"a wrong argument": {
			"tools/call",
			map[string]any{"name": "get_alert_decision", "arguments": map[string]any{"dte": "x"}},
			"tools/call get_alert_decision",
			map[string]any{"error.type": "tool_error", "retentionops.error.code": "invalid_argument"},
		},
		"an unknown tool": {
			"tools/call",
			map[string]any{"name": "drop_tables"},
			"tools/call",
			map[string]any{"error.type": "-32602", "rpc.response.status_code": "-32602", "gen_ai.tool.name": nil},
		},
		"a resource that cannot be read": {
			"resources/read",
			map[string]any{"uri": "retention://explanation/latest/C-4711"},
			"resources/read",
			map[string]any{
				"error.type": "-32603", "mcp.resource.uri": "retention://explanation/{date}/{customer_id}", "retentionops.error.code": "unavailable",
			},
		},
		"a prompt that cannot be made": {
			"prompts/get",
			map[string]any{"name": "daily_review", "arguments": map[string]any{"date": "never"}},
			"prompts/get daily_review",
			map[string]any{"error.type": "-32603", "gen_ai.prompt.name": "daily_review", "retentionops.error.code": "invalid_argument"},
		},
		"an unknown method": {
			"drop/tables", nil, other, map[string]any{"mcp.method.name": other, "error.type": other},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range eras {
				collector := receive(t)
				gateway := traced(t, collector.url, nil, Local(doorsWith(t, door.ModeLocal, broken)))
				gateway.ask(t, e, 1, test.method, test.params)
				got, is := collector.got()[test.span]
				if !is || !got.Failed {
					t.Fatalf("%s: %+v among %v", e, got, collector.got())
				}
				for key, want := range test.want {
					if got.Attributes[key] != want {
						t.Errorf("%s: %s is %v, want %v", e, key, got.Attributes[key], want)
					}
				}
			}
		})
	}
}

// TestOperationsAreMeasured in the conventions' buckets.
func TestOperationsAreMeasured(t *testing.T) {
	t.Parallel()
	collector := receive(t)
	gateway := traced(t, "", map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": collector.url + "/v1/metrics"},
		Local(doorsWith(t, door.ModeLocal, work{})))
	for range 3 {
		gateway.tool(t, modern, "get_alert_decision", `{}`)
	}
	gateway.tool(t, modern, "get_alert_decision", `{"dte": "x"}`)
	gateway.ask(t, legacy, 1, "tools/list", nil)
	gateway.Close(t.Context())
	if len(collector.spans) > 0 {
		t.Error("spans are sent, and no address for them is set")
	}
	last := collector.metrics[len(collector.metrics)-1]
	if last.Name != "mcp.server.operation.duration" || last.Unit != "s" ||
		last.GetHistogram().AggregationTemporality != metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
		t.Errorf("it is %s in %s, %v", last.Name, last.Unit, last.GetHistogram())
	}
	counted := map[string]uint64{}
	for _, point := range last.GetHistogram().DataPoints {
		of := plainly(point.Attributes)
		counted[fmt.Sprint(of["mcp.method.name"], " ", of["gen_ai.tool.name"], " ", of["error.type"], " ", of["retentionops.error.code"])] += point.Count
		if diff := cmp.Diff([]float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}, point.ExplicitBounds); diff != "" {
			t.Errorf("the buckets: -want +got:\n%s", diff)
		}
		in := uint64(0)
		for _, bucket := range point.BucketCounts {
			in += bucket
		}
		if in != point.Count || len(point.BucketCounts) != len(point.ExplicitBounds)+1 || point.GetSum() <= 0 || point.GetMax() < point.GetMin() {
			t.Errorf("%v", point)
		}
		if of["network.transport"] != "tcp" || of["mcp.protocol.version"] == nil {
			t.Errorf("%v", of)
		}
	}
	want := map[string]uint64{
		"tools/call get_alert_decision <nil> <nil>": 3, "tools/call get_alert_decision tool_error invalid_argument": 1, "tools/list <nil> <nil> <nil>": 1,
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEachMessageCountsFromTheOneBefore where the collector wants it so.
func TestEachMessageCountsFromTheOneBefore(t *testing.T) {
	t.Parallel()
	collector := receive(t)
	gateway := traced(t, collector.url, map[string]string{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"},
		Local(doorsWith(t, door.ModeLocal, work{})))
	gateway.tool(t, modern, "get_alert_decision", `{}`) // is sent when it ends
	gateway.tool(t, modern, "get_alert_decision", `{}`)
	gateway.Close(t.Context())
	if len(collector.metrics) != 2 {
		t.Fatalf("%d messages are here", len(collector.metrics))
	}
	for _, one := range collector.metrics {
		of := one.GetHistogram()
		if of.AggregationTemporality != metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA || len(of.DataPoints) != 1 || of.DataPoints[0].Count != 1 {
			t.Errorf("%v", of)
		}
	}
}

// TestNothingOfTheCallerIsSent searches the very bytes.
func TestNothingOfTheCallerIsSent(t *testing.T) {
	t.Parallel()
	collector := receive(t)
	gateway := traced(t, collector.url, map[string]string{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1", "RETENTIONOPS_MCP_KEYS": "principal-ada:read:" + sumOf("bearer-token"),
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20collector-key, x-tenant = acme",
	}, deployedAt(t, doorsWith(t, door.ModeIAM, work{
		alert: func(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
			return functions.GetAlertDecisionOutput{}, errSecret
		},
		read: func(context.Context, functions.ReadRecordInput) (functions.ReadRecordOutput, error) {
			return functions.ReadRecordOutput{}, functions.Errorf(functions.NotFound, "customer-4711 is not there")
		},
	})))
	send := func(method string, params map[string]any) {
		params["_meta"] = map[string]any{"progressToken": "progress-token", "tracestate": "vendor=1", "traceparent": metaTrace, "baggage": "user=baggage-text"}
		request := gateway.request(t, modern, modern.message("id-text", method, params))
		request.Header.Set("Authorization", "Bearer bearer-token")
		request.Header.Set("User-Agent", "agent-text")
		request.Header.Set("X-Request-Id", "request-id-text")
		request.Header.Set("Baggage", "user=baggage-text")
		gateway.send(t, request)
	}
	send("tools/call", map[string]any{"name": "get_alert_decision", "arguments": map[string]any{"date": "2031-05-17"}})
	send("tools/call", map[string]any{"name": "get_alert_decision", "arguments": map[string]any{"argument-name": "argument-value"}})
	send("tools/call", map[string]any{"name": "tool-name-text"})
	send("method/text", map[string]any{"name": "get_alert_decision"})
	send("prompts/get", map[string]any{"name": "explain_customer", "arguments": map[string]any{"customer_id": "customer-4711"}})
	send("prompts/get", map[string]any{"name": "prompt-name-text"})
	send("resources/read", map[string]any{"uri": "retention://explanation/latest/customer-4711"})
	send("resources/read", map[string]any{"uri": "retention://address-text"})
	send("completion/complete", map[string]any{
		"ref": map[string]any{"type": "ref/prompt", "name": "daily_review"}, "argument": map[string]any{"name": "date", "value": "value-text"},
	})
	gateway.Close(t.Context())
	if sent := len(collector.got()); sent < 7 || len(collector.metrics) == 0 {
		t.Fatalf("only %d kinds of spans and %d measurements are here", sent, len(collector.metrics))
	}
	raw := collector.raw.String()
	for _, text := range []string{
		"bearer-token", "collector-key", "acme", "hunter2", "principal-ada", "agent-text", "request-id-text", "id-text", "progress-token",
		"baggage-text", "2031-05-17", "argument-", "tool-name-text", "method/text", "customer-4711", "prompt-name-text", "address-text", "value-text", "eyJ",
	} {
		if strings.Contains(raw, text) {
			t.Errorf("%q is sent", text)
		}
	}
	if collector.header.Get("Authorization") != "Basic collector-key" || collector.header.Get("X-Tenant") != "acme" {
		t.Errorf("the collector was shown %v", collector.header)
	}
	if log := gateway.log.String(); strings.Contains(log, "collector-key") {
		t.Error("the log has it")
	}
}

// TestACollectorThatDoesNotWork harms no call: it answers when all calls have been answered, or never.
func TestACollectorThatDoesNotWork(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}))
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "password=hunter2", http.StatusServiceUnavailable)
	}))
	gone := httptest.NewServer(nil)
	gone.Close()
	t.Cleanup(hanging.Close)
	t.Cleanup(refusing.Close)
	t.Cleanup(func() { close(release) })
	for name, test := range map[string]struct{ url, logged string }{
		"gone": {gone.URL, "cannot be reached"}, "hanging": {hanging.URL, "not answer in time"}, "refusing": {refusing.URL, "status 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := traced(t, test.url, nil, Local(doorsWith(t, door.ModeLocal, work{})))
			if name == "hanging" {
				gateway.telemetry.patience = 50 * time.Millisecond
			}
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					for range 5 {
						if got := gateway.tool(t, eras[i%2], "get_alert_decision", `{}`); got.Result.IsError || got.status != http.StatusOK {
							t.Errorf("%d %s", got.status, got.body)
						}
					}
				})
			}
			all.Wait()
			gateway.Close(t.Context())
			log := gateway.log.String()
			if lost := strings.Count(log, "telemetry is lost"); lost != 1 || !strings.Contains(log, test.logged) || strings.Contains(log, "hunter2") {
				t.Errorf("%d lines tell of it: %s", lost, log)
			}
		})
	}
}

// TestWithoutACollectorNothingIsSent and nothing works in the background; the trace of the client goes on to the
// function as it came. It looks at all goroutines, so it runs beside no other test.
func TestWithoutACollectorNothingIsSent(t *testing.T) {
	collector := receive(t)
	for name, settings := range map[string]map[string]string{
		"none is set":        {},
		"switched off":       {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
		"another protocol":   {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
		"no address":         {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
		"a secret in it":     {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:hunter2@127.0.0.1"},
		"headers unreadable": {"OTEL_EXPORTER_OTLP_HEADERS": "hunter2", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &safeBuffer{}
			gateway := traced(t, settings["OTEL_EXPORTER_OTLP_ENDPOINT"], settings, Local(seeing(doorsWith(t, door.ModeLocal, work{}), seen)))
			request := gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"}))
			request.Header.Set("Traceparent", headerTrace)
			if got := gateway.send(t, request); got.Result.IsError {
				t.Fatal(got.text())
			}
			if seen.String() != headerTrace+" \n" {
				t.Errorf("the function was told %q", seen.String())
			}
			stacks := make([]byte, 1<<20)
			if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("otel/sdk")) {
				t.Errorf("it works in the background:\n%s", stacks)
			}
			log := gateway.log.String()
			if faulty := name != "none is set" && name != "switched off"; strings.Contains(log, "no telemetry is sent") != faulty || strings.Contains(log, "hunter2") {
				t.Error(log)
			}
		})
	}
	if collector.raw.Len() > 0 {
		t.Error("something was sent")
	}
}

// TestStandardStreamsAreTraced too: there a message alone says what trace it is part of.
func TestStandardStreamsAreTraced(t *testing.T) {
	for _, e := range eras {
		collector := receive(t)
		gateway := traced(t, collector.url, nil, Local(doorsWith(t, door.ModeLocal, work{})))
		in, feed := io.Pipe()
		out := &safeBuffer{}
		done := make(chan error, 1)
		go func() { done <- gateway.ServeStdio(t.Context(), in, out) }()
		feed.Write([]byte(lines(e.message(1, "tools/call", map[string]any{
			"name": "get_alert_decision", "_meta": map[string]any{"traceparent": metaTrace},
		}))))
		for began := time.Now(); !strings.Contains(out.String(), "17.18") && time.Since(began) < 10*time.Second; {
			time.Sleep(time.Millisecond)
		}
		_ = feed.Close()
		if err := <-done; err != nil || !strings.Contains(out.String(), "17.18") {
			t.Fatalf("%v %s", err, out.String())
		}
		got := collector.got()["tools/call get_alert_decision"]
		if got.Trace != "4bf92f3577b34da6a3ce929d0e0e4736" || got.Parent != "00f067aa0ba902b7" || got.Link != "" || got.Failed {
			t.Errorf("%s: %+v", e, got)
		}
		if got.Attributes["network.transport"] != "pipe" || got.Attributes["network.protocol.name"] != nil {
			t.Errorf("%s: %v", e, got.Attributes)
		}
		if collector.got()["POST get_alert_decision"].Parent != collector.id("tools/call get_alert_decision") {
			t.Errorf("%s: the call of the function is not below it", e)
		}
	}
}
