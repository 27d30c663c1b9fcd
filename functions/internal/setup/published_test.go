package setup_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/rules"
)

// The scheme shelf: is a directory under a name that is not file:, so that it counts as published.
func init() {
	archive.Register("shelf", func(_ context.Context, u *url.URL) (archive.Archive, error) {
		opened, err := filearchive.Open(&url.URL{Scheme: "file", Path: u.Path})
		if hung, is := hanging.Load(u.Path); is && err == nil {
			return hung.(slow).in(opened), nil
		}
		return opened, err
	})
}

// hanging holds the shelves that do not answer for a while, by their path.
var hanging sync.Map

// slow is a shelf that says when it is asked and answers when it may.
type slow struct {
	archive.Archive
	asked, may chan struct{}
}

func (s slow) in(shelf archive.Archive) slow { s.Archive = shelf; return s }

func (s slow) List(ctx context.Context, prefix string) ([]string, error) {
	s.asked <- struct{}{}
	<-s.may
	return s.Archive.List(ctx, prefix)
}

// publisher is a place where rules are published, and the clock of those who read them.
type publisher struct {
	t            *testing.T
	shelf, paper string
	mu           sync.Mutex
	now          time.Time
	logged       bytes.Buffer
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{t: t, shelf: t.TempDir(), paper: t.TempDir(), now: time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC)}
	p.publish(rules.FS, "*.yaml")
	p.publish(brieftemplates.FS, "*.tmpl")
	return p
}

func (p *publisher) publish(files fs.FS, pattern string) {
	p.t.Helper()
	names, err := fs.Glob(files, pattern)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			p.t.Fatal(err)
		}
		p.put(name, string(data))
	}
}

func (p *publisher) put(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.shelf, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// rollout publishes another phase, or a line that is none.
func (p *publisher) rollout(phase string) {
	p.t.Helper()
	data, err := fs.ReadFile(rules.FS, "rollout.yaml")
	if err != nil {
		p.t.Fatal(err)
	}
	p.put("rollout.yaml", strings.Replace(string(data), "phase: shadow", "phase: "+phase, 1))
}

func (p *publisher) wait(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// instance is a function that starts now.
func (p *publisher) instance() *setup.Env {
	return setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(map[string]string{
			"RETENTIONOPS_RULES": "shelf://" + p.shelf, "RETENTIONOPS_TEMPLATES": "shelf://" + p.shelf, "RETENTIONOPS_ARCHIVE": "file://" + p.paper,
		}),
		Logger: slog.New(slog.NewJSONHandler(&p.logged, nil)), NewID: func() string { return "id" },
		Now: func() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return p.now },
	})
}

// sees asserts which phase an instance has, and whether it says that it is old.
func (p *publisher) sees(e *setup.Env, phase functions.Phase, stale bool) {
	p.t.Helper()
	book, err := e.Rules(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if got := book.Rollout().Phase; got != phase || e.RulesStale() != stale {
		p.t.Errorf("the phase is %s, stale %v; want %s, %v", got, e.RulesStale(), phase, stale)
	}
}

func TestPublishedRulesAreInForceWithinMinutes(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	e := p.instance()
	p.sees(e, functions.PhaseShadow, false)
	p.rollout("pilot")
	p.sees(e, functions.PhaseShadow, false) // believed for a while
	p.wait(3 * time.Minute)
	p.sees(e, functions.PhasePilot, false)
	p.sees(p.instance(), functions.PhasePilot, false)
}

func TestABrokenUploadKeepsTheLastSoundRules(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	e := p.instance()
	p.sees(e, functions.PhaseShadow, false)
	p.rollout("pilott")
	p.wait(3 * time.Minute)
	p.sees(e, functions.PhaseShadow, true)
	if !strings.Contains(p.logged.String(), `"level":"ERROR"`) || !strings.Contains(p.logged.String(), "pilott") {
		t.Errorf("the log does not say what is wrong: %s", p.logged.String())
	}
	p.sees(p.instance(), functions.PhaseShadow, true) // one that starts now finds the sound ones in the archive
	p.rollout("production")
	p.wait(3 * time.Minute)
	p.sees(e, functions.PhaseProduction, false)
}

func TestABucketThatCannotBeReadKeepsTheLastSoundRules(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	e := p.instance()
	p.sees(e, functions.PhaseShadow, false)
	if err := os.RemoveAll(p.shelf); err != nil {
		t.Fatal(err)
	}
	p.wait(time.Hour)
	p.sees(e, functions.PhaseShadow, true)
	p.sees(p.instance(), functions.PhaseShadow, true)
}

func TestWithoutAnythingSoundNothingIsAnswered(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	p.rollout("pilott")
	e := p.instance()
	if _, err := e.Rules(t.Context()); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("broken from the beginning: %v", err)
	}
	p.rollout("pilot") // looked at again at once: there is nothing to believe
	p.sees(e, functions.PhasePilot, false)

	empty := newPublisher(t)
	empty.shelf = t.TempDir()
	if _, err := empty.instance().Rules(t.Context()); functions.CodeOf(err) != functions.FailedPrecondition ||
		!strings.Contains(functions.ProblemOf(err, "").Hint, "deploy.sh rules") {
		t.Errorf("nothing published: %v", err)
	}
}

func TestPublishedTemplatesAreKeptLikewise(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	e := p.instance()
	before, err := e.Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.put("brief.markdown.tmpl", "{{.Nonsense}}")
	p.wait(3 * time.Minute)
	after, err := e.Templates(t.Context())
	if err != nil || after != before || !e.RulesStale() {
		t.Errorf("stale %v, %v", e.RulesStale(), err)
	}
}

// TestASlowBucketHoldsUpOneCallerAndNotAll has one caller look at a bucket that hangs: the others go on by the rules in force.
func TestASlowBucketHoldsUpOneCallerAndNotAll(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	e := p.instance()
	p.sees(e, functions.PhaseShadow, false)
	hung := slow{asked: make(chan struct{}), may: make(chan struct{})}
	hanging.Store(p.shelf, hung)
	p.rollout("disabled")
	p.wait(4 * time.Minute)
	looked := make(chan functions.Phase)
	go func() {
		defer close(looked)
		if book, err := e.Rules(t.Context()); err != nil {
			t.Error(err)
		} else {
			looked <- book.Rollout().Phase
		}
	}()
	<-hung.asked
	p.sees(e, functions.PhaseShadow, false) // would wait for ever
	hanging.Delete(p.shelf)
	close(hung.may)
	if phase := <-looked; phase != functions.PhaseDisabled {
		t.Errorf("who looked sees the phase %s", phase)
	}
	p.sees(e, functions.PhaseDisabled, false)
}
