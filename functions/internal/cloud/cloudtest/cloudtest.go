// Package cloudtest stands in for Google's clouds in tests of drivers: a Cloud Storage server of this process whose
// requests are checked against the discovery document, and a script of faults that can be played before any fake.
//
// It is not deployed and proves nothing about rights, quotas or speed.
package cloudtest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions/internal/cloud"
	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

// Fault plays one fault. Next answers the request as if nothing were wrong.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Script holds the faults that are still to be played: each request that its method and path meet takes the next one.
type Script struct {
	mu    sync.Mutex
	lines []line
	seen  []string
}

type line struct {
	method, path string
	fault        Fault
}

// Add puts faults at the end of the script, for requests of that method whose path holds the text; an empty method or text
// meets all. A nil fault lets a request pass.
func (s *Script) Add(method, path string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range faults {
		s.lines = append(s.lines, line{method, path, fault})
	}
}

// Left is how many faults were not played.
func (s *Script) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

// Requests are the methods and paths seen so far.
func (s *Script) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func (s *Script) take(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Method+" "+r.URL.Path)
	for i, l := range s.lines {
		if (l.method == "" || l.method == r.Method) && strings.Contains(r.URL.Path, l.path) {
			s.lines = append(s.lines[:i:i], s.lines[i+1:]...)
			return l.fault
		}
	}
	return nil
}

// Before plays the script before the handler.
func (s *Script) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := s.take(r); fault != nil {
			fault(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Refuse answers an error in the form of Google's JSON APIs; headers are pairs of name and value.
func Refuse(status int, reason, message string, headers ...string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body) // the client may break off
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		discoverytest.Fault(w, status, http.StatusText(status), reason, message)
	}
}

// Lose takes the request and loses the answer: the connection ends without a word.
func Lose(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// Drop ends the connection before the request is taken.
func Drop(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// Truncate sends half of the answer's body under the length of the whole.
func Truncate(w http.ResponseWriter, r *http.Request, next http.Handler) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2]) // the client may have gone
	panic(http.ErrAbortHandler)
}

// Hang answers nothing until the caller has gone.
func Hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body) // only a server that has read the request sees its caller go
	<-r.Context().Done()
}

// Serve starts a server on loopback and answers its address. It is closed with the test.
func Serve(tb testing.TB, handler http.Handler) string {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	return server.URL
}

// Options let a client of Google's reach a fake at that address, without credentials.
func Options(address string) []option.ClientOption {
	return []option.ClientOption{option.WithEndpoint(address), option.WithoutAuthentication()}
}

// Storage is Cloud Storage with the buckets named, empty, behind the check of its discovery document and the script.
type Storage struct {
	*fakestorage.Server
	Script  Script
	Address string
}

// NewStorage starts Cloud Storage.
func NewStorage(tb testing.TB, buckets ...string) *Storage {
	tb.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Scheme: "http", Writer: io.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	for _, bucket := range buckets {
		server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	}
	s := &Storage{Server: server}
	checked := discoverytest.Load(tb, "storage/v1").Handler(tb, func(w http.ResponseWriter, r *http.Request, call *discoverytest.Call) {
		if !slices.Contains(buckets, call.Params["bucket"]) { // the server says the same of a bucket and of an object
			discoverytest.Fault(w, http.StatusNotFound, "NOT_FOUND", "notFound", "The specified bucket does not exist.")
			return
		}
		server.HTTPHandler().ServeHTTP(w, r)
	})
	s.Address = Serve(tb, s.Script.Before(checked))
	return s
}

// Options let a client reach it.
func (s *Storage) Options() []option.ClientOption { return Options(s.Address + "/storage/v1/") }

// Clock is a clock that only moves when somebody sleeps by it.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

// Time makes a caller go by a clock of the test, which it answers.
func Time(caller *cloud.Caller) *Clock {
	c := &Clock{now: time.Now()}
	caller.Now, caller.Sleep, caller.Chance = c.Now, c.Sleep, func() float64 { return 1 }
	return c
}

// Now is its time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep moves it.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.slept = c.now.Add(d), append(c.slept, d)
	return ctx.Err()
}

// Slept is how long was slept each time.
func (c *Clock) Slept() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.slept...)
}
