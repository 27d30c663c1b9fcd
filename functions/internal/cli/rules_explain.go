package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// asked is whom `rules explain` is asked about.
type asked struct{ date, customer, median, url string }

func (c *command) rulesExplain() *cobra.Command {
	var about asked
	cmd := &cobra.Command{
		Use:   "explain [CUSTOMER]",
		Short: "Tell why a customer is in its tier: every rule with what it saw, the score added up, the action",
		Long: "Explains the row of a customer in the queue of a day, by the rules and the median that made it; the archive keeps\n" +
			"them. Who is not in the queue of the newest day is judged from the tables by the present rules. With --customer\n" +
			"a customer is made up: JSON with the names of the vocabulary, judged by the rules of --rules, else ./rules, else\n" +
			"those built in.\n\n" +
			"Exit: 0 explained, 1 not (no such customer, or the archive does not hold its rules), 2 wrong usage.",
		Example: `  retentionops rules explain 17865
  retentionops rules explain 17865 --date 2026-01-12 --json
  retentionops rules explain 17865 --url http://127.0.0.1:8080
  retentionops rules explain --customer @customer.json --rules my/rules
  retentionops rules explain --median 674.49 --customer '{"retention_status": "ACTIVE", "days_since_last_order": 24,
    "churn_risk_level": "HIGH", "churn_risk_score": 50, "is_frequency_drop": true, "is_status_inconsistent": false,
    "is_value_drop": false, "total_revenue": 3847.10, "total_orders": 12}'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			explain := c.explainGiven
			switch {
			case about.customer == "" && len(args) == 1:
				explain = c.explainStored(args[0])
			case (about.customer == "") == (len(args) == 0):
				return functions.Errorf(functions.InvalidArgument, "whom shall be explained?").
					WithHint("write either a customer_id, or --customer with a customer as JSON")
			}
			explained, err := explain(cmd.Context(), about)
			if err != nil {
				return err
			}
			if !c.json {
				return rulebook.Explanation(explained).Write(c.Out)
			}
			document, err := functions.Marshal(explained)
			if err != nil {
				return err
			}
			return c.printJSON(json.RawMessage(document))
		},
	}
	cmd.Flags().StringVar(&about.date, "date", "", "day of the queue: YYYY-MM-DD, or latest, which is the default")
	cmd.Flags().StringVar(&about.url, "url", "", "a running serve or a deployed host; RETENTIONOPS_API_KEY is sent along")
	cmd.Flags().StringVar(&about.customer, "customer", "", "a made-up customer as JSON; @FILE reads a file, - standard input")
	cmd.Flags().StringVar(&about.median, "median", "", "median revenue for a made-up customer; default that of a named warehouse, else of the examples")
	return cmd
}

// explainStored asks the function that knows what is kept.
func (c *command) explainStored(id string) func(context.Context, asked) (functions.Explanation, error) {
	return func(ctx context.Context, about asked) (explained functions.Explanation, err error) {
		if about.median != "" {
			return explained, functions.Errorf(functions.InvalidArgument, "--median goes with --customer only").
				WithHint("a customer of the data is explained with the median of its day")
		}
		input, err := json.Marshal(functions.ReadRecordInput{
			Record: functions.RecordExplanation, CustomerID: id, Date: functions.DateRef(about.date),
		})
		if err != nil {
			return explained, fmt.Errorf("write the input: %w", err)
		}
		err = c.at(ctx, about.url, func(ctx context.Context, at *client) error {
			answer, err := at.call(ctx, functions.ReadRecord, input)
			if err != nil {
				return err
			}
			out, err := decode[functions.ReadRecordOutput](answer)
			if err == nil && out.Explanation == nil {
				return functions.Errorf(functions.Unavailable, "%s answered without an explanation", at.base).WithHint("is it an older version?")
			}
			if err == nil {
				explained = *out.Explanation
			}
			return err
		})
		return explained, err
	}
}

// explainGiven judges a customer from the command line by the rule files at hand.
func (c *command) explainGiven(ctx context.Context, about asked) (explained functions.Explanation, err error) {
	if about.date != "" || about.url != "" {
		return explained, functions.Errorf(functions.InvalidArgument, "--date and --url go with a customer_id only").
			WithHint("a made-up customer is judged here, by the rules at hand")
	}
	name, files, err := c.ruleFiles(nil)
	if err != nil {
		return explained, err
	}
	book, findings := rulebook.Check(files)
	if book == nil {
		return explained, c.showFindings(name, findings)
	}
	data, err := c.readInput(about.customer, "")
	if err != nil {
		return explained, err
	}
	customer, err := book.ReadCustomer(data)
	if err != nil {
		return explained, err
	}
	median, err := c.medianFor(ctx, book, files, about.median)
	if err != nil {
		return explained, err
	}
	receipt, err := book.Explain(customer, median)
	return functions.Explanation(receipt), err
}

// medianFor is the median that a made-up customer is compared with: the one that was written, else that of a warehouse
// that was named, else that of the examples.
func (c *command) medianFor(ctx context.Context, book *rulebook.Book, files fs.FS, written string) (median functions.Money, err error) {
	if written != "" {
		if median, err = functions.ParseMoney(written); err != nil || median.IsNegative() {
			return median, functions.Errorf(functions.InvalidArgument, "--median %q is not an amount", written).WithHint("write a number such as 674.49")
		}
		return median, nil
	}
	setting, _ := c.Lookuper.Lookup("RETENTIONOPS_WAREHOUSE")
	if c.warehouse != "" || setting != "" {
		population, err := c.population(ctx, book)
		return population.MedianRevenue, err
	}
	if median, has := book.ExampleMedian(files); has {
		return median, nil
	}
	return median, functions.Errorf(functions.InvalidArgument, "the median revenue is not known").
		WithHint("write --median 674.49, or name a warehouse with --warehouse")
}

// population reads everybody from the warehouse.
func (c *command) population(ctx context.Context, book *rulebook.Book) (all priority.Population, err error) {
	env := c.env(nil, "")
	defer func() {
		if closing := env.Close(); err == nil {
			err = closing
		}
	}()
	tables, err := env.Warehouse(ctx)
	if err != nil {
		return all, err
	}
	return priority.ReadPopulation(ctx, tables, book, func(*retention.Customer) {})
}

func (c *command) rulesVerify() *cobra.Command {
	count, seed, data := 10_000, uint64(1), false
	cmd := &cobra.Command{
		Use:   "verify [FOLDER]",
		Short: "Judge customers twice, by the engine and by expr's own machine, and compare every bit",
		Long: "expr's own machine is what a rule means; the engine is what judges, many times faster. Both judge random customers,\n" +
			"the edges of the rules among them, and with --data today's customers of the warehouse.\n\n" +
			"Exit: 0 no difference, 1 otherwise.",
		Example: `  retentionops rules verify
  retentionops rules verify --data --warehouse duckdb:warehouse.duckdb
  retentionops rules verify my/rules --random 1000000 --seed 7`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, files, err := c.ruleFiles(args)
			if err != nil {
				return err
			}
			book, findings := rulebook.Check(files)
			if book == nil {
				return c.showFindings(name, findings)
			}
			if count < 0 || count > mostRandom {
				return functions.Errorf(functions.InvalidArgument, "--random %d cannot be used", count).WithHint("write 0 to 10000000")
			}
			median, _ := book.ExampleMedian(files)
			verified := rulebook.Verification{Differences: []rulebook.Disagreement{}}
			if data {
				all, err := c.population(cmd.Context(), book)
				if err != nil {
					return err
				}
				median = all.MedianRevenue
				verified.Verify(book, "data of "+all.AsOf.String(), median, all.Sound)
				verified.Sets[0].SetAside = all.Customers - int64(len(all.Sound))
			}
			for part := 0; part < count; part += randomAtOnce {
				many := min(randomAtOnce, count-part)
				verified.Verify(book, "random", median, book.RandomCustomers(many, seed+uint64(part)))
			}
			return c.showVerified(verified.Joined())
		},
	}
	cmd.Flags().IntVar(&count, "random", count, "how many random customers")
	cmd.Flags().Uint64Var(&seed, "seed", seed, "the same seed makes the same random customers")
	cmd.Flags().BoolVar(&data, "data", data, "also today's customers, from the warehouse")
	return cmd
}

// Random customers are made a part at a time.
const (
	mostRandom   = 10_000_000
	randomAtOnce = 10_000
)

func (c *command) showVerified(verified rulebook.Verification) error {
	var err error
	if c.json {
		err = c.printJSON(verified)
	} else {
		err = verified.Write(c.Out)
	}
	if err == nil && verified.Different > 0 {
		return exit(exitFailed)
	}
	return err
}
