package mcp

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
)

// completer proposes values for the arguments of prompts and addresses.
type completer struct {
	g      *Gateway
	recent recent
}

// recent are the newest runs of the log, as completions need them: a client asks at every key that is pressed, and the
// log costs a query. They are the same for everybody who may read, so they are kept for a moment.
type recent struct {
	turn turn // of who reads them: who else needs them waits for the same
	runs []functions.Run
	read time.Time
}

const (
	recentFresh  = 30 * time.Second
	recentRuns   = 100
	recentWithin = 5 * time.Second // a proposal that comes later helps nobody

	// most is how many values the protocol allows at once.
	most = 100
	// months is how many are proposed.
	months = 12
)

// CompletePromptArgument implements server.PromptCompletionProvider.
func (c *completer) CompletePromptArgument(
	ctx context.Context, _ string, argument mcpgo.CompleteArgument, _ mcpgo.CompleteContext,
) (*mcpgo.Completion, error) {
	return c.complete(ctx, argument), nil
}

// CompleteResourceArgument implements server.ResourceCompletionProvider.
func (c *completer) CompleteResourceArgument(
	ctx context.Context, _ string, argument mcpgo.CompleteArgument, _ mcpgo.CompleteContext,
) (*mcpgo.Completion, error) {
	return c.complete(ctx, argument), nil
}

// complete proposes what begins as the text does. What cannot be read now is not proposed; nobody needs to hear why.
func (c *completer) complete(ctx context.Context, argument mcpgo.CompleteArgument) *mcpgo.Completion {
	var values []string
	_, _ = c.g.audited(ctx, "completion/complete", json.RawMessage(argument.Name), func(ctx context.Context, _ *entry) (err error) {
		values, err = c.values(ctx, argument.Name)
		return err
	})
	found := []string{}
	for _, value := range values {
		if value != "" && strings.HasPrefix(value, argument.Value) && !slices.Contains(found, value) {
			found = append(found, value)
		}
	}
	return &mcpgo.Completion{Values: found[:min(len(found), most)], Total: len(found), HasMore: len(found) > most}
}

// values are those of an argument: from a closed list, from the calendar, or from the newest runs.
func (c *completer) values(ctx context.Context, name string) ([]string, error) {
	switch name {
	case "tier":
		return texts(functions.Tiers), nil
	case "format":
		return texts(functions.Formats), nil
	case "destination":
		return texts(functions.Targets), nil
	case "month":
		return c.months(), nil
	case "date":
		days, err := c.ofRuns(ctx, func(run functions.Run) string {
			if run.AlertDate == nil {
				return ""
			}
			return run.AlertDate.String()
		})
		return append([]string{string(functions.Latest)}, days...), err
	case "run_id":
		return c.ofRuns(ctx, func(run functions.Run) string { return run.RunID })
	case "rules_version":
		return c.ofRuns(ctx, func(run functions.Run) string { return run.RulesVersion })
	default:
		return nil, nil
	}
}

// months are the last ones, newest first.
func (c *completer) months() (values []string) {
	now := c.g.now().UTC()
	for ago := range months {
		values = append(values, time.Date(now.Year(), now.Month()-time.Month(ago), 1, 0, 0, 0, 0, time.UTC).Format("2006-01"))
	}
	return values
}

func (c *completer) ofRuns(ctx context.Context, of func(functions.Run) string) (values []string, err error) {
	runs, err := c.runs(ctx)
	for _, run := range runs {
		values = append(values, of(run))
	}
	return values, err
}

// runs are the newest runs. Whether somebody may see them is asked before, as of every call.
func (c *completer) runs(ctx context.Context) ([]functions.Run, error) {
	if err := mayRead(ctx, functions.ReadRecord); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, recentWithin) // for the waiting too
	defer cancel()
	done, err := c.recent.turn.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if now := c.g.now(); !c.recent.read.IsZero() && now.Sub(c.recent.read) < recentFresh {
		return c.recent.runs, nil
	}
	out, err := c.g.record(ctx, functions.ReadRecordInput{Record: functions.RecordRuns, Limit: new(recentRuns)})
	if err != nil {
		return nil, err
	}
	c.recent.runs, c.recent.read = out.Runs, c.g.now()
	return out.Runs, nil
}

func texts[W ~string](words []W) (texts []string) {
	for _, word := range words {
		texts = append(texts, string(word))
	}
	return texts
}
