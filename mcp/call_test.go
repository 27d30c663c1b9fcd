package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// TestTheGatewayShowsItsOwnIdentity never passes on what its caller showed.
func TestTheGatewayShowsItsOwnIdentity(t *testing.T) {
	t.Parallel()
	var seen atomic.Pointer[http.Header]
	handler := doorsWith(t, "iam", work{})["get_alert_decision"]
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Clone()
		seen.Store(&header)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	caller := newDeployed("get_alert_decision="+server.URL+"/x|retentionops:acme:get-alert-decision", server.Client(), newIdentity(time.Now))
	gateway := serve(t, map[string]string{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1", "RETENTIONOPS_MCP_KEYS": "ada:read:" + sumOf("callers-own"),
	}, caller)
	request := gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"}))
	request.Header.Set("Authorization", "Bearer callers-own")
	request.Header.Set("X-Request-Id", "my-request")
	request.Header.Set("Cookie", "callers=own")
	if got := gateway.send(t, request); got.Result.IsError {
		t.Fatal(got.text())
	}
	header := *seen.Load()
	if strings.Contains(fmt.Sprint(header), "callers") || !strings.HasPrefix(header.Get("Authorization"), "Bearer ey") {
		t.Errorf("the function saw %v", header)
	}
	if header.Get(door.CallerHeader) != "ada" || header.Get("X-Request-Id") != "my-request" {
		t.Errorf("the function was told of %q %q", header.Get(door.CallerHeader), header.Get("X-Request-Id"))
	}
}

// TestTheFunctionsKnowWhoAsked tells a function both parties of a call, and the confirmation of one that has any.
func TestTheFunctionsKnowWhoAsked(t *testing.T) {
	t.Parallel()
	for name, via := range map[string]string{"in this process": "local", "over HTTPS": gatewayAccount} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var known functions.Call
			caller := ways[name](t, work{alert: func(ctx context.Context, in functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
				known = functions.CallFrom(ctx)
				return anAlert(ctx, in)
			}})
			longest := strings.Repeat("s", 64) + "@" + strings.Repeat("i", 60) // of a token: subject and issuer
			for _, call := range []struct{ principal, confirmation, asks string }{
				{"ada\n", "", "ada"}, {"ada", "c-1", "ada"}, {longest, "c-1", longest},
			} {
				ctx := withPrincipal(t.Context(), Principal{Name: call.principal})
				if call.confirmation != "" {
					ctx = withConfirmation(ctx, call.confirmation)
				}
				if _, err := caller.Call(ctx, functions.GetAlertDecision, json.RawMessage(`{}`), func(functions.Progress) {}); err != nil {
					t.Fatal(err)
				}
				if known.Caller != call.asks+" via "+via || known.Confirmation != call.confirmation {
					t.Errorf("called by %q with %q", known.Caller, known.Confirmation)
				}
			}
		})
	}
}

// TestATokenIsKeptUntilShortlyBeforeItExpires goes by a clock of its own. It may not run beside the other tests, as it
// counts what the one metadata server is asked.
func TestATokenIsKeptUntilShortlyBeforeItExpires(t *testing.T) {
	clock := time.Now()
	identity := newIdentity(func() time.Time { return clock })
	get := func(audience string) int64 {
		before := metadataServer.asked.Load()
		token, err := identity.token(t.Context(), audience)
		if err != nil || !strings.Contains(token, ".") {
			t.Fatalf("%q, %v", token, err)
		}
		return metadataServer.asked.Load() - before
	}
	for i, step := range []struct {
		audience string
		later    time.Duration
		asks     int64
	}{
		{"https://a.example.com", 0, 1},
		{"https://a.example.com", 54 * time.Minute, 0},
		{"https://b.example.com/?x=1&y=2", 0, 1},
		{"https://a.example.com", 2 * time.Minute, 1},
	} {
		clock = clock.Add(step.later)
		if asked := get(step.audience); asked != step.asks {
			t.Errorf("step %d: asked %d times, want %d", i, asked, step.asks)
		}
	}
	if _, err := expiry("not.a.token"); err == nil {
		t.Error("a token without an end is taken")
	}
}

// TestAFunctionThatIsDownTakesNoOtherWithIt looks at each way that a call can come to nothing.
func TestAFunctionThatIsDownTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	thief := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(thief.Close)
	answers := map[string]http.HandlerFunc{
		"get_operational_context": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<html>remote words")
		},
		"build_priority_queue": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		},
		"generate_brief": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: progress\ndata: {\"message\":\"half\"}\n\n")
		},
		"export_audience": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	var connected []string
	for name, answer := range answers {
		mux.Handle("/"+name, answer)
		connected = append(connected, name+"="+server.URL+"/"+name)
	}
	mux.Handle("/get_alert_decision", doorsWith(t, "iam", work{})["get_alert_decision"])
	connected = append(connected, "get_alert_decision="+server.URL+"/get_alert_decision")
	http := server.Client()
	http.CheckRedirect = noRedirect
	gateway := serve(t, nil, newDeployed(strings.Join(connected, " "), http, newIdentity(time.Now)))
	for name, arguments := range map[string]string{
		"get_operational_context": `{}`, "build_priority_queue": `{"dry_run": true}`, "generate_brief": `{}`,
		"export_audience": `{"tier": "P1", "dry_run": true}`,
	} {
		got := gateway.tool(t, modern, name, arguments)
		if !got.Result.IsError || !strings.Contains(got.text(), "unavailable") || strings.Contains(got.text(), "remote words") || strings.Contains(got.text(), "127.0.0.1") {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	if got := gateway.tool(t, modern, "trigger_playbook", `{"dry_run": true}`); !strings.Contains(got.text(), "RETENTIONOPS_MCP_FUNCTIONS") {
		t.Errorf("not connected: %s", got.text())
	}
	if got := gateway.tool(t, modern, "get_alert_decision", `{}`); got.Result.IsError {
		t.Errorf("the one that works: %s", got.text())
	}
	if elsewhere.Load() > 0 {
		t.Error("a redirection was followed with the token")
	}
}

func TestOnlySoundAddressesAreTaken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a=http://plain.example", "a", "a=", "a=https://user:word@host", "a=https://host|"} {
		if _, err := parseTargets(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	targets, err := parseTargets("a=https://a.run.app  b=https://b.run.app|retentionops:p:b")
	if err != nil || targets["a"].audience != "https://a.run.app" || targets["b"].audience != "retentionops:p:b" || targets["b"].url != "https://b.run.app" {
		t.Errorf("%v %v", targets, err)
	}
}

// TestMCPGosOwnClient goes through both eras as a client does.
func TestMCPGosOwnClient(t *testing.T) {
	t.Parallel()
	gateway := serve(t, nil, Local(doorsWith(t, "local", work{read: kept, queue: aQueue(3)})))
	for _, e := range eras {
		wire, err := transport.NewStreamableHTTP(gateway.url)
		if err != nil {
			t.Fatal(err)
		}
		c := client.NewClient(wire, client.WithProtocolVersion(string(e)))
		t.Cleanup(func() { _ = c.Close() })
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var steps atomic.Int64
		c.OnNotification(func(mcpgo.JSONRPCNotification) { steps.Add(1) })
		if _, err := c.Initialize(t.Context(), mcpgo.InitializeRequest{Params: mcpgo.InitializeParams{
			ProtocolVersion: string(e), ClientInfo: mcpgo.Implementation{Name: "t", Version: "1"},
		}}); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		if c.ProtocolVersion() != string(e) {
			t.Errorf("it speaks %s, want %s", c.ProtocolVersion(), e)
		}
		tools, err := c.ListTools(t.Context(), mcpgo.ListToolsRequest{})
		if err != nil || len(tools.Tools) != len(functions.Tools) {
			t.Fatalf("%s: %v %v", e, tools, err)
		}
		templates, err := c.ListResourceTemplates(t.Context(), mcpgo.ListResourceTemplatesRequest{})
		if err != nil || len(templates.ResourceTemplates) != 8 {
			t.Errorf("%s: %v %v", e, templates, err)
		}
		call := mcpgo.CallToolRequest{}
		call.Params.Name, call.Params.Arguments = "build_priority_queue", map[string]any{"dry_run": true}
		call.Params.Meta = &mcpgo.Meta{ProgressToken: "p"}
		result, err := c.CallTool(t.Context(), call)
		if err != nil || result.IsError || steps.Load() != 3 {
			t.Errorf("%s: %v %v, %d steps", e, result, err, steps.Load())
		}
	}
}

// lines are a client's on standard streams.
func lines(messages ...[]byte) string {
	var all strings.Builder
	for _, message := range messages {
		all.Write(message)
		all.WriteByte('\n')
	}
	return all.String()
}

// overStdio are the lines that one message, whose id is "only", is answered with. mcp-go keeps one client of this kind a
// process, so a test that uses it runs beside no other.
func overStdio(t *testing.T, gateway *served, message []byte) []string {
	t.Helper()
	in, feed := io.Pipe()
	out := &safeBuffer{}
	done := make(chan error, 1)
	go func() { done <- gateway.ServeStdio(t.Context(), in, out) }()
	feed.Write([]byte(lines(message)))
	for began := time.Now(); !strings.Contains(out.String(), `"id":"only"`) && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	_ = feed.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// TestStandardStreams is bug B2b too: what is told of a call comes before its answer.
func TestStandardStreams(t *testing.T) {
	gateway := serve(t, nil, Local(doorsWith(t, "local", work{queue: aQueue(4)})))
	for _, e := range eras {
		for range 15 {
			said := overStdio(t, gateway, e.message("only", "tools/call", map[string]any{
				"name": "build_priority_queue", "arguments": map[string]any{"dry_run": true}, "_meta": map[string]any{"progressToken": 5},
			}))
			if len(said) != 5 || !strings.Contains(said[4], `"structuredContent"`) {
				t.Fatalf("%s:\n%s", e, strings.Join(said, "\n"))
			}
			for i, line := range said[:4] {
				var step rpc
				if err := json.Unmarshal([]byte(line), &step); err != nil || step.Params["progress"] != float64(i+1) {
					t.Errorf("%s: step %d is %s", e, i+1, line)
				}
			}
		}
	}
}
