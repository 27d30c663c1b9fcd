package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

	"github.com/retentionops/retentionops/functions"
)

// Words are what a driver says of its place when a call is refused.
type Words struct {
	Doing   string // such as "writing an audience to the bucket"
	Place   string // such as "the bucket"
	Refused string // the hint when the place may not be used
	Missing string // the hint when the place is not there
}

// shortLimits are the reasons of refusals that pass within a minute, also where they come as 403
// (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
var shortLimits = []string{"rateLimitExceeded", "userRateLimitExceeded", "rateLimitExceededUnreg", "backendError"}

// longLimits are the reasons of refusals that last for hours.
var longLimits = []string{"quotaExceeded", "dailyLimitExceeded"}

// Passes tells whether the same call may succeed when it is tried again.
func Passes(err error) bool {
	if _, ok := errors.AsType[*functions.Error](err); ok {
		return false // what we say ourselves is said
	}
	if answered, ok := errors.AsType[*googleapi.Error](err); ok {
		switch answered.Code {
		case http.StatusRequestTimeout, http.StatusTooManyRequests:
			return true
		case http.StatusForbidden:
			return refusedFor(answered, shortLimits)
		default:
			return answered.Code >= http.StatusInternalServerError
		}
	}
	if refused, ok := errors.AsType[*auth.Error](err); ok && refused.Response != nil {
		return refused.Temporary()
	}
	var network net.Error
	switch {
	case errors.Is(err, errSlow), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false // the caller's own
	}
	return errors.As(err, &network)
}

func refusedFor(answered *googleapi.Error, words []string) bool {
	return slices.ContainsFunc(reasons(answered), func(reason string) bool { return slices.Contains(words, reason) })
}

// usedUp tells a limit that does not pass soon.
func usedUp(err error) bool {
	answered, ok := errors.AsType[*googleapi.Error](err)
	return ok && answered.Code == http.StatusForbidden && refusedFor(answered, longLimits)
}

// reasons are the words by which an API tells its refusals apart. The client reads them everywhere but in the answer to
// a download.
func reasons(answered *googleapi.Error) []string {
	items := answered.Errors
	if items == nil {
		var body struct {
			Error struct{ Errors []googleapi.ErrorItem }
		}
		if json.Unmarshal([]byte(answered.Body), &body) == nil {
			items = body.Error.Errors
		}
	}
	var words []string
	for _, item := range items {
		words = append(words, item.Reason)
	}
	return words
}

// Status is the HTTP status that an API answered with, 0 when it did not answer.
func Status(err error) int {
	if answered, ok := errors.AsType[*googleapi.Error](err); ok {
		return answered.Code
	}
	return 0
}

// Says tells whether the text of a refusal holds one of the phrases. Some APIs tell faults apart by their text alone.
func Says(err error, phrases ...string) bool {
	answered, ok := errors.AsType[*googleapi.Error](err)
	return ok && slices.ContainsFunc(phrases, func(phrase string) bool {
		return strings.Contains(strings.ToLower(answered.Message+answered.Body), strings.ToLower(phrase))
	})
}

// retryAfter is how long the API asks to wait; 0 when it does not say.
func retryAfter(err error, now time.Time) time.Duration {
	answered, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return 0
	}
	text := answered.Header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// Fault turns what a call came back with into an error of the house. What the API wrote stays in the cause: it is for
// the log. An error that has a code already stays as it is.
func Fault(words Words, err error) error {
	if err == nil {
		return nil
	}
	if coded, ok := errors.AsType[*functions.Error](err); ok {
		return coded
	}
	say := func(code functions.Code, what, hint string) error {
		return functions.Errorf(code, "%s %s", words.Doing, what).WithHint(hint).WithCause(err)
	}
	refused, unknown := errors.AsType[*auth.Error](err) // no token was given
	switch status := Status(err); {
	case status == 0 && errors.Is(err, context.DeadlineExceeded):
		return say(functions.DeadlineExceeded, "took too long", "")
	case status == 0 && errors.Is(err, context.Canceled):
		return say(functions.Unavailable, "was given up: the caller has gone", "")
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && Passes(err):
		return say(functions.Unavailable, "is held back by the rate limit", "try again in a minute")
	case Passes(err):
		return say(functions.Unavailable, "is not possible right now", "try again")
	case status == http.StatusUnauthorized, unknown && refused.Response != nil:
		return say(functions.FailedPrecondition, "is refused: the credentials are not good",
			"look at the service account of this function, or run gcloud auth application-default login on this machine")
	case usedUp(err):
		return say(functions.ResourceExhausted, "is refused: the project's quota is used up", "try again tomorrow, or ask for a higher quota in the project")
	case status == http.StatusForbidden:
		return say(functions.FailedPrecondition, "is refused by "+words.Place, words.Refused)
	case status == http.StatusNotFound:
		return say(functions.FailedPrecondition, "is not possible: "+words.Place+" is not there", words.Missing)
	default:
		return say(functions.Internal, "went wrong", "")
	}
}

// NoCredentials is the fault of a client that could not be made.
func NoCredentials(place string, err error) error {
	return functions.Errorf(functions.FailedPrecondition, "%s cannot be opened: there are no usable credentials", place).
		WithHint("run where a service account is attached, or run gcloud auth application-default login on this machine").WithCause(err)
}
