package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// exampleRun is what `rules test` was asked for.
type exampleRun struct {
	all      bool
	coverage bool
	data     bool
	junit    string
}

func (c *command) rulesTest() *cobra.Command {
	var run exampleRun
	cmd := &cobra.Command{
		Use:   "test [FOLDER]",
		Short: "Run the examples beside the rules (*_test.yaml)",
		Long: "Judges every example in *_test.yaml by the rules of the same folder and compares.\n\n" +
			"--coverage lists the rules, conditions, mentions and actions that no example reaches. A condition is\n" +
			"reached when an example made it true and another false, in the order in which a customer is judged:\n" +
			"what comes after a rule that fits is not asked. With --data it also lists those that none of today's\n" +
			"customers reaches. What is not reached is no failure.\n\n" +
			"Exit: 0 all passed, 1 otherwise.",
		Example: "  retentionops rules test\n  retentionops rules test my/rules --coverage\n" +
			"  retentionops rules test --data --json\n  retentionops rules test --junit report.xml",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, files, err := c.ruleFiles(args)
			if err != nil {
				return err
			}
			return c.runExamples(cmd.Context(), name, files, run)
		},
	}
	cmd.Flags().BoolVar(&run.all, "all", false, "also list the examples that passed, each with its time")
	cmd.Flags().BoolVar(&run.coverage, "coverage", false, "list what no example reaches (JSON always holds it)")
	cmd.Flags().BoolVar(&run.data, "data", false, "also list what none of today's customers reaches; reads the warehouse")
	cmd.Flags().StringVar(&run.junit, "junit", "", "also write the outcome as JUnit XML to this file")
	return cmd
}

func (c *command) runExamples(ctx context.Context, name string, files fs.FS, run exampleRun) error {
	book, findings := rulebook.Check(files)
	if book == nil {
		return c.refuseExamples(name, findings, run)
	}
	report, err := rulebook.TestTimed(book, files, c.Now)
	if faults, ok := err.(rulebook.Findings); ok { //nolint:errorlint // TestTimed promises the findings themselves
		return c.refuseExamples(name, faults, run)
	}
	if err != nil {
		return err
	}
	report.Coverage = report.Coverage.Knowing(findings)
	if run.data {
		if err := c.coverCustomers(ctx, book, &report); err != nil {
			return err
		}
	}
	report = report.Under(name)
	if err := writeJUnit(run.junit, report.WriteJUnit); err != nil {
		return err
	}
	if err := c.showExamples(report, run); err != nil {
		return err
	}
	if report.Failed > 0 {
		return exit(exitFailed)
	}
	return nil
}

// refuseExamples shows why no example could be run.
func (c *command) refuseExamples(name string, findings rulebook.Findings, run exampleRun) error {
	if err := writeJUnit(run.junit, findings.Under(name).WriteJUnit); err != nil {
		return err
	}
	return c.showFindings(name, findings)
}

// coverCustomers adds what today's customers reach.
func (c *command) coverCustomers(ctx context.Context, book *rulebook.Book, report *rulebook.Report) error {
	env := c.env(nil, "")
	defer func() { _ = env.Close() }() // it was only read
	warehouse, err := env.Warehouse(ctx)
	if err != nil {
		return err
	}
	reach, of, err := priority.Reach(ctx, warehouse, book)
	if err != nil {
		return err
	}
	report.Coverage = report.Coverage.With(reach, of)
	return nil
}

func (c *command) showExamples(report rulebook.Report, run exampleRun) error {
	if c.json {
		return c.printJSON(report)
	}
	if run.all {
		for _, result := range report.Results {
			if result.Passed() {
				c.printf("ok   %s:%d: %s (%.3f ms)\n", result.File, result.Line, result.Name, result.Milliseconds)
			}
		}
	}
	if err := report.Write(c.Out); err != nil {
		return err
	}
	if run.coverage || run.data {
		return report.Coverage.Write(c.Out)
	}
	return nil
}

// writeJUnit writes to a file, if one is named.
func writeJUnit(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	var out bytes.Buffer
	if err := write(&out); err != nil {
		return err
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil { //nolint:gosec // a report is for others to read
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	return nil
}
