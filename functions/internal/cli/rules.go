package cli

import (
	"context"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/rules"
)

func (c *command) rulesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rules", Short: "Check, test, format and explain the rule files", Args: cobra.NoArgs}
	cmd.AddCommand(
		c.rulesCheck(), c.rulesTest(), c.rulesDiff(), c.rulesPreview(), c.rulesFmt(), c.rulesSchema(), c.rulesExplain(),
		c.rulesVerify(), c.rulesBook(),
	)
	return cmd
}

// today is the present day in the configured time zone: what ends and begins in the rules is asked of it.
func (c *command) today(ctx context.Context) (functions.Date, error) {
	return c.env(nil, "").Today(ctx)
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
