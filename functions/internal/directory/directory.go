// Package directory is a directory that a file: URL names, in which a file is there whole or not at all, also after a
// crash and also for readers in other processes. The drivers of the ports that keep files in a directory share it.
//
// It is not a port: what a file means and which names are good is the business of each driver.
package directory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/retentionops/retentionops/functions"
)

// What is kept here tells of customers, so only the owner may read it.
const (
	directoryMode = 0o700
	fileMode      = 0o600
)

// temporaryMark ends the name of a file that is still being written. Drivers allow no "~" in their names, so that what
// a crash left behind can be neither read nor listed as a document.
const temporaryMark = "~"

// Directory reads and writes files below one directory. Names are relative, with slashes. It holds nothing open, makes
// the directory with the first write, and is safe for use by several goroutines and processes.
type Directory struct{ path string }

// FromURL finds the directory that a URL names: file:///abs/dir, or file:relative/dir, taken from where the program
// runs now. Anything else is failed_precondition.
func FromURL(u *url.URL) (Directory, error) {
	place := u.Path
	if u.Opaque != "" {
		unescaped, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return Directory{}, unusable("cannot be read").WithCause(err)
		}
		place = unescaped
	}
	switch {
	case u.Host != "" && u.Host != "localhost":
		return Directory{}, unusable("names a host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Directory{}, unusable("has more than a path")
	case place == "" || strings.ContainsRune(place, 0):
		return Directory{}, unusable("names no directory")
	}
	absolute, err := filepath.Abs(filepath.FromSlash(place))
	if err != nil {
		return Directory{}, unusable("cannot be resolved").WithCause(err)
	}
	return Directory{path: absolute}, nil
}

func unusable(why string) *functions.Error {
	return functions.Errorf(functions.FailedPrecondition, "the file: URL %s", why).
		WithHint("write file:///absolute/directory or file:relative/directory, with %20 for a space, %3F for ? and %23 for #")
}

// URL is the file:// URL of a file below the directory.
func (d Directory) URL(name string) string {
	place := filepath.ToSlash(d.join(name))
	return (&url.URL{Scheme: "file", Path: place}).String()
}

func (d Directory) join(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// Create writes a file unless the name is taken: of many at once exactly one succeeds, the others get fs.ErrExist.
func (d Directory) Create(name string, fill func(io.Writer) error) error {
	// A link fails when the name is there, and names a file that is already whole: an exclusive open would not.
	return d.write(name, fill, func(root *os.Root, temporary string) error {
		if err := root.Link(temporary, name); err != nil {
			return err
		}
		_ = root.Remove(temporary) // the file is there; a second name for it that nobody looks for does no harm
		return nil
	})
}

// Replace writes a file in place of the one that was there.
func (d Directory) Replace(name string, fill func(io.Writer) error) error {
	return d.write(name, fill, func(root *os.Root, temporary string) error { return root.Rename(temporary, name) })
}

func (d Directory) write(name string, fill func(io.Writer) error, publish func(root *os.Root, temporary string) error) error {
	root, err := d.openForWriting()
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // nothing is written through the directory's own handle
	parent := path.Dir(name)
	if err := makeFolders(root, parent); err != nil {
		return err
	}
	temporary, err := writeTemporary(root, parent, fill)
	if err == nil {
		err = publish(root, temporary)
	}
	if err != nil {
		if temporary != "" {
			_ = root.Remove(temporary) // the fault that led here is the one to tell of
		}
		return err
	}
	return syncFolder(root, parent)
}

// openForWriting opens the directory, which it makes when it is not there.
func (d Directory) openForWriting() (*os.Root, error) {
	root, err := d.open()
	if !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	if err := os.MkdirAll(d.path, directoryMode); err != nil {
		return nil, err
	}
	above, err := os.OpenRoot(filepath.Dir(d.path))
	if err != nil {
		return nil, err
	}
	defer above.Close() //nolint:errcheck // only synced
	if err := syncFolder(above, "."); err != nil {
		return nil, err
	}
	return d.open()
}

// open opens the directory. What a file of that name is answered with is no error that the system knows.
func (d Directory) open() (*os.Root, error) {
	root, err := os.OpenRoot(d.path)
	if err == nil {
		return root, nil
	}
	if info, missing := os.Stat(d.path); missing == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: d.path, Err: syscall.ENOTDIR}
	}
	return nil, err
}

// makeFolders makes the folder and those above it, and has each new entry reach the disk.
func makeFolders(root *os.Root, folder string) error {
	if folder == "." {
		return nil
	}
	err := root.Mkdir(folder, directoryMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeFolders(root, path.Dir(folder)); err != nil {
			return err
		}
		err = root.Mkdir(folder, directoryMode)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // a file of that name is found out by the next step
	case err != nil:
		return err
	default:
		return syncFolder(root, path.Dir(folder))
	}
}

// serial keeps the temporary names of this process apart; those of others are told by O_EXCL.
var serial atomic.Uint64

// writeTemporary writes a file that nobody looks for. The name is empty when there is none to remove.
func writeTemporary(root *os.Root, folder string, fill func(io.Writer) error) (name string, err error) {
	var file *os.File
	for {
		name = path.Join(folder, fmt.Sprintf(".%d-%d%s", os.Getpid(), serial.Add(1), temporaryMark))
		file, err = root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) { // else left behind by a process that had our number
			return "", err
		}
	}
	err = fill(file)
	if err == nil {
		err = file.Sync()
	}
	return name, errors.Join(err, file.Close())
}

// syncFolder has the folder's entries reach the disk, so that a file that was announced is there after a crash.
func syncFolder(root *os.Root, folder string) error {
	file, err := root.Open(folder)
	if err != nil {
		return err
	}
	err = file.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system that syncs no directories
		err = nil
	}
	return errors.Join(err, file.Close())
}

// Read reads a file; fs.ErrNotExist when there is none of that name.
func (d Directory) Read(name string) ([]byte, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only read
	content, err := root.ReadFile(name)
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) {
		return nil, fs.ErrNotExist // part of the name is a file, or the name is a folder: there is no such file
	}
	return content, err
}

// Has tells whether a file of that name is there.
func (d Directory) Has(name string) (bool, error) {
	root, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer root.Close() //nolint:errcheck // only read
	info, err := root.Stat(name)
	switch {
	case err == nil:
		return info.Mode().IsRegular(), nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return false, nil
	default:
		return false, err
	}
}

// Files names the files in a folder and below it, "." being the directory itself. Links are not followed, and what is
// still being written is not a file yet.
func (d Directory) Files(folder string) ([]string, error) {
	root, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // only read
	var names []string
	err = fs.WalkDir(root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return nil // no such folder, or gone since it was listed
		case err != nil:
			return err
		case entry.Type().IsRegular() && !strings.HasSuffix(name, temporaryMark):
			names = append(names, name)
		}
		return nil
	})
	return names, err
}
