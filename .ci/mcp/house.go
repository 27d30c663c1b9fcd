// Package proof holds the gateway against the protocol's official Go SDK: as a client of both transports and both eras.
// It is a module of its own, as what is needed here has no place in the product's.
package proof

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	gateway "github.com/retentionops/retentionops/mcp"
)

//go:embed testdata/answers/*.json
var answers embed.FS

// canned answers each call at once with what the function said of a made-up shop: what is left to measure is the way.
type canned map[string]json.RawMessage

func newCanned() (canned, error) {
	all := canned{}
	for _, tool := range functions.Tools {
		data, err := answers.ReadFile("testdata/answers/" + tool.Name + ".json")
		if err != nil {
			return nil, err
		}
		all[tool.Name] = data
	}
	return all, nil
}

// Call implements gateway.Caller.
func (c canned) Call(
	_ context.Context, tool *functions.Tool, _ json.RawMessage, _ func(functions.Progress),
) (json.RawMessage, error) {
	answer, has := c[tool.Name]
	if !has {
		return nil, fmt.Errorf("there is no answer for %s", tool.Name)
	}
	return answer, nil
}

// arguments are those of the calls that are made, one a tool.
var arguments = map[string]string{
	"get_alert_decision": `{"date":"latest"}`, "get_operational_context": `{"date":"latest"}`, "generate_brief": `{"date":"latest"}`,
	"build_priority_queue": `{"date":"latest","dry_run":true}`, "export_audience": `{"date":"latest","tier":"P1","dry_run":true}`,
	"trigger_playbook": `{"date":"latest","dry_run":true}`,
}

// local are the settings of a gateway for this machine that acts and has no limit.
var local = map[string]string{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "0", "RETENTIONOPS_MCP_ACTIONS": "true"}

// newGateway is the product's own, as it is deployed but for its settings.
func newGateway(settings map[string]string, logger *slog.Logger, caller gateway.Caller) (*gateway.Gateway, error) {
	g, err := gateway.New(gateway.Options{
		Lookuper: envconfig.MapLookuper(settings), Logger: logger, Now: time.Now, NewID: newID, Caller: caller,
	})
	if err != nil {
		return nil, err
	}
	return g, g.Check()
}

func newID() string { return ulid.Make().String() }

// newDoor is a function's entrance for callers of this machine.
func newDoor(logger *slog.Logger) *door.Door {
	return door.New(envconfig.MapLookuper(map[string]string{"RETENTIONOPS_AUTH": string(door.ModeLocal)}), logger, time.Now, newID)
}
