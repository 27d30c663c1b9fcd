package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// briefParts are the parts of a brief that can be printed, and the format that has each; any has the first two.
var briefParts = []struct {
	name   string
	format functions.Format
}{{"text", ""}, {"subject", ""}, {"html", functions.FormatEmail}, {"blocks", functions.FormatSlack}, {"card", functions.FormatTeams}}

func (c *command) renderBrief() *cobra.Command {
	var date, format, part, url, payload, sample string
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Write the brief of a day, as generate_brief gives it",
		Long: "Asks generate_brief for the brief of a day and prints its text as it is, also in a pipe; --json gives the\n" +
			"whole answer. With --templates an edited folder is used, in this process only: nothing that is live changes.\n" +
			"A past day gives the brief that its run stored. With --payload it prints what the webhook would carry on a sample\n" +
			"day by that payload template: a real one is put together by the run of its day.\n\n" +
			"Sample days: " + strings.Join(sampleNames(), ", ") + ".\n\n" +
			"Exit: 0 done, 1 failed, 2 wrong usage or input.",
		Example: `  retentionops brief render --date latest
  retentionops brief render --date latest --format slack --templates my/templates
  retentionops brief render --date latest --format email --part html > mail.html
  retentionops brief render --payload make --sample critical --templates my/templates`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.json = cmd.Flag("json").Changed // a person pipes a text, not JSON
			if payload != "" {
				return c.printPayload(payload, sample)
			}
			in := functions.GenerateBriefInput{Date: functions.DateRef(date), Format: functions.Format(format)}
			if err := checkPart(in, part); err != nil {
				return err
			}
			if c.templates != "" {
				if url != "" {
					return functions.Errorf(functions.InvalidArgument, "--templates does not reach what runs at --url").
						WithHint("leave one of them out")
				}
				_, files, err := c.templateFiles([]string{c.templates})
				if err != nil {
					return err
				}
				if _, err := c.soundTemplates(c.templates, files); err != nil {
					return err
				}
			}
			answers, err := c.briefs(cmd.Context(), url, in)
			if err != nil {
				return err
			}
			out, err := decode[functions.GenerateBriefOutput](answers[0])
			if err != nil {
				return err
			}
			if c.templates != "" && out.RunID != "" {
				return notAnew(out)
			}
			if c.json {
				return c.printJSON(answers[0])
			}
			return c.printPart(out, part)
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "day: YYYY-MM-DD, or latest; default today")
	cmd.Flags().StringVar(&format, "format", string(functions.Formats[0]), "form of the brief: "+formatNames())
	cmd.Flags().StringVar(&part, "part", "text", "what to print: text, subject, html (e-mail), blocks (Slack), card (Teams)")
	cmd.Flags().StringVar(&c.templates, "templates", "", "folder with edited templates, to try in place of those in use")
	cmd.Flags().StringVar(&url, "url", "", "a running serve or a deployed host; RETENTIONOPS_API_KEY is sent along")
	cmd.Flags().StringVar(&payload, "payload", "", "print a payload in place of a brief: the NAME of payload.NAME.tmpl")
	cmd.Flags().StringVar(&sample, "sample", "warning", "with --payload: the sample day")
	for _, other := range []string{"date", "format", "part", "url"} {
		cmd.MarkFlagsMutuallyExclusive("payload", other)
		cmd.MarkFlagsMutuallyExclusive("sample", other)
	}
	return cmd
}

// printPayload prints what the webhook would carry on a sample day, laid out for reading.
func (c *command) printPayload(name, sample string) error {
	day, err := fixtureOf(sample)
	if err != nil {
		return err
	}
	var named []string
	if c.templates != "" {
		named = append(named, c.templates)
	}
	folder, files, err := c.templateFiles(named)
	if err != nil {
		return err
	}
	templates, err := c.soundTemplates(folder, files)
	if err != nil {
		return err
	}
	data, err := day.Payload(templates)
	if err != nil {
		return err
	}
	body, err := templates.Payload(name, data)
	if err != nil {
		return err
	}
	return c.printJSON(json.RawMessage(body))
}

// checkPart says whether the format is known and has the part, before anything is opened.
func checkPart(in functions.GenerateBriefInput, part string) error {
	if err := in.Check(); err != nil {
		return err
	}
	var names []string
	for _, known := range briefParts {
		names = append(names, known.name)
		if known.name != part {
			continue
		}
		if known.format != "" && known.format != in.Format {
			return functions.Errorf(functions.InvalidArgument, "the %s brief has no %s", in.Format, part).
				WithHint(fmt.Sprintf("write --format %s --part %s", known.format, part))
		}
		return nil
	}
	return functions.Errorf(functions.InvalidArgument, "a brief has no part %q", part).WithHint("valid: " + strings.Join(names, ", "))
}

func formatNames() string {
	var names []string
	for _, format := range functions.Formats {
		names = append(names, string(format))
	}
	return strings.Join(names, ", ")
}

// printPart prints one part of a brief as it is.
func (c *command) printPart(out functions.GenerateBriefOutput, part string) error {
	text := out.Text
	switch part {
	case "subject":
		text = out.Subject + "\n"
	case "html":
		text = out.HTML
	case "blocks", "card":
		encoded := out.Blocks
		if part == "card" {
			encoded = json.RawMessage(out.Card)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, encoded, "", "  "); err != nil {
			return fmt.Errorf("read the %s: %w", part, err)
		}
		text = indented.String() + "\n"
	}
	_, err := io.WriteString(c.Out, text)
	return err
}

// briefs asks generate_brief for a day's brief in each of the forms.
func (c *command) briefs(ctx context.Context, url string, inputs ...functions.GenerateBriefInput) (answers []json.RawMessage, err error) {
	err = c.at(ctx, url, func(ctx context.Context, remote *client) error {
		for _, in := range inputs {
			body, err := json.Marshal(in)
			if err != nil {
				return fmt.Errorf("write the input: %w", err)
			}
			answer, err := remote.call(functions.WithReporter(ctx, c.showProgress), functions.GenerateBrief, body)
			c.clearStep()
			if err != nil {
				return err
			}
			answers = append(answers, answer)
		}
		return nil
	})
	return answers, err
}

// templateFiles are the templates to look at.
func (c *command) templateFiles(named []string) (name string, files fs.FS, err error) {
	return c.folder(named, "RETENTIONOPS_TEMPLATES", "brief_templates", brieftemplates.FS)
}

// soundTemplates reads the templates. What is wrong with them is shown in place of a brief; for a person on Err, since
// Out is for the text alone. Warnings are left to brief check.
func (c *command) soundTemplates(name string, files fs.FS) (*brief.Templates, error) {
	templates, findings := brief.Check(files)
	if findings.Errors() == 0 {
		return templates, nil
	}
	if !c.json {
		c.Out = c.Err
	}
	return nil, c.showFindings(name, findings)
}

// notAnew is the answer to who would try templates on a brief that is stored.
func notAnew(out functions.GenerateBriefOutput) error {
	return functions.Errorf(functions.FailedPrecondition, "the brief of %s is the one that its run stored; templates do not change it", out.Date).
		WithHint("an edit shows on the newest day (--date latest) and on the sample days (retentionops brief preview FOLDER)")
}

// sampleNames are the names of the sample days.
func sampleNames() []string {
	var names []string
	for _, fixture := range brief.Fixtures() {
		names = append(names, fixture.Name)
	}
	return slices.Clip(names)
}
