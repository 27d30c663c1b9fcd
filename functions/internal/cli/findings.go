package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// checked is the answer of a check to a program.
type checked struct {
	Folder       string               `json:"folder"`
	RulesVersion string               `json:"rules_version,omitempty"`
	ScoreRanges  []rulebook.TierScore `json:"score_ranges,omitempty"`
	Errors       int                  `json:"errors"`
	Warnings     int                  `json:"warnings"`
	Notes        int                  `json:"notes"`
	Findings     rulebook.Findings    `json:"findings"`
}

// The forms in which findings are shown.
const (
	formText   = "text"
	formJSON   = "json"
	formGitHub = "github"
)

// rulesCheck is the command rules check.
func (c *command) rulesCheck() *cobra.Command {
	format := ""
	cmd := &cobra.Command{
		Use:   "check [FOLDER]",
		Short: "Find every fault in the rule files, with its place and what to write instead",
		Long: "Checks the rule files of a folder: the one named, else --rules, else ./rules, else those built in.\n\n" +
			"An error keeps the files from being used. A warning does not, but most likely something else was meant: rules\n" +
			"that overlap, a condition without an effect, an action that nobody reaches. A note is worth knowing. Each is\n" +
			"proven from the vocabulary and the facts in fields.yaml, without any data. The last line gives the range that\n" +
			"the scores of each tier lie in. It also reminds of silences that have ended, and asks whether the brief templates\n" +
			"have the payload that playbooks.yaml names.\n\n" +
			"Exit: 0 no findings or notes only, 1 errors, 4 warnings only.",
		Example: "  retentionops rules check\n  retentionops rules check my/rules --json\n  retentionops rules check --format github",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, files, err := c.ruleFiles(args)
			if err != nil {
				return err
			}
			today, err := c.today(cmd.Context())
			if err != nil {
				return err
			}
			book, findings := rulebook.Check(files)
			result := checked{Folder: name, Findings: findings}
			if book != nil {
				result.RulesVersion, result.ScoreRanges = book.Version(), book.ScoreRanges()
				result.Findings = append(result.Findings, book.Reminders(today)...)
				_, templates, err := c.templateFiles(nil)
				if err != nil {
					return err
				}
				result.Findings = append(result.Findings, book.CheckPayload(brief.PayloadsIn(templates))...)
			}
			return c.showChecked(result, format)
		},
	}
	return formatFlag(cmd, &format)
}

// formatFlag adds --format to a check.
func formatFlag(cmd *cobra.Command, format *string) *cobra.Command {
	cmd.Flags().StringVar(format, "format", "", "text, json or github (lines that GitHub shows beside a change)")
	return cmd
}

// showFindings shows what a check of files found; its error is the exit.
func (c *command) showFindings(name string, findings rulebook.Findings) error {
	return c.showChecked(checked{Folder: name, Findings: findings}, "")
}

// showChecked shows what a check found, in a form; without one, as text on a terminal and else as JSON. Its error is
// the exit.
func (c *command) showChecked(result checked, format string) error {
	findings := result.Findings.Under(result.Folder)
	if findings == nil {
		findings = rulebook.Findings{}
	}
	result.Findings = findings
	result.Errors = findings.Count(rulebook.SeverityError)
	result.Warnings = findings.Count(rulebook.SeverityWarning)
	result.Notes = findings.Count(rulebook.SeverityNote)
	if format == "" {
		format = formText
		if c.json {
			format = formJSON
		}
	}
	switch format {
	case formJSON:
		if err := c.printJSON(result); err != nil {
			return err
		}
	case formGitHub:
		for _, finding := range findings {
			c.printf("%s\n", annotation(finding))
		}
		c.summarize(result)
	case formText:
		err := findings.WriteIn(c.Out, func(severity rulebook.Severity, text string) string {
			if severity == rulebook.SeverityNote {
				return c.paint(faint, text)
			}
			return text
		})
		if err != nil {
			return err
		}
		c.summarize(result)
	default:
		return functions.Errorf(functions.InvalidArgument, "there is no format %q", format).
			WithHint("--format is text, json or github")
	}
	switch {
	case result.Errors > 0:
		return exit(exitFailed)
	case result.Warnings > 0:
		return exit(exitWarnings)
	}
	return nil
}

// summarize writes the last line.
func (c *command) summarize(result checked) {
	ranges := make([]string, len(result.ScoreRanges))
	for i, scores := range result.ScoreRanges {
		ranges[i] = scores.String()
	}
	if len(ranges) > 0 {
		c.printf("%s   ", strings.Join(ranges, "  "))
	}
	c.printf("%s: %s, %s", result.Folder, retention.Counted(result.Errors, "error"), retention.Counted(result.Warnings, "warning"))
	if result.Notes > 0 {
		c.printf(", %s", retention.Counted(result.Notes, "note"))
	}
	if result.RulesVersion != "" {
		c.printf("   rules_version %s", result.RulesVersion)
	}
	c.printf("\n")
}

// What GitHub reads otherwise in a message and in a property of a workflow command.
var (
	inMessage  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	inProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// annotation is a finding as a workflow command of GitHub, which shows it beside the line of a change.
func annotation(f rulebook.Finding) string {
	command := map[rulebook.Severity]string{
		rulebook.SeverityError: "error", rulebook.SeverityWarning: "warning", rulebook.SeverityNote: "notice",
	}[f.Severity]
	properties := "file=" + inProperty.Replace(f.File)
	if f.Line > 0 {
		properties += fmt.Sprintf(",line=%d,col=%d", f.Line, f.Column)
	}
	message := f.Message
	if len(f.Facts) > 0 {
		message += "\nfacts: " + strings.Join(f.Facts, ", ")
	}
	if f.Hint != "" {
		message += "\nhint: " + f.Hint
	}
	return fmt.Sprintf("::%s %s,title=%s::%s", command, properties, inProperty.Replace(f.ID), inMessage.Replace(message))
}
