package door

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// Mode is how a function knows its callers. There is no default: without a mode the door is closed.
type Mode string

// The modes.
const (
	ModeIAM   Mode = "iam"   // the platform has verified the caller and let in only whom it should
	ModeKey   Mode = "key"   // X-API-Key, compared with the sums of the known keys
	ModeLocal Mode = "local" // a laptop: loopback only, and no foreign web page
)

const (
	modesHint = "set RETENTIONOPS_AUTH to iam (the platform verifies the caller), key (X-API-Key) or local (loopback only)"
	keysHint  = "write name:scope[+scope]:sha256hex, several separated by commas; scopes: read, act; the sum has 64 hex digits"
)

// caller is who knocked, and what it may do.
type caller struct {
	name   string
	scopes []functions.Scope
	speaks bool // for others: it is the gateway, see behalf
}

// may tells whether the caller may make this call.
func (c caller) may(tool *functions.Tool, dryRun bool) error {
	needed := tool.Scope
	if dryRun {
		needed = functions.ScopeRead
	}
	if slices.Contains(c.scopes, needed) {
		return nil
	}
	return functions.Errorf(functions.PermissionDenied, "%s needs the scope %s", tool.Name, needed).
		WithHint("ask the operator for a key with that scope")
}

// admit finds out who the caller is. Its errors tell a stranger nothing.
func (d *Door) admit(r *http.Request) (caller, error) {
	switch {
	case d.closed != nil:
		return caller{}, functions.Errorf(functions.FailedPrecondition, "this function is closed").
			WithHint("its operator finds the reason in the log").WithCause(d.closed)
	case d.config.Auth == ModeKey:
		if token := Bearer(r.Header); d.known != nil && token != "" && len(r.Header.Values("X-API-Key")) == 0 {
			who, err := d.known.admit(r.Context(), token)
			who.speaks = err == nil && d.isGateway(who.name)
			return who, err
		}
		return d.admitKey(r)
	case d.config.Auth == ModeLocal:
		return admitLocal(r)
	default:
		return caller{name: PlatformAccount(r), scopes: functions.Scopes, speaks: d.speaksForOthers(r)}, nil
	}
}

// admitLocal lets in programs of this machine. A web page in its browser is none of them, and neither is whoever
// comes through a tunnel or a proxy that ends here.
func admitLocal(r *http.Request) (caller, error) {
	refuse := func(why string) (caller, error) {
		return caller{}, functions.Errorf(functions.PermissionDenied, "this function answers only programs of this machine: %s", why).
			WithHint("call it at http://localhost or http://127.0.0.1, not through a proxy or from a web page")
	}
	if !loopbackHost(r.Host) {
		return refuse("the Host is not loopback")
	}
	local, connected := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if connected && !loopbackAddr(local.String()) {
		return refuse("the server listens beyond loopback")
	}
	// Without a connection at all the request was made inside this process.
	if (connected || r.RemoteAddr != "") && !loopbackAddr(r.RemoteAddr) {
		return refuse("the caller is on another machine")
	}
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if len(r.Header.Values(name)) > 0 {
			return refuse("the request came through a proxy")
		}
	}
	for _, origin := range r.Header.Values("Origin") {
		if origin != "http://"+r.Host {
			return refuse("the Origin is foreign")
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return refuse("the Sec-Fetch-Site is foreign")
		}
	}
	return caller{name: "local", scopes: functions.Scopes, speaks: true}, nil
}

// FromThisMachine reports why a request is not from a program of this machine; nil when it is.
func FromThisMachine(r *http.Request) error {
	_, err := admitLocal(r)
	return err
}

// loopbackHost reads a Host header: localhost or a loopback address, with or without a port.
func loopbackHost(host string) bool {
	name := host
	if at := strings.LastIndexByte(host, ':'); at >= 0 && !strings.HasSuffix(host, "]") {
		if _, err := strconv.ParseUint(host[at+1:], 10, 16); err != nil {
			return false
		}
		name = host[:at]
	}
	if strings.HasPrefix(name, "[") != strings.HasSuffix(name, "]") {
		return false
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(bare)
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback() && (bare != name) == addr.Is6()
}

func loopbackAddr(text string) bool {
	addr, err := netip.ParseAddrPort(text)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// platformHeader is the header in which the platform looks for a token first. With it there Authorization is the
// caller's own, and nobody has verified what it says.
const platformHeader = "X-Serverless-Authorization"

// PlatformAccount names the account that the platform has let in: the email of its identity token. The platform has
// verified the token and removed its signature, so this is a name for the log and no proof of anything.
func PlatformAccount(r *http.Request) string {
	values := r.Header.Values(platformHeader)
	if len(values) == 0 {
		values = r.Header.Values("Authorization")
	}
	if who := claimed(bearerIn(values)); soundEmail.MatchString(who.Email) {
		return who.Email
	}
	return "iam"
}

var soundEmail = regexp.MustCompile(`^[A-Za-z0-9._%+@-]{1,128}$`)
