package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/mcp"
)

// ownKey names the key that serve makes for its own gateway.
const ownKey = "mcp_gateway"

// serveSettings are the settings that serve stands in for. In mode key it makes a key for its own gateway, which calls
// the doors of this process as everybody else does.
func (c *command) serveSettings() (settings map[string]string, key string, err error) {
	settings = map[string]string{}
	given := func(name string) string {
		value, _ := c.Lookuper.Lookup(name)
		return value
	}
	usual := func(name, value string) {
		if given(name) == "" {
			settings[name] = value
		}
	}
	switch mode := door.Mode(given("RETENTIONOPS_AUTH")); mode {
	case door.ModeIAM: // here no platform has verified anybody
		return nil, "", functions.Errorf(functions.InvalidArgument, "serve cannot run with RETENTIONOPS_AUTH=iam: nothing verifies callers here").
			WithHint("use local, or key")
	case door.ModeKey:
		usual("RETENTIONOPS_MCP_HOSTS", "localhost,127.0.0.1,::1")
		key = rand.Text()
		if known := given("RETENTIONOPS_API_KEYS"); known != "" {
			sum := sha256.Sum256([]byte(key))
			settings["RETENTIONOPS_API_KEYS"] = known + "," + ownKey + ":read+act:" + hex.EncodeToString(sum[:])
			settings["RETENTIONOPS_GATEWAY"] = ownKey // else a confirmation that comes twice would be worked twice
		}
	case "", door.ModeLocal:
		usual("RETENTIONOPS_AUTH", string(door.ModeLocal))
		usual("RETENTIONOPS_MCP_ACTIONS", "true") // who is on this machine may act by the doors; here there is a question first
	default: // the door judges it
	}
	return settings, key, nil
}

// addGateway serves assistants at /mcp by the doors of this process, and the page at / where no key is asked for.
func (c *command) addGateway(paths *http.ServeMux, env *setup.Env, key string) (*mcp.Gateway, error) {
	gateway, err := mcp.New(mcp.Options{
		Lookuper: env.Lookuper(), Logger: env.Logger(), Now: c.Now, NewID: c.NewID, Caller: mcp.Local(doors(env, key)),
	})
	if err != nil {
		return nil, err
	}
	for _, pattern := range mcp.Patterns() {
		paths.Handle(pattern, gateway)
	}
	page := noHostPage
	if key == "" {
		page = hostPage()
	}
	paths.HandleFunc("GET /{$}", page)
	return gateway, nil
}

// doors are the doors of this process by their names, for a caller inside it; with a key where they ask for one.
func doors(env *setup.Env, key string) map[string]http.Handler {
	made := map[string]http.Handler{}
	for tool, handler := range handlers {
		inside := handler(env)
		made[tool.Name] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if key != "" {
				r.Header.Set("X-API-Key", key)
			}
			inside.ServeHTTP(w, r)
		})
	}
	return made
}
