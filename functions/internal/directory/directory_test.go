package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/directory"
)

func TestFault(t *testing.T) {
	t.Parallel()
	coded := functions.Errorf(functions.ResourceExhausted, "enough")
	for _, row := range []struct {
		name string
		err  error
		want functions.Code
	}{
		{"no fault", nil, ""},
		{"a code stays", fmt.Errorf("write: %w", coded), functions.ResourceExhausted},
		{"a full disk may be emptied", &fs.PathError{Op: "write", Path: "/secret/x", Err: syscall.ENOSPC}, functions.Unavailable},
		{"too many open files pass", &fs.PathError{Op: "open", Path: "/secret/x", Err: syscall.EMFILE}, functions.Unavailable},
		{"missing rights are the owner's", &fs.PathError{Op: "open", Path: "/secret/x", Err: syscall.EACCES}, functions.FailedPrecondition},
		{"a read-only disk is the owner's", &fs.PathError{Op: "open", Path: "/secret/x", Err: syscall.EROFS}, functions.FailedPrecondition},
		{"no hard links are the owner's", &os.LinkError{Op: "link", Old: "/secret/x", New: "/secret/y", Err: syscall.ENOTSUP}, functions.FailedPrecondition},
		{"a caller who has gone", context.Canceled, functions.Unavailable},
		{"a deadline that has passed", context.DeadlineExceeded, functions.DeadlineExceeded},
		{"anything else", errors.New("what is this"), functions.Internal},
	} {
		err := directory.Fault("writing", row.err)
		if functions.CodeOf(err) != row.want || !errors.Is(err, row.err) {
			t.Errorf("%s: Fault = %v, want %q with its cause", row.name, err, row.want)
		}
		if problem := functions.ProblemOf(err, ""); err != nil && strings.Contains(problem.Detail+problem.Hint, "secret") {
			t.Errorf("%s: the caller is told a path: %+v", row.name, problem)
		}
	}
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	d, err := directory.FromURL(&url.URL{Scheme: "file", Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	fill := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	if err := d.Create("a/b", fill("first")); err != nil {
		t.Fatal(err)
	}
	if err := d.Create("a/b", fill("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of a taken name = %v, want fs.ErrExist", err)
	}
	if content, err := d.Read("a/b"); err != nil || string(content) != "first" {
		t.Errorf("Read = %q, %v; want the first", content, err)
	}
	if names, err := d.Files("."); err != nil || len(names) != 1 {
		t.Errorf("Files = %q, %v; want one", names, err)
	}
}

// A file appears under its name once it is whole.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	d, err := directory.FromURL(&url.URL{Scheme: "file", Path: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Replace("2026/brief.md", func(w io.Writer) error {
		fmt.Fprintln(w, "# first half")
		names, _ := d.Files(".")
		fmt.Println("while it is written:", names)
		fmt.Fprintln(w, "second half")
		return nil
	}))
	names, _ := d.Files(".")
	fmt.Println("afterwards:", names)
	// Output:
	// while it is written: []
	// <nil>
	// afterwards: [2026/brief.md]
}

// TestAFileInTheDirectorysPlaceIsTheOwners asserts that a place which is no directory can be told from a fault of ours.
func TestAFileInTheDirectorysPlaceIsTheOwners(t *testing.T) {
	t.Parallel()
	place := t.TempDir() + "/letter"
	if err := os.WriteFile(place, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := directory.FromURL(&url.URL{Scheme: "file", Path: place})
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(io.Writer) error { return nil }
	_, read := d.Read("a")
	_, has := d.Has("a")
	_, listed := d.Files(".")
	for what, err := range map[string]error{
		"create": d.Create("a", nothing), "replace": d.Replace("a", nothing), "read": read, "has": has, "list": listed,
	} {
		if code := functions.CodeOf(directory.Fault("it", err)); code != functions.FailedPrecondition {
			t.Errorf("%s answers %v (%s), want failed_precondition", what, err, code)
		}
	}
}
