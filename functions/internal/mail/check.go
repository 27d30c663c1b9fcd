package mail

import (
	"fmt"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
)

// The limits of a message.
const (
	// MaxSize is how many bytes a mail may have as it is sent, pictures and attachments encoded: what Postfix takes as
	// shipped (message_size_limit, 10,240,000). Many a server takes more, few take less.
	MaxSize = 10_240_000
	// MaxRecipients is how many recipients a server must take at the least (RFC 5321, section 4.5.3.1.8).
	MaxRecipients = 100
	// maxName is how long the name of a file may be: what file systems take, and short enough for a header line.
	maxName = 120
	// maxAddress is how long an address may be (RFC 5321, section 4.5.3.1.3).
	maxAddress = 254
)

// ParseAddress reads an address, with a name or without. Only addresses that every server can carry are taken: ASCII,
// and nothing in them that needs quotes.
func ParseAddress(text string) (*netmail.Address, error) {
	address, err := netmail.ParseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("read an address: %w", err)
	}
	local, domain, _ := strings.Cut(address.Address, "@")
	switch {
	case len(address.Address) > maxAddress, local == "", domain == "",
		strings.ContainsFunc(address.Address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),:;<>[\]`, r) }),
		strings.Contains(domain, "@"), strings.ContainsFunc(address.Name, unicode.IsControl):
		return nil, fmt.Errorf("read an address: it cannot be carried by every server")
	}
	return address, nil
}

// Recipients are the addresses of the message, each once.
func (m Message) Recipients() ([]*netmail.Address, error) {
	var recipients []*netmail.Address
	seen := map[string]bool{}
	for i, text := range m.To {
		address, err := ParseAddress(text)
		if err != nil {
			return nil, flaw("recipient %d of %d is not an address", i+1, len(m.To)).WithHint("write it like ann@example.com or Ann <ann@example.com>")
		}
		if key := strings.ToLower(address.Address); !seen[key] {
			seen[key] = true
			recipients = append(recipients, address)
		}
	}
	if len(recipients) == 0 {
		return nil, flaw("the mail has no recipient").WithHint("name the recipients under mail in rules/playbooks.yaml")
	}
	if len(recipients) > MaxRecipients {
		return nil, flaw("the mail has %d recipients, at most %d are possible", len(recipients), MaxRecipients).WithHint("write to a list's address instead")
	}
	return recipients, nil
}

// Check reports as failed_precondition what no driver could send.
func (m Message) Check() error {
	if _, err := m.Recipients(); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(m.Subject) == "":
		return flaw("the mail has no subject")
	case strings.ContainsFunc(m.Subject, unicode.IsControl):
		return flaw("the mail's subject holds a line break or another control character").WithHint("write it in one line")
	case m.Text == "":
		return flaw("the mail has no text").WithHint("not every reader shows HTML")
	case m.HTML == "" && len(m.Inline) > 0:
		return flaw("the mail has a picture and no HTML that shows it")
	}
	size, ids := len(m.Subject)+len(m.Text)+len(m.HTML), map[string]bool{}
	for _, file := range m.Inline {
		if !plain(file.ContentID) || ids[file.ContentID] {
			return flaw("an inline file of the mail has no content id of its own").WithHint("letters, digits, dots, dashes and one @")
		}
		ids[file.ContentID] = true
	}
	for _, file := range slices.Concat(m.Inline, m.Attached) {
		if err := file.check(); err != nil {
			return err
		}
		size += len(file.Content)
	}
	if size > MaxSize { // before it is encoded, which makes it larger
		return TooLarge()
	}
	return nil
}

// TooLarge is the error of a mail above MaxSize.
func TooLarge() error {
	return flaw("the mail is larger than %d bytes", MaxSize).WithHint("lower attach_up_to_kb in rules/playbooks.yaml")
}

func (f File) check() error {
	if f.Name == "" || len(f.Name) > maxName || !utf8.ValidString(f.Name) || strings.ContainsFunc(f.Name, unicode.IsControl) ||
		strings.ContainsAny(f.Name, `/\`) {
		return flaw("a file of the mail has a name that cannot travel").WithHint(fmt.Sprintf("at most %d bytes on one line, no path", maxName))
	}
	if f.Type == "" {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(f.Type); err != nil || !strings.Contains(kind, "/") {
		return flaw("a file of the mail has a type that is none").WithHint("write it like text/csv; charset=utf-8")
	}
	return nil
}

// plain reports whether a content id can stand in a header and in a cid: address as it is.
func plain(id string) bool {
	return id != "" && len(id) <= maxName && strings.Count(id, "@") <= 1 && !strings.ContainsFunc(id, func(r rune) bool {
		return r > '~' || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-_@", r)
	})
}

func flaw(format string, args ...any) *functions.Error {
	return functions.Errorf(functions.FailedPrecondition, format, args...)
}
