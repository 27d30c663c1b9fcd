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
	"strings"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
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
			case functions.RecordRulebook:
				out.Rulebook, err = ruleText(ctx, env, in.RulesVersion)
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
	since, before := in.Month.Span()
	return log.List(ctx, warehouse.RunQuery{Limit: limit, Since: since, Before: before})
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

// rulesOf are the rules of a version and the files that judge in it: the deployed ones, or those that the archive has kept
// of a version that was used, without a book.
func rulesOf(ctx context.Context, env *setup.Env, version string) (*rulebook.Book, map[string][]byte, error) {
	book, err := env.Rules(ctx)
	if err != nil && version == "" {
		return nil, nil, err
	}
	if err == nil && (version == "" || version == book.Version()) {
		return book, book.Files(), nil
	}
	papers, err := env.Archive(ctx)
	if err != nil {
		return nil, nil, err
	}
	files, err := priority.KeptRules(ctx, papers, version)
	return nil, files, err
}

// ruleFiles are the files that judge, as they are written.
func ruleFiles(ctx context.Context, env *setup.Env, version string) (*functions.RuleFiles, error) {
	book, files, err := rulesOf(ctx, env, version)
	if err != nil {
		return nil, err
	}
	kept := &functions.RuleFiles{RulesVersion: version}
	if book != nil {
		kept.RulesVersion = book.Version()
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		kept.Files = append(kept.Files, functions.RuleFile{Name: name, Text: string(files[name])})
	}
	return kept, nil
}

// ruleText is what the rules say, in words.
func ruleText(ctx context.Context, env *setup.Env, version string) (*functions.RuleText, error) {
	book, files, err := rulesOf(ctx, env, version)
	if err == nil && book == nil {
		if book, err = rulebook.LoadKept(files); err != nil {
			err = functions.Errorf(functions.FailedPrecondition, "the rules of version %s cannot be put into words", version).
				WithHint("record rules gives them as they are written").WithCause(err)
		}
	}
	if err != nil {
		return nil, err
	}
	today, err := env.Today(ctx)
	if err != nil {
		return nil, err
	}
	page, err := book.Page(nil, today)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := page.Markdown(&text); err != nil {
		return nil, err
	}
	return &functions.RuleText{RulesVersion: book.Version(), Text: text.String()}, nil
}
