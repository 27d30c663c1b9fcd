package cli_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

// serveIn starts serve in the folder as a process, on a port of its own, and gives its address.
func serveIn(t *testing.T, folder string, settings ...string) (base string) {
	t.Helper()
	return serveOn(t, folder, "", settings...)
}

// serveOn starts serve on a day that stands in for today; empty is today.
func serveOn(t *testing.T, folder, today string, settings ...string) (base string) {
	t.Helper()
	command := program(t, folder, "serve", "--addr", "127.0.0.1:0", "--today", today)
	command.Env = append(os.Environ(), settings...)
	return started(t, command)
}

// started starts a serve and reads the address that it says.
func started(t *testing.T, command *exec.Cmd) (base string) {
	t.Helper()
	said, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	lines, heard := bufio.NewScanner(said), ""
	for lines.Scan() {
		heard += lines.Text() + "\n"
		if _, address, found := strings.Cut(lines.Text(), "  MCP  "); found {
			go func() { _, _ = io.Copy(io.Discard, said) }() // its log must not hold it up
			base, _, _ = strings.Cut(address, "/mcp")
			return base
		}
	}
	t.Fatalf("it does not serve:\n%s", heard)
	return ""
}

// reply is what came back of a request.
type reply struct {
	status int
	header http.Header
	text   string
}

// sent sends a request and reads all of the answer.
func sent(t *testing.T, method, address, body string, header map[string]string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(data)}
}

const callAlert = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_alert_decision","arguments":{"date":"latest"}}}`

// plain are the headers of an MCP request of the older era.
func plain(more ...string) map[string]string {
	header := map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25",
	}
	for i := 0; i+1 < len(more); i += 2 {
		header[more[i]] = more[i+1]
	}
	return header
}

// TestServeShowsThePageToThisMachineOnly asks for the page and the gateway as a browser of this machine does, and as
// others do.
func TestServeShowsThePageToThisMachineOnly(t *testing.T) {
	t.Parallel()
	base := serveIn(t, newShop(t))
	page := sent(t, http.MethodGet, base+"/", "", map[string]string{"Sec-Fetch-Site": "none"})
	if page.status != http.StatusOK || !strings.HasPrefix(page.text, "<!doctype html>") || strings.Contains(page.text, "{{") {
		t.Fatalf("%d: %.200s", page.status, page.text)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy %q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy is %q", policy)
	}
	if answer := sent(t, http.MethodPost, base+"/mcp", callAlert, plain("Origin", base)); answer.status != http.StatusOK || !strings.Contains(answer.text, "WARNING") {
		t.Errorf("its own page is answered with %d: %s", answer.status, answer.text)
	}
	for name, header := range map[string]map[string]string{
		"a foreign page":    plain("Origin", "http://evil.example"),
		"a foreign link":    plain("Sec-Fetch-Site", "cross-site"),
		"a frame's page":    plain("Origin", "null"),
		"through a proxy":   plain("X-Forwarded-For", "192.0.2.7"),
		"by another's name": plain("Origin", "http://localhost"),
	} {
		for method, address := range map[string]string{http.MethodGet: base + "/", http.MethodPost: base + "/mcp"} {
			if answer := sent(t, method, address, callAlert, header); answer.status != http.StatusForbidden || strings.Contains(answer.text, "<") {
				t.Errorf("%s: %s is answered with %d: %.200s", name, method, answer.status, answer.text)
			}
		}
	}
	if answer := sent(t, http.MethodPost, base+"/get_alert_decision", `{"date":"latest"}`, map[string]string{"Content-Type": "application/json"}); answer.status != http.StatusOK {
		t.Errorf("a door answers with %d", answer.status)
	}
	if answer := sent(t, http.MethodGet, base+"/elsewhere", "", nil); answer.status != http.StatusNotFound || !strings.Contains(answer.text, "/trigger_playbook") {
		t.Errorf("%d: %s", answer.status, answer.text)
	}
}

// TestServeActsByDefaultForThisMachineOnly lists the tools as the settings of serve have them.
func TestServeActsByDefaultForThisMachineOnly(t *testing.T) {
	t.Parallel()
	folder := newShop(t)
	sum := func(key string) string {
		hashed := sha256.Sum256([]byte(key))
		return hex.EncodeToString(hashed[:])
	}
	keyed := []string{
		"RETENTIONOPS_AUTH=key", "RETENTIONOPS_API_KEYS=make:read+act:" + sum("k1"), "RETENTIONOPS_MCP_KEYS=ada:read:" + sum("k2"),
		"RETENTIONOPS_MCP_ISSUER=https://login.example.com", "RETENTIONOPS_MCP_PUBLIC_URL=https://mcp.example.com/mcp",
	}
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	for _, tc := range []struct {
		name     string
		settings []string
		header   map[string]string
		acts     bool
	}{
		{"nothing said", nil, plain(), true},
		{"switched off", []string{"RETENTIONOPS_MCP_ACTIONS=false"}, plain(), false},
		{"read only", []string{"RETENTIONOPS_MCP_READ_ONLY=true"}, plain(), false},
		{"with keys", keyed, plain("Authorization", "Bearer k2"), false},
	} {
		// One after another: they share an embedded warehouse, which one process may hold.
		t.Run(tc.name, func(t *testing.T) {
			base := serveIn(t, folder, tc.settings...)
			answer := sent(t, http.MethodPost, base+"/mcp", list, tc.header)
			if acts := strings.Contains(answer.text, functions.TriggerPlaybook.Name); answer.status != http.StatusOK || acts != tc.acts {
				t.Errorf("%d, acts %t, want %t: %.300s", answer.status, acts, tc.acts, answer.text)
			}
			if answer := sent(t, http.MethodPost, base+"/mcp", callAlert, tc.header); !strings.Contains(answer.text, "2026-01-12") {
				t.Errorf("a tool is answered with %d: %s", answer.status, answer.text)
			}
			if answer := sent(t, http.MethodPost, base+"/mcp/generate_brief", list, tc.header); strings.Contains(answer.text, functions.TriggerPlaybook.Name) || answer.status != 200 {
				t.Errorf("one tool alone: %d: %.300s", answer.status, answer.text)
			}
			if len(tc.settings) < 3 {
				return
			}
			if answer := sent(t, http.MethodGet, base+"/.well-known/oauth-protected-resource/mcp", "", nil); !strings.Contains(answer.text, "https://login.example.com") {
				t.Errorf("the metadata: %d: %s", answer.status, answer.text)
			}
			if answer := sent(t, http.MethodPost, base+"/mcp", list, plain()); answer.status != http.StatusUnauthorized {
				t.Errorf("without a bearer: %d", answer.status)
			}
			if answer := sent(t, http.MethodGet, base+"/", "", nil); answer.status != http.StatusNotFound || !strings.Contains(answer.text, "a page has no key") {
				t.Errorf("the page with keys: %d: %s", answer.status, answer.text)
			}
		})
	}
}

// TestServePlaysOnAnotherDay asks what a run would do with data of a past year: on its own day nothing is too old.
func TestServePlaysOnAnotherDay(t *testing.T) {
	t.Parallel()
	folder := newShop(t)
	for today, stops := range map[string]bool{"": true, "2026-01-12": false} {
		t.Run("today "+today, func(t *testing.T) { // one after another: one process may hold the warehouse
			answer := sent(t, http.MethodPost, serveOn(t, folder, today)+"/trigger_playbook", `{"date":"2026-01-12","dry_run":true}`,
				map[string]string{"Content-Type": "application/json"})
			if got := strings.Contains(answer.text, `"verdict":"stop"`); answer.status != http.StatusOK || got != stops {
				t.Errorf("%d, stops %t, want %t: %s", answer.status, got, stops, answer.text)
			}
		})
	}
}
