package bigquerytest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

// queryConfig is a statement as jobs.query and jobs.insert carry it.
type queryConfig struct {
	Query           string
	QueryParameters []struct {
		Name           string
		ParameterType  struct{ Type string }
		ParameterValue struct{ Value *string }
	}
	MaximumBytesBilled string
	UseLegacySQL       *bool `json:"useLegacySql"`
}

type jobReference struct{ ProjectID, JobID, Location string }

type jobBody struct {
	JobReference  jobReference
	Configuration struct {
		Labels map[string]string
		DryRun bool
		Query  *queryConfig
		Load   *loadConfig
	}
}

// job is a job that was taken. It is replaced when it is done, never changed.
type job struct {
	reference     jobReference
	configuration any
	labels        map[string]string
	failure       *refusal
	columns       []Column
	rows          [][]Value
	done          bool
}

// Jobs are the ids of the jobs that were taken for a statement, sorted; with failed, only those that failed.
func (s *Server) Jobs(statement string, failed bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, j := range s.jobs {
		if j.labels["statement"] == statement && (!failed || j.failure != nil) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Labels are the labels of a job.
func (s *Server) Labels(id string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.jobs[id].labels)
}

var (
	jobIDs      = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	labelKeys   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	labelValues = regexp.MustCompile(`^[a-z0-9_-]{0,63}$`)
)

// checkJob keeps the rules on values that the discovery document does not know.
func (s *Server) checkJob(id, location string, labels map[string]string) error {
	switch {
	case !jobIDs.MatchString(id) || len(id) > 1024:
		return refuse(http.StatusBadRequest, "invalid", "Invalid job ID %q", id)
	case location != "" && location != s.Location:
		return notFound("Dataset was not found in location %s", location)
	}
	for key, value := range labels {
		if !labelKeys.MatchString(key) || !labelValues.MatchString(value) {
			return refuse(http.StatusBadRequest, "invalid", "Label %q: %q does not match the rules", key, value)
		}
	}
	return nil
}

// insert takes a job and carries it out; its state is told from the next look on.
func (s *Server) insert(ctx context.Context, w http.ResponseWriter, r *http.Request, call *discoverytest.Call, fault *Fault) (any, error) {
	described, media, done, err := s.received(w, r, call)
	if err != nil || !done {
		return nil, err
	}
	var body jobBody
	if err := recode(described, &body); err != nil {
		return nil, err
	}
	reference := body.JobReference
	if reference.Location == "" {
		reference.Location = s.Location
	}
	if err := s.checkJob(reference.JobID, reference.Location, body.Configuration.Labels); err != nil {
		return nil, err
	}
	tree, _ := described.(map[string]any)
	taken := &job{reference: reference, configuration: tree["configuration"], labels: body.Configuration.Labels}
	if body.Configuration.DryRun {
		return s.dryRun(ctx, taken, body.Configuration.Query)
	}
	if !s.take(taken) {
		return nil, refuse(http.StatusConflict, "duplicate", "Already Exists: Job %s", reference.JobID)
	}
	ended := *taken
	switch {
	case fault != nil && fault.Fails != "":
		ended.failure = refuse(http.StatusBadRequest, fault.Fails, "SELECT secret FROM `the-project.the_dataset`: played by the test")
	case body.Configuration.Query != nil:
		ended.columns, ended.rows, err = s.run(ctx, body.Configuration.Query)
	case body.Configuration.Load != nil:
		err = s.load(body.Configuration.Load, media)
	default:
		return nil, fmt.Errorf("it knows no such job")
	}
	if refused, is := err.(*refusal); is { //nolint:errorlint // it is made here and never wrapped
		ended.failure = refused
	} else if err != nil {
		return nil, err
	}
	ended.done = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[reference.JobID] = &ended
	return taken.told(), nil // it runs; the next look tells how it ended
}

// take writes a job down unless its id is used up.
func (s *Server) take(taken *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs[taken.reference.JobID] != nil {
		return false
	}
	s.jobs[taken.reference.JobID] = taken
	return true
}

// told describes a job.
func (j *job) told() map[string]any {
	answer := map[string]any{
		"kind": "bigquery#job", "id": j.reference.ProjectID + ":" + j.reference.Location + "." + j.reference.JobID,
		"jobReference":  map[string]any{"projectId": j.reference.ProjectID, "jobId": j.reference.JobID, "location": j.reference.Location},
		"configuration": j.configuration, "status": map[string]any{"state": "RUNNING"},
		"statistics": map[string]any{"creationTime": "1768199400000", "startTime": "1768199400000"},
	}
	if j.done {
		state := map[string]any{"state": "DONE"}
		if j.failure != nil {
			proto := map[string]any{"reason": j.failure.reason, "message": j.failure.message}
			state["errorResult"], state["errors"] = proto, []any{proto}
		}
		answer["status"] = state
	}
	return answer
}

func (s *Server) find(call *discoverytest.Call) (*job, error) {
	id := call.Params["jobId"]
	if location := call.Query.Get("location"); location != s.Location {
		return nil, notFound("Job %s in location %q", id, location)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.jobs[id]; found != nil {
		return found, nil
	}
	return nil, notFound("Job %s", id)
}

func (s *Server) getJob(call *discoverytest.Call) (any, error) {
	found, err := s.find(call)
	if err != nil {
		return nil, err
	}
	return found.told(), nil
}

// query runs a statement at once and answers its first page.
func (s *Server) query(ctx context.Context, call *discoverytest.Call) (any, error) {
	var body struct {
		queryConfig

		Labels   map[string]string
		Location string
	}
	if err := recode(call.Body, &body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.results++
	id := "fake-" + strconv.Itoa(s.results)
	s.mu.Unlock()
	if err := s.checkJob(id, body.Location, body.Labels); err != nil {
		return nil, err
	}
	columns, rows, err := s.run(ctx, &body.queryConfig)
	if err != nil {
		return nil, err
	}
	done := &job{
		reference: jobReference{call.Params["projectId"], id, s.Location}, configuration: map[string]any{}, labels: body.Labels,
		columns: columns, rows: rows, done: true,
	}
	s.take(done)
	return s.page(done, 0), nil
}

// getResults answers a page of what a statement gave.
func (s *Server) getResults(call *discoverytest.Call) (any, error) {
	found, err := s.find(call)
	if err != nil {
		return nil, err
	}
	from := call.Query.Get("pageToken")
	if from == "" {
		from = call.Query.Get("startIndex")
	}
	if from == "" {
		from = "0"
	}
	at, err := strconv.Atoi(from)
	if err != nil {
		return nil, err
	}
	answer := s.page(found, at)
	answer["kind"] = "bigquery#getQueryResultsResponse"
	return answer, nil
}

func (s *Server) page(j *job, from int) map[string]any {
	rows := []any{}
	to := min(from+s.PageSize, len(j.rows))
	for _, row := range j.rows[from:to] {
		cells := []any{}
		for _, value := range row {
			cells = append(cells, map[string]any{"v": print(value)})
		}
		rows = append(rows, map[string]any{"f": cells})
	}
	answer := map[string]any{
		"kind": "bigquery#queryResponse", "jobComplete": true, "schema": schemaOf(j.columns), "totalRows": strconv.Itoa(len(j.rows)), "rows": rows,
		"jobReference": map[string]any{"projectId": j.reference.ProjectID, "jobId": j.reference.JobID, "location": j.reference.Location},
	}
	if to < len(j.rows) {
		answer["pageToken"] = strconv.Itoa(to)
	}
	return answer
}

// paramsOf are the parameters of a statement.
func (q *queryConfig) paramsOf() ([]Param, error) {
	var params []Param
	for _, p := range q.QueryParameters {
		read := Param{Name: p.Name, Type: p.ParameterType.Type}
		if _, known := kinds[read.Type]; !known {
			return nil, fmt.Errorf("it knows no parameter of type %s", read.Type)
		}
		if p.ParameterValue.Value != nil {
			var err error
			if read.Value, err = parse(read.Type, *p.ParameterValue.Value); err != nil {
				return nil, refuse(http.StatusBadRequest, "invalidQuery", "Invalid value for parameter %s: %v", p.Name, err)
			}
		}
		params = append(params, read)
	}
	return params, nil
}

// sqlFault is an error of the engine in the words of the API.
func sqlFault(err error) error {
	told, is := status.FromError(err)
	switch {
	case !is:
		return err
	case strings.Contains(told.Message(), "Table not found"):
		return notFound("%s", told.Message())
	case told.Code() == codes.Unavailable, told.Code() == codes.Internal, told.Code() == codes.Unimplemented:
		return err // the engine itself is at fault
	default:
		return refuse(http.StatusBadRequest, "invalidQuery", "%s", told.Message())
	}
}

func recode(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}
