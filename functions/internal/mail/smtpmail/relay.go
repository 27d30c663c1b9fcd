// Package smtpmail hands mail to a server by SMTP: smtps://user@host:465 is encrypted from the first byte,
// smtp://user@host:587 from STARTTLS on. Only to a server on this machine does mail go unencrypted.
//
// It is no mail server: it does not look up where a recipient's mail goes, and keeps no queue.
package smtpmail

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	netmail "net/mail"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
)

// How a server is tried. A mail follows a run that has used up much of its time, so all of it fits into two minutes.
const (
	attempts       = 3
	retryPause     = 3 * time.Second
	connectTimeout = 10 * time.Second
	attemptTimeout = 30 * time.Second // connecting, encrypting and sending
	quitTimeout    = 2 * time.Second  // for the goodbye, when the mail has been taken already
)

// The ports of mail submission (RFC 6409, RFC 8314), for a URL that names none.
const (
	portSTARTTLS = "587"
	portTLS      = "465"
)

// Relay sends mail through one server. It is safe for use by several goroutines.
type Relay struct {
	// Dial connects to the server; net.Dialer's DialContext when Open made the relay.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the authorities whose certificates are trusted; nil: those of the system.
	Roots *x509.CertPool
	// Pause waits between two attempts, or ends early with the context.
	Pause func(ctx context.Context, wait time.Duration) error
	// Attempt is how long one attempt may take.
	Attempt time.Duration

	account   mail.Account
	host      string // name or address, without the port
	address   string // host:port
	encrypted bool   // from the first byte
	local     bool   // the server is on this machine
}

var _ mail.Sender = (*Relay)(nil)

func init() {
	for _, scheme := range []string{"smtp", "smtps"} {
		mail.Register(scheme, func(account mail.Account) (mail.Sender, error) { return Open(account), nil })
	}
}

// Open makes a relay of the server that the account names. Nothing is connected yet.
func Open(account mail.Account) *Relay {
	host, port, encrypted := account.URL.Hostname(), account.URL.Port(), account.URL.Scheme == "smtps"
	if port == "" {
		port = portSTARTTLS
		if encrypted {
			port = portTLS
		}
	}
	dialer := &net.Dialer{Timeout: connectTimeout}
	return &Relay{
		Dial: dialer.DialContext, Pause: functions.Pause, Attempt: attemptTimeout,
		account: account, host: host, address: net.JoinHostPort(host, port), encrypted: encrypted, local: loopback(host),
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send implements mail.Sender. A fault that may pass (an SMTP reply of the 4xx kind, nobody listening) is tried again, a
// bounded number of times and only for the recipients that have not got the mail.
func (r *Relay) Send(ctx context.Context, m mail.Message) error {
	letter, err := r.compose(m)
	if err != nil {
		return err
	}
	var no *fault // why some will never get the mail
	waiting, refused := letter.to, 0
	for attempt := 1; ; attempt++ {
		result := r.deliver(ctx, letter.bytes, waiting)
		waiting, refused = result.waiting, refused+result.refused
		if result.no != nil {
			no = result.no
		}
		if len(waiting) == 0 {
			return told(no, len(letter.to), refused)
		}
		wait := retryPause * time.Duration(attempt)
		if !result.fault.passing || attempt == attempts || !fits(ctx, wait) || r.Pause(ctx, wait) != nil {
			return told(result.fault, len(letter.to), len(waiting)+refused)
		}
	}
}

// fits reports whether a pause ends before the caller's time does.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, has := ctx.Deadline()
	return !has || time.Until(deadline) > wait // a context's deadline is of the machine's clock, whatever clock dates the mail
}

// told is the error that the caller gets; nil when nobody is without the mail. It says so when some have it.
func told(f *fault, all, without int) error {
	switch without {
	case 0:
		return nil
	case all:
		return f.err
	}
	err := *f.err
	err.Detail += "; " + count(all-without, all) + " have the mail"
	return (&err).WithCause(errors.Join(mail.ErrPartly, errors.Unwrap(f.err)))
}

// letter is a message as it is sent.
type letter struct {
	to    []*netmail.Address
	bytes []byte
}
