package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/retentionops/retentionops/functions/internal/cli"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/rules"
)

// TestMain makes the command available to the stories: as a program sees it, and as a person at a terminal does.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"retentionops": func() { os.Exit(cli.Run(context.Background(), os.Args[1:], cli.System())) },
		"retentionops-at-a-terminal": func() {
			world := cli.System()
			world.Terminal = true
			os.Exit(cli.Run(context.Background(), os.Args[1:], world))
		},
	})
}

func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/stories", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			// The real orders are not part of the repository; a story asks for them with [orders].
			orders, err := filepath.Abs("../../../../shared/data/online_retail_orders.csv.gz")
			if named := os.Getenv("RETENTIONOPS_TEST_ORDERS"); named != "" {
				orders, err = named, nil
			}
			env.Setenv("ORDERS", orders)
			return err
		},
		Condition: func(condition string) (bool, error) {
			if condition != "orders" {
				return false, nil
			}
			orders := os.Getenv("RETENTIONOPS_TEST_ORDERS")
			if orders == "" {
				orders = "../../../../shared/data/online_retail_orders.csv.gz"
			}
			_, err := os.Stat(orders)
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"still": still, "edit": edit, "rulebook": rulebook},
	})
}

// still FILE: replaces in a file what differs from run to run by a word for it, so that it can be compared.
func still(script *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		script.Fatalf("usage: still FILE")
	}
	path := script.MkAbs(args[0])
	data, err := os.ReadFile(path)
	script.Check(err)
	data = bytes.ReplaceAll(data, []byte(script.Getenv("WORK")), []byte("$WORK"))
	for pattern, word := range map[string]string{
		`\b01[0-9A-HJKMNP-TV-Z]{24}\b`: "RUN", `\d+(\.\d+)?(ms|µs|s)\b`: "TIME", `\d+\.\d s\b`: "TIME",
		`\b\d{10}\.\d{6}\b`: "SLACK_TS", `\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z`: "WHEN",
		`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d`: "WHEN",
	} {
		data = regexp.MustCompile(pattern).ReplaceAll(data, []byte(word))
	}
	script.Check(os.WriteFile(path, data, 0o600))
}

// rulebook FOLDER: lays the rule files as shipped into a folder.
func rulebook(script *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		script.Fatalf("usage: rulebook FOLDER")
	}
	script.Check(os.CopyFS(script.MkAbs(args[0]), rules.FS))
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
