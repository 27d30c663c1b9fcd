// Package buildpriorityqueue is the door of build_priority_queue: it registers the entry point, links the drivers that this function
// needs and no other, and hands a decoded call to the trade. It decides nothing itself.
package buildpriorityqueue

import (
	"context"
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.BuildPriorityQueue.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves build_priority_queue in the given environment.
func Handler(env *setup.Env) http.Handler {
	return door.Handle(door.For(env), functions.BuildPriorityQueue,
		func(ctx context.Context, in functions.BuildPriorityQueueInput) (out functions.BuildPriorityQueueOutput, err error) {
			day, err := env.Day(ctx, in.Date)
			if err != nil {
				return out, err
			}
			if !in.DryRun {
				if err := day.MayAct(); err != nil {
					return out, err
				}
			}
			papers, err := env.Archive(ctx)
			if err != nil {
				return out, err
			}
			excluded, err := env.Exclusions(ctx)
			if err != nil {
				return out, err
			}
			assessment, err := priority.Assess(ctx, day.Warehouse, day.Book, excluded, day.Date)
			if err != nil {
				return out, err
			}
			log, err := env.Log(ctx)
			if err != nil {
				return out, err
			}
			lastSent, err := log.LastSent(ctx)
			if err != nil {
				return out, err
			}
			builder := &priority.Builder{Queues: day.Warehouse, Archive: papers, Now: env.Now, KeepDays: day.KeepDays}
			out, err = builder.Build(ctx, day.Book, assessment,
				priority.Options{DryRun: in.DryRun, Override: in.Override, LastSent: lastSent})
			out.RulesStale = env.RulesStale()
			return out, err
		})
}
