package door

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// visit is one request on its way through the door.
type visit struct {
	door   *Door
	tool   *functions.Tool
	w      http.ResponseWriter
	r      *http.Request
	call   functions.Call
	began  time.Time
	stream *stream // nil: the caller gets one document

	// What the log line tells at the end.
	status int
	err    error
	stack  string
	forced string
}

// answer gives the caller the output or the problem, whole: body is encoded before the first byte goes out.
func (v *visit) answer(body []byte, err error) {
	v.err = err
	if err != nil {
		body = v.problem(err)
	}
	if v.stream != nil {
		v.status = http.StatusOK
		kind := functions.EventResult
		if err != nil {
			kind = functions.EventProblem
		}
		v.stream.end(kind, body)
		return
	}
	media := "application/json"
	v.status = http.StatusOK
	if err != nil {
		media, v.status = "application/problem+json", functions.CodeOf(err).Status()
	}
	body = append(body, '\n')
	header := v.w.Header()
	header.Set("Content-Type", media)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	v.w.WriteHeader(v.status)
	if v.r.Method == http.MethodHead {
		return
	}
	defer writeWithin(v.w)()
	_, _ = v.w.Write(body) // whoever has hung up cannot be told
}

// problem encodes the problem document of an error.
func (v *visit) problem(err error) []byte {
	problem := functions.ProblemOf(err, v.call.RunID)
	body, encodeErr := functions.Marshal(problem)
	if encodeErr != nil {
		v.err = errors.Join(err, encodeErr)
		problem.Result = nil // what is left are texts and a number
		body, _ = functions.Marshal(problem)
	}
	return body
}

// longestWrite bounds one write to a caller who does not read. A stalled stream would otherwise hold up the run.
const longestWrite = 20 * time.Second

// writeWithin bounds the writes until the function it returns is called.
func writeWithin(w http.ResponseWriter) (done func() bool) {
	return time.AfterFunc(longestWrite, func() {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) // not every writer can
	}).Stop
}
