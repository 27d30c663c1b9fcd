// Package door is what every function does at its entrance: it knows the caller, bounds and reads the input strictly,
// gives the call its ids and its deadline, answers with JSON, a problem document or a stream of events, and writes one
// log line a request.
//
// It is not a router and not a server: it wraps one tool's work in an http.Handler and knows nothing of that work.
package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
)

// settings is what the entrance reads from the environment.
type settings struct {
	Auth    Mode   `env:"RETENTIONOPS_AUTH"`                      // iam, key or local; empty keeps the door closed
	Keys    string `env:"RETENTIONOPS_API_KEYS"`                  // for key: name:scope[+scope]:sha256hex, comma separated
	MaxBody int64  `env:"RETENTIONOPS_MAX_BODY, default=1048576"` // bytes of a request's body
	Project string `env:"GOOGLE_CLOUD_PROJECT"`                   // makes a trace id a link in Cloud Logging
	Version string `env:"RETENTIONOPS_VERSION"`                   // the commit that was deployed, for the health line

	// For key: accounts that may also show Google's identity token, and whom it must be made out to.
	Invokers string `env:"RETENTIONOPS_INVOKERS"`
	Audience string `env:"RETENTIONOPS_AUDIENCE"`

	// The account of the gateway, or the name of its key, whose word on who asks is believed.
	Gateway string `env:"RETENTIONOPS_GATEWAY"`
}

// Door is the entrance that the functions of one process share.
type Door struct {
	config settings
	keys   Keyring
	known  *identities      // accounts that are let in beside the keys; nil for none
	closed *functions.Error // why nobody is let in; nil when the door is open
	logger *slog.Logger
	now    func() time.Time
	newID  func() string
}

// Environment is what a door needs of its program.
type Environment interface {
	Lookuper() envconfig.Lookuper
	Logger() *slog.Logger
	Now() time.Time
	NewID() string
}

// For makes the door of a function in its environment.
func For(env Environment) *Door { return New(env.Lookuper(), env.Logger(), env.Now, env.NewID) }

// New reads the configuration. A fault in it does not stop the process: the door stays closed, says so to whoever knocks
// and why in the log, so that a health check still tells a misconfigured function from a dead one.
func New(lookuper envconfig.Lookuper, logger *slog.Logger, now func() time.Time, newID func() string) *Door {
	d := &Door{logger: logger, now: now, newID: newID}
	d.closed = d.configure(lookuper)
	return d
}

func (d *Door) configure(lookuper envconfig.Lookuper) *functions.Error {
	closed := func(why string) *functions.Error {
		return functions.Errorf(functions.FailedPrecondition, "this function is closed: %s", why)
	}
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: &d.config, Lookuper: lookuper})
	if err != nil || d.config.MaxBody <= 0 {
		return closed("RETENTIONOPS_MAX_BODY is not a number of bytes").WithHint("write a whole number above 0, or leave it out for 1048576")
	}
	if d.config.Gateway != "" && !soundEmail.MatchString(d.config.Gateway) {
		return closed("RETENTIONOPS_GATEWAY is no address of an account").WithHint("deploy.sh sets it")
	}
	switch d.config.Auth {
	case ModeIAM, ModeLocal:
		return nil
	case ModeKey:
		var why error
		if d.keys, why = ReadKeys("RETENTIONOPS_API_KEYS", d.config.Keys); why != nil {
			return closed(why.Error()).WithHint(keysHint)
		}
		if d.known, why = newIdentities(d.config.Audience, d.config.Invokers, googleKeys, d.now); why != nil {
			return closed(why.Error()).WithHint("deploy.sh sets both")
		}
		return nil
	case "":
		return closed("RETENTIONOPS_AUTH is not set").WithHint(modesHint)
	default:
		return closed("RETENTIONOPS_AUTH is not a mode").WithHint(modesHint)
	}
}

// Check reports why the door is closed; nil when it is not. It is for who starts the program, not for who knocks.
func (d *Door) Check() error {
	if d.closed == nil {
		return nil
	}
	return d.closed
}

// Handle makes the HTTP handler of one tool: call is reached only with a known caller, who may do it, and an input that
// is whole and checked.
func Handle[In functions.Input, Out any](
	d *Door, tool *functions.Tool, call func(context.Context, In) (Out, error),
) http.Handler {
	return &entrance{door: d, tool: tool, prepare: func(body []byte) (prepared, error) {
		in, err := Decode[In](tool, body)
		if err != nil {
			return prepared{}, err
		}
		work := prepared{dryRun: in.IsDryRun(), run: func(ctx context.Context) (any, error) { return call(ctx, in) }}
		if forcing, can := any(in).(interface{ Forced() string }); can {
			work.forced = forcing.Forced()
		}
		return work, nil
	}}
}

// prepared is a call whose input has been read.
type prepared struct {
	dryRun bool
	forced string // who passes a stopping guardrail, and why
	run    func(context.Context) (any, error)
}

// entrance is the handler of one tool.
type entrance struct {
	door    *Door
	tool    *functions.Tool
	prepare func(body []byte) (prepared, error)
}

// ServeHTTP implements http.Handler.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{door: e.door, tool: e.tool, w: w, r: r, began: e.door.now()}
	v.call = functions.Call{Tool: e.tool.Name, RunID: v.door.newID(), RequestID: RequestID(r, v.door.newID)}
	defer v.log()

	header := w.Header()
	header.Set("X-Request-Id", v.call.RequestID)
	header.Set("X-Run-Id", v.call.RunID)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")

	switch r.Method {
	case http.MethodGet, http.MethodHead:
		v.answer(v.health())
	case http.MethodPost:
		ctx, cancel := context.WithTimeout(r.Context(), e.tool.Timeout)
		defer cancel()
		v.answer(v.guarded(func() (any, error) { return v.serve(ctx, e.prepare) }))
	default:
		header.Set("Allow", "GET, HEAD, POST")
		v.answer(nil, functions.Errorf(functions.MethodNotAllowed, "%s takes POST, and GET for its health line", e.tool.Name))
	}
}

// health is the health line. It touches nothing remote and tells nothing of the configuration.
func (v *visit) health() ([]byte, error) {
	line := struct {
		Tool    string `json:"tool"`
		Status  string `json:"status"`
		Version string `json:"version,omitempty"`
	}{v.tool.Name, "ok", v.door.config.Version}
	if v.door.closed != nil {
		line.Status = "closed"
	}
	return functions.Marshal(line)
}

// serve takes a POST from the threshold to the tool's answer.
func (v *visit) serve(ctx context.Context, prepare func([]byte) (prepared, error)) (any, error) {
	who, err := v.door.admit(v.r)
	if err != nil {
		return nil, err
	}
	v.call.Caller = who.name
	if err := v.behalf(who); err != nil {
		return nil, err
	}
	body, err := v.body(ctx)
	if err != nil {
		return nil, err
	}
	work, err := prepare(body)
	if err != nil {
		return nil, err
	}
	if err := who.may(v.tool, work.dryRun); err != nil {
		return nil, err
	}
	v.forced = work.forced
	ctx = functions.WithCall(ctx, v.call)
	if wantsStream(v.r.Header) {
		if v.stream = openStream(v.w, v.r); v.stream != nil {
			ctx = functions.WithReporter(ctx, v.stream.progress)
		}
	}
	return work.run(ctx)
}

// body reads the whole body, at most MaxBody bytes of JSON and no longer than the call may take.
func (v *visit) body(ctx context.Context) ([]byte, error) {
	limit := v.door.config.MaxBody
	tooLarge := functions.Errorf(functions.TooLarge, "the body is larger than %d bytes", limit)
	if v.r.ContentLength > limit {
		return nil, tooLarge
	}
	// An instant long past ends a read that is under way, whatever clock the house goes by.
	stop := context.AfterFunc(ctx, func() {
		_ = http.NewResponseController(v.w).SetReadDeadline(time.Unix(1, 0)) // not every writer can; the server's own limits stay
	})
	body, err := io.ReadAll(http.MaxBytesReader(v.w, v.r.Body, limit))
	stop()
	var over *http.MaxBytesError
	switch {
	case err == nil:
	case errors.As(err, &over):
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, functions.Errorf(functions.DeadlineExceeded, "the body did not arrive in time").WithCause(err)
	default:
		return nil, functions.Errorf(functions.InvalidArgument, "the body ended early").WithCause(err)
	}
	if len(body) == 0 {
		return nil, nil
	}
	return body, checkMedia(v.r.Header)
}

// checkMedia wants plain UTF-8 JSON.
func checkMedia(header http.Header) error {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return functions.Errorf(functions.UnsupportedMedia, "a compressed body is not read").WithHint("send it without Content-Encoding")
	}
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, named := params["charset"]
	if err != nil || media != "application/json" || named && !strings.EqualFold(charset, "utf-8") ||
		len(header.Values("Content-Type")) > 1 {
		return functions.Errorf(functions.UnsupportedMedia, "the body is not declared as JSON in UTF-8").
			WithHint("send Content-Type: application/json")
	}
	return nil
}

var soundID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// RequestID is the caller's own id when it is harmless in a log and a header, else a new one.
func RequestID(r *http.Request, newID func() string) string {
	if id := r.Header.Get("X-Request-Id"); soundID.MatchString(id) {
		return id
	}
	return newID()
}

// guarded turns a panic into an internal error whose stack goes to the request's log line.
func (v *visit) guarded(work func() (any, error)) (body []byte, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			v.stack = stackTrace(thrown)
			body, err = nil, fmt.Errorf("panic: %v", thrown) // %v: a thrown error must not choose the answer's code
		}
	}()
	out, err := work()
	if err != nil {
		return nil, err
	}
	return functions.Marshal(out)
}
