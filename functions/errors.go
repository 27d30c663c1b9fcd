package functions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Code says what kind of fault an error is. The list is closed; each code has one HTTP status.
type Code string

// The codes.
const (
	InvalidArgument    Code = "invalid_argument"
	Unauthenticated    Code = "unauthenticated"
	PermissionDenied   Code = "permission_denied"
	NotFound           Code = "not_found"
	MethodNotAllowed   Code = "method_not_allowed"
	FailedPrecondition Code = "failed_precondition"
	TooLarge           Code = "too_large"
	UnsupportedMedia   Code = "unsupported_media"
	ResourceExhausted  Code = "resource_exhausted"
	Internal           Code = "internal"
	Unavailable        Code = "unavailable"
	DeadlineExceeded   Code = "deadline_exceeded"
)

// codes holds, for each code, its HTTP status and the title of its problem document.
var codes = map[Code]struct {
	status int
	title  string
}{
	InvalidArgument:    {http.StatusBadRequest, "The input is not valid"},
	Unauthenticated:    {http.StatusUnauthorized, "The caller is not known"},
	PermissionDenied:   {http.StatusForbidden, "The caller may not do this"},
	NotFound:           {http.StatusNotFound, "Not found"},
	MethodNotAllowed:   {http.StatusMethodNotAllowed, "The method is not allowed"},
	FailedPrecondition: {http.StatusConflict, "Not possible in the present state"},
	TooLarge:           {http.StatusRequestEntityTooLarge, "The input is too large"},
	UnsupportedMedia:   {http.StatusUnsupportedMediaType, "The content type is not supported"},
	ResourceExhausted:  {http.StatusTooManyRequests, "A limit is used up"},
	Internal:           {http.StatusInternalServerError, "Internal error"},
	Unavailable:        {http.StatusServiceUnavailable, "Not available right now"},
	DeadlineExceeded:   {http.StatusGatewayTimeout, "It took too long"},
}

// Status is the HTTP status of the code; 500 for a word that is no code.
func (c Code) Status() int {
	if entry, known := codes[c]; known {
		return entry.status
	}
	return http.StatusInternalServerError
}

// Title is the short, fixed sentence of the code for a problem document.
func (c Code) Title() string {
	if entry, known := codes[c]; known {
		return entry.title
	}
	return codes[Internal].title
}

// Error is an error with a code. Detail and Hint are written for the caller; the wrapped cause is for the log only
// and never leaves the house.
type Error struct {
	Code   Code
	Detail string // what is wrong, in the caller's words
	Hint   string // what to do or write instead, with the valid values
	RunID  string // the playbook run the error speaks of, when it is not the request's own
	Result any    // the run's answer, when a run was made and its outcome is an error
	cause  error
}

// Errorf makes an Error whose whole text is for the caller: keep causes out of it and give them with WithCause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// WithHint returns the error with a hint: what to do instead.
func (e *Error) WithHint(hint string) *Error { e.Hint = hint; return e }

// WithCause returns the error with a cause for the log. errors.Is and errors.As see it; the caller does not.
func (e *Error) WithCause(cause error) *Error { e.cause = cause; return e }

// Error is the whole text, cause included: for logs and terminals of the operator.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf is the code of an error: that of the outermost *Error in its chain, deadline_exceeded for an expired
// deadline, unavailable for a cancelled context, and internal for everything else, an *Error with a code outside the
// list included. It is empty for nil.
func CodeOf(err error) Code {
	var coded *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &coded):
		if _, known := codes[coded.Code]; !known {
			return Internal // a word that is no code must not carry its text out of the house
		}
		return coded.Code
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Unavailable
	default:
		return Internal
	}
}

// Passes tells whether a fault may be gone when the same is tried again.
func Passes(err error) bool {
	code := CodeOf(err)
	return code == Unavailable || code == DeadlineExceeded
}

// Problem is the application/problem+json document of an error (RFC 9457) with our members beside it.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   Code   `json:"code"`
	RunID  string `json:"run_id"`
	Hint   string `json:"hint,omitempty"`
	Result any    `json:"result,omitempty"` // the run's answer, when there is one
}

// ProblemOf turns an error into the document that its caller gets. Nothing of an internal error is told but runID,
// under which its text was logged.
func ProblemOf(err error, runID string) Problem {
	code := CodeOf(err)
	problem := Problem{
		Type:  "urn:retentionops:problem:" + string(code),
		Title: code.Title(), Status: code.Status(), Code: code, RunID: runID,
	}
	if coded, ok := errors.AsType[*Error](err); ok {
		if code != Internal {
			problem.Detail, problem.Hint, problem.Result = coded.Detail, coded.Hint, coded.Result
		}
		if coded.RunID != "" {
			problem.RunID = coded.RunID
		}
	}
	if code == Internal {
		problem.Hint = "the cause is in the log under this run_id"
	}
	return problem
}
