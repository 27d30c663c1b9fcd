package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/tmaxmax/go-sse"

	"github.com/retentionops/retentionops/functions"
)

// client calls tools over HTTP, in this process or at a running serve: one way, the same answers.
type client struct {
	base string // https://host, without the tool
	key  string // X-API-Key, when the functions ask for one
	http *http.Client
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// call calls a tool and answers its output. A problem comes back as a *functions.Error. Progress is told to the
// reporter of the context while the call lasts.
func (c *client) call(ctx context.Context, tool *functions.Tool, input []byte) (json.RawMessage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.base, "/")+"/"+tool.Name, bytes.NewReader(input))
	if err != nil {
		return nil, functions.Errorf(functions.InvalidArgument, "the URL cannot be used").WithHint("write http://host:port").WithCause(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	if c.key != "" {
		request.Header.Set("X-API-Key", c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, functions.Errorf(functions.Unavailable, "%s does not answer", c.base).
			WithHint("is it running? start it with: retentionops serve").WithCause(err)
	}
	defer func() { _ = response.Body.Close() }()
	body := io.LimitReader(response.Body, maxAnswer)
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch media {
	case "text/event-stream":
		return readEvents(ctx, body)
	case "application/json":
		return io.ReadAll(body)
	case "application/problem+json":
		data, err := io.ReadAll(body)
		if err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", tool.Name, err)
		}
		return nil, problemError(data)
	default:
		return nil, functions.Errorf(functions.Unavailable, "%s answered %s, which is no answer of RetentionOps", c.base, response.Status).
			WithHint("check --url")
	}
}

func readEvents(ctx context.Context, body io.Reader) (json.RawMessage, error) {
	for event, err := range sse.Read(body, &sse.ReadConfig{MaxEventSize: maxAnswer}) {
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		switch functions.EventKind(event.Type) {
		case functions.EventProgress:
			var progress functions.Progress
			if json.Unmarshal([]byte(event.Data), &progress) == nil {
				functions.Report(ctx, progress)
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
