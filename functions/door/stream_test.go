package door_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tmaxmax/go-sse"

	"github.com/retentionops/retentionops/functions"
)

type event struct{ Type, Data string }

// events reads a stream with the reader of a library, to the end.
func events(t *testing.T, text string) []event {
	t.Helper()
	var all []event
	for e, err := range sse.Read(strings.NewReader(text), nil) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, event{e.Type, e.Data})
	}
	return all
}

func TestStreams(t *testing.T) {
	t.Parallel()
	step := func(ctx context.Context) {
		functions.Report(ctx, functions.Progress{Stage: "queue", Message: "two\nlines", Step: 1, Steps: 2})
		functions.Report(ctx, functions.Progress{Stage: "send", Message: "almost there"})
	}
	progress := []event{
		{"progress", `{"stage":"queue","message":"two\nlines","step":1,"steps":2}`},
		{"progress", `{"stage":"send","message":"almost there"}`},
	}
	tests := []struct {
		name string
		call work
		want []event
	}{
		{"progress and a result", func(ctx context.Context, in input) (output, error) {
			step(ctx)
			return echo(ctx, in)
		}, append(progress[:2:2], event{"result", `{"date":"0000-00-00","tier":"P1","rows_exported":0,"rows_available":0,` +
			`"truncated":false,"left_out":[],"columns":[],"guardrails":{"verdict":"","findings":[]},"dry_run":false,"digest":"","rules_version":""}`})},
		{"progress and a problem", func(ctx context.Context, _ input) (output, error) {
			step(ctx)
			return output{}, functions.Errorf(functions.Unavailable, "later").WithCause(errors.New("hunter2"))
		}, append(progress[:2:2], event{
			"problem",
			`{"type":"urn:retentionops:problem:unavailable","title":"Not available right now","status":503,"detail":"later","code":"unavailable","run_id":"id-1"}`,
		})},
		{"progress and a panic", func(ctx context.Context, _ input) (output, error) {
			step(ctx)
			panic("hunter2")
		}, append(progress[:2:2], event{
			"problem",
			`{"type":"urn:retentionops:problem:internal","title":"Internal error","status":500,"code":"internal","run_id":"id-1","hint":"the cause is in the log under this run_id"}`,
		})},
		{"nothing but a problem", func(context.Context, input) (output, error) {
			return output{}, functions.Errorf(functions.NotFound, "no queue")
		}, []event{{
			"problem",
			`{"type":"urn:retentionops:problem:not_found","title":"Not found","status":404,"detail":"no queue","code":"not_found","run_id":"id-1"}`,
		}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, log := serve(t, local, test.call)
			got := send(t, http.MethodPost, url, p1, "Accept", "text/event-stream")
			if diff := cmp.Diff(test.want, events(t, got.Body)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			for name, want := range map[string]string{
				"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Run-Id": "id-1",
			} {
				if value := got.Header.Get(name); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
			if n := strings.Count(log.String(), "\n"); got.Status != 200 || n != 1 {
				t.Errorf("status %d, %d log lines", got.Status, n)
			}
		})
	}
}

// TestEventsComeAtOnce lets the call wait until the caller has read its first event.
func TestEventsComeAtOnce(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	url, _ := serve(t, local, func(ctx context.Context, in input) (output, error) {
		functions.Report(ctx, functions.Progress{Stage: "first"})
		select {
		case <-seen:
			return echo(ctx, in)
		case <-ctx.Done():
			return output{}, ctx.Err()
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(p1))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var kinds []string
	for e, err := range sse.Read(response.Body, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if kinds = append(kinds, e.Type); len(kinds) == 1 {
			close(seen)
		}
	}
	if diff := cmp.Diff([]string{"progress", "result"}, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestALateReportIsNotHeard reports from a goroutine that the call did not wait for.
func TestALateReportIsNotHeard(t *testing.T) {
	t.Parallel()
	late := make(chan context.Context, 1)
	url, _ := serve(t, local, func(ctx context.Context, in input) (output, error) {
		late <- ctx
		return echo(ctx, in)
	})
	got := send(t, http.MethodPost, url, p1, "Accept", "text/event-stream")
	functions.Report(<-late, functions.Progress{Stage: "late"}) // would write to an answer that is gone
	if all := events(t, got.Body); len(all) != 1 || all[0].Type != "result" {
		t.Errorf("events %v", all)
	}
}

// TestACallerWhoHangsUpEndsTheCall closes the connection in the middle of a stream.
func TestACallerWhoHangsUpEndsTheCall(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	url, _ := serve(t, local, func(ctx context.Context, _ input) (output, error) {
		functions.Report(ctx, functions.Progress{Stage: "first"})
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return output{}, ctx.Err()
	})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(p1))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	hangUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
}

func TestWhoGetsAStream(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		accept []string
		stream bool
	}{
		{"who says nothing", nil, false},
		{"who takes anything", []string{"Accept", "*/*"}, false},
		{"who takes any text", []string{"Accept", "text/*"}, false},
		{"who asks for JSON", []string{"Accept", "application/json"}, false},
		{"who asks for events", []string{"Accept", "text/event-stream"}, true},
		{"who asks for events among others", []string{"Accept", "application/json, text/event-stream"}, true},
		{"who asks in two lines", []string{"Accept", "application/json", "Accept", "text/event-stream; charset=utf-8"}, true},
		{"who likes JSON better", []string{"Accept", "application/json, text/event-stream;q=0.5"}, false},
		{"who likes events better", []string{"Accept", "application/json;q=0.5, text/event-stream"}, true},
		{"who refuses events", []string{"Accept", "text/event-stream;q=0"}, false},
		{"who writes nonsense", []string{"Accept", "text/event-stream;q=much, ;;;"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, local, echo)
			got := send(t, http.MethodPost, url, p1, test.accept...)
			if stream := got.Header.Get("Content-Type") == "text/event-stream"; stream != test.stream || got.Status != 200 {
				t.Errorf("got %d %v, want a stream: %t", got.Status, got.Header, test.stream)
			}
		})
	}
}

// TestWhatIsRefusedAtTheEntranceIsNoStream: the status tells more than an event behind a 200.
func TestWhatIsRefusedAtTheEntranceIsNoStream(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, local, unreachable(t))
	got := send(t, http.MethodPost, url, `{"tier":"P4"}`, "Accept", "text/event-stream")
	if problem := got.problem(t); got.Status != 400 || problem.Code != functions.InvalidArgument {
		t.Errorf("got %d %+v", got.Status, problem)
	}
	if !json.Valid([]byte(got.Body)) {
		t.Errorf("not JSON: %s", got.Body)
	}
}
