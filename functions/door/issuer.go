package door

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/retentionops/retentionops/functions"
)

// maxToken bounds what is read as a token. Honest ones have one or two KB.
const maxToken = 16 << 10

// algorithms are those that sign with a key which only the issuer has. One that signs with a shared secret is not among
// them, nor is none: a public key would be all that a forger needs.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
}

// Issuer verifies the tokens that one issuer has signed and made out to one audience.
type Issuer struct {
	address, audience string
	keys              *issuerKeys
	now               func() time.Time
}

// NewIssuer makes what verifies the tokens of the issuer at an address. Nothing is fetched before the first token. Where
// the keys are, the issuer's metadata says, unless keysAddress does.
func NewIssuer(address, audience, keysAddress string, now func() time.Time) (*Issuer, error) {
	if err := CheckAddress(address); err != nil {
		return nil, fmt.Errorf("the issuer %w", err)
	}
	if keysAddress != "" {
		if err := CheckAddress(keysAddress); err != nil {
			return nil, fmt.Errorf("the address of the issuer's keys %w", err)
		}
	}
	if audience == "" {
		return nil, errors.New("there is no audience")
	}
	return &Issuer{address: address, audience: audience, keys: newIssuerKeys(address, keysAddress, now), now: now}, nil
}

// CheckAddress wants an address whose answers nobody on the way can change: https, or http on this machine. Its error
// quotes nothing of it.
func CheckAddress(text string) error {
	address, err := url.Parse(text)
	switch {
	case err != nil || address.Host == "" || address.User != nil || address.Fragment != "":
		return errors.New("is no address")
	case address.Scheme == "https" || address.Scheme == "http" && loopbackHost(address.Host):
		return nil
	default:
		return errors.New("is not https")
	}
}

// Verify reads into claims what a token says, once it is sure: signed by the issuer, by it alone, made out to the
// audience, begun and not over. A token that is not so is unauthenticated; unavailable means that the issuer's keys could
// not be had to find out.
func (i *Issuer) Verify(ctx context.Context, token string, claims any) error {
	if len(token) > maxToken {
		return functions.Errorf(functions.Unauthenticated, "").WithCause(fmt.Errorf("a token of %d bytes", len(token)))
	}
	look := &lookup{keys: i.keys}
	names := make([]string, len(algorithms))
	for at, algorithm := range algorithms {
		names[at] = string(algorithm)
	}
	verified, err := oidc.NewVerifier(i.address, look, &oidc.Config{
		ClientID: i.audience, SupportedSigningAlgs: names, Now: i.now,
	}).Verify(ctx, token)
	if look.fault != nil {
		return functions.Errorf(functions.Unavailable, "the issuer of the token cannot be asked for its keys").
			WithHint("try again in a few seconds").WithCause(look.fault)
	}
	if err == nil {
		err = verified.Claims(claims)
	}
	if err != nil {
		return functions.Errorf(functions.Unauthenticated, "").WithCause(err)
	}
	return nil
}

// lookup is the key set of one token. go-oidc keeps of its error the text alone; what matters is kept here.
type lookup struct {
	keys  *issuerKeys
	fault error // why the keys could not be had
}

// VerifySignature implements oidc.KeySet.
func (l *lookup) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	signed, err := jose.ParseSignedCompact(token, algorithms) // the other form has headers that nobody has signed
	if err != nil {
		return nil, err
	}
	if err := checkType(signed); err != nil {
		return nil, err
	}
	payload, l.fault, err = l.keys.verify(ctx, signed)
	return payload, err
}

// checkType refuses a signed document that is made for something else than to show who asks.
func checkType(signed *jose.JSONWebSignature) error {
	kind, named := signed.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "jwt", "at+jwt":
		return nil
	default:
		if !named {
			return nil
		}
		return errors.New("the token is of the type " + strconv.Quote(kind[:min(len(kind), 40)]))
	}
}
