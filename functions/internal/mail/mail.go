// Package mail is the port to the people who must hear of what no message has reached: it holds what a mail is made of,
// and who can send one. The backup of a playbook and the alarms of the health check are sent through it.
//
// It knows no protocol (its driver does) and writes no text: what a mail says comes from those who send it.
package mail

import (
	"context"
	"errors"
)

// Message is one mail. All its recipients see each other; there are no hidden ones.
type Message struct {
	To       []string // addresses, with a name or without: "ann@example.com", "Ann <ann@example.com>"
	Subject  string   // one line
	Text     string   // what every reader can show; required
	HTML     string   // the same for readers that show HTML; empty: text alone
	Inline   []File   // pictures that the HTML shows by src="cid:…"
	Attached []File   // files that travel with the mail
}

// File is a file in a mail.
type File struct {
	Name      string // as the reader saves it: "p1.csv"
	Type      string // its media type: "text/csv; charset=utf-8"; empty: unknown bytes
	ContentID string // for an inline file: what the HTML calls it, without "cid:"
	Content   []byte
}

// Sender sends mail.
type Sender interface {
	// Send hands a message to the mail server, and answers nil once the server has taken it for every recipient. Errors
	// are *functions.Error: failed_precondition for a fault that somebody must mend (of the message, of the settings, or
	// a final no of the server), unavailable for one that may pass, deadline_exceeded when the context ran out. When some
	// recipients get the mail and others do not, the error is ErrPartly beside its code. No error shows the password, the
	// server's address, a recipient, or what the server said.
	Send(ctx context.Context, m Message) error
}

// ErrPartly marks an error of Send after which some of the recipients have the mail all the same: errors.Is tells.
var ErrPartly = errors.New("some recipients have the mail")
