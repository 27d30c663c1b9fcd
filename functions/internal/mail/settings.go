package mail

import (
	"context"
	"log/slog"
	netmail "net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/scheme"
)

// The names of the variables, as errors and hints tell them.
const (
	varURL      = "RETENTIONOPS_MAIL"
	varPassword = "RETENTIONOPS_MAIL_PASSWORD" //nolint:gosec // the name of a variable, not a secret
	varFrom     = "RETENTIONOPS_MAIL_FROM"
)

// Settings say by which server mail is sent, and from whom. Printing them shows none of it.
type Settings struct {
	URL      string `env:"RETENTIONOPS_MAIL"`          // smtp://user@host:587 or smtps://user@host:465; empty: no mail is sent
	Password string `env:"RETENTIONOPS_MAIL_PASSWORD"` // of the user that the URL names; secret
	From     string `env:"RETENTIONOPS_MAIL_FROM"`     // the sender's address, with a name or without
}

// String tells that there are settings and nothing of what they are.
func (s Settings) String() string {
	if s.URL == "" {
		return "mail not configured"
	}
	return "mail configured"
}

// GoString is String: %#v must not show more.
func (s Settings) GoString() string { return s.String() }

// LogValue is String: a log must not show more.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String: JSON must not show more.
func (s Settings) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Account is what a driver gets to send mail with. URL holds a user at most, never a password.
type Account struct {
	URL      *url.URL
	Password string // empty when the URL names no user
	From     *netmail.Address
	Now      func() time.Time
	NewID    func() string // makes the first half of a mail's Message-ID: letters and digits, never twice the same
}

// drivers make a sender by the scheme of the URL. The password is no part of a URL, so a driver gets it in a second step.
var drivers scheme.Registry[func(Account) (Sender, error)]

// Register adds a driver under the scheme of its URLs; drivers call it in init.
func Register(name string, open func(Account) (Sender, error)) {
	drivers.Register(name, func(context.Context, *url.URL) (func(Account) (Sender, error), error) { return open, nil })
}

// Open makes the sender that the settings name. Nothing is connected yet. A setting that cannot be used is
// failed_precondition, naming the variable and never its value.
func Open(ctx context.Context, settings Settings, now func() time.Time, newID func() string) (Sender, error) {
	account := Account{Password: settings.Password, Now: now, NewID: newID}
	var err error
	if account.URL, err = settings.server(); err != nil {
		return nil, err
	}
	open, err := drivers.Open(ctx, "mail", settings.URL)
	if err != nil {
		return nil, err
	}
	if account.From, err = ParseAddress(settings.From); err != nil {
		return nil, refuse(varFrom, "is not an address", "write it like RetentionOps <retention@example.com>")
	}
	return open(account)
}

// server reads the URL and looks whether user and password fit together.
func (s Settings) server() (*url.URL, error) {
	u, err := url.Parse(s.URL)
	if err != nil { // its text would show the URL
		return nil, refuse(varURL, "cannot be read as a URL", "write smtp://user@host:587 or smtps://user@host:465")
	}
	_, inside := u.User.Password()
	switch {
	case inside:
		return nil, refuse(varURL, "carries a password", "leave the password out of the URL and set "+varPassword)
	case u.Hostname() == "":
		return nil, refuse(varURL, "names no host", "write smtp://user@host:587 or smtps://user@host:465")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, refuse(varURL, "says more than user, host and port", "leave out what follows the port")
	case u.User.Username() != "" && s.Password == "":
		return nil, refuse(varURL, "names a user, and "+varPassword+" is not set", "set the password, or leave the user out")
	case u.User.Username() == "" && s.Password != "":
		return nil, refuse(varURL, "names no user for the password", "write smtp://user@host:587, or leave "+varPassword+" out")
	}
	return u, nil
}

func refuse(variable, detail, hint string) error {
	return functions.Errorf(functions.FailedPrecondition, "%s %s", variable, detail).WithHint(hint)
}
