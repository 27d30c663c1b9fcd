package door_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

type (
	input  = functions.ExportAudienceInput
	output = functions.ExportAudienceOutput
	env    = map[string]string
	work   = func(context.Context, input) (output, error)
)

var local = env{"RETENTIONOPS_AUTH": "local"}

// sumOf is what RETENTIONOPS_API_KEYS holds of a key.
func sumOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// lines collects log lines; requests of several goroutines may write them.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newDoor makes a door whose clock moves 123 ms with each look, and whose ids are id-1, id-2 and so on.
func newDoor(settings env, logger *slog.Logger) *door.Door {
	var looks, ids atomic.Int64
	start := time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC)
	return door.New(envconfig.MapLookuper(settings), logger,
		func() time.Time { return start.Add(time.Duration(looks.Add(1)) * 123 * time.Millisecond) },
		func() string { return fmt.Sprintf("id-%d", ids.Add(1)) })
}

// serve starts a real server with export_audience behind the door.
func serve(t *testing.T, settings env, call work) (url string, log *lines) {
	t.Helper()
	log = &lines{}
	server := httptest.NewServer(door.Handle(newDoor(settings, door.NewLogger(log)), functions.ExportAudience, call))
	t.Cleanup(server.Close)
	return server.URL, log
}

// echo answers with what it was asked.
func echo(_ context.Context, in input) (output, error) {
	return output{Tier: in.Tier, DryRun: in.DryRun}, nil
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func (a answer) problem(t *testing.T) functions.Problem {
	t.Helper()
	var problem functions.Problem
	if err := json.Unmarshal([]byte(a.Body), &problem); err != nil {
		t.Fatalf("%v in %q", err, a.Body)
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type is %q", got)
	}
	return problem
}

func send(t *testing.T, method, url, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		switch name := header[i]; name {
		case "Host":
			r.Host = header[i+1]
		case "Content-Type", "User-Agent":
			r.Header.Set(name, header[i+1])
		default:
			r.Header.Add(name, header[i+1])
		}
	}
	return do(t, r)
}

func do(t *testing.T, r *http.Request) answer {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}

const p1 = `{"tier":"P1"}`

func TestAnAnswer(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, local, echo)
	got := send(t, http.MethodPost, url, p1, "X-Request-Id", "make-4711")
	want := answer{Status: 200, Header: http.Header{
		"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(got.Body))}, "Cache-Control": {"no-store"},
		"X-Content-Type-Options": {"nosniff"}, "X-Request-Id": {"make-4711"}, "X-Run-Id": {"id-1"},
	}, Body: `{"date":"0000-00-00","tier":"P1","rows_exported":0,"rows_available":0,"truncated":false,"left_out":[],"columns":[],` +
		`"guardrails":{"verdict":"","findings":[]},` +
		`"dry_run":false,"digest":"","rules_version":""}` + "\n"}
	got.Header.Del("Date")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestHealthLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		settings env
		want     string
	}{
		{"an open door", local, `{"tool":"export_audience","status":"ok"}`},
		{"a closed door", nil, `{"tool":"export_audience","status":"closed"}`},
		{"a deployed version", env{"RETENTIONOPS_AUTH": "iam", "RETENTIONOPS_VERSION": "4f2a"}, `{"tool":"export_audience","status":"ok","version":"4f2a"}`},
		{"no key is asked for", env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act:" + sumOf("k")}, `{"tool":"export_audience","status":"ok"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, log := serve(t, test.settings, unreachable(t))
			got := send(t, http.MethodGet, url, "", "X-HTTP-Method-Override", "POST") // changes nothing
			if diff := cmp.Diff(answer{Status: 200, Body: test.want + "\n"}, answer{Status: got.Status, Body: got.Body}); diff != "" {
				t.Errorf("GET (-want +got):\n%s", diff)
			}
			head := send(t, http.MethodHead, url, "")
			if head.Status != 200 || head.Body != "" || head.Header.Get("Content-Length") != got.Header.Get("Content-Length") {
				t.Errorf("HEAD: %v", head)
			}
			if n := strings.Count(log.String(), "\n"); n != 2 {
				t.Errorf("%d log lines, want 2", n)
			}
		})
	}
}

// unreachable is a tool that must not be reached.
func unreachable(t *testing.T) work {
	t.Helper()
	return func(context.Context, input) (output, error) {
		t.Error("the call was reached")
		return output{}, nil
	}
}

func TestClosedDoors(t *testing.T) {
	t.Parallel()
	const secret = "the-key-itself-pasted-by-mistake"
	keys := func(text string) env { return env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": text} }
	sum := sumOf(secret)
	const entry = "this function is closed: entry 1 of RETENTIONOPS_API_KEYS: "
	tests := []struct {
		name     string
		settings env
		detail   string
	}{
		{"no mode", nil, "this function is closed: RETENTIONOPS_AUTH is not set"},
		{"an empty mode", env{"RETENTIONOPS_AUTH": ""}, "this function is closed: RETENTIONOPS_AUTH is not set"},
		{"a mode that is none", env{"RETENTIONOPS_AUTH": "none"}, "this function is closed: RETENTIONOPS_AUTH is not a mode"},
		{"a mode in capitals", env{"RETENTIONOPS_AUTH": "LOCAL"}, "this function is closed: RETENTIONOPS_AUTH is not a mode"},
		{"keys without keys", env{"RETENTIONOPS_AUTH": "key"}, "this function is closed: RETENTIONOPS_API_KEYS names no key"},
		{"keys of blanks", keys("  "), "this function is closed: RETENTIONOPS_API_KEYS names no key"},
		{"a key instead of its sum", keys("make:act:" + secret), entry + "the sum has not 64 hex digits"},
		{"a key alone", keys(secret), entry + "it has not three parts"},
		{"a sum too short", keys("make:act:" + sum[:62]), entry + "the sum has not 64 hex digits"},
		{"the sum of nothing", keys("make:act:" + sumOf("")), entry + "the sum is that of an empty key"},
		{"a scope that is none", keys("make:admin:" + sum), entry + "a scope is neither read nor act"},
		{"no scope", keys("make::" + sum), entry + "a scope is neither read nor act"},
		{"a name with a line in it", keys("ma\nke:act:" + sum), entry + "the name is not of 1 to 64 letters, digits, dots, hyphens and underscores"},
		{
			"a comma at the end", keys("make:act:" + sum + ","),
			"this function is closed: entry 2 of RETENTIONOPS_API_KEYS: it has not three parts",
		},
		{
			"one key twice", keys("make:read:" + sum + ",other:act:" + sum),
			"this function is closed: entry 2 of RETENTIONOPS_API_KEYS: the sum is there twice",
		},
		{
			"a body limit that is none",
			env{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MAX_BODY": "1MB"},
			"this function is closed: RETENTIONOPS_MAX_BODY is not a number of bytes",
		},
		{
			"a body limit of nought",
			env{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MAX_BODY": "0"},
			"this function is closed: RETENTIONOPS_MAX_BODY is not a number of bytes",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, log := serve(t, test.settings, unreachable(t))
			got := send(t, http.MethodPost, url, p1, "X-API-Key", secret)
			problem := got.problem(t)
			if got.Status != 409 || problem.Code != functions.FailedPrecondition || problem.Detail != "this function is closed" || problem.Hint == "" {
				t.Errorf("got %d %+v, want no more than that it is closed", got.Status, problem)
			}
			if !strings.Contains(log.String(), test.detail) {
				t.Errorf("the log does not tell the operator %q: %s", test.detail, log.String())
			}
			if all := got.Body + log.String(); strings.Contains(all, secret) || strings.Contains(all, sum[:16]) {
				t.Errorf("a key or its sum is told: %s", all)
			}
			if health := send(t, http.MethodGet, url, ""); !strings.Contains(health.Body, `"status":"closed"`) {
				t.Errorf("health: %s", health.Body)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	exactly := func(size int) string { return p1 + strings.Repeat(" ", size-len(p1)) }
	tests := []struct {
		name, body, media string
		status            int
	}{
		{"plain JSON", p1, "application/json", 200},
		{"with a charset", p1, "application/json; charset=utf-8", 200},
		{"with a charset in capitals", p1, `Application/JSON; Charset="UTF-8"`, 200},
		{"as large as may be", exactly(1000), "application/json", 200},
		{"a byte too large", exactly(1001), "application/json", 413},
		{"far too large", exactly(1 << 20), "application/json", 413},
		{"no content type", p1, "", 415},
		{"a web form", "tier=P1", "application/x-www-form-urlencoded", 415},
		{"a page's plain text", p1, "text/plain", 415},
		{"nearly JSON", p1, "application/jsonp", 415},
		{"another kind of JSON", p1, "application/merge-patch+json", 415},
		{"another charset", p1, "application/json; charset=utf-16", 415},
		{"not a content type", p1, "application/json; charset", 415},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, env{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MAX_BODY": "1000"}, echo)
			got := send(t, http.MethodPost, url, test.body, "Content-Type", test.media)
			if got.Status != test.status {
				t.Errorf("got %d %s, want %d", got.Status, got.Body, test.status)
			}
		})
	}
}

func TestABodyWithoutALengthIsBoundedToo(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, env{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MAX_BODY": "1000"}, unreachable(t))
	endless := io.MultiReader(strings.NewReader(p1), strings.NewReader(strings.Repeat(" ", 1<<20)))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, endless)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if got := do(t, r); got.Status != 413 || got.problem(t).Detail != "the body is larger than 1000 bytes" {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}

func TestAnEmptyBodyIsAnEmptyObject(t *testing.T) {
	t.Parallel()
	decision := door.Handle(newDoor(local, slog.New(slog.DiscardHandler)), functions.GetAlertDecision,
		func(_ context.Context, in functions.GetAlertDecisionInput) (functions.GetAlertDecisionOutput, error) {
			return functions.GetAlertDecisionOutput{Reason: fmt.Sprintf("date %q", in.Date)}, nil
		})
	server := httptest.NewServer(decision)
	t.Cleanup(server.Close)
	for _, media := range []string{"", "application/x-www-form-urlencoded"} { // the second is what curl -d '' sends
		got := send(t, http.MethodPost, server.URL, "", "Content-Type", media)
		if got.Status != 200 || !strings.Contains(got.Body, `"reason":"date \"\""`) {
			t.Errorf("%q: got %d %s", media, got.Status, got.Body)
		}
	}
}

// TestASlowBodyEndsWithTheCall sends half a body and then nothing.
func TestASlowBodyEndsWithTheCall(t *testing.T) {
	t.Parallel()
	tool := *functions.ExportAudience
	tool.Timeout = 20 * time.Millisecond
	server := httptest.NewServer(door.Handle(newDoor(local, slog.New(slog.DiscardHandler)), &tool, unreachable(t)))
	t.Cleanup(server.Close)
	body, writer := io.Pipe()
	defer writer.Close()
	go func() { _, _ = writer.Write([]byte(`{"tier":`)) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if got := do(t, r); got.Status != 504 || got.problem(t).Detail != "the body did not arrive in time" {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}

// TestCallFactsAndDeadline looks at what the tool is given.
func TestCallFactsAndDeadline(t *testing.T) {
	t.Parallel()
	calls := make(chan functions.Call, 1)
	url, _ := serve(t, local, func(ctx context.Context, in input) (output, error) {
		calls <- functions.CallFrom(ctx)
		deadline, has := ctx.Deadline()
		if left := time.Until(deadline); !has || left > functions.ExportAudience.Timeout {
			t.Errorf("deadline in %v, %t", left, has)
		}
		return echo(ctx, in)
	})
	tests := []struct{ name, sent, want string }{
		{"none sent", "", "id-2"},
		{"a sound one", "Make_run-1.2", "Make_run-1.2"},
		{"64 characters", strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{"65 characters", strings.Repeat("x", 65), "id-6"},
		{"one with a space", "a b", "id-8"},
		{"one with a tag", "<script>", "id-10"},
	}
	for i, test := range tests { // one after another: the ids count
		got := send(t, http.MethodPost, url, p1, "X-Request-Id", test.sent)
		call := <-calls
		if call.RequestID != test.want || got.Header.Get("X-Request-Id") != test.want || call.Caller != "local" {
			t.Errorf("%d %s: got %+v and header %q, want %q", i, test.name, call, got.Header.Get("X-Request-Id"), test.want)
		}
		if call.RunID == "" || call.RunID != got.Header.Get("X-Run-Id") || call.RunID == call.RequestID {
			t.Errorf("%d %s: run id %q, header %q", i, test.name, call.RunID, got.Header.Get("X-Run-Id"))
		}
	}
}

// TestErrorsOfTheTool shows what a caller gets of each kind of error. The cause holds a secret that must not leave.
func TestErrorsOfTheTool(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial postgres://user:hunter2@db")
	tests := []struct {
		name string
		err  error
		want functions.Problem
	}{
		{"a mendable one", functions.Errorf(functions.NotFound, "no queue").WithHint("build it").WithCause(cause), functions.Problem{
			Type: "urn:retentionops:problem:not_found", Title: "Not found", Status: 404, Detail: "no queue", Code: functions.NotFound, RunID: "id-1", Hint: "build it",
		}},
		{"an internal one", fmt.Errorf("query: %w", cause), functions.Problem{
			Type: "urn:retentionops:problem:internal", Title: "Internal error", Status: 500, Code: functions.Internal, RunID: "id-1",
			Hint: "the cause is in the log under this run_id",
		}},
		{"one of another run, with its result", &functions.Error{
			Code: functions.Unavailable, Detail: "no receipt", RunID: "run-0", Result: output{Tier: "P1"},
		}, functions.Problem{
			Type: "urn:retentionops:problem:unavailable", Title: "Not available right now", Status: 503, Detail: "no receipt", Code: functions.Unavailable,
			RunID: "run-0", Result: map[string]any{
				"date": "0000-00-00", "tier": "P1", "rows_exported": 0.0, "rows_available": 0.0, "truncated": false, "left_out": []any{},
				"guardrails": map[string]any{"findings": []any{}, "verdict": ""},
				"columns":    []any{}, "dry_run": false, "digest": "", "rules_version": "",
			},
		}},
		{"one with a result that cannot be encoded", &functions.Error{Code: functions.Unavailable, Result: func() {}}, functions.Problem{
			Type: "urn:retentionops:problem:unavailable", Title: "Not available right now", Status: 503, Code: functions.Unavailable, RunID: "id-1",
		}},
		{"a deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), functions.Problem{
			Type: "urn:retentionops:problem:deadline_exceeded", Title: "It took too long", Status: 504, Code: functions.DeadlineExceeded, RunID: "id-1",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, log := serve(t, local, func(context.Context, input) (output, error) { return output{Tier: "P2"}, test.err })
			got := send(t, http.MethodPost, url, p1)
			if diff := cmp.Diff(test.want, got.problem(t)); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
			if got.Status != test.want.Status {
				t.Errorf("status %d, want %d", got.Status, test.want.Status)
			}
			if strings.Contains(got.Body, "hunter2") {
				t.Error("the cause has left the house")
			}
			if errors.Is(test.err, cause) && !strings.Contains(log.String(), "hunter2") {
				t.Error("the cause is not in the log")
			}
		})
	}
}

// TestPanicTellsNothing throws what a caller must not see.
func TestPanicTellsNothing(t *testing.T) {
	t.Parallel()
	for name, thrown := range map[string]any{
		"a text": "hunter2", "an error": errors.New("hunter2"), "an error with a code": functions.Errorf(functions.NotFound, "hunter2"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, log := serve(t, local, func(context.Context, input) (output, error) { panic(thrown) })
			got := send(t, http.MethodPost, url, p1)
			want := functions.Problem{
				Type: "urn:retentionops:problem:internal", Title: "Internal error", Status: 500, Code: functions.Internal, RunID: "id-1",
				Hint: "the cause is in the log under this run_id",
			}
			if diff := cmp.Diff(want, got.problem(t)); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
			var line struct {
				Severity string `json:"severity"`
				RunID    string `json:"run_id"`
				Stack    string `json:"stack_trace"`
			}
			if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
				t.Fatalf("not one line of JSON: %v: %s", err, log)
			}
			if line.Severity != "ERROR" || line.RunID != "id-1" || !strings.Contains(line.Stack, "door_test.TestPanicTellsNothing") {
				t.Errorf("log line %+v", line)
			}
			if again := send(t, http.MethodGet, url, ""); again.Status != 200 {
				t.Errorf("after the panic: %d", again.Status)
			}
		})
	}
}

// TestCallsShareNothing is the framework's Typed trap: what the first caller wrote must not reach the second.
func TestCallsShareNothing(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, local, func(ctx context.Context, in input) (output, error) {
		out, err := echo(ctx, in)
		out.Digest = in.ExpectDigest
		return out, err
	})
	first := send(t, http.MethodPost, url, `{"tier":"P1","expect_digest":"of-the-first","dry_run":true}`)
	second := send(t, http.MethodPost, url, p1)
	if !strings.Contains(first.Body, "of-the-first") || strings.Contains(second.Body, "of-the-first") || strings.Contains(second.Body, `"dry_run":true`) {
		t.Errorf("first %s, second %s", first.Body, second.Body)
	}
}

// TestACallWithinTheProcess needs no connection: the command and the gateway hold the handlers themselves.
func TestACallWithinTheProcess(t *testing.T) {
	t.Parallel()
	handler := door.Handle(newDoor(local, slog.New(slog.DiscardHandler)), functions.ExportAudience, echo)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/export_audience", strings.NewReader(p1))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	if recorder.Code != 200 {
		t.Errorf("got %d %s", recorder.Code, recorder.Body)
	}
}
