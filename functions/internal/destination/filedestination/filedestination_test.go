package filedestination_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
)

var day = functions.Date{Year: 2026, Month: 1, Day: 12}

func open(t *testing.T, dir string) destination.Destination {
	t.Helper()
	d, err := destination.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pathOf is where a link leads.
func pathOf(link string) (string, error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", err
	}
	if u.Scheme != "file" || u.Host != "" || u.RawQuery != "" || u.Fragment != "" || !filepath.IsAbs(u.Path) {
		return "", fmt.Errorf("link %q is not the file:// URL of an absolute path", link)
	}
	return u.Path, nil
}

func read(link string) ([][]string, error) {
	path, err := pathOf(link)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return csv.NewReader(file).ReadAll()
}

func TestConformance(t *testing.T) {
	t.Parallel()
	destinationtest.Run(t, func(t *testing.T) destinationtest.Harness {
		t.Helper()
		return destinationtest.Harness{Destination: open(t, filepath.Join(t.TempDir(), "made by the first write")), Read: read}
	})
}

func TestLinksAreEscaped(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "Kunden & Zahlen", "50% #1?", "é")
	link, err := open(t, dir).Deliver(t.Context(), destinationtest.New("shadow", day, functions.P1, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(link, " #?é") {
		t.Errorf("link %q holds characters that a URL must escape", link)
	}
	path, err := pathOf(link)
	if want := filepath.Join(dir, "shadow", "2026-01-12_P1.csv"); err != nil || path != want {
		t.Errorf("the link leads to %q, %v; want %q", path, err, want)
	}
}

func TestARelativeDirectoryHasAnAbsoluteLink(t *testing.T) {
	t.Chdir(t.TempDir()) // not parallel: the directory is taken from here
	d, err := destination.Open(t.Context(), "file:out/exports")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // a later change does not matter
	a := destinationtest.New("", day, functions.P1, "a")
	link, err := d.Deliver(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(link)
	if diff := cmp.Diff(destinationtest.Cells(a), got); err != nil || diff != "" {
		t.Errorf("behind the link: %v (-want +got)\n%s", err, diff)
	}
}

// broken is a file whose writing fails half way.
type broken struct {
	half  string
	fault error
}

// WriteTo implements io.WriterTo.
func (b broken) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, b.half)
	return int64(n), errors.Join(err, b.fault)
}

// leaver is a file during whose writing the caller goes away.
type leaver struct{ leave context.CancelFunc }

// WriteTo implements io.WriterTo.
func (l leaver) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, "half")
	l.leave()
	return int64(n), err
}

func TestHalfAFileIsNoDelivery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, dir)
	before := destinationtest.New("", day, functions.P1, "before")
	link, err := d.Deliver(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	leaving, leave := context.WithCancel(t.Context())
	defer leave()
	for _, row := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // a table of calls
		csv  io.WriterTo
		want functions.Code
	}{
		{"the file cannot be made", t.Context(), broken{"half a line", errors.New("no more rows")}, functions.Internal},
		{"the rows are not available", t.Context(), broken{"half", functions.Errorf(functions.Unavailable, "later")}, functions.Unavailable},
		{"the caller goes away", leaving, leaver{leave}, functions.Unavailable},
	} {
		after := destinationtest.New("", day, functions.P1, "after")
		after.CSV = row.csv
		if link, err := d.Deliver(row.ctx, after); functions.CodeOf(err) != row.want || link != "" {
			t.Errorf("%s: Deliver = %q, %v; want %s", row.name, link, err, row.want)
		}
		got, err := read(link)
		if diff := cmp.Diff(destinationtest.Cells(before), got); err != nil || diff != "" {
			t.Errorf("%s: the old file: %v (-want +got)\n%s", row.name, err, diff)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v; want the one file", entries, err)
	}
}

func TestOnlyTheOwnerReadsAudiences(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "exports")
	if _, err := open(t, dir).Deliver(t.Context(), destinationtest.New("shadow", day, functions.P1, "a")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		"": fs.ModeDir | 0o700, "shadow": fs.ModeDir | 0o700, "shadow/2026-01-12_P1.csv": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%q: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestAFolderThatLeadsOutsideIsNotWritten(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "shadow")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if link, err := open(t, dir).Deliver(t.Context(), destinationtest.New("shadow", day, functions.P1, "a")); err == nil {
		t.Errorf("Deliver = %q, want an error", link)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside now holds %v, %v", entries, err)
	}
}
