package playbook

import (
	"log/slog"
	"net"
	"net/url"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/retentionops/retentionops/functions"
)

// The names of the variables, as errors and hints tell them.
const (
	varURL      = "RETENTIONOPS_WEBHOOK_URL"
	varSecret   = "RETENTIONOPS_WEBHOOK_SECRET" //nolint:gosec // the name of a variable, not a secret
	varPrevious = "RETENTIONOPS_WEBHOOK_SECRET_PREVIOUS"
	varAPIKey   = "RETENTIONOPS_WEBHOOK_API_KEY" //nolint:gosec // the name of a variable, not a secret
)

// Config says where the playbook's webhook is and what it is signed with. All of it is secret: the URL of a hook lets
// whoever holds it trigger the hook. Printing a Config shows none of it.
type Config struct {
	URL            string `env:"RETENTIONOPS_WEBHOOK_URL"`             // https, or http on this machine
	Secret         string `env:"RETENTIONOPS_WEBHOOK_SECRET"`          // whsec_ and base64 of 24 to 64 random bytes
	PreviousSecret string `env:"RETENTIONOPS_WEBHOOK_SECRET_PREVIOUS"` // while a secret is being changed: the one before
	APIKey         string `env:"RETENTIONOPS_WEBHOOK_API_KEY"`         // sent as x-make-apikey; optional
}

// maxAPIKey is what Make.com takes: ASCII, at most 512 characters.
const maxAPIKey = 512

// The sizes of a secret by the Standard Webhooks specification, in bytes before base64.
const (
	minSecret = 24
	maxSecret = 64
)

// String tells that there is a configuration and nothing of what it is.
func (c Config) String() string {
	if c == (Config{}) {
		return "webhook not configured"
	}
	return "webhook configured"
}

// GoString is String: %#v must not show more.
func (c Config) GoString() string { return c.String() }

// LogValue is String: a log must not show more.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String: JSON must not show more.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Check reports as failed_precondition what is missing or unusable for sending, naming the variable and never its
// value.
func (c Config) Check() error {
	if err := checkURL(c.URL); err != nil {
		return err
	}
	if c.Secret == "" {
		return functions.Errorf(functions.FailedPrecondition, "%s is not set, and this phase sends", varSecret).
			WithHint("set it to whsec_ and the base64 of 24 to 64 random bytes, the same as at the receiver")
	}
	if _, err := c.signers(); err != nil {
		return err
	}
	if len(c.APIKey) > maxAPIKey || strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return functions.Errorf(functions.FailedPrecondition, "%s is not a key", varAPIKey).
			WithHint("printable ASCII without spaces, at most 512 characters")
	}
	return nil
}

func checkURL(text string) error {
	refuse := func(detail, hint string) error {
		return functions.Errorf(functions.FailedPrecondition, "%s %s", varURL, detail).WithHint(hint)
	}
	if text == "" {
		return refuse("is not set, and this phase sends",
			"set it to the hook's address, or switch to the phase shadow, which sends nothing")
	}
	u, err := url.Parse(text)
	if err != nil { // its text would show the URL
		return refuse("cannot be read as a URL", "write https://host/path")
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return refuse("names no host", "write https://host/path")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return refuse("is not https", "write https://host/path; http is for a receiver on this machine only")
	case u.User != nil:
		return refuse("carries a user or a password", "write https://host/path; the key belongs in "+varAPIKey)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return refuse("carries a query or a fragment", "leave out what follows ? or #: query fields override those of the body at Make.com")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// signers are the secrets to sign with, the present one first.
func (c Config) signers() ([]*standardwebhooks.Webhook, error) {
	var signers []*standardwebhooks.Webhook
	for _, secret := range []struct{ name, value string }{{varSecret, c.Secret}, {varPrevious, c.PreviousSecret}} {
		if secret.value == "" {
			continue
		}
		raw, err := decodeSecret(secret.value)
		if err != nil || len(raw) < minSecret || len(raw) > maxSecret {
			return nil, functions.Errorf(functions.FailedPrecondition, "%s is not a secret of the Standard Webhooks form", secret.name).
				WithHint("whsec_ and the base64 of 24 to 64 random bytes")
		}
		signer, err := standardwebhooks.NewWebhookRaw(raw)
		if err != nil { // its text may show the secret
			return nil, functions.Errorf(functions.FailedPrecondition, "%s cannot be used to sign", secret.name)
		}
		signers = append(signers, signer)
	}
	return signers, nil
}
