package door

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// The headers in which the gateway says for whom it asks and, of a call that somebody confirmed, by which confirmation.
// A door believes them of the account, or the key, that RETENTIONOPS_GATEWAY names, and in local mode; of anybody else they
// are ignored.
const (
	CallerHeader       = "X-RetentionOps-Caller"
	ConfirmationHeader = "X-RetentionOps-Confirmation"
)

// behalf takes over what the gateway says of a call.
func (v *visit) behalf(who caller) error {
	if !who.speaks {
		return nil
	}
	if asks := named(v.r.Header.Get(CallerHeader)); asks != "" && asks != who.name {
		v.call.Caller = asks + " via " + who.name
	}
	confirmation := v.r.Header.Values(ConfirmationHeader)
	if len(confirmation) == 0 {
		return nil
	}
	// A confirmation that was lost on the way could be used twice: better no call than that.
	if len(confirmation) > 1 || !soundID.MatchString(confirmation[0]) {
		return functions.Errorf(functions.InvalidArgument, "the %s of this call is no id", ConfirmationHeader)
	}
	v.call.Confirmation = confirmation[0]
	return nil
}

var unsound = regexp.MustCompile(`[^\pL\pN._%+@|:/-]+`)

// named is a name that somebody else has written, fit for a line of a log: without spaces, so that " via " is ours alone.
func named(text string) string {
	const longest = 128
	clean := unsound.ReplaceAllString(strings.ToValidUTF8(strings.TrimSpace(text), "_"), "_")
	if len(clean) > longest {
		clean = strings.ToValidUTF8(clean[:longest], "")
	}
	return clean
}

// isGateway tells whether a caller whom this door has verified itself is the gateway. A key is never taken for an account:
// its name has no @.
func (d *Door) isGateway(name string) bool { return d.config.Gateway != "" && name == d.config.Gateway }

// speaksForOthers tells whether it is the gateway that the platform has let in. A token must be the only one there: it is
// then the one that the platform has verified, whichever of the two headers it prefers.
func (d *Door) speaksForOthers(r *http.Request) bool {
	if d.config.Gateway == "" || len(r.Header.Values(platformHeader)) > 0 {
		return false
	}
	who := claimed(Bearer(r.Header))
	return who.Email == d.config.Gateway && who.Verified && who.Issuer == googleIssuer
}
