package door_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// authority is an authorization server: go-oidc's own for tests, with what a hostile or broken one does in front of it.
type authority struct {
	*httptest.Server
	mu      sync.Mutex
	serves  oidctest.Server
	fetched map[string]int // by path
	instead http.HandlerFunc
	clock   atomic.Int64 // seconds after its start
}

const aud = "https://mcp.example.com/mcp"

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{fetched: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.fetched[r.URL.Path]++
		if a.instead != nil {
			a.instead(w, r)
			return
		}
		a.serves.ServeHTTP(w, r)
	}))
	tb.Cleanup(a.Close)
	a.serves.SetIssuer(a.URL)
	return a
}

func (a *authority) now() time.Time {
	return time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC).Add(time.Duration(a.clock.Load()) * time.Second)
}

func (a *authority) wait(d time.Duration) { a.clock.Add(int64(d.Seconds())) }

// key makes a key of an id; a forger's is not published.
func (a *authority) key(tb testing.TB, id string, published bool) crypto.Signer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if published {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.serves.PublicKeys = append(a.serves.PublicKeys, oidctest.PublicKey{PublicKey: key.Public(), KeyID: id, Algorithm: oidc.ES256})
	}
	return key
}

func (a *authority) token(tb testing.TB, key crypto.Signer, id string) string {
	tb.Helper()
	claims, err := json.Marshal(map[string]any{"iss": a.URL, "aud": aud, "sub": "ada", "exp": a.now().Add(48 * time.Hour).Unix()})
	if err != nil {
		tb.Fatal(err)
	}
	return oidctest.SignIDToken(key, id, oidc.ES256, string(claims))
}

func (a *authority) answer(handler http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.instead = handler
}

func (a *authority) count(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fetched[path]
}

func (a *authority) issuer(tb testing.TB, keys string) *door.Issuer {
	tb.Helper()
	issuer, err := door.NewIssuer(a.URL, aud, keys, a.now)
	if err != nil {
		tb.Fatal(err)
	}
	return issuer
}

func codeOf(t *testing.T, issuer *door.Issuer, token string) functions.Code {
	t.Helper()
	var claims struct{ Sub string }
	err := issuer.Verify(t.Context(), token, &claims)
	if err == nil && claims.Sub != "ada" {
		t.Errorf("it is of %q", claims.Sub)
	}
	return functions.CodeOf(err)
}

// TestForgedTokensFetchKeysSeldom counts what strangers can make us ask of an issuer.
func TestForgedTokensFetchKeysSeldom(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	issuer := a.issuer(t, a.URL+"/keys")
	sound, forger := a.key(t, "one", true), a.key(t, "", false)
	forge := func(id string) {
		t.Helper()
		if code := codeOf(t, issuer, a.token(t, forger, id)); code != functions.Unauthenticated {
			t.Errorf("forged by the id %q: %s", id, code)
		}
	}
	if code := codeOf(t, issuer, a.token(t, sound, "one")); code != "" {
		t.Fatalf("a sound token: %s", code)
	}
	for range 50 {
		forge("one")
		forge("nobody's")
		forge("")
	}
	if got := a.count("/keys"); got != 1 {
		t.Errorf("the keys were fetched %d times", got)
	}
	a.wait(31 * time.Second)
	for range 50 {
		forge("nobody's")
	}
	if got := a.count("/keys"); got != 2 {
		t.Errorf("the keys were fetched %d times after a while", got)
	}
	if a.count("/.well-known/oauth-authorization-server") > 0 {
		t.Error("the metadata was asked for what is configured")
	}
}

// TestKeysOfAnIssuerChange follows them.
func TestKeysOfAnIssuerChange(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	issuer := a.issuer(t, "")
	first := a.token(t, a.key(t, "one", true), "one")
	verify := func(what, token string, want functions.Code) {
		t.Helper()
		if code := codeOf(t, issuer, token); code != want {
			t.Errorf("%s: %q, want %q", what, code, want)
		}
	}
	verify("the first key", first, "")
	a.wait(time.Minute)
	second := a.token(t, a.key(t, "two", true), "two")
	verify("a new key", second, "")
	verify("the first key beside it", first, "")

	a.mu.Lock()
	a.serves.PublicKeys = a.serves.PublicKeys[1:]
	a.mu.Unlock()
	a.wait(61 * time.Minute)
	verify("a key that was withdrawn", first, functions.Unauthenticated)
	verify("the key that stays", second, "")

	third := a.token(t, a.key(t, "three", true), "three")
	a.answer(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusInternalServerError)
	})
	a.wait(2 * time.Hour)
	verify("a known key while the issuer is down", second, "")
	verify("a new key while the issuer is down", third, functions.Unavailable)
	a.answer(nil)
	verify("a new key, too early for another try", third, functions.Unavailable)
	a.wait(6 * time.Second)
	verify("a new key when the issuer is back", third, "")

	a.answer(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusInternalServerError)
	})
	a.wait(25 * time.Hour)
	verify("a known key after a day without the issuer", third, functions.Unavailable)
}

// TestWhoHangsUpStopsNoFetch would otherwise keep the others out.
func TestWhoHangsUpStopsNoFetch(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	issuer := a.issuer(t, a.URL+"/keys")
	token := a.token(t, a.key(t, "one", true), "one")
	arrived, release := make(chan struct{}), make(chan struct{})
	a.answer(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		a.serves.ServeHTTP(w, r)
	})
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = issuer.Verify(ctx, token, &struct{}{}) // nobody reads its answer
	}()
	<-arrived
	hangUp()
	close(release)
	<-done
	if code := codeOf(t, issuer, token); code != "" || a.count("/keys") != 1 {
		t.Errorf("%q after %d fetches", code, a.count("/keys"))
	}
}

// TestOneFetchIsEnoughForAll starts many at once.
func TestOneFetchIsEnoughForAll(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	issuer := a.issuer(t, "")
	token := a.token(t, a.key(t, "one", true), "one")
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if code := codeOf(t, issuer, token); code != "" {
				t.Errorf("refused: %s", code)
			}
		})
	}
	all.Wait()
	if got := a.count("/keys"); got != 1 {
		t.Errorf("the keys were fetched %d times", got)
	}
}

// TestMetadataOfAnIssuer is looked for where the standards put it, and believed when it is the issuer's.
func TestMetadataOfAnIssuer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path     string // of the issuer
		place    string // where its metadata is
		metadata string // ISSUER and KEYS stand for the right ones
		want     functions.Code
	}{
		"RFC 8414":                    {"", "/.well-known/oauth-authorization-server", `{"issuer": "ISSUER", "jwks_uri": "KEYS"}`, ""},
		"OpenID Connect":              {"", "/.well-known/openid-configuration", `{"issuer": "ISSUER", "jwks_uri": "KEYS"}`, ""},
		"RFC 8414 with a path":        {"/realms/acme", "/.well-known/oauth-authorization-server/realms/acme", `{"issuer": "ISSUER", "jwks_uri": "KEYS"}`, ""},
		"OpenID Connect after a path": {"/realms/acme", "/realms/acme/.well-known/openid-configuration", `{"issuer": "ISSUER", "jwks_uri": "KEYS"}`, ""},
		"OpenID Connect with a path":  {"/realms/acme", "/.well-known/openid-configuration/realms/acme", `{"issuer": "ISSUER", "jwks_uri": "KEYS"}`, ""},
		"an issuer that ends in /":    {"/acme/", "/acme/.well-known/openid-configuration", `{"issuer": "ISSUER", "jwks_uri": "KEYS"}`, ""},
		"another issuer's":            {"", "/.well-known/openid-configuration", `{"issuer": "ISSUERx", "jwks_uri": "KEYS"}`, functions.Unavailable},
		"keys that travel openly":     {"", "/.well-known/openid-configuration", `{"issuer": "ISSUER", "jwks_uri": "http://keys.example.com"}`, functions.Unavailable},
		"no keys":                     {"", "/.well-known/openid-configuration", `{"issuer": "ISSUER"}`, functions.Unavailable},
		"no JSON":                     {"", "/.well-known/openid-configuration", `<html>`, functions.Unavailable},
		"without end":                 {"", "/.well-known/openid-configuration", strings.Repeat(" ", 1<<20), functions.Unavailable},
		"nowhere":                     {"", "/nowhere", ``, functions.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			key, address := a.key(t, "one", true), a.URL+test.path
			a.answer(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case test.place:
					_, _ = w.Write([]byte(strings.NewReplacer("ISSUER", address, "KEYS", a.URL+"/keys").Replace(test.metadata)))
				case "/keys":
					a.serves.ServeHTTP(w, r)
				default:
					http.NotFound(w, r)
				}
			})
			issuer, err := door.NewIssuer(address, aud, "", a.now)
			if err != nil {
				t.Fatal(err)
			}
			token := strings.ReplaceAll(`{"iss": "ISSUER", "aud": ["other", "`+aud+`"], "sub": "ada", "exp": 4000000000}`, "ISSUER", address)
			if code := codeOf(t, issuer, oidctest.SignIDToken(key, "one", oidc.ES256, token)); code != test.want {
				t.Errorf("%q, want %q", code, test.want)
			}
		})
	}
}

// TestBadKeysOfAnIssuer takes what can be used of them, and follows nobody elsewhere.
func TestBadKeysOfAnIssuer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, sound string)
		want   functions.Code
	}{
		"a key of an unknown kind beside it": {func(w http.ResponseWriter, _ *http.Request, sound string) {
			_, _ = w.Write([]byte(strings.Replace(sound, `[`, `[{"kty":"LWE","kid":"new"},`, 1)))
		}, ""},
		"keys that encrypt": {func(w http.ResponseWriter, _ *http.Request, sound string) {
			_, _ = w.Write([]byte(strings.ReplaceAll(sound, `"use":"sig"`, `"use":"enc"`)))
		}, functions.Unavailable},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request, sound string) {
			if r.URL.Path == "/keys" {
				http.Redirect(w, r, "/others", http.StatusFound)
				return
			}
			_, _ = w.Write([]byte(sound))
		}, functions.Unavailable},
		"none": {func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = w.Write([]byte(`{"keys":[]}`)) }, functions.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			token := a.token(t, a.key(t, "one", true), "one")
			recorded := httptest.NewRecorder()
			a.serves.ServeHTTP(recorded, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/keys", nil))
			a.answer(func(w http.ResponseWriter, r *http.Request) { test.answer(w, r, recorded.Body.String()) })
			if code := codeOf(t, a.issuer(t, a.URL+"/keys"), token); code != test.want {
				t.Errorf("%q, want %q", code, test.want)
			}
		})
	}
}

func TestAnIssuerIsReachedSafely(t *testing.T) {
	t.Parallel()
	for address, fine := range map[string]bool{
		"https://login.example.com": true, "https://login.example.com/realms/acme": true, "http://127.0.0.1:8080": true,
		"http://login.example.com": false, "login.example.com": false, "https://ada:secret@login.example.com": false,
		"https://login.example.com#x": false, "ftp://login.example.com": false, "": false,
	} {
		if _, err := door.NewIssuer(address, aud, "", time.Now); (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := door.NewIssuer("https://login.example.com", aud, "http://login.example.com/keys", time.Now); err == nil {
		t.Error("keys that travel openly are taken")
	}
}
