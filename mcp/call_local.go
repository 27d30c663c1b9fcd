package mcp

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/retentionops/retentionops/functions"
)

// Local calls the doors of this process, each through its own handler: an in-memory round trip of HTTP, so that a call
// behaves here as it does when it is deployed.
func Local(handlers map[string]http.Handler) Caller {
	mux := http.NewServeMux()
	for name, handler := range handlers {
		mux.Handle("/"+name, handler)
	}
	return &doors{client: &http.Client{Transport: inMemory{mux}}, prepare: func(request *http.Request, tool *functions.Tool) error {
		return aim(request, "http://localhost/"+tool.Name)
	}}
}

// inMemory is a transport that hands requests to a handler of this process.
type inMemory struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper. The answer's body arrives while the handler writes it.
func (m inMemory) RoundTrip(request *http.Request) (*http.Response, error) {
	body, out := io.Pipe()
	w := &pipeWriter{header: http.Header{}, out: out, begun: make(chan int, 1)}
	// Who reads hears of the end of its time, whatever the handler does.
	heard := context.AfterFunc(request.Context(), func() { _ = out.CloseWithError(request.Context().Err()) })
	go func() {
		defer heard()
		defer func() { _ = out.Close() }()
		defer func() {
			if thrown := recover(); thrown != nil { // as a server: the connection ends, the process stays
				_ = out.CloseWithError(io.ErrUnexpectedEOF)
			}
			w.WriteHeader(http.StatusInternalServerError) // unless it has begun
		}()
		// The connection of who asked us is not this one: the door sees a request that was made inside the process.
		m.handler.ServeHTTP(w, request.WithContext(context.WithValue(request.Context(), http.LocalAddrContextKey, nil)))
		w.WriteHeader(http.StatusOK)
	}()
	select {
	case status := <-w.begun:
		return &http.Response{
			Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: w.sent, Body: body, ContentLength: -1, Request: request,
		}, nil
	case <-request.Context().Done():
		_ = body.CloseWithError(request.Context().Err())
		return nil, request.Context().Err()
	}
}

// pipeWriter is the handler's side of an in-memory answer.
type pipeWriter struct {
	header, sent http.Header
	out          *io.PipeWriter
	once         sync.Once
	begun        chan int
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.sent = w.header.Clone()
		w.begun <- status
	})
}

func (w *pipeWriter) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(data)
}

// Flush implements http.Flusher: what is written is read at once.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }
