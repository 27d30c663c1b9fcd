package mcp

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// TestWhatWasConfirmedOutlivesTheInput ends the input while a playbook runs. mcp-go keeps one client of this kind a process, so
// this test runs beside no other of its kind.
func TestWhatWasConfirmedOutlivesTheInput(t *testing.T) {
	for _, e := range eras {
		world := newTown()
		arrived, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		world.block = func(ctx context.Context) {
			close(arrived)
			<-release
			for i := 0; i < 100 && ctx.Err() == nil; i++ { // the end of the input is noticed a moment later
				time.Sleep(time.Millisecond)
			}
			ended <- ctx.Err()
		}
		gateway := serve(t, nil, ways["in this process"](t, world.work()))
		in, feed := io.Pipe()
		out, done := &safeBuffer{}, make(chan error, 1)
		go func() { done <- gateway.ServeStdio(t.Context(), in, out) }()
		call := func(id, arguments string) {
			_, _ = feed.Write([]byte(lines(e.message(id, "tools/call", map[string]any{"name": "trigger_playbook", "arguments": json.RawMessage(arguments)}))))
		}
		call("asks", `{}`)
		said := func(id string) (answer rpc, is bool) {
			for line := range strings.Lines(out.String()) {
				if json.Unmarshal([]byte(line), &answer) == nil && answer.ID == id {
					return answer, true
				}
			}
			return answer, false
		}
		var question rpc
		for began, is := time.Now(), false; !is; question, is = said("asks") {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%s: no question: %s", e, out)
			}
			time.Sleep(time.Millisecond)
		}
		var asked pending
		if err := json.Unmarshal(question.Result.StructuredContent, &asked); err != nil {
			t.Fatal(err)
		}
		call("confirms", tokened(`{}`, asked.Token))
		<-arrived
		_ = feed.Close()
		close(release)
		if err := <-ended; err != nil {
			t.Errorf("%s: the function was cancelled: %v", e, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if ran, _ := world.did(); len(ran) != 1 || !strings.Contains(gateway.log.String(), `"decision":"confirmed","outcome":"ok"`) {
			t.Errorf("%s: done %q: %s", e, ran, gateway.log)
		}
	}
}
