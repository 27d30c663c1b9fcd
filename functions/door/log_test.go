package door_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// logged reads the one line of a request.
func logged(t *testing.T, log *lines) map[string]any {
	t.Helper()
	text := log.String()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Fatalf("want one line, got %q", text)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatal(err)
	}
	if _, has := line["time"]; !has {
		t.Error("no time in the line")
	}
	delete(line, "time")
	return line
}

// TestTheLogLine compares whole lines, so that nothing enters the log unseen.
func TestTheLogLine(t *testing.T) {
	t.Parallel()
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	failing := func(err error) work {
		return func(context.Context, input) (output, error) { return output{}, err }
	}
	line := func(change func(line, request map[string]any)) map[string]any {
		request := map[string]any{
			"requestMethod": "POST", "requestUrl": "/export_audience", "status": 200.0, "latency": "0.123s", "userAgent": "Make/1",
		}
		line := map[string]any{
			"severity": "INFO", "message": "export_audience: ok", "httpRequest": request, "tool": "export_audience", "run_id": "id-1",
			"request_id": "slot-7", "caller": "local",
		}
		change(line, request)
		return line
	}
	tests := []struct {
		name     string
		settings env
		call     work
		body     string
		header   []string
		want     map[string]any
	}{
		{"an answer", local, echo, p1, nil, line(func(_, _ map[string]any) {})},
		{
			"for somebody else, confirmed", local, echo, p1,
			[]string{door.CallerHeader, "ada", door.ConfirmationHeader, "c-1"},
			line(func(line, _ map[string]any) { line["caller"], line["confirmation_id"] = "ada via local", "c-1" }),
		},
		{"a trace by W3C", local, echo, p1, []string{"Traceparent", "00-" + trace + "-" + span + "-01"}, line(func(line, _ map[string]any) {
			line["logging.googleapis.com/trace"], line["logging.googleapis.com/spanId"] = trace, span
		})},
		{
			"a trace by Google, in a project",
			env{"RETENTIONOPS_AUTH": "local", "GOOGLE_CLOUD_PROJECT": "shop-1"},
			echo, p1,
			[]string{"X-Cloud-Trace-Context", trace + "/67667974448284343;o=1"},
			line(func(line, _ map[string]any) {
				line["logging.googleapis.com/trace"], line["logging.googleapis.com/spanId"] = "projects/shop-1/traces/"+trace, span
			}),
		},
		{
			"a trace that is none", local, echo, p1,
			[]string{"Traceparent", "00-" + strings.Repeat("0", 32) + "-" + span + "-01", "X-Cloud-Trace-Context", "<script>/1"},
			line(func(_, _ map[string]any) {}),
		},
		{
			"a dry run of a stranger",
			env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act:" + sumOf("k")},
			echo, p1, nil,
			line(func(line, request map[string]any) {
				line["severity"], line["message"], line["code"], line["error"] = "WARNING", "export_audience: unauthenticated", "unauthenticated", "unauthenticated"
				line["caller"], request["status"] = "", 401.0
			}),
		},
		{"an internal error with its text", local, failing(errors.New("disk is full")), p1, nil, line(func(line, request map[string]any) {
			line["severity"], line["message"], line["code"], line["error"] = "ERROR", "export_audience: internal", "internal", "disk is full"
			request["status"] = 500.0
		})},
		{
			"a mendable error with its cause", local, failing(functions.Errorf(functions.FailedPrecondition, "stale").WithCause(errors.New("2 days"))), p1, nil,
			line(func(line, request map[string]any) {
				line["severity"], line["message"], line["code"] = "WARNING", "export_audience: failed_precondition", "failed_precondition"
				line["error"], request["status"] = "failed_precondition: stale: 2 days", 409.0
			}),
		},
		{"an input at fault is not quoted", local, echo, `{"tier":"hunter2"}`, nil, line(func(line, request map[string]any) {
			line["severity"], line["message"], line["code"] = "WARNING", "export_audience: invalid_argument", "invalid_argument"
			request["status"] = 400.0
		})},
		{
			"a problem in a stream", local, failing(functions.Errorf(functions.Unavailable, "later")), p1,
			[]string{"Accept", "text/event-stream"},
			line(func(line, _ map[string]any) {
				line["severity"], line["message"], line["code"], line["error"] = "ERROR", "export_audience: unavailable", "unavailable", "unavailable: later"
			}),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, log := serve(t, test.settings, test.call)
			header := append([]string{"User-Agent", "Make/1", "X-Request-Id", "slot-7"}, test.header...)
			send(t, http.MethodPost, url+"/export_audience?key=hunter2", test.body, header...)
			if diff := cmp.Diff(test.want, logged(t, log)); diff != "" {
				t.Errorf("log line (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoSecretInTheLog sends a secret everywhere a caller can put one, through every outcome.
func TestNoSecretInTheLog(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	settings := env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act+read:" + sumOf(secret)}
	bodies := []string{
		p1, `{"tier":"P1","expect_digest":"hunter2"}`, `{"tier":"hunter2"}`, `{"hunter2":1}`, `{"tier":"P1","date":"hunter2"}`,
		`hunter2`, `{"tier":"P1","destination":"hunter2"}`, strings.Repeat("hunter2", 200_000),
	}
	for _, key := range []string{secret, secret + "x"} {
		for _, body := range bodies {
			url, log := serve(t, settings, echo)
			got := send(t, http.MethodPost, url+"/?api_key="+secret, body, "X-API-Key", key, "Authorization", "Bearer "+secret, "Cookie", secret,
				"X-Request-Id", "not sound: "+secret, "Traceparent", secret)
			logged(t, log)
			if strings.Contains(log.String(), secret) || strings.Contains(log.String(), sumOf(secret)) {
				t.Errorf("%.40q answered %d: a secret is in the log: %s", body, got.Status, log)
			}
		}
	}
}

// TestALineStaysALine sends what would break a log in two or fill it.
func TestALineStaysALine(t *testing.T) {
	t.Parallel()
	url, log := serve(t, local, echo)
	send(t, http.MethodPost, url+"/%0A%7B%22severity%22:%22EMERGENCY%22%7D"+strings.Repeat("é", 400), p1, "User-Agent", strings.Repeat("A", 5000))
	line := logged(t, log)
	request, _ := line["httpRequest"].(map[string]any)
	for name, value := range request {
		if text, ok := value.(string); ok && len(text) > 210 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
	if path, _ := request["requestUrl"].(string); !strings.HasPrefix(path, "/\n{") || line["severity"] != "INFO" {
		t.Errorf("line %v", line)
	}
}

func TestNewLoggerSpeaksCloudLogging(t *testing.T) {
	t.Parallel()
	log := &lines{}
	logger := door.NewLogger(log)
	ctx := t.Context()
	logger.WarnContext(ctx, "a word", slog.String("run_id", "r"), slog.Group("inner", slog.String("level", "kept"), slog.String("trace", "kept")))
	want := map[string]any{
		"severity": "WARNING", "message": "a word", "run_id": "r", "inner": map[string]any{"level": "kept", "trace": "kept"},
	}
	if diff := cmp.Diff(want, logged(t, log)); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	for level, want := range map[slog.Level]string{slog.LevelInfo: "INFO", slog.LevelError: "ERROR", slog.LevelDebug: ""} {
		log := &lines{}
		door.NewLogger(log).Log(ctx, level, "x")
		if want == "" {
			if log.String() != "" {
				t.Errorf("%v was written: %s", level, log)
			}
			continue
		}
		if got := logged(t, log)["severity"]; got != want {
			t.Errorf("%v is %v, want %s", level, got, want)
		}
	}
}
