package cli

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

// loaded is what loading orders and detecting over them gave.
type loaded struct {
	Import    *shop.ImportReport   `json:"import,omitempty"`
	Generated *shop.GenerateReport `json:"generated,omitempty"`
	Detection shop.DetectReport    `json:"detection"`
	TookMS    int64                `json:"took_ms"`
}

func (c *command) importOrders() *cobra.Command {
	var orders, date string
	var customers int
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Load orders into the embedded warehouse and detect as of a day",
		Long: "Replaces the orders of the embedded warehouse and runs the detection SQL1 to SQL5 over them.\n\n" +
			"Reads CSV and .csv.gz with the columns order_id, customer_id, order_date, order_amount, country,\n" +
			"and the UCI workbook \"Online Retail.xlsx\" as it comes. Bad rows are counted and listed, never dropped unseen.",
		Example: `  retentionops import --orders orders.csv.gz --date 2011-12-09
  retentionops import --orders "Online Retail.xlsx"
  retentionops import --generate 100000 --date 2026-01-12`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (orders == "") == (customers == 0) {
				return functions.Errorf(functions.InvalidArgument, "give one source of orders").
					WithHint("--orders FILE for your orders, or --generate N for a made-up shop of N customers")
			}
			c.fills = true
			return c.onShop(cmd.Context(), func(ctx context.Context, db *sql.DB) error {
				result, err := c.load(ctx, db, source{orders: orders, customers: customers, date: date})
				if err != nil {
					return err
				}
				return c.showLoaded(result)
			})
		},
	}
	cmd.Flags().StringVar(&orders, "orders", "", "file with orders: .csv, .csv.gz or the UCI .xlsx")
	cmd.Flags().IntVar(&customers, "generate", 0, "make up a shop of this many customers instead")
	cmd.Flags().StringVar(&date, "date", "", "day to detect as of: YYYY-MM-DD; default the day of the newest order")
	return cmd
}

func (c *command) detect() *cobra.Command {
	var date string
	cmd := &cobra.Command{
		Use:     "detect",
		Short:   "Run the detection again, as of another day",
		Long:    "Runs SQL1 to SQL5 over the orders that were imported last. The customer tables then hold that day.",
		Example: "  retentionops detect --date 2011-01-17",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.onShop(cmd.Context(), func(ctx context.Context, db *sql.DB) error {
				began := c.Now()
				report, err := c.detectAsOf(ctx, db, date)
				if err != nil {
					return err
				}
				return c.showLoaded(loaded{Detection: report, TookMS: c.Now().Sub(began).Milliseconds()})
			})
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "day to detect as of: YYYY-MM-DD; default the day of the newest order")
	return cmd
}

// onShop gives work the connection of the embedded warehouse, and its progress a line on the terminal.
func (c *command) onShop(ctx context.Context, work func(context.Context, *sql.DB) error) (err error) {
	env := c.env(nil, "")
	defer func() {
		if closing := env.Close(); err == nil {
			err = closing
		}
	}()
	db, err := embedded(ctx, env)
	if err != nil {
		return err
	}
	return work(functions.WithReporter(ctx, c.showProgress), db)
}

// source is where orders come from: a file, or a made-up shop.
type source struct {
	orders    string
	customers int
	seed      uint64 // of the made-up shop; 0 is the demonstration's
	date      string // day to detect as of; empty is the day of the newest order
}

// load loads the orders and runs the detection.
func (c *command) load(ctx context.Context, db *sql.DB, from source) (loaded, error) {
	var result loaded
	if from.date != "" {
		if _, err := parseDay(from.date); err != nil {
			return result, err // before minutes of import
		}
	}
	began := c.Now()
	if from.orders != "" {
		report, err := shop.Import(ctx, db, from.orders)
		if err != nil {
			return result, err
		}
		result.Import = &report
	} else {
		report, err := shop.Generate(ctx, db, shop.Plan{Customers: from.customers, Seed: from.seed})
		if err != nil {
			return result, err
		}
		result.Generated = &report
	}
	var err error
	result.Detection, err = c.detectAsOf(ctx, db, from.date)
	result.TookMS = c.Now().Sub(began).Milliseconds()
	c.clearStep()
	return result, err
}

// detectAsOf runs the detection as of a day, or as of the day of the newest order.
func (c *command) detectAsOf(ctx context.Context, db *sql.DB, date string) (shop.DetectReport, error) {
	if date == "" {
		return shop.Detect(ctx, db, functions.Date{})
	}
	day, err := parseDay(date)
	if err != nil {
		return shop.DetectReport{}, err
	}
	return shop.Detect(ctx, db, day)
}

func parseDay(text string) (functions.Date, error) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return functions.Date{}, functions.Errorf(functions.InvalidArgument, "%q is not a day", text).WithHint("write YYYY-MM-DD")
	}
	return civil.DateOf(at), nil
}

func (c *command) showLoaded(result loaded) error {
	if c.json {
		return c.printJSON(result)
	}
	c.showImport(result.Import)
	if r := result.Generated; r != nil {
		c.printf("Made up %s of %s, %s to %s (seed %d).\n", retention.Counted(r.Orders, "order"), retention.Counted(r.Customers, "customer"), r.From, r.To, r.Seed)
		for _, incident := range r.Incidents {
			c.printf("  %s\n", incident)
		}
	}
	d := result.Detection
	c.printf("Detection as of %s: %s.\n", d.AsOf, retention.Counted(d.Customers, "customer"))
	if late := d.AsOf.DaysSince(d.NewestOrder); late > 0 {
		c.printf("  %s\n", c.paint(wary, fmt.Sprintf("the newest order is of %s, %s before", d.NewestOrder, retention.Counted(late, "day"))))
	}
	writer := c.newTable("", "customers")
	for _, status := range d.Statuses {
		writer.AppendRow([]any{"  " + string(status.Status), status.Customers})
	}
	for _, risk := range d.Risks {
		writer.AppendRow([]any{"  " + string(risk.Level) + " risk", risk.Customers})
	}
	writer.Render()
	c.printf("Alert of the day: %s\n", c.paintSeverity(d.Alert.Severity))
	c.printf("%.1f s. Next: %s call get_alert_decision --date %s\n", float64(result.TookMS)/1000, c.Name, d.AsOf)
	return nil
}

func (c *command) paintSeverity(severity functions.Severity) string {
	switch severity {
	case functions.Critical:
		return c.paint(bad, string(severity))
	case functions.Warning:
		return c.paint(wary, string(severity))
	default:
		return c.paint(good, string(severity))
	}
}

// showImport tells a person what an import took, and what it did not.
func (c *command) showImport(r *shop.ImportReport) {
	if r == nil {
		return
	}
	c.printf("Imported %s of %s, %s in all, %s to %s.\n", retention.Counted(r.Orders, "order"), retention.Counted(r.Customers, "customer"),
		r.Total.StringFixed(2), r.From, r.To)
	for _, dropped := range r.Dropped {
		c.printf("  left out by a cleaning rule: %s, %s\n", retention.Counted(dropped.Lines, "line"), dropped.Rule)
	}
	if r.BadCount > 0 {
		c.printf("  %s\n", c.paint(wary, "bad rows, not imported: "+retention.Counted(r.BadCount, "row")))
		for _, row := range r.Bad {
			c.printf("    line %d: %s\n", row.Line, row.Reason)
		}
	}
}
