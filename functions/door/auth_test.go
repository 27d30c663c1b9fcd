package door_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// whoami answers with the caller's name in place of a digest.
func whoami(ctx context.Context, in input) (output, error) {
	return output{Tier: in.Tier, Digest: "caller=" + functions.CallFrom(ctx).Caller}, nil
}

func TestKeys(t *testing.T) {
	t.Parallel()
	const (
		dry     = `{"tier":"P1","dry_run":true}`
		noScope = "export_audience needs the scope retention:"
	)
	settings := env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": strings.Join([]string{
		"make:act+read:" + sumOf("old"), " make:retention:read+retention:act:" + strings.ToUpper(sumOf("new")),
		"reader:read:" + sumOf("reads"), "actor:retention:act:" + sumOf("acts"),
	}, ",")}
	tests := []struct {
		name, key, body string
		status          int
		want            string
	}{
		{"the first key", "old", p1, 200, "caller=make"},
		{"the next key of the same caller", "new", p1, 200, "caller=make"},
		{"a dry run needs only to read", "reads", dry, 200, "caller=reader"},
		{"who may only read does not act", "reads", p1, 403, noScope + "act"},
		{"who may act acts", "acts", p1, 200, "caller=actor"},
		{"who may only act does not read", "acts", dry, 403, noScope + "read"},
		{"a key that is none", "none", p1, 401, ""},
		{"no key", "", p1, 401, ""},
		{"the sum instead of the key", sumOf("old"), p1, 401, ""},
		{"a key in other letters", "OLD", p1, 401, ""},
		{"the beginning of a key", "ol", p1, 401, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			call := unreachable(t)
			if test.status == 200 {
				call = whoami
			}
			url, log := serve(t, settings, call)
			got := send(t, http.MethodPost, url, test.body, "X-API-Key", test.key)
			if got.Status != test.status || !strings.Contains(got.Body, test.want) {
				t.Errorf("got %d %s, want %d %q", got.Status, got.Body, test.status, test.want)
			}
			if test.status == 401 {
				want := functions.Problem{
					Type: "urn:retentionops:problem:unauthenticated", Title: "The caller is not known", Status: 401,
					Code: functions.Unauthenticated, RunID: "id-1",
				}
				if diff := cmp.Diff(want, got.problem(t)); diff != "" {
					t.Errorf("problem (-want +got):\n%s", diff)
				}
			}
			if test.key != "" && strings.Contains(strings.ReplaceAll(log.String(), "retention", ""), `"`+test.key) {
				t.Errorf("the key is in the log: %s", log)
			}
		})
	}
}

// TestAStrangerLearnsNothing compares the refusals: whatever the input, whoever has no key gets the same words.
func TestAStrangerLearnsNothing(t *testing.T) {
	t.Parallel()
	settings := env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act:" + sumOf("k")}
	for _, body := range []string{p1, `{"tier":"P4"}`, `{`, strings.Repeat(" ", 2<<20)} {
		url, _ := serve(t, settings, unreachable(t))
		got := send(t, http.MethodPost, url, body)
		if got.Status != 401 {
			t.Errorf("%.20q: got %d %s", body, got.Status, got.Body)
		}
	}
}

func TestPlatformAccounts(t *testing.T) {
	t.Parallel()
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".SIGNATURE_REMOVED_BY_GOOGLE"
	}
	tests := []struct {
		name   string
		header []string
		want   string
	}{
		{"no token", nil, "iam"},
		{"an account", []string{"Authorization", "Bearer " + token(`{"email":"make-invoker@p.iam.gserviceaccount.com"}`)}, "make-invoker@p.iam.gserviceaccount.com"},
		{"in lower case", []string{"Authorization", "bearer " + token(`{"email":"a@b"}`)}, "a@b"},
		{"the platform's second header", []string{"X-Serverless-Authorization", "Bearer " + token(`{"email":"a@b"}`), "Authorization", "Bearer x"}, "a@b"},
		{"no email in it", []string{"Authorization", "Bearer " + token(`{"sub":"1"}`)}, "iam"},
		{"an email with a line in it", []string{"Authorization", "Bearer " + token(`{"email":"a@b\nc"}`)}, "iam"},
		{"an endless email", []string{"Authorization", "Bearer " + token(`{"email":"`+strings.Repeat("a", 129)+`"}`)}, "iam"},
		{"not a token", []string{"Authorization", "Bearer a.b.c"}, "iam"},
		{"another scheme", []string{"Authorization", "Basic " + token(`{"email":"a@b"}`)}, "iam"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, env{"RETENTIONOPS_AUTH": "iam"}, whoami)
			got := send(t, http.MethodPost, url, p1, test.header...)
			if !strings.Contains(got.Body, `"digest":"caller=`+test.want+`"`) {
				t.Errorf("got %d %s, want %s", got.Status, got.Body, test.want)
			}
		})
	}
}

func TestLocalLetsInThisMachine(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, local, whoami)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		header []string
	}{
		{"as it comes", nil},
		{"by its name", []string{"Host", "localhost:" + port}},
		{"by its name in capitals", []string{"Host", "LOCALHOST"}},
		{"another address of loopback", []string{"Host", "127.8.9.10"}},
		{"by IPv6", []string{"Host", "[::1]:" + port}},
		{"by IPv6 without a port", []string{"Host", "[::1]"}},
		{"its own page", []string{"Host", "localhost:" + port, "Origin", "http://localhost:" + port, "Sec-Fetch-Site", "same-origin"}},
		{"typed into the browser", []string{"Sec-Fetch-Site", "none"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := send(t, http.MethodPost, url, p1, test.header...); got.Status != 200 || !strings.Contains(got.Body, "caller=local") {
				t.Errorf("got %d %s", got.Status, got.Body)
			}
		})
	}
}

// TestLocalIsOnlyThisMachine plays the connections that a test cannot make.
func TestLocalIsOnlyThisMachine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, remote string
		local        net.Addr
		status       int
	}{
		{"loopback to loopback", "127.0.0.1:5000", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, 200},
		{"IPv6 to IPv6", "[::1]:5000", &net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, 200},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:5000", &net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, 200},
		{"another machine", "192.0.2.7:5000", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, 403},
		{"a server that listens to all", "127.0.0.1:5000", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8080}, 403},
		{"a connection without a far end", "", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, 403},
		{"a socket file", "@", &net.UnixAddr{Name: "/run/x.sock", Net: "unix"}, 403},
		{"another machine, of which the near end is not known", "192.0.2.7:5000", nil, 403},
		{"within the process", "", nil, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if test.local != nil {
				ctx = context.WithValue(ctx, http.LocalAddrContextKey, test.local)
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/", strings.NewReader(p1))
			r.RemoteAddr = test.remote
			r.Header.Set("Content-Type", "application/json")
			recorder := httptest.NewRecorder()
			door.Handle(newDoor(local, slog.New(slog.DiscardHandler)), functions.ExportAudience, echo).ServeHTTP(recorder, r)
			if recorder.Code != test.status {
				t.Errorf("got %d %s, want %d", recorder.Code, recorder.Body, test.status)
			}
		})
	}
}
