package mcp

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
)

// BenchmarkAdmission is what the entrance costs for each kind of bearer: a stranger must not cost more than a guest.
func BenchmarkAdmission(b *testing.B) {
	a, stranger := newAuthority(b), newStranger(b)
	gateway := a.guarded(b, nil)
	claims := a.claims(b, nil)
	by := func(a *authority, algorithm, id string) string {
		return oidctest.SignIDToken(a.keys[algorithm], id, algorithm, claims)
	}
	body := modern.message(1, "server/discover", nil)
	for _, row := range []struct {
		name, bearer string
		status       int
	}{
		{"nothing", "", 401},
		{"a wrong key", "statik-key", 401},
		{"a forged token, known id", by(stranger, oidc.RS256, oidc.RS256), 401},
		{"a forged token, new id", by(stranger, oidc.RS256, "new"), 401},
		{"a right key", "static-key", 200},
		{"a right token, RS256", by(a, oidc.RS256, oidc.RS256), 200},
		{"a right token, ES256", by(a, oidc.ES256, oidc.ES256), 200},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "http://127.0.0.1"+Path, bytes.NewReader(body))
				modern.headers(request.Header, body)
				if row.bearer != "" {
					request.Header.Set("Authorization", "Bearer "+row.bearer)
				}
				got := httptest.NewRecorder()
				gateway.ServeHTTP(got, request)
				if got.Code != row.status {
					b.Fatalf("%d %s", got.Code, got.Body)
				}
			}
		})
	}
	if fetched := a.fetched.Load(); fetched > 3 {
		b.Errorf("the keys were fetched %d times", fetched)
	}
}
