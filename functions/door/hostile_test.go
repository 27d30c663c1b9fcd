package door_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHostileCallers sends what nobody sends by accident. Every row is refused, and what it was told stands in
// testdata/hostile.txt.
func TestHostileCallers(t *testing.T) {
	t.Parallel()
	key := env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:read+act:" + sumOf("k") + ",reader:read:" + sumOf("r")}
	tests := []struct {
		name     string
		settings env
		method   string
		body     string
		header   []string
		status   int
	}{
		{"a page that rebinds its name to loopback", local, "POST", p1, []string{"Host", "evil.example:8080"}, 403},
		{"a name that only begins like localhost", local, "POST", p1, []string{"Host", "localhost.evil.example"}, 403},
		{"a name that resolves to loopback", local, "POST", p1, []string{"Host", "127.0.0.1.nip.io"}, 403},
		{"loopback as one number", local, "POST", p1, []string{"Host", "2130706433"}, 403},
		{"loopback in short", local, "POST", p1, []string{"Host", "127.1"}, 403},
		{"loopback in octal", local, "POST", p1, []string{"Host", "0177.0.0.1"}, 403},
		{"no address at all", local, "POST", p1, []string{"Host", "0.0.0.0"}, 403},
		{"a private address", local, "POST", p1, []string{"Host", "192.168.0.1"}, 403},
		{"brackets around a name", local, "POST", p1, []string{"Host", "[localhost]"}, 403},
		{"brackets around IPv4", local, "POST", p1, []string{"Host", "[127.0.0.1]"}, 403},
		{"a port that is none", local, "POST", p1, []string{"Host", "localhost:http"}, 403},
		{"two ports", local, "POST", p1, []string{"Host", "localhost:1:2"}, 403},
		{"a foreign page", local, "POST", p1, []string{"Host", "localhost", "Origin", "https://evil.example"}, 403},
		{"a page on another port", local, "POST", p1, []string{"Host", "localhost:8080", "Origin", "http://localhost:3000"}, 403},
		{"a page by https", local, "POST", p1, []string{"Host", "localhost", "Origin", "https://localhost"}, 403},
		{"a page without an origin of its own", local, "POST", p1, []string{"Host", "localhost", "Origin", "null"}, 403},
		{"its own origin and a foreign one", local, "POST", p1, []string{"Host", "localhost", "Origin", "http://localhost", "Origin", "http://evil.example"}, 403},
		{"a foreign page without origin", local, "POST", p1, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page on another port, without origin", local, "POST", p1, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a foreign form without a body", local, "POST", "", []string{"Origin", "https://evil.example"}, 403},
		{"through a tunnel", local, "POST", p1, []string{"X-Forwarded-For", "203.0.113.9"}, 403},
		{"through a proxy", local, "POST", p1, []string{"Forwarded", "for=127.0.0.1"}, 403},
		{"no key", key, "POST", p1, nil, 401},
		{"a wrong key", key, "POST", p1, []string{"X-API-Key", "K"}, 401},
		{"two keys, one of them right", key, "POST", p1, []string{"X-API-Key", "k", "X-API-Key", "x"}, 401},
		{"two keys in one line", key, "POST", p1, []string{"X-API-Key", "x, k"}, 401},
		{"the key as a bearer token", key, "POST", p1, []string{"Authorization", "Bearer k"}, 401},
		{"a key in the address", key, "POST", p1, []string{"path", "/?key=k&X-API-Key=k"}, 401},
		{"acts with a reader's key", key, "POST", p1, []string{"X-API-Key", "r"}, 403},
		{"hides an act behind a second dry_run", key, "POST", `{"tier":"P1","dry_run":true,"dry_run":false}`, []string{"X-API-Key", "r"}, 400},
		{"hides an act behind a capital", key, "POST", `{"tier":"P1","dry_run":true,"Dry_run":false}`, []string{"X-API-Key", "r"}, 400},
		{"a closed door", nil, "POST", p1, []string{"X-API-Key", "k"}, 409},
		{"another verb", local, "DELETE", "", nil, 405},
		{"PUT", local, "PUT", p1, nil, 405},
		{"a preflight", local, "OPTIONS", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 405},
		{"TRACE", local, "TRACE", "", nil, 405},
		{"a verb of its own", local, "EXPORT", p1, nil, 405},
		{"a form", local, "POST", "tier=P1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"a packed bomb", local, "POST", "\x1f\x8b", []string{"Content-Encoding", "gzip"}, 415},
		{"two content types", local, "POST", p1, []string{"content-type", "text/plain"}, 415},
		{"more than may be", local, "POST", strings.Repeat(" ", 1<<20+1), nil, 413},
		{"a tower of lists", local, "POST", strings.Repeat("[", 1<<20), nil, 400},
		{"thousands of unknown keys", local, "POST", "{" + strings.Repeat(`"x":1,`, 10000) + `"tier":"P1"}`, nil, 400},
		{"a path out of the house", local, "POST", `{"tier":"../../etc/passwd"}`, nil, 400},
		{"SQL for a day", local, "POST", `{"tier":"P1","date":"2026-01-12' OR '1'='1"}`, nil, 400},
		{"an endless number", local, "POST", `{"tier":"P1","limit":1e999999999}`, nil, 400},
		{"a prototype to pollute", local, "POST", `{"tier":"P1","__proto__":{"dry_run":true}}`, nil, 400},
	}
	var told strings.Builder
	for _, test := range tests {
		url, _ := serve(t, test.settings, unreachable(t))
		path, header := "", []string{}
		for i := 0; i+1 < len(test.header); i += 2 {
			if test.header[i] == "path" {
				path = test.header[i+1]
				continue
			}
			header = append(header, test.header[i], test.header[i+1])
		}
		got := send(t, test.method, url+path, test.body, header...)
		if got.Status != test.status {
			t.Errorf("%s: got %d %s, want %d", test.name, got.Status, got.Body, test.status)
		}
		if got.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: a foreign page may read the answer", test.name)
		}
		problem := got.problem(t)
		fmt.Fprintf(&told, "%s\n", strings.TrimSpace(fmt.Sprintf("%s\n  %d %s", test.name, got.Status, problem.Detail)))
		if problem.Hint != "" {
			fmt.Fprintf(&told, "    %s\n", problem.Hint)
		}
	}
	path := filepath.Join("testdata", "hostile.txt")
	if *update {
		if err := os.WriteFile(path, []byte(told.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), told.String()); diff != "" {
		t.Errorf("what hostile callers are told (-want +got):\n%s", diff)
	}
}

// TestBrokenRequests sends what an HTTP client would not: bytes on the wire.
func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, wire, want string }{
		{"no host", "POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "403"},
		{"a body that ends early", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{}", "400"},
		{"a chunk that is none", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, log := serve(t, local, unreachable(t))
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte(test.wire)); err != nil {
				t.Fatal(err)
			}
			if half, ok := conn.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, " "+test.want+" ") {
				t.Errorf("got %q, %v, want %s; log %s", line, err, test.want, log)
			}
		})
	}
}
