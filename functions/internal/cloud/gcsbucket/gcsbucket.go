// Package gcsbucket is a prefix in a Cloud Storage bucket that a gs: URL names, in which an object is there whole or not
// at all. The drivers of the ports that keep objects in a bucket share it.
//
// It is not a port: what an object means and which names are good is the business of each driver. It speaks the JSON API
// through Google's generated client and not through cloud.google.com/go/storage, which would make a function half as
// large again and twice as slow to start.
package gcsbucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud"
)

// Bucket reads and writes objects below one prefix. Names are relative, with slashes. It is safe for use by several
// goroutines and processes.
type Bucket struct {
	place
	objects *storage.ObjectsService
	// Caller tries each call several times.
	Caller cloud.Caller
	// NewID makes the mark by which a writer knows an object as its own.
	NewID func() string
}

// place is where the objects lie.
type place struct{ bucket, prefix string }

var (
	// https://cloud.google.com/storage/docs/buckets#naming
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)
	prefixPart = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// longestPrefix leaves room for the longest name of an archive's document: an object's name has at most 1024 bytes.
const longestPrefix = 500

func placeOf(u *url.URL) (place, error) {
	prefix := strings.Trim(u.Path, "/")
	switch {
	case !bucketName.MatchString(u.Host):
		return place{}, unusable("names no bucket")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return place{}, unusable("has more than a bucket and a prefix")
	case len(prefix) > longestPrefix:
		return place{}, unusable("has a prefix that is too long")
	case prefix == "":
		return place{bucket: u.Host}, nil
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if !prefixPart.MatchString(part) || part == "." || part == ".." {
			return place{}, unusable("has a prefix that is no path of plain words")
		}
	}
	return place{bucket: u.Host, prefix: prefix + "/"}, nil
}

func unusable(why string) error {
	return functions.Errorf(functions.FailedPrecondition, "the gs: URL %s", why).
		WithHint("write gs://bucket or gs://bucket/prefix; a prefix is of letters, digits, - _ . and /")
}

// Open makes the bucket that the URL names, with the credentials of the environment unless the options say otherwise.
// Nothing is asked of the bucket yet.
func Open(ctx context.Context, u *url.URL, options ...option.ClientOption) (*Bucket, error) {
	at, err := placeOf(u)
	if err != nil {
		return nil, err
	}
	options = append([]option.ClientOption{option.WithScopes(storage.DevstorageReadWriteScope)}, options...)
	// The client outlives the call that happens to open it.
	client, err := storage.NewService(context.WithoutCancel(ctx), options...)
	if err != nil {
		return nil, cloud.NoCredentials("the bucket", err)
	}
	return &Bucket{place: at, objects: client.Objects, NewID: func() string { return ulid.Make().String() }}, nil
}

// Name is the bucket's own name.
func (p place) Name() string { return p.bucket }

// Object is the full name of an object in the bucket.
func (p place) Object(name string) string { return p.prefix + name }

// Words are what is said of a fault.
func Words(doing string) cloud.Words {
	return cloud.Words{
		Doing: doing, Place: "the bucket",
		Refused: "give the service account of this function the role Storage Object User on the bucket",
		Missing: "look at the bucket's name in the setting; a bucket is made by deploy.sh or a person, never by a function",
	}
}

// noBucket is how Cloud Storage tells a bucket that is not there from an object that is not.
const noBucket = "bucket does not exist"

func noObject(err error) bool {
	return cloud.Status(err) == http.StatusNotFound && !cloud.Says(err, noBucket)
}

// Read reads an object of at most that many bytes; fs.ErrNotExist when there is none of that name.
func (b *Bucket) Read(ctx context.Context, name string, most int64) (content []byte, err error) {
	err = b.Caller.Do(ctx, func(ctx context.Context, _ error) error {
		content = nil
		answer, err := b.objects.Get(b.bucket, b.Object(name)).Context(ctx).Download()
		if err != nil {
			return err
		}
		defer answer.Body.Close() //nolint:errcheck // only read
		content, err = io.ReadAll(io.LimitReader(answer.Body, most+1))
		switch {
		case err != nil:
			return err
		case int64(len(content)) > most:
			return functions.Errorf(functions.FailedPrecondition, "an object in the bucket is larger than %d MiB", most>>20)
		default:
			return checkSum(answer, content)
		}
	})
	if noObject(err) {
		return nil, fs.ErrNotExist
	}
	return content, err
}

// Has tells whether an object of that name is there.
func (b *Bucket) Has(ctx context.Context, name string) (bool, error) {
	there, err := b.look(ctx, name)
	return there != nil, err
}

// look reads what is told of an object; nil when there is none.
func (b *Bucket) look(ctx context.Context, name string) (there *storage.Object, err error) {
	err = b.Caller.Do(ctx, func(ctx context.Context, _ error) (err error) {
		there, err = b.objects.Get(b.bucket, b.Object(name)).
			Fields("generation", "crc32c", "size", "contentType", "contentDisposition", "metadata").Context(ctx).Do()
		return err
	})
	if noObject(err) {
		return nil, nil
	}
	return there, err
}

// listed is how many names an answer holds; it is the most that the API gives.
const listed = 1000

// Names lists the objects whose name begins with prefix, in the order of their bytes.
func (b *Bucket) Names(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	for page := ""; ; {
		var found *storage.Objects
		err := b.Caller.Do(ctx, func(ctx context.Context, _ error) (err error) {
			found, err = b.objects.List(b.bucket).Prefix(b.Object(prefix)).PageToken(page).MaxResults(listed).
				Fields("items(name)", "nextPageToken").Context(ctx).Do()
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, object := range found.Items {
			names = append(names, strings.TrimPrefix(object.Name, b.prefix))
		}
		if page = found.NextPageToken; page == "" {
			break
		}
	}
	slices.Sort(names)
	return names, nil
}

// Content is what an object holds. Body is written out once for its sum, and once more for each attempt to upload it:
// each time it must be the same.
type Content struct {
	Type, Disposition string
	Body              io.WriterTo
}

// Bytes is a body that is in memory.
type Bytes []byte

// WriteTo implements io.WriterTo.
func (b Bytes) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

// Put writes an object, in place of the one that was there.
func (b *Bucket) Put(ctx context.Context, name string, content Content) error {
	object, _, err := b.describe(name, content)
	if err != nil {
		return err
	}
	return b.Caller.Do(ctx, func(ctx context.Context, _ error) error {
		return b.upload(ctx, object, content.Body, nil)
	})
}

// writtenBy is the name under which the mark of an object's writer is kept with it.
const writtenBy = "written-by"

// Create writes an object unless the name is taken: of many at once exactly one succeeds, the others get fs.ErrExist.
func (b *Bucket) Create(ctx context.Context, name string, content Content) error {
	object, _, err := b.describe(name, content)
	if err != nil {
		return err
	}
	// An answer may be lost after the object was taken, and the next attempt finds the name taken by ourselves. The
	// content alone does not tell it: two may want to write the same.
	mark := b.NewID()
	object.Metadata = map[string]string{writtenBy: mark}
	absent, repeated := int64(0), false
	err = b.Caller.Do(ctx, func(ctx context.Context, earlier error) error {
		repeated = repeated || earlier != nil
		return b.upload(ctx, object, content.Body, &absent)
	})
	if cloud.Status(err) != http.StatusPreconditionFailed {
		return err
	}
	if repeated {
		switch there, err := b.look(ctx, name); {
		case err != nil:
			return err
		case there != nil && there.Metadata[writtenBy] == mark:
			return nil
		}
	}
	return fs.ErrExist
}

// rounds is how often Replace looks again when others write the same name.
const rounds = 24

// Replace writes an object in place of exactly the one that it found there, or of none. An object that is the same
// already is left as it is.
func (b *Bucket) Replace(ctx context.Context, name string, content Content) error {
	object, size, err := b.describe(name, content)
	if err != nil {
		return err
	}
	for round := range rounds {
		there, err := b.look(ctx, name)
		if err != nil {
			return err
		}
		if same(there, object, size) { // also when an earlier attempt of ours was taken and its answer lost
			return nil
		}
		generation := int64(0)
		if there != nil {
			generation = there.Generation
		}
		err = b.Caller.Do(ctx, func(ctx context.Context, _ error) error {
			return b.upload(ctx, object, content.Body, &generation)
		})
		if cloud.Status(err) != http.StatusPreconditionFailed {
			return err
		}
		if err := b.Caller.Wait(ctx, round); err != nil {
			return err
		}
	}
	return functions.Errorf(functions.Unavailable, "an object in the bucket is being written by others all the time").WithHint("try again")
}

// same tells that nothing would change.
func same(there, object *storage.Object, size uint64) bool {
	return there != nil && there.Crc32c == object.Crc32c && there.Size == size &&
		there.ContentType == object.ContentType && there.ContentDisposition == object.ContentDisposition
}

// upload sends an object in one streamed request; generation is the one to be replaced, 0 for none, nil for any.
func (b *Bucket) upload(ctx context.Context, object *storage.Object, body io.WriterTo, generation *int64) error {
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		_, err := body.WriteTo(writer)
		_ = writer.CloseWithError(err) // never fails; an error here breaks the request off, and the bucket takes no half
		written <- err
	}()
	call := b.objects.Insert(b.bucket, object).Fields("generation").Context(ctx).
		Media(reader, googleapi.ContentType(object.ContentType), googleapi.ChunkSize(0))
	if generation != nil {
		call = call.IfGenerationMatch(*generation)
	}
	_, err := call.Do()
	_ = reader.Close() // never fails; ends a body that nobody reads on
	if wrote := <-written; wrote != nil && !errors.Is(wrote, io.ErrClosedPipe) {
		return bodyFault(wrote) // not the bucket's: the same would happen again
	}
	return err
}

func bodyFault(err error) error {
	if coded, ok := errors.AsType[*functions.Error](err); ok {
		return coded
	}
	return functions.Errorf(functions.Internal, "the content of an object cannot be made").WithCause(fmt.Errorf("write the content: %w", err))
}
