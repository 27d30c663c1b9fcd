package gcsarchive_test

import (
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/archive/archivetest"
	"github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
)

// open is the archive at that place of a storage.
func open(t *testing.T, storage *cloudtest.Storage, place string) *gcsarchive.Archive {
	t.Helper()
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	a, err := gcsarchive.Open(t.Context(), u, storage.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"gs://papers", "gs://papers/of/the-house/"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			archivetest.Run(t, func(t *testing.T) archive.Archive {
				t.Helper()
				return open(t, cloudtest.NewStorage(t, "papers"), place)
			})
		})
	}
}

func TestFaultsHaveTheWordsOfTheHouse(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		storage *cloudtest.Storage
		fault   cloudtest.Fault
		want    string
	}{
		"a bucket that is not there": {cloudtest.NewStorage(t), nil, "the bucket is not there"},
		"a bucket of others":         {cloudtest.NewStorage(t, "papers"), cloudtest.Refuse(403, "forbidden", "x"), "is refused by the bucket"},
		"a fault of ours":            {cloudtest.NewStorage(t, "papers"), cloudtest.Refuse(400, "invalid", "x"), "went wrong"},
	} {
		a := open(t, row.storage, "gs://papers")
		for does, call := range map[string]func() error{
			"PutIfAbsent": func() error { return a.PutIfAbsent(t.Context(), "a", nil) },
			"Put":         func() error { return a.Put(t.Context(), "a", nil) },
			"Get":         func() error { _, err := a.Get(t.Context(), "a"); return err },
			"List":        func() error { _, err := a.List(t.Context(), ""); return err },
		} {
			if row.fault != nil {
				row.storage.Script.Add("", "", row.fault)
			}
			err := call()
			if coded, ok := errors.AsType[*functions.Error](err); !ok || !strings.Contains(coded.Detail, row.want) {
				t.Errorf("%s: %s = %v, want %q", name, does, err, row.want)
			}
		}
	}
}

// What people put into the bucket by hand is not among the documents.
func TestStrangeObjectsAreNotListed(t *testing.T) {
	t.Parallel()
	storage := cloudtest.NewStorage(t, "papers")
	a := open(t, storage, "gs://papers/house")
	if err := a.Put(t.Context(), "runs/1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"house/", "house/runs/", "house/two words", "house/runs/é", "house2/other"} {
		storage.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "papers", Name: name}})
	}
	names, err := a.List(t.Context(), "")
	if diff := cmp.Diff([]string{"runs/1"}, names); err != nil || diff != "" {
		t.Errorf("List: %v (-want +got)\n%s", err, diff)
	}
}

// TestLive runs the conformance suite on a real bucket, each time under a prefix of its own. What it writes stays there; a
// lifecycle rule should remove it.
func TestLive(t *testing.T) {
	place := os.Getenv("RETENTIONOPS_TEST_GCS")
	if place == "" {
		t.Skip("not run on Cloud Storage itself: set RETENTIONOPS_TEST_GCS to gs://bucket/prefix of a bucket to write to")
	}
	archivetest.Run(t, func(t *testing.T) archive.Archive {
		t.Helper()
		a, err := archive.Open(t.Context(), strings.TrimRight(place, "/")+"/"+rand.Text())
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}
