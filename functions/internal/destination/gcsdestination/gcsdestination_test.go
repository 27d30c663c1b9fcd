package gcsdestination_test

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/cloud/gcsbucket"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	"github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
)

var day = functions.Date{Year: 2026, Month: 1, Day: 12}

// open is the destination at that place of a storage.
func open(tb testing.TB, storage *cloudtest.Storage, place string) *gcsdestination.Destination {
	tb.Helper()
	u, err := url.Parse(place)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := gcsdestination.Open(tb.Context(), u, storage.Options()...)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// object is the name of the object of the bucket "exports" that a link leads to.
func object(link string) (string, error) {
	name, found := strings.CutPrefix(link, "https://storage.cloud.google.com/exports/")
	if !found {
		return "", errors.New(link + " does not lead to the bucket")
	}
	return name, nil
}

func reader(storage *cloudtest.Storage) func(link string) ([][]string, error) {
	return func(link string) ([][]string, error) {
		name, err := object(link)
		if err != nil {
			return nil, err
		}
		there, err := storage.GetObject("exports", name)
		if err != nil {
			return nil, err
		}
		return csv.NewReader(strings.NewReader(string(there.Content))).ReadAll()
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	destinationtest.Run(t, func(t *testing.T) destinationtest.Harness {
		t.Helper()
		storage := cloudtest.NewStorage(t, "exports")
		return destinationtest.Harness{Destination: open(t, storage, "gs://exports/retention"), Read: reader(storage)}
	})
}

func TestAnObjectIsAFileToDownload(t *testing.T) {
	t.Parallel()
	storage := cloudtest.NewStorage(t, "exports")
	link, err := open(t, storage, "gs://exports/a/b").Deliver(t.Context(), destinationtest.New("shadow", day, functions.P1, "17850"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://storage.cloud.google.com/exports/a/b/shadow/2026-01-12_P1.csv"; link != want {
		t.Errorf("link %s, want %s", link, want)
	}
	name, err := object(link)
	if err != nil {
		t.Fatal(err)
	}
	there, err := storage.GetObject("exports", name)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{there.ContentType, there.ContentDisposition, there.CacheControl}
	want := []string{"text/csv; charset=utf-8", "attachment; filename=shadow_2026-01-12_P1.csv", "private, no-store"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the object (-want +got)\n%s", diff)
	}
}

// leaver is a file during whose upload the caller goes away.
type leaver struct {
	leave context.CancelFunc
	times *int
}

// WriteTo implements io.WriterTo.
func (l leaver) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, "half")
	if *l.times++; *l.times > 1 {
		l.leave()
	}
	return int64(n), err
}

func TestFaultsLeaveTheOldAudience(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		faults []cloudtest.Fault
		want   functions.Code
	}{
		"out of order for long": {slices.Repeat([]cloudtest.Fault{cloudtest.Refuse(503, "backendError", "")}, 20), functions.Unavailable},
		"not allowed":           {[]cloudtest.Fault{cloudtest.Refuse(403, "forbidden", "")}, functions.FailedPrecondition},
		"the caller goes away":  {nil, functions.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage := cloudtest.NewStorage(t, "exports")
			d := open(t, storage, "gs://exports")
			cloudtest.Time(d.Caller())
			before := destinationtest.New("", day, functions.P1, "before")
			link, err := d.Deliver(t.Context(), before)
			if err != nil {
				t.Fatal(err)
			}
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			after := destinationtest.New("", day, functions.P1, "after")
			if row.faults == nil {
				after.CSV = leaver{leave, new(int)}
			}
			storage.Script.Add("POST", "", row.faults...)
			if got, err := d.Deliver(ctx, after); functions.CodeOf(err) != row.want || got != "" {
				t.Errorf("Deliver = %q, %v; want %s", got, err, row.want)
			}
			got, err := reader(storage)(link)
			if diff := cmp.Diff(destinationtest.Cells(before), got); err != nil || diff != "" {
				t.Errorf("the old file: %v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestABucketThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	d := open(t, cloudtest.NewStorage(t), "gs://exports")
	_, err := d.Deliver(t.Context(), destinationtest.New("", day, functions.P1, "a"))
	problem := functions.ProblemOf(err, "")
	if problem.Code != functions.FailedPrecondition || problem.Detail != "writing an audience file is not possible: the bucket is not there" {
		t.Errorf("got %+v", problem)
	}
}

// TestLive runs the conformance suite on a real bucket, each time under a prefix of its own. What it writes stays there; a
// lifecycle rule should remove it.
func TestLive(t *testing.T) {
	place := os.Getenv("RETENTIONOPS_TEST_GCS")
	if place == "" {
		t.Skip("not run on Cloud Storage itself: set RETENTIONOPS_TEST_GCS to gs://bucket/prefix of a bucket to write to")
	}
	destinationtest.Run(t, func(t *testing.T) destinationtest.Harness {
		t.Helper()
		u, err := url.Parse(strings.TrimRight(place, "/") + "/" + rand.Text())
		if err != nil {
			t.Fatal(err)
		}
		d, err := gcsdestination.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		bucket, err := gcsbucket.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		return destinationtest.Harness{Destination: d, Read: func(link string) ([][]string, error) {
			_, name, found := strings.Cut(link, u.Path+"/")
			if !found {
				return nil, errors.New(link + " does not lead to the bucket")
			}
			content, err := bucket.Read(t.Context(), name, 1<<20)
			if err != nil {
				return nil, err
			}
			return csv.NewReader(strings.NewReader(string(content))).ReadAll()
		}}
	})
}
