package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

func (c *command) runs() *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "Read the audit log of playbook runs, and mend what a run left undone", Args: cobra.NoArgs}
	var url string
	cmd.PersistentFlags().StringVar(&url, "url", "", "a running serve or a deployed host; RETENTIONOPS_API_KEY is sent along")
	limit, month := functions.DefaultRuns, ""
	list := &cobra.Command{
		Use: "list", Short: "List the runs, newest first",
		Example: "  retentionops runs list\n  retentionops runs list --limit 5 --json\n  retentionops runs list --month 2026-01\n  retentionops runs list --url http://127.0.0.1:8080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			runs, err := c.readRuns(cmd.Context(), url, functions.ReadRecordInput{
				Record: functions.RecordRuns, Limit: &limit, Month: functions.Month(month),
			})
			if err != nil {
				return err
			}
			return c.showRuns(runs, month)
		},
	}
	list.Flags().IntVar(&limit, "limit", limit, "at most this many runs")
	list.Flags().StringVar(&month, "month", "", "only runs that began in this month, YYYY-MM in UTC")
	show := &cobra.Command{
		Use: "show RUN_ID", Short: "Show everything the log holds of a run",
		Example: "  retentionops runs show 01KF2Z8M3T9Q6W1E5R7Y0V4N2P",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			runs, err := c.readRuns(cmd.Context(), url, functions.ReadRecordInput{Record: functions.RecordRun, RunID: args[0]})
			if err != nil {
				return err
			}
			return c.showRun(runs[0])
		},
	}
	cmd.AddCommand(list, show, c.replayRun(&url), c.reconcileRuns(&url))
	return cmd
}

// readRuns reads the log through its door.
func (c *command) readRuns(ctx context.Context, url string, in functions.ReadRecordInput) (runs []functions.Run, err error) {
	input, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("write the input: %w", err)
	}
	err = c.at(ctx, url, func(ctx context.Context, at *client) error {
		answer, err := at.call(ctx, functions.ReadRecord, input)
		if err != nil {
			return err
		}
		out, err := decode[functions.ReadRecordOutput](answer)
		runs = out.Runs
		return err
	})
	return runs, err
}

func (c *command) showRuns(runs []functions.Run, month string) error {
	if c.json {
		return c.printJSON(runs)
	}
	if len(runs) == 0 {
		if month != "" {
			c.printf("No runs in %s.\n", month)
			return nil
		}
		c.printf("No runs yet.\n")
		return nil
	}
	writer := c.newTable("run", "began", "date", "severity", "phase", "status", "delivery", "P1", "P2", "P3", "ticket")
	for _, run := range runs {
		writer.AppendRow([]any{
			run.RunID, run.RunTimestamp.UTC().Format(time.DateTime), text(run.AlertDate), run.Severity, run.Phase, standing(run),
			run.DeliveryState, text(run.P1Count), text(run.P2Count), text(run.P3Count), run.TicketID,
		})
	}
	writer.Render()
	return nil
}

func (c *command) showRun(run functions.Run) error {
	if c.json {
		return c.printJSON(run)
	}
	writer := c.newTable()
	for _, row := range [][2]any{
		{"run", run.RunID},
		{"began", run.RunTimestamp.UTC().Format(time.RFC3339)},
		{"alert", fmt.Sprintf("%s %s", text(run.AlertDate), run.Severity)},
		{"figures", fmt.Sprintf("AT_RISK %s %%, baseline %s %%, change %s %%, %s customers",
			text(run.CurrentValue), text(run.BaselineValue), text(run.DeltaRelativePct), text(run.SampleSize))},
		{"status", fmt.Sprintf("%s at stage %s", run.Status, run.Stage)},
		{"delivery", deliveryWords(run)},
		{"mail", map[bool]string{true: "sent"}[run.EmailSent]},
		{"why", run.NotificationReason},
		{"error", run.ErrorMessage},
		{"queue", fmt.Sprintf("P1 %s, P2 %s, P3 %s", text(run.P1Count), text(run.P2Count), text(run.P3Count))},
		{"exported", exportWords(run)},
		{"P1", run.ExportP1Link},
		{"P2", run.ExportP2Link},
		{"P3", run.ExportP3Link},
		{"slack", run.SlackMessageTS},
		{"ticket", run.TicketID},
		{"took", text(run.ExecutionTimeMS) + " ms"},
		{"phase", run.Phase},
		{"rules", run.RulesVersion},
		{"caller", run.Caller},
		{"forced by", run.ForcedBy},
		{"key", run.IdempotencyKey},
	} {
		if fmt.Sprint(row[1]) != "" {
			writer.AppendRow([]any{row[0], row[1]})
		}
	}
	writer.Render()
	return nil
}

// deliveryWords tell how the message fared; a run that sent none has no attempts.
func deliveryWords(run functions.Run) string {
	if run.WebhookAttempts == 0 {
		return string(run.DeliveryState)
	}
	return fmt.Sprintf("%s after %s", run.DeliveryState, retention.Counted(run.WebhookAttempts, "attempt"))
}

// exportWords tell what was exported; nothing when the run did not come so far.
func exportWords(run functions.Run) string {
	if run.TotalExported == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s", retention.Counted(*run.TotalExported, "row"), run.ExportState)
}

// standing is a run's status in words. One that has not ended is told with the stage that it reached.
func standing(run functions.Run) string {
	if run.Stage != "" && (run.Status == functions.RunRunning || run.Status == functions.RunAbandoned) {
		return fmt.Sprintf("%s at %s", run.Status, run.Stage)
	}
	return string(run.Status)
}

// text is a value that may be missing.
func text[T any](value *T) string {
	if value == nil {
		return "-"
	}
	return fmt.Sprint(*value)
}
