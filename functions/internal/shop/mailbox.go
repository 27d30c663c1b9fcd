package shop

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"
)

const (
	// mailLimit is how large a mail the mailbox takes, as Postfix does as shipped.
	mailLimit = 10_240_000
	// mailLines is how many lines of a mail's text are printed.
	mailLines = 6
	// maxNesting is how deep parts may stand in parts.
	maxNesting = 8
)

// Mailbox is a local stand-in for a mail server. It takes mail by SMTP on a loopback port, prints whom it is to, its
// first lines and its parts, and keeps it. It delivers nothing: no mail leaves the machine.
type Mailbox struct {
	smtp     *smtp.Server
	listener net.Listener
	served   sync.WaitGroup
	printer  printer

	mu    sync.Mutex
	mails []Mail
}

// Mail is a mail that came in.
type Mail struct {
	To      []string   `json:"to"`
	Subject string     `json:"subject"`
	Lines   []string   `json:"lines"` // the first of its text
	Parts   []MailPart `json:"parts"`
}

// MailPart is a part of a mail that holds something.
type MailPart struct {
	Type  string `json:"type"`           // its media type
	Name  string `json:"name,omitempty"` // of the file
	Bytes int    `json:"bytes"`          // decoded
}

// OpenMailbox starts a mailbox that prints to out; nil is nowhere.
func OpenMailbox(ctx context.Context, out io.Writer) (*Mailbox, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	m := &Mailbox{listener: listener, printer: newPrinter(mailStandIn, out, nil)}
	m.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &letterbox{mailbox: m}, nil }))
	m.smtp.Domain, m.smtp.MaxMessageBytes, m.smtp.ErrorLog = "localhost", mailLimit, mute{}
	m.served.Go(func() { _ = m.smtp.Serve(listener) })
	return m, nil
}

// mute takes what the server logs of clients that went away.
type mute struct{}

func (mute) Printf(string, ...any) {}

func (mute) Println(...any) {}

// URL is the mailbox as RETENTIONOPS_MAIL takes it.
func (m *Mailbox) URL() string { return "smtp://" + m.listener.Addr().String() }

// Mails are the mails that came, in their order.
func (m *Mailbox) Mails() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mails)
}

// Close stops the mailbox.
func (m *Mailbox) Close() {
	_ = m.smtp.Close()
	_ = m.listener.Close() // the server closes it too, when it has come to know of it already
	m.served.Wait()
}

// take keeps a mail and prints it.
func (m *Mailbox) take(to []string, raw []byte) error {
	mail, err := readMail(raw)
	if err != nil {
		m.printer.print("refused a mail that cannot be read")
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "the mail cannot be read"}
	}
	mail.To = slices.Clone(to)
	m.mu.Lock()
	m.mails = append(m.mails, mail)
	m.mu.Unlock()
	m.printer.print(mail.told()...)
	return nil
}

// told tells of a mail in lines.
func (mail *Mail) told() []string {
	lines := []string{fmt.Sprintf("would deliver to %s: %q", strings.Join(mail.To, ", "), mail.Subject)}
	for _, line := range mail.Lines {
		lines = append(lines, "  | "+line)
	}
	parts := make([]string, len(mail.Parts))
	for i, part := range mail.Parts {
		parts[i] = fmt.Sprintf("%s (%d bytes)", strings.TrimSpace(part.Type+" "+part.Name), part.Bytes)
	}
	return append(lines, "  parts: "+strings.Join(parts, ", "))
}

// readMail takes a mail apart.
func readMail(raw []byte) (Mail, error) {
	var mail Mail
	message, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return mail, fmt.Errorf("read a mail: %w", err)
	}
	if mail.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return mail, fmt.Errorf("read the subject of a mail: %w", err)
	}
	if err := mail.read(textproto.MIMEHeader(message.Header), message.Body, 0); err != nil {
		return mail, err
	}
	if len(mail.Parts) == 0 {
		return mail, errors.New("read a mail: it holds nothing")
	}
	return mail, nil
}

// read adds the parts of a body.
func (mail *Mail) read(header textproto.MIMEHeader, body io.Reader, depth int) error {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || depth > maxNesting {
		return errors.New("read a mail: a part of it is not understood")
	}
	if strings.HasPrefix(kind, "multipart/") {
		for reader := multipart.NewReader(body, parameters["boundary"]); ; {
			part, err := reader.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read a mail: %w", err)
			}
			if err := mail.read(part.Header, part, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read a mail: %w", err)
	}
	_, disposition, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	mail.Parts = append(mail.Parts, MailPart{Type: kind, Name: disposition["filename"], Bytes: len(content)})
	if kind == "text/plain" && mail.Lines == nil {
		mail.Lines = firstLines(string(content))
	}
	return nil
}

// firstLines are the first lines of a text that hold something.
func firstLines(text string) []string {
	lines := []string{}
	for line := range splitLines(text) {
		if line = strings.TrimSpace(line); line != "" && len(lines) < mailLines {
			lines = append(lines, line)
		}
	}
	return lines
}

// letterbox is what one client hands over.
type letterbox struct {
	mailbox *Mailbox
	to      []string
}

// Mail implements smtp.Session.
func (*letterbox) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements smtp.Session.
func (l *letterbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = append(l.to, to)
	return nil
}

// Data implements smtp.Session.
func (l *letterbox) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return l.mailbox.take(l.to, raw)
}

// Reset implements smtp.Session.
func (l *letterbox) Reset() { l.to = nil }

// Logout implements smtp.Session.
func (*letterbox) Logout() error { return nil }
