// Package archive is the port to the place where the house keeps its papers: claims, stored payloads, briefs, the
// stage a run has reached, the rule files of each version, log rows that the warehouse could not take.
//
// It is not for audiences: those go to a destination.
package archive

import (
	"context"
	"errors"

	"github.com/retentionops/retentionops/functions/internal/scheme"
)

// ErrExists is what PutIfAbsent answers when the name is taken.
var ErrExists = errors.New("already in the archive")

// ErrNotFound is what Get answers when the name is not there.
var ErrNotFound = errors.New("not in the archive")

// Archive keeps small documents by name. Names are relative paths of letters, digits, "-", "_", "." and "/", with no
// empty, "." or ".." part; others are invalid_argument (CheckName). No name may be the folder of another: a driver that
// cannot hold both answers failed_precondition. A document is there whole or not at all, also after a crash.
// Faults that pass are unavailable; all errors but the two above are *functions.Error.
type Archive interface {
	// PutIfAbsent keeps the document unless the name is taken; of many at once exactly one succeeds, the others get
	// ErrExists. A claim is made with it.
	PutIfAbsent(ctx context.Context, name string, document []byte) error
	// Put keeps the document, in place of the one that was there.
	Put(ctx context.Context, name string, document []byte) error
	// Get reads a document; ErrNotFound when there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// List names the documents whose name begins with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}

var drivers scheme.Registry[Archive]

// Register adds a driver under the scheme of its URLs; drivers call it in init.
func Register(name string, open scheme.Open[Archive]) { drivers.Register(name, open) }

// Open opens the archive that the URL names, such as file:///dir.
func Open(ctx context.Context, url string) (Archive, error) {
	return drivers.Open(ctx, "archive", url)
}
