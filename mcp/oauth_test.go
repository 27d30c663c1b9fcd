package mcp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/go-jose/go-jose/v4"
)

// publicURL is what clients type and tokens are made out to.
const publicURL = "https://mcp.example.com/mcp"

// authority is an authorization server, go-oidc's own for tests, with a key of each kind.
type authority struct {
	*httptest.Server
	keys    map[string]crypto.Signer // by algorithm, which is the key's id too
	fetched atomic.Int64             // how often its keys were
	down    atomic.Bool
}

// keySets are keys of each kind, ours and a stranger's: made once, as that takes longer than all that is done with them.
var keySets = [2]func() map[string]crypto.Signer{sync.OnceValue(newKeys), sync.OnceValue(newKeys)}

func newKeys() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]crypto.Signer{oidc.RS256: rsaKey, oidc.PS256: rsaKey, oidc.ES256: ecKey, oidc.EdDSA: edKey}
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	return authorityWith(tb, keySets[0]())
}

// newStranger is an authorization server with other keys under the same ids.
func newStranger(tb testing.TB) *authority {
	tb.Helper()
	return authorityWith(tb, keySets[1]())
}

func authorityWith(tb testing.TB, keys map[string]crypto.Signer) *authority {
	tb.Helper()
	a, serves := &authority{keys: keys}, &oidctest.Server{}
	for algorithm, key := range keys {
		serves.PublicKeys = append(serves.PublicKeys, oidctest.PublicKey{PublicKey: key.Public(), KeyID: algorithm, Algorithm: algorithm})
	}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			a.fetched.Add(1)
		}
		if a.down.Load() {
			http.Error(w, "<html>out of order</html>", http.StatusBadGateway)
			return
		}
		serves.ServeHTTP(w, r)
	}))
	tb.Cleanup(a.Close)
	serves.SetIssuer(a.URL)
	return a
}

// claims are those of ada's access token, with these in the place of what is there; nil takes a claim away.
func (a *authority) claims(tb testing.TB, change map[string]any) string {
	tb.Helper()
	all := map[string]any{
		"iss": a.URL, "aud": publicURL, "sub": "auth0|ada", "client_id": "chat", "scope": "openid retention:read", "jti": "1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, change)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	data, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func (a *authority) token(t *testing.T, change map[string]any) string {
	t.Helper()
	return oidctest.SignIDToken(a.keys[oidc.RS256], oidc.RS256, oidc.RS256, a.claims(t, change))
}

// guarded is a gateway that this authorization server gives tokens for, and that knows one key.
func (a *authority) guarded(tb testing.TB, change map[string]string) *served {
	tb.Helper()
	settings := map[string]string{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1", "RETENTIONOPS_MCP_RATE": "0",
		"RETENTIONOPS_MCP_ISSUER": a.URL, "RETENTIONOPS_MCP_PUBLIC_URL": publicURL,
		"RETENTIONOPS_MCP_KEYS": "robot:read:" + sumOf("static-key"),
	}
	maps.Copy(settings, change)
	return serve(tb, settings, Local(doorsWith(tb, "local", work{})))
}

// show calls a reading tool with a bearer.
func (s *served) show(t *testing.T, bearer string) answered {
	t.Helper()
	request := s.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"}))
	request.Header.Del("Authorization")
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	return s.send(t, request)
}

// signed is a token with a header of one's own.
func signed(t *testing.T, key jose.SigningKey, header map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(key, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAccessTokens shows tokens of all kinds: the right ones are let in, under their subject's name.
func TestAccessTokens(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newStranger(t)
	gateway := a.guarded(t, nil)
	public, err := x509.MarshalPKIXPublicKey(a.keys[oidc.RS256].Public())
	if err != nil {
		t.Fatal(err)
	}
	now, rs256 := time.Now(), jose.SigningKey{Algorithm: jose.RS256, Key: a.keys[oidc.RS256]}
	by := func(algorithm string) string {
		return oidctest.SignIDToken(a.keys[algorithm], algorithm, algorithm, a.claims(t, nil))
	}
	raw := base64.RawURLEncoding.EncodeToString
	sound := a.token(t, nil)
	head, rest, _ := strings.Cut(sound, ".")
	payload, signature, _ := strings.Cut(rest, ".")

	for name, test := range map[string]struct {
		token  string
		status int
		says   string // in WWW-Authenticate
	}{
		"right":                              {sound, 200, ""},
		"ES256":                              {by(oidc.ES256), 200, ""},
		"PS256":                              {by(oidc.PS256), 200, ""},
		"EdDSA":                              {by(oidc.EdDSA), 200, ""},
		"without a key id":                   {signed(t, rs256, nil, a.claims(t, nil)), 200, ""},
		"of the type for access tokens":      {signed(t, rs256, map[jose.HeaderKey]any{"typ": "at+jwt"}, a.claims(t, nil)), 200, ""},
		"of another type":                    {signed(t, rs256, map[jose.HeaderKey]any{"typ": "logout+jwt"}, a.claims(t, nil)), 401, "invalid_token"},
		"for several, us among them":         {a.token(t, map[string]any{"aud": []string{"https://other.example.com", publicURL}}), 200, ""},
		"scp as a list":                      {a.token(t, map[string]any{"scope": nil, "scp": []string{"retention:read"}}), 200, ""},
		"scp as a text":                      {a.token(t, map[string]any{"scope": nil, "scp": "retention:read retention:act"}), 200, ""},
		"scope as a list":                    {a.token(t, map[string]any{"scope": []string{"retention:read"}}), 200, ""},
		"without a scope":                    {a.token(t, map[string]any{"scope": nil}), 403, `scope="retention:read", error="insufficient_scope"`},
		"with another scope":                 {a.token(t, map[string]any{"scope": "retention:reader"}), 403, "insufficient_scope"},
		"scope of a strange kind":            {a.token(t, map[string]any{"scope": map[string]any{"retention:read": true}}), 401, "invalid_token"},
		"of another issuer":                  {a.token(t, map[string]any{"iss": "https://login.example.com"}), 401, "invalid_token"},
		"of an issuer that begins like ours": {a.token(t, map[string]any{"iss": a.URL + "/"}), 401, "invalid_token"},
		"made out to another":                {a.token(t, map[string]any{"aud": "https://other.example.com/mcp"}), 401, "invalid_token"},
		"made out to something above us":     {a.token(t, map[string]any{"aud": "https://mcp.example.com"}), 401, "invalid_token"},
		"made out to nobody":                 {a.token(t, map[string]any{"aud": nil}), 401, "invalid_token"},
		"run out":                            {a.token(t, map[string]any{"exp": now.Add(-time.Minute).Unix()}), 401, "invalid_token"},
		"without an end":                     {a.token(t, map[string]any{"exp": nil}), 401, "invalid_token"},
		"not yet valid":                      {a.token(t, map[string]any{"nbf": now.Add(time.Hour).Unix()}), 401, "invalid_token"},
		"without a subject":                  {a.token(t, map[string]any{"sub": nil}), 401, "invalid_token"},
		"bound to a key of the client":       {a.token(t, map[string]any{"cnf": map[string]any{"jkt": "x"}}), 401, "invalid_token"},
		"signed by a stranger":               {oidctest.SignIDToken(stranger.keys[oidc.RS256], oidc.RS256, oidc.RS256, a.claims(t, nil)), 401, "invalid_token"},
		"by a key that is unknown":           {oidctest.SignIDToken(stranger.keys[oidc.ES256], "new", oidc.ES256, a.claims(t, nil)), 401, "invalid_token"},
		"a key of its own in its header": {signed(t, jose.SigningKey{Algorithm: jose.RS256, Key: stranger.keys[oidc.RS256]},
			map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: stranger.keys[oidc.RS256].Public()}}, a.claims(t, nil)), 401, "invalid_token"},
		"unsigned":                    {raw([]byte(`{"alg":"none"}`)) + "." + payload + ".", 401, "invalid_token"},
		"unsigned, with a signature":  {raw([]byte(`{"alg":"none"}`)) + "." + payload + "." + signature, 401, "invalid_token"},
		"HS256 by the public key":     {signed(t, jose.SigningKey{Algorithm: jose.HS256, Key: public}, map[jose.HeaderKey]any{"kid": oidc.RS256}, a.claims(t, nil)), 401, "invalid_token"},
		"changed":                     {head + "." + raw([]byte(a.claims(t, map[string]any{"scope": "retention:act retention:read"}))) + "." + signature, 401, "invalid_token"},
		"cut short":                   {head + "." + payload + ".", 401, "invalid_token"},
		"opaque":                      {"mF_9.B5f-4.1JqM", 401, "invalid_token"},
		"too large":                   {a.token(t, map[string]any{"padding": strings.Repeat("x", 20<<10)}), 401, "invalid_token"},
		"the key beside it":           {"static-key", 200, ""},
		"a key that is not known":     {"statik-key", 401, "invalid_token"},
		"nothing":                     {"", 401, `Bearer realm="retentionops", scope="retention:read", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"`},
		"a token in the place of key": {sumOf("static-key"), 401, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := gateway.show(t, test.token)
			demands := got.header.Get("WWW-Authenticate")
			if got.status != test.status || !strings.Contains(demands, test.says) {
				t.Errorf("%d %q %s", got.status, demands, got.body)
			}
			if got.status == 200 && !strings.Contains(got.text(), "17.18 %") {
				t.Errorf("%s", got.body)
			}
			if got.status != 200 && !strings.Contains(demands, `resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"`) {
				t.Errorf("it does not say where the metadata is: %q", demands)
			}
		})
	}
	t.Cleanup(func() {
		log, host := gateway.log.String(), strings.TrimPrefix(a.URL, "http://")
		if !strings.Contains(log, `"principal":"auth0|ada@`+host+`"`) || !strings.Contains(log, `"principal":"robot"`) {
			t.Errorf("the log does not say who asked: %s", log)
		}
		for _, part := range []string{payload, signature, "static-key"} {
			if strings.Contains(log, part) {
				t.Errorf("the log holds %s", part)
			}
		}
		if got := a.fetched.Load(); got != 1 {
			t.Errorf("the keys were fetched %d times", got)
		}
	})
}

// TestWhatFailedIsNotTold answers a wrong token and a wrong key alike, to the byte.
func TestWhatFailedIsNotTold(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	gateway := a.guarded(t, nil)
	seen := map[string]bool{}
	for _, bearer := range []string{
		"statik-key", a.token(t, map[string]any{"aud": "x"}), a.token(t, map[string]any{"exp": 1}), a.token(t, nil) + "x", "ey.static.key",
	} {
		got := gateway.show(t, bearer)
		id := got.header.Get("X-Request-Id")
		got.header.Del("X-Request-Id")
		got.header.Del("Date")
		header, err := json.Marshal(got.header)
		if err != nil || got.status != http.StatusUnauthorized {
			t.Fatalf("%d %s: %v", got.status, got.body, err)
		}
		seen[string(header)+strings.ReplaceAll(string(got.body), id, "ID")] = true
	}
	if len(seen) != 1 {
		t.Errorf("%d answers to strangers: %v", len(seen), seen)
	}
}

// TestAnIssuerThatIsDown is told as that, and shuts nobody out who needs it not.
func TestAnIssuerThatIsDown(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	gateway := a.guarded(t, nil)
	a.down.Store(true)
	got := gateway.show(t, a.token(t, nil))
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(string(got.body), "issuer") ||
		strings.Contains(string(got.body), a.URL) || strings.Contains(string(got.body), "out of order") {
		t.Errorf("a token: %d %v %s", got.status, got.header, got.body)
	}
	if got := gateway.show(t, "static-key"); got.status != 200 {
		t.Errorf("a key: %d %s", got.status, got.body)
	}
	if !strings.Contains(gateway.log.String(), "answers 502") {
		t.Errorf("the log does not say why: %s", gateway.log)
	}
	a.down.Store(false)
	alone := a.guarded(t, map[string]string{"RETENTIONOPS_MCP_KEYS": "", "RETENTIONOPS_MCP_JWKS": a.URL + "/keys"})
	if got := alone.show(t, a.token(t, nil)); got.status != 200 {
		t.Errorf("tokens without keys: %d %s", got.status, got.body)
	}
	if got := alone.show(t, "static-key"); got.status != http.StatusUnauthorized {
		t.Errorf("a key of nobody: %d %s", got.status, got.body)
	}
}

// TestWhereABearerStands wants it in one place.
func TestWhereABearerStands(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	gateway, token := a.guarded(t, nil), a.token(t, nil)
	for name, test := range map[string]struct {
		change func(*http.Request)
		status int
		says   string
	}{
		"in the header":     {func(*http.Request) {}, 200, ""},
		"in two headers":    {func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+token) }, 400, "invalid_request"},
		"in the address":    {func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "access_token=" + token }, 400, "invalid_request"},
		"in both":           {func(r *http.Request) { r.URL.RawQuery = "access_token=" + token }, 400, "invalid_request"},
		"by another scheme": {func(r *http.Request) { r.Header.Set("Authorization", "DPoP "+token) }, 401, "Bearer realm"},
		"in the platform's header": {func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("X-Serverless-Authorization", "Bearer "+token)
		}, 401, "Bearer realm"},
	} {
		request := gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": "get_alert_decision"}))
		request.Header.Set("Authorization", "Bearer "+token)
		test.change(request)
		if got := gateway.send(t, request); got.status != test.status || !strings.Contains(got.header.Get("WWW-Authenticate"), test.says) {
			t.Errorf("%s: %d %q %s", name, got.status, got.header.Get("WWW-Authenticate"), got.body)
		}
	}
	if strings.Contains(gateway.log.String(), token) {
		t.Error("the log holds the token")
	}
}

// TestTheMetadataOfTheResource is the document that a client begins with.
func TestTheMetadataOfTheResource(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		public, issuer string
		places         []string
		named          string // in the 401
	}{
		"a host of its own": {
			publicURL, "https://login.example.com/realms/acme",
			[]string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"},
			"https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
		},
		"a shared host": {
			"https://europe-west1-acme.cloudfunctions.net/mcp-gateway/mcp", "https://login.example.com",
			[]string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/mcp-gateway/mcp"},
			"https://europe-west1-acme.cloudfunctions.net/mcp-gateway/.well-known/oauth-protected-resource/mcp",
		},
		"without a path": {
			"https://mcp.example.com/", "https://login.example.com",
			[]string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"},
			"https://mcp.example.com/.well-known/oauth-protected-resource",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := serve(t, map[string]string{
				"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_ISSUER": test.issuer, "RETENTIONOPS_MCP_PUBLIC_URL": test.public,
			}, Local(nil))
			_, host, _ := strings.Cut(test.public, "://")
			host, _, _ = strings.Cut(host, "/")
			get := func(method, path, host string) answered {
				request := gateway.request(t, modern, nil)
				request.Method, request.URL.Path, request.Host = method, path, host
				request.Header.Del("Authorization")
				request.Header.Set("Origin", "https://chat.example.com") // any page may read it
				request.Header.Set("X-Forwarded-Host", "evil.example.com")
				return gateway.send(t, request)
			}
			for _, place := range test.places {
				got := get(http.MethodGet, place, host)
				var pretty bytes.Buffer
				if err := json.Indent(&pretty, got.body, "", "  "); err != nil {
					t.Fatalf("%s: %v in %d %s", place, err, got.status, got.body)
				}
				golden(t, "protected-resource/"+strings.ReplaceAll(name, " ", "-")+".json", append(pretty.Bytes(), '\n'))
				if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Content-Type") != "application/json" {
					t.Errorf("%s: %d %v", place, got.status, got.header)
				}
			}
			for method, status := range map[string]int{http.MethodPost: http.StatusMethodNotAllowed, http.MethodOptions: http.StatusNoContent} {
				if got := get(method, test.places[0], host); got.status != status {
					t.Errorf("%s: %d", method, got.status)
				}
			}
			request := gateway.request(t, modern, modern.message(1, "tools/list", nil))
			request.Host = host
			if got := gateway.send(t, request).header.Get("WWW-Authenticate"); !strings.HasSuffix(got, `resource_metadata="`+test.named+`"`) {
				t.Errorf("the 401 says %s", got)
			}
			if got := get(http.MethodGet, test.places[0], "evil.example.com"); got.status != http.StatusForbidden {
				t.Errorf("under another name: %d %s", got.status, got.body)
			}
		})
	}
	without := serve(t, map[string]string{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_MCP_HOSTS": "127.0.0.1", "RETENTIONOPS_MCP_KEYS": "robot:read:" + sumOf("static-key"),
	}, Local(nil))
	request := without.request(t, modern, nil)
	request.Method, request.URL.Path = http.MethodGet, "/.well-known/oauth-protected-resource"
	if got := without.send(t, request); got.status != http.StatusNotFound {
		t.Errorf("without an issuer: %d %s", got.status, got.body)
	}
}

// TestNamesOfPrincipals are never the same for two, and harmless.
func TestNamesOfPrincipals(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	seen := map[string]string{}
	for _, subject := range []string{
		"ada", "Ada", "ada@example.com", "ada%40example.com", "auth0|1", "a b", "a\nb", "a+b", "ädä", long, long + "x", "+" + long,
		`"><script>`, "local", "a via b", "\x00",
	} {
		name := escaped(subject, 64)
		if other, twice := seen[name]; twice {
			t.Errorf("%q and %q are both %s", subject, other, name)
		}
		seen[name] = subject
		if len(name) > 64 || strings.ContainsAny(name, " @\n\"<>/") {
			t.Errorf("%q becomes %q", subject, name)
		}
	}
}

// TestStrangersAreLoggedSeldom bounds what a flood costs.
func TestStrangersAreLoggedSeldom(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	door := newKnocks()
	lines, left := 0, int64(0)
	for range 1000 {
		if unlogged, may := door.may("", clock); may {
			lines++
			left += unlogged
		}
	}
	if lines != 100 {
		t.Errorf("%d lines of 1000", lines)
	}
	if unlogged, may := door.may("ada", clock); !may || unlogged != 900 {
		t.Errorf("ada: %v after %d", may, unlogged)
	}
	if unlogged, may := door.may("", clock.Add(time.Minute)); !may || unlogged != 0 || left != 0 {
		t.Errorf("later: %v after %d", may, unlogged)
	}
}
