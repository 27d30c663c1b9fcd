package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

// rulesDiffed is the answer of a comparison to a program.
type rulesDiffed struct {
	Old        ruleVersion          `json:"old"`
	New        ruleVersion          `json:"new"`
	Difference *rulebook.BookDiff   `json:"difference"`
	Data       *priority.Comparison `json:"data,omitempty"`
	HTML       string               `json:"html,omitempty"`
	currency   string
}

// diffFlags are what both comparisons take.
type diffFlags struct {
	html, url string
	data      bool
	exitCode  bool
}

func (f *diffFlags) add(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.html, "html", "", "also write a page with the same tables and a picture to this file")
	cmd.Flags().StringVar(&f.url, "url", "", "for deployed: a running serve or a deployed host; RETENTIONOPS_API_KEY is sent along")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit 4 when a customer could be judged otherwise")
	return cmd
}

const diffExits = "Exit: 0 compared, 1 the files of a version are at fault or could not be read, 2 wrong usage; with --exit-code\n4 when a customer could be judged otherwise."

func (c *command) rulesDiff() *cobra.Command {
	var flags diffFlags
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what a change of the rules means: who moves, who gets another action, reason or score",
		Long: "Compares two versions by what they mean, without any data: each line holds exactly the customers that it tells of.\n" +
			"With --data it counts them among the customers of the warehouse, names the ten largest movers and asks the\n" +
			"guardrails of NEW. It reads only.\n\n" +
			"A version is a folder; a git revision such as HEAD~1, a branch, or REV:path; deployed, which is what built the\n" +
			"newest queue, or with --url what that host judges by; built-in; or a rules_version that the archive keeps.\n" +
			"A revision alone means the folder that it is compared with.\n\n" + diffExits,
		Example: `  retentionops rules diff built-in my/rules
  retentionops rules diff HEAD rules --data
  retentionops rules diff HEAD~1:rules HEAD:rules
  retentionops rules diff deployed rules --url http://127.0.0.1:8080 --html change.html`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.compareRules(cmd.Context(), args[0], args[1], flags)
		},
	}
	cmd.Flags().BoolVar(&flags.data, "data", false, "also count today's customers, from the warehouse")
	return flags.add(cmd)
}

func (c *command) rulesPreview() *cobra.Command {
	flags := diffFlags{data: true}
	cmd := &cobra.Command{
		Use:   "preview [FOLDER]",
		Short: "See who gains and who loses by the rules that you edited, before you publish them",
		Long: "Compares the rules in use with those of a folder: the one named, else --rules, else ./rules. First what the change\n" +
			"means, then whom of today's customers it moves, the ten largest movers, and what the guardrails say. It reads only.\n\n" +
			"In use is what built the newest queue; before the first queue, the rules built in; with --url what that host judges by.\n\n" + diffExits,
		Example: `  retentionops rules preview
  retentionops rules preview my/rules --html change.html
  retentionops rules preview --warehouse duckdb:warehouse.duckdb --url http://127.0.0.1:8080`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, _, err := c.ruleFiles(args)
			if err != nil {
				return err
			}
			if info, err := os.Stat(name); err != nil || !info.IsDir() {
				return functions.Errorf(functions.InvalidArgument, "there is no folder with rules to preview").
					WithHint("name one: retentionops rules preview my/rules")
			}
			return c.compareRules(cmd.Context(), "", name, flags)
		},
	}
	return flags.add(cmd)
}

// compareRules compares two versions and shows the result. An empty old one is what is in use.
func (c *command) compareRules(ctx context.Context, before, after string, flags diffFlags) (err error) {
	env := c.env(nil, "")
	defer func() {
		if closing := env.Close(); err == nil {
			err = closing
		}
	}()
	result, local, err := c.readBoth(ctx, versions{command: c, env: env, url: flags.url}, before, after)
	if err != nil {
		return err
	}
	result.currency = local.Brief().Currency
	result.Difference = rulebook.Diff(result.Old.book, result.New.book)
	if flags.data {
		result.Data, err = c.compareOnData(ctx, env, result, local.Guardrails())
		if err != nil {
			return err
		}
	}
	if flags.html != "" {
		if err := result.writePage(flags.html); err != nil {
			return err
		}
		result.HTML = flags.html
	}
	if c.json {
		err = c.printJSON(result)
	} else {
		c.showDiff(result)
	}
	if err == nil && flags.exitCode && !result.Difference.Same {
		return exit(exitWarnings)
	}
	return err
}

// readBoth reads both versions, and the book whose settings hold: the new one, or where that is only what judges, the
// one at hand.
func (c *command) readBoth(ctx context.Context, from versions, before, after string) (*rulesDiffed, *rulebook.Book, error) {
	usual, files, err := c.ruleFiles(nil)
	if err != nil {
		return nil, nil, err
	}
	beside := func(other string) string {
		if info, err := os.Stat(other); err == nil && info.IsDir() {
			return other
		}
		return usual
	}
	result := &rulesDiffed{}
	if result.New, err = from.read(ctx, after, beside(before), true); err != nil {
		return nil, nil, err
	}
	word := before
	if word == "" {
		word = wordDeployed
	}
	result.Old, err = from.read(ctx, word, beside(after), false)
	if before == "" && functions.CodeOf(err) == functions.NotFound {
		result.Old, err = from.read(ctx, wordBuiltIn, "", false)
	}
	if err != nil {
		return nil, nil, err
	}
	if result.New.whole {
		return result, result.New.book, nil
	}
	local, findings := rulebook.Check(files)
	if local == nil {
		return nil, nil, c.showFindings(usual, findings)
	}
	return result, local, nil
}

// compareOnData judges the customers of the warehouse by both.
func (c *command) compareOnData(ctx context.Context, env *setup.Env, of *rulesDiffed, limits rulebook.Guardrails) (*priority.Comparison, error) {
	tables, err := env.Warehouse(ctx)
	if err != nil {
		return nil, err
	}
	log, err := env.Log(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := log.LastSent(ctx)
	if err != nil {
		return nil, err
	}
	excluded, err := env.Exclusions(ctx)
	if err != nil {
		return nil, err
	}
	compared, err := priority.CompareBooks(functions.WithReporter(ctx, c.showProgress), tables, priority.Versions{
		Before: of.Old.book, After: of.New.book, Difference: of.Difference, Limits: limits, LastSent: sent, Excluded: excluded,
	})
	c.clearStep()
	return compared, err
}
