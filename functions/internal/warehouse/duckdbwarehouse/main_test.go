package duckdbwarehouse_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

// The environment of a child process: what it plays, on which file, and from which generation on.
const (
	playEnv  = "RETENTIONOPS_TEST_PLAY"
	fileEnv  = "RETENTIONOPS_TEST_FILE"
	firstEnv = "RETENTIONOPS_TEST_FIRST"
)

// TestMain lets the test binary play a second process on a warehouse file.
func TestMain(m *testing.M) {
	switch os.Getenv(playEnv) {
	case "":
		os.Exit(m.Run())
	case "open":
		playOpen(os.Getenv(fileEnv))
	case "replace":
		first, err := strconv.Atoi(os.Getenv(firstEnv))
		if err != nil {
			panic(err)
		}
		playReplace(os.Getenv(fileEnv), first)
	}
}

// process makes a child process that plays a part on a warehouse file.
func process(t *testing.T, play, file string, first int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), playEnv+"="+play, fileEnv+"="+file, firstEnv+"="+strconv.Itoa(first))
	cmd.Stderr = os.Stderr
	return cmd
}

// playOpen opens the file and tells, as JSON, the problem that a caller would get.
func playOpen(file string) {
	w, err := warehouse.Open(context.Background(), "duckdb://"+file)
	if err == nil {
		defer w.Close()
	}
	if err := json.NewEncoder(os.Stdout).Encode(functions.ProblemOf(err, "")); err != nil {
		panic(err)
	}
}

// playReplace replaces a day's queue for ever, and says before and after each generation that it does.
func playReplace(file string, first int) {
	w, err := duckdbwarehouse.Open(context.Background(), file)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	say := func(what string, n int) {
		fmt.Fprintln(out, what, n)
		if err := out.Flush(); err != nil {
			panic(err)
		}
	}
	for n := first; ; n++ {
		rows := generation(n)
		say("begin", n)
		if _, err := w.ReplaceQueue(context.Background(), monday, rows, functions.Date{}); err != nil {
			panic(err)
		}
		say("done", n)
	}
}
