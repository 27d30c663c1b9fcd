package door_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// TestWhoPassesAGuardrailIsLogged reads the line of a call that carries an override, and of one that does not.
func TestWhoPassesAGuardrailIsLogged(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]any{
		`{"override": {"by": "Mara", "why": "a sale"}}`: "Mara: a sale",
		`{}`: nil,
	} {
		log := &lines{}
		server := httptest.NewServer(door.Handle(newDoor(local, door.NewLogger(log)), functions.BuildPriorityQueue,
			func(context.Context, functions.BuildPriorityQueueInput) (functions.BuildPriorityQueueOutput, error) {
				return functions.BuildPriorityQueueOutput{}, nil
			}))
		if got := send(t, http.MethodPost, server.URL, body); got.Status != http.StatusOK {
			t.Errorf("%s: %+v", body, got)
		}
		server.Close()
		if got := logged(t, log)["forced_by"]; got != want {
			t.Errorf("%s is logged as forced by %v, want %v", body, got, want)
		}
	}
}
