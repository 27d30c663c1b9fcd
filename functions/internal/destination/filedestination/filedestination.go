// Package filedestination puts audiences as CSV files into a directory: one file a folder, day and tier, such as
// shadow/2026-01-12_P1.csv. Its URL is file:///abs/dir or file:relative/dir.
//
// It does not write CSV: the audience brings its file along.
package filedestination

import (
	"context"
	"io"
	"net/url"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/directory"
)

// Destination is a directory of CSV files.
type Destination struct{ files directory.Directory }

var _ destination.Destination = (*Destination)(nil)

func init() {
	destination.Register("file", func(_ context.Context, u *url.URL) (destination.Destination, error) { return Open(u) })
}

// Open makes the destination of the directory that the URL names. The directory is made by the first delivery.
func Open(u *url.URL) (*Destination, error) {
	files, err := directory.FromURL(u)
	if err != nil {
		return nil, err
	}
	return &Destination{files: files}, nil
}

// Deliver implements destination.Destination. The link is the file:// URL of the absolute path.
func (d *Destination) Deliver(ctx context.Context, audience destination.Audience) (link string, err error) {
	const doing = "writing an audience file"
	name, err := destination.CSVName(audience.Folder, audience.Date, audience.Tier)
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", directory.Fault(doing, err)
	}
	err = d.files.Replace(name, func(w io.Writer) error {
		if _, err := audience.CSV.WriteTo(untilDone{ctx, w}); err != nil {
			return err
		}
		return ctx.Err() // a caller who has gone must not find the old file replaced
	})
	if err != nil {
		return "", directory.Fault(doing, err)
	}
	return d.files.URL(name), nil
}

// Find implements destination.Destination.
func (d *Destination) Find(
	ctx context.Context, folder string, date functions.Date, tier functions.Tier,
) (link string, found bool, err error) {
	const doing = "looking for an audience file"
	name, err := destination.CSVName(folder, date, tier)
	if err != nil {
		return "", false, err
	}
	if err := ctx.Err(); err != nil {
		return "", false, directory.Fault(doing, err)
	}
	found, err = d.files.Has(name)
	if err != nil || !found {
		return "", false, directory.Fault(doing, err)
	}
	return d.files.URL(name), true, nil
}

// untilDone stops writing a long file when its caller has gone.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

// Write implements io.Writer.
func (u untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(p)
}
