package setup

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

// lookAgain is how long published files are believed before they are looked at again: an edit is in force within minutes,
// and a busy function does not ask the bucket at every call.
const lookAgain = 3 * time.Minute

// isPublished tells whether a setting names files in a bucket, which are published there, and not a folder.
func isPublished(setting string) bool {
	u, err := url.Parse(setting)
	return err == nil && u.Scheme != "" && u.Scheme != "file"
}

// published is what was made of files that are published in a bucket. They are looked at again every few minutes, and
// when they are at fault or cannot be read, the last sound ones stay. The zero value is ready.
type published[T any] struct {
	looking sync.Mutex // held by the caller who looks

	mu       sync.Mutex // of what follows; nobody waits for a bucket while holding it
	lookedAt time.Time
	sum      [sha256.Size]byte
	value    T
	ready    bool
	stale    bool // what is published now is not what is in force
}

// get answers what the files at the address make. Name is what the files are called, suffix what those that count end
// with.
func (p *published[T]) get(ctx context.Context, e *Env, address, name, suffix string, load func(fs.FS) (T, error)) (T, error) {
	now := e.Now()
	if value, ready, fresh := p.inForce(now); fresh {
		return value, nil
	} else if !ready {
		p.looking.Lock()
	} else if !p.looking.TryLock() {
		return value, nil // somebody looks already; a slow bucket holds up one caller and not all
	}
	defer p.looking.Unlock()
	if value, _, fresh := p.inForce(now); fresh {
		return value, nil // somebody has looked while we waited
	}
	return p.look(ctx, e, now, address, name, suffix, load)
}

// inForce answers what is in force, whether there is anything, and whether it was looked at not long ago.
func (p *published[T]) inForce(now time.Time) (value T, ready, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.value, p.ready, p.ready && now.Sub(p.lookedAt) < lookAgain
}

// put puts a value in force, as of that look.
func (p *published[T]) put(at time.Time, value T, sum [sha256.Size]byte, stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.value, p.sum, p.lookedAt, p.ready, p.stale = value, sum, at, true, stale
}

func (p *published[T]) isStale() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stale
}

// look reads what is published now and answers what is in force then. It fails only when there is nothing sound at all.
// The one who looks is the only one who puts, and so reads without the lock.
func (p *published[T]) look(
	ctx context.Context, e *Env, now time.Time, address, name, suffix string, load func(fs.FS) (T, error),
) (T, error) {
	// What it finds is for every caller: the one who happens to ask must not end it by leaving.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
	defer cancel()
	files, fault := download(ctx, address, suffix)
	if fault == nil {
		var sum [sha256.Size]byte
		if sum, fault = sumOf(files); fault == nil && p.ready && sum == p.sum {
			p.put(now, p.value, sum, false)
			return p.value, nil
		}
		var value T
		if value, fault = load(files); fault == nil {
			p.put(now, value, sum, false)
			e.keepSound(ctx, name, files)
			return value, nil
		}
	}
	value := p.value
	if !p.ready {
		sound, there := e.lastSound(ctx, name)
		if !there {
			return value, fault
		}
		var err error
		if value, err = load(sound); err != nil {
			return value, fault
		}
	}
	p.put(now, value, p.sum, true)
	e.Logger().ErrorContext(ctx, "the published "+name+" are at fault or cannot be read: the last sound ones stay in force", "error", fault.Error())
	return value, nil
}

// snapshot is a set of files at one moment, in memory.
type snapshot struct {
	fs.FS
	packed []byte // as a zip archive
}

// unpack makes a snapshot of its packed form.
func unpack(packed []byte) (snapshot, error) {
	files, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	return snapshot{files, packed}, err
}

// download reads the files at an address, those on top alone.
func download(ctx context.Context, address, suffix string) (snapshot, error) {
	folder, err := archive.Open(ctx, address)
	if err != nil {
		return snapshot{}, err
	}
	names, err := folder.List(ctx, "")
	if err != nil {
		return snapshot{}, err
	}
	var packed bytes.Buffer
	pack := zip.NewWriter(&packed)
	found := 0
	for _, name := range names {
		if strings.Contains(name, "/") || !strings.HasSuffix(name, suffix) {
			continue
		}
		data, err := folder.Get(ctx, name)
		if err != nil {
			return snapshot{}, err
		}
		entry, err := pack.Create(name)
		if err != nil {
			return snapshot{}, err
		}
		if _, err := entry.Write(data); err != nil {
			return snapshot{}, err
		}
		found++
	}
	if err := pack.Close(); err != nil {
		return snapshot{}, err
	}
	if found == 0 {
		return snapshot{}, functions.Errorf(functions.FailedPrecondition, "nothing is published there that ends with %s", suffix).
			WithHint("./deploy.sh rules publishes rules and templates")
	}
	return unpack(packed.Bytes())
}

// soundName is where the archive keeps the last sound files: a function that starts while broken ones are published finds
// them there.
func soundName(name string) string { return "published/" + name + ".zip" }

// keepSound keeps files that were sound. Functions that may not write to the archive, or have none, leave it to others.
func (e *Env) keepSound(ctx context.Context, name string, files snapshot) {
	papers, err := e.Archive(ctx)
	if err != nil {
		return
	}
	if there, err := papers.Get(ctx, soundName(name)); err == nil && bytes.Equal(there, files.packed) {
		return
	}
	if err := papers.Put(ctx, soundName(name), files.packed); err != nil {
		e.Logger().DebugContext(ctx, "the sound "+name+" were not kept", "error", err.Error())
	}
}

// lastSound reads them back.
func (e *Env) lastSound(ctx context.Context, name string) (snapshot, bool) {
	papers, err := e.Archive(ctx)
	if err != nil {
		return snapshot{}, false
	}
	packed, err := papers.Get(ctx, soundName(name))
	if err != nil {
		return snapshot{}, false
	}
	files, err := unpack(packed)
	return files, err == nil
}
