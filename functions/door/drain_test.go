package door_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// childVariable makes this test binary the process that is stopped.
const childVariable = "RETENTIONOPS_TEST_CHILD"

func TestMain(m *testing.M) {
	if behaviour := os.Getenv(childVariable); behaviour != "" {
		if err := child(behaviour); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(9)
		}
		return
	}
	os.Exit(m.Run())
}

// child serves as the framework does, without a shutdown, and tells its parent how far it is, a line each: its
// address, "called" when a call has begun, "stopped" when the signal is there, "tidied" when all calls have ended.
func child(behaviour string) error {
	switch behaviour {
	case "patient": // without the time for the last bytes, a call that does not count is cut off at once
		door.SetDrainTimes(time.Minute, time.Minute, 0)
	case "obedient", "deaf":
		door.SetDrainTimes(10*time.Millisecond, 500*time.Millisecond, 200*time.Millisecond)
	}
	door.AtEnd(func(context.Context) { fmt.Println("tidied") })
	handler := door.Drained(door.Handle(newDoor(local, slog.New(slog.DiscardHandler)), functions.ExportAudience,
		func(ctx context.Context, in input) (output, error) {
			fmt.Println("called")
			released := make(chan struct{})
			go func() {
				_, _ = io.Copy(io.Discard, os.Stdin)
				close(released)
			}()
			if behaviour == "deaf" {
				<-released
			}
			select {
			case <-released:
				return output{Tier: in.Tier, Digest: strings.Repeat("x", 100_000)}, nil
			case <-ctx.Done():
				return output{}, fmt.Errorf("wait for the receipt: %w", ctx.Err())
			}
		}))
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	go func() {
		<-stopped
		fmt.Println("stopped")
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a child has no context to end it
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, handler) // as the framework serves: without timeouts
}

// process is a child under test.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	stdin io.Closer
	url   string
}

func start(t *testing.T, behaviour string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childVariable+"="+behaviour)
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, lines: bufio.NewScanner(stdout), stdin: stdin}
	p.url = "http://" + p.line(t)
	return p
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("the child says nothing: %v", p.lines.Err())
	}
	return p.lines.Text()
}

// stop sends SIGTERM and waits until it has arrived.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := p.line(t); got != "stopped" {
		t.Fatalf("got %q, want stopped", got)
	}
}

// exited waits for the end, which must be with 0.
func (p *process) exited(t *testing.T) {
	t.Helper()
	_ = p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want 0", err)
	}
}

// outcome is what a request in the background came to.
type outcome struct {
	status int
	body   string
	err    error
}

func inBackground(t *testing.T, url string, header ...string) <-chan outcome {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(p1))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	done := make(chan outcome, 1)
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			done <- outcome{err: err}
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		done <- outcome{response.StatusCode, string(body), err}
	}()
	return done
}

// TestDrainLetsAnAnswerArrive stops the process in the middle of a call, which then ends in its own time.
func TestDrainLetsAnAnswerArrive(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, behaviour string
		header          []string
	}{
		{"a document", "patient", nil},
		{"a stream", "as deployed", []string{"Accept", "text/event-stream"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.behaviour)
			done := inBackground(t, p.url, test.header...)
			if got := p.line(t); got != "called" {
				t.Fatalf("got %q", got)
			}
			p.stop(t)
			_ = p.stdin.Close() // only now may the call end
			got := <-done
			if got.err != nil || got.status != 200 || strings.Count(got.body, "x") < 100_000 {
				t.Errorf("got %d, %d bytes, %v", got.status, len(got.body), got.err)
			}
			if got := p.line(t); got != "tidied" {
				t.Errorf("got %q, want what is left for the end", got)
			}
			p.exited(t)
		})
	}
}

func TestDrainEndsAnIdleProcess(t *testing.T) {
	t.Parallel()
	p := start(t, "as deployed")
	if got := send(t, http.MethodGet, p.url, ""); got.Status != http.StatusOK { // it watches from its first request on
		t.Fatalf("health line: %+v", got)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want 0", err)
	}
}

// TestDrainAsksALongCallToEnd gives a call the time to log what became of it.
func TestDrainAsksALongCallToEnd(t *testing.T) {
	t.Parallel()
	p := start(t, "obedient")
	done := inBackground(t, p.url)
	if got := p.line(t); got != "called" {
		t.Fatalf("got %q", got)
	}
	p.stop(t)
	got := <-done // stdin is open: only the context ends the call
	if got.err != nil || got.status != 503 || !strings.Contains(got.body, `"code":"unavailable"`) {
		t.Errorf("got %+v", got)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want 0", err)
	}
}

// TestDrainDoesNotWaitForEver: the platform would kill the process a second later.
func TestDrainDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	p := start(t, "deaf")
	done := inBackground(t, p.url)
	if got := p.line(t); got != "called" {
		t.Fatalf("got %q", got)
	}
	p.stop(t)
	if got := <-done; !errors.Is(got.err, io.EOF) && !errors.Is(got.err, syscall.ECONNRESET) {
		t.Errorf("got %+v, want a connection that ends", got)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want 0", err)
	}
}
