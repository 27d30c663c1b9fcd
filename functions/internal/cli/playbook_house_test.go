package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/shop"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/rules"
)

// stand is where real processes of the command play a WARNING day in production, against the shop's receiver, which
// stays when they are killed.
type stand struct {
	folder   string
	receiver *shop.Receiver
	hook     *httptest.Server
	held     atomic.Pointer[held]
}

// held says that the receiver keeps its answer back.
type held struct {
	when    string        // before it works a message, or after
	arrived chan struct{} // closed when a message is there
	release chan struct{} // closed when its sender is dead
}

const standSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// newShop is a folder with a warehouse whose newest day is a WARNING, and with rules of the phase production.
func newShop(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if output, err := program(t, folder, "import", "--generate", "600", "--date", "2026-01-12").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if err := os.CopyFS(filepath.Join(folder, "rules"), rules.FS); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(folder, "rules", "rollout.yaml"), "phase: shadow", "phase: production")
	return folder
}

// change replaces a text that must be in the file.
func change(t *testing.T, file, old, with string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s does not say %q", file, old)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(data, []byte(old), []byte(with)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newStand is a stand in a copy of a shop's folder.
func newStand(t *testing.T, shopFolder string) *stand {
	t.Helper()
	s := &stand{folder: t.TempDir()}
	if err := os.CopyFS(s.folder, os.DirFS(shopFolder)); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.receiver, err = shop.NewReceiver(shop.Options{Secrets: []string{"whsec_" + standSecret}}); err != nil {
		t.Fatal(err)
	}
	s.hook = httptest.NewServer(http.HandlerFunc(s.take))
	t.Cleanup(s.hook.Close)
	return s
}

// take is the receiver, which may keep its answer back until the sender is dead.
func (s *stand) take(w http.ResponseWriter, r *http.Request) {
	hold := s.held.Load()
	if hold == nil {
		s.receiver.ServeHTTP(w, r)
		return
	}
	if hold.when == "after" {
		s.receiver.ServeHTTP(httptest.NewRecorder(), r)
	}
	close(hold.arrived)
	<-hold.release
}

// command is a process of the command at this stand, whose archive stops it where gate says.
func (s *stand) command(t *testing.T, gate string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := program(t, s.folder, args...)
	papers := "file:" + filepath.Join(".retentionops", "archive")
	if gate != "" {
		papers = "gated://" + filepath.Join(s.folder, ".retentionops", "archive") + "?" + gate
	}
	cmd.Env = append(os.Environ(), todayVariable+"=2026-01-12", "RETENTIONOPS_WEBHOOK_URL="+s.hook.URL+"/hook", "RETENTIONOPS_WEBHOOK_SECRET=whsec_"+standSecret,
		"RETENTIONOPS_ARCHIVE="+papers)
	return cmd
}

// trigger runs the playbook in a process that nobody kills.
func (s *stand) trigger(t *testing.T) (functions.TriggerPlaybookOutput, functions.Problem) {
	t.Helper()
	return s.answer(t, "call", "trigger_playbook", "--date", "latest")
}

// answer runs a command that answers with a run, or with a problem.
func (s *stand) answer(t *testing.T, args ...string) (out functions.TriggerPlaybookOutput, problem functions.Problem) {
	t.Helper()
	text, err := s.command(t, "", args...).Output()
	if exited, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	} else if ok && json.Unmarshal(text, &problem) == nil && problem.Code == "" {
		t.Fatalf("%v: %s\n%s", args, text, exited.Stderr)
	}
	if problem.Code == "" {
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
	}
	return out, problem
}

// point is where a process is killed.
type point struct {
	name  string
	gate  url.Values // the archive stops the process: op, name, begins, when
	holds string     // or the receiver does
	stage string     // that the log shows of the run; empty for one that left no trace
}

// killed runs the playbook in a process and kills it at the point with SIGKILL, once it is there.
func (s *stand) killed(t *testing.T, at point) {
	t.Helper()
	hold := &held{at.holds, make(chan struct{}), make(chan struct{})}
	if at.holds != "" {
		s.held.Store(hold)
	}
	reached := filepath.Join(s.folder, "reached")
	gate := ""
	if at.gate != nil {
		gate = at.gate.Encode() + "&reached=" + url.QueryEscape(reached)
	}
	cmd := s.command(t, gate, "call", "trigger_playbook", "--date", "latest")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for there := false; !there; {
		select {
		case <-hold.arrived:
			there = true
		case err := <-ended:
			t.Fatalf("%s: the process ended by itself: %v\n%s", at.name, err, said.String())
		case <-time.After(2 * time.Millisecond):
			_, err := os.Stat(reached)
			there = err == nil
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	close(hold.release)
	s.held.Store(nil)
	if err := os.RemoveAll(reached); err != nil {
		t.Fatal(err)
	}
}

// pass lets an hour pass: all that the next process sees of the past is an hour older. The claim of a killed run has run
// out then, and the run counts as abandoned.
func (s *stand) pass(t *testing.T) {
	t.Helper()
	claims, err := filepath.Glob(filepath.Join(s.folder, ".retentionops/archive/claims/*/????.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range claims {
		var claim struct {
			RunID     string    `json:"run_id"`
			ClaimedAt time.Time `json:"claimed_at"`
			ExpiresAt time.Time `json:"expires_at"`
		}
		data, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(data, &claim)
		}
		if err == nil {
			claim.ClaimedAt, claim.ExpiresAt = claim.ClaimedAt.Add(-time.Hour), claim.ExpiresAt.Add(-time.Hour)
			data, err = json.Marshal(claim)
		}
		if err == nil {
			err = os.WriteFile(name, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tables, err := duckdbwarehouse.Open(t.Context(), filepath.Join(s.folder, ".retentionops/warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	_, err = tables.DB().ExecContext(t.Context(),
		"UPDATE ops_runs_log SET run_timestamp = run_timestamp - INTERVAL 1 HOUR, created_at = created_at - INTERVAL 1 HOUR")
	if err != nil {
		t.Fatal(err)
	}
}

// seen is what the log says of a run.
type seen struct {
	Status   functions.RunStatus
	Stage    string
	Delivery functions.DeliveryState
}

// runs are the runs as the command lists them, newest first.
func (s *stand) runs(t *testing.T) []seen {
	t.Helper()
	text, err := s.command(t, "", "runs", "list", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var runs []functions.Run
	if err := json.Unmarshal(text, &runs); err != nil {
		t.Fatal(err)
	}
	listed := make([]seen, len(runs))
	for i, run := range runs {
		listed[i] = seen{run.Status, run.Stage, run.DeliveryState}
	}
	return listed
}

// once is an error of the test unless the receiver worked one message and the archive holds one.
func (s *stand) once(t *testing.T) {
	t.Helper()
	ledger := s.receiver.Ledger()
	if len(ledger) != 1 || ledger[0].Posts != 1 || ledger[0].Tickets != 1 {
		t.Errorf("the receiver's ledger is %+v; want one Slack post and one ticket", ledger)
	}
	kept, err := filepath.Glob(filepath.Join(s.folder, ".retentionops/archive/payloads/*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the archive holds the messages %v, %v; want one", kept, err)
	}
}

// gated is an archive in a directory that stops its process for good at one operation, before or after it is done, and
// says so by a file. It is linked into this test alone; what it keeps, a plain archive of that directory reads.
type gated struct {
	*filearchive.Archive
	gate url.Values
}

func init() {
	archive.Register("gated", func(_ context.Context, u *url.URL) (archive.Archive, error) {
		kept, err := filearchive.Open(&url.URL{Scheme: "file", Path: u.Path})
		return &gated{kept, u.Query()}, err
	})
}

func (g *gated) stop(when, op, name string, document []byte) {
	if g.gate.Get("when") != when || g.gate.Get("op") != op || !strings.HasPrefix(string(document), g.gate.Get("begins")) {
		return
	}
	if fits, err := path.Match(g.gate.Get("name"), strings.TrimSuffix(name, "/")); err != nil || !fits {
		return
	}
	if err := os.WriteFile(g.gate.Get("reached"), nil, 0o600); err != nil {
		panic(err)
	}
	select {}
}

func (g *gated) PutIfAbsent(ctx context.Context, name string, document []byte) error {
	g.stop("before", "put", name, document)
	err := g.Archive.PutIfAbsent(ctx, name, document)
	g.stop("after", "put", name, document)
	return err
}

func (g *gated) Put(ctx context.Context, name string, document []byte) error {
	g.stop("before", "put", name, document)
	err := g.Archive.Put(ctx, name, document)
	g.stop("after", "put", name, document)
	return err
}

func (g *gated) List(ctx context.Context, prefix string) ([]string, error) {
	g.stop("before", "list", prefix, nil)
	return g.Archive.List(ctx, prefix)
}

// gate is the gate at an operation on a document.
func gate(when, op, name, begins string) url.Values {
	return url.Values{"when": {when}, "op": {op}, "name": {name}, "begins": {begins}}
}
