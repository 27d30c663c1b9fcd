package door_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

const (
	scheduler = "rop-scheduler@acme.iam.gserviceaccount.com"
	toUs      = "retentionops:acme:export-audience"
)

// issuer signs identity tokens as Google does, and serves its keys.
type issuer struct {
	*httptest.Server
	key     *rsa.PrivateKey
	fetches atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: &key.PublicKey, KeyID: "one", Algorithm: string(jose.RS256), Use: "sig"},
		}})
	}))
	t.Cleanup(i.Close)
	return i
}

// token is an identity token; change edits its claims.
func (i *issuer) token(t *testing.T, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": "https://accounts.google.com", "aud": toUs, "sub": "1", "email": scheduler, "email_verified": true,
		"exp": time.Date(2026, 1, 12, 6, 30, 0, 0, time.UTC).Unix(), "iat": time.Date(2026, 1, 12, 5, 59, 0, 0, time.UTC).Unix(),
	}
	if change != nil {
		change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "one"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAnOpenFunctionKnowsTheSchedulerByItsToken(t *testing.T) {
	t.Parallel()
	google, stranger := newIssuer(t), newIssuer(t)
	entrance := newDoor(env{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act+read:" + sumOf("secret"),
		"RETENTIONOPS_AUDIENCE": toUs, "RETENTIONOPS_INVOKERS": scheduler + ",rop-gateway@acme.iam.gserviceaccount.com",
	}, slog.New(slog.DiscardHandler))
	if err := entrance.Check(); err != nil {
		t.Fatal(err)
	}
	if err := entrance.FetchKeysFrom(google.URL); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(door.Handle(entrance, functions.ExportAudience, whoami))
	t.Cleanup(server.Close)

	set := func(claim string, value any) string {
		return google.token(t, func(claims map[string]any) { claims[claim] = value })
	}
	sound := google.token(t, nil)
	head, _, _ := strings.Cut(sound, ".")
	for _, test := range []struct {
		name, token, key string
		status           int
		want             string
	}{
		{"the scheduler", sound, "", 200, "caller=" + scheduler},
		{"the other account", set("email", "rop-gateway@acme.iam.gserviceaccount.com"), "", 200, "caller=rop-gateway@acme"},
		{"a key beside it counts alone", sound, "wrong", 401, ""},
		{"a key still does", "", "secret", 200, "caller=make"},
		{"neither", "", "", 401, ""},
		{"another account", set("email", "somebody@acme.iam.gserviceaccount.com"), "", 401, ""},
		{"an address nobody has verified", set("email_verified", false), "", 401, ""},
		{"made out to another function", set("aud", "retentionops:acme:get-alert-decision"), "", 401, ""},
		{"another issuer", set("iss", "https://accounts.example.com"), "", 401, ""},
		{"run out", set("exp", time.Date(2026, 1, 12, 5, 0, 0, 0, time.UTC).Unix()), "", 401, ""},
		{"signed by a stranger", stranger.token(t, nil), "", 401, ""},
		{"unsigned", head + "." + strings.Split(sound, ".")[1] + ".SIGNATURE_REMOVED_BY_GOOGLE", "", 401, ""},
		{"no token", "nonsense", "", 401, ""},
	} {
		headers := []string{}
		if test.token != "" {
			headers = append(headers, "Authorization", "Bearer "+test.token)
		}
		if test.key != "" {
			headers = append(headers, "X-API-Key", test.key)
		}
		got := send(t, http.MethodPost, server.URL, p1, headers...)
		if got.Status != test.status || !strings.Contains(got.Body, test.want) {
			t.Errorf("%s: %d %s", test.name, got.Status, got.Body)
		}
	}
	if got := google.fetches.Load(); got == 0 || got > 3 {
		t.Errorf("the keys were fetched %d times", got)
	}
}

func TestAStrangersTokenIsNotWorthAFetch(t *testing.T) {
	t.Parallel()
	google := newIssuer(t)
	entrance := newDoor(env{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act+read:" + sumOf("secret"),
		"RETENTIONOPS_AUDIENCE": toUs, "RETENTIONOPS_INVOKERS": scheduler,
	}, slog.New(slog.DiscardHandler))
	if err := entrance.FetchKeysFrom(google.URL); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(door.Handle(entrance, functions.ExportAudience, whoami))
	t.Cleanup(server.Close)
	for range 20 {
		token := google.token(t, func(claims map[string]any) { claims["email"] = "nobody@example.com" })
		if got := send(t, http.MethodPost, server.URL, p1, "Authorization", "Bearer "+token); got.Status != http.StatusUnauthorized {
			t.Errorf("let in with %d", got.Status)
		}
	}
	if google.fetches.Load() != 0 {
		t.Errorf("the keys were fetched %d times", google.fetches.Load())
	}
}

func TestHalfAnIdentityKeepsTheDoorClosed(t *testing.T) {
	t.Parallel()
	for _, settings := range []env{
		{"RETENTIONOPS_AUDIENCE": toUs},
		{"RETENTIONOPS_INVOKERS": scheduler},
		{"RETENTIONOPS_AUDIENCE": toUs, "RETENTIONOPS_INVOKERS": "a<b>@example.com"},
	} {
		settings["RETENTIONOPS_AUTH"], settings["RETENTIONOPS_API_KEYS"] = "key", "make:act:"+sumOf("secret")
		err := newDoor(settings, slog.New(slog.DiscardHandler)).Check()
		if functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("%v: %v", settings, err)
		}
	}
}
