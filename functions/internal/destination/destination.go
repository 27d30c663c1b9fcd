// Package destination is the port to the places where an audience goes: a directory, a bucket, a spreadsheet.
//
// It is not the archive, and it judges nothing: what is in an audience, in which order and in which words, is decided
// by package audience.
package destination

import (
	"context"
	"io"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/scheme"
)

// Kind is what a column holds, for destinations that know types.
type Kind int

// The kinds of a column.
const (
	Text   Kind = iota // never a number to a spreadsheet: ids keep their leading zeros
	Number             // an exact decimal number
	Day                // YYYY-MM-DD
)

// Column is a column of an audience.
type Column struct {
	Name string
	Kind Kind
}

// Audience is one tier of one day, ready to leave.
type Audience struct {
	Date    functions.Date
	Tier    functions.Tier
	Folder  string // "" or one plain word, such as "shadow": keeps what must not be mistaken for the real thing apart
	Columns []Column
	Rows    [][]string  // the exact text of each cell; empty for NULL
	CSV     io.WriterTo // the same as a CSV file; it may be written out more than once
}

// Destination takes audiences. Names are predictable: folder, date and tier, so that a brief can link to them. A folder
// that is no plain word, a day that does not exist and an unknown tier are invalid_argument (CheckPlace).
// Faults that pass are unavailable; all errors are *functions.Error.
type Destination interface {
	// Deliver writes the audience whole, in place of an earlier one of the same folder, date and tier, and answers its
	// link. A reader sees the old one or the new one, never half.
	Deliver(ctx context.Context, audience Audience) (link string, err error)
	// Find answers the link of the audience that lies there, and false when none does.
	Find(ctx context.Context, folder string, date functions.Date, tier functions.Tier) (link string, found bool, err error)
}

// LongestSigned is the longest that a signed link may last. The platform keeps the keys of such signatures for 12 hours
// for sure (https://cloud.google.com/iam/docs/service-account-creds#short-lived-credentials).
const LongestSigned = 12 * time.Hour

// Signer is a destination that can also make links which open without a login. Whoever holds such a link reads the
// customers: it goes into the direct answer to the one who asked, and never into a brief, a payload, a log or a stored row.
type Signer interface {
	// Sign makes a link to the audience that lies there, which lasts for that long from now.
	Sign(ctx context.Context, folder string, date functions.Date, tier functions.Tier, lasts time.Duration) (link string, err error)
}

var drivers scheme.Registry[Destination]

// Register adds a driver under the scheme of its URLs; drivers call it in init.
func Register(name string, open scheme.Open[Destination]) { drivers.Register(name, open) }

// Open opens the destination that the URL names, such as file:///dir.
func Open(ctx context.Context, url string) (Destination, error) {
	return drivers.Open(ctx, "destination", url)
}
