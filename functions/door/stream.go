package door

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/tmaxmax/go-sse"

	"github.com/retentionops/retentionops/functions"
)

const eventStream = "text/event-stream"

// wantsStream tells whether the caller asks for events by name and does not like JSON better.
func wantsStream(header http.Header) bool {
	stream, document := 0.0, 0.0
	for _, accepted := range header.Values("Accept") {
		for item := range strings.SplitSeq(accepted, ",") {
			media, params, err := mime.ParseMediaType(item)
			if err != nil {
				continue
			}
			weight := 1.0
			if q, has := params["q"]; has {
				if weight, err = strconv.ParseFloat(q, 64); err != nil {
					continue
				}
			}
			switch media {
			case eventStream:
				stream = weight
			case "application/json":
				document = weight
			}
		}
	}
	return stream > 0 && stream >= document
}

// stream is an answer in events. Tools report from one goroutine; the lock is for the one that forgot to wait for
// its helpers, whose late word must not follow the result.
type stream struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	session *sse.Session
	ended   bool
}

// openStream sends the header, so that the caller knows at once that it is heard. It is nil where the connection
// cannot send a part of an answer.
func openStream(w http.ResponseWriter, r *http.Request) *stream {
	session, err := sse.Upgrade(w, r)
	if err != nil {
		return nil
	}
	w.Header().Set("X-Accel-Buffering", "no")
	s := &stream{w: w, session: session}
	_ = session.Flush() // a caller who has hung up also cancels the context
	return s
}

// progress sends a step that the call has reached.
func (s *stream) progress(progress functions.Progress) {
	data, err := json.Marshal(progress)
	if err != nil {
		return
	}
	s.send(functions.EventProgress, data, false)
}

// end sends the one result or problem. Nothing follows it.
func (s *stream) end(kind functions.EventKind, data []byte) { s.send(kind, data, true) }

func (s *stream) send(kind functions.EventKind, data []byte, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = last
	message := &sse.Message{Type: sse.Type(string(kind))}
	message.AppendData(string(data))
	defer writeWithin(s.w)()
	if s.session.Send(message) == nil {
		_ = s.session.Flush() // a caller who has hung up also cancels the context
	}
}
