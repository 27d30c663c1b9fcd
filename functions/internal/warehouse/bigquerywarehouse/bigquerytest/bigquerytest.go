// Package bigquerytest is a BigQuery on the loopback for tests: tables in memory, Google's own SQL engine over them, and
// in front of both the REST API, whose every request and answer is checked against Google's discovery document. It plays
// faults on demand.
//
// It knows the calls and the statements of the driver and no others. It stands for what the documents and the engine know:
// rights, quotas, cost and the load parser of the service are not in it.
package bigquerytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

// Server is the loopback BigQuery. Set its fields before its first request.
type Server struct {
	Location string     // where every dataset lies; a job that runs elsewhere does not find them
	Datasets []string   // project.dataset
	PageSize int        // rows in a page of an answer
	Today    civil.Date // decides what has expired on arrival

	tb       testing.TB
	engine   *Engine
	document *discoverytest.Document
	http     *httptest.Server

	writing sync.Mutex // held while a statement writes: each sees what the one before left
	mu      sync.Mutex
	tables  map[string]*stored // by whole name
	jobs    map[string]*job
	uploads map[string]*upload
	faults  []*Fault
	calls   map[string]int // by method
	results int            // results that were given a name
}

// stored is a table with what its DDL says of it. Its rows are never changed in place.
type stored struct {
	Table

	partition  string // the column, empty when there is none
	clustering []string
	expiryDays int
}

// New starts a server that holds no table; it ends with the test.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{
		Location: "EU", PageSize: 1000, tb: tb, engine: TheEngine(tb), document: discoverytest.Load(tb, "bigquery/v2"),
		tables: map[string]*stored{}, jobs: map[string]*job{}, uploads: map[string]*upload{}, calls: map[string]int{},
	}
	s.http = httptest.NewServer(s.document.Handler(tb, s.serve))
	tb.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// URL is where a client connects to.
func (s *Server) URL() string { return s.http.URL }

// Put makes a table with its rows; one that is there is replaced.
func (s *Server) Put(table Table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[table.Name] = &stored{Table: table}
}

// Drop takes a table away; with a column, only that.
func (s *Server) Drop(table, column string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if column == "" {
		delete(s.tables, table)
		return
	}
	changed := *s.tables[table]
	at := slices.IndexFunc(changed.Columns, func(c Column) bool { return c.Name == column })
	changed.Columns = slices.Delete(slices.Clone(changed.Columns), at, at+1)
	changed.Rows = nil
	for _, row := range s.tables[table].Rows {
		changed.Rows = append(changed.Rows, slices.Delete(slices.Clone(row), at, at+1))
	}
	s.tables[table] = &changed
}

// Rows are the rows of a table as they stand.
func (s *Server) Rows(table string) [][]Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[table]; t != nil {
		return slices.Clone(t.Rows)
	}
	return nil
}

// Calls is how often a method was called, such as bigquery.jobs.insert.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Engine is the SQL engine behind the server.
func (s *Server) Engine() *Engine { return s.engine }

// Tables are all tables, in the order of their names.
func (s *Server) Tables() []*Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	tables := []*Table{}
	for _, t := range s.tables {
		tables = append(tables, &t.Table)
	}
	slices.SortFunc(tables, func(a, b *Table) int { return strings.Compare(a.Name, b.Name) })
	return tables
}

func (s *Server) table(name string) *stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tables[name]
}

func (s *Server) replace(table *stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[table.Name] = table
}

// refusal is an error that the API answers.
type refusal struct {
	status  int
	reason  string
	message string
}

// Error implements error.
func (r *refusal) Error() string { return r.message }

func refuse(status int, reason, format string, args ...any) *refusal {
	return &refusal{status, reason, fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *refusal {
	return refuse(http.StatusNotFound, "notFound", "Not found: "+format, args...)
}

// serve answers a checked request, or plays the fault that is due.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, call *discoverytest.Call) {
	s.mu.Lock()
	s.calls[call.Method]++
	s.mu.Unlock()
	fault := s.due(call)
	if fault != nil && fault.before(w, r) {
		return
	}
	answer, err := s.answer(w, r, call, fault)
	switch refused, is := err.(*refusal); { //nolint:errorlint // it is made here and never wrapped
	case is:
		discoverytest.Fault(w, refused.status, "", refused.reason, refused.message)
		return
	case err != nil:
		s.tb.Errorf("the fake cannot serve %s: %v", call.Method, err)
		discoverytest.Fault(w, http.StatusNotImplemented, "", "notImplemented", err.Error())
		return
	case answer == nil:
		return // it was written already
	}
	body, err := json.Marshal(answer)
	if err == nil {
		err = s.document.CheckAnswer(call.Method, body)
	}
	if err != nil {
		s.tb.Errorf("the fake answers what the API cannot: %v", err)
	}
	if fault != nil {
		fault.after(w, body)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(body) // the client may have gone
}

// answer does what a request asks for.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, call *discoverytest.Call, fault *Fault) (any, error) {
	ctx := context.WithoutCancel(r.Context()) // what was taken is done
	switch call.Method {
	case "bigquery.jobs.query":
		return s.query(ctx, call)
	case "bigquery.jobs.insert":
		return s.insert(ctx, w, r, call, fault)
	case "bigquery.jobs.get":
		return s.getJob(call)
	case "bigquery.jobs.getQueryResults":
		return s.getResults(call)
	case "bigquery.tables.get":
		return s.getTable(call)
	case "bigquery.datasets.get":
		project, dataset := call.Params["projectId"], call.Params["datasetId"]
		if !slices.Contains(s.Datasets, project+"."+dataset) {
			return nil, notFound("Dataset %s:%s", project, dataset)
		}
		return map[string]any{
			"kind": "bigquery#dataset", "location": s.Location,
			"datasetReference": map[string]any{"projectId": project, "datasetId": dataset},
		}, nil
	default:
		return nil, fmt.Errorf("it does not know this method")
	}
}

// getTable describes a table.
func (s *Server) getTable(call *discoverytest.Call) (any, error) {
	project, dataset, id := call.Params["projectId"], call.Params["datasetId"], call.Params["tableId"]
	t := s.table(project + "." + dataset + "." + id)
	if t == nil {
		return nil, notFound("Table %s:%s.%s", project, dataset, id)
	}
	answer := map[string]any{
		"kind": "bigquery#table", "type": "TABLE", "location": s.Location, "schema": schemaOf(t.Columns),
		"tableReference": map[string]any{"projectId": project, "datasetId": dataset, "tableId": id},
	}
	if t.partition != "" {
		partitioning := map[string]any{"type": "DAY", "field": t.partition}
		if t.expiryDays > 0 {
			partitioning["expirationMs"] = fmt.Sprint(int64(t.expiryDays) * 24 * 60 * 60 * 1000)
		}
		answer["timePartitioning"] = partitioning
	}
	if len(t.clustering) > 0 {
		answer["clustering"] = map[string]any{"fields": t.clustering}
	}
	return answer, nil
}

func schemaOf(columns []Column) map[string]any {
	fields := []any{}
	for _, column := range columns {
		mode := "NULLABLE"
		if column.Required {
			mode = "REQUIRED"
		}
		fields = append(fields, map[string]any{"name": column.Name, "type": kinds[column.Type].api, "mode": mode})
	}
	return map[string]any{"fields": fields}
}
