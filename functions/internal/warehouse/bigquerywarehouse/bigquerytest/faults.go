package bigquerytest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

// Fault is something that goes wrong. One of the fields Status, Lost, Cut, Hang and Fails says what.
type Fault struct {
	Method    string // such as bigquery.jobs.insert; empty is any
	Statement string // the label of the statement; empty is any
	Times     int    // 0 is once

	Status int           // the request is answered so, with Reason, and not carried out
	Reason string        //
	Lost   bool          // it is carried out, and the connection closed without an answer
	Cut    bool          // it is carried out, and half of the answer sent
	Hang   time.Duration // no answer for so long, or until the client has gone; it is not carried out
	Fails  string        // the job is taken, and fails with this reason once it has begun
}

// Play lets faults happen, each at the next request that it is for.
func (s *Server) Play(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range faults {
		fault.Times = max(fault.Times, 1)
		s.faults = append(s.faults, &fault)
	}
}

// due is the fault that a request gets.
func (s *Server) due(call *discoverytest.Call) *Fault {
	statement := labelsOf(call)["statement"]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range s.faults {
		if fault.Times > 0 && (fault.Method == "" || fault.Method == call.Method) && (fault.Statement == "" || fault.Statement == statement) {
			fault.Times--
			return fault
		}
	}
	return nil
}

// labelsOf are the labels of the job that a request asks for.
func labelsOf(call *discoverytest.Call) map[string]string {
	var body struct {
		Labels        map[string]string
		Configuration struct{ Labels map[string]string }
	}
	if text, err := json.Marshal(call.Body); err != nil || json.Unmarshal(text, &body) != nil {
		return nil
	}
	if body.Labels != nil {
		return body.Labels
	}
	return body.Configuration.Labels
}

// before plays what happens in place of the request; it says whether that was all.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case f.Hang > 0:
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the client go
		timer := time.NewTimer(f.Hang)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		discoverytest.Fault(w, f.Status, "", f.Reason, "SELECT secret FROM `the-project.the_dataset`: played by the test")
		return true
	}
	return false
}

// after plays what happens to the answer.
func (f *Fault) after(w http.ResponseWriter, body []byte) {
	if f.Lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if f.Cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body) // the client may have gone
}
