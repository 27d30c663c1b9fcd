package cli_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/rogpeppe/go-internal/testscript"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions/internal/cli"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/rules"
)

// todayVariable is how a story, or a test of the process, says which day it is: data of another year must not leave.
const todayVariable = "TODAY"

// TestMain makes the command available to the stories: as a program sees it, and as a person at a terminal does.
func TestMain(m *testing.M) {
	run := func(world cli.IO) {
		if day := os.Getenv(todayVariable); day != "" {
			var err error
			if world.Today, err = civil.ParseDate(day); err != nil {
				panic(err)
			}
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := cli.Run(ctx, os.Args[1:], world)
		stop()
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){
		"retentionops": func() { run(cli.System()) },
		"retentionops-at-a-terminal": func() {
			world := cli.System()
			world.Terminal = true
			run(world)
		},
	})
}

func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/stories", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			orders, err := filepath.Abs(realOrders())
			env.Setenv("ORDERS", orders)
			return err
		},
		Condition: func(condition string) (bool, error) {
			_, missing := os.Stat(realOrders())
			return condition == "orders" && missing == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"edit": edit, "rulebook": lay(rules.FS), "templates": lay(brieftemplates.FS)},
	})
}

// realOrders is where the real orders lie; they are not part of the repository. A story asks for them with [orders].
func realOrders() string {
	if named := os.Getenv("RETENTIONOPS_TEST_ORDERS"); named != "" {
		return named
	}
	return "../../../../shared/data/online_retail_orders.csv.gz"
}

// settled replaces what differs from run to run by a word for it.
func settled(text string) string {
	for _, one := range []struct{ pattern, word string }{
		{`\b01[0-9A-HJKMNP-TV-Z]{24}\b`, "RUN"},
		{`\b\d{10}\.\d{6}\b`, "SLACK_TS"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z`, "WHEN"},
		{`\d+(\.\d+)? ?(ms|µs|s)\b`, "TIME"},
	} {
		text = regexp.MustCompile(one.pattern).ReplaceAllString(text, one.word)
	}
	return text
}

// lay is a command of the stories, with a folder: lays files as shipped into it.
func lay(files fs.FS) func(*testscript.TestScript, bool, []string) {
	return func(script *testscript.TestScript, _ bool, args []string) {
		if len(args) != 1 {
			script.Fatalf("name a folder")
		}
		script.Check(os.CopyFS(script.MkAbs(args[0]), files))
	}
}

// edit FILE OLD NEW: replaces a text that must be there.
func edit(script *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		script.Fatalf("usage: edit FILE OLD NEW")
	}
	path := script.MkAbs(args[0])
	data, err := os.ReadFile(path)
	script.Check(err)
	if !bytes.Contains(data, []byte(args[1])) {
		script.Fatalf("%s does not say %q", args[0], args[1])
	}
	script.Check(os.WriteFile(path, bytes.ReplaceAll(data, []byte(args[1]), []byte(args[2])), 0o600))
}
