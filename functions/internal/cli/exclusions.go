package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

func (c *command) exclusions() *cobra.Command {
	cmd := &cobra.Command{
		Use: "exclusions", Short: "Look at the list of customers who are never to be contacted, and make its entries", Args: cobra.NoArgs,
		Long: "RETENTIONOPS_EXCLUSIONS names the list: file:///dir/list.csv, gs://bucket/dir/list.csv or table:NAME. It has one entry\n" +
			"a line, or a header that names customer_id. An entry is a customer id, or a keyed hash of one.",
	}
	check := &cobra.Command{
		Use: "check", Short: "Read the list as every call does, and count whom of the customers it is about",
		Long: "Reads the list and the customers of the warehouse. A list none of whose entries is a customer may have been made with\n" +
			"another key, or of other ids.\n\nExit: 0 readable, 1 not, 4 it has entries and none of them is a customer.",
		Example: "  retentionops exclusions check\n  RETENTIONOPS_EXCLUSIONS=table:opted_out retentionops exclusions check",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.checkExclusions(cmd.Context()) },
	}
	hash := &cobra.Command{
		Use: "hash [FILE]", Short: "Turn customer ids into keyed hashes: one id a line, from a file or standard input",
		Long: "Writes a list with hmac-sha256:… in place of each id, under RETENTIONOPS_EXCLUSIONS_KEY. What is a hash already stays.",
		Example: "  retentionops exclusions hash ids.txt\n" +
			"  echo C000123 | RETENTIONOPS_EXCLUSIONS_KEY=\"$KEY\" retentionops exclusions hash",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.hashExclusions(cmd.Context(), args) },
	}
	cmd.AddCommand(check, hash)
	return cmd
}

// exclusionsFound is what `exclusions check` tells.
type exclusionsFound struct {
	Entries   int            `json:"entries"`
	Hashes    int            `json:"hashes"`
	Customers int64          `json:"customers"`
	Excluded  int64          `json:"excluded"`
	AsOf      functions.Date `json:"as_of"`
}

func (c *command) checkExclusions(ctx context.Context) (err error) {
	env := c.env(nil, "")
	defer func() {
		if closing := env.Close(); err == nil {
			err = closing
		}
	}()
	list, err := env.Exclusions(ctx)
	if err != nil {
		return err
	}
	if list == nil {
		return functions.Errorf(functions.FailedPrecondition, "no exclusion list is configured").
			WithHint("set RETENTIONOPS_EXCLUSIONS to file:///dir/list.csv, gs://bucket/dir/list.csv or table:NAME")
	}
	tables, err := env.Warehouse(ctx)
	if err != nil {
		return err
	}
	found := exclusionsFound{Entries: list.Len(), Hashes: list.Hashes()}
	found.AsOf, err = tables.Customers(ctx, func(customer retention.Customer) error {
		found.Customers++
		if list.Has(customer.ID) {
			found.Excluded++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(found)
	} else {
		c.printf("%d entries, %d of them keyed hashes: %d of %d customers of %s are in no tier\n",
			found.Entries, found.Hashes, found.Excluded, found.Customers, found.AsOf)
	}
	if err == nil && found.Entries > 0 && found.Excluded == 0 {
		_, _ = fmt.Fprintln(c.Err, c.paint(wary, "no entry is a customer: is it the right key, are these the right ids?"))
		return exit(exitWarnings)
	}
	return err
}

func (c *command) hashExclusions(ctx context.Context, args []string) (err error) {
	settings, err := setup.ReadSettings[exclusion.Settings](ctx, c.env(nil, ""))
	if err != nil {
		return err
	}
	in := c.In
	if len(args) == 1 && args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return functions.Errorf(functions.InvalidArgument, "%s cannot be read", args[0]).
				WithHint("name a file with one id a line, or - for standard input").WithCause(err)
		}
		defer file.Close() //nolint:errcheck // it was only read
		in = file
	}
	out := bufio.NewWriter(c.Out)
	if err := settings.HashLines(in, out); err != nil {
		return err
	}
	return errors.Join(out.Flush(), ctx.Err())
}
