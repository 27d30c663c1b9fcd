// Package getoperationalcontext is the door of get_operational_context: it registers the entry point, links the drivers that this function
// needs and no other, and hands a decoded call to the trade. It decides nothing itself.
package getoperationalcontext

import (
	"context"
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	"github.com/retentionops/retentionops/functions/internal/alert"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive" // an exclusion list may be a file
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.GetOperationalContext.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves get_operational_context in the given environment.
func Handler(env *setup.Env) http.Handler {
	return door.Handle(door.For(env), functions.GetOperationalContext,
		func(ctx context.Context, in functions.GetOperationalContextInput) (out functions.GetOperationalContextOutput, err error) {
			day, err := env.Day(ctx, in.Date)
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
			out = alert.Context(assessment)
			out.RulesStale = env.RulesStale()
			return out, nil
		})
}
