// Package mailtest runs a real mail server inside a test: it takes mail by SMTP, keeps it, and misbehaves when told to.
//
// It is not linked by any program, and it delivers nothing.
package mailtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Server is a mail server on a loopback port. It stops with its test.
type Server struct {
	scheme   string
	address  string
	user     string
	password string
	ways     []string
	smtp     *smtp.Server
	listener net.Listener
	served   sync.WaitGroup

	mu       sync.Mutex
	received []Received
	attempts int
	script   []Answer
	stop     chan struct{}
}

// Option changes how a server is.
type Option func(*Server, *smtp.Server)

// WithUser lets in only who proves to be that user, by PLAIN or by the ways that are named: PLAIN, LOGIN.
func WithUser(user, password string, ways ...string) Option {
	return func(s *Server, _ *smtp.Server) {
		s.user, s.password, s.ways = user, password, ways
		if len(ways) == 0 {
			s.ways = []string{sasl.Plain}
		}
	}
}

// WithTLS encrypts from the first byte (smtps).
func WithTLS(certificate tls.Certificate) Option {
	return func(s *Server, server *smtp.Server) {
		s.scheme = "smtps"
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
}

// WithSTARTTLS offers encryption by STARTTLS.
func WithSTARTTLS(certificate tls.Certificate) Option {
	return func(_ *Server, server *smtp.Server) {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
}

// Certificate is a certificate of example.com and 127.0.0.1, and who vouches for it.
func Certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	lender := httptest.NewTLSServer(nil) // it has one made for tests
	defer lender.Close()
	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	return lender.TLS.Certificates[0], roots
}

// WithLimit announces that no mail above that many bytes is taken, and takes none.
func WithLimit(bytes int64) Option {
	return func(_ *Server, server *smtp.Server) { server.MaxMessageBytes = bytes }
}

// Start starts a server that takes every mail, and stops it with the test.
func Start(t *testing.T, options ...Option) *Server {
	t.Helper()
	s, err := Listen(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Listen is Start for an example, which has no test to stop with: Close stops the server.
func Listen(ctx context.Context, options ...Option) (*Server, error) {
	s := &Server{scheme: "smtp", stop: make(chan struct{})}
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	s.smtp.Domain = "mail.example.com"
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.AllowInsecureAuth = true // on this machine nobody listens in
	s.smtp.ErrorLog = quiet{}
	for _, option := range options {
		option(s, s.smtp)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.address = listener.Addr().String()
	if s.scheme == "smtps" {
		listener = tls.NewListener(listener, s.smtp.TLSConfig)
	}
	s.listener = listener
	s.served.Go(func() { _ = s.smtp.Serve(listener) })
	return s, nil
}

// Close stops the server.
func (s *Server) Close() {
	close(s.stop)
	_ = s.smtp.Close()
	_ = s.listener.Close() // the server closes it too, when it has come to know of it already
	s.served.Wait()
}

// URL is the server's, as RETENTIONOPS_MAIL takes it, with the user when the server wants one.
func (s *Server) URL() string {
	u := url.URL{Scheme: s.scheme, Host: s.address}
	if s.user != "" {
		u.User = url.User(s.user)
	}
	return u.String()
}

// Address is the server's host and port.
func (s *Server) Address() string { return s.address }

// Messages are the mails that the server took, in their order.
func (s *Server) Messages() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Attempts counts how often somebody began to hand over a mail.
func (s *Server) Attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

// Answer is how the server answers one attempt to hand over a mail. The zero Answer takes it.
type Answer struct {
	Sender    int            // reply to the sender's address: 451, 550; 0: taken
	Recipient map[string]int // reply to a recipient, by address; the recipient "" stands for all
	Mail      int            // reply to the mail itself, after the last of it
	Hang      bool           // the mail is read, and no answer is given
	Cut       bool           // the connection is cut in the middle of the mail
	CutAfter  bool           // the connection is cut after the mail was taken, before the answer
}

// Refuse answers every attempt with one and the same SMTP reply, such as 451 (for now) or 550 (for good).
func (s *Server) Refuse(code int) {
	answers := make([]Answer, 100)
	for i := range answers {
		answers[i] = Answer{Sender: code}
	}
	s.Script(answers...)
}

// Script says how the next attempts are answered, one after the other; attempts after these are taken.
func (s *Server) Script(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = slices.Clone(answers)
}

// next is the answer to the attempt that begins.
func (s *Server) next() Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	if len(s.script) == 0 {
		return Answer{}
	}
	answer := s.script[0]
	s.script = s.script[1:]
	return answer
}

// quiet takes what the server logs of clients that went away: tests send some away.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

func (quiet) Println(...any) {}

// session is what one client does.
type session struct {
	server *Server
	conn   *smtp.Conn
	known  bool
	answer Answer
	from   string
	to     []string
	utf8   bool
}

var _ smtp.AuthSession = (*session)(nil)

// Telltale stands in every refusal of the server: no error may repeat it.
const Telltale = "remote-text-that-must-not-leave"

func refusal(code int) error {
	if code == 0 {
		return nil
	}
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 1}, Message: Telltale}
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	return s.server.ways
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(way string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != s.server.user || password != s.server.password {
			return refusal(535)
		}
		s.known = true
		return nil
	}
	if way == sasl.Login {
		return &login{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// login asks for the user and then for the password.
type login struct {
	check func(user, password string) error
	asked int
	user  string
}

// Next implements sasl.Server.
func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	default:
		return nil, true, l.check(l.user, string(response))
	}
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, options *smtp.MailOptions) error {
	s.answer, s.from, s.utf8 = s.server.next(), from, options.UTF8
	if s.server.user != "" && !s.known {
		return refusal(530)
	}
	return refusal(s.answer.Sender)
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	for _, name := range []string{to, ""} {
		if code := s.answer.Recipient[name]; code != 0 {
			return refusal(code)
		}
	}
	s.to = append(s.to, to)
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	if s.answer.Cut {
		_, _ = io.CopyN(io.Discard, r, 1024)
		return s.conn.Conn().Close()
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.answer.Hang {
		<-s.server.stop
		return refusal(421)
	}
	if s.answer.Mail != 0 {
		return refusal(s.answer.Mail)
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.received = append(s.server.received, Received{From: s.from, To: slices.Clone(s.to), Raw: raw, UTF8: s.utf8})
	if s.answer.CutAfter {
		return s.conn.Conn().Close()
	}
	return nil
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }
