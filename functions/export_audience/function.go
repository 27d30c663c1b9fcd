// Package exportaudience is the door of export_audience: it registers the entry point, links the drivers that this
// function needs and no other, and hands a decoded call to the trade. It decides nothing itself.
package exportaudience

import (
	"context"
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive" // an exclusion list may be a file
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/audience"
	_ "github.com/retentionops/retentionops/functions/internal/destination/filedestination"
	_ "github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
	_ "github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.ExportAudience.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves export_audience in the given environment.
func Handler(env *setup.Env) http.Handler {
	return door.Handle(door.For(env), functions.ExportAudience,
		func(ctx context.Context, in functions.ExportAudienceInput) (out functions.ExportAudienceOutput, err error) {
			day, err := env.Day(ctx, in.Date)
			if err != nil {
				return out, err
			}
			settings, err := setup.ReadSettings[audience.Settings](ctx, env)
			if err != nil {
				return out, err
			}
			config, err := env.Config(ctx)
			if err != nil {
				return out, err
			}
			excluded, err := env.Exclusions(ctx)
			if err != nil {
				return out, err
			}
			exporter := &audience.Exporter{
				Warehouse: day.Warehouse, CSV: env.Exports, Sheets: env.Sheets, CSVAt: config.Exports, SheetsAt: config.Sheets,
				Settings: settings, Excluded: excluded, Logger: env.Logger(),
			}
			// What is not configured is said first: nobody shall answer for a guardrail and then be told.
			if err := exporter.Ready(ctx, in.Destination); err != nil {
				return out, err
			}
			guardrails, err := mayLeave(ctx, env, day, in)
			if err != nil {
				return out, err
			}
			out, err = exporter.Export(ctx, day.Date, in, day.Book.Rollout().Folder)
			out.Guardrails = guardrails
			return out, err
		})
}

// mayLeave asks the phase and the guardrails whether anything may leave. A dry run tells what they say and goes on.
func mayLeave(
	ctx context.Context, env *setup.Env, day setup.Day, in functions.ExportAudienceInput,
) (guardrails functions.Guardrails, err error) {
	today, err := env.Today(ctx)
	if err != nil {
		return guardrails, err
	}
	guardrails, stopped := priority.Pass(priority.GuardDay(day.Book.Guardrails(), day.Date, today), in.Override)
	if in.DryRun {
		return guardrails, nil
	}
	if err := day.MayAct(); err != nil {
		return guardrails, err
	}
	return guardrails, stopped
}
