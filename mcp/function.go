package mcp

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"github.com/oklog/ulid/v2"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// EntryPoint is the name under which the gateway is registered as a Cloud Function.
const EntryPoint = "MCPGateway"

func init() {
	deployed := sync.OnceValue(newFunction)
	framework.HTTP(EntryPoint, door.Drained(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deployed().ServeHTTP(w, r)
	})).ServeHTTP)
}

// deployment is what only the deployed gateway reads.
type deployment struct {
	Functions string `env:"RETENTIONOPS_MCP_FUNCTIONS"` // NAME=URL[|AUDIENCE], separated by spaces
}

// newFunction makes the gateway of this process from its environment, at the first request.
func newFunction() http.Handler {
	logger := door.NewLogger(os.Stderr)
	environment := envconfig.OsLookuper()
	var connected deployment
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: &connected, Lookuper: environment})
	if err != nil {
		return broken(logger, err)
	}
	gateway, err := New(Options{
		Lookuper: environment, Logger: logger, Now: time.Now, NewID: func() string { return ulid.Make().String() },
		Caller: newDeployed(connected.Functions, &http.Client{CheckRedirect: noRedirect}, newIdentity(time.Now)),
	})
	if err != nil {
		return broken(logger, err)
	}
	door.AtEnd(gateway.Close)
	return gateway
}

// broken answers for a gateway that cannot be made: a fault of the program.
func broken(logger *slog.Logger, err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		logger.ErrorContext(r.Context(), "mcp: cannot be made", slog.String("error", err.Error()))
		http.Error(w, string(functions.Internal), http.StatusInternalServerError)
	})
}
