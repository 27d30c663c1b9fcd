package mcp

import (
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// limiter counts the calls of each caller to each tool. It counts in this process alone: the bound of a deployment is
// this one times its instances.
type limiter struct {
	perMinute int
	now       func() time.Time
	mu        sync.Mutex
	buckets   map[bucketKey]*bucket
	swept     time.Time // when those that were idle were forgotten
}

type bucketKey struct{ principal, kind string }

type bucket struct {
	*rate.Limiter
	used time.Time
}

// idle is when a bucket is full again in any case, and need not be kept.
const idle = 2 * time.Minute

func newLimiter(perMinute int, now func() time.Time) *limiter {
	return &limiter{perMinute: perMinute, now: now, buckets: map[bucketKey]*bucket{}}
}

// take counts a call; when there were too many it tells in how many seconds the next may come.
func (l *limiter) take(principal, kind string) (wait int) {
	if l.perMinute == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, key := l.now(), bucketKey{principal, kind}
	one, known := l.buckets[key]
	if !known {
		if now.Sub(l.swept) > idle { // not at each newcomer: there may be many
			maps.DeleteFunc(l.buckets, func(_ bucketKey, old *bucket) bool { return now.Sub(old.used) > idle })
			l.swept = now
		}
		one = &bucket{Limiter: rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)}
		l.buckets[key] = one
	}
	one.used = now
	reserved := one.ReserveN(now, 1)
	if delay := reserved.DelayFrom(now); delay > 0 {
		reserved.CancelAt(now)
		return int(math.Ceil(delay.Seconds()))
	}
	return 0
}

// knocks bounds the log lines that strangers cause: a line costs more than the refusal. Of who is known every line is
// written.
type knocks struct {
	lines    *rate.Limiter
	unlogged atomic.Int64
}

func newKnocks() *knocks { return &knocks{lines: rate.NewLimiter(rate.Every(time.Second), 100)} }

// may tells whether a refusal is logged, and how many before it were not.
func (k *knocks) may(principal string, now time.Time) (unlogged int64, may bool) {
	if principal == "" && !k.lines.AllowN(now, 1) {
		k.unlogged.Add(1)
		return 0, false
	}
	return k.unlogged.Swap(0), true
}
