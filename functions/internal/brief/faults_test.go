package brief_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// shippedFiles are the shipped templates, to put a bad one among them.
func shippedFiles(tb testing.TB) fstest.MapFS {
	tb.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(brieftemplates.FS, "*.tmpl")
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(brieftemplates.FS, name)
		if err != nil {
			tb.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

// Each testdata/faults/NAME.TEMPLATE.bad.tmpl holds one fault, and stands in for that template; a payload stands beside
// the shipped ones.
func TestEachFaultIsSaidWithItsPlace(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/faults/*.bad.tmpl")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d bad templates, %v", len(paths), err)
	}
	for _, path := range paths {
		name, which, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".bad.tmpl"), ".")
		t.Run(strings.ReplaceAll(name, "_", " "), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := shippedFiles(t)
			file := which + ".tmpl"
			if !strings.HasPrefix(file, "payload.") {
				file = "brief." + file
				if files[file] == nil {
					t.Fatalf("there is no template %s to stand in for", file)
				}
			}
			files[file] = &fstest.MapFile{Data: content}
			templates, findings := brief.Check(files)
			if len(findings) == 0 || templates != nil {
				t.Fatal("the templates were accepted")
			}
			golden(t, "faults/"+name+".want.txt", findings.Error()+"\n")
		})
	}
}

func TestTheFolderItselfCanBeAtFault(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(files fstest.MapFS)
		want   string
	}{
		{"a template is missing", func(files fstest.MapFS) { delete(files, "brief.slack.tmpl") }, "brief.slack.tmpl: the template is missing (brief/file)\n" +
			"   hint: take it from the shipped brief_templates/"},
		{"a name is mistyped", func(files fstest.MapFS) { files["breif.slack.tmpl"] = files["brief.slack.tmpl"] }, "breif.slack.tmpl: no brief is made of this template (brief/file)\n" +
			"   hint: did you mean brief.slack.tmpl? templates: brief.subject.tmpl, brief.markdown.tmpl, brief.slack.tmpl, brief.email.txt.tmpl, brief.email.html.tmpl"},
		{"there is no payload", func(files fstest.MapFS) { delete(files, "payload.make.tmpl"); delete(files, "payload.generic.tmpl") }, "payload.make.tmpl: there is no payload template, so that no playbook can be sent (brief/file)\n" +
			"   hint: take it from the shipped brief_templates/"},
		{"a payload has a name that nothing can name", func(files fstest.MapFS) { files["payload.My Own.tmpl"] = files["payload.make.tmpl"] }, "payload.My Own.tmpl: no brief is made of this template (brief/file)\n" +
			"   hint: a payload template is called payload.NAME.tmpl, with a NAME of small letters, digits, - and _"},
		{"a template is too large", func(files fstest.MapFS) { files["brief.slack.tmpl"].Data = make([]byte, 100_001) }, "brief.slack.tmpl: the template has 100001 bytes, at most 100000 are read (brief/file)"},
		{"a template is not UTF-8", func(files fstest.MapFS) { files["brief.slack.tmpl"].Data = []byte("Gr\xfc\xdfe") }, "brief.slack.tmpl: the template is not UTF-8 text (brief/file)\n   hint: save it as UTF-8"},
		{"a subject is empty on some day", func(files fstest.MapFS) {
			files["brief.subject.tmpl"].Data = []byte("{{if .ActionNeeded}}Retention {{.Severity}}{{end}}")
		}, "brief.subject.tmpl: the subject is empty (in the test brief \"info\") (brief/empty)\n" +
			"   hint: write at least a word; Slack refuses a message without a headline"},
		{"several templates are at fault at once", func(files fstest.MapFS) {
			files["brief.slack.tmpl"].Data = []byte("{{.Severty}}")
			files["brief.subject.tmpl"].Data = []byte("{{.Severity")
			delete(files, "brief.email.txt.tmpl")
		}, "brief.subject.tmpl:1:1: {{ without }} (brief/syntax)\n    1 | {{.Severity\n      | ^^\n   hint: write }} where the action ends\n" +
			"brief.slack.tmpl:1:3: unknown field .Severty (brief/unknown-field)\n    1 | {{.Severty}}\n      |   ^^^^^^^^\n   hint: did you mean Severity? fields here: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := shippedFiles(t)
			test.change(files)
			_, err := brief.Load(files)
			if err == nil {
				t.Fatal("the templates were accepted")
			}
			if got := err.Error(); !strings.HasPrefix(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestFilesFromWindowsAreReadLikeOthers(t *testing.T) {
	t.Parallel()
	files := with("-")
	files["brief.markdown.tmpl"].Data = []byte("\uFEFFOne\r\n{{if .Severity}}\r\nTwo\r\n{{end}}\r\nThree\r\n")
	got := render(t, loaded(t, files), "markdown", brief.Data{Date: "2026-01-12", Severity: "INFO"}).Text
	if want := "One\nTwo\nThree\n"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestAWarningDoesNotKeepTemplatesFromBeingUsed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, body, want string }{
		{"the shipped templates have none", "brief.slack.tmpl", "", ""},
		{
			"a message is too long for Slack", "brief.slack.tmpl", strings.Repeat("{{.Decision}} {{.Decision}} {{.Decision}}\n\n", 60),
			"brief.slack.tmpl: warning: the message is too long for Slack and is cut (in the test brief \"warning\") (brief/cut)\n" +
				"   hint: shorten it, or show fewer customers: top_customers in rules/playbooks.yaml\n",
		},
		{
			"a template writes nothing on some day", "brief.markdown.tmpl", "{{if not .ActionNeeded}}\nAll is well.\n{{end}}\n",
			"brief.markdown.tmpl: warning: the template writes nothing (in the test brief \"warning\") (brief/empty)\n" +
				"   hint: if that is meant, leave it; else write what stands outside of {{if}} and {{range}}\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := shippedFiles(t)
			if test.body != "" {
				files[test.file].Data = []byte(test.body)
			}
			templates, findings := brief.Check(files)
			var said strings.Builder
			if err := findings.Write(&said); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, said.String()); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
			if _, err := brief.Load(files); err != nil || templates == nil {
				t.Errorf("the templates cannot be used: %v", err)
			}
		})
	}
}
