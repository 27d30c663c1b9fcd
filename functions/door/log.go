package door

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// cloudNames are Cloud Logging's names for what we log in snake_case.
var cloudNames = map[string]string{
	slog.LevelKey:   "severity",
	slog.MessageKey: "message",
	"http_request":  "httpRequest",
	"trace":         "logging.googleapis.com/trace",
	"span_id":       "logging.googleapis.com/spanId",
}

// NewLogger makes a logger whose lines are JSON objects in Cloud Logging's fields.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return attr
		}
		if attr.Key == slog.LevelKey && attr.Value.String() == slog.LevelWarn.String() {
			attr.Value = slog.StringValue("WARNING")
		}
		if name, has := cloudNames[attr.Key]; has {
			attr.Key = name
		}
		return attr
	}}))
}

// httpRequest is Cloud Logging's HttpRequest, as far as it is safe to keep: the path without its query.
type httpRequest struct {
	Method    string `json:"requestMethod"`
	URL       string `json:"requestUrl"`
	Status    int    `json:"status"`
	Latency   string `json:"latency"`
	UserAgent string `json:"userAgent,omitempty"`
}

// log writes the one line of the request. It holds no header but the user agent, no query, nothing of the body, and no
// text that quotes the body.
func (v *visit) log() {
	code, level := functions.CodeOf(v.err), slog.LevelInfo
	switch {
	case v.err == nil:
	case code.Status() >= http.StatusInternalServerError:
		level = slog.LevelError
	default:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.Any("http_request", httpRequest{
			Method: bounded(v.r.Method), URL: bounded(v.r.URL.Path), Status: v.status,
			Latency:   fmt.Sprintf("%.3fs", v.door.now().Sub(v.began).Seconds()),
			UserAgent: bounded(v.r.UserAgent()),
		}),
		slog.String("tool", v.tool.Name),
		slog.String("run_id", v.call.RunID),
		slog.String("request_id", v.call.RequestID),
		slog.String("caller", v.call.Caller),
	}
	outcome := "ok"
	if v.err != nil {
		outcome = string(code)
		attrs = append(attrs, slog.String("code", string(code)))
		if text := loggable(v.err); text != "" {
			attrs = append(attrs, slog.String("error", text))
		}
	}
	if v.call.Confirmation != "" {
		attrs = append(attrs, slog.String("confirmation_id", v.call.Confirmation))
	}
	if v.forced != "" {
		attrs = append(attrs, slog.String("forced_by", v.forced))
	}
	if v.stack != "" {
		attrs = append(attrs, slog.String("stack_trace", v.stack))
	}
	if trace, span := traceOf(v.r.Header); trace != "" {
		if v.door.config.Project != "" {
			trace = "projects/" + v.door.config.Project + "/traces/" + trace
		}
		attrs = append(attrs, slog.String("trace", trace), slog.String("span_id", span))
	}
	v.door.logger.LogAttrs(v.r.Context(), level, v.tool.Name+": "+outcome, attrs...)
}

// loggable is the text of an error for the log. What is wrong with an input quotes the input, so of such an error only
// the cause is kept.
func loggable(err error) string {
	var coded *functions.Error
	if errors.As(err, &coded) && coded.Code == functions.InvalidArgument {
		if cause := coded.Unwrap(); cause != nil {
			return cause.Error()
		}
		return ""
	}
	return err.Error()
}

// bounded cuts a text of the caller's; the handler escapes what is not printable.
func bounded(text string) string {
	const longest = 200
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

func stackTrace(thrown any) string { return fmt.Sprintf("panic: %v\n\n%s", thrown, debug.Stack()) }

var (
	traceparent  = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)
	cloudContext = regexp.MustCompile(`^([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;.*)?$`)
)

// traceOf reads the trace and span of the request: hex digits only, as the headers are the caller's.
func traceOf(header http.Header) (trace, span string) {
	if found := traceparent.FindStringSubmatch(header.Get("Traceparent")); found != nil && strings.Trim(found[1], "0") != "" {
		return found[1], found[2]
	}
	found := cloudContext.FindStringSubmatch(header.Get("X-Cloud-Trace-Context"))
	if found == nil {
		return "", ""
	}
	if id, err := strconv.ParseUint(found[2], 10, 64); err == nil {
		span = fmt.Sprintf("%016x", id)
	}
	return found[1], span
}
