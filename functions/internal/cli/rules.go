package cli

import (
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

func (c *command) rulesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "Check, test, format and explain the rule files", Args: cobra.NoArgs}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check [FOLDER]",
			Short: "Find every fault in the rule files, with its place and what to write instead",
			Long: "Checks the rule files of a folder: the one named, else --rules, else ./rules, else those built in.\n\n" +
				"Exit: 0 no findings, 1 errors, 4 warnings only.",
			Example: "  retentionops rules check\n  retentionops rules check my/rules --json",
			Args:    cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				name, files, err := c.ruleFiles(args)
				if err != nil {
					return err
				}
				book, findings := rulebook.Check(files)
				return c.showFindings(name, versionOf(book), findings)
			},
		},
		c.rulesTest(), c.rulesFmt(),
	)
	return cmd
}

func versionOf(book *rulebook.Book) string {
	if book == nil {
		return ""
	}
	return book.Version()
}

// ruleFiles are the rule files to look at.
func (c *command) ruleFiles(args []string) (name string, files fs.FS, err error) {
	return c.folder(append(args, c.rules), "RETENTIONOPS_RULES", "rules", rules.FS)
}

// folder is the folder to look at and its name as a person would type it: the first that is named, else that of the
// variable, else the usual one where it stands, else what is built in, under the usual name.
func (c *command) folder(named []string, variable, usual string, builtIn fs.FS) (name string, files fs.FS, err error) {
	setting, _ := c.Lookuper.Lookup(variable)
	for _, name := range append(named, setting) {
		if name == "" {
			continue
		}
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			return "", nil, functions.Errorf(functions.InvalidArgument, "%q is not a folder", name).WithHint("name a folder like " + usual)
		}
		return name, os.DirFS(name), nil
	}
	if info, missing := os.Stat(usual); missing == nil && info.IsDir() {
		return usual, os.DirFS(usual), nil
	}
	return usual, builtIn, nil
}

// checked is the answer of a check to a program.
type checked struct {
	Folder       string            `json:"folder"`
	RulesVersion string            `json:"rules_version,omitempty"`
	Errors       int               `json:"errors"`
	Warnings     int               `json:"warnings"`
	Findings     rulebook.Findings `json:"findings"`
}

// showFindings shows what a check of files found; its error is the exit.
func (c *command) showFindings(name, version string, findings rulebook.Findings) error {
	result := checked{Folder: name, RulesVersion: version, Findings: findings.Under(name)}
	if result.Findings == nil {
		result.Findings = rulebook.Findings{}
	}
	for _, finding := range findings {
		switch finding.Severity {
		case rulebook.SeverityError:
			result.Errors++
		case rulebook.SeverityWarning:
			result.Warnings++
		}
	}
	if c.json {
		if err := c.printJSON(result); err != nil {
			return err
		}
	} else {
		if err := result.Findings.Write(c.Out); err != nil {
			return err
		}
		c.printf("%s: %s, %s", name, plural(int64(result.Errors), "error"), plural(int64(result.Warnings), "warning"))
		if result.RulesVersion != "" {
			c.printf("   rules_version %s", result.RulesVersion)
		}
		c.printf("\n")
	}
	switch {
	case result.Errors > 0:
		return exit(exitFailed)
	case result.Warnings > 0:
		return exit(exitWarnings)
	}
	return nil
}
