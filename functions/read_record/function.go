// Package readrecord is the door of read_record: it registers the entry point, links the drivers that this function
// needs and no other, and hands a decoded call to the run log. It decides nothing itself.
package readrecord

import (
	"context"
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.ReadRecord.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves read_record in the given environment.
func Handler(env *setup.Env) http.Handler {
	return door.Handle(door.New(env.Lookuper(), env.Logger(), env.Now, env.NewID), functions.ReadRecord,
		func(ctx context.Context, in functions.ReadRecordInput) (functions.ReadRecordOutput, error) {
			out := functions.ReadRecordOutput{Record: in.Record}
			log, err := env.Log(ctx)
			if err != nil {
				return out, err
			}
			if in.Record == functions.RecordRun {
				run, err := log.Show(ctx, in.RunID)
				out.Runs = []functions.Run{run}
				return out, err
			}
			limit := functions.DefaultRuns
			if in.Limit != nil {
				limit = *in.Limit
			}
			out.Runs, err = log.List(ctx, warehouse.RunQuery{Limit: limit})
			return out, err
		})
}
