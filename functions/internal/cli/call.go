package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
)

func (c *command) call() *cobra.Command {
	var date, input, url string
	var names []string
	for _, tool := range functions.Tools {
		names = append(names, tool.Name)
	}
	cmd := &cobra.Command{
		Use:   "call TOOL",
		Short: "Call one of the six tools; the answer is JSON",
		Long: "Calls a tool through its HTTP door: in this process, or at a running serve with --url.\n\nTools: " +
			strings.Join(names, ", ") + "\n\nExit: 0 done, 1 failed, 2 wrong usage or input, 3 a playbook that was skipped.",
		Example: `  retentionops call get_alert_decision --date latest
  retentionops call build_priority_queue --date 2026-01-12 --input '{"dry_run": true}'
  retentionops call export_audience --date latest --input '{"tier": "P1", "limit": 100}'
  retentionops call trigger_playbook --url http://127.0.0.1:8080 --input @input.json`,
		ValidArgs: names,
		Args:      cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tool, known := functions.ToolNamed(args[0])
			if !known {
				return functions.Errorf(functions.InvalidArgument, "there is no tool %q", args[0]).
					WithHint("tools: " + strings.Join(names, ", "))
			}
			body, err := c.readInput(input, date)
			if err != nil {
				return err
			}
			return c.at(cmd.Context(), url, func(ctx context.Context, remote *client) error {
				answer, err := remote.call(functions.WithReporter(ctx, c.showProgress), tool, body)
				c.clearStep()
				if err != nil {
					return err
				}
				if err := c.printJSON(answer); err != nil {
					return err
				}
				return outcome(tool, answer)
			})
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "day: YYYY-MM-DD, or latest; default today")
	cmd.Flags().StringVar(&input, "input", "", "the tool's input as JSON; @FILE reads a file, - standard input")
	cmd.Flags().StringVar(&url, "url", "", "a running serve or a deployed host; RETENTIONOPS_API_KEY is sent along")
	return cmd
}

// outcome is the exit of a tool's answer: a playbook that was skipped is neither done nor failed.
func outcome(tool *functions.Tool, answer json.RawMessage) error {
	if tool != functions.TriggerPlaybook {
		return nil
	}
	out, err := decode[functions.TriggerPlaybookOutput](answer)
	if err != nil {
		return err
	}
	if out.Status == functions.RunSkipped && !out.DryRun {
		return exit(exitSkipped)
	}
	return nil
}

// at gives work a client: for a URL, or for the doors served on a loopback port of this process while it lasts.
func (c *command) at(ctx context.Context, url string, work func(context.Context, *client) error) (err error) {
	if url != "" {
		return work(ctx, &client{base: url, key: c.apiKey(), http: &http.Client{}})
	}
	env := c.env(map[string]string{"RETENTIONOPS_AUTH": "local"}, "")
	local, err := listen(ctx, "127.0.0.1:0", mux(env))
	if err != nil {
		return err
	}
	defer func() {
		for _, closing := range []error{local.stop(ctx), env.Close()} {
			if err == nil {
				err = closing
			}
		}
	}()
	return work(ctx, &client{base: local.URL, http: &http.Client{}})
}

// readInput reads the input and puts the date into it.
func (c *command) readInput(input, date string) ([]byte, error) {
	data := []byte(input)
	var err error
	switch {
	case input == "-":
		data, err = io.ReadAll(c.In)
	case strings.HasPrefix(input, "@"):
		data, err = os.ReadFile(input[1:])
	}
	if err != nil {
		return nil, functions.Errorf(functions.InvalidArgument, "the input cannot be read").
			WithHint("write JSON, @FILE, or - for standard input").WithCause(err)
	}
	if date == "" {
		return data, nil
	}
	fields := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, functions.Errorf(functions.InvalidArgument, "the input is not a JSON object: %v", err).
				WithHint(`write something like --input '{"tier": "P1"}'`)
		}
	}
	if _, twice := fields["date"]; twice {
		return nil, functions.Errorf(functions.InvalidArgument, "the date is given twice").WithHint("use --date or the input, not both")
	}
	fields["date"], err = json.Marshal(date)
	if err != nil {
		return nil, fmt.Errorf("write the date: %w", err)
	}
	return json.Marshal(fields)
}

// showProgress draws a step of a long call.
func (c *command) showProgress(p functions.Progress) {
	if p.Steps > 0 {
		c.step("%d/%d %s", p.Step, p.Steps, p.Message)
		return
	}
	c.step("%s", p.Message)
}
