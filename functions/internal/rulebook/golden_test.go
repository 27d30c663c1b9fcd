package rulebook_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// TestFaultsAndTheirMessages holds one fault a file: testdata/<file>.<fault>.bad.yaml stands in for <file>.yaml among
// the shipped rules, and <file>.<fault>.bad.txt holds exactly what a person reads.
func TestFaultsAndTheirMessages(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(paths) < 150 {
		t.Fatalf("found %d files of faults: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".bad.yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(filepath.Base(path), ".")
			findings := findingsOf(t, name+".yaml", data)
			findings = slices.DeleteFunc(findings, func(f rulebook.Finding) bool { return f.Severity == rulebook.SeverityNote })
			if len(findings) == 0 {
				t.Fatal("no finding")
			}
			compareGolden(t, strings.TrimSuffix(path, ".yaml")+".txt", findings.Under("rules").Error()+"\n")
		})
	}
}

// findingsOf checks the shipped rules with one file replaced, or runs its examples.
func findingsOf(tb testing.TB, name string, data []byte) rulebook.Findings {
	tb.Helper()
	files := shippedBeside(tb, name, data)
	book, findings := rulebook.Check(files)
	if !strings.HasSuffix(name, "_test.yaml") {
		if (book == nil) != (findings.Errors() > 0) {
			tb.Errorf("book %v with %d errors", book != nil, findings.Errors())
		}
		return findings
	}
	_, err := rulebook.Test(book, files)
	if err != nil && !errors.As(err, &findings) {
		tb.Fatalf("the error is not Findings: %v", err)
	}
	return findings
}

// shippedBeside is the shipped rules with one file replaced.
func shippedBeside(tb testing.TB, name string, data []byte) fstest.MapFS {
	tb.Helper()
	files := fstest.MapFS{}
	entries, err := fs.ReadDir(rules.FS, ".")
	if err != nil {
		tb.Fatal(err)
	}
	for _, entry := range entries {
		shipped, err := fs.ReadFile(rules.FS, entry.Name())
		if err != nil {
			tb.Fatal(err)
		}
		files[entry.Name()] = &fstest.MapFile{Data: shipped}
	}
	files[name] = &fstest.MapFile{Data: data}
	return files
}

func compareGolden(tb testing.TB, path, got string) {
	tb.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("%v; run the test with -update to write it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		tb.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAllFaultsAreReportedAtOnceInOrder(t *testing.T) {
	t.Parallel()
	files := shippedBeside(t, "priority.yaml", readFile(t, "testdata/priority.expr_two_faults.bad.yaml"))
	files["rollout.yaml"] = &fstest.MapFile{Data: readFile(t, "testdata/rollout.unknown_phase.bad.yaml")}
	files["playbooks.yaml"] = &fstest.MapFile{Data: readFile(t, "testdata/playbooks.mention.bad.yaml")}
	delete(files, "fields.yaml")
	files["feilds.yaml"] = rulesFile(t, "fields.yaml")
	_, findings := rulebook.Check(files)
	var got []string
	for _, finding := range findings {
		got = append(got, finding.File+" "+finding.ID+" "+finding.Hint)
	}
	want := []string{
		"fields.yaml rules/file there is feilds.yaml; rename it to fields.yaml",
		"playbooks.yaml rules/unknown-value did you mean channel? valid: nobody, here, channel",
		"rollout.yaml rules/unknown-value did you mean shadow? valid: shadow, pilot, production, disabled",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("without a vocabulary, priority.yaml is not looked at (-want +got):\n%s", diff)
	}

	files["fields.yaml"] = files["feilds.yaml"]
	if _, findings = rulebook.Check(files); len(findings) != 4 {
		t.Errorf("want 4 findings, got:\n%s", findings)
	}
}

func TestFindingsAsJSON(t *testing.T) {
	t.Parallel()
	findings := findingsOf(t, "priority.yaml", readFile(t, "testdata/priority.tier_unknown.bad.yaml"))
	got, err := json.Marshal(findings[:1])
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"file":"priority.yaml","line":6,"column":11,"length":2,"severity":"error","id":"rules/unknown-value",` +
		`"message":"unknown tier \"P4\"","source":"    tier: P4","hint":"did you mean P1? valid: P1, P2, P3"}]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManyFindingsAreCut(t *testing.T) {
	t.Parallel()
	findings := make(rulebook.Findings, 103)
	for i := range findings {
		findings[i] = rulebook.Finding{File: "x.yaml", Severity: rulebook.SeverityError, Message: "m", ID: "rules/x"}
	}
	if text := findings.Error(); strings.Count(text, "rules/x") != 100 || !strings.HasSuffix(text, "and 3 more") {
		t.Errorf("got …%s", text[len(text)-60:])
	}
}

func readFile(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func rulesFile(tb testing.TB, name string) *fstest.MapFile {
	tb.Helper()
	data, err := fs.ReadFile(rules.FS, name)
	if err != nil {
		tb.Fatal(err)
	}
	return &fstest.MapFile{Data: data}
}
