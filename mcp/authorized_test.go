//go:build integration

package mcp

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions/door"
)

// TestSigningIn goes the whole way with parts that are not ours: the official clients find the authorization server by our
// 401 and metadata, sign a person in there, read, and come again with more scopes when we ask for them.
func TestSigningIn(t *testing.T) {
	t.Parallel()
	for _, sdk := range []string{"v1", "v2"} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			resource := "http://" + listener.Addr().String() + Path
			settings := keyed("read", nil)
			settings["RETENTIONOPS_MCP_ISSUER"], settings["RETENTIONOPS_MCP_PUBLIC_URL"] = newOIDCProvider(ctx, t, resource), resource
			gateway := serve(t, settings, Local(doorsWith(t, door.ModeLocal, work{queue: aQueue(0)})))
			server := &http.Server{Handler: gateway.Gateway, ReadHeaderTimeout: time.Minute}
			t.Cleanup(func() { _ = server.Close() })
			go func() { _ = server.Serve(listener) }() // until it is closed

			out, err := node(ctx, t, filepath.Join(nodeModules(t), "..", "authorized.mjs"), sdk, resource).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, gateway.log)
			}
			log := gateway.log.String()
			for _, words := range []string{`"principal":"ada@127.0.0.1`, `"decision":"denied"`, `"code":"unauthenticated"`} {
				if !strings.Contains(log, words) {
					t.Errorf("the log holds no %s:\n%s", words, log)
				}
			}
			if strings.Contains(log, "eyJ") {
				t.Error("the log holds a token")
			}
		})
	}
}

// newOIDCProvider starts a certified authorization server for a resource, and says where it is.
func newOIDCProvider(ctx context.Context, t *testing.T, resource string) string {
	t.Helper()
	command := node(ctx, t, filepath.Join(nodeModules(t), "..", "authority.mjs"), resource)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait() // it ends with its input
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
			return lines.Text()
		}
	}
	t.Fatalf("the authorization server does not start: %v", lines.Err())
	return ""
}
