// Package cli is the command retentionops: it reads arguments, calls the same doors that are deployed, and shows the
// answers as tables to a person or as JSON to a program.
//
// It is not a second way to do the work: every tool call goes through its HTTP door, in this process or at --url.
package cli

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

// Exit codes beyond 0 (design section 5). A playbook that was skipped is exitSkipped.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitSkipped  = 3
	exitWarnings = 4
)

// exit ends a command with a code, after it has said all there is to say.
type exit int

// Error implements error; it is never shown.
func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// command is what all subcommands share: the world and the global flags.
type command struct {
	IO
	json      bool
	warehouse string
	rules     string
	templates string                 // a folder with brief templates that stands in for that of the environment
	verbose   bool                   // every request is logged, not only what went wrong
	fills     bool                   // the command may make a warehouse
	cause     atomic.Pointer[string] // of the last error, as a door logged it
	started   bool                   // a subcommand has begun: from here on an error is no longer one of usage
}

// Run runs a command line and answers the exit code.
func Run(ctx context.Context, args []string, world IO) int {
	c := &command{IO: world}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(world.In)
	root.SetOut(world.Out)
	root.SetErr(world.Err)
	called, err := root.ExecuteContextC(ctx)
	return c.finish(called, err)
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "retentionops",
		Short: "From a retention alert to a queue, a brief, audiences, a playbook and an audit row",
		Long: "RetentionOps turns the alert that your SQL raises every morning into work that gets done:\n" +
			"a priority queue with a reason for every customer, a brief, audience files, a playbook, an audit row.",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.ValidateFlagGroups(); err != nil { // wrong usage, which cobra would only see later
				return err
			}
			c.started = true
			c.json = c.json || !c.Terminal
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "write JSON, also on a terminal (in a pipe it is always JSON)")
	flags.StringVar(&c.warehouse, "warehouse", "", "warehouse URL (else RETENTIONOPS_WAREHOUSE, else "+defaultWarehouse+")")
	flags.StringVar(&c.rules, "rules", "", "folder with rule files (else RETENTIONOPS_RULES, else ./rules, else those built in)")
	root.AddCommand(c.demo(), c.importOrders(), c.detect(), c.serve(), c.call(), c.runs(), c.health(), c.rollout(), c.rulesCommand(), c.brief(),
		c.exclusions(), c.config(), c.check(), c.schema(), c.mcp())
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// finish says what went wrong, on Err for a person and on Out as a problem document for a program, and answers the
// exit code.
func (c *command) finish(called *cobra.Command, err error) int {
	c.clearStep()
	var ended exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return int(ended)
	case !c.started:
		_, _ = fmt.Fprintf(c.Err, "retentionops: %v\nSee: %s --help\n", err, called.CommandPath())
		return exitUsage
	}
	failure, coded := errors.AsType[*functions.Error](err)
	if !coded {
		failure = functions.Errorf(functions.CodeOf(err), "%v", err)
	}
	if c.json {
		problem := functions.ProblemOf(failure, failure.RunID)
		problem.Detail, problem.Hint = failure.Detail, failure.Hint // here the caller is the operator
		_ = c.printJSON(problem)
	}
	_, _ = fmt.Fprintf(c.Err, "%s %s\n", c.paint(bad, "retentionops:"), failure)
	if failure.Hint != "" {
		_, _ = fmt.Fprintf(c.Err, "  hint: %s\n", failure.Hint)
	}
	if cause := c.causeBeyond(failure); cause != "" {
		_, _ = fmt.Fprintf(c.Err, "  cause: %s\n", cause)
	}
	if failure.RunID != "" {
		_, _ = fmt.Fprintf(c.Err, "  run: %s\n", failure.RunID)
	}
	if failure.Code == functions.InvalidArgument {
		return exitUsage
	}
	return exitFailed
}

// causeBeyond is what the door logged of the failure beyond what the caller is told anyway.
func (c *command) causeBeyond(failure *functions.Error) string {
	logged := c.cause.Load()
	if logged == nil || strings.HasPrefix(failure.Error(), *logged) {
		return ""
	}
	return strings.TrimPrefix(*logged, failure.Error()+": ")
}

// defaultWarehouse is the embedded file that a laptop uses when nothing is said.
const defaultWarehouse = "duckdb:.retentionops/warehouse.duckdb"

// env makes the environment of a local command: flags first, then the process's variables, then what a laptop needs.
// Archive and exports stand beside an embedded warehouse, so that two warehouses never share a claim.
func (c *command) env(overrides map[string]string, phase functions.Phase) *setup.Env {
	return setup.New(c.options(overrides, phase))
}

func (c *command) options(overrides map[string]string, phase functions.Phase) setup.Options {
	settings := map[string]string{}
	if c.warehouse != "" {
		settings["RETENTIONOPS_WAREHOUSE"] = c.warehouse
	}
	if c.rules != "" {
		settings["RETENTIONOPS_RULES"] = c.rules
	}
	if c.templates != "" {
		settings["RETENTIONOPS_TEMPLATES"] = c.templates
	}
	maps.Copy(settings, overrides)
	named := envconfig.MultiLookuper(envconfig.MapLookuper(settings), c.Lookuper,
		envconfig.MapLookuper(map[string]string{"RETENTIONOPS_WAREHOUSE": defaultWarehouse}))
	beside := ".retentionops"
	if location, found := named.Lookup("RETENTIONOPS_WAREHOUSE"); found {
		if u, err := url.Parse(location); err == nil && u.Scheme == "duckdb" && u.Opaque+u.Path != "" {
			beside = filepath.Dir(u.Opaque + u.Path)
		}
	}
	defaults := map[string]string{
		"RETENTIONOPS_ARCHIVE": fileURL(beside, "archive"),
		"RETENTIONOPS_EXPORTS": fileURL(beside, "exports"),
	}
	// What somebody edits here is what counts here; the checks look at the same folders.
	for variable, usual := range map[string]string{"RETENTIONOPS_RULES": "rules", "RETENTIONOPS_TEMPLATES": "brief_templates"} {
		if info, err := os.Stat(usual); err == nil && info.IsDir() {
			defaults[variable] = usual
		}
	}
	return setup.Options{
		Lookuper: envconfig.MultiLookuper(named, envconfig.MapLookuper(defaults)), Logger: c.logger(), Now: c.Now, NewID: c.NewID,
		Today: c.Today, Phase: phase, CheckWarehouse: c.mustExist,
	}
}

func fileURL(parts ...string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(parts...)}).EscapedPath()}).String()
}

// logger writes log lines to Err. A command that ends at once says itself what a caller is told, and keeps of its log
// what only the operator may know: the cause of the last error.
func (c *command) logger() *slog.Logger {
	logger := door.NewLogger(c.Err)
	if c.verbose {
		return logger
	}
	return slog.New(causeKeeper{logger.Handler(), c})
}

type causeKeeper struct {
	slog.Handler
	command *command
}

// Handle implements slog.Handler.
func (h causeKeeper) Handle(_ context.Context, line slog.Record) error {
	line.Attrs(func(attr slog.Attr) bool {
		if attr.Key == "error" {
			cause := attr.Value.String()
			h.command.cause.Store(&cause)
		}
		return true
	})
	return nil
}

// mustExist refuses an embedded warehouse file that is not there.
func (c *command) mustExist(location string) error {
	u, err := url.Parse(location)
	if c.fills || err != nil || u.Scheme != "duckdb" || u.Opaque+u.Path == "" || strings.Contains(location, ":memory:") {
		return nil //nolint:nilerr // the driver judges it
	}
	if _, err := os.Stat(u.Opaque + u.Path); err != nil {
		return functions.Errorf(functions.FailedPrecondition, "there is no warehouse at %s", u.Opaque+u.Path).
			WithHint("fill one with: " + c.Name + " import, or name another with --warehouse").WithCause(err)
	}
	return nil
}

// embedded is the connection to the embedded warehouse, on which the shop writes the input tables.
func embedded(ctx context.Context, env *setup.Env) (*sql.DB, error) {
	opened, err := env.Warehouse(ctx)
	if err != nil {
		return nil, err
	}
	driver, ok := opened.Driver().(interface{ DB() *sql.DB })
	if !ok {
		return nil, functions.Errorf(functions.FailedPrecondition, "orders can only be loaded into an embedded warehouse").
			WithHint("use --warehouse duckdb:path/file.duckdb")
	}
	return driver.DB(), nil
}

// decode reads an answer into its type.
func decode[T any](data json.RawMessage) (T, error) {
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("read the answer: %w", err)
	}
	return value, nil
}
