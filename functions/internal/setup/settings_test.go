package setup_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

var update = flag.Bool("update", false, "rewrite .env.example")

const root = "../../.."

// TestSettingsAreThoseThatTheCodeReads looks for every name in the code and in deploy.sh.
func TestSettingsAreThoseThatTheCodeReads(t *testing.T) {
	t.Parallel()
	tag := regexp.MustCompile("`env:\"((?:RETENTIONOPS|OTEL)_[A-Z_]+)")
	shell := regexp.MustCompile(`\$\{(RETENTIONOPS_[A-Z_]+)`)
	read := map[string]bool{}
	look := func(path string, form *regexp.Regexp) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range form.FindAllStringSubmatch(string(data), -1) {
			read[found[1]] = true
		}
	}
	for _, folder := range []string{"functions", "mcp"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				look(path, tag)
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "deploy.sh")); err == nil {
		look(filepath.Join(root, "deploy.sh"), shell)
	}
	known := map[string]bool{}
	for _, setting := range setup.Settings {
		if known[setting.Name] {
			t.Errorf("%s is there twice", setting.Name)
		}
		known[setting.Name] = true
		if !read[setting.Name] {
			t.Errorf("nothing reads %s", setting.Name)
		}
		if setting.Meaning == "" || setting.Group == "" || setting.Secret && setting.Default != "" {
			t.Errorf("%s is not told of as it should be", setting.Name)
		}
	}
	for name := range read {
		if !known[name] {
			t.Errorf("%s is read and not among the settings", name)
		}
	}
}

func TestEnvExampleIsFresh(t *testing.T) {
	t.Parallel()
	var fresh bytes.Buffer
	if err := setup.WriteEnvExample(&fresh); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".env.example")
	if *update {
		if err := os.WriteFile(path, fresh.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	there, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fresh.String(), string(there)); diff != "" {
		t.Errorf("go test ./functions/internal/setup -run EnvExample -update rewrites it (-want +got):\n%s", diff)
	}
	// As it stands it sets nothing.
	if values, err := setup.ReadEnvFile(bytes.NewReader(there)); err != nil || len(values) != 0 {
		t.Errorf("it sets %v, %v", values, err)
	}
	// With every comment taken away it is still read, and every setting has its default.
	values, err := setup.ReadEnvFile(strings.NewReader(regexp.MustCompile(`(?m)^#([A-Z]+_)`).ReplaceAllString(string(there), "$1")))
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range setup.Settings {
		value, set := values[setting.Name]
		if setting.Secret && set {
			t.Errorf("%s is a secret and stands in a file", setting.Name)
		}
		if set && value != setting.Default {
			t.Errorf("%s is %q, want its default %q", setting.Name, value, setting.Default)
		}
	}
}

func TestEnvFilesAreReadAsTheyStand(t *testing.T) {
	t.Parallel()
	values, err := setup.ReadEnvFile(strings.NewReader("# a comment\n\nA=1\nB=\"quoted\" $(touch x) # not a comment\nA=2\nC=\n"))
	want := map[string]string{"A": "1", "B": `"quoted" $(touch x) # not a comment`, "C": ""}
	if diff := cmp.Diff(want, values); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"A=1\nsecret words\n", "A=1\nexport B=2\n", "A=1\n b=2\n", "A=1\nB = 2\n"} {
		_, err := setup.ReadEnvFile(strings.NewReader(bad))
		if functions.CodeOf(err) != functions.InvalidArgument || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSecretsAreNamedAsDeployNamesThem(t *testing.T) {
	t.Parallel()
	at := slices.IndexFunc(setup.Settings, func(s setup.Setting) bool { return s.Name == "RETENTIONOPS_WEBHOOK_API_KEY" })
	if got := setup.Settings[at].SecretID(); got != "retentionops-webhook-api-key" {
		t.Errorf("it is called %s", got)
	}
}
