package functions_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

// TestCodesAndTheirStatus is design section 5's closed list.
func TestCodesAndTheirStatus(t *testing.T) {
	t.Parallel()
	want := map[functions.Code]int{
		"invalid_argument": 400, "unauthenticated": 401, "permission_denied": 403, "not_found": 404, "method_not_allowed": 405,
		"failed_precondition": 409, "too_large": 413, "unsupported_media": 415, "resource_exhausted": 429, "internal": 500,
		"unavailable": 503, "deadline_exceeded": 504,
	}
	titles := map[string]functions.Code{}
	for code, status := range want {
		if got := code.Status(); got != status {
			t.Errorf("%s has status %d, want %d", code, got, status)
		}
		if other, taken := titles[code.Title()]; taken || code.Title() == "" {
			t.Errorf("%s has the title of %s, or none", code, other)
		}
		titles[code.Title()] = code
	}
	if unknown := functions.Code("teapot"); unknown.Status() != http.StatusInternalServerError || unknown.Title() != functions.Internal.Title() {
		t.Errorf("a word that is no code has status %d and title %q", unknown.Status(), unknown.Title())
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	coded := functions.Errorf(functions.NotFound, "no alert")
	tests := []struct {
		name string
		err  error
		want functions.Code
	}{
		{"no error", nil, ""},
		{"an error with a code", coded, functions.NotFound},
		{"wrapped twice", fmt.Errorf("run: %w", fmt.Errorf("decide: %w", coded)), functions.NotFound},
		{"the outermost code speaks", functions.Errorf(functions.Unavailable, "later").WithCause(coded), functions.Unavailable},
		{"a code before a deadline", functions.Errorf(functions.Unavailable, "later").WithCause(context.DeadlineExceeded), functions.Unavailable},
		{"joined", errors.Join(errors.New("x"), coded), functions.NotFound},
		{"a deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), functions.DeadlineExceeded},
		{"a cancelled call", fmt.Errorf("query: %w", context.Canceled), functions.Unavailable},
		{"anything else", errors.New("boom"), functions.Internal},
		{"a word that is no code", functions.Errorf("teapot", "x"), functions.Internal},
		{"no code at all", functions.Errorf("", "x"), functions.Internal},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := functions.CodeOf(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestProblemOf shows what leaves the house of each kind of error. The secret is in every one of them.
func TestProblemOf(t *testing.T) {
	t.Parallel()
	const secret = "dsn=postgres://user:hunter2@db"
	cause := errors.New(secret)
	internal := functions.Problem{
		Type: "urn:retentionops:problem:internal", Title: "Internal error", Status: 500, Code: functions.Internal, RunID: "run-1",
		Hint: "the cause is in the log under this run_id",
	}
	ofRun := internal
	ofRun.RunID = "run-0"
	tests := []struct {
		name string
		err  error
		want functions.Problem
	}{
		{"a plain error", cause, internal},
		{"a wrapped plain error", fmt.Errorf("read %s: %w", secret, cause), internal},
		{"an internal error with a detail", functions.Errorf(functions.Internal, "%s", secret).WithHint(secret), internal},
		{"a word that is no code", functions.Errorf("teapot", "%s", secret).WithHint(secret), internal},
		{"an internal error with a result", &functions.Error{Code: functions.Internal, Result: secret, RunID: "run-0"}, ofRun},
		{"a mendable error with a cause", fmt.Errorf("%s: %w", secret,
			functions.Errorf(functions.NotFound, "no alert on 2026-01-13").WithHint("the newest is 2026-01-12").WithCause(cause)), functions.Problem{
			Type: "urn:retentionops:problem:not_found", Title: "Not found", Status: 404, Code: functions.NotFound, RunID: "run-1",
			Detail: "no alert on 2026-01-13", Hint: "the newest is 2026-01-12",
		}},
		{"a failed run with its result", (&functions.Error{
			Code: functions.Unavailable, Detail: "no receipt", RunID: "run-0", Result: map[string]string{"status": "failed"},
		}).WithCause(cause), functions.Problem{
			Type: "urn:retentionops:problem:unavailable", Title: "Not available right now", Status: 503, Code: functions.Unavailable,
			RunID: "run-0", Detail: "no receipt", Result: map[string]string{"status": "failed"},
		}},
		{"a deadline", fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), functions.Problem{
			Type: "urn:retentionops:problem:deadline_exceeded", Title: "It took too long", Status: 504, Code: functions.DeadlineExceeded, RunID: "run-1",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := functions.ProblemOf(test.err, "run-1")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
			data, err := functions.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), "hunter2") {
				t.Errorf("the cause has left the house: %s", data)
			}
		})
	}
}

func TestErrorTellsTheOperatorAll(t *testing.T) {
	t.Parallel()
	cause := errors.New("table is gone")
	err := functions.Errorf(functions.Unavailable, "the warehouse does not answer").WithCause(cause)
	if got, want := err.Error(), "unavailable: the warehouse does not answer: table is gone"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if got, want := functions.Errorf(functions.Unauthenticated, "").Error(), "unauthenticated"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReportReachesWhoListens(t *testing.T) {
	t.Parallel()
	functions.Report(t.Context(), functions.Progress{Stage: "nobody"}) // nobody listens, nothing happens
	var got []string
	ctx := functions.WithReporter(t.Context(), func(p functions.Progress) { got = append(got, p.Stage) })
	functions.Report(ctx, functions.Progress{Stage: "queue"})
	functions.Report(functions.WithCall(ctx, functions.Call{RunID: "r"}), functions.Progress{Stage: "send"})
	if diff := cmp.Diff([]string{"queue", "send"}, got); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

func TestCallTravelsInTheContext(t *testing.T) {
	t.Parallel()
	want := functions.Call{RunID: "run", RequestID: "request", Caller: "make"}
	if diff := cmp.Diff(want, functions.CallFrom(functions.WithCall(t.Context(), want))); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(functions.Call{}, functions.CallFrom(t.Context())); diff != "" {
		t.Errorf("no call (-want +got):\n%s", diff)
	}
}
