package smtpmail_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
)

func partly(err error) bool { return errors.Is(err, mail.ErrPartly) }

func TestEncryptionAndUsers(t *testing.T) {
	t.Parallel()
	certificate, roots := mailtest.Certificate(t)
	none := func() []mailtest.Option { return nil }
	tls := func() []mailtest.Option { return []mailtest.Option{mailtest.WithTLS(certificate)} }
	starttls := func() []mailtest.Option { return []mailtest.Option{mailtest.WithSTARTTLS(certificate)} }
	with := func(options func() []mailtest.Option, ways ...string) func() []mailtest.Option {
		return func() []mailtest.Option { return append(options(), mailtest.WithUser(user, password, ways...)) }
	}
	const at = "robot%40shop.example@"
	tests := []struct {
		name     string
		server   func() []mailtest.Option
		url      string // its host is only a name: every one leads to the server
		password string
		trusted  bool
		want     string // part of the error; empty when the mail arrives
	}{
		{"in the clear on this machine", none, "smtp://127.0.0.1", "", false, ""},
		{"in the clear on this machine by name", none, "smtp://localhost:25", "", false, ""},
		{"in the clear elsewhere", none, "smtp://example.com", "", true, "offers no encryption (STARTTLS)"},
		{"in the clear where only the name looks local", none, "smtp://localhost.example.com", "", true, "offers no encryption (STARTTLS)"},
		{"a password in the clear elsewhere", with(none), "smtp://" + at + "example.com", password, true, "offers no encryption (STARTTLS)"},
		{"STARTTLS", starttls, "smtp://example.com", "", true, ""},
		{"STARTTLS with a user", with(starttls), "smtp://" + at + "example.com", password, true, ""},
		{"STARTTLS, certificate unknown", starttls, "smtp://example.com", "", false, "certificate is not trusted"},
		{"STARTTLS, another's certificate", with(starttls), "smtp://" + at + "relay.test", password, true, "certificate is not trusted"},
		{"TLS", tls, "smtps://example.com", "", true, ""},
		{"TLS with a user", with(tls), "smtps://" + at + "example.com", password, true, ""},
		{"TLS with a user by LOGIN", with(tls, "LOGIN"), "smtps://" + at + "example.com", password, true, ""},
		{"TLS, certificate unknown, on this machine too", tls, "smtps://127.0.0.1", "", false, "certificate is not trusted"},
		{"TLS, another's certificate", with(tls), "smtps://" + at + "relay.test", password, true, "certificate is not trusted"},
		{"TLS where there is none", none, "smtps://example.com", "", true, "does not encrypt from the first byte"},
		{"STARTTLS where TLS begins at once", tls, "smtp://example.com", "", true, "said nothing for too long"},
		{"a user on this machine", with(none), "smtp://" + at + "127.0.0.1", password, false, ""},
		{"a user on this machine by LOGIN", with(none, "LOGIN"), "smtp://" + at + "127.0.0.2", password, false, ""},
		{"a wrong password", with(none), "smtp://" + at + "127.0.0.1", "hunter2-of-another", false, "refused while authenticating (SMTP reply 535)"},
		{"a wrong password by LOGIN", with(none, "LOGIN"), "smtp://" + at + "127.0.0.1", "hunter2-of-another", false, "refused while authenticating (SMTP reply 535)"},
		{"a user is wanted and none is named", with(none), "smtp://127.0.0.1", "", false, "refused while naming the sender (SMTP reply 530)"},
		{"a user where none is known", none, "smtp://" + at + "127.0.0.1", password, false, "offers no way to log in"},
		{"a user by an unknown way", with(none, "XOAUTH2"), "smtp://" + at + "127.0.0.1", password, false, "offers no way to log in"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, test.server()...)
			relay := open(t, mail.Settings{URL: test.url, Password: test.password})
			elsewhere(relay, server)
			if test.trusted {
				relay.Roots = roots
			}
			if strings.Contains(test.want, "too long") {
				relay.Attempt /= 100
			}
			err := relay.Send(t.Context(), small)
			if test.want == "" {
				if err != nil || len(server.Messages()) != 1 {
					t.Errorf("%v, %d mails", err, len(server.Messages()))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || len(server.Messages()) != 0 {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			quiet(t, err, test.password)
			if !strings.Contains(test.want, "too long") && functions.CodeOf(err) != functions.FailedPrecondition {
				t.Errorf("got %v, want failed_precondition: repeating mends nothing", err)
			}
		})
	}
}

func TestAHostThatIsNotKnown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		found *net.DNSError
		code  functions.Code
		dials int
	}{
		{&net.DNSError{Err: "no such host", Name: "mail.example.com", IsNotFound: true}, functions.FailedPrecondition, 1},
		{&net.DNSError{Err: "server misbehaving", Name: "mail.example.com", Server: "127.0.0.1", IsTemporary: true}, functions.Unavailable, 3},
	} {
		relay, dials := open(t, mail.Settings{URL: "smtp://mail.example.com"}), 0
		relay.Dial = func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: test.found}
		}
		err := relay.Send(t.Context(), small)
		if functions.CodeOf(err) != test.code || dials != test.dials {
			t.Errorf("%v after %d attempts", err, dials)
		}
		quiet(t, err)
	}
}
