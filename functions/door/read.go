package door

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/tmaxmax/go-sse"

	"github.com/retentionops/retentionops/functions"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// ErrNotADoor is the error of an answer that no door gives.
var ErrNotADoor = errors.New("this is no answer of RetentionOps")

// ReadAnswer reads, for a caller, what a door answered: the output, or the problem as a *functions.Error. Progress is
// told to report while the answer arrives. The body is the caller's to close.
func ReadAnswer(response *http.Response, report func(functions.Progress)) (json.RawMessage, error) {
	body := io.LimitReader(response.Body, maxAnswer)
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case media == eventStream:
		return readEvents(body, report)
	case media == "application/problem+json":
		data, err := io.ReadAll(body)
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		return nil, problemError(data)
	case media == "application/json" && response.StatusCode == http.StatusOK:
		data, err := io.ReadAll(body)
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		return data, nil
	default:
		return nil, fmt.Errorf("%w: %s", ErrNotADoor, response.Status)
	}
}

func readEvents(body io.Reader, report func(functions.Progress)) (json.RawMessage, error) {
	for event, err := range sse.Read(body, &sse.ReadConfig{MaxEventSize: maxAnswer}) {
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		switch functions.EventKind(event.Type) {
		case functions.EventProgress:
			var progress functions.Progress
			if json.Unmarshal([]byte(event.Data), &progress) == nil {
				report(progress)
			}
		case functions.EventResult:
			return json.RawMessage(event.Data), nil
		case functions.EventProblem:
			return nil, problemError([]byte(event.Data))
		}
	}
	return nil, functions.Errorf(functions.Unavailable, "the answer ended before its result").
		WithHint("the call may have done its work: look with retentionops runs list")
}

// problemError turns a problem document back into an error.
func problemError(data []byte) error {
	var problem struct {
		functions.Problem
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(data, &problem); err != nil || problem.Code == "" {
		return errors.New("the answer is a problem that cannot be read")
	}
	failure := &functions.Error{Code: problem.Code, Detail: problem.Detail, Hint: problem.Hint, RunID: problem.RunID}
	if failure.Detail == "" {
		failure.Detail = problem.Title
	}
	if len(problem.Result) > 0 {
		failure.Result = problem.Result
	}
	return failure
}
