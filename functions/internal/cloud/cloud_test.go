package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/googleapi"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud"
)

func answered(status int, reason string) error {
	return &googleapi.Error{Code: status, Message: "projects/secret said no", Errors: []googleapi.ErrorItem{{Reason: reason}}}
}

// A call is refused twice and taken then; the API asks for the second pause.
func ExampleCaller_Do() {
	caller := cloud.Caller{
		Chance: func() float64 { return 1 },
		Sleep:  func(_ context.Context, d time.Duration) error { fmt.Println("waits", d); return nil },
	}
	answers := []error{
		&googleapi.Error{Code: http.StatusServiceUnavailable},
		&googleapi.Error{Code: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"4"}}},
		nil,
	}
	err := caller.Do(context.Background(), func(_ context.Context, earlier error) error {
		answer := answers[0]
		answers = answers[1:]
		fmt.Println("asks; may have been taken before:", earlier != nil)
		return answer
	})
	fmt.Println(err)
	// Output:
	// asks; may have been taken before: false
	// waits 500ms
	// asks; may have been taken before: true
	// waits 4s
	// asks; may have been taken before: true
	// <nil>
}

func TestFault(t *testing.T) {
	t.Parallel()
	said := functions.Errorf(functions.ResourceExhausted, "the spreadsheet is full")
	token := func(status int) error {
		return &url.Error{Op: "Get", URL: "https://x/?secret", Err: &auth.Error{Response: &http.Response{StatusCode: status}, Err: errors.New("secret")}}
	}
	for _, row := range []struct {
		name   string
		err    error
		want   functions.Code
		passes bool
	}{
		{"no fault", nil, "", false},
		{"what has a code keeps it", fmt.Errorf("write: %w", said), functions.ResourceExhausted, false},
		{"out of order", answered(503, "backendError"), functions.Unavailable, true},
		{"broken", answered(500, "internalError"), functions.Unavailable, true},
		{"too slow for the API", answered(408, ""), functions.Unavailable, true},
		{"held back", answered(429, "rateLimitExceeded"), functions.Unavailable, true},
		{"held back under another number", answered(403, "userRateLimitExceeded"), functions.Unavailable, true},
		{"used up for the day", answered(403, "quotaExceeded"), functions.ResourceExhausted, false},
		{"forbidden", answered(403, "forbidden"), functions.FailedPrecondition, false},
		{"not known", answered(401, "authError"), functions.FailedPrecondition, false},
		{"not there", answered(404, "notFound"), functions.FailedPrecondition, false},
		{"our own fault", answered(400, "invalid"), functions.Internal, false},
		{"no connection", &url.Error{Op: "Get", URL: "https://x/?secret", Err: errors.New("connection refused")}, functions.Unavailable, true},
		{"half an answer", io.ErrUnexpectedEOF, functions.Unavailable, true},
		{"no token for good", token(400), functions.FailedPrecondition, false},
		{"no token right now", token(503), functions.Unavailable, true},
		{"the caller's time is up", context.DeadlineExceeded, functions.DeadlineExceeded, false},
		{"the caller has gone", &url.Error{Op: "Get", URL: "https://x", Err: context.Canceled}, functions.Unavailable, false},
		{"anything else", errors.New("what is this"), functions.Internal, false},
	} {
		if got := cloud.Passes(row.err); got != row.passes {
			t.Errorf("%s: Passes = %v, want %v", row.name, got, row.passes)
		}
		err := cloud.Fault(cloud.Words{Doing: "writing", Place: "the bucket"}, row.err)
		if functions.CodeOf(err) != row.want || row.name != "what has a code keeps it" && !errors.Is(err, row.err) {
			t.Errorf("%s: Fault = %v, want %q with its cause", row.name, err, row.want)
		}
		if problem := functions.ProblemOf(err, ""); err != nil && strings.Contains(problem.Detail+problem.Hint, "secret") {
			t.Errorf("%s: the caller is told %+v", row.name, problem)
		}
	}
}

func TestAnAttemptThatHangsIsNotTheCallersDeadline(t *testing.T) {
	t.Parallel()
	caller := cloud.Caller{Attempts: 3, Each: time.Millisecond, Sleep: func(context.Context, time.Duration) error { return nil }}
	tried := 0
	err := caller.Do(t.Context(), func(ctx context.Context, _ error) error {
		tried++
		<-ctx.Done()
		return ctx.Err()
	})
	if got := functions.CodeOf(cloud.Fault(cloud.Words{}, err)); tried != 3 || got != functions.Unavailable || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d attempts, %v (%s); want 3 and unavailable", tried, err, got)
	}
}

func TestPausesGrowAndAreBounded(t *testing.T) {
	t.Parallel()
	for chance, want := range map[float64][]time.Duration{
		0: {250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second},
		1: {500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second},
	} {
		var slept []time.Duration
		caller := cloud.Caller{
			Attempts: 9, Chance: func() float64 { return chance }, Now: func() time.Time { return time.Time{} },
			Sleep: func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil },
		}
		_ = caller.Do(t.Context(), func(context.Context, error) error { return answered(503, "") })
		if diff := cmp.Diff(want, slept); diff != "" {
			t.Errorf("chance %v (-want +got)\n%s", chance, diff)
		}
	}
}

func TestACallerWhoGoesEndsThePause(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	caller := cloud.Caller{Pause: time.Hour, Chance: func() float64 { leave(); return 1 }}
	// A deadline that leaves room for the pause.
	long, cancel := context.WithTimeout(ctx, 3*time.Hour)
	defer cancel()
	err := caller.Do(long, func(context.Context, error) error { return answered(503, "") })
	if !errors.Is(err, context.Canceled) || functions.CodeOf(cloud.Fault(cloud.Words{}, err)) != functions.Unavailable {
		t.Errorf("Do = %v", err)
	}
}
