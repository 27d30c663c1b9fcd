package bigquerywarehouse

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed sql/*.sql
var files embed.FS

// The names of the statements: those of their files.
const (
	alertStatement        = "alert"
	customersStatement    = "customers"
	exclusionsStatement   = "exclusions" // lacks the name of its table
	queueStatement        = "queue"
	queueSummaryStatement = "queue_summary"
	queueStateStatement   = "queue_state"
	emptyDayStatement     = "empty_day"
	expireStatement       = "expire"
	appendRunStatement    = "append_run"
	runsStatement         = "runs"
	createQueueStatement  = "create_customer_priority" // lacks the days
	expireQueueStatement  = "expire_customer_priority" // lacks the days
	createRunsStatement   = "create_ops_runs_log"
)

// statementsAt reads the statements and puts in the names of the datasets. A table is written as one quoted path; names
// cannot be parameters of a statement, and these were checked when the URL was read.
func statementsAt(place Place) map[string]string {
	names, err := fs.Glob(files, "sql/*.sql")
	if err != nil {
		panic(err) // the pattern is ours
	}
	at := strings.NewReplacer(
		"`inputs.", "`"+place.InputsProject+"."+place.InputsDataset+".",
		"`ours.", "`"+place.Project+"."+place.Dataset+".",
	)
	texts := make(map[string]string, len(names))
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it was just listed
		}
		texts[strings.TrimSuffix(path.Base(name), ".sql")] = at.Replace(string(text))
	}
	return texts
}
