package cli

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

func (c *command) brief() *cobra.Command {
	cmd := &cobra.Command{Use: "brief", Short: "Check the brief templates, and see what they write", Args: cobra.NoArgs}
	format := ""
	check := &cobra.Command{
		Use:   "check [FOLDER]",
		Short: "Find every fault in the brief templates, with its place and what to write instead",
		Long: "Parses the templates of a folder and tries each on sample days. The folder is the one named, else\n" +
			"RETENTIONOPS_TEMPLATES, else ./brief_templates, else the templates built in. The payload that the rules name must\n" +
			"be among them.\n\n" +
			"Exit: 0 no findings, 1 errors, 4 warnings only.",
		Example: "  retentionops brief check\n  retentionops brief check my/templates --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, files, err := c.templateFiles(args)
			if err != nil {
				return err
			}
			_, findings := brief.Check(files)
			missing, err := c.missingPayload(files)
			if err != nil {
				return err
			}
			findings = append(findings, missing...)
			return c.showChecked(checked{Folder: name, Findings: findings}, format)
		},
	}
	cmd.AddCommand(formatFlag(check, &format), c.renderBrief(), c.previewBrief())
	return cmd
}

// missingPayload tells of a payload that the rules at hand name and no template here writes. Rules at fault are for rules
// check to tell of.
func (c *command) missingPayload(templates fs.FS) (rulebook.Findings, error) {
	name, files, err := c.ruleFiles(nil)
	if err != nil {
		return nil, err
	}
	book, _ := rulebook.Check(files)
	if book == nil {
		return nil, nil
	}
	payload, here := book.PayloadTemplate(), brief.PayloadsIn(templates)
	if len(here) == 0 || slices.Contains(here, payload) { // without any, brief.Check has said so
		return nil, nil
	}
	return rulebook.Findings{{
		File: "payload." + payload + ".tmpl", ID: "brief/file", Severity: rulebook.SeverityError,
		Message: fmt.Sprintf("the template is missing: %s/playbooks.yaml names the payload %s", name, payload),
		Hint:    "templates here: " + strings.Join(here, ", "),
	}}, nil
}
