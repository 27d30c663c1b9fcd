package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

func (c *command) replayRun(url *string) *cobra.Command {
	return &cobra.Command{
		Use: "replay RUN_ID", Short: "Send the stored message of a run again, under the same id",
		Long: "Sends the message that a run stored again, byte for byte and under its id, also when it was delivered: a receiver\n" +
			"that worked it answers with its first receipt. It is a run of its own, logged as replayed. Refused when the run\n" +
			"stored no message, when that has expired, and in another phase than the message's.\n\n" +
			"Exit: 0 delivered, 1 failed or refused, 2 wrong usage, 3 skipped.",
		Example: "  retentionops runs replay 01KF2Z8M3T9Q6W1E5R7Y0V4N2P\n" +
			"  retentionops runs replay 01KF2Z8M3T9Q6W1E5R7Y0V4N2P --url http://127.0.0.1:8080",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			input, err := json.Marshal(functions.TriggerPlaybookInput{Replay: args[0]})
			if err != nil {
				return fmt.Errorf("write the input: %w", err)
			}
			return c.at(cmd.Context(), *url, func(ctx context.Context, at *client) error {
				answer, err := at.call(functions.WithReporter(ctx, c.showProgress), functions.TriggerPlaybook, input)
				c.clearStep()
				if err != nil {
					return err
				}
				if err := c.showReplay(answer); err != nil {
					return err
				}
				return outcome(functions.TriggerPlaybook, answer)
			})
		},
	}
}

func (c *command) showReplay(answer json.RawMessage) error {
	if c.json {
		return c.printJSON(answer)
	}
	out, err := decode[functions.TriggerPlaybookOutput](answer)
	if err != nil {
		return err
	}
	c.printf("Run %s, a replay of %s: %s, delivery %s\n  %s\n", out.RunID, out.ReplayOf, out.Status, out.DeliveryState, out.Reason)
	return nil
}

// reconciled is the answer of runs reconcile for a program.
type reconciled struct {
	Written int `json:"written"`
}

func (c *command) reconcileRuns(url *string) *cobra.Command {
	return &cobra.Command{
		Use: "reconcile", Short: "Write the log rows that the warehouse refused when they were made",
		Long: "A row that the warehouse does not take lies in the archive until a run writes it. This writes it now, under its\n" +
			"original time, and says how many rows there were. Every run does the same at its begin.",
		Example: "  retentionops runs reconcile",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if *url != "" {
				return functions.Errorf(functions.InvalidArgument, "runs reconcile writes into a warehouse that it opens itself, not at --url").
					WithHint("there the next run writes what waits: retentionops call trigger_playbook --url " + *url)
			}
			env := c.env(nil, "")
			defer func() {
				if closing := env.Close(); err == nil {
					err = closing
				}
			}()
			log, err := env.Log(cmd.Context())
			if err != nil {
				return err
			}
			written, err := log.Reconcile(cmd.Context())
			if err != nil {
				return functions.Errorf(functions.CodeOf(err), "%s written, others still wait", retention.Counted(written, "row")).
					WithHint("they stay in the archive; try again when the warehouse takes rows").WithCause(err)
			}
			if c.json {
				return c.printJSON(reconciled{written})
			}
			if written == 0 {
				c.printf("No row waits.\n")
				return nil
			}
			c.printf("%s written.\n", retention.Counted(written, "row"))
			return nil
		},
	}
}
