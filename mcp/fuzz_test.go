package mcp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
)

// secrets stand where only the house may read them: in errors of functions, in keys, in the stack of a panic.
var secrets = []string{"hunter2", bearer, sumOf(bearer), "goroutine ", "house_test.go"}

// besieged is a gateway whose functions err, panic, break their promise or tell steps, before a town in which nothing may
// be done: nobody who sends bytes has a confirmation.
type besieged struct {
	*Gateway
	*town
}

func fuzzed(f *testing.F) besieged {
	f.Helper()
	world := newTown()
	gateway, err := New(Options{
		Lookuper: envconfig.MapLookuper(keyed("read+act", nil)), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		NewID: func() string { return "an-id" }, Caller: Local(doorsWith(f, "local", faulty(world.work()))),
	})
	if err != nil || gateway.Check() != nil {
		f.Fatal(err, gateway.Check())
	}
	return besieged{gateway, world}
}

// faulty makes of work what goes wrong in each way that there is.
func faulty(w work) work {
	w.alert = func(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
		return functions.GetAlertDecisionOutput{}, errSecret
	}
	w.brief = func(context.Context, functions.GenerateBriefInput) (functions.GenerateBriefOutput, error) {
		return functions.GenerateBriefOutput{Date: day, Format: "hunter2"}, nil
	}
	w.read = func(ctx context.Context, in functions.ReadRecordInput) (functions.ReadRecordOutput, error) {
		if in.Record == functions.RecordExplanation {
			panic(errSecret)
		}
		return kept(ctx, in)
	}
	return w
}

// FuzzGateway sends anything at all. The gateway answers with JSON or with events, to the id that it was asked with, never
// with a fault of its own, tells no secret, and exports and sends nothing.
func FuzzGateway(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed.method, seed.path, seed.headers, seed.body)
	}
	gateway := fuzzed(f)
	f.Fuzz(func(t *testing.T, method, path, headers string, body []byte) {
		withstands(t, gateway, method, path, headers, body)
	})
}

// FuzzParams sends anything at all as the params of an honest message, which gets further in.
func FuzzParams(f *testing.F) {
	for _, e := range eras {
		for _, asked := range honestly(e) {
			params, err := json.Marshal(asked.params)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(e == modern, asked.method, params)
		}
	}
	gateway := fuzzed(f)
	f.Fuzz(func(t *testing.T, isModern bool, method string, params []byte) {
		var read map[string]any
		if json.Unmarshal(params, &read) != nil {
			return
		}
		e := legacy
		if isModern {
			e = modern
		}
		body := e.message("an id", method, read)
		withstands(t, gateway, http.MethodPost, Path, lined(e, body), body)
	})
}

// withstands asserts what must hold of every answer.
func withstands(t *testing.T, gateway besieged, method, path, headers string, body []byte) {
	t.Helper()
	request, sound := requestOfFuzz(t, method, path, headers, body)
	if !sound {
		return // net/http takes no such request in
	}
	answer := httptest.NewRecorder()
	gateway.ServeHTTP(answer, request)
	if request.Context().Err() != nil {
		t.Error("it takes too long")
	}
	if answer.Code >= 500 {
		t.Errorf("a fault: %d %s", answer.Code, answer.Body)
	}
	for _, secret := range secrets {
		if strings.Contains(answer.Body.String(), secret) && !strings.Contains(string(body)+headers, secret) {
			t.Errorf("it tells %q: %s", secret, answer.Body)
		}
	}
	if done, _ := gateway.did(); len(done) > 0 {
		t.Errorf("it was done: %v", done)
	}
	for _, message := range messagesIn(t, answer) {
		if asked, has := idOf(body); has && message["id"] != nil && !cmp.Equal(message["id"], asked) {
			t.Errorf("asked as %v, answered to %v", asked, message["id"])
		}
	}
}

// requestOfFuzz is what net/http would hand to the gateway.
func requestOfFuzz(t *testing.T, method, path, headers string, body []byte) (*http.Request, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1/", bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	request.URL.Path, request.Host = path, "127.0.0.1"
	fields, err := textproto.NewReader(bufio.NewReader(strings.NewReader(headers + "\r\n\r\n"))).ReadMIMEHeader()
	if err != nil {
		return nil, false
	}
	request.Header = http.Header(fields)
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	return request, true
}

// messagesIn reads what was answered: a document, or events with one each.
func messagesIn(t *testing.T, answer *httptest.ResponseRecorder) (all []map[string]any) {
	t.Helper()
	media, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	var texts []string
	switch {
	case answer.Body.Len() == 0:
	case media == "text/event-stream":
		for line := range strings.Lines(answer.Body.String()) {
			if data, is := strings.CutPrefix(line, "data:"); is {
				texts = append(texts, data)
			}
		}
	case media == "application/json", media == "application/problem+json":
		texts = append(texts, answer.Body.String())
	default:
		t.Errorf("neither JSON nor events: %q %s", media, answer.Body)
	}
	for _, text := range texts {
		var message map[string]any
		if err := json.Unmarshal([]byte(text), &message); err != nil {
			t.Errorf("%v in %q", err, text)
		}
		all = append(all, message)
	}
	return all
}

// idOf is the id that a body asks to be answered with.
func idOf(body []byte) (id any, has bool) {
	var message map[string]any
	if json.Unmarshal(body, &message) != nil {
		return nil, false
	}
	id, has = message["id"]
	return id, has
}

// inquiry is a method with its params.
type inquiry struct {
	method string
	params map[string]any
}

// honestly are requests of every kind.
func honestly(e era) []inquiry {
	token := map[string]any{"progressToken": "p"}
	return []inquiry{
		{"initialize", map[string]any{"protocolVersion": string(e), "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "t", "version": "1"}}},
		{"server/discover", nil},
		{"ping", nil},
		{"tools/list", nil},
		{"tools/call", map[string]any{"name": "get_alert_decision", "arguments": map[string]any{"date": "latest"}}},
		{"tools/call", map[string]any{"name": "generate_brief", "arguments": map[string]any{"format": "slack"}}},
		{"tools/call", map[string]any{"name": "build_priority_queue", "arguments": map[string]any{"dry_run": true}, "_meta": token}},
		{"tools/call", map[string]any{"name": "export_audience", "arguments": map[string]any{"tier": "P1", "dry_run": true}}},
		{"tools/call", map[string]any{"name": "trigger_playbook", "arguments": map[string]any{"date": "latest", "confirm_token": "e30.AAAA"}}},
		{"tools/call", map[string]any{
			"name": "export_audience", "arguments": map[string]any{"tier": "P1"}, "requestState": "e30.AAAA",
			"inputResponses": map[string]any{question: map[string]any{"action": "accept", "content": map[string]any{approve: true}}},
		}},
		{"resources/list", nil},
		{"resources/templates/list", nil},
		{"resources/read", map[string]any{"uri": "retention://rules"}},
		{"resources/read", map[string]any{"uri": "retention://explanation/latest/17865"}},
		{"prompts/list", nil},
		{"prompts/get", map[string]any{"name": "daily_review", "arguments": map[string]any{"date": "latest"}}},
		{"completion/complete", map[string]any{
			"ref": map[string]any{"type": "ref/prompt", "name": "daily_review"}, "argument": map[string]any{"name": "date", "value": "2"},
		}},
		{"subscriptions/listen", map[string]any{"notifications": map[string]any{"toolsListChanged": true}}},
		{"logging/setLevel", map[string]any{"level": "debug"}},
		{"notifications/cancelled", map[string]any{"requestId": 1}},
		{"notifications/initialized", nil},
	}
}

// seed is a request as it lies on the wire.
type seed struct {
	method, path, headers string
	body                  []byte
}

// seeds are honest requests of every kind in both eras, and the attacks that are bodies.
func seeds() (all []seed) {
	for _, e := range eras {
		for _, asked := range honestly(e) {
			body := e.message(1, asked.method, asked.params)
			all = append(all, seed{http.MethodPost, Path, lined(e, body), body})
		}
	}
	for _, text := range []string{
		``, `{`, `[]`, `null`, `0`, `{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`,
		`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, `{"jsonrpc":"2.0","id":"\ud800","method":"ping"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","METHOD":"ping","params":{"name":"get_alert_decision"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"export_audience","arguments":{"limit":1e999}}}`,
		`{"jsonrpc":"1.0","id":1,"method":"ping","params":[]}`, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressToken":{}}}}`,
	} {
		all = append(all, seed{http.MethodPost, "/", lined(legacy, []byte(text)), []byte(text)})
	}
	listing := modern.message(1, "tools/list", nil)
	return append(
		all, seed{http.MethodPost, Path + "/read", lined(modern, listing), listing},
		seed{http.MethodPost, Path, lined(modern, listing) + "X-MCP-Toolsets: read\r\nX-MCP-Exclude-Tools: generate_brief\r\n", listing},
		seed{http.MethodPost, Path, lined(modern, listing) + "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", listing},
		seed{http.MethodGet, "/.well-known/oauth-protected-resource/mcp", "", nil}, seed{http.MethodGet, "/", "", nil}, seed{http.MethodGet, Path, "Accept: text/event-stream\r\n", nil},
		seed{http.MethodOptions, Path, "Origin: https://evil.example\r\n", nil}, seed{http.MethodDelete, "/mcp/../x", "Mcp-Session-Id: 1\r\n", nil},
	)
}

// lined writes an honest client's headers.
func lined(e era, body []byte) string {
	header := http.Header{"Authorization": {"Bearer " + bearer}}
	e.headers(header, body)
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(&lines, "%s: %s\r\n", name, header.Get(name))
	}
	return lines.String()
}
