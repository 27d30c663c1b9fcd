package mcp

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// checkHost refuses hosts that are not ours, so that no web page reaches us under a name of its own.
func (g *Gateway) checkHost(r *http.Request) error {
	if g.config.Auth == door.ModeLocal {
		return door.FromThisMachine(r)
	}
	host := strings.ToLower(r.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if g.authorized != nil && host == g.authorized.host {
		return nil
	}
	if !slices.ContainsFunc(words(strings.ToLower(g.config.Hosts)), func(known string) bool {
		return host == known || strings.HasPrefix(known, ".") && strings.HasSuffix(host, known)
	}) {
		return functions.Errorf(functions.PermissionDenied, "the Host is not known").WithHint("the operator lists it in RETENTIONOPS_MCP_HOSTS")
	}
	return nil
}

// checkOrigin refuses web pages that are not listed, and lets those that are read the answer.
func (g *Gateway) checkOrigin(header http.Header, r *http.Request) error {
	if g.config.Auth == door.ModeLocal {
		return nil // checkHost has looked
	}
	for _, origin := range r.Header.Values("Origin") {
		if !slices.Contains(words(g.config.Origins), origin) {
			return functions.Errorf(functions.PermissionDenied, "web pages may not call").WithHint("the operator lists those that may in RETENTIONOPS_MCP_ORIGINS")
		}
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Methods", http.MethodPost)
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Method, Mcp-Name, "+
			strings.Join([]string{toolsetsHeader, toolsHeader, excludeHeader, readOnlyHeader}, ", "))
		header.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, X-Request-Id")
		header.Set("Vary", "Origin")
	}
	return nil
}

// keysRetry is in how many seconds an issuer that did not answer is asked again.
const keysRetry = "5"

// admit finds out who asks. Its errors tell a stranger nothing, not even which kind of bearer was looked at.
func (g *Gateway) admit(header http.Header, r *http.Request) (Principal, error) {
	switch g.config.Auth {
	case door.ModeLocal:
		return Principal{Name: "local", Scopes: functions.Scopes}, nil
	case door.ModeIAM:
		return Principal{Name: door.PlatformAccount(r), Scopes: functions.Scopes}, nil
	default:
	}
	demand := func(fault string) { header.Set("WWW-Authenticate", g.challenge(fault, functions.ScopeRead)) }
	token := door.Bearer(r.Header)
	switch {
	case len(r.Header.Values("Authorization")) > 1 || r.URL.Query().Has("access_token"):
		demand("invalid_request")
		return Principal{}, functions.Errorf(functions.InvalidArgument, "a bearer is shown once, in the Authorization header, and never in the address")
	case token == "":
		demand("")
		return Principal{}, g.stranger(nil)
	}
	who, err := g.whose(r, token)
	switch code := functions.CodeOf(err); {
	case code == functions.Unavailable:
		header.Set("Retry-After", keysRetry)
		return Principal{}, err
	case err != nil:
		demand("invalid_token")
		return Principal{}, g.stranger(err)
	case !slices.Contains(who.Scopes, functions.ScopeRead): // everything here is reading
		demand("insufficient_scope")
		return who, functions.Errorf(functions.PermissionDenied, "the gateway needs the scope %s", functions.ScopeRead).
			WithHint("ask for a token or a key with that scope")
	}
	return who, nil
}

// whose is the caller that a bearer stands for. What the bearer looks like decides where it is looked up, and nowhere
// else is it tried.
func (g *Gateway) whose(r *http.Request, token string) (Principal, error) {
	if g.authorized != nil && isJWT(token) {
		return g.authorized.principal(r.Context(), token)
	}
	if name, scopes, known := g.keys.Whose(token); known {
		return Principal{Name: name, Scopes: scopes}, nil
	}
	return Principal{}, functions.Errorf(functions.Unauthenticated, "")
}

// stranger is the one answer to everybody who is not known.
func (g *Gateway) stranger(cause error) error {
	hint := "send Authorization: Bearer KEY"
	if g.authorized != nil {
		hint = "send Authorization: Bearer and a JWT that the authorization server has made out to this gateway, or a key; " +
			"an opaque token is not looked up"
	}
	return functions.Errorf(functions.Unauthenticated, "").WithHint(hint).WithCause(cause)
}

// challenge tells a client what it lacks, and where to get it.
func (g *Gateway) challenge(fault string, scopes ...functions.Scope) string {
	needed := make([]string, len(scopes))
	for i, scope := range scopes {
		needed[i] = string(scope)
	}
	text := `Bearer realm="retentionops", scope="` + strings.Join(needed, " ") + `"`
	if fault != "" {
		text += `, error="` + fault + `"`
	}
	if g.authorized != nil {
		text += `, resource_metadata="` + g.authorized.metadataURL + `"`
	}
	return text
}
