package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

// TestManyClientsWithTheSameIds get each their own answers and their own steps: 64 at once, in both eras, all with the same
// ids and the same progress token, while they cancel these ids over and over and some hang up in the middle.
func TestManyClientsWithTheSameIds(t *testing.T) {
	t.Parallel()
	const clients, calls, steps = 64, 5, 3
	var keys []string
	for i := range clients {
		keys = append(keys, fmt.Sprintf("client-%d:read:%s", i, sumOf(fmt.Sprint("key-", i))))
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := serve(t, keyed("read", map[string]string{"RETENTIONOPS_MCP_KEYS": strings.Join(keys, ",")}), way(t, work{queue: telling(steps)}))
			var all sync.WaitGroup
			for i := range clients {
				c := collider{served: gateway, era: eras[i%len(eras)], key: fmt.Sprint("key-", i)}
				all.Go(func() {
					for n := range calls {
						c.cancelAll(t)
						if i%8 == 7 {
							c.hangUp(t)
							continue
						}
						c.call(t, n, day.AddDays(i*calls+n).String(), steps)
					}
				})
			}
			all.Wait()
		})
	}
}

// telling is a function that names the day it was asked for in every step and in its answer.
func telling(steps int) func(context.Context, functions.BuildPriorityQueueInput) (functions.BuildPriorityQueueOutput, error) {
	return func(ctx context.Context, in functions.BuildPriorityQueueInput) (functions.BuildPriorityQueueOutput, error) {
		for i := range steps {
			functions.Report(ctx, functions.Progress{Stage: "queue", Message: string(in.Date), Step: i + 1, Steps: steps})
		}
		return functions.BuildPriorityQueueOutput{
			Date: day, DryRun: in.DryRun, RulesVersion: string(in.Date), Guardrails: functions.Guardrails{Verdict: functions.VerdictOK},
		}, nil
	}
}

// collider is one of many clients that all count alike.
type collider struct {
	*served
	era era
	key string
}

var sameIDs = []any{0, 1, "0", "1", "same"}

func (c collider) message(t *testing.T, id any, date string) *http.Request {
	t.Helper()
	request := c.request(t, c.era, c.era.message(id, "tools/call", map[string]any{
		"name": "build_priority_queue", "arguments": map[string]any{"dry_run": true, "date": date}, "_meta": map[string]any{"progressToken": "same"},
	}))
	request.Header.Set("Authorization", "Bearer "+c.key)
	return request
}

// call asks for a day of its own, and must be answered with that day and nothing else.
func (c collider) call(t *testing.T, n int, mine string, steps int) {
	t.Helper()
	id := sameIDs[n%len(sameIDs)]
	got := c.send(t, c.message(t, id, mine))
	if fmt.Sprint(got.ID) != fmt.Sprint(id) || got.Result.IsError || !strings.Contains(string(got.Result.StructuredContent), `"rules_version":"`+mine+`"`) {
		t.Errorf("%s asked for %s as %v and got, as %v: %s %s", c.key, mine, id, got.ID, got.text(), got.body)
	}
	if len(got.events) != steps {
		t.Errorf("%s heard %d of %d steps", c.key, len(got.events), steps)
	}
	for _, step := range got.events {
		if step.Params["message"] != mine {
			t.Errorf("%s asked for %s and heard of %v", c.key, mine, step.Params["message"])
		}
	}
}

// cancelAll cancels every id that anybody uses.
func (c collider) cancelAll(t *testing.T) {
	t.Helper()
	for _, id := range sameIDs {
		written, _ := json.Marshal(id)
		request := c.request(t, c.era, []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+string(written)+`}}`))
		request.Header.Set("Authorization", "Bearer "+c.key)
		if got := c.send(t, request); got.status != http.StatusAccepted {
			t.Errorf("cancelled: %d %s", got.status, got.body)
		}
	}
}

// hangUp begins a call and does not wait for its answer. Its connection is its own: Go's transport may close one that
// another request has taken over by then.
func (c collider) hangUp(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	request := c.message(t, 0, day.String()).WithContext(ctx)
	go cancel()
	own := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if response, err := own.Do(request); err == nil {
		_ = response.Body.Close()
	}
}
