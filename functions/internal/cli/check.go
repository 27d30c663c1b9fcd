package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// looked is one thing that a check looked at.
type looked struct {
	What  string   `json:"what"`
	Fault string   `json:"fault,omitempty"` // empty: it is as it should be
	Hint  string   `json:"hint,omitempty"`
	More  []string `json:"more,omitempty"` // each difference of a table
	Note  string   `json:"note,omitempty"` // what was found, or why it is left out
}

func (c *command) check() *cobra.Command {
	explain := false
	cmd := &cobra.Command{
		Use: "check", Short: "Look whether everything that a run needs is there: settings, rules, tables, places, mail", Args: cobra.NoArgs,
		Long: "Opens what the settings name and reads what it must, and writes nothing. Tables are compared column by column.\n\n" +
			"--explain has the warehouse judge every statement without running it, and lists the bytes that each would bill.\n\n" +
			"Exit: 0 all is there, 1 something is not.",
		Example: "  retentionops check\n  retentionops check --explain --warehouse 'bigquery://acme/retention?inputs=acme.detection'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if explain {
				return c.explainCosts(cmd.Context())
			}
			return c.checkAll(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&explain, "explain", false, "list the bytes that each statement would bill; runs none")
	return cmd
}

func (c *command) checkAll(ctx context.Context) error {
	overrides := map[string]string{}
	if mode, _ := c.Lookuper.Lookup("RETENTIONOPS_AUTH"); mode == "" {
		overrides["RETENTIONOPS_AUTH"] = string(door.ModeLocal) // as serve takes it; deploy.sh sets one for a function
	}
	env := c.env(overrides, "")
	defer func() { _ = env.Close() }() // it was only read
	results := []looked{
		look("settings", func() (string, error) { return checkSettings(ctx, env) }),
		look("rules and templates", func() (string, error) {
			book, err := env.Rules(ctx)
			if err == nil {
				_, err = env.Templates(ctx)
			}
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("version %s, phase %s", book.Version(), book.Rollout().Phase), nil
		}),
		checkTables(ctx, env),
		look("archive", func() (string, error) {
			papers, err := env.Archive(ctx)
			if err == nil {
				_, err = papers.List(ctx, "claims/")
			}
			return "", err
		}),
		look("exports", func() (string, error) { _, err := env.Exports(ctx); return "", err }),
		look("exclusion list", func() (string, error) {
			list, err := env.Exclusions(ctx)
			if err != nil || list == nil {
				return "none is configured", err
			}
			return fmt.Sprintf("%d entries", list.Len()), nil
		}),
		look("mail", func() (string, error) { return checkMail(ctx, env) }),
		look("webhook", func() (string, error) { return checkWebhook(ctx, env) }),
	}
	faults := 0
	for _, result := range results {
		if result.Fault != "" {
			faults++
		}
	}
	if c.json {
		if err := c.printJSON(struct {
			Looked []looked `json:"looked_at"`
			Faults int      `json:"faults"`
		}{results, faults}); err != nil {
			return err
		}
	} else {
		c.tellLooked(results)
	}
	if faults > 0 {
		return exit(exitFailed)
	}
	return nil
}

// look looks at one thing.
func look(what string, at func() (note string, err error)) looked {
	note, err := at()
	if err == nil {
		return looked{What: what, Note: note}
	}
	problem := functions.ProblemOf(err, "")
	result := looked{What: what, Fault: problem.Detail, Hint: problem.Hint}
	if result.Fault == "" {
		result.Fault = err.Error() // here the caller is the operator
	}
	return result
}

// checkSettings reads the values that a call would refuse, and whether the door would open.
func checkSettings(ctx context.Context, env *setup.Env) (string, error) {
	zone, err := env.Zone(ctx)
	if err != nil {
		return "", err
	}
	if _, err := env.KeepDays(ctx); err != nil {
		return "", err
	}
	if _, err := setup.ReadSettings[audience.Settings](ctx, env); err != nil {
		return "", err
	}
	today, err := env.Today(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("today is %s in %s", today, zone), door.For(env).Check()
}

func checkTables(ctx context.Context, env *setup.Env) looked {
	var differences []string
	result := look("warehouse", func() (string, error) {
		tables, err := env.Warehouse(ctx)
		if err != nil {
			return "", err
		}
		findings, err := tables.Check(ctx)
		for _, finding := range findings {
			differences = append(differences, finding.String())
		}
		if err != nil || len(findings) > 0 {
			return "", err
		}
		newest, err := tables.NewestAlert(ctx)
		if err != nil {
			return "", err
		}
		return "all tables and columns are there; the newest alert is of " + newest.Date.String(), nil
	})
	if len(differences) > 0 {
		result.Fault = fmt.Sprintf("%d differences from the tables that are needed", len(differences))
		result.Hint, result.More = "the input tables are the detection's; ours are made by: retentionops schema apply", differences
	}
	return result
}

func checkMail(ctx context.Context, env *setup.Env) (string, error) {
	sender, err := env.Mail(ctx)
	if err != nil {
		return "", err
	}
	book, err := env.Rules(ctx)
	if err != nil {
		return "", err
	}
	teams := book.Mail()
	note := fmt.Sprintf("%d addresses of the retention team, %d of the data team", len(teams.RetentionTeam), len(teams.DataTeam))
	if sender == nil {
		return "RETENTIONOPS_MAIL is not set: nobody is told when a message does not arrive", nil
	}
	return note, nil
}

func checkWebhook(ctx context.Context, env *setup.Env) (string, error) {
	book, err := env.Rules(ctx)
	if err != nil {
		return "", err
	}
	if rollout := book.Rollout(); !rollout.Sends {
		return fmt.Sprintf("not looked at: the phase %s sends nothing", rollout.Phase), nil
	}
	settings, err := setup.ReadSettings[playbook.Config](ctx, env)
	if err != nil {
		return "", err
	}
	return "its address and secret are well formed; nothing was sent", settings.Check()
}

func (c *command) tellLooked(results []looked) {
	for _, result := range results {
		if result.Fault == "" {
			c.printf("%s  %-20s %s\n", c.paint(good, "ok   "), result.What, c.paint(faint, result.Note))
			continue
		}
		c.printf("%s  %-20s %s\n", c.paint(bad, "fault"), result.What, result.Fault)
		for _, line := range result.More {
			c.printf("       %-20s %s\n", "", line)
		}
		if result.Hint != "" {
			c.printf("       %-20s hint: %s\n", "", result.Hint)
		}
	}
}

// explainCosts lists what each statement would bill.
func (c *command) explainCosts(ctx context.Context) error {
	env := c.env(nil, "")
	defer func() { _ = env.Close() }() // it was only read
	tables, err := env.Warehouse(ctx)
	if err != nil {
		return err
	}
	costs, err := tables.Explain(ctx)
	if err != nil {
		return err
	}
	type cost struct {
		Statement string `json:"statement"`
		Bytes     int64  `json:"bytes"`
	}
	listed := make([]cost, len(costs))
	table := c.newTable("statement", "bytes")
	for i, one := range costs {
		listed[i] = cost(one)
		table.AppendRow([]any{one.Statement, humanize.Comma(one.Bytes)})
	}
	if c.json {
		return c.printJSON(listed)
	}
	table.Render()
	c.printf("An engine that bills by bytes bills a minimum for each statement on top.\n")
	return nil
}

func (c *command) schema() *cobra.Command {
	cmd := &cobra.Command{Use: "schema", Short: "Make our two tables in the warehouse", Args: cobra.NoArgs}
	printOnly := false
	apply := &cobra.Command{
		Use: "apply", Short: "Make customer_priority and ops_runs_log where they are not there, and compare them where they are", Args: cobra.NoArgs,
		Long: "Doing it twice changes nothing. --print shows the SQL and runs none of it. An embedded warehouse makes its tables\n" +
			"when it is opened and needs no schema.\n\nExit: 0 the tables are as they must be, 1 not.",
		Example: "  retentionops schema apply --print --warehouse bigquery://acme/retention",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.applySchema(cmd.Context(), printOnly) },
	}
	apply.Flags().BoolVar(&printOnly, "print", false, "show the SQL and run none of it")
	cmd.AddCommand(apply)
	return cmd
}

// printSchema shows the SQL. It opens nothing, so that it can be read before there is an account.
func (c *command) printSchema(ctx context.Context, env *setup.Env, keepDays int) error {
	config, err := env.Config(ctx)
	if err != nil {
		return err
	}
	statements, err := warehouse.SchemaOf(ctx, config.Warehouse, keepDays)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(statements)
	}
	c.printf("%s\n", strings.Join(statements, "\n\n"))
	return nil
}

func (c *command) applySchema(ctx context.Context, printOnly bool) error {
	env := c.env(nil, "")
	defer func() { _ = env.Close() }() // what was done stands
	keepDays, err := env.KeepDays(ctx)
	if err != nil {
		return err
	}
	if printOnly {
		return c.printSchema(ctx, env, keepDays)
	}
	tables, err := env.Warehouse(ctx)
	if err != nil {
		return err
	}
	findings, err := tables.ApplySchema(ctx, keepDays)
	if err != nil {
		return err
	}
	differences := make([]string, len(findings))
	for i, finding := range findings {
		differences[i] = finding.String()
	}
	if c.json {
		if err := c.printJSON(differences); err != nil {
			return err
		}
	} else {
		for _, line := range differences {
			c.printf("%s %s\n", c.paint(bad, "fault"), line)
		}
		if len(differences) == 0 {
			c.printf("customer_priority and ops_runs_log are as they must be; a day's queue is kept for %d days\n", keepDays)
		}
	}
	if len(differences) > 0 {
		return exit(exitFailed)
	}
	return nil
}
