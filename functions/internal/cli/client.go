package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// client calls tools over HTTP, in this process or at a running serve: one way, the same answers.
type client struct {
	base string // https://host, without the tool
	key  string // X-API-Key, when the functions ask for one
	http *http.Client
}

// answerReserve is how much longer than the tool itself takes a caller waits for its answer.
const answerReserve = 30 * time.Second

// call calls a tool and answers its output. A problem comes back as a *functions.Error. Progress is told to the
// reporter of the context while the call lasts.
func (c *client) call(ctx context.Context, tool *functions.Tool, input []byte) (json.RawMessage, error) {
	patience := tool.Timeout + answerReserve
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(asked, http.MethodPost, strings.TrimRight(c.base, "/")+"/"+tool.Name, bytes.NewReader(input))
	if err != nil {
		return nil, functions.Errorf(functions.InvalidArgument, "the URL cannot be used").WithHint("write http://host:port").WithCause(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	if c.key != "" {
		request.Header.Set("X-API-Key", c.key)
	}
	response, err := c.http.Do(request)
	if err != nil && ctx.Err() != nil {
		return nil, interrupted(err)
	}
	if err != nil && asked.Err() == nil {
		return nil, functions.Errorf(functions.Unavailable, "%s does not answer", c.base).
			WithHint("is it running? start it with: retentionops serve").WithCause(err)
	}
	if err != nil {
		return nil, unanswered(patience, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := door.ReadAnswer(response, func(progress functions.Progress) { functions.Report(ctx, progress) })
	if errors.Is(err, door.ErrNotADoor) {
		return nil, functions.Errorf(functions.Unavailable, "%s answered %s, which is no answer of RetentionOps", c.base, response.Status).
			WithHint("check --url")
	}
	if _, told := errors.AsType[*functions.Error](err); err == nil || told {
		return answer, err
	}
	switch {
	case ctx.Err() != nil:
		return nil, interrupted(err)
	case asked.Err() != nil:
		return nil, unanswered(patience, err)
	default:
		return nil, err
	}
}

// unanswered is what a call ends with that took longer than its tool may.
func unanswered(patience time.Duration, cause error) error {
	return functions.Errorf(functions.DeadlineExceeded, "there was no answer within %s", patience).
		WithHint(hintLook).WithCause(cause)
}

const hintLook = "the call may have done its work: look with retentionops runs list"

// interrupted is what a call ends with that was stopped from here.
func interrupted(cause error) error {
	return functions.Errorf(functions.Unavailable, "interrupted before there was an answer").
		WithHint(hintLook).WithCause(cause)
}
