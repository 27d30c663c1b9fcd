package cli_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program starts the command as a process of its own, by the name under which TestMain knows it.
func program(t *testing.T, folder string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "retentionops")
	if err := os.Symlink(self, name); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = folder
	return cmd
}

// TestSIGTERMDuringAnImportIsNotSuccess stops an import on its way: whoever started it must see that it did not end well.
func TestSIGTERMDuringAnImportIsNotSuccess(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	cmd := program(t, folder, "import", "--generate", "3000000", "--date", "2026-01-12")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, ".retentionops", "warehouse.duckdb")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the import does not begin")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exited *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exited) {
		t.Errorf("an import that was stopped ended with %v", err)
	}
}

// TestSIGTERMEndsServeInGoodOrder stops a serve that nobody calls. It listens on every address of the machine and names the
// one at which it can be called.
func TestSIGTERMEndsServeInGoodOrder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if output, err := program(t, folder, "import", "--generate", "500").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	cmd := program(t, folder, "serve", "--addr", "0.0.0.0:0")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if _, address, told := strings.Cut(lines.Text(), "http://"); told {
			if !strings.HasPrefix(address, "127.0.0.1:") {
				t.Errorf("serve says that it is at %s", address)
			}
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve ended with %v, want 0", err)
	}
}
