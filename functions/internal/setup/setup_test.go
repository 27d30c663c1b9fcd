package setup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/rules"
)

func env(settings map[string]string) *setup.Env {
	return setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(settings), Logger: slog.New(slog.DiscardHandler), NewID: func() string { return "id" },
		Now: func() time.Time { return time.Date(2026, 1, 12, 23, 30, 0, 0, time.UTC) },
	})
}

func TestTodayIsInTheConfiguredZone(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{"": "2026-01-12", "UTC": "2026-01-12", "Europe/Berlin": "2026-01-13"} {
		settings := map[string]string{"RETENTIONOPS_TIMEZONE": zone}
		if zone == "" {
			settings = nil
		}
		got, err := env(settings).Today(t.Context())
		if err != nil || got.String() != want {
			t.Errorf("in %q it is %v, %v, want %s", zone, got, err, want)
		}
	}
	if _, err := env(map[string]string{"RETENTIONOPS_TIMEZONE": "Mars/Olympus"}).Today(t.Context()); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("a zone that is none: %v", err)
	}
}

func TestASettingThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	_, err := env(map[string]string{"RETENTIONOPS_QUEUE_DAYS": "ninety"}).Config(t.Context())
	problem := functions.ProblemOf(err, "")
	if problem.Code != functions.FailedPrecondition || problem.Detail != "RETENTIONOPS_QUEUE_DAYS cannot be read" {
		t.Errorf("got %+v", problem)
	}
}

func TestAPortThatIsNotNamedSaysWhichVariable(t *testing.T) {
	t.Parallel()
	e := env(nil)
	for variable, open := range map[string]func(context.Context) error{
		"RETENTIONOPS_WAREHOUSE": func(ctx context.Context) error { _, err := e.Warehouse(ctx); return err },
		"RETENTIONOPS_ARCHIVE":   func(ctx context.Context) error { _, err := e.Archive(ctx); return err },
		"RETENTIONOPS_EXPORTS":   func(ctx context.Context) error { _, err := e.Exports(ctx); return err },
		"RETENTIONOPS_SHEETS":    func(ctx context.Context) error { _, err := e.Sheets(ctx); return err },
	} {
		err := open(t.Context())
		if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not set: %v", variable, err)
		}
	}
}

func TestADriverThatIsNotLinkedIsNamedWithThoseThatAre(t *testing.T) {
	t.Parallel()
	_, err := env(map[string]string{"RETENTIONOPS_WAREHOUSE": "oracle://secret@host/db"}).Warehouse(t.Context())
	problem := functions.ProblemOf(err, "r")
	if problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Hint, "duckdb") {
		t.Errorf("got %+v", problem)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the URL is repeated: %v", err)
	}
}

func TestAProgramMayWaitForOthersLessThanUsual(t *testing.T) {
	t.Parallel()
	settings := envconfig.MapLookuper(map[string]string{"RETENTIONOPS_WAREHOUSE": "duckdb:"})
	waits := setup.Waits{Webhook: time.Second, Warehouse: time.Minute / 2, WarehousePauses: []time.Duration{time.Millisecond}}
	for _, test := range []struct {
		name    string
		waits   setup.Waits
		attempt time.Duration
		pauses  []time.Duration
	}{
		{"what is set counts", waits, waits.Warehouse, waits.WarehousePauses},
		{"what is zero is as usual", setup.Waits{}, warehouse.AttemptTimeout, warehouse.Pauses()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := setup.New(setup.Options{Lookuper: settings, Waits: test.waits})
			if e.Waits().Webhook != test.waits.Webhook {
				t.Errorf("the webhook is waited for %s, want %s", e.Waits().Webhook, test.waits.Webhook)
			}
			opened, err := e.Warehouse(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if opened.AttemptTimeout != test.attempt || !slices.Equal(opened.Pauses, test.pauses) {
				t.Errorf("got %s and %v, want %s and %v", opened.AttemptTimeout, opened.Pauses, test.attempt, test.pauses)
			}
		})
	}
}

func TestOthersMayGetTheMailThanTheRulesSay(t *testing.T) {
	t.Parallel()
	e := setup.New(setup.Options{Lookuper: envconfig.MapLookuper(nil), Mail: &rulebook.Mail{DataTeam: []string{"data@example.com"}}})
	book, err := e.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := book.Mail().DataTeam; !slices.Equal(got, []string{"data@example.com"}) {
		t.Errorf("got %v", got)
	}
}

func TestOnlySuccessIsKept(t *testing.T) {
	t.Parallel()
	var lazy setup.Lazy[int]
	calls := 0
	open := func() (int, error) {
		calls++
		if calls == 1 {
			return 0, errors.New("not yet")
		}
		return calls, nil
	}
	if _, err := lazy.Get(open); err == nil {
		t.Error("the first failure is hidden")
	}
	if _, ready := lazy.Peek(); ready {
		t.Error("a failure is kept as a value")
	}
	for range 3 {
		if value, err := lazy.Get(open); value != 2 || err != nil {
			t.Errorf("got %d, %v", value, err)
		}
	}
}

func TestRulesComeFromTheNamedFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, rules.FS); err != nil {
		t.Fatal(err)
	}
	priority := filepath.Join(folder, "priority.yaml")
	data, err := os.ReadFile(priority)
	if err != nil {
		t.Fatal(err)
	}
	builtIn, err := env(nil).Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(priority, append(data, "\n# looked at\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{folder, (&url.URL{Scheme: "file", Path: folder}).String()} {
		edited, err := env(map[string]string{"RETENTIONOPS_RULES": setting}).Rules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if edited.Version() == builtIn.Version() {
			t.Error("the folder was not read")
		}
	}
	if err := os.WriteFile(priority, []byte("tiers: nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := env(map[string]string{"RETENTIONOPS_RULES": folder}).Rules(t.Context()); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("broken rules: %v", err)
	}
	for _, nowhere := range []string{folder + "/none", "gs://bucket/rules", priority} {
		if _, err := env(map[string]string{"RETENTIONOPS_RULES": nowhere}).Rules(t.Context()); functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("%s: %v", nowhere, err)
		}
	}
}

func TestDisabledStopsWhatWrites(t *testing.T) {
	t.Parallel()
	for phase, code := range map[functions.Phase]functions.Code{
		functions.PhaseDisabled: functions.FailedPrecondition, functions.PhaseShadow: "", functions.PhaseProduction: "",
	} {
		e := setup.New(setup.Options{
			Lookuper: envconfig.MapLookuper(map[string]string{"RETENTIONOPS_WAREHOUSE": "duckdb::memory:"}),
			Now:      time.Now, Phase: phase,
		})
		day, err := e.Day(t.Context(), "2026-01-12")
		if err != nil {
			t.Fatal(err)
		}
		if got := functions.CodeOf(day.MayAct()); got != code {
			t.Errorf("in %s: %q, want %q", phase, got, code)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleEnv_Archive() {
	folder, err := os.MkdirTemp("", "papers")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	e := env(map[string]string{"RETENTIONOPS_ARCHIVE": "file://" + folder})
	papers, err := e.Archive(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(papers.PutIfAbsent(context.Background(), "claims/today", []byte("mine")))
	fmt.Println(errors.Is(papers.PutIfAbsent(context.Background(), "claims/today", []byte("mine too")), archive.ErrExists))
	// Output:
	// <nil>
	// true
}

func TestAnEditOfTheRulesHoldsFromTheNextCallOn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, rules.FS); err != nil {
		t.Fatal(err)
	}
	e := env(map[string]string{"RETENTIONOPS_RULES": folder})
	phase := func() (functions.Phase, error) {
		book, err := e.Rules(t.Context())
		if err != nil {
			return "", err
		}
		return book.Rollout().Phase, nil
	}
	if got, err := phase(); got != functions.PhaseShadow || err != nil {
		t.Fatalf("as shipped it is %s, %v", got, err)
	}
	rollout := filepath.Join(folder, "rollout.yaml")
	data, err := os.ReadFile(rollout)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range []struct {
		word string
		want functions.Phase
		code functions.Code
	}{
		{"disabled", functions.PhaseDisabled, ""},
		{"disbled", "", functions.FailedPrecondition}, // a slip stops too, and never leaves the former phase in force
		{"shadow", functions.PhaseShadow, ""},
	} {
		if err := os.WriteFile(rollout, []byte(strings.Replace(string(data), "phase: shadow", "phase: "+edit.word, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := phase(); got != edit.want || functions.CodeOf(err) != edit.code {
			t.Errorf("phase: %s gives %q, %v", edit.word, got, err)
		}
	}
}

func TestAnotherDayStandsInForToday(t *testing.T) {
	t.Parallel()
	e := setup.New(setup.Options{Today: functions.Date{Year: 2011, Month: time.January, Day: 17}, Now: time.Now})
	if got, err := e.Today(t.Context()); err != nil || got.String() != "2011-01-17" {
		t.Errorf("today is %v, %v", got, err)
	}
}

func TestTheExclusionListIsReadByEveryCall(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "never.csv")
	e := env(map[string]string{"RETENTIONOPS_EXCLUSIONS": "file://" + file})
	for _, content := range []string{"C1\n", "C1\nC2\n", "C2\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := e.Exclusions(t.Context())
		if err != nil || list.Has("C1") != strings.Contains(content, "C1") || list.Has("C2") != strings.Contains(content, "C2") {
			t.Errorf("after %q: %d entries, %v", content, list.Len(), err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Exclusions(t.Context()); functions.CodeOf(err) != functions.FailedPrecondition {
		t.Errorf("a list that is gone: %v", err)
	}
	if list, err := env(nil).Exclusions(t.Context()); list != nil || err != nil {
		t.Errorf("no list: %v, %v", list, err)
	}
}
