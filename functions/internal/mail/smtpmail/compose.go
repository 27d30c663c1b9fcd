package smtpmail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail"
)

// maxSubject is how many characters of a subject are sent: a list of mails shows fewer.
const maxSubject = 200

// compose writes the message as it is sent: multipart/alternative with the text first, the HTML with its pictures in a
// multipart/related, the attachments around both. Every attempt sends the same bytes under the same Message-ID, so that
// a server that got them twice can tell.
func (r *Relay) compose(m mail.Message) (letter, error) {
	if err := m.Check(); err != nil {
		return letter{}, err
	}
	to, err := m.Recipients()
	if err != nil {
		return letter{}, err
	}
	_, domain, _ := strings.Cut(r.account.From.Address, "@")
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	out.FromMailAddress(r.account.From)
	out.ToMailAddress(to...)
	out.Subject(shorten(strings.ToValidUTF8(m.Subject, "\uFFFD")))
	out.SetDateWithValue(r.account.Now())
	out.SetMessageIDWithValue(r.account.NewID() + "@" + domain)
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answer, please
	out.SetBodyString(gomail.TypeTextPlain, strings.ToValidUTF8(m.Text, "\uFFFD"))
	if err := addHTML(out, strings.ToValidUTF8(m.HTML, "\uFFFD"), m.Inline); err != nil {
		return letter{}, err
	}
	for _, file := range m.Attached {
		header, err := fileHeader("attachment", file)
		if err != nil {
			return letter{}, err
		}
		out.AttachReadSeeker(file.Name, bytes.NewReader(file.Content), func(f *gomail.File) { maps.Copy(f.Header, header) })
	}
	var written bytes.Buffer
	if _, err := out.WriteTo(&written); err != nil {
		return letter{}, functions.Errorf(functions.Internal, "composing a mail").WithCause(err)
	}
	if written.Len() > mail.MaxSize {
		return letter{}, mail.TooLarge()
	}
	return letter{to: to, bytes: written.Bytes()}, nil
}

// shorten cuts a subject that nobody would read to its end.
func shorten(subject string) string {
	if runes := []rune(subject); len(runes) > maxSubject {
		return string(runes[:maxSubject-1]) + "…"
	}
	return subject
}

// addHTML adds the HTML as the alternative to the text. With pictures it is a multipart/related of its own: the library
// would put text, HTML and pictures side by side in one, where a reader that shows text alone lists the pictures as
// files.
func addHTML(out *gomail.Msg, html string, inline []mail.File) error {
	if html == "" {
		return nil
	}
	if len(inline) == 0 {
		out.AddAlternativeString(gomail.TypeTextHTML, html)
		return nil
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	if err := writeRelated(parts, html, inline); err != nil {
		return functions.Errorf(functions.Internal, "composing a mail").WithCause(err)
	}
	kind := fmt.Sprintf("multipart/related; type=\"text/html\";\r\n boundary=%s", parts.Boundary())
	out.AddAlternativeWriter(gomail.ContentType(kind), func(w io.Writer) (int64, error) {
		n, err := w.Write(body.Bytes())
		return int64(n), err
	}, gomail.WithPartEncoding(gomail.NoEncoding)) // its parts are encoded already
	return nil
}

func writeRelated(parts *multipart.Writer, html string, inline []mail.File) error {
	page, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type": {"text/html; charset=UTF-8"}, "Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	encoder := quotedprintable.NewWriter(page)
	if _, err := encoder.Write([]byte(html)); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	for _, file := range inline {
		header, err := fileHeader("inline", file)
		if err != nil {
			return err
		}
		header.Set("Content-Transfer-Encoding", "base64")
		header.Set("Content-Id", "<"+file.ContentID+">")
		picture, err := parts.CreatePart(header)
		if err != nil {
			return err
		}
		if err := writeBase64(picture, file.Content); err != nil {
			return err
		}
	}
	return parts.Close()
}

// lineOfBytes is how many bytes make a line of 76 characters in base64 (RFC 2045, section 6.8).
const lineOfBytes = 57

func writeBase64(w io.Writer, content []byte) error {
	for len(content) > 0 {
		line := content[:min(lineOfBytes, len(content))]
		content = content[len(line):]
		if _, err := io.WriteString(w, base64.StdEncoding.EncodeToString(line)+"\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// fileHeader names a file by RFC 2231, which carries any letter; the library would write an encoded word in quotes,
// which RFC 2047 forbids and some readers show as it is.
func fileHeader(disposition string, file mail.File) (textproto.MIMEHeader, error) {
	kind, parameters := "application/octet-stream", map[string]string{}
	if file.Type != "" {
		var err error
		if kind, parameters, err = mime.ParseMediaType(file.Type); err != nil {
			return nil, functions.Errorf(functions.Internal, "composing a mail").WithCause(err)
		}
	}
	return textproto.MIMEHeader{
		"Content-Type":        {mime.FormatMediaType(kind, parameters)},
		"Content-Disposition": {mime.FormatMediaType(disposition, map[string]string{"filename": file.Name})},
	}, nil
}
