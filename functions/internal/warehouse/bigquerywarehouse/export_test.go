package bigquerywarehouse

import (
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/retentionops/retentionops/functions"
)

// Impatient lets a warehouse look at its jobs without a pause worth the name.
func (w *Warehouse) Impatient() *Warehouse {
	w.firstLook, w.longestLook = time.Millisecond, 5*time.Millisecond
	return w
}

// SQL is the text of a statement; empty when there is none of the name.
func (w *Warehouse) SQL(name string) string { return w.sql[name] }

// Statements are the names of all statements.
func (w *Warehouse) Statements() []string {
	names := make([]string, 0, len(w.sql))
	for name := range w.sql {
		names = append(names, name)
	}
	return names
}

// Samples are the parameters of the statements of a day's work, by name.
func Samples(date functions.Date) map[string][]bigquery.QueryParameter {
	params := map[string][]bigquery.QueryParameter{}
	for _, s := range samples(date) {
		params[s.name] = s.params
	}
	return params
}

// The schemas that load jobs and checks state.
var (
	QueueSchema = queueSchema
	RunsSchema  = runsSchema
)
