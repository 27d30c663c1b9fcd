package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// doors calls functions over HTTP, wherever their doors are: one way, the same answers.
type doors struct {
	client *http.Client
	// prepare makes out where the tool is and shows there who calls.
	prepare func(request *http.Request, tool *functions.Tool) error
}

// At calls the functions of a running serve, or of any host that has each at /<tool>. The key is sent as X-API-Key
// when there is one.
func At(base, key string) Caller {
	return &doors{client: &http.Client{CheckRedirect: noRedirect}, prepare: func(request *http.Request, tool *functions.Tool) error {
		if key != "" {
			request.Header.Set("X-API-Key", key)
		}
		return aim(request, strings.TrimRight(base, "/")+"/"+tool.Name)
	}}
}

// noRedirect keeps credentials at the host they are for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// aim points a request at an address.
func aim(request *http.Request, address string) error {
	parsed, err := request.URL.Parse(address)
	if err != nil || parsed.Host == "" {
		return functions.Errorf(functions.InvalidArgument, "the address of the functions cannot be used").WithHint("write http://host:port")
	}
	request.URL, request.Host = parsed, parsed.Host
	return nil
}

type confirmationKey struct{}

// withConfirmation says by which confirmation the calls in this context are made. A function that sends uses it once.
func withConfirmation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, confirmationKey{}, id)
}

type actingKey struct{}

// acting marks calls that change something: when their answer is lost, nobody knows whether they did.
func acting(ctx context.Context) context.Context { return context.WithValue(ctx, actingKey{}, true) }

// Call implements Caller. Nothing of the request that came in goes on but the input and its trace: no header, no token.
func (d *doors) Call(
	ctx context.Context, tool *functions.Tool, input json.RawMessage, report func(functions.Progress),
) (answer json.RawMessage, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(input))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set(door.CallerHeader, clean(principalOf(ctx).Name, wholeName))
	if id, confirmed := ctx.Value(confirmationKey{}).(string); confirmed {
		request.Header.Set(door.ConfirmationHeader, id)
	}
	if id := requestOf(ctx).id; id != "" {
		request.Header.Set("X-Request-Id", id) // so that the function's line and ours are found together
	}
	if err := d.prepare(request, tool); err != nil {
		return nil, err
	}
	span := startCall(request, tool)
	response, err := d.client.Do(request)
	defer func() { endCall(span, response, err) }()
	if err != nil {
		return nil, failure(ctx, tool, nil, err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err = door.ReadAnswer(response, report); err != nil {
		return nil, failure(ctx, tool, response, err)
	}
	return answer, nil
}

// failure puts what went wrong on the way into words of ours. What a function itself said stays as it is.
func failure(ctx context.Context, tool *functions.Tool, response *http.Response, err error) error {
	coded, ours := errors.AsType[*functions.Error](err)
	acts := ctx.Value(actingKey{}) != nil
	// A function that has run out of time, or that we have left alone, knows no more than we do.
	unfinished := ours && coded.Result == nil && (coded.Code == functions.DeadlineExceeded || ctx.Err() != nil)
	switch {
	case ours && coded.RunID != "" && (!acts || !unfinished):
		return err
	case acts && mayHaveActed(response, err):
		return lost(ctx, tool, response, err)
	case ours:
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return functions.Errorf(functions.DeadlineExceeded, "%s took longer than %s", tool.Name, tool.Timeout).
			WithHint("call it again; nothing was changed").WithCause(err)
	case errors.Is(err, door.ErrNotADoor):
		return functions.Errorf(functions.Unavailable, "%s cannot be reached from the gateway", tool.Name).
			WithHint("the operator finds the cause in the gateway's log; the other tools are not affected").WithCause(err)
	default:
		return functions.Errorf(functions.Unavailable, "%s does not answer", tool.Name).
			WithHint("try again in a minute; the other tools are not affected").WithCause(err)
	}
}

// mayHaveActed tells whether a function may have worked although its answer is lost. It has not where no connection was
// made, or where the platform refused the call.
func mayHaveActed(response *http.Response, err error) bool {
	if response != nil {
		return response.StatusCode < http.StatusMultipleChoices || response.StatusCode >= http.StatusInternalServerError
	}
	network, is := errors.AsType[*net.OpError](err)
	return !is || network.Op != "dial"
}

// lost says of a call that acts that its outcome is not known. Silence would look like "nothing happened".
func lost(ctx context.Context, tool *functions.Tool, response *http.Response, err error) error {
	code, run := functions.Unavailable, ""
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || functions.CodeOf(err) == functions.DeadlineExceeded {
		code = functions.DeadlineExceeded
	}
	if response != nil {
		run = response.Header.Get("X-Run-Id")
	}
	hint := "the same call again is safe: it leaves what one call leaves"
	if !tool.Hints.Idempotent {
		hint = "look at the newest runs before you call it again"
		if run != "" {
			hint = "look at retention://run/" + run + " before you call it again"
		}
	}
	coded := functions.Errorf(code, "the answer of %s was lost: its outcome is unknown, and it may have done its work", tool.Name).
		WithHint(hint).WithCause(err)
	coded.RunID = run
	return coded
}
