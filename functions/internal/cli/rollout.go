package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
)

func (c *command) rollout() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Show how far the rollout has come, and what the next phase asks for",
		Long: "Shows the present phase, what it must have shown before the next one (§16) with the runs, days and notes that say so,\n" +
			"and the reasons to go back. Nothing switches by itself: when all is met, it names the line to write in rules/rollout.yaml.\n\n" +
			"Exit: 0, or 1 when a reason to go back stands.",
		Example: "  retentionops rollout\n  retentionops rollout --json --url http://127.0.0.1:8080\n" +
			"  retentionops rollout approve brief --who 'Ada, CRM' --why 'reads well'\n" +
			"  retentionops rollout report campaign-started --run 01KF2Z8M3T9Q6W1E5R7Y0V4N2P --who Ada --why 'first mail seen'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := c.checkHealth(cmd.Context(), url, functions.CheckHealthInput{DryRun: true})
			if err != nil {
				return err
			}
			if c.json {
				err = c.printJSON(out.Rollout)
			} else {
				c.showRollout(out.Rollout)
			}
			if err == nil && slices.ContainsFunc(out.Rollout.Triggers, stands) {
				return exit(exitFailed)
			}
			return err
		},
	}
	cmd.PersistentFlags().StringVar(&url, "url", "", "a running serve or a deployed host; RETENTIONOPS_API_KEY is sent along")
	cmd.AddCommand(
		c.note(&url, "approve", "Write down that something was approved", []noteWord{
			{"brief", functions.NoteBriefApproved, "the CRM manager approves the brief"},
			{"export", functions.NoteExportApproved, "the export was tried in the CRM and works"},
		}),
		c.note(&url, "report", "Write down what happened and no log can know", []noteWord{
			{"campaign-started", functions.NoteCampaignStarted, "the campaign of a run was started; names --run, and --at when it was not just now"},
			{"false-positive", functions.NoteFalsePositive, "the alert of a run was none; names --run"},
			{"false-positive-withdrawn", functions.NoteFalsePositiveWithdrawn, "it was one after all; names --run"},
			{"disable-requested", functions.NoteDisableRequested, "the team asks to stop"},
			{"disable-withdrawn", functions.NoteDisableWithdrawn, "it no longer does"},
		}),
	)
	return cmd
}

func stands(trigger functions.RollbackTrigger) bool { return trigger.State == functions.AlarmStanding }

// noteWord is what a person types for a kind of note.
type noteWord struct {
	word    string
	kind    functions.NoteKind
	meaning string
}

// ofRun tells whether the note is about one run, as its meaning says.
func (w noteWord) ofRun() bool { return strings.Contains(w.meaning, "names --run") }

// note is a command that writes something down. It goes through the scheduled check, so an alarm that comes of it is
// told at once.
func (c *command) note(url *string, verb, short string, known []noteWord) *cobra.Command {
	var in functions.NoteInput
	lines := []string{
		short + ", with who says so and why. It is kept for good, and the check of the health is made with it:\n" +
			"an alarm that begins or ends by it is mailed.\n",
	}
	var valid []string
	for _, word := range known {
		lines = append(lines, fmt.Sprintf("  %-25s %s", word.word, word.meaning))
		valid = append(valid, word.word)
	}
	example := ""
	if known[0].ofRun() {
		example = " --run 01KF2Z8M3T9Q6W1E5R7Y0V4N2P"
	}
	cmd := &cobra.Command{
		Use: verb + " WHAT", Short: short, Long: strings.Join(lines, "\n"), ValidArgs: valid, Args: cobra.ExactArgs(1),
		Example: fmt.Sprintf("  retentionops rollout %s %s%s --who Ada --why 'seen with my own eyes'", verb, valid[0], example),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := slices.Index(valid, args[0])
			if at < 0 {
				return functions.Errorf(functions.InvalidArgument, "there is nothing to %s as %q", verb, args[0]).
					WithHint("write one of " + strings.Join(valid, ", "))
			}
			in.What = known[at].kind
			if strings.TrimSpace(in.Who) == "" || strings.TrimSpace(in.Why) == "" {
				return functions.Errorf(functions.InvalidArgument, "a note needs who says so and why").
					WithHint("write --who 'Ada, CRM' --why 'reads well'")
			}
			if in.RunID == "" && known[at].ofRun() {
				return functions.Errorf(functions.InvalidArgument, "a note of %s is about a run", args[0]).
					WithHint("write --run RUN_ID; retentionops runs list names them")
			}
			out, err := c.checkHealth(cmd.Context(), *url, functions.CheckHealthInput{Note: &in})
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(out)
			}
			c.printf("Written down.\n")
			for _, alarm := range out.Alarms {
				if alarm.Change != functions.AlarmUnchanged {
					c.printf("The alarm %s %s: %s\n", alarm.Name, alarm.Change, alarmTold(alarm))
				}
			}
			c.printf("\n")
			c.showRollout(out.Rollout)
			return nil
		},
	}
	cmd.Flags().StringVar(&in.Who, "who", "", "the person who says so")
	cmd.Flags().StringVar(&in.Why, "why", "", "on what grounds, in one line")
	cmd.Flags().StringVar(&in.RunID, "run", "", "the run that it is about")
	cmd.Flags().StringVar(&in.At, "at", "", "when it happened, such as 2026-01-12T08:30:00Z; default now")
	return cmd
}

func (c *command) showRollout(view functions.RolloutView) {
	since := "no run in it yet"
	if view.Since != nil {
		since = "since " + view.Since.String()
	}
	c.printf("Phase %s, %s.", c.paint(bold, string(view.Phase)), since)
	if view.Next != "" {
		c.printf(" Before %s it must have shown (§16):", view.Next)
	}
	c.printf("\n\n")
	if len(view.Criteria) > 0 {
		table := c.newTable("", "criterion", "found", "rows")
		for _, criterion := range view.Criteria {
			table.AppendRow([]any{c.met(criterion.Met), criterion.Text, criterion.Found, rowsBehind(criterion.RunIDs, criterion.NoteIDs)})
		}
		table.Render()
		c.printf("\n")
	}
	table := c.newTable("", "reason to go back", "found", "rows")
	for _, trigger := range view.Triggers {
		table.AppendRow([]any{c.alarmState(trigger.State), trigger.Text, trigger.Found, rowsBehind(trigger.RunIDs, trigger.NoteIDs)})
	}
	table.Render()
	c.showNotes(view.Notes)
	switch {
	case view.Ready:
		c.printf("\nAll is met. To go on, write in rules/rollout.yaml:\n  %s\n", view.Change)
	case view.Next != "":
		c.printf("\nNot yet ready for %s.\n", view.Next)
	}
}

func (c *command) met(met bool) string {
	if met {
		return c.paint(good, "met")
	}
	return c.paint(wary, "not met")
}

// rowsBehind are the first rows that say so.
func rowsBehind(runs, notes []string) string {
	const most = 3
	var words []string
	for _, one := range []struct {
		what string
		ids  []string
	}{{"run", runs}, {"note", notes}} {
		for _, id := range one.ids[:min(len(one.ids), most)] {
			words = append(words, one.what+" "+id)
		}
		if more := len(one.ids) - most; more > 0 {
			words = append(words, fmt.Sprintf("%d more", more))
		}
	}
	return strings.Join(words, "\n")
}

func (c *command) showNotes(notes []functions.RolloutNote) {
	if len(notes) == 0 {
		return
	}
	c.printf("\n")
	table := c.newTable("note", "when", "what", "who", "why", "run")
	for _, note := range notes {
		table.AppendRow([]any{note.ID, when(note.At), strings.ReplaceAll(string(note.What), "_", " "), note.Who, note.Why, note.RunID})
	}
	table.Render()
}
