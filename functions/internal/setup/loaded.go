package setup

import (
	"crypto/sha256"
	"io/fs"
	"sync"

	"github.com/retentionops/retentionops/functions"
)

// loaded is what was made of the files of a folder; it is made anew when they change. The zero value is ready.
type loaded[T any] struct {
	mu    sync.Mutex
	sum   [sha256.Size]byte
	value T
	ready bool
}

// get answers what was made of these files, or makes it. A failure is not kept.
func (l *loaded[T]) get(files fs.FS, load func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum, err := sumOf(files)
	if err != nil {
		var none T
		return none, functions.Errorf(functions.FailedPrecondition, "a folder of rules or templates cannot be read").WithCause(err)
	}
	if l.ready && sum == l.sum {
		return l.value, nil
	}
	value, err := load()
	if err != nil {
		return value, err
	}
	l.value, l.sum, l.ready = value, sum, true
	return value, nil
}

// sumOf stands for the names and contents of a folder's files.
func sumOf(files fs.FS) (sum [sha256.Size]byte, err error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		data, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			return sum, err
		}
		content := sha256.Sum256(data)
		_, _ = hash.Write([]byte(entry.Name() + "\x00")) // a hash never fails to take bytes
		_, _ = hash.Write(content[:])
	}
	copy(sum[:], hash.Sum(nil))
	return sum, nil
}
