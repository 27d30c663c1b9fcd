package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// authorized knows callers by the access tokens of the company's authorization server. The gateway is a resource: it
// verifies tokens, and issues, forwards and introspects none.
type authorized struct {
	issuer      *door.Issuer
	of          string       // the issuer, in the names of principals
	host        string       // of the public address
	metadata    http.Handler // which issuer and which scopes, for clients (RFC 9728)
	metadataURL string       // where the 401 says that it is
	paths       []string     // where it is served
}

func newAuthorized(config settings, now func() time.Time) (*authorized, error) {
	if config.PublicURL == "" {
		return nil, errors.New("RETENTIONOPS_MCP_PUBLIC_URL is not set: tokens must be made out to it")
	}
	// Never from a forwarded header: whoever writes one would choose whose tokens are good here.
	resource := strings.TrimSuffix(config.PublicURL, "/")
	if err := door.CheckAddress(resource); err != nil {
		return nil, fmt.Errorf("RETENTIONOPS_MCP_PUBLIC_URL %w", err)
	}
	issuer, err := door.NewIssuer(config.Issuer, resource, config.JWKS, now)
	if err != nil {
		return nil, fmt.Errorf("of RETENTIONOPS_MCP_ISSUER and RETENTIONOPS_MCP_JWKS %w", err)
	}
	public, err := url.Parse(resource)
	if err != nil {
		return nil, err
	}
	whose, err := url.Parse(config.Issuer)
	if err != nil {
		return nil, err
	}
	const wellKnown = server.WellKnownProtectedResourcePath
	// A shared host cuts off the function's name, so nothing above that name can be served: RFC 9728 lets the 401 name
	// another place.
	above, spoken := strings.CutSuffix(public.Path, Path)
	at := wellKnown
	if spoken {
		at += Path
	}
	return &authorized{
		issuer: issuer, of: escaped(whose.Host+strings.TrimSuffix(whose.Path, "/"), 60), host: strings.ToLower(public.Hostname()),
		metadata: server.NewProtectedResourceMetadataHandler(server.ProtectedResourceMetadataConfig{
			Resource: resource, AuthorizationServers: []string{config.Issuer}, ResourceName: "RetentionOps",
			// The least that is of use; what acts asks for more when it is called.
			ScopesSupported: []string{string(functions.ScopeRead)}, BearerMethodsSupported: []string{"header"},
		}),
		metadataURL: public.Scheme + "://" + public.Host + above + at,
		paths:       []string{wellKnown, wellKnown + Path, server.ProtectedResourceMetadataPath(resource)},
	}, nil
}

// claims are what an access token says of its bearer, beside what the issuer's verification has looked at.
type claims struct {
	Subject string          `json:"sub"`
	Scope   scopeWords      `json:"scope"`
	Scp     scopeWords      `json:"scp"`
	Bound   json.RawMessage `json:"cnf"`
}

// scopeWords are scopes as one string or as a list: servers write both.
type scopeWords []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scopeWords) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*s = strings.Fields(text)
		return nil
	}
	return json.Unmarshal(data, (*[]string)(s))
}

// principal verifies an access token and says whose it is.
func (a *authorized) principal(ctx context.Context, token string) (Principal, error) {
	var said claims
	if err := a.issuer.Verify(ctx, token, &said); err != nil {
		return Principal{}, err
	}
	switch {
	case said.Subject == "":
		return Principal{}, functions.Errorf(functions.Unauthenticated, "").WithCause(errors.New("the token has no subject"))
	case len(said.Bound) > 0 && string(said.Bound) != "null":
		// Whoever stole it could use it here: that the bearer holds the key is not looked at.
		return Principal{}, functions.Errorf(functions.Unauthenticated, "").WithCause(errors.New("the token is bound to a key"))
	}
	who := Principal{Name: escaped(said.Subject, 64) + "@" + a.of, stepsUp: true}
	for _, scope := range functions.Scopes {
		if slices.Contains(said.Scope, string(scope)) || slices.Contains(said.Scp, string(scope)) {
			who.Scopes = append(who.Scopes, scope)
		}
	}
	return who, nil
}

// escaped is a text as it may stand in a log, a header and a key, in at most so many characters. Two texts are never
// the same afterwards: limits and confirmations are kept by it.
func escaped(text string, longest int) string {
	const harmless = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-|:"
	var out strings.Builder
	for i := range len(text) {
		if strings.IndexByte(harmless, text[i]) >= 0 {
			out.WriteByte(text[i])
		} else {
			fmt.Fprintf(&out, "%%%02X", text[i])
		}
	}
	if out.Len() > longest {
		sum := sha256.Sum256([]byte(text))
		return "+" + hex.EncodeToString(sum[:16]) // nothing that is escaped holds a plus
	}
	return out.String()
}

// isJWT tells by its look alone what a bearer is: three parts, of which the first is an object in base64.
func isJWT(token string) bool {
	return strings.HasPrefix(token, "ey") && strings.Count(token, ".") == 2
}
