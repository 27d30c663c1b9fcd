// Package gcsdestination puts audiences as CSV files into a Cloud Storage bucket: one object a folder, day and tier, such
// as shadow/2026-01-12_P1.csv. Its URL is gs://bucket/prefix, with ?signer=ACCOUNT where links are to be signed by another
// service account than the function's own.
//
// It does not write CSV: the audience brings its file along. It makes no bucket and sets no rights: that is the
// deployment's.
package gcsdestination

import (
	"context"
	"mime"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"
	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud"
	"github.com/retentionops/retentionops/functions/internal/cloud/gcsbucket"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

// Destination is a bucket of CSV files.
type Destination struct {
	bucket *gcsbucket.Bucket
	signer string // the account that signs; empty: the function's own

	// Signing are the options of the client that has links signed.
	Signing []option.ClientOption
	// Account tells the function's own service account.
	Account func(ctx context.Context) (string, error)
	Now     func() time.Time
}

var (
	_ destination.Destination = (*Destination)(nil)
	_ destination.Signer      = (*Destination)(nil)
)

func init() {
	destination.Register("gs", func(ctx context.Context, u *url.URL) (destination.Destination, error) { return Open(ctx, u) })
}

// Open makes the destination of the bucket and prefix that the URL names. The bucket is asked by the first call.
func Open(ctx context.Context, u *url.URL, options ...option.ClientOption) (*Destination, error) {
	place, query := *u, u.Query()
	if len(query) == 1 && len(query["signer"]) == 1 {
		place.RawQuery = "" // any other query is refused with the place
	}
	signer := query.Get("signer")
	if signer != "" && !strings.HasSuffix(signer, ".gserviceaccount.com") {
		return nil, functions.Errorf(functions.FailedPrecondition, "the signer in the gs: URL is no service account").
			WithHint("write ?signer=NAME@PROJECT.iam.gserviceaccount.com, or leave it out")
	}
	bucket, err := gcsbucket.Open(ctx, &place, options...)
	if err != nil {
		return nil, err
	}
	return &Destination{
		bucket: bucket, signer: signer, Now: time.Now,
		Account: func(ctx context.Context) (string, error) { return metadata.EmailWithContext(ctx, "") },
	}, nil
}

// Caller is how calls are tried; tests give it a clock.
func (d *Destination) Caller() *cloud.Caller { return &d.bucket.Caller }

// Deliver implements destination.Destination. The link asks for a login and for the right to read.
func (d *Destination) Deliver(ctx context.Context, audience destination.Audience) (link string, err error) {
	name, err := destination.CSVName(audience.Folder, audience.Date, audience.Tier)
	if err != nil {
		return "", err
	}
	err = d.bucket.Replace(ctx, name, gcsbucket.Content{
		Type:        "text/csv; charset=utf-8",
		Disposition: mime.FormatMediaType("attachment", map[string]string{"filename": strings.ReplaceAll(name, "/", "_")}),
		Body:        audience.CSV,
	})
	if err != nil {
		return "", cloud.Fault(gcsbucket.Words("writing an audience file"), err)
	}
	return d.link(name), nil
}

// Find implements destination.Destination.
func (d *Destination) Find(
	ctx context.Context, folder string, date functions.Date, tier functions.Tier,
) (link string, found bool, err error) {
	name, err := destination.CSVName(folder, date, tier)
	if err != nil {
		return "", false, err
	}
	found, err = d.bucket.Has(ctx, name)
	if err != nil || !found {
		return "", false, cloud.Fault(gcsbucket.Words("looking for an audience file"), err)
	}
	return d.link(name), true, nil
}

// link leads to an object through the console's login. It does not work on a bucket with Data Access audit logs.
func (d *Destination) link(name string) string {
	return "https://storage.cloud.google.com" + d.path(name)
}

// path is where an object lies below a host of Cloud Storage. Buckets, prefixes and names hold nothing to be escaped.
func (d *Destination) path(name string) string {
	return "/" + d.bucket.Name() + "/" + d.bucket.Object(name)
}
