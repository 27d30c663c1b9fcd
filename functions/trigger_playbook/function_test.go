package triggerplaybook_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	triggerplaybook "github.com/retentionops/retentionops/functions/trigger_playbook"
	"github.com/retentionops/retentionops/rules"
)

// house is a deployment whose warehouse has no table: every run of it fails, which is all that is looked at here.
type house struct {
	folder string
	post   *mailtest.Server
	now    time.Time
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{folder: t.TempDir(), post: mailtest.Start(t), now: time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC)}
	if err := os.CopyFS(h.path("rules"), rules.FS); err != nil {
		t.Fatal(err)
	}
	h.edit(t, "rollout.yaml", "phase: shadow", "phase: production")
	h.edit(t, "playbooks.yaml", "data_team: []", "data_team: [data@example.com]")
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.folder, name) }

// edit replaces a text that must be in a rule file.
func (h *house) edit(t *testing.T, name, old, with string) {
	t.Helper()
	path := filepath.Join(h.path("rules"), name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s does not say %q", name, old)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(old), []byte(with), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (h *house) env(t *testing.T, warehouse string) *setup.Env {
	t.Helper()
	env := setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(map[string]string{
			"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_RULES": h.path("rules"), "RETENTIONOPS_WAREHOUSE": "duckdb:" + warehouse,
			"RETENTIONOPS_ARCHIVE": "file://" + h.path("archive"), "RETENTIONOPS_EXPORTS": "file://" + h.path("exports"),
			"RETENTIONOPS_MAIL": h.post.URL(), "RETENTIONOPS_MAIL_FROM": "ops@example.com",
		}),
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return h.now }, NewID: setup.NewID,
	})
	t.Cleanup(func() { _ = env.Close() })
	return env
}

// named is the call of a person for a day: whoever asks so is told by the answer.
const named = `{"date": "2026-01-12"}`

// trigger calls the function as a caller does.
func (h *house) trigger(t *testing.T, env *setup.Env, body string) functions.Problem {
	t.Helper()
	h.now = h.now.Add(time.Minute)
	server := httptest.NewServer(triggerplaybook.Handler(env))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/trigger_playbook", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var problem functions.Problem
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Code == "" {
		t.Fatalf("got %s, %v; want a problem", answer, err)
	}
	return problem
}

// newest is the newest run in the log.
func (h *house) newest(t *testing.T, env *setup.Env) functions.Run {
	t.Helper()
	log, err := env.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runs, err := log.List(t.Context(), warehouse.RunQuery{Limit: 1})
	if err != nil || len(runs) != 1 {
		t.Fatalf("got %+v, %v; want a run", runs, err)
	}
	return runs[0]
}

func TestBrokenRulesAreMailedToTheDataTeam(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	env := h.env(t, h.path("warehouse.duckdb"))
	h.trigger(t, env, named) // it reads whom to tell
	h.edit(t, "priority.yaml", "tiers:", "tears:")
	problem := h.trigger(t, env, "{}")
	if problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, "rule files are at fault") {
		t.Fatalf("got %+v", problem)
	}
	mails := h.post.Messages()
	if len(mails) != 1 || len(mails[0].To) != 1 || mails[0].To[0] != "data@example.com" {
		t.Fatalf("got %d mails: %+v", len(mails), mails)
	}
	text := mails[0].Parse(t).Text()
	for _, want := range []string{
		"Not sent: today's playbook could not begin.\n", "Why: the rule files are at fault", "What to do: retentionops rules check",
		"run " + problem.RunID + ", phase production as the run before it read it",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the mail does not say %q:\n%s", want, text)
		}
	}
	run := h.newest(t, env)
	if run.RunID != problem.RunID || run.Stage != "setup" || run.Status != functions.RunFailed || !run.EmailSent || run.Phase != functions.PhaseProduction ||
		!strings.HasSuffix(run.ErrorMessage, "; mailed to data_team") {
		t.Errorf("the row says %+v", run)
	}
	h.trigger(t, env, "{}")
	if run := h.newest(t, env); run.EmailSent || !strings.Contains(run.ErrorMessage, "already mailed: run "+problem.RunID) || len(h.post.Messages()) != 1 {
		t.Errorf("%d mails; the second row says %+v", len(h.post.Messages()), run)
	}
	h.now = h.now.Add(24 * time.Hour)
	h.trigger(t, env, "{}")
	if got := len(h.post.Messages()); got != 2 {
		t.Errorf("%d mails, want one more on the next day", got)
	}
}

func TestBrokenRulesOfAPhaseThatDoesNotSendAreNotMailed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	env := h.env(t, h.path("warehouse.duckdb"))
	h.trigger(t, env, named)
	h.edit(t, "rollout.yaml", "phase: production", "phase: shadow")
	h.trigger(t, env, "{}")
	h.edit(t, "rollout.yaml", "phase: shadow", "phase: shed")
	h.trigger(t, env, "{}")
	if run := h.newest(t, env); run.Stage != "setup" || run.EmailSent || len(h.post.Messages()) != 0 {
		t.Errorf("%d mails; the row says %+v", len(h.post.Messages()), run)
	}
}

func TestNobodyIsKnownToBeMailedBeforeTheFirstRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	env := h.env(t, h.path("warehouse.duckdb"))
	h.edit(t, "priority.yaml", "tiers:", "tears:")
	h.trigger(t, env, "{}")
	if run := h.newest(t, env); run.Stage != "setup" || strings.Contains(run.ErrorMessage, "mailed") || len(h.post.Messages()) != 0 {
		t.Errorf("%d mails; the row says %+v", len(h.post.Messages()), run)
	}
}

// TestARunWithoutAWarehouseIsNotLost has the warehouse be away for one run: its row waits, and people hear of it.
func TestARunWithoutAWarehouseIsNotLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	env := h.env(t, h.path("warehouse.duckdb"))
	h.trigger(t, env, named)
	if err := os.WriteFile(h.path("broken.duckdb"), []byte("no warehouse at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	problem := h.trigger(t, h.env(t, h.path("broken.duckdb")), "{}")
	mails := h.post.Messages()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1 (%+v)", len(mails), problem)
	}
	if text := mails[0].Parse(t).Text(); !strings.Contains(text, "could not begin") || !strings.Contains(text, problem.RunID) || strings.Contains(text, h.folder) {
		t.Errorf("the mail says:\n%s", text)
	}
	log, err := env.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if written, err := log.Reconcile(t.Context()); written != 1 || err != nil {
		t.Errorf("%d rows were written late, %v; want the one", written, err)
	}
	if run := h.newest(t, env); run.RunID != problem.RunID || run.Stage != "setup" || !run.EmailSent {
		t.Errorf("the row says %+v", run)
	}
}
