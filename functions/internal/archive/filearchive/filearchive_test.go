package filearchive_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/archive/archivetest"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
)

// A test program that is started again with one of these words is a child in a test across processes.
const childVariable = "RETENTIONOPS_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "claim":
		claim(os.Args[1])
	case "overwrite":
		overwrite(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

func open(t *testing.T, dir string) archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	t.Parallel()
	archivetest.Run(t, func(t *testing.T) archive.Archive {
		t.Helper()
		return open(t, filepath.Join(t.TempDir(), "made by the first write"))
	})
}

// claims is how many names the processes below compete for.
const claims = 200

// claim takes as many names as it can once its input ends, and says which.
func claim(dir string) {
	a, err := filearchive.Open(&url.URL{Scheme: "file", Path: dir})
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	for i := range claims {
		name := fmt.Sprintf("claims/%d/day", i)
		err := a.PutIfAbsent(context.Background(), name, fmt.Append(nil, os.Getpid()))
		switch {
		case err == nil:
			fmt.Println(name)
		case !errors.Is(err, archive.ErrExists):
			fmt.Println("error:", err)
		}
	}
}

func TestOneOfManyProcessesTakesAName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const processes = 4
	type child struct {
		*exec.Cmd
		stdin io.Closer
		lines *bufio.Scanner
	}
	var children []child
	for range processes {
		cmd, stdin, lines := start(t, "claim", dir)
		children = append(children, child{cmd, stdin, lines})
	}
	for _, c := range children {
		if !c.lines.Scan() || c.lines.Text() != "ready" {
			t.Fatalf("a child said %q, want ready", c.lines.Text())
		}
	}
	for _, c := range children {
		c.stdin.Close()
	}
	takenBy := map[string]int{}
	for _, c := range children {
		for c.lines.Scan() {
			if strings.HasPrefix(c.lines.Text(), "error:") {
				t.Error(c.lines.Text())
			} else if by, taken := takenBy[c.lines.Text()]; taken {
				t.Errorf("%s was taken by processes %d and %d", c.lines.Text(), by, c.Process.Pid)
			}
			takenBy[c.lines.Text()] = c.Process.Pid
		}
		if err := c.Wait(); err != nil {
			t.Errorf("child: %v", err)
		}
	}
	if len(takenBy) != claims {
		t.Errorf("%d names were taken, want all %d", len(takenBy), claims)
	}
	a := open(t, dir)
	for name, pid := range takenBy {
		if document, err := a.Get(t.Context(), name); err != nil || string(document) != fmt.Sprint(pid) {
			t.Errorf("Get(%q) = %q, %v; want the document of process %d, which took it", name, document, err, pid)
		}
	}
}

const documentSize = 16 << 20

// overwrite puts whole documents of one letter until it is killed.
func overwrite(dir string) {
	a, err := filearchive.Open(&url.URL{Scheme: "file", Path: dir})
	if err != nil {
		panic(err)
	}
	documents := [][]byte{bytes.Repeat([]byte("a"), documentSize), bytes.Repeat([]byte("b"), documentSize)}
	for i := 0; ; i++ {
		if err := a.Put(context.Background(), "day", documents[i%len(documents)]); err != nil {
			panic(err)
		}
		fmt.Println(i) // whoever kills now meets the next document half way
	}
}

func TestAKilledProcessLeavesAWholeDocument(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir)
	for round := range 6 {
		cmd, _, lines := start(t, "overwrite", dir)
		for range round + 1 {
			if !lines.Scan() {
				t.Fatal("the child wrote nothing")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		document, err := a.Get(t.Context(), "day")
		if err != nil || len(document) != documentSize || bytes.Count(document, document[:1]) != documentSize {
			t.Fatalf("Get after a kill = %d bytes, %v; want one whole document", len(document), err)
		}
	}
	// What the dead have left behind is not in the archive, and does not stand in the way of a later process.
	if err := a.Put(t.Context(), "other", nil); err != nil {
		t.Fatal(err)
	}
	names, err := a.List(t.Context(), "")
	if diff := cmp.Diff([]string{"day", "other"}, names); err != nil || diff != "" {
		t.Errorf("List: %v (-want +got)\n%s", err, diff)
	}
}

// start runs this test program again as a child.
func start(t *testing.T, word, dir string) (*exec.Cmd, io.Closer, *bufio.Scanner) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, dir)
	cmd.Env = append(os.Environ(), childVariable+"="+word)
	cmd.Stderr = os.Stderr
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
	return cmd, stdin, bufio.NewScanner(stdout)
}

func TestOnlyTheOwnerReadsDocuments(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "archive")
	a := open(t, dir)
	if err := a.Put(t.Context(), "runs/1/stage", []byte("send")); err != nil {
		t.Fatal(err)
	}
	if err := a.PutIfAbsent(t.Context(), "claims/day", []byte("x")); err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	err := fs.WalkDir(os.DirFS(filepath.Dir(dir)), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		got[name] = info.Mode()
		return err
	})
	want := map[string]fs.FileMode{
		".": fs.ModeDir | 0o700, "archive": fs.ModeDir | 0o700,
		"archive/runs": fs.ModeDir | 0o700, "archive/runs/1": fs.ModeDir | 0o700, "archive/runs/1/stage": 0o600,
		"archive/claims": fs.ModeDir | 0o700, "archive/claims/day": 0o600,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("modes: %v (-want +got)\n%s", err, diff)
	}
}

func TestALinkDoesNotLeadOutside(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"folder": outside, "document": secret} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	a := open(t, dir)
	if document, err := a.Get(t.Context(), "folder/secret"); err == nil {
		t.Errorf("Get read %q through a folder that leads outside", document)
	}
	if document, err := a.Get(t.Context(), "document"); err == nil {
		t.Errorf("Get read %q through a link that leads outside", document)
	}
	if err := a.Put(t.Context(), "folder/new", []byte("x")); err == nil {
		t.Error("Put wrote through a folder that leads outside")
	}
	if err := a.PutIfAbsent(t.Context(), "folder/newer", []byte("x")); err == nil {
		t.Error("PutIfAbsent wrote through a folder that leads outside")
	}
	if names, err := a.List(t.Context(), ""); err != nil || len(names) != 0 {
		t.Errorf("List = %q, %v; want nothing", names, err)
	}
	if err := a.Put(t.Context(), "document", []byte("ours")); err != nil { // takes the place of the link itself
		t.Errorf("Put over a link: %v", err)
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("outside now holds %v, %v", entries, err)
	}
	if content, err := os.ReadFile(secret); err != nil || string(content) != "untouched" {
		t.Errorf("the file outside now holds %q, %v", content, err)
	}
}

func TestANameThatIsAFolderIsNoClaim(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	if err := a.Put(t.Context(), "runs/1/stage", nil); err != nil {
		t.Fatal(err)
	}
	for does, err := range map[string]error{
		"PutIfAbsent of a folder":   a.PutIfAbsent(t.Context(), "runs/1", nil),
		"Put of a folder":           a.Put(t.Context(), "runs/1", nil),
		"Put below a document":      a.Put(t.Context(), "runs/1/stage/x", nil),
		"Put far below a document":  a.Put(t.Context(), "runs/1/stage/x/y/z", nil),
		"PutIfAbsent below another": a.PutIfAbsent(t.Context(), "runs/1/stage/x", nil),
	} {
		if functions.CodeOf(err) != functions.FailedPrecondition || errors.Is(err, archive.ErrExists) {
			t.Errorf("%s = %v, want failed_precondition", does, err)
		}
	}
}

func TestADirectoryThatMayNotBeWrittenIsSaidSo(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere: run as another user to see this one")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := open(t, dir).Put(t.Context(), "x", nil)
	if functions.CodeOf(err) != functions.FailedPrecondition || strings.Contains(functions.ProblemOf(err, "").Detail, dir) {
		t.Errorf("Put = %v, want failed_precondition without the path", err)
	}
}

func TestURLs(t *testing.T) {
	t.Chdir(t.TempDir()) // not parallel: a relative directory is taken from here
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"file:papers":                           "papers",
		"file:./a/../papers%20two":              "papers two",
		"file://" + here + "/abs%3F%23":         "abs?#",
		"file://localhost" + here + "/loopback": "loopback",
	} {
		a, err := archive.Open(t.Context(), text)
		if err != nil {
			t.Errorf("Open(%q): %v", text, err)
			continue
		}
		if err := a.Put(t.Context(), "x", []byte("here")); err != nil {
			t.Errorf("Put: %v", err)
		}
		if _, err := os.Stat(filepath.Join(here, want, "x")); err != nil {
			t.Errorf("Open(%q): %v", text, err)
		}
	}
	for _, text := range []string{
		"file:", "file://", "file://papers", "file://host/dir", "file:///dir?x=1", "file:///dir?", "file:///dir#a", "file://user@/dir",
		"file:a%00b",
	} {
		_, err := archive.Open(t.Context(), text)
		if functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("Open(%q) = %v, want failed_precondition", text, err)
		}
	}
}

func BenchmarkPutIfAbsent(b *testing.B) {
	a, err := archive.Open(b.Context(), "file://"+b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	document := bytes.Repeat([]byte("x"), 4<<10)
	for i := 0; b.Loop(); i++ {
		if err := a.PutIfAbsent(b.Context(), fmt.Sprintf("claims/%d", i), document); err != nil {
			b.Fatal(err)
		}
	}
}
