package cli

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

func (c *command) rulesBook() *cobra.Command {
	var html string
	cmd := &cobra.Command{
		Use:   "book [FOLDER]",
		Short: "Print the rules as a document for people who do not open the files",
		Long: "Prints the rules as Markdown: tiers in words, actions, score with its ranges, playbooks, guardrails,\n" +
			"examples, vocabulary and facts. --html writes the same as one HTML file that loads and runs nothing.\n" +
			"In a pipe it is Markdown too; --json gives the document in parts.\n\n" +
			"Exit: 0 printed, 1 the rules have errors.",
		Example: "  retentionops rules book\n  retentionops rules book my/rules --html rules.html",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, files, err := c.ruleFiles(args)
			if err != nil {
				return err
			}
			book, findings := rulebook.Check(files)
			if book == nil {
				return c.showFindings(name, findings)
			}
			today, err := c.today(cmd.Context())
			if err != nil {
				return err
			}
			page, err := book.Page(files, today)
			if err != nil {
				return err
			}
			if html != "" {
				return c.writePage(html, page)
			}
			if cmd.Flags().Changed("json") && c.json {
				return c.printJSON(page)
			}
			return page.Markdown(c.Out)
		},
	}
	cmd.Flags().StringVar(&html, "html", "", "write HTML to this file instead")
	return cmd
}

// writePage writes the document as HTML and says where.
func (c *command) writePage(path string, page rulebook.Page) error {
	var out bytes.Buffer
	if err := page.HTML(&out); err != nil {
		return err
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil { //nolint:gosec // it is for others to read
		return fmt.Errorf("write the rules as HTML: %w", err)
	}
	if c.json {
		return c.printJSON(map[string]string{"file": path, "rules_version": page.RulesVersion})
	}
	c.printf("%s  rules_version %s\n", path, page.RulesVersion)
	return nil
}
