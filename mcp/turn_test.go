package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// TestWhoWaitsGoesWhenItsTimeIsOver although who has the turn does not end.
func TestWhoWaitsGoesWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	identity := newIdentity(time.Now)
	done, err := identity.turn.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := identity.token(ctx, "waiting"); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits gets %v", err)
	}
	done()
	if token, err := identity.token(t.Context(), "waiting"); err != nil || token == "" {
		t.Errorf("who comes after it gets %q, %v", token, err)
	}
}

// TestACallEndsWithItsContext although its function has begun to answer and heeds no context.
func TestACallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			defer close(release) // before the server is closed, which waits
			caller := way(t, work{queue: func(ctx context.Context, _ functions.BuildPriorityQueueInput) (functions.BuildPriorityQueueOutput, error) {
				functions.Report(ctx, functions.Progress{Stage: "queue", Message: "step", Step: 1, Steps: 2})
				<-release
				return functions.BuildPriorityQueueOutput{}, nil
			}})
			ctx, cancel := context.WithCancel(withPrincipal(t.Context(), Principal{Name: "ada", Scopes: functions.Scopes}))
			defer cancel()
			_, err := caller.Call(ctx, functions.BuildPriorityQueue, json.RawMessage(`{"dry_run": true}`), func(functions.Progress) { cancel() })
			if functions.CodeOf(err) != functions.Unavailable || !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
