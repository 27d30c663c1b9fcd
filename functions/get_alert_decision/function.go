// Package getalertdecision is the door of get_alert_decision: it registers the entry point, links the drivers that this function
// needs and no other, and hands a decoded call to the trade. It decides nothing itself.
package getalertdecision

import (
	"context"
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive" // rules may be published in a bucket
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.GetAlertDecision.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves get_alert_decision in the given environment.
func Handler(env *setup.Env) http.Handler {
	return door.Handle(door.For(env), functions.GetAlertDecision,
		func(ctx context.Context, in functions.GetAlertDecisionInput) (out functions.GetAlertDecisionOutput, err error) {
			day, err := env.Day(ctx, in.Date)
			if err != nil {
				return out, err
			}
			return day.Decider.Decide(ctx, day.Date)
		})
}
