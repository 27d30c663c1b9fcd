package mcp

import (
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions/door"
)

const (
	listens = "notifications/subscriptions/acknowledged"
	rounds  = 15 // without the barrier about half of them fail
)

var toolsListChanged = map[string]any{"notifications": map[string]any{"toolsListChanged": true}}

// TestWhoListensHearsSoBeforeTheEnd is bug B2 once more: no list here ever changes, so a subscription ends at once, but it
// begins first.
func TestWhoListensHearsSoBeforeTheEnd(t *testing.T) {
	t.Parallel()
	gateway := serve(t, nil, Local(doorsWith(t, door.ModeLocal, work{})))
	for range rounds {
		got := gateway.ask(t, modern, 7, "subscriptions/listen", toolsListChanged)
		if len(got.events) != 1 || got.events[0].Method != listens || got.ID != float64(7) || got.Error != nil {
			t.Fatalf("%d %+v", got.status, got)
		}
	}
}

func TestWhoListensOnStandardStreamsHearsSoBeforeTheEnd(t *testing.T) {
	gateway := serve(t, nil, Local(doorsWith(t, door.ModeLocal, work{})))
	for range rounds {
		said := overStdio(t, gateway, modern.message("only", "subscriptions/listen", toolsListChanged))
		if len(said) != 2 || !strings.Contains(said[0], listens) || !strings.Contains(said[1], `"result"`) {
			t.Fatal(strings.Join(said, "\n"))
		}
	}
}
