package readrecord_test

import (
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
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/setup"
	readrecord "github.com/retentionops/retentionops/functions/read_record"
	"github.com/retentionops/retentionops/rules"
)

// ask calls the function as a caller does.
func ask(t *testing.T, env *setup.Env, input string) (status int, answer []byte) {
	t.Helper()
	server := httptest.NewServer(readrecord.Handler(env))
	defer server.Close()
	response, err := http.Post(server.URL+"/read_record", "application/json", strings.NewReader(input)) //nolint:noctx // the test's own deadline holds
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// TestTheRuleFilesAreGivenByVersion reads the deployed rules, and those of a version that the archive keeps.
func TestTheRuleFilesAreGivenByVersion(t *testing.T) {
	t.Parallel()
	papers := t.TempDir()
	env := setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(map[string]string{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_ARCHIVE": "file://" + papers}),
		Logger:   slog.New(slog.DiscardHandler), Now: time.Now, NewID: setup.NewID,
	})
	book, err := env.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const kept = "0123456789ab"
	for _, name := range []string{"fields.yaml", "priority.yaml"} {
		path := filepath.Join(papers, "rules", kept, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("once: "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := rules.FS.ReadFile("priority.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ input, version, text string }{
		"as deployed":                {`{"record": "rules"}`, book.Version(), string(shipped)},
		"the deployed ones, by name": {`{"record": "rules", "rules_version": "` + book.Version() + `"}`, book.Version(), string(shipped)},
		"of a version that is kept":  {`{"record": "rules", "rules_version": "` + kept + `"}`, kept, "once: priority.yaml"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := ask(t, env, tc.input)
			var out functions.ReadRecordOutput
			if err := json.Unmarshal(answer, &out); err != nil || status != http.StatusOK || out.Rules == nil {
				t.Fatalf("%d %s: %v", status, answer, err)
			}
			if out.Rules.RulesVersion != tc.version || len(out.Rules.Files) != 2 ||
				out.Rules.Files[0].Name != "fields.yaml" || out.Rules.Files[1].Name != "priority.yaml" || out.Rules.Files[1].Text != tc.text {
				t.Errorf("got %+v", out.Rules)
			}
		})
	}
	for _, record := range []string{"rules", "rulebook"} {
		t.Run("of a version that is not, "+record, func(t *testing.T) {
			t.Parallel()
			status, answer := ask(t, env, `{"record": "`+record+`", "rules_version": "ffffffffffff"}`)
			if status != http.StatusNotFound || !strings.Contains(string(answer), "ffffffffffff") {
				t.Errorf("got %d %s", status, answer)
			}
		})
	}
	t.Run("what cannot be put into words", func(t *testing.T) {
		t.Parallel()
		status, answer := ask(t, env, `{"record": "rulebook", "rules_version": "`+kept+`"}`)
		if status != http.StatusConflict || !strings.Contains(string(answer), "as they are written") {
			t.Errorf("got %d %s", status, answer)
		}
	})
}

// TestTheRulesInWords reads the deployed rules whole, and of a version that is kept what judges.
func TestTheRulesInWords(t *testing.T) {
	t.Parallel()
	papers := t.TempDir()
	env := setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(map[string]string{"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_ARCHIVE": "file://" + papers}),
		Logger:   slog.New(slog.DiscardHandler), Now: time.Now, NewID: setup.NewID,
	})
	deployed, err := env.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files := deployed.Files()
	files["priority.yaml"] = append(files["priority.yaml"], "\n# once\n"...)
	book, err := rulebook.LoadKept(files)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(papers, "rules", book.Version(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for input, want := range map[string]struct {
		version string
		phase   bool
	}{
		`{"record": "rulebook"}`: {deployed.Version(), true},
		`{"record": "rulebook", "rules_version": "` + deployed.Version() + `"}`: {deployed.Version(), true},
		`{"record": "rulebook", "rules_version": "` + book.Version() + `"}`:     {book.Version(), false},
	} {
		status, answer := ask(t, env, input)
		var out functions.ReadRecordOutput
		if err := json.Unmarshal(answer, &out); err != nil || status != http.StatusOK || out.Rulebook == nil {
			t.Fatalf("%s: %d %s: %v", input, status, answer, err)
		}
		text := out.Rulebook.Text
		if out.Rulebook.RulesVersion != want.version || !strings.Contains(text, "rules_version `"+want.version+"`") ||
			!strings.Contains(text, "## Who gets which tier") || strings.Contains(text, "## How far the rollout has come") != want.phase {
			t.Errorf("%s: %s", input, text)
		}
	}
}
