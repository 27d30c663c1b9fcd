package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	pretty "github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

func (c *command) health() *cobra.Command {
	var url, file string
	var days int
	var act bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Show how healthy the playbook runs are",
		Long: "Computes the figures of the audit log over a window, holds them against their targets, and shows which alarms of\n" +
			"rules/monitoring.yaml stand. It only looks; with --notify it does what the scheduled check_health does: it writes\n" +
			"rows that still wait, remembers which alarms began or ended, and mails each begin and each end once.\n\n" +
			"Exit: 0 healthy, 1 an alarm stands, 4 no alarm stands and a target is missed.",
		Example: "  retentionops health\n  retentionops health --window 7 --json\n  retentionops health --html health.html\n" +
			"  retentionops health --notify --url http://127.0.0.1:8080",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := functions.CheckHealthInput{DryRun: !act}
			if cmd.Flags().Changed("window") {
				in.WindowDays = &days
			}
			out, err := c.checkHealth(cmd.Context(), url, in)
			if err != nil {
				return err
			}
			if file != "" {
				if err := writeHealthPage(file, out); err != nil {
					return err
				}
			}
			if err := c.showHealth(out); err != nil {
				return err
			}
			if file != "" && !c.json {
				c.printf("\nPage: %s\n", address(file))
			}
			return healthExit(out)
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "a running serve or a deployed host; RETENTIONOPS_API_KEY is sent along")
	cmd.Flags().StringVar(&file, "html", "", "write a page of its own to this file")
	cmd.Flags().IntVar(&days, "window", 0, "days to look at, 1 to 400, default as the rules say; alarms are judged over the rules' window")
	cmd.Flags().BoolVar(&act, "notify", false, "remember alarms and mail them, as the scheduled check does")
	return cmd
}

// checkHealth asks the door of check_health.
func (c *command) checkHealth(ctx context.Context, url string, in functions.CheckHealthInput) (out functions.CheckHealthOutput, err error) {
	input, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("write the input: %w", err)
	}
	err = c.at(ctx, url, func(ctx context.Context, at *client) error {
		answer, err := at.call(ctx, functions.CheckHealth, input)
		if err != nil {
			return err
		}
		out, err = decode[functions.CheckHealthOutput](answer)
		return err
	})
	return out, err
}

// healthExit is the exit of a look at the health: an alarm is a failure, a missed target a warning.
func healthExit(out functions.CheckHealthOutput) error {
	if slices.ContainsFunc(out.Alarms, func(a functions.HealthAlarm) bool { return a.State == functions.AlarmStanding }) {
		return exit(exitFailed)
	}
	if slices.ContainsFunc(out.Figures, func(f functions.HealthFigure) bool { return f.Verdict == functions.TargetMissed }) {
		return exit(exitWarnings)
	}
	return nil
}

func (c *command) showHealth(out functions.CheckHealthOutput) error {
	if c.json {
		return c.printJSON(out)
	}
	c.printf("Playbook runs of %s (%s to %s), phase %s\n\n", retention.Counted(out.WindowDays, "day"), out.From, out.To, out.Phase)
	c.showFigures(out)
	c.printf("\n")
	c.showAlarms(out.Alarms)
	for _, notice := range out.Notices {
		c.printf("\nNote: %s", notice)
	}
	if len(out.Notices) > 0 {
		c.printf("\n")
	}
	return nil
}

// trendDays is how many days of a trend fit beside a table.
const trendDays = 30

func (c *command) showFigures(out functions.CheckHealthOutput) {
	days := out.Days[max(0, len(out.Days)-trendDays):]
	trends := map[string][]*float64{}
	for _, day := range days {
		trends["success_rate"] = append(trends["success_rate"], day.SuccessRate)
		trends["webhook_failure_rate"] = append(trends["webhook_failure_rate"], day.WebhookFailureRate)
		trends["export_success_rate"] = append(trends["export_success_rate"], day.ExportSuccessRate)
		trends["mean_seconds"] = append(trends["mean_seconds"], day.MeanSeconds)
		trends["runs"] = append(trends["runs"], new(float64(day.Runs)))
		trends["failed_runs"] = append(trends["failed_runs"], new(float64(day.FailedRuns)))
		trends["alerts"] = append(trends["alerts"], new(float64(day.Alerts)))
	}
	table := c.newTable("figure", "value", "target", "", fmt.Sprintf("the last %s, oldest first", retention.Counted(len(days), "day")))
	for _, figure := range out.Figures {
		table.AppendRow([]any{figure.Name, figureText(figure), targetText(figure), c.verdict(figure.Verdict), sparkline(figure, trends[figure.Name])})
	}
	table.Render()
}

// figureText is a figure's value as a person reads it.
func figureText(figure functions.HealthFigure) string {
	if figure.Value == nil {
		return "-"
	}
	switch figure.Unit {
	case functions.UnitPercent:
		return fmt.Sprintf("%s %% of %d", rounded(*figure.Value), figure.Of)
	case functions.UnitSeconds:
		return rounded(*figure.Value) + " s"
	case functions.UnitHours:
		return rounded(*figure.Value) + " h"
	case functions.UnitDays:
		return retention.Counted(int64(*figure.Value), "day")
	case functions.UnitCount:
		fallthrough
	default:
		return rounded(*figure.Value)
	}
}

// targetText is a target beside the figure that it is about.
func targetText(figure functions.HealthFigure) string {
	return strings.TrimPrefix(figure.Target, figure.Name+" ")
}

// rounded is a number with one digit behind the point at most.
func rounded(value float64) string {
	return strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64)
}

func (c *command) verdict(verdict functions.FigureVerdict) string {
	switch verdict {
	case functions.TargetMet:
		return c.paint(good, "met")
	case functions.TargetMissed:
		return c.paint(wary, "missed")
	case functions.TargetUnknown:
		return c.paint(faint, "not known yet")
	case functions.TargetNone:
		fallthrough
	default:
		return ""
	}
}

// sparkline draws a value a day; a day without one is a dot. Percents are drawn from 0 to 100, others up to the highest.
func sparkline(figure functions.HealthFigure, values []*float64) string {
	const levels = "▁▂▃▄▅▆▇█"
	most := 100.0
	if figure.Unit != functions.UnitPercent {
		most = 0
		for _, value := range values {
			if value != nil {
				most = max(most, *value)
			}
		}
	}
	var line strings.Builder
	for _, value := range values {
		switch {
		case value == nil:
			line.WriteRune('·')
		case most == 0:
			line.WriteRune([]rune(levels)[0])
		default:
			line.WriteRune([]rune(levels)[int(math.Round(*value/most*7))])
		}
	}
	return line.String()
}

func (c *command) showAlarms(alarms []functions.HealthAlarm) {
	table := c.newTable("alarm", "", "since", "told", "condition")
	for _, alarm := range alarms {
		table.AppendRow([]any{alarm.Name, c.alarmState(alarm.State), alarmSince(alarm), alarmTold(alarm), alarmCondition(alarm)})
	}
	table.Render()
	for _, alarm := range alarms {
		if alarm.State != functions.AlarmStanding {
			continue
		}
		c.printf("\n%s %s\n", c.paint(bad, alarm.Name+":"), alarm.What)
		for _, saw := range alarm.Saw {
			c.printf("  %s: %s\n", saw.Name, cmp.Or(saw.Value, "not known"))
		}
		if len(alarm.RunIDs) > 0 {
			c.printf("  runs: %s\n", strings.Join(alarm.RunIDs, ", "))
		}
	}
}

func (c *command) alarmState(state functions.AlarmState) string {
	colors := map[functions.AlarmState]pretty.Colors{functions.AlarmStanding: bad, functions.AlarmQuiet: good, functions.AlarmUnknown: faint}
	words := map[functions.AlarmState]string{functions.AlarmStanding: "STANDS", functions.AlarmQuiet: "quiet", functions.AlarmUnknown: "not known yet"}
	return c.paint(colors[state], words[state])
}

func alarmSince(alarm functions.HealthAlarm) string {
	switch {
	case alarm.State != functions.AlarmStanding:
		return ""
	case alarm.BeganAt == nil || alarm.EndedAt != nil: // a look that remembers nothing
		return "seen now"
	default:
		return when(*alarm.BeganAt)
	}
}

func alarmTold(alarm functions.HealthAlarm) string {
	who := strings.Join(alarm.Tell, ", ")
	switch {
	case alarm.State != functions.AlarmStanding && alarm.Change == functions.AlarmUnchanged && alarm.Mail != functions.MailFailed:
		return ""
	case alarm.Mail == functions.MailSent:
		return strings.TrimSuffix("mailed to "+who+": "+alarm.MailWhy, ": ")
	case alarm.Mail == functions.MailNone && alarm.MailWhy == "":
		return ""
	default:
		return "not mailed: " + alarm.MailWhy
	}
}

func alarmCondition(alarm functions.HealthAlarm) string {
	if alarm.ForDays > 0 {
		return fmt.Sprintf("%s, %s in a row", alarm.When, retention.Counted(alarm.ForDays, "day"))
	}
	return alarm.When
}

// when is a moment as a table shows it.
func when(moment time.Time) string { return moment.UTC().Format("2006-01-02 15:04") }
