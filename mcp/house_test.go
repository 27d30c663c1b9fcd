package mcp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// metadataServer gives identity tokens as Google's metadata server does, for the whole test binary: its address is
// known by the environment alone.
var metadataServer struct {
	asked atomic.Int64
	lasts atomic.Int64 // seconds that a token lasts
}

func TestMain(m *testing.M) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		audience := r.URL.Query().Get("audience")
		if r.Header.Get("Metadata-Flavor") != "Google" || !strings.HasSuffix(r.URL.Path, "/instance/service-accounts/default/identity") {
			http.Error(w, "not so", http.StatusForbidden)
			return
		}
		metadataServer.asked.Add(1)
		if r.URL.Query().Get("format") != "full" { // another may leave the account out
			http.Error(w, "without an account", http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, tokenFor(audience, time.Now().Add(time.Duration(metadataServer.lasts.Load())*time.Second)))
	}))
	metadataServer.lasts.Store(3600)
	os.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))
	code := m.Run()
	server.Close()
	os.Exit(code)
}

// gatewayAccount is the account that the test's metadata server speaks for.
const gatewayAccount = "gateway@acme.iam.gserviceaccount.com"

func tokenFor(audience string, expires time.Time) string {
	payload, _ := json.Marshal(map[string]any{
		"iss": "https://accounts.google.com", "aud": audience, "exp": expires.Unix(), "email": gatewayAccount, "email_verified": true,
	})
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256"}`)) + "." + part(payload) + ".signature"
}

// work is what a test puts behind the real doors of functions.
type work struct {
	alert func(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error)
	brief func(context.Context, functions.GenerateBriefInput) (functions.GenerateBriefOutput, error)
	sizes func(context.Context, functions.GetOperationalContextInput) (functions.GetOperationalContextOutput, error)
	queue func(context.Context, functions.BuildPriorityQueueInput) (functions.BuildPriorityQueueOutput, error)
	read  func(context.Context, functions.ReadRecordInput) (functions.ReadRecordOutput, error)

	audience func(context.Context, functions.ExportAudienceInput) (functions.ExportAudienceOutput, error)
	playbook func(context.Context, functions.TriggerPlaybookInput) (functions.TriggerPlaybookOutput, error)
}

// doorsWith are real doors in a mode, with this work behind them.
func doorsWith(tb testing.TB, mode door.Mode, behind work) map[string]http.Handler {
	tb.Helper()
	d := door.New(envconfig.MapLookuper(map[string]string{"RETENTIONOPS_AUTH": string(mode), "RETENTIONOPS_GATEWAY": gatewayAccount}),
		slog.New(slog.DiscardHandler), time.Now, func() string { return ulid.Make().String() })
	handlers := map[string]http.Handler{}
	if behind.alert == nil {
		behind.alert = anAlert
	}
	handlers[functions.GetAlertDecision.Name] = door.Handle(d, functions.GetAlertDecision, behind.alert)
	if behind.sizes != nil {
		handlers[functions.GetOperationalContext.Name] = door.Handle(d, functions.GetOperationalContext, behind.sizes)
	}
	if behind.brief != nil {
		handlers[functions.GenerateBrief.Name] = door.Handle(d, functions.GenerateBrief, behind.brief)
	}
	if behind.queue != nil {
		handlers[functions.BuildPriorityQueue.Name] = door.Handle(d, functions.BuildPriorityQueue, behind.queue)
	}
	if behind.audience != nil {
		handlers[functions.ExportAudience.Name] = door.Handle(d, functions.ExportAudience, behind.audience)
	}
	if behind.playbook != nil {
		handlers[functions.TriggerPlaybook.Name] = door.Handle(d, functions.TriggerPlaybook, behind.playbook)
	}
	if behind.read != nil {
		handlers[functions.ReadRecord.Name] = door.Handle(d, functions.ReadRecord, behind.read)
	}
	return handlers
}

var day = functions.Date{Year: 2026, Month: time.January, Day: 12}

func anAlert(context.Context, functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
	return functions.GetAlertDecisionOutput{AlertDate: day, Severity: functions.Warning, Reason: "17.18 % against 14.29 %"}, nil
}

// ways are both ways to call functions, over the same work: the one suite that they share runs over each.
var ways = map[string]func(*testing.T, work) Caller{
	"in this process": func(t *testing.T, behind work) Caller {
		t.Helper()
		return Local(doorsWith(t, door.ModeLocal, behind))
	},
	"over HTTPS": func(t *testing.T, behind work) Caller {
		t.Helper()
		mux, connected := http.NewServeMux(), ""
		server := httptest.NewTLSServer(mux)
		t.Cleanup(server.Close)
		for name, handler := range doorsWith(t, door.ModeIAM, behind) {
			address := server.URL + "/" + name
			mux.Handle("/"+name, platform(address, handler))
			connected += " " + name + "=" + address
		}
		return newDeployed(connected, server.Client(), newIdentity(time.Now))
	},
}

// platform lets in whom an identity token is made out for, as Cloud Run does; it verifies no signature here.
func platform(audience string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		parts := strings.Split(token, ".")
		var claims struct {
			Audience string `json:"aud"`
		}
		if len(parts) == 3 {
			payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
			_ = json.Unmarshal(payload, &claims)
		}
		if claims.Audience != audience || len(r.Header.Values("Authorization")) != 1 {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<html>Your client does not have permission to get this URL</html>")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// served is a gateway on a loopback port, with what it logged.
type served struct {
	*Gateway
	url string
	log *safeBuffer
}

type safeBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// switchedOn is a gateway of this machine with everything switched on.
var switchedOn = keyed("", nil)

// bearer is the key that the test's callers show where one is needed.
const bearer = "tests-own"

// keyed are the settings of a gateway that acts, for a caller with these scopes; without any for a program of this machine.
func keyed(scopes string, beside map[string]string) map[string]string {
	settings := map[string]string{
		"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "0", "RETENTIONOPS_MCP_ACTIONS": "true",
		"RETENTIONOPS_MCP_CONFIRM_KEYS": strings.Repeat("ab", keySize),
	}
	if scopes != "" {
		settings["RETENTIONOPS_AUTH"], settings["RETENTIONOPS_MCP_HOSTS"] = "key", "127.0.0.1"
		settings["RETENTIONOPS_MCP_KEYS"] = "ada:" + scopes + ":" + sumOf(bearer)
	}
	maps.Copy(settings, beside)
	return settings
}

func serve(tb testing.TB, settings map[string]string, caller Caller) *served {
	tb.Helper()
	if settings == nil {
		settings = switchedOn
	}
	log := &safeBuffer{}
	gateway, err := New(Options{
		Lookuper: envconfig.MapLookuper(settings), Logger: door.NewLogger(log), Now: time.Now,
		NewID: func() string { return ulid.Make().String() }, Caller: caller,
	})
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(gateway)
	tb.Cleanup(server.Close)
	return &served{Gateway: gateway, url: server.URL + Path, log: log}
}

// era is a version of the protocol as a client speaks it over HTTP.
type era string

const (
	modern era = "2026-07-28"
	legacy era = "2025-11-25"
)

var eras = []era{modern, legacy}

// message writes a request of the era.
func (e era) message(id any, method string, params map[string]any) []byte {
	full := map[string]any{}
	maps.Copy(full, params)
	if e == modern {
		meta, _ := full["_meta"].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
		}
		meta["io.modelcontextprotocol/protocolVersion"] = string(e)
		meta["io.modelcontextprotocol/clientInfo"] = map[string]any{"name": "test", "version": "1"}
		if meta["io.modelcontextprotocol/clientCapabilities"] == nil {
			meta["io.modelcontextprotocol/clientCapabilities"] = map[string]any{}
		}
		full["_meta"] = meta
	}
	data, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": full})
	return data
}

// headers are those that the era wants with a message.
func (e era) headers(header http.Header, body []byte) {
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json, text/event-stream")
	header.Set("MCP-Protocol-Version", string(e))
	var message struct {
		Method string
		Params struct{ Name, URI string }
	}
	_ = json.Unmarshal(body, &message)
	if e == modern {
		header.Set("Mcp-Method", message.Method)
		if name := message.Params.Name + message.Params.URI; name != "" {
			header.Set("Mcp-Name", name)
		}
	}
}

// answered is what came back of a request.
type answered struct {
	status int
	header http.Header
	events []rpc // the progress before it
	rpc
	body []byte
}

type rpc struct {
	ID     any
	Method string
	Params map[string]any
	Result struct {
		IsError           bool
		Content           []struct{ Type, Text string }
		StructuredContent json.RawMessage
		Tools             []json.RawMessage
		Contents          []struct{ URI, Text, MIMEType string }
		Completion        struct{ Values []string }
		Messages          []struct{ Content json.RawMessage }
		TTLMs             *int64 `json:"ttlMs"`
		CacheScope        string
		SupportedVersions []string
		ProtocolVersion   string
		ResultType        string
		RequestState      string
		InputRequests     map[string]struct {
			Method string
			Params struct {
				Message         string
				RequestedSchema json.RawMessage
			}
		}
	}
	Error *struct {
		Code    int
		Message string
	}
}

// text is all that the answer says.
func (a answered) text() string {
	var all []string
	for _, content := range a.Result.Content {
		all = append(all, content.Text)
	}
	return strings.Join(all, "\n")
}

func (s *served) send(t *testing.T, request *http.Request) answered {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got := answered{status: response.StatusCode, header: response.Header}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				var one rpc
				if err := json.Unmarshal([]byte(data), &one); err != nil {
					t.Fatalf("%v in %s", err, data)
				}
				if one.Method != "" {
					got.events = append(got.events, one)
				} else {
					got.rpc = one
				}
			}
		}
		return got
	}
	if got.body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(got.body, &got.rpc) // not every answer is JSON
	return got
}

// ask sends a request of the era.
func (s *served) ask(t *testing.T, e era, id any, method string, params map[string]any) answered {
	t.Helper()
	body := e.message(id, method, params)
	return s.send(t, s.request(t, e, body))
}

func (s *served) request(t *testing.T, e era, body []byte) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	e.headers(request.Header, body)
	request.Header.Set("Authorization", "Bearer "+bearer)
	return request
}

// tool calls a tool in the modern era.
func (s *served) tool(t *testing.T, e era, name, arguments string) answered {
	t.Helper()
	return s.ask(t, e, 1, "tools/call", map[string]any{"name": name, "arguments": json.RawMessage(arguments)})
}

var errSecret = errors.New("dial warehouse: password=hunter2")
