package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	buildpriorityqueue "github.com/retentionops/retentionops/functions/build_priority_queue"
	checkhealth "github.com/retentionops/retentionops/functions/check_health"
	exportaudience "github.com/retentionops/retentionops/functions/export_audience"
	generatebrief "github.com/retentionops/retentionops/functions/generate_brief"
	getalertdecision "github.com/retentionops/retentionops/functions/get_alert_decision"
	getoperationalcontext "github.com/retentionops/retentionops/functions/get_operational_context"
	"github.com/retentionops/retentionops/functions/internal/setup"
	readrecord "github.com/retentionops/retentionops/functions/read_record"
	triggerplaybook "github.com/retentionops/retentionops/functions/trigger_playbook"
)

// handlers makes the door of each function.
var handlers = map[*functions.Tool]func(*setup.Env) http.Handler{
	functions.GetAlertDecision:      getalertdecision.Handler,
	functions.GetOperationalContext: getoperationalcontext.Handler,
	functions.BuildPriorityQueue:    buildpriorityqueue.Handler,
	functions.GenerateBrief:         generatebrief.Handler,
	functions.ExportAudience:        exportaudience.Handler,
	functions.TriggerPlaybook:       triggerplaybook.Handler,
	functions.ReadRecord:            readrecord.Handler,
	functions.CheckHealth:           checkhealth.Handler,
}

// mux serves every function at /<name>.
func mux(env *setup.Env) *http.ServeMux {
	mux := http.NewServeMux()
	for tool, handler := range handlers {
		mux.Handle("/"+tool.Name, handler(env))
	}
	mux.HandleFunc("/", unknown)
	return mux
}

// unknown answers for every other path.
func unknown(w http.ResponseWriter, _ *http.Request) {
	var names []string
	for _, tool := range functions.Tools {
		names = append(names, "/"+tool.Name)
	}
	refuse(w, functions.Errorf(functions.NotFound, "there is nothing at this path").WithHint("tools: "+strings.Join(names, ", ")))
}

// refuse answers with a problem document where no door answers.
func refuse(w http.ResponseWriter, err error) {
	problem := functions.ProblemOf(err, "")
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(problem.Status)
	_ = json.NewEncoder(w).Encode(problem) // whoever has hung up cannot be told
}

// How long a server that is stopped waits: first for calls to end by themselves, then for what they write at their end.
const (
	stopPatience = 4 * time.Second
	stopLimit    = 15 * time.Second
)

// server is an HTTP server on a listener of ours.
type server struct {
	URL    string
	http   *http.Server
	done   chan error
	ending context.CancelFunc // asks the calls under way to end
}

// listen serves the handler at addr until stop is called. The longest tool call bounds how long an answer may take.
func listen(ctx context.Context, addr string, handler http.Handler) (*server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, functions.Errorf(functions.FailedPrecondition, "cannot listen on %s", addr).
			WithHint("is another serve running? choose a port with --addr 127.0.0.1:PORT").WithCause(err)
	}
	stop, ending := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{
		URL: "http://" + reached(listener.Addr()),
		http: &http.Server{
			Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
			BaseContext: func(net.Listener) context.Context { return functions.WithStop(stop, stop) },
		},
		done: make(chan error, 1), ending: ending,
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// reached is where this machine reaches a listener: one on all addresses of the machine also answers on loopback.
func reached(addr net.Addr) string {
	if at, ok := addr.(*net.TCPAddr); ok && at.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port))
	}
	return addr.String()
}

// stop lets the calls under way end, asks those that last too long to do so, and waits until they have written down
// how far they came.
func (s *server) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	defer time.AfterFunc(stopPatience, s.ending).Stop()
	defer s.ending()
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
