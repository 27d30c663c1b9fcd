// Package archivetest is the conformance suite of the archive port: every driver passes it unchanged.
//
// It does not test what only one driver has, such as the rights of files.
package archivetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

// Run checks a driver. Each call of open must answer an archive that holds nothing.
func Run(t *testing.T, open func(t *testing.T) archive.Archive) {
	t.Helper()
	for _, check := range checks {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, open(t))
		})
	}
}

// check is one thing that every driver does; its name says which.
type check struct {
	name string
	run  func(*testing.T, archive.Archive)
}

var checks = []check{
	{"a document reads back byte for byte", func(t *testing.T, a archive.Archive) {
		everyByte := make([]byte, 256)
		for i := range everyByte {
			everyByte[i] = byte(i)
		}
		for name, document := range map[string][]byte{
			"empty":                          {},
			"a/b/c/d/e/f/g/h/deep.json":      []byte(`{"a":1}`),
			"bytes_-.9":                      everyByte,
			"large":                          bytes.Repeat(everyByte, 8192),
			".begins-with-a-point/..and-two": []byte("x"),
		} {
			if err := a.Put(t.Context(), name, document); err != nil {
				t.Fatalf("Put(%q): %v", name, err)
			}
			if got := get(t, a, name); !bytes.Equal(got, document) {
				t.Errorf("Get(%q) = %d bytes that differ from the %d put", name, len(got), len(document))
			}
			absent := name + ".absent"
			if err := a.PutIfAbsent(t.Context(), absent, document); err != nil {
				t.Fatalf("PutIfAbsent(%q): %v", absent, err)
			}
			if got := get(t, a, absent); !bytes.Equal(got, document) {
				t.Errorf("Get(%q) = %d bytes that differ from the %d put", absent, len(got), len(document))
			}
		}
	}},

	{"a later document stands in place of the earlier", func(t *testing.T, a archive.Archive) {
		for _, document := range []string{"a long first document", "short", ""} {
			if err := a.Put(t.Context(), "runs/1/stage", []byte(document)); err != nil {
				t.Fatal(err)
			}
			if got := string(get(t, a, "runs/1/stage")); got != document {
				t.Errorf("Get = %q, want %q", got, document)
			}
		}
	}},

	{"a taken name keeps its first document", func(t *testing.T, a archive.Archive) {
		if err := a.PutIfAbsent(t.Context(), "claims/day", []byte("first")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.PutIfAbsent(t.Context(), "claims/day", []byte("second")); !errors.Is(err, archive.ErrExists) {
				t.Fatalf("PutIfAbsent of a taken name = %v, want ErrExists", err)
			}
		}
		if got := string(get(t, a, "claims/day")); got != "first" {
			t.Errorf("Get = %q, want the first document", got)
		}
		if err := a.Put(t.Context(), "claims/day", []byte("third")); err != nil {
			t.Fatalf("Put over a claim: %v", err)
		}
		if err := a.PutIfAbsent(t.Context(), "claims/day", []byte("fourth")); !errors.Is(err, archive.ErrExists) {
			t.Errorf("PutIfAbsent after Put = %v, want ErrExists", err)
		}
	}},

	{"what is not there is not found", func(t *testing.T, a archive.Archive) {
		absent := func(name string) {
			t.Helper()
			if document, err := a.Get(t.Context(), name); !errors.Is(err, archive.ErrNotFound) {
				t.Errorf("Get(%q) = %q, %v; want ErrNotFound", name, document, err)
			}
		}
		absent("nothing")
		if err := a.Put(t.Context(), "runs/1/stage", []byte("send")); err != nil {
			t.Fatal(err)
		}
		absent("runs")               // a folder is no document
		absent("runs/1")             // nor is this one
		absent("runs/1/stage/below") // nor is a document a folder
		absent("runs/1/stag")
		absent("runs/2/stage")
	}},

	{"of many at once exactly one takes the name", func(t *testing.T, a archive.Archive) {
		const rounds, claimants = 8, 16
		for round := range rounds {
			name := fmt.Sprintf("claims/day-%d", round)
			var wins atomic.Int64
			var winner atomic.Value
			var all sync.WaitGroup
			start := make(chan struct{})
			for i := range claimants {
				all.Go(func() {
					<-start
					mine := fmt.Appendf(nil, "claimant %d", i)
					switch err := a.PutIfAbsent(t.Context(), name, mine); {
					case err == nil:
						wins.Add(1)
						winner.Store(string(mine))
					case !errors.Is(err, archive.ErrExists):
						t.Errorf("PutIfAbsent: %v, want nil or ErrExists", err)
					}
				})
			}
			close(start)
			all.Wait()
			if wins.Load() != 1 {
				t.Fatalf("%d claimants took the name, want 1", wins.Load())
			}
			if got := string(get(t, a, name)); got != winner.Load() {
				t.Errorf("Get = %q, want %q, the one that took it", got, winner.Load())
			}
		}
	}},

	{"a reader never sees half a document", func(t *testing.T, a archive.Archive) {
		const size, writes = 256 << 10, 20
		whole := func(letter byte) []byte { return bytes.Repeat([]byte{letter}, size) }
		if err := a.Put(t.Context(), "briefs/day", whole('a')); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		var writers sync.WaitGroup
		for _, letter := range []byte("bc") {
			writers.Go(func() {
				for range writes {
					if err := a.Put(t.Context(), "briefs/day", whole(letter)); err != nil {
						t.Errorf("Put: %v", err)
					}
				}
			})
		}
		go func() { writers.Wait(); close(done) }()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			document, err := a.Get(t.Context(), "briefs/day")
			if err != nil || len(document) != size || bytes.Count(document, document[:1]) != size {
				t.Errorf("Get = %d bytes, %v; want one whole document", len(document), err)
				break
			}
			names, err := a.List(t.Context(), "")
			if diff := cmp.Diff([]string{"briefs/day"}, names); err != nil || diff != "" {
				t.Errorf("List while writing: %v (-want +got)\n%s", err, diff)
				break
			}
		}
		<-done
	}},

	{"names are listed by prefix in the order of their bytes", func(t *testing.T, a archive.Archive) {
		if names, err := a.List(t.Context(), ""); err != nil || len(names) != 0 {
			t.Fatalf("List of an empty archive = %q, %v", names, err)
		}
		// "-" and "." sort before "/" as bytes: a walk folder by folder gets this wrong.
		all := []string{"Z", "runs-2", "runs.txt", "runs/1/brief", "runs/1/stage", "runs/10/stage", "runs/2/stage", "spool/a.json"}
		for _, i := range []int{4, 1, 7, 0, 6, 2, 5, 3} {
			if err := a.PutIfAbsent(t.Context(), all[i], nil); err != nil {
				t.Fatal(err)
			}
		}
		for prefix, want := range map[string][]string{
			"":              all,
			"runs":          all[1:7],
			"runs/":         all[3:7],
			"runs/1":        all[3:6],
			"runs/1/":       all[3:5],
			"runs/1/stage":  all[4:5],
			"runs/1/stage/": nil,
			"spool":         all[7:],
			"claims/":       nil,
			"z":             nil,
		} {
			names, err := a.List(t.Context(), prefix)
			if err != nil {
				t.Errorf("List(%q): %v", prefix, err)
			}
			if !slices.Equal(names, want) {
				t.Errorf("List(%q) = %q, want %q", prefix, names, want)
			}
		}
	}},

	{"a name that is no name is refused everywhere", func(t *testing.T, a archive.Archive) {
		for _, name := range []string{
			"", ".", "..", "/", "/etc", "../x", "a/../../x", "a/..", "a//b", "a/", "a/./b", "a b", "a\\b", "é", "a\x00b", "a\nb", "~",
		} {
			for does, err := range map[string]error{
				"PutIfAbsent": a.PutIfAbsent(t.Context(), name, nil),
				"Put":         a.Put(t.Context(), name, nil),
				"Get":         func() error { _, err := a.Get(t.Context(), name); return err }(),
			} {
				if functions.CodeOf(err) != functions.InvalidArgument {
					t.Errorf("%s(%q) = %v, want invalid_argument", does, name, err)
				}
			}
		}
		for _, prefix := range []string{"/", "/etc", "../", "../x", "a/../", "a//", "a b", "é"} {
			if _, err := a.List(t.Context(), prefix); functions.CodeOf(err) != functions.InvalidArgument {
				t.Errorf("List(%q) = %v, want invalid_argument", prefix, err)
			}
		}
		if names, err := a.List(t.Context(), ""); err != nil || len(names) != 0 {
			t.Errorf("after refusals the archive holds %q, %v", names, err)
		}
	}},

	{"a caller who has gone changes nothing", func(t *testing.T, a archive.Archive) {
		if err := a.Put(t.Context(), "kept", []byte("before")); err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, getErr := a.Get(gone, "kept")
		_, listErr := a.List(gone, "")
		for does, err := range map[string]error{
			"PutIfAbsent": a.PutIfAbsent(gone, "new", []byte("x")),
			"Put":         a.Put(gone, "kept", []byte("after")),
			"Get":         getErr,
			"List":        listErr,
		} {
			if functions.CodeOf(err) != functions.Unavailable || !errors.Is(err, context.Canceled) {
				t.Errorf("%s with a cancelled context = %v, want unavailable for context.Canceled", does, err)
			}
		}
		if got := string(get(t, a, "kept")); got != "before" {
			t.Errorf("Get = %q, want %q", got, "before")
		}
		if _, err := a.Get(t.Context(), "new"); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("Get of what was never kept = %v, want ErrNotFound", err)
		}
	}},

	{"the document is the archive's own", func(t *testing.T, a archive.Archive) {
		document := []byte("payload")
		if err := a.Put(t.Context(), "sent", document); err != nil {
			t.Fatal(err)
		}
		document[0] = 'X'
		get(t, a, "sent")[0] = 'Y'
		if got := string(get(t, a, "sent")); got != "payload" {
			t.Errorf("Get = %q after the caller changed its own bytes", got)
		}
	}},
}

func get(t *testing.T, a archive.Archive, name string) []byte {
	t.Helper()
	document, err := a.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("Get(%q): %v", name, err)
	}
	return document
}
