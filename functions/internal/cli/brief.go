package cli

import (
	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions/internal/brief"
)

func (c *command) brief() *cobra.Command {
	cmd := &cobra.Command{Use: "brief", Short: "Check the brief templates, and see what they write", Args: cobra.NoArgs}
	format := ""
	check := &cobra.Command{
		Use:   "check [FOLDER]",
		Short: "Find every fault in the brief templates, with its place and what to write instead",
		Long: "Parses the templates of a folder and tries each on sample days. The folder is the one named, else\n" +
			"RETENTIONOPS_TEMPLATES, else ./brief_templates, else the templates built in.\n\n" +
			"Exit: 0 no findings, 1 errors, 4 warnings only.",
		Example: "  retentionops brief check\n  retentionops brief check my/templates --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, files, err := c.templateFiles(args)
			if err != nil {
				return err
			}
			_, findings := brief.Check(files)
			return c.showChecked(checked{Folder: name, Findings: findings}, format)
		},
	}
	cmd.AddCommand(formatFlag(check, &format), c.renderBrief(), c.previewBrief())
	return cmd
}
