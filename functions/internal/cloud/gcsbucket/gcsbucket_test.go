package gcsbucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/cloud/gcsbucket"
)

// open is the prefix "p" of a bucket that is there, by a clock of the test.
func open(t *testing.T) (*gcsbucket.Bucket, *cloudtest.Storage, *cloudtest.Clock) {
	t.Helper()
	storage := cloudtest.NewStorage(t, "bucket")
	u, err := url.Parse("gs://bucket/p")
	if err != nil {
		t.Fatal(err)
	}
	b, err := gcsbucket.Open(t.Context(), u, storage.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	return b, storage, cloudtest.Time(&b.Caller)
}

func text(s string) gcsbucket.Content {
	return gcsbucket.Content{Type: "text/plain", Body: gcsbucket.Bytes(s)}
}

const most = 1 << 20

// calls are what a bucket does, each on the name "a/b", which holds "before".
var calls = map[string]func(ctx context.Context, b *gcsbucket.Bucket) error{
	"read": func(ctx context.Context, b *gcsbucket.Bucket) error {
		content, err := b.Read(ctx, "a/b", most)
		if err == nil && string(content) != "before" {
			return fmt.Errorf("read %q", content)
		}
		return err
	},
	"has": func(ctx context.Context, b *gcsbucket.Bucket) error {
		there, err := b.Has(ctx, "a/b")
		if err == nil && !there {
			return errors.New("it is not there")
		}
		return err
	},
	"list": func(ctx context.Context, b *gcsbucket.Bucket) error {
		names, err := b.Names(ctx, "a/")
		if err == nil && !slices.Equal(names, []string{"a/b"}) {
			return fmt.Errorf("listed %q", names)
		}
		return err
	},
	"put":     func(ctx context.Context, b *gcsbucket.Bucket) error { return b.Put(ctx, "a/b", text("after")) },
	"replace": func(ctx context.Context, b *gcsbucket.Bucket) error { return b.Replace(ctx, "a/b", text("after")) },
	"create":  func(ctx context.Context, b *gcsbucket.Bucket) error { return b.Create(ctx, "a/new", text("after")) },
}

func TestFaultsThatPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]cloudtest.Fault{
		"503":                   {cloudtest.Refuse(503, "backendError", "later")},
		"500 twice":             {cloudtest.Refuse(500, "internalError", ""), cloudtest.Refuse(500, "internalError", "")},
		"429":                   {cloudtest.Refuse(429, "rateLimitExceeded", "slow down")},
		"403 for the rate":      {cloudtest.Refuse(403, "rateLimitExceeded", "slow down")},
		"408":                   {cloudtest.Refuse(408, "", "")},
		"no answer":             {cloudtest.Drop},
		"a lost answer":         {cloudtest.Lose},
		"half an answer":        {cloudtest.Truncate},
		"an answer that hangs":  {cloudtest.Hang},
		"one thing after other": {cloudtest.Drop, cloudtest.Refuse(503, "", ""), cloudtest.Lose, cloudtest.Drop, cloudtest.Lose},
	} {
		for does, call := range calls {
			t.Run(name+" at "+does, func(t *testing.T) {
				t.Parallel()
				b, storage, _ := open(t)
				if err := b.Put(t.Context(), "a/b", text("before")); err != nil {
					t.Fatal(err)
				}
				if name == "an answer that hangs" {
					b.Caller.Each = 200 * time.Millisecond
				}
				storage.Script.Add("", "", faults...)
				if err := call(t.Context(), b); err != nil {
					t.Errorf("got %v", err)
				}
				if left := storage.Script.Left(); left != 0 {
					t.Errorf("%d faults were not played", left)
				}
			})
		}
	}
}

func TestWhatAFaultMeans(t *testing.T) {
	t.Parallel()
	const remote = "projects/secret-project said no"
	always := func(fault cloudtest.Fault) []cloudtest.Fault { return slices.Repeat([]cloudtest.Fault{fault}, 50) }
	for _, row := range []struct {
		name   string
		faults []cloudtest.Fault
		want   functions.Code
		hint   string
		tried  int
	}{
		{"out of order for long", always(cloudtest.Refuse(503, "backendError", remote)), functions.Unavailable, "try again", 6},
		{"held back for long", always(cloudtest.Refuse(429, "rateLimitExceeded", remote)), functions.Unavailable, "in a minute", 6},
		{"no answer for long", always(cloudtest.Drop), functions.Unavailable, "try again", 6},
		{"forbidden", always(cloudtest.Refuse(403, "forbidden", remote)), functions.FailedPrecondition, "Storage Object User", 1},
		{"not known", always(cloudtest.Refuse(401, "authError", remote)), functions.FailedPrecondition, "service account", 1},
		{"a bucket that is not there", always(cloudtest.Refuse(404, "notFound", "The specified bucket does not exist.")), functions.FailedPrecondition, "bucket's name", 1},
		{"a fault of ours", always(cloudtest.Refuse(400, "invalid", remote)), functions.Internal, "", 1},
	} {
		for does, call := range calls {
			t.Run(row.name+" at "+does, func(t *testing.T) {
				t.Parallel()
				b, storage, _ := open(t)
				storage.Script.Add("", "", row.faults...)
				err := cloud.Fault(gcsbucket.Words("trying"), call(t.Context(), b))
				problem := functions.ProblemOf(err, "")
				if problem.Code != row.want || !strings.Contains(problem.Hint, row.hint) {
					t.Errorf("got %+v, want %s with the hint %q", problem, row.want, row.hint)
				}
				if tried := len(storage.Script.Requests()); tried != row.tried {
					t.Errorf("tried %d times, want %d", tried, row.tried)
				}
				if told := problem.Detail + problem.Hint; strings.Contains(told, "secret") {
					t.Errorf("the caller is told %q", told)
				}
			})
		}
	}
}

func TestTheBucketSaysHowLongToWait(t *testing.T) {
	t.Parallel()
	b, storage, clock := open(t)
	storage.Script.Add("GET", "", cloudtest.Refuse(429, "", "", "Retry-After", "7"),
		cloudtest.Refuse(503, "", "", "Retry-After", clock.Now().Add(19*time.Second).UTC().Format(http.TimeFormat)),
		cloudtest.Refuse(503, "", "", "Retry-After", "soon"))
	if _, err := b.Has(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	slept := clock.Slept()
	if len(slept) != 3 || slept[0] != 7*time.Second || slept[1] < 11*time.Second || slept[1] > 12*time.Second || slept[2] != 2*time.Second {
		t.Errorf("slept %v, want 7s, about 12s as far as the day that was named, and 2s of our own", slept)
	}

	storage.Script.Add("GET", "", cloudtest.Refuse(429, "", "", "Retry-After", "3600"))
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := b.Has(soon, "a")
	if got := functions.CodeOf(cloud.Fault(gcsbucket.Words("looking"), err)); got != functions.Unavailable || len(clock.Slept()) != 3 {
		t.Errorf("a wait beyond the deadline: %v, slept %v", err, clock.Slept())
	}
}

func TestTheDeadlineIsTheCallers(t *testing.T) {
	t.Parallel()
	for does, call := range calls {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			b, storage, _ := open(t)
			storage.Script.Add("", "", cloudtest.Hang)
			short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := cloud.Fault(gcsbucket.Words("trying"), call(short, b))
			if functions.CodeOf(err) != functions.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want deadline_exceeded", err)
			}
		})
	}
}

func TestALostAnswerIsNoOtherWriter(t *testing.T) {
	t.Parallel()
	b, storage, _ := open(t)
	storage.Script.Add("POST", "", cloudtest.Lose)
	if err := b.Create(t.Context(), "claim", text("same")); err != nil {
		t.Fatalf("the one who took the name is told %v", err)
	}
	// Another writes the very same, and its answer is lost too: the content does not make it the first.
	storage.Script.Add("POST", "", cloudtest.Lose)
	if err := b.Create(t.Context(), "claim", text("same")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("another with the same content is told %v, want fs.ErrExist", err)
	}

	if err := b.Replace(t.Context(), "list", text("old")); err != nil {
		t.Fatal(err)
	}
	uploads := func() (n int) {
		for _, seen := range storage.Script.Requests() {
			if strings.HasPrefix(seen, "POST") {
				n++
			}
		}
		return n
	}
	before := uploads()
	storage.Script.Add("POST", "", cloudtest.Lose)
	for range 2 { // the second finds that nothing would change
		if err := b.Replace(t.Context(), "list", text("new")); err != nil {
			t.Fatal(err)
		}
	}
	if content, err := b.Read(t.Context(), "list", most); err != nil || string(content) != "new" {
		t.Errorf("Read = %q, %v", content, err)
	}
	if got := uploads() - before; got != 2 {
		t.Errorf("%d uploads, want the one that was lost and the one that met it", got)
	}
}

func TestWhatAnotherHasWrittenIsSeenBeforeItIsReplaced(t *testing.T) {
	t.Parallel()
	b, storage, _ := open(t)
	if err := b.Replace(t.Context(), "list", text("first")); err != nil {
		t.Fatal(err)
	}
	// Between looking and writing another comes along, twice.
	other := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		storage.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "bucket", Name: "p/list"}, Content: []byte("other")})
		next.ServeHTTP(w, r)
	}
	storage.Script.Add("POST", "", other, other)
	if err := b.Replace(t.Context(), "list", text("second")); err != nil {
		t.Fatal(err)
	}
	if content, err := b.Read(t.Context(), "list", most); err != nil || string(content) != "second" {
		t.Errorf("Read = %q, %v", content, err)
	}
	storage.Script.Add("POST", "", slices.Repeat([]cloudtest.Fault{other}, 100)...)
	if err := b.Replace(t.Context(), "list", text("third")); functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("against somebody who never stops: %v, want unavailable", err)
	}
}

func TestABrokenByteIsReadAgain(t *testing.T) {
	t.Parallel()
	b, storage, _ := open(t)
	if err := b.Put(t.Context(), "a", text("content")); err != nil {
		t.Fatal(err)
	}
	storage.Script.Add("GET", "", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		maps.Copy(w.Header(), whole.Header())
		_, _ = io.WriteString(w, "cOntent")
	})
	if content, err := b.Read(t.Context(), "a", most); err != nil || string(content) != "content" {
		t.Errorf("Read = %q, %v", content, err)
	}
}

func TestTooMuchIsNotRead(t *testing.T) {
	t.Parallel()
	b, _, _ := open(t)
	if err := b.Put(t.Context(), "a", gcsbucket.Content{Body: gcsbucket.Bytes(bytes.Repeat([]byte("x"), 1025))}); err != nil {
		t.Fatal(err)
	}
	if content, err := b.Read(t.Context(), "a", 1024); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("Read = %d bytes, %v", len(content), err)
	}
	if content, err := b.Read(t.Context(), "a", 1025); len(content) != 1025 || err != nil {
		t.Errorf("Read = %d bytes, %v", len(content), err)
	}
}

func TestALongListIsReadPageByPage(t *testing.T) {
	t.Parallel()
	b, storage, _ := open(t)
	var want []string
	for i := range 230 {
		name := fmt.Sprintf("runs/%05d", i)
		want = append(want, name)
		storage.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "bucket", Name: "p/" + name}})
	}
	storage.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "bucket", Name: "runs/outside"}})
	// A page may hold less than was asked for.
	small := func(then func(http.ResponseWriter, *http.Request, http.Handler)) cloudtest.Fault {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			query := r.URL.Query()
			query.Set("maxResults", "100")
			r.URL.RawQuery = query.Encode()
			then(w, r, next)
		}
	}
	pass := func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) }
	storage.Script.Add("GET", "", small(pass), small(cloudtest.Truncate), small(pass))
	got, err := b.Names(t.Context(), "runs/")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Names: %v (-want +got)\n%s", err, diff)
	}
	if requests := len(storage.Script.Requests()); requests != 4 {
		t.Errorf("%d requests, want three pages and one that was read again", requests)
	}
}

// broken is a body that is whole the first time it is written and half the second: the fault comes during the upload.
type broken struct {
	half  string
	fault error
	times *int
}

// WriteTo implements io.WriterTo.
func (b broken) WriteTo(w io.Writer) (int64, error) {
	if *b.times++; *b.times == 1 {
		n, err := io.WriteString(w, b.half+b.half)
		return int64(n), err
	}
	n, err := io.WriteString(w, b.half)
	return int64(n), errors.Join(err, b.fault)
}

func TestHalfABodyIsNoObject(t *testing.T) {
	t.Parallel()
	for want, fault := range map[functions.Code]error{
		functions.Internal: errors.New("no more rows"), functions.ResourceExhausted: functions.Errorf(functions.ResourceExhausted, "enough"),
	} {
		b, storage, _ := open(t)
		for does, call := range map[string]func(context.Context, string, gcsbucket.Content) error{
			"put": b.Put, "create": b.Create, "replace": b.Replace,
		} {
			err := call(t.Context(), "half", gcsbucket.Content{Body: broken{strings.Repeat("half", 1<<16), fault, new(int)}})
			if functions.CodeOf(err) != want {
				t.Errorf("%s: %v, want %s", does, err, want)
			}
		}
		if names, err := b.Names(t.Context(), ""); err != nil || len(names) != 0 {
			t.Errorf("the bucket holds %q, %v", names, err)
		}
		if uploads := len(storage.Script.Requests()); uploads > 5 {
			t.Errorf("%d requests: what cannot be written is not tried again", uploads)
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	tooLong := "gs://my-bucket/" + strings.Repeat("x", 501)
	for text, want := range map[string]string{
		"gs://my-bucket":             "my-bucket/x",
		"gs://my-bucket/":            "my-bucket/x",
		"gs://my.bucket_1/a/b.c-d/":  "my.bucket_1/a/b.c-d/x",
		"gs:///a":                    "",
		"gs://b":                     "",
		"gs://My-Bucket":             "",
		"gs://user:pw@my-bucket":     "",
		"gs://my-bucket?x=1":         "",
		"gs://my-bucket/#a":          "",
		"gs://my-bucket:80/a":        "",
		"gs://my-bucket/a//b":        "",
		"gs://my-bucket/../b":        "",
		"gs://my-bucket/two%20words": "",
		"gs:my-bucket":               "",
		tooLong:                      "",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := gcsbucket.Open(t.Context(), u, cloudtest.Options("http://127.0.0.1:1/")...)
		switch {
		case want == "":
			if functions.CodeOf(err) != functions.FailedPrecondition || strings.Contains(err.Error(), "pw") {
				t.Errorf("%s: %v, want failed_precondition", text, err)
			}
		case err != nil:
			t.Errorf("%s: %v", text, err)
		default:
			if got := b.Name() + "/" + b.Object("x"); got != want {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
		}
	}
}
