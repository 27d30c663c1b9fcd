// Package scheme opens a driver by the scheme of a URL. Each port keeps one Registry; a driver registers itself when
// it is linked, so that what a program can open is what it imports.
//
// It is not a port: it knows nothing of what is opened.
package scheme

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/retentionops/retentionops/functions"
)

// Open makes a driver from its URL.
type Open[D any] func(ctx context.Context, u *url.URL) (D, error)

// Registry knows how to open the drivers of one port. The zero value is ready.
type Registry[D any] struct {
	mu    sync.RWMutex
	opens map[string]Open[D]
}

// Register adds a driver under the scheme of its URLs. It panics when the scheme is taken: two drivers for one scheme
// are a fault of the program.
func (r *Registry[D]) Register(scheme string, open Open[D]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.opens[scheme]; taken {
		panic(fmt.Sprintf("scheme %s registered twice", scheme))
	}
	if r.opens == nil {
		r.opens = map[string]Open[D]{}
	}
	r.opens[scheme] = open
}

// Has tells whether there is a driver for a scheme.
func (r *Registry[D]) Has(scheme string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, has := r.opens[scheme]
	return has
}

// Open parses the URL and hands it to its driver. An unknown scheme is failed_precondition and names those linked. The
// URL's text is not repeated in an error beyond its scheme: it may hold what should not be shown.
func (r *Registry[D]) Open(ctx context.Context, port, text string) (D, error) {
	var none D
	u, err := url.Parse(text)
	if err != nil {
		if bad := (*url.Error)(nil); errors.As(err, &bad) {
			err = bad.Err // the whole error repeats the URL
		}
		return none, functions.Errorf(functions.FailedPrecondition, "the %s URL cannot be read", port).
			WithHint("write scheme://…; " + r.known()).WithCause(err)
	}
	if u.Scheme == "" {
		return none, functions.Errorf(functions.FailedPrecondition, "the %s URL names no driver", port).
			WithHint("write scheme://…; " + r.known())
	}
	r.mu.RLock()
	open, known := r.opens[u.Scheme]
	r.mu.RUnlock()
	if !known {
		return none, functions.Errorf(functions.FailedPrecondition, "no %s driver for %q is linked in this program", port, u.Scheme+"://").
			WithHint(r.known())
	}
	return open(ctx, u)
}

func (r *Registry[D]) known() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.opens) == 0 {
		return "linked here: none"
	}
	return "linked here: " + strings.Join(slices.Sorted(maps.Keys(r.opens)), "://, ") + "://"
}
