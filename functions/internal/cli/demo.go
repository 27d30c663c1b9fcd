package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/shop"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// The demonstration's defaults: the source document's day (§8.2), and a shop that gives its volumes (§7.1).
const (
	demoDate      = "2026-01-12"
	demoCustomers = shop.DefaultCustomers
	demoOut       = ".retentionops/demo"
	demoMarker    = "demo.json" // says that a folder is a demonstration's, and may be made anew
)

func (c *command) demo() *cobra.Command {
	var from source
	var out, fault string
	var times int
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the whole story on this machine: from orders to an alert, a queue, a brief, audiences, a delivered playbook",
		Long: "Plays the 90-second story of the source document (§11) live, with the six tools in order.\n\n" +
			"Orders come from --orders, else from a made-up shop that plays an incident. The playbook goes to a local\n" +
			"stand-in for Make.com; for that reason, and for no other, it runs in phase production.\n\n" +
			"With --fault it plays a row of the source document's table of errors (§14) instead: what is out of order, what a\n" +
			"person gets, and what is there after it was mended and the day was triggered again. Faults: " + faultNames() + ".\n" +
			"With --fault all every one of them is played --times times on made-up shops of their own, and what came of it counted.\n\n" +
			"Exit: 0 delivered, 1 failed, 3 the playbook was skipped (no alert that day). With --fault: 0 all went as promised, 1 not.",
		Example: `  retentionops demo
  retentionops demo --date 2026-01-19
  retentionops demo --fault webhook-500
  retentionops demo --fault all --times 20
  retentionops demo --orders orders.csv.gz --date 2011-01-17 --out /tmp/story`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.orders != "" && cmd.Flags().Changed("customers") {
				return functions.Errorf(functions.InvalidArgument, "--customers is the size of the made-up shop, and --orders needs none").
					WithHint("give one of the two")
			}
			if c.warehouse != "" {
				return functions.Errorf(functions.InvalidArgument, "the demonstration makes a warehouse of its own").
					WithHint("leave --warehouse out; --out names the folder that it lies in")
			}
			if from.customers < 1 {
				return functions.Errorf(functions.InvalidArgument, "--customers must be at least 1").WithHint("6000 is the default")
			}
			c.fills = true
			if cmd.Flags().Changed("fault") || cmd.Flags().Changed("times") {
				if fault == everyFault && !cmd.Flags().Changed("customers") {
					from.customers = trialCustomers
				}
				return c.playFaults(cmd.Context(), fault, times, from, out)
			}
			if from.orders == "" && from.date == "" {
				from.date = demoDate
			}
			return c.playDemo(cmd.Context(), from, out)
		},
	}
	cmd.Flags().StringVar(&from.orders, "orders", "", "file with orders: .csv, .csv.gz or the UCI .xlsx; default a made-up shop")
	cmd.Flags().StringVar(&from.date, "date", "", "day to play; default "+demoDate+", with --orders the day of the newest order")
	cmd.Flags().StringVar(&out, "out", demoOut, "folder for everything that the demonstration leaves behind; made anew each time")
	cmd.Flags().IntVar(&from.customers, "customers", demoCustomers, "size of the made-up shop")
	cmd.Flags().StringVar(&fault, "fault", "", "play what happens when something fails: "+faultNames()+", or all")
	cmd.Flags().IntVar(&times, "times", 1, "with --fault all: how often each fault is tried")
	return cmd
}

// demoStep is one tool call of the story.
type demoStep struct {
	Tool   string          `json:"tool"`
	TookMS float64         `json:"took_ms"`
	Stages []stageTime     `json:"stages,omitempty"` // of a playbook
	Output json.RawMessage `json:"output,omitempty"`
	Skip   string          `json:"left_out,omitempty"` // why the story does without it
}

// demoReport is the story for a program.
type demoReport struct {
	Phase    functions.Phase    `json:"phase"`
	Receiver string             `json:"receiver"`
	Shop     loaded             `json:"shop"`
	Steps    []demoStep         `json:"steps"`
	StandIn  []string           `json:"stand_in"` // what the receiver would have posted
	Outputs  map[string]string  `json:"outputs"`
	Problem  *functions.Problem `json:"problem,omitempty"` // how the story ended, when that was not well
	TookMS   int64              `json:"took_ms"`
}

// story is a demonstration while it is played.
type story struct {
	*command
	client *client
	heard  *bytes.Buffer // what the local stand-in printed
	report demoReport
	date   functions.Date
}

func (c *command) playDemo(ctx context.Context, from source, out string) (err error) {
	began := c.Now()
	if err := freshFolder(ctx, out); err != nil {
		return err
	}
	s := &story{command: c, heard: &bytes.Buffer{}, report: demoReport{
		Phase: functions.PhaseProduction, Receiver: "local stand-in for Make.com", Outputs: outputs(out), StandIn: []string{},
	}}
	if !c.json {
		c.printf("%s on %s. Phase production, against the %s: nothing leaves this machine.\n\n",
			c.paint(bold, "RetentionOps"), shopName(from), s.report.Receiver)
	}
	secret, err := newSecret()
	if err != nil {
		return err
	}
	receiver, err := shop.NewReceiver(shop.Options{Out: s.heard, Secrets: []string{secret}, Now: c.Now})
	if err != nil {
		return err
	}
	standIn, err := listen(ctx, "127.0.0.1:0", receiver)
	if err != nil {
		return err
	}
	defer func() { _ = standIn.stop(ctx) }()
	settings := demoSettings(out, standIn.URL, secret)
	if s.report.Shop, err = c.stock(ctx, c.env(settings, functions.PhaseProduction), from); err != nil {
		return err
	}
	c.showStock(s.report.Shop)
	s.date = s.report.Shop.Detection.AsOf
	c.Today = s.date // the story plays on its own day: by the calendar its data would be too old to leave
	env := c.env(settings, functions.PhaseProduction)
	defer func() {
		if closing := env.Close(); err == nil {
			err = closing
		}
	}()
	doors, err := listen(ctx, "127.0.0.1:0", mux(env))
	if err != nil {
		return err
	}
	defer func() { _ = doors.stop(ctx) }()
	s.client = &client{base: doors.URL, http: &http.Client{}}
	ended := s.play(ctx)
	s.report.TookMS = c.Now().Sub(began).Milliseconds()
	return s.close(out, ended)
}

// freshFolder makes the folder for a demonstration. One that an earlier demonstration left is emptied; another that
// holds anything is left alone.
func freshFolder(ctx context.Context, out string) error {
	entries, err := os.ReadDir(out)
	if err != nil && !os.IsNotExist(err) {
		return unusableFolder(out, err)
	}
	if _, missing := os.Stat(filepath.Join(out, demoMarker)); len(entries) > 0 && missing != nil {
		return functions.Errorf(functions.InvalidArgument, "%s holds something else", out).
			WithHint("name an empty or new folder with --out")
	}
	if warehouseFile := outputs(out)["warehouse"]; len(entries) > 0 {
		// A serve that holds the file would go on with one that is no longer there.
		held, err := warehouse.Open(ctx, warehouseFile)
		if functions.CodeOf(err) == functions.Unavailable {
			return err
		}
		if err == nil {
			_ = held.Close()
		}
	}
	for _, left := range []string{"warehouse.duckdb", "warehouse.duckdb.wal", "archive", "exports", "brief.md"} {
		if err := os.RemoveAll(filepath.Join(out, left)); err != nil {
			return unusableFolder(out, err)
		}
	}
	if err := os.MkdirAll(out, 0o750); err != nil {
		return unusableFolder(out, err)
	}
	if err := os.WriteFile(filepath.Join(out, demoMarker), []byte("{}\n"), 0o600); err != nil {
		return unusableFolder(out, err)
	}
	return nil
}

func unusableFolder(out string, cause error) error {
	return functions.Errorf(functions.InvalidArgument, "%q cannot be used for the demonstration", out).
		WithHint("name a folder that can be written, with --out").WithCause(cause)
}

func outputs(out string) map[string]string {
	return map[string]string{
		"brief":     filepath.Join(out, "brief.md"),
		"audiences": filepath.Join(out, "exports"),
		"archive":   filepath.Join(out, "archive"),
		"warehouse": "duckdb:" + strings.TrimPrefix(fileURL(out, "warehouse.duckdb"), "file:"),
	}
}

func shopName(from source) string {
	if from.orders != "" {
		return "the orders of " + filepath.Base(from.orders)
	}
	return fmt.Sprintf("a made-up shop of about %d customers", from.customers)
}

// newSecret makes a signing secret for this one demonstration, in the form of Standard Webhooks.
func newSecret() (string, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(key), nil
}

// play calls the six tools in order. Its error is how the story ended.
func (s *story) play(ctx context.Context) error {
	decision, err := tell(ctx, s, functions.GetAlertDecision, nil, func(out functions.GetAlertDecisionOutput) string {
		return s.paintSeverity(out.Severity) + "  " + out.Reason
	})
	if err != nil {
		return err
	}
	_, err = tell(ctx, s, functions.GetOperationalContext, nil, func(out functions.GetOperationalContextOutput) string {
		status := out.StatusDistribution
		return fmt.Sprintf("%d customers: %d ACTIVE, %d AT_RISK, %d INACTIVE", out.TotalCustomers, status.Active, status.AtRisk, status.Inactive)
	})
	if err != nil {
		return err
	}
	if decision.ActionRequired {
		if err := s.act(ctx); err != nil {
			return err
		}
	} else {
		for _, tool := range []*functions.Tool{functions.BuildPriorityQueue, functions.GenerateBrief, functions.ExportAudience} {
			s.leaveOut(tool, "no alert, nothing to do")
		}
	}
	return s.trigger(ctx)
}

// act is the middle of the story: queue, brief, the audience of the first tier.
func (s *story) act(ctx context.Context) error {
	_, err := tell(ctx, s, functions.BuildPriorityQueue, nil, func(out functions.BuildPriorityQueueOutput) string {
		return fmt.Sprintf("%d customers: P1 %d, P2 %d, P3 %d, each with score, reason and action", out.Total, out.P1Count, out.P2Count, out.P3Count)
	})
	if err != nil {
		return err
	}
	brief, err := tell(ctx, s, functions.GenerateBrief, nil, func(out functions.GenerateBriefOutput) string {
		return fmt.Sprintf("%d lines: %s", strings.Count(strings.TrimRight(out.Text, "\n"), "\n")+1, out.Subject)
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.report.Outputs["brief"], []byte(brief.Text), 0o600); err != nil {
		return fmt.Errorf("keep the brief: %w", err)
	}
	_, err = tell(ctx, s, functions.ExportAudience, map[string]any{"tier": functions.P1}, func(out functions.ExportAudienceOutput) string {
		return fmt.Sprintf("%s, %s", retention.Counted(out.RowsExported, "row"), out.CSVURL)
	})
	return err
}

// trigger is the end of the story. Its error is the exit of the demonstration.
func (s *story) trigger(ctx context.Context) error {
	out, err := tell(ctx, s, functions.TriggerPlaybook, nil, func(out functions.TriggerPlaybookOutput) string {
		if out.DeliveryState != functions.DeliveryConfirmed {
			return fmt.Sprintf("%s: %s (log written: %t)", s.paint(wary, string(out.Status)), out.Reason, out.LogWritten)
		}
		return fmt.Sprintf("%s, delivery %s: Slack %s, ticket %s, log written",
			s.paint(good, string(out.Status)), out.DeliveryState, out.Artifacts.SlackMessageTS, out.Artifacts.JiraTicket)
	})
	for line := range strings.Lines(s.heard.String()) {
		line = strings.TrimRight(line, "\n")
		s.report.StandIn = append(s.report.StandIn, line)
		if !s.json {
			s.printf("    %s\n", s.paint(faint, line))
		}
	}
	if err == nil && out.Status == functions.RunSkipped {
		return exit(exitSkipped)
	}
	return err
}

// close shows where the outputs lie, and answers how the story ended.
func (s *story) close(out string, ended error) error {
	for name, place := range s.report.Outputs {
		if _, err := os.Stat(place); err != nil && name != "warehouse" {
			delete(s.report.Outputs, name) // the story did not come to it
		}
	}
	if s.json {
		if failure, failed := errors.AsType[*functions.Error](ended); failed {
			problem := functions.ProblemOf(failure, failure.RunID)
			s.report.Problem = &problem
			s.json = false // one document is all a program reads; the rest is said on Err
		}
		if err := s.printJSON(s.report); err != nil {
			return err
		}
		return ended
	}
	s.printf("\nDone in %.1f s. It left in %s:\n", float64(s.report.TookMS)/1000, out)
	for _, name := range []string{"brief", "audiences", "archive", "warehouse"} {
		if place, there := s.report.Outputs[name]; there {
			s.printf("  %-10s %s\n", name, place)
		}
	}
	s.printf("Look further:\n")
	for _, command := range []string{"runs list", "serve --today " + s.date.String(), "call get_operational_context --date latest"} {
		s.printf("  %s %s --warehouse %s\n", s.Name, command, s.report.Outputs["warehouse"])
	}
	return ended
}

// leaveOut notes a tool that this day does without.
func (s *story) leaveOut(tool *functions.Tool, why string) {
	s.report.Steps = append(s.report.Steps, demoStep{Tool: tool.Name, Skip: why})
	if !s.json {
		s.printf("%d  %-24s %s\n", len(s.report.Steps), tool.Name, s.paint(faint, "left out: "+why))
	}
}

// tell calls a tool for the story's day, keeps the answer and shows it in one line.
func tell[Out any](ctx context.Context, s *story, tool *functions.Tool, input map[string]any, line func(Out) string) (Out, error) {
	var out Out
	fields := map[string]any{"date": s.date}
	maps.Copy(fields, input)
	body, err := json.Marshal(fields)
	if err != nil {
		return out, fmt.Errorf("write the input of %s: %w", tool.Name, err)
	}
	watch := &stopwatch{now: s.Now, began: s.Now()}
	answer, err := s.client.call(functions.WithReporter(ctx, func(p functions.Progress) { watch.see(p); s.showProgress(p) }), tool, body)
	took, stages := watch.stop()
	s.clearStep()
	if err != nil {
		return out, err
	}
	if tool != functions.TriggerPlaybook {
		stages = nil
	}
	s.report.Steps = append(s.report.Steps, demoStep{Tool: tool.Name, TookMS: milliseconds(took), Stages: stages, Output: answer})
	if out, err = decode[Out](answer); err != nil {
		return out, err
	}
	if !s.json {
		s.printf("%d  %-24s %s  %s\n", len(s.report.Steps), tool.Name, line(out), s.paint(faint, "("+took.Round(time.Millisecond).String()+")"))
		s.showStages(took, stages)
	}
	return out, nil
}
