package door_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

// FuzzToken shows an issuer tokens of every shape: no other than its own is let in, and none breaks the entrance.
func FuzzToken(f *testing.F) {
	a := newAuthority(f)
	issuer := a.issuer(f, a.URL+"/keys")
	sound := a.token(f, a.key(f, "one", true), "one")
	parts := strings.Split(sound, ".")
	raw := base64.RawURLEncoding.EncodeToString
	for _, seed := range []string{
		sound, "", ".", "..", "....", sound + ".", sound + "=", parts[0] + "." + parts[1] + ".", "a." + parts[1] + "." + parts[2],
		raw([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", raw([]byte(`{"alg":"HS256","kid":"one"}`)) + "." + parts[1] + "." + parts[2],
		raw([]byte(`{"alg":"ES256","crit":["b64"],"b64":false}`)) + "." + parts[1] + "." + parts[2],
		raw([]byte(`{"alg":"ES256","typ":1}`)) + "." + parts[1] + "." + parts[2],
		`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		var claims map[string]any
		err := issuer.Verify(t.Context(), token, &claims)
		// What was signed is the same; of a signature the last bits mean nothing, nor do spaces.
		same := strings.HasPrefix(strings.Join(strings.Fields(token), ""), parts[0]+"."+parts[1]+".")
		if code := functions.CodeOf(err); code != functions.Unauthenticated && !same {
			t.Errorf("%q: %q", token, code)
		}
	})
}
