// Package gcsarchive keeps the archive's documents as objects in a Cloud Storage bucket: gs://bucket/prefix. A claim
// holds across all instances of a function, as the bucket itself takes a name only once.
//
// It makes no bucket and sets no lifecycle: that is the deployment's.
package gcsarchive

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"slices"

	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/cloud"
	"github.com/retentionops/retentionops/functions/internal/cloud/gcsbucket"
)

// largest is the largest document that is read: many times the largest that is written, and little enough for the memory
// of a function.
const largest = 64 << 20

// Archive is an archive in a bucket.
type Archive struct{ bucket *gcsbucket.Bucket }

var _ archive.Archive = (*Archive)(nil)

func init() {
	archive.Register("gs", func(ctx context.Context, u *url.URL) (archive.Archive, error) { return Open(ctx, u) })
}

// Open makes the archive of the bucket and prefix that the URL names. The bucket is asked by the first call.
func Open(ctx context.Context, u *url.URL, options ...option.ClientOption) (*Archive, error) {
	bucket, err := gcsbucket.Open(ctx, u, options...)
	if err != nil {
		return nil, err
	}
	return &Archive{bucket: bucket}, nil
}

const keeping, reading, listing = "keeping an archive document", "reading an archive document", "listing archive documents"

func content(document []byte) gcsbucket.Content {
	return gcsbucket.Content{Type: "application/octet-stream", Body: gcsbucket.Bytes(document)}
}

// PutIfAbsent implements archive.Archive.
func (a *Archive) PutIfAbsent(ctx context.Context, name string, document []byte) error {
	if err := archive.CheckName(name); err != nil {
		return err
	}
	err := a.bucket.Create(ctx, name, content(document))
	if errors.Is(err, fs.ErrExist) {
		return archive.ErrExists
	}
	return cloud.Fault(gcsbucket.Words(keeping), err)
}

// Put implements archive.Archive.
func (a *Archive) Put(ctx context.Context, name string, document []byte) error {
	if err := archive.CheckName(name); err != nil {
		return err
	}
	return cloud.Fault(gcsbucket.Words(keeping), a.bucket.Put(ctx, name, content(document)))
}

// Get implements archive.Archive. A document of more than 64 MiB is failed_precondition.
func (a *Archive) Get(ctx context.Context, name string) ([]byte, error) {
	if err := archive.CheckName(name); err != nil {
		return nil, err
	}
	document, err := a.bucket.Read(ctx, name, largest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, archive.ErrNotFound
	}
	if err != nil {
		return nil, cloud.Fault(gcsbucket.Words(reading), err)
	}
	return document, nil
}

// List implements archive.Archive.
func (a *Archive) List(ctx context.Context, prefix string) ([]string, error) {
	if err := archive.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	names, err := a.bucket.Names(ctx, prefix)
	if err != nil {
		return nil, cloud.Fault(gcsbucket.Words(listing), err)
	}
	// What people put beside the documents, such as a folder made by hand, is none of ours.
	return slices.DeleteFunc(names, func(name string) bool { return archive.CheckName(name) != nil }), nil
}
