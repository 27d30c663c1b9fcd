// Package proof holds the gateway against the protocol's official SDKs: as clients, by the tests, and as a server to compare
// with, by the command in compare. It is a module of its own, as what is needed here has no place in the product's.
package proof

import (
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions/door"
	gateway "github.com/retentionops/retentionops/mcp"
)

// Arguments are those of the calls that are made, one a tool.
var Arguments = map[string]string{
	"get_alert_decision": `{"date":"latest"}`, "get_operational_context": `{"date":"latest"}`, "generate_brief": `{"date":"latest"}`,
	"build_priority_queue": `{"date":"latest","dry_run":true}`, "export_audience": `{"date":"latest","tier":"P1","dry_run":true}`,
	"trigger_playbook": `{"date":"latest","dry_run":true}`,
}

// Local are the settings of a gateway for this machine that acts and has no limit.
var Local = map[string]string{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_MCP_RATE": "0", "RETENTIONOPS_MCP_ACTIONS": "true"}

// NewGateway is the product's own, as it is deployed but for its settings.
func NewGateway(settings map[string]string, logger *slog.Logger, caller gateway.Caller) (*gateway.Gateway, error) {
	g, err := gateway.New(gateway.Options{
		Lookuper: envconfig.MapLookuper(settings), Logger: logger, Now: time.Now, NewID: NewID, Caller: caller,
	})
	if err != nil {
		return nil, err
	}
	return g, g.Check()
}

// NewID makes the id of a request.
func NewID() string { return ulid.Make().String() }

// NewDoor is a function's entrance for callers of this machine.
func NewDoor(logger *slog.Logger) *door.Door {
	return door.New(envconfig.MapLookuper(map[string]string{"RETENTIONOPS_AUTH": string(door.ModeLocal)}), logger, time.Now, NewID)
}
