// Package readrecord is the door of read_record: it registers the entry point, links the drivers that this function
// needs and no other, and hands a decoded call to the run log, to the explainer or to the archive. It decides nothing
// itself.
package readrecord

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"os"
	"slices"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.ReadRecord.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves read_record in the given environment.
func Handler(env *setup.Env) http.Handler {
	return door.Handle(door.For(env), functions.ReadRecord,
		func(ctx context.Context, in functions.ReadRecordInput) (out functions.ReadRecordOutput, err error) {
			out.Record = in.Record
			switch in.Record {
			case functions.RecordExplanation:
				out.Explanation, err = explanation(ctx, env, in)
			case functions.RecordRules:
				out.Rules, err = ruleFiles(ctx, env, in.RulesVersion)
			default:
				out.Runs, err = runs(ctx, env, in)
			}
			return out, err
		})
}

func runs(ctx context.Context, env *setup.Env, in functions.ReadRecordInput) ([]functions.Run, error) {
	log, err := env.Log(ctx)
	if err != nil {
		return nil, err
	}
	if in.Record == functions.RecordRun {
		run, err := log.Show(ctx, in.RunID)
		return []functions.Run{run}, err
	}
	limit := functions.DefaultRuns
	if in.Limit != nil {
		limit = *in.Limit
	}
	return log.List(ctx, warehouse.RunQuery{Limit: limit})
}

// explanation explains a customer on a day; the newest one when none is named.
func explanation(ctx context.Context, env *setup.Env, in functions.ReadRecordInput) (*functions.Explanation, error) {
	day, err := env.Day(ctx, cmp.Or(in.Date, functions.Latest))
	if err != nil {
		return nil, err
	}
	papers, err := env.Archive(ctx)
	if err != nil {
		return nil, err
	}
	excluded, err := env.Exclusions(ctx)
	if err != nil {
		return nil, err
	}
	explainer := priority.Explainer{
		Queues: day.Warehouse, Customers: day.Warehouse, Archive: papers, Book: day.Book, Excluded: excluded,
	}
	explained, err := explainer.Explain(ctx, in.CustomerID, day.Date)
	if err != nil {
		return nil, err
	}
	return &explained, nil
}

// ruleFiles are the files that judge: the deployed ones, or those of a version that was used.
func ruleFiles(ctx context.Context, env *setup.Env, version string) (*functions.RuleFiles, error) {
	book, err := env.Rules(ctx)
	if err != nil && version == "" {
		return nil, err
	}
	var files map[string][]byte
	if err == nil && (version == "" || version == book.Version()) {
		version, files = book.Version(), book.Files()
	} else {
		papers, err := env.Archive(ctx)
		if err != nil {
			return nil, err
		}
		if files, err = priority.KeptRules(ctx, papers, version); err != nil {
			return nil, err
		}
	}
	kept := &functions.RuleFiles{RulesVersion: version}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		kept.Files = append(kept.Files, functions.RuleFile{Name: name, Text: string(files[name])})
	}
	return kept, nil
}
