package mcp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// TestOneClientCannotCancelAnothersCall is bug B1 of mcp-go: without sessions the id of a request is everybody's.
func TestOneClientCannotCancelAnothersCall(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	gateway := serve(t, nil, Local(doorsWith(t, "local", work{
		alert: func(ctx context.Context, in functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
			close(arrived)
			select {
			case <-release:
				return anAlert(ctx, in)
			case <-ctx.Done():
				return functions.GetAlertDecisionOutput{}, ctx.Err()
			}
		},
	})))
	done := make(chan answered, 1)
	go func() { done <- gateway.tool(t, modern, "get_alert_decision", `{}`) }()
	<-arrived
	for _, e := range eras {
		got := gateway.send(t, gateway.request(t, e, []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)))
		if got.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", e, got.status, got.body)
		}
	}
	close(release)
	if got := <-done; got.Result.IsError || got.Error != nil || got.status != http.StatusOK {
		t.Errorf("the other's call: %d %s", got.status, got.body)
	}
}

// TestWhoHangsUpCancels is how a call is cancelled instead.
func TestWhoHangsUpCancels(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived, ended := make(chan struct{}), make(chan struct{})
			gateway := serve(t, nil, way(t, work{
				alert: func(ctx context.Context, _ functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
					close(arrived)
					<-ctx.Done()
					close(ended)
					return functions.GetAlertDecisionOutput{}, ctx.Err()
				},
			}))
			ctx, hangUp := context.WithCancel(t.Context())
			request := gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"}))
			go func() {
				response, err := http.DefaultClient.Do(request.WithContext(ctx))
				if err == nil {
					_ = response.Body.Close()
				}
			}()
			<-arrived
			hangUp()
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Error("the function works on")
			}
		})
	}
}

// TestNoProgressIsLost is bug B2: every step comes before the result, the last one too.
func TestNoProgressIsLost(t *testing.T) {
	t.Parallel()
	const rounds, steps = 15, 4
	callers := map[string]Caller{"a hasty function": hasty(steps)}
	for name, way := range ways {
		callers[name] = way(t, work{queue: aQueue(steps)})
	}
	for name, caller := range callers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := serve(t, nil, caller)
			for _, e := range eras {
				for range rounds {
					got := gateway.ask(t, e, 7, "tools/call", map[string]any{
						"name": "build_priority_queue", "arguments": map[string]any{"dry_run": true}, "_meta": map[string]any{"progressToken": "mine"},
					})
					if len(got.events) != steps || got.Result.IsError {
						t.Fatalf("%s: %d of %d steps, %s", e, len(got.events), steps, got.text())
					}
					last := got.events[steps-1].Params
					if last["progressToken"] != "mine" || last["progress"] != float64(steps) || last["total"] != float64(steps) || last["message"] != "step" {
						t.Errorf("the last step: %v", last)
					}
					if got.header.Get("X-Accel-Buffering") != "no" {
						t.Error("a proxy may keep the steps back")
					}
				}
			}
			// Who asks for no progress gets one document.
			if got := gateway.tool(t, modern, "build_priority_queue", `{"dry_run": true}`); len(got.events) > 0 || got.Result.IsError || len(got.body) == 0 {
				t.Errorf("unasked: %v %s", got.events, got.text())
			}
		})
	}
}

// hasty is a function whose answer comes at the heels of its last step, which mcp-go alone often loses then.
type hasty int

// Call implements Caller.
func (h hasty) Call(ctx context.Context, _ *functions.Tool, _ json.RawMessage, report func(functions.Progress)) (json.RawMessage, error) {
	out, err := aQueue(0)(ctx, functions.BuildPriorityQueueInput{DryRun: true})
	if err != nil {
		return nil, err
	}
	data, err := functions.Marshal(out)
	for i := range int(h) {
		report(functions.Progress{Stage: "queue", Message: "step", Step: i + 1, Steps: int(h)})
	}
	return data, err
}

func aQueue(steps int) func(context.Context, functions.BuildPriorityQueueInput) (functions.BuildPriorityQueueOutput, error) {
	return func(ctx context.Context, in functions.BuildPriorityQueueInput) (functions.BuildPriorityQueueOutput, error) {
		for i := range steps {
			functions.Report(ctx, functions.Progress{Stage: "queue", Message: "step", Step: i + 1, Steps: steps})
		}
		return functions.BuildPriorityQueueOutput{Date: day, DryRun: in.DryRun, Guardrails: functions.Guardrails{Verdict: functions.VerdictOK}}, nil
	}
}

// TestAnErrorTellsNoSecret is bug B4: the text of what goes wrong inside is for the log alone.
func TestAnErrorTellsNoSecret(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := serve(t, nil, way(t, work{
				alert: func(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
					return functions.GetAlertDecisionOutput{}, errSecret
				},
				read: func(context.Context, functions.ReadRecordInput) (functions.ReadRecordOutput, error) { panic(errSecret) },
				brief: func(context.Context, functions.GenerateBriefInput) (functions.GenerateBriefOutput, error) {
					return functions.GenerateBriefOutput{Date: day, Format: "hunter2"}, nil // not what the contract promises
				},
			}))
			for _, e := range eras {
				for _, got := range []answered{
					gateway.tool(t, e, "get_alert_decision", `{}`),
					gateway.tool(t, e, "generate_brief", `{}`),
					gateway.ask(t, e, 1, "resources/read", map[string]any{"uri": "retention://rules"}),
					gateway.ask(t, e, 1, "prompts/get", map[string]any{"name": "explain_customer", "arguments": map[string]any{"customer_id": "17865"}}),
				} {
					whole := string(got.body) + got.text()
					if strings.Contains(whole, "hunter2") || strings.Contains(whole, "goroutine") {
						t.Errorf("%s tells %s", e, whole)
					}
					if !strings.Contains(whole, "internal") || !strings.Contains(whole, "run_id") || !got.Result.IsError && got.Error == nil {
						t.Errorf("%s: %d %s", e, got.status, whole)
					}
				}
			}
		})
	}
}

// panicking is a caller with a fault of its own.
type panicking struct{ Caller }

func TestAPanicOfOurOwnIsAnAnswer(t *testing.T) {
	t.Parallel()
	gateway := serve(t, nil, panicking{})
	got := gateway.tool(t, modern, "get_alert_decision", `{}`)
	if !got.Result.IsError || !strings.Contains(got.text(), "internal") || strings.Contains(got.text(), "nil pointer") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if log := gateway.log.String(); !strings.Contains(log, "nil pointer") || !strings.Contains(log, "(*Gateway).call(") {
		t.Errorf("the log does not say why and where: %s", log)
	}
}

// TestNothingIsKeptOpen is B6 to B8: no session, no stream, no subscription outlives its request.
func TestNothingIsKeptOpen(t *testing.T) {
	t.Parallel()
	gateway := serve(t, nil, Local(nil))
	begun := gateway.ask(t, legacy, 1, "initialize", map[string]any{
		"protocolVersion": string(legacy), "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "t", "version": "1"},
	})
	if begun.Result.ProtocolVersion != string(legacy) || begun.header.Get("Mcp-Session-Id") != "" {
		t.Errorf("initialize: %s, session %q", begun.body, begun.header.Get("Mcp-Session-Id"))
	}
	if strings.Contains(string(begun.body), "listChanged") || strings.Contains(string(begun.body), `"subscribe"`) {
		t.Errorf("lists are said to change: %s", begun.body)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
		request := gateway.request(t, legacy, nil)
		request.Method = method
		if got := gateway.send(t, request); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d", method, got.status)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	body := modern.message(1, "subscriptions/listen", map[string]any{"notifications": map[string]any{"toolsListChanged": true}})
	gateway.send(t, gateway.request(t, modern, body).WithContext(ctx))
	found := gateway.ask(t, modern, 1, "server/discover", nil)
	if len(found.Result.SupportedVersions) == 0 || found.Result.SupportedVersions[0] != string(modern) {
		t.Errorf("discover: %s", found.body)
	}
}

// TestWhatIsTooMuchIsRefused is B12, and batches.
func TestWhatIsTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	gateway := serve(t, nil, Local(doorsWith(t, "local", work{})))
	large := gateway.send(t, gateway.request(t, modern, bytes.Repeat([]byte(" "), maxBody+1)))
	if large.status != http.StatusRequestEntityTooLarge || !strings.Contains(string(large.body), "too_large") {
		t.Errorf("a large body: %d %s", large.status, large.body)
	}
	call := modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"})
	batch := gateway.send(t, gateway.request(t, legacy, append(append([]byte(" ["), call...), ']')))
	if batch.status != http.StatusBadRequest || batch.Error == nil || batch.Error.Code != -32600 {
		t.Errorf("a batch: %d %s", batch.status, batch.body)
	}
	if strings.Contains(gateway.log.String(), "get_alert_decision") {
		t.Error("a call of the batch was done")
	}
	unknown := gateway.send(t, gateway.request(t, legacy, []byte("{")))
	if unknown.Error == nil || unknown.Error.Code != -32700 {
		t.Errorf("no JSON: %s", unknown.body)
	}
}

func sumOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// TestHostileCallers refuses each row, and shows it in the log.
func TestHostileCallers(t *testing.T) {
	t.Parallel()
	settings := map[string]string{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1 .run.app", "RETENTIONOPS_MCP_ORIGINS": "https://chat.example.com",
		"RETENTIONOPS_MCP_KEYS": "ada:read:" + sumOf("new-key") + ", ada-old:read+act:" + sumOf("old-key") + ",bot:act:" + sumOf("acts-only"),
	}
	gateway := serve(t, settings, Local(doorsWith(t, "local", work{})))
	body := modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"})
	for name, tc := range map[string]struct {
		change  func(*http.Request)
		status  int
		demands string // of WWW-Authenticate
	}{
		"the key":                    {func(*http.Request) {}, 200, ""},
		"the key before it":          {func(r *http.Request) { r.Header.Set("Authorization", "bearer old-key") }, 200, ""},
		"no key":                     {func(r *http.Request) { r.Header.Del("Authorization") }, 401, `Bearer realm`},
		"a wrong key":                {func(r *http.Request) { r.Header.Set("Authorization", "Bearer new-kez") }, 401, "invalid_token"},
		"an empty key":               {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401, `Bearer realm`},
		"the sum of the key":         {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+sumOf("new-key")) }, 401, "invalid_token"},
		"another scheme":             {func(r *http.Request) { r.Header.Set("Authorization", "Basic new-key") }, 401, `Bearer realm`},
		"two keys":                   {func(r *http.Request) { r.Header.Add("Authorization", "Bearer old-key") }, 400, "invalid_request"},
		"the key in the wrong place": {func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("X-API-Key", "new-key") }, 401, `Bearer realm`},
		"a key that may not read":    {func(r *http.Request) { r.Header.Set("Authorization", "Bearer acts-only") }, 403, `scope="retention:read"`},
		"a name below ours":          {func(r *http.Request) { r.Host = "mcp-abc.run.app:443" }, 200, ""},
		"a foreign host":             {func(r *http.Request) { r.Host = "evil.example" }, 403, ""},
		"a host that ends like ours": {func(r *http.Request) { r.Host = "evilrun.app" }, 403, ""},
		"a listed page":              {func(r *http.Request) { r.Header.Set("Origin", "https://chat.example.com") }, 200, ""},
		"a foreign page":             {func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, ""},
		"a page of no origin":        {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403, ""},
		"another path":               {func(r *http.Request) { r.URL.Path = "/admin" }, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := gateway.request(t, modern, body)
			request.Header.Set("Authorization", "Bearer new-key")
			tc.change(request)
			got := gateway.send(t, request)
			if got.status != tc.status || !strings.Contains(got.header.Get("WWW-Authenticate"), tc.demands) {
				t.Errorf("%d %q: %s", got.status, got.header.Get("WWW-Authenticate"), got.body)
			}
			if tc.status == 200 && !strings.Contains(got.text(), "17.18 %") {
				t.Errorf("%s", got.body)
			}
		})
	}
	t.Cleanup(func() {
		log := gateway.log.String()
		for _, words := range []string{`"message":"mcp: refused"`, `"code":"unauthenticated"`, `"principal":"ada"`, `"principal":"ada-old"`, `"arguments_digest"`} {
			if !strings.Contains(log, words) {
				t.Errorf("the log holds no %s", words)
			}
		}
		for _, key := range []string{"new-key", "old-key", "acts-only", "new-kez"} {
			if strings.Contains(log, key) {
				t.Errorf("the log holds %s", key)
			}
		}
	})
}

// TestAClosedGatewaySaysSo tells a stranger nothing and the operator why.
func TestAClosedGatewaySaysSo(t *testing.T) {
	t.Parallel()
	opened := func(more map[string]string) map[string]string {
		maps.Copy(more, map[string]string{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1"})
		return more
	}
	for name, settings := range map[string]map[string]string{
		"RETENTIONOPS_AUTH is not set":           {},
		"RETENTIONOPS_MCP_PUBLIC_URL is not set": opened(map[string]string{"RETENTIONOPS_MCP_ISSUER": "https://login.example.com"}),
		"RETENTIONOPS_MCP_PUBLIC_URL is not https": opened(map[string]string{
			"RETENTIONOPS_MCP_ISSUER": "https://login.example.com", "RETENTIONOPS_MCP_PUBLIC_URL": "http://mcp.example.com/mcp",
		}),
		"the issuer is not https": opened(map[string]string{
			"RETENTIONOPS_MCP_ISSUER": "http://login.example.com", "RETENTIONOPS_MCP_PUBLIC_URL": publicURL,
		}),
		"RETENTIONOPS_MCP_JWKS is set without": opened(map[string]string{
			"RETENTIONOPS_MCP_JWKS": "https://login.example.com/keys", "RETENTIONOPS_MCP_KEYS": "ada:read:" + sumOf("a"),
		}),
		"entry 1 of RETENTIONOPS_MCP_KEYS": opened(map[string]string{
			"RETENTIONOPS_MCP_ISSUER": "https://login.example.com", "RETENTIONOPS_MCP_PUBLIC_URL": publicURL, "RETENTIONOPS_MCP_KEYS": "ada",
		}),
		"RETENTIONOPS_MCP_ISSUER is set and RETENTIONOPS_AUTH is iam": {
			"RETENTIONOPS_AUTH": "iam", "RETENTIONOPS_MCP_ISSUER": "https://login.example.com", "RETENTIONOPS_MCP_PUBLIC_URL": publicURL,
		},
		"RETENTIONOPS_MCP_KEYS":  {"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1"},
		"RETENTIONOPS_MCP_HOSTS": {"RETENTIONOPS_AUTH": "iam"},
		"RETENTIONOPS_MCP_RATE":  {"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "many"},

		"RETENTIONOPS_MCP_ACTIONS":       {"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_ACTIONS": "yes"},
		"RETENTIONOPS_MCP_REQUIRE_HUMAN": {"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_REQUIRE_HUMAN": "1"},
		"RETENTIONOPS_MCP_CONFIRM_KEYS":  {"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_CONFIRM_KEYS": "tooshort"},
	} {
		gateway := serve(t, settings, Local(doorsWith(t, "local", work{})))
		got := gateway.tool(t, modern, "get_alert_decision", `{}`)
		if got.status != http.StatusConflict || strings.Contains(string(got.body), name) || !strings.Contains(string(got.body), "closed") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if !strings.Contains(gateway.log.String(), name) || gateway.Check() == nil {
			t.Errorf("the log does not name %s", name)
		}
		health, err := http.Get(strings.TrimSuffix(gateway.url, Path)) //nolint:noctx // the test's own deadline holds
		if err != nil {
			t.Fatal(err)
		}
		var line bytes.Buffer
		_, _ = line.ReadFrom(health.Body)
		_ = health.Body.Close()
		if health.StatusCode != 200 || !strings.Contains(line.String(), `"status":"closed"`) {
			t.Errorf("health: %d %s", health.StatusCode, line.String())
		}
	}
}

// TestALimitHoldsOneCallerAndOneTool is B15 too: nothing is counted by session.
func TestALimitHoldsOneCallerAndOneTool(t *testing.T) {
	t.Parallel()
	gateway := serve(t, map[string]string{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1", "RETENTIONOPS_MCP_RATE": "3",
		"RETENTIONOPS_MCP_KEYS": "ada:read:" + sumOf("a") + ",bob:read:" + sumOf("b"),
	}, Local(doorsWith(t, "local", work{})))
	call := func(key, tool string) answered {
		request := gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": tool}))
		request.Header.Set("Authorization", "Bearer "+key)
		return gateway.send(t, request)
	}
	for range 3 {
		if got := call("a", "get_alert_decision"); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	got := call("a", "get_alert_decision")
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(string(got.body), "resource_exhausted") {
		t.Errorf("%d %q %s", got.status, got.header.Get("Retry-After"), got.body)
	}
	for _, other := range []answered{call("b", "get_alert_decision"), call("a", "generate_brief")} {
		if other.status != 200 {
			t.Errorf("%d %s", other.status, other.body)
		}
	}
	// What has been idle is forgotten.
	clock := time.Now()
	limits := newLimiter(3, func() time.Time { return clock })
	limits.take("a", "x")
	clock = clock.Add(2 * idle)
	limits.take("b", "x")
	if len(limits.buckets) != 1 {
		t.Errorf("%d buckets are kept", len(limits.buckets))
	}
}
