package setup

import "sync"

// Lazy is a value made by the first call that needs it. Only success is kept: sync.OnceValues would answer the first
// failure for the life of the process. The zero value is ready.
type Lazy[T any] struct {
	mu    sync.Mutex
	value T
	ready bool
}

// Get answers the value, made by this call when no earlier one succeeded.
func (l *Lazy[T]) Get(open func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready {
		return l.value, nil
	}
	value, err := open()
	if err != nil {
		return value, err
	}
	l.value, l.ready = value, true
	return value, nil
}

// Peek answers the value when it was made already.
func (l *Lazy[T]) Peek() (value T, ready bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.value, l.ready
}
