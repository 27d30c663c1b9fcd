package door

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// The platform ends the process ten seconds after SIGTERM.
var (
	drainPatience = 4 * time.Second        // until calls under way are asked to end, so that they can still write it down
	drainLimit    = 9 * time.Second        // until the process ends whatever is under way
	drainFlush    = 200 * time.Millisecond // for the server to send the end of the last answer
)

// drainer knows the requests under way in this process.
type drainer struct {
	once     sync.Once
	mu       sync.Mutex
	inFlight int
	idle     chan struct{} // closed when nothing is under way; new while something is
	stop     context.Context
	cancel   context.CancelFunc
	atEnd    []func(context.Context)
}

// process is the one drainer: a signal is the whole process's, and so are all its functions.
var process drainer

// Drained lets the requests under way end when the platform stops the process, which then exits with 0. It is for the
// functions framework, whose server has no shutdown of its own. Calls that last too long are asked to end: their
// context is cancelled, and functions.StopFrom ends for work that outlives its caller.
//
// The process watches for the signal from its first request on. Until then there is nothing to wait for, and a program
// that links a function without serving it, as the command does, keeps its own way to end.
func Drained(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		process.once.Do(process.watch)
		process.enter()
		defer process.leave()
		ctx, cancel := context.WithCancel(functions.WithStop(r.Context(), process.stop))
		defer cancel()
		defer context.AfterFunc(process.stop, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
		_ = http.NewResponseController(w).Flush() // before it counts as ended; not every writer can
	})
}

// AtEnd has work done when the platform stops the process, once no request is under way: what is kept in memory is sent to
// where it belongs. It is for functions behind Drained. The work must keep to its context, which ends before the platform
// would kill the process.
func AtEnd(work func(context.Context)) {
	process.mu.Lock()
	defer process.mu.Unlock()
	process.atEnd = append(process.atEnd, work)
}

func (d *drainer) watch() {
	d.stop, d.cancel = context.WithCancel(context.Background())
	d.idle = make(chan struct{})
	close(d.idle)
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	go func() {
		<-terminate
		d.drain()
		os.Exit(0)
	}()
}

func (d *drainer) enter() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inFlight == 0 {
		d.idle = make(chan struct{})
	}
	d.inFlight++
}

func (d *drainer) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inFlight--; d.inFlight == 0 {
		close(d.idle)
	}
}

// drain waits until nothing is under way, asks what lasts too long to end, does what is left for the end, and gives up at
// the limit.
func (d *drainer) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	patience, limit := time.NewTimer(drainPatience), time.NewTimer(drainLimit)
	for {
		d.mu.Lock()
		idle := d.idle
		d.mu.Unlock()
		select {
		case <-idle:
			d.mu.Lock()
			work := d.atEnd
			d.mu.Unlock()
			for _, last := range work {
				last(ctx)
			}
			time.Sleep(drainFlush)
			return
		case <-patience.C:
			d.cancel()
		case <-limit.C:
			return
		}
	}
}
