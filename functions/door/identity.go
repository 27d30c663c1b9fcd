package door

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
)

const (
	// googleIssuer and googleKeys are those of Google's identity tokens, as its discovery document names them
	// (https://accounts.google.com/.well-known/openid-configuration).
	googleIssuer = "https://accounts.google.com"
	googleKeys   = "https://www.googleapis.com/oauth2/v3/certs"
)

// identities knows callers by Google's identity tokens. A function that is opened to callers with a key is public for the
// platform, which then verifies nothing: scheduler and gateway still show who they are, and the door looks itself.
type identities struct {
	issuer   *Issuer
	audience string
	accounts []string
}

// newIdentities reads RETENTIONOPS_AUDIENCE and RETENTIONOPS_INVOKERS; nil when neither is set. Keys are fetched by the
// first token that is worth it.
func newIdentities(audience, accounts, keysURL string, now func() time.Time) (*identities, error) {
	known := strings.FieldsFunc(accounts, func(r rune) bool { return r == ',' || r == ' ' })
	switch {
	case audience == "" && len(known) == 0:
		return nil, nil
	case audience == "" || len(known) == 0:
		return nil, errors.New("of RETENTIONOPS_AUDIENCE and RETENTIONOPS_INVOKERS only one is set")
	case slices.ContainsFunc(known, func(account string) bool { return !soundEmail.MatchString(account) }):
		return nil, errors.New("an entry of RETENTIONOPS_INVOKERS is no address of an account")
	}
	issuer, err := NewIssuer(googleIssuer, audience, keysURL, now)
	if err != nil {
		return nil, err
	}
	return &identities{issuer: issuer, audience: audience, accounts: known}, nil
}

// identity is what a token says of its bearer.
type identity struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Email    string `json:"email"`
	Verified bool   `json:"email_verified"`
}

// admit verifies a token: Google's signature, issuer and expiry, made out to us, one of the accounts.
func (i *identities) admit(ctx context.Context, token string) (caller, error) {
	// What a token claims costs nothing to read. A stranger's is not worth a fetch of keys.
	if !i.expects(claimed(token)) {
		return caller{}, functions.Errorf(functions.Unauthenticated, "")
	}
	var who identity
	if err := i.issuer.Verify(ctx, token, &who); err != nil {
		return caller{}, err
	}
	if !i.expects(who) {
		return caller{}, functions.Errorf(functions.Unauthenticated, "")
	}
	return caller{name: who.Email, scopes: functions.Scopes}, nil
}

func (i *identities) expects(who identity) bool {
	return who.Verified && who.Audience == i.audience && slices.Contains(i.accounts, who.Email)
}

// claimed reads what a token says, whoever wrote it.
func claimed(token string) (who identity) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return identity{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &who) != nil {
		return identity{}
	}
	return who
}

// Bearer is the token of a request's Authorization header; empty without exactly one.
func Bearer(header http.Header) string { return bearerIn(header.Values("Authorization")) }

func bearerIn(values []string) string {
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
