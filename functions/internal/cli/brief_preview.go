package cli

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/brief/preview"
)

// previewFile is where the page goes when nobody says. It is the same each time, so that reloading it shows an edit.
var previewFile = filepath.Join(".retentionops", "brief_preview.html")

// previewed is the answer of a preview to a program.
type previewed struct {
	HTML      string           `json:"html"` // where the page lies
	Day       string           `json:"day"`
	Templates string           `json:"templates"`
	Briefs    []previewBrief   `json:"briefs"`
	Payloads  []previewPayload `json:"payloads"` // of a sample day
}

type previewPayload struct {
	Template string     `json:"template"`
	Size     brief.Size `json:"size"`
}

type previewBrief struct {
	Format  functions.Format `json:"format"`
	Subject string           `json:"subject"`
	Cut     bool             `json:"cut"` // whether it was cut to fit
	Sizes   []brief.Size     `json:"sizes"`
}

func (c *command) previewBrief() *cobra.Command {
	var date, sample, file string
	cmd := &cobra.Command{
		Use:   "preview [FOLDER]",
		Short: "Show the brief in all formats on one page, before an edit is live",
		Long: "Writes one HTML page with the brief in all formats side by side, each with its size beside what its medium\n" +
			"takes: of a sample day, with what the webhook would carry, or with --date of a day in the warehouse. The page\n" +
			"needs nothing else and runs nothing.\n" +
			"The templates are those of the folder named, else RETENTIONOPS_TEMPLATES, else ./brief_templates, else those\n" +
			"built in. With --date the page holds what a brief holds: mind who can read the file.\n\n" +
			"Sample days: " + strings.Join(sampleNames(), ", ") + ".\n\n" +
			"Exit: 0 done, 1 faults in the templates or no brief of that day, 2 wrong usage or input.",
		Example: `  retentionops brief preview
  retentionops brief preview my/templates --sample critical
  retentionops brief preview my/templates --date latest --html preview.html`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "-" {
				c.json = cmd.Flag("json").Changed // Out is for the page alone
			}
			name, files, err := c.templateFiles(args)
			if err != nil {
				return err
			}
			templates, err := c.soundTemplates(name, files)
			if err != nil {
				return err
			}
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				c.templates = name
			} else {
				name = "those built in"
			}
			page := preview.Page{Templates: name}
			if cmd.Flags().Changed("date") {
				err = c.realDay(cmd.Context(), &page, functions.DateRef(date), len(args) > 0)
			} else {
				err = sampleDay(&page, templates, sample)
			}
			if err != nil {
				return err
			}
			return c.showPreview(page, file)
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "a day in the warehouse: YYYY-MM-DD, or latest")
	cmd.Flags().StringVar(&sample, "sample", "warning", "a sample day: "+strings.Join(sampleNames(), ", "))
	cmd.Flags().StringVar(&file, "html", previewFile, "the page's file; - prints the page")
	cmd.MarkFlagsMutuallyExclusive("date", "sample")
	return cmd
}

// sampleDay writes the brief of a made-up day.
func sampleDay(page *preview.Page, templates *brief.Templates, sample string) error {
	day, err := fixtureOf(sample)
	if err != nil {
		return err
	}
	page.Day = "the sample day " + sample + ", all of it made up"
	data := brief.Compose(day.Input)
	for _, format := range functions.Formats {
		out, err := templates.Render(format, data)
		if err != nil {
			return err
		}
		page.Briefs = append(page.Briefs, out)
	}
	payload, err := day.Payload(templates)
	if err != nil {
		return err
	}
	for _, name := range templates.PayloadNames() {
		body, err := templates.Payload(name, payload)
		if err != nil {
			return err
		}
		page.Payloads = append(page.Payloads, preview.Payload{Template: "payload." + name + ".tmpl", Body: body})
	}
	return nil
}

// fixtureOf is the sample day of that name.
func fixtureOf(name string) (brief.Fixture, error) {
	fixtures := brief.Fixtures()
	i := slices.IndexFunc(fixtures, func(f brief.Fixture) bool { return f.Name == name })
	if i < 0 {
		return brief.Fixture{}, functions.Errorf(functions.InvalidArgument, "there is no sample day %q", name).
			WithHint("valid: " + strings.Join(sampleNames(), ", "))
	}
	return fixtures[i], nil
}

// realDay asks for the brief of a day in the warehouse. A brief that is stored shows no edit: who named a folder to
// try is told so.
func (c *command) realDay(ctx context.Context, page *preview.Page, date functions.DateRef, named bool) error {
	if err := date.Check(); err != nil {
		return err
	}
	var inputs []functions.GenerateBriefInput
	for _, format := range functions.Formats {
		inputs = append(inputs, functions.GenerateBriefInput{Date: date, Format: format})
	}
	answers, err := c.briefs(ctx, "", inputs...)
	if err != nil {
		return err
	}
	for _, answer := range answers {
		out, err := decode[functions.GenerateBriefOutput](answer)
		if err != nil {
			return err
		}
		page.Day = "the day in the warehouse"
		if out.RunID != "" {
			if named {
				return notAnew(out)
			}
			page.Day, page.Templates = "as run "+out.RunID+" stored it", "those of that run"
		}
		page.Briefs = append(page.Briefs, out)
	}
	return nil
}

// showPreview writes the page and says where it is and how large the briefs are.
func (c *command) showPreview(page preview.Page, file string) error {
	if file == "-" {
		return page.Write(c.Out)
	}
	var written bytes.Buffer
	if err := page.Write(&written); err != nil {
		return err
	}
	if file == previewFile {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return notWritable(file, err)
		}
	}
	if err := os.WriteFile(file, written.Bytes(), 0o600); err != nil {
		return notWritable(file, err)
	}
	result := previewed{HTML: file, Day: page.Day, Templates: page.Templates}
	for _, out := range page.Briefs {
		result.Briefs = append(result.Briefs, previewBrief{out.Format, out.Subject, brief.Cut(out), brief.Sizes(out)})
	}
	for _, one := range page.Payloads {
		result.Payloads = append(result.Payloads, previewPayload{one.Template, brief.SizeOfPayload(one.Body)})
	}
	if c.json {
		return c.printJSON(result)
	}
	first := page.Briefs[0]
	c.printf("Brief of %s, %s: %s. Templates: %s.\n\n", first.Date, c.paint(bold, string(first.Severity)), page.Day, page.Templates)
	table := c.newTable("format", "part", "size", "limit", "")
	row := func(name string, size brief.Size) {
		unit := size.Unit
		if !size.Fits() {
			unit = c.paint(bad, size.Unit+": too long")
		}
		table.AppendRow([]any{name, size.Part, humanize.Comma(int64(size.Size)), humanize.Comma(int64(size.Limit)), unit})
	}
	for _, one := range result.Briefs {
		for _, size := range one.Sizes {
			row(string(one.Format), size)
		}
	}
	for _, one := range result.Payloads {
		row(one.Template, one.Size)
	}
	table.Render()
	for _, one := range result.Briefs {
		if one.Cut {
			c.printf("\n%s the %s message is too long and was cut; shorten its template.\n", c.paint(wary, "Note:"), one.Format)
		}
	}
	c.printf("\nOpen %s\n", address(file))
	return nil
}

func notWritable(file string, err error) error {
	return functions.Errorf(functions.FailedPrecondition, "the page %s cannot be written", file).
		WithHint("name a file in a folder that is there, with --html").WithCause(err)
}

// address is a file as a browser opens it.
func address(file string) string {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	return (&url.URL{Scheme: "file", Path: absolute}).String()
}
