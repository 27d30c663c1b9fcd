package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cli"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/rules"
)

const readme = "../../../README.md"

// TestREADMETableOfTools compares the table with the contract.
func TestREADMETableOfTools(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString("| tool | what it does | changes | scope | hints |\n| --- | --- | --- | --- | --- |\n")
	for _, tool := range functions.Tools {
		changes := "nothing"
		switch {
		case tool.Hints.Destructive:
			changes = "notifies people; once a day"
		case tool.Hints.OpenWorld:
			changes = "writes files"
		case !tool.Hints.ReadOnly:
			changes = "replaces the day's queue"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | `%s` | %s |\n", tool.Name, tool.Description, changes, tool.Scope, hints(tool.Hints))
	}
	compareSection(t, "tools", table.String())
}

// hints are what clients are told of a tool; what is not named is denied.
func hints(of functions.Hints) string {
	var named []string
	for _, hint := range []struct {
		is   bool
		name string
	}{{of.ReadOnly, "read-only"}, {of.Destructive, "destructive"}, {of.Idempotent, "idempotent"}, {of.OpenWorld, "open-world"}} {
		if hint.is {
			named = append(named, hint.name)
		}
	}
	return strings.Join(named, ", ")
}

// TestREADMEDemo compares the output that the README shows with that of the command, apart from times and ids.
func TestREADMEDemo(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	var shown []string
	for line := range strings.Lines(person(t, "demo", "--out", out)) {
		if !strings.Contains(line, "[local stand-in for Make.com]   |") { // the message itself is long: artifacts/ shows it
			shown = append(shown, strings.TrimRight(line, " \n"))
		}
	}
	text := strings.ReplaceAll(strings.Join(shown, "\n"), "file://"+out, "file:///…/.retentionops/demo")
	text = strings.ReplaceAll(text, out, ".retentionops/demo")
	compareSection(t, "demo", "```\n"+strings.TrimSpace(text)+"\n```\n")
}

// person runs a command as a person at a terminal without colours sees it.
func person(t *testing.T, args ...string) string {
	t.Helper()
	var shown, said bytes.Buffer
	code := cli.Run(t.Context(), args, cli.IO{
		Name: "go run ./functions/cmd/retentionops", In: strings.NewReader(""), Out: &shown, Err: &said, Terminal: true,
		Lookuper: envconfig.MapLookuper(nil), Now: time.Now, NewID: setup.NewID,
	})
	if code != 0 {
		t.Fatalf("retentionops %v: exit %d\n%s%s", args, code, shown.String(), said.String())
	}
	return shown.String()
}

// TestREADMECommands runs every command of the README, in its order, in one folder: what a newcomer does.
func TestREADMECommands(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := filepath.Abs(realOrders())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for folder, files := range map[string]fs.FS{"rules": rules.FS, "brief_templates": brieftemplates.FS} { // as in a clone
		if err := os.CopyFS(folder, files); err != nil {
			t.Fatal(err)
		}
	}
	var served *serving
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			args, ours := strings.CutPrefix(line, "go run ./functions/cmd/retentionops ")
			switch {
			case strings.HasPrefix(line, "go test "): // it is running
			case strings.HasPrefix(line, "curl "):
				served.curl(t, line)
			case ours && strings.HasPrefix(args, "serve"):
				served = serve(t, words(args))
			case ours:
				served.stop(t)
				served = nil
				if strings.Contains(args, "orders.csv.gz") {
					if _, err := os.Stat(orders); err != nil {
						t.Logf("not run, the real orders are not here: %s", line)
						continue
					}
					args = strings.ReplaceAll(args, "orders.csv.gz", orders)
				}
				person(t, words(args)...)
			default:
				t.Errorf("the README has a command that no test runs: %s", line)
			}
			ran++
		}
	}
	served.stop(t)
	if ran < 12 {
		t.Errorf("found %d commands in the README", ran)
	}
}

// words splits a command line as a shell does, for what the README needs of that.
func words(line string) []string {
	var words []string
	for _, found := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, found[1]+found[2]+found[3])
	}
	return words
}

// serving is a serve on its way.
type serving struct {
	base   string
	cancel context.CancelFunc
	ended  chan int
}

func serve(t *testing.T, args []string) *serving {
	t.Helper()
	said, says := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{cancel: cancel, ended: make(chan int, 1)}
	go func() {
		s.ended <- cli.Run(ctx, append(args, "--addr", "127.0.0.1:0"), cli.IO{
			In: strings.NewReader(""), Out: io.Discard, Err: says, Lookuper: envconfig.MapLookuper(nil), Now: time.Now, NewID: setup.NewID,
		})
		_ = says.Close()
	}()
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if found := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(lines.Text()); found != "" {
			s.base = found
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	if s.base == "" {
		t.Fatalf("serve %v ended with %d before it served", args, <-s.ended)
	}
	return s
}

func (s *serving) stop(t *testing.T) {
	t.Helper()
	if s == nil {
		return
	}
	s.cancel()
	if code := <-s.ended; code != 0 {
		t.Errorf("serve ended with %d", code)
	}
}

// curl sends what the curl command of the README sends.
func (s *serving) curl(t *testing.T, line string) {
	t.Helper()
	if s == nil {
		t.Fatalf("nothing serves for %s", line)
	}
	var path, body string
	for i, word := range words(line) {
		switch {
		case strings.HasPrefix(word, "http://127.0.0.1:8080/"):
			path = strings.TrimPrefix(word, "http://127.0.0.1:8080")
		case i > 0 && words(line)[i-1] == "-d":
			body = word
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+path, strings.NewReader(body))
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
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %s %v", line, response.Status, answer, err)
	}
}

// compareSection compares what stands between two markers of the README; -update rewrites it.
func compareSection(t *testing.T, name, want string) {
	t.Helper()
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, found := strings.Cut(string(data), begin)
	got, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("the README has no section %s", name)
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if settled(want) != settled(got) {
		t.Errorf("the README's section %s is stale; -update rewrites it. want:\n%s", name, want)
	}
}
