// Package generatebrief is the door of generate_brief: it registers the entry point, links the drivers that this
// function needs and no other, and gathers what a brief is composed of. It decides nothing itself.
package generatebrief

import (
	"context"
	"fmt"
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/brief"
	_ "github.com/retentionops/retentionops/functions/internal/destination/filedestination"
	_ "github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.GenerateBrief.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves generate_brief in the given environment.
func Handler(env *setup.Env) http.Handler {
	writer := writer{env}
	return door.Handle(door.For(env), functions.GenerateBrief, writer.write)
}

// writer writes briefs.
type writer struct{ env *setup.Env }

// write answers the brief of the newest day, written now, or the stored brief of a past day: the customer tables hold
// the newest day only.
func (w writer) write(ctx context.Context, in functions.GenerateBriefInput) (out functions.GenerateBriefOutput, err error) {
	if in.Format == "" {
		in.Format = functions.Formats[0]
	}
	day, err := w.env.Day(ctx, in.Date)
	if err != nil {
		return out, err
	}
	decision, err := day.Decider.Decide(ctx, day.Date)
	if err != nil {
		return out, err
	}
	newest := day.Date
	if in.Date != functions.Latest {
		if newest, err = day.Decider.Resolve(ctx, functions.Latest); err != nil {
			return out, err
		}
	}
	if day.Date.Before(newest) {
		papers, err := w.env.Archive(ctx)
		if err != nil {
			return out, err
		}
		return brief.Stored(ctx, papers, day.Date, in.Format)
	}
	templates, err := w.env.Templates(ctx)
	if err != nil {
		return out, err
	}
	input, err := w.gather(ctx, day, decision)
	if err != nil {
		return out, err
	}
	out, err = templates.Render(in.Format, brief.Compose(input))
	out.RulesStale = w.env.RulesStale()
	out.Currency, out.TopCustomers = input.Settings.Currency, brief.Top(input)
	return out, err
}

// gather reads what a brief tells of.
func (w writer) gather(ctx context.Context, day setup.Day, decision functions.GetAlertDecisionOutput) (in brief.Input, err error) {
	excluded, err := w.env.Exclusions(ctx)
	if err != nil {
		return in, err
	}
	assessment, err := priority.Assess(ctx, day.Warehouse, day.Book, excluded, day.Date)
	if err != nil {
		return in, err
	}
	log, err := w.env.Log(ctx)
	if err != nil {
		return in, err
	}
	lastSent, err := log.LastSent(ctx)
	if err != nil {
		return in, err
	}
	playbook, _ := day.Book.Playbook(decision.Severity)
	in = brief.Input{
		Decision: decision, Assessment: assessment, Playbook: playbook, Rollout: day.Book.Rollout(), Settings: day.Book.Brief(),
		Guardrails: priority.Guard(day.Book.Guardrails(), assessment, priority.Against{LastSent: lastSent}),
	}
	in.Exports, err = w.exports(ctx, day, assessment.Tiers)
	return in, err
}

// notCounted says that a file was written earlier, maybe with a limit or by other rules: how much is in it is not known.
const notCounted = -1

// exports links to the audiences of the day that were written already.
func (w writer) exports(ctx context.Context, day setup.Day, tiers []functions.TierTotal) (found []functions.TierExports, err error) {
	config, err := w.env.Config(ctx)
	if err != nil || config.Exports == "" {
		return nil, err
	}
	files, err := w.env.Exports(ctx)
	if err != nil {
		return nil, err
	}
	for _, tier := range tiers {
		link, there, err := files.Find(ctx, day.Book.Rollout().Folder, day.Date, tier.Tier)
		if err != nil {
			return nil, fmt.Errorf("look for the audience of %s: %w", tier.Tier, err)
		}
		if there {
			found = append(found, functions.TierExports{Tier: tier.Tier, Rows: notCounted, Link: link})
		}
	}
	return found, nil
}
