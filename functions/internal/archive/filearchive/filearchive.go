// Package filearchive keeps the archive's documents as files below one directory: file:///abs/dir or file:relative/dir.
//
// It is not for a network share of several machines whose file system has no hard links: PutIfAbsent needs them and
// says so.
package filearchive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/directory"
)

// Archive is an archive in a directory.
type Archive struct{ files directory.Directory }

var _ archive.Archive = (*Archive)(nil)

func init() {
	archive.Register("file", func(_ context.Context, u *url.URL) (archive.Archive, error) { return Open(u) })
}

// Open makes the archive of the directory that the URL names. The directory is made by the first write.
func Open(u *url.URL) (*Archive, error) {
	files, err := directory.FromURL(u)
	if err != nil {
		return nil, err
	}
	return &Archive{files: files}, nil
}

// PutIfAbsent implements archive.Archive.
func (a *Archive) PutIfAbsent(ctx context.Context, name string, document []byte) error {
	err := a.put(ctx, name, document, a.files.Create)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The name may be taken by a folder, and then no document of that name can ever be read.
	switch there, statErr := a.files.Has(name); {
	case statErr != nil:
		return directory.Fault("keeping an archive document", statErr)
	case there:
		return archive.ErrExists
	default:
		return err
	}
}

// Put implements archive.Archive.
func (a *Archive) Put(ctx context.Context, name string, document []byte) error {
	return a.put(ctx, name, document, a.files.Replace)
}

func (a *Archive) put(
	ctx context.Context, name string, document []byte, write func(name string, fill func(io.Writer) error) error,
) error {
	const doing = "keeping an archive document"
	if err := archive.CheckName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return directory.Fault(doing, err)
	}
	return directory.Fault(doing, write(name, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(document))
		return err
	}))
}

// Get implements archive.Archive.
func (a *Archive) Get(ctx context.Context, name string) ([]byte, error) {
	const doing = "reading an archive document"
	if err := archive.CheckName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, directory.Fault(doing, err)
	}
	document, err := a.files.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, archive.ErrNotFound
	}
	return document, directory.Fault(doing, err)
}

// List implements archive.Archive.
func (a *Archive) List(ctx context.Context, prefix string) ([]string, error) {
	const doing = "listing archive documents"
	if err := archive.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, directory.Fault(doing, err)
	}
	folder := "."
	if cut := strings.LastIndexByte(prefix, '/'); cut >= 0 {
		folder = path.Clean(prefix[:cut])
	}
	names, err := a.files.Files(folder)
	if err != nil {
		return nil, directory.Fault(doing, err)
	}
	// What people put beside the documents, such as notes with a blank in their name, is none of ours.
	names = slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, prefix) || archive.CheckName(name) != nil
	})
	slices.Sort(names) // a walk goes folder by folder, which is not the order of the names
	return names, nil
}
