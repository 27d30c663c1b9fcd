package mailtest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
)

// Received is a mail as it came in: who was named in the envelope, and every byte.
type Received struct {
	From string
	To   []string
	Raw  []byte
	UTF8 bool // only a server that knows SMTPUTF8 may pass the mail on
}

// Part is a mail or a part of one. A multipart has Parts, any other has Content.
type Part struct {
	Header      textproto.MIMEHeader
	Type        string            // text/plain, multipart/related, …
	Parameters  map[string]string // of the type: charset, boundary
	Disposition string            // inline, attachment, or empty
	Name        string            // of the file
	ContentID   string            // without its brackets
	Content     []byte            // decoded
	Parts       []Part
}

// Parse takes the mail apart. A mail that cannot be taken apart fails the test.
func (r Received) Parse(t *testing.T) Part {
	t.Helper()
	part, err := r.Part()
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Raw)
	}
	return part
}

// Part is Parse for an example.
func (r Received) Part() (Part, error) {
	message, err := netmail.ReadMessage(bytes.NewReader(r.Raw))
	if err != nil {
		return Part{}, fmt.Errorf("read a mail: %w", err)
	}
	part, err := read(textproto.MIMEHeader(message.Header), message.Body)
	if err != nil {
		return Part{}, fmt.Errorf("take a mail apart: %w", err)
	}
	return part, nil
}

func read(header textproto.MIMEHeader, body io.Reader) (part Part, err error) {
	part.Header = header
	if part.Type, part.Parameters, err = mime.ParseMediaType(header.Get("Content-Type")); err != nil {
		return part, fmt.Errorf("content type %q: %w", header.Get("Content-Type"), err)
	}
	if text := header.Get("Content-Disposition"); text != "" {
		var parameters map[string]string
		if part.Disposition, parameters, err = mime.ParseMediaType(text); err != nil {
			return part, fmt.Errorf("disposition %q: %w", text, err)
		}
		part.Name = parameters["filename"]
	}
	part.ContentID = strings.Trim(header.Get("Content-Id"), "<>")
	if !strings.HasPrefix(part.Type, "multipart/") {
		part.Content, err = decode(header.Get("Content-Transfer-Encoding"), body)
		return part, err
	}
	for reader := multipart.NewReader(body, part.Parameters["boundary"]); ; {
		next, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return part, nil
		}
		if err != nil {
			return part, err
		}
		inner, err := read(next.Header, next)
		if err != nil {
			return part, err
		}
		part.Parts = append(part.Parts, inner)
	}
}

func decode(encoding string, body io.Reader) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "", "7bit", "8bit":
	default:
		return nil, fmt.Errorf("encoding %q is not known", encoding)
	}
	return io.ReadAll(body)
}

// Subject is the subject in letters.
func (p Part) Subject() string {
	subject, err := new(mime.WordDecoder).DecodeHeader(p.Header.Get("Subject"))
	if err != nil {
		return p.Header.Get("Subject")
	}
	return subject
}

// Text is the text, HTML the same in HTML; lines end in \n. Empty when there is none.
func (p Part) Text() string { return p.body("text/plain") }

// HTML is what a reader shows that shows HTML; lines end in \n. Empty when there is none.
func (p Part) HTML() string { return p.body("text/html") }

func (p Part) body(kind string) string {
	for _, leaf := range p.leaves() {
		if leaf.Type == kind && leaf.Disposition == "" {
			return strings.ReplaceAll(string(leaf.Content), "\r\n", "\n")
		}
	}
	return ""
}

// Files are the files of the mail, by disposition: "inline" or "attachment".
func (p Part) Files(disposition string) []Part {
	var files []Part
	for _, leaf := range p.leaves() {
		if leaf.Disposition == disposition {
			files = append(files, leaf)
		}
	}
	return files
}

func (p Part) leaves() []Part {
	if len(p.Parts) == 0 {
		return []Part{p}
	}
	var leaves []Part
	for _, inner := range p.Parts {
		leaves = append(leaves, inner.leaves()...)
	}
	return leaves
}
