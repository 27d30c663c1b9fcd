package smtpmail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"syscall"

	"github.com/retentionops/retentionops/functions"
)

// stage is how far an attempt has come.
type stage string

// The stages of an attempt, in their order.
const (
	connecting     stage = "connecting"
	greeting       stage = "greeting"
	encrypting     stage = "encrypting"
	authenticating stage = "authenticating"
	sending        stage = "naming the sender"
	naming         stage = "naming a recipient"
	writing        stage = "sending the mail"
	closing        stage = "waiting for the mail to be taken"
)

// hints say what to mend when the server's no is final, by where it came.
var hints = map[stage]string{
	authenticating: "look at the user in RETENTIONOPS_MAIL and at RETENTIONOPS_MAIL_PASSWORD",
	sending:        "the server may send only for certain senders: look at RETENTIONOPS_MAIL_FROM, and whether it wants a user",
	naming:         "look at the addresses under mail in rules/playbooks.yaml, and whether the server wants a user",
	writing:        "the server's log says why",
	closing:        "the server's log says why",
}

// Faults that a server's offer shows.
var (
	errNoSTARTTLS = errors.New("no STARTTLS")
	errNoAuth     = errors.New("no known AUTH")
)

// fault is why an attempt failed. Its error holds nothing that the server said, nor where the server is.
type fault struct {
	err     *functions.Error
	passing bool // the next attempt may succeed
}

func final(format string, args ...any) *fault {
	return &fault{err: functions.Errorf(functions.FailedPrecondition, format, args...)}
}

func passing(format string, args ...any) *fault {
	f := lost(format, args...)
	f.passing = true
	return f
}

// lost is a fault that may pass, and yet is not tried again: not now, or not without the risk of sending twice.
func lost(format string, args ...any) *fault {
	return &fault{err: functions.Errorf(functions.Unavailable, format, args...).WithHint("it may be repeated")}
}

func (f *fault) hint(text string) *fault { f.err.Hint = text; return f }

// judge makes a fault of an error. Ctx is the caller's context, attempt the one of the attempt.
func (r *Relay) judge(ctx, attempt context.Context, at stage, err error) *fault {
	if said, ok := errors.AsType[*textproto.Error](err); ok {
		return judgeReply(said.Code, at)
	}
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		f := lost("the time for sending the mail ran out while %s", at)
		f.err.Code = functions.DeadlineExceeded
		_ = f.err.WithCause(context.DeadlineExceeded)
		return f
	case ctx.Err() != nil:
		f := lost("sending the mail was stopped while %s", at)
		_ = f.err.WithCause(ctx.Err())
		return f
	case attempt.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return lost("the mail server said nothing for too long while %s", at)
	}
	if f := judgeConfiguration(at, err); f != nil {
		return f
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return passing("nobody listens at the mail server's address")
	case at == closing:
		return lost("the connection to the mail server was cut, and nobody knows whether it has taken the mail")
	default:
		return passing("the connection to the mail server was cut while %s", at)
	}
}

// judgeReply goes by the first digit of a reply (RFC 5321, section 4.2.1): 4 may pass, 5 is final.
func judgeReply(code int, at stage) *fault {
	switch code / 100 {
	case 4:
		return passing("the mail server put us off while %s (SMTP reply %d)", at, code)
	case 5:
		return final("the mail server refused while %s (SMTP reply %d)", at, code).hint(hints[at])
	default:
		return lost("the mail server answered out of turn while %s (SMTP reply %d)", at, code)
	}
}

// judgeConfiguration finds what repeating does not mend; nil when it is something else.
func judgeConfiguration(at stage, err error) *fault {
	var (
		name    *net.DNSError
		badCert *tls.CertificateVerificationError
		noTLS   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return final("the mail server's host is not known").hint("look at RETENTIONOPS_MAIL")
	case errors.As(err, &name):
		return passing("the mail server's host could not be looked up")
	case errors.Is(err, errNoSTARTTLS):
		return final("the mail server offers no encryption (STARTTLS), and mail goes unencrypted only to a server on this machine").
			hint("use a server or a port that offers it, or smtps:// where the port is encrypted from the first byte")
	case errors.Is(err, errNoAuth):
		return final("the mail server offers no way to log in that is known here").
			hint("known: PLAIN, LOGIN; leave the user out of RETENTIONOPS_MAIL when the server needs none")
	case errors.As(err, &badCert), isUntrusted(err):
		return final("the mail server's certificate is not trusted").hint("the host in RETENTIONOPS_MAIL must be the one that the certificate names")
	case errors.As(err, &noTLS):
		return final("the mail server does not encrypt from the first byte").hint("smtps:// is for port 465; for port 587 write smtp://")
	case at == authenticating && !cut(err):
		return final("logging in to the mail server failed").hint(hints[authenticating])
	}
	return nil
}

func isUntrusted(err error) bool {
	var (
		unknownCA x509.UnknownAuthorityError
		wrongHost x509.HostnameError
	)
	return errors.As(err, &unknownCA) || errors.As(err, &wrongHost)
}

// cut reports whether an error comes from the connection and not from what was said over it.
func cut(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// reply reports whether an error is an answer of the server.
func reply(err error) bool {
	_, ok := errors.AsType[*textproto.Error](err)
	return ok
}

func count(some, all int) string { return fmt.Sprintf("%d of %d recipients", some, all) }
