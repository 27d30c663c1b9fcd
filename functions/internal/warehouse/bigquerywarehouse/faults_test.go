package bigquerywarehouse_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse/bigquerytest"
	"github.com/retentionops/retentionops/functions/internal/warehouse/warehousetest"
)

// The calls that faults are played at.
const (
	jobsQuery  = "bigquery.jobs.query"
	jobsInsert = "bigquery.jobs.insert"
	jobsGet    = "bigquery.jobs.get"
)

// The statements that the calls of the tests run.
const (
	readCustomers = "customers"
	loadQueue     = "load_customer_priority"
	appendRun     = "append_run"
)

// calls are the calls of the port by the statement that a fault is played at.
var calls = map[string]func(context.Context, *warehouse.Warehouse) error{
	readCustomers: func(ctx context.Context, w *warehouse.Warehouse) error {
		_, err := w.Customers(ctx, func(retention.Customer) error { return nil })
		return err
	},
	loadQueue: func(ctx context.Context, w *warehouse.Warehouse) error {
		_, err := w.ReplaceQueue(ctx, monday, queues()[monday], functions.Date{})
		return err
	},
	appendRun: func(ctx context.Context, w *warehouse.Warehouse) error { return w.AppendRun(ctx, runs()[0]) },
}

// How long the port gives an attempt: for ever, or, where nothing else would end it, so long that a busy machine gets
// to the fault.
const (
	ample  = 2 * time.Minute
	scarce = 4 * time.Second
)

func TestFaults(t *testing.T) {
	t.Parallel()
	status := func(method string, status int, reason string) []bigquerytest.Fault {
		return []bigquerytest.Fault{{Method: method, Status: status, Reason: reason}}
	}
	always := func(f bigquerytest.Fault) []bigquerytest.Fault { f.Times = 1000; return []bigquerytest.Fault{f} }
	for name, c := range map[string]struct {
		call    string
		faults  []bigquerytest.Fault
		attempt time.Duration  // ample when zero, and then the port makes four; else two
		code    functions.Code // empty: it succeeds
		jobs    int            // that were taken
		failed  int            // of them
		asked   int            // how often the method of the first fault was called for; 0 is not asserted
	}{
		// A read is one request; the client repeats what it takes for passing, and the port an attempt that has ended.
		"a read meets 503":                            {call: readCustomers, faults: status(jobsQuery, 503, "backendError"), jobs: 1, asked: 2},
		"a read meets a rate limit":                   {call: readCustomers, faults: status(jobsQuery, 403, "rateLimitExceeded"), jobs: 1, asked: 2},
		"a read meets a rate limit of jobs":           {call: readCustomers, faults: status(jobsQuery, 400, "jobRateLimitExceeded"), jobs: 1, asked: 2},
		"a read meets a quota":                        {call: readCustomers, faults: status(jobsQuery, 403, "quotaExceeded"), code: functions.ResourceExhausted, asked: 1},
		"a read is not allowed":                       {call: readCustomers, faults: status(jobsQuery, 403, "accessDenied"), code: functions.FailedPrecondition, asked: 1},
		"a read has no credentials":                   {call: readCustomers, faults: status(jobsQuery, 401, "authError"), code: functions.FailedPrecondition, asked: 1},
		"a read has an answer cut off":                {call: readCustomers, faults: []bigquerytest.Fault{{Method: jobsQuery, Cut: true}}, jobs: 2, asked: 2},
		"a read has its answer lost":                  {call: readCustomers, faults: []bigquerytest.Fault{{Method: jobsQuery, Lost: true}}, jobs: 2, asked: 2},
		"a read meets 503 for ever":                   {call: readCustomers, faults: always(bigquerytest.Fault{Method: jobsQuery, Status: 503}), attempt: scarce, code: functions.Unavailable},
		"a read is slow once":                         {call: readCustomers, faults: []bigquerytest.Fault{{Method: jobsQuery, Hang: time.Minute}}, attempt: scarce, jobs: 1, asked: 2},
		"a read is slow for ever":                     {call: readCustomers, faults: always(bigquerytest.Fault{Method: jobsQuery, Hang: time.Minute}), attempt: scarce, code: functions.DeadlineExceeded, asked: 2},
		"a read fails for a reason that nobody knows": {call: readCustomers, faults: status(jobsQuery, 400, "sunspots"), code: functions.Internal, asked: 1},

		// The client repeats no upload. The port does, under the same id as long as no job of it has failed.
		"a load meets 503":                      {call: loadQueue, faults: status(jobsInsert, 503, "backendError"), jobs: 1, asked: 2},
		"a load meets a rate limit":             {call: loadQueue, faults: status(jobsInsert, 403, "rateLimitExceeded"), jobs: 1, asked: 2},
		"a load meets a rate limit of jobs":     {call: loadQueue, faults: status(jobsInsert, 403, "jobRateLimitExceeded"), jobs: 1, asked: 2},
		"a load meets a quota":                  {call: loadQueue, faults: status(jobsInsert, 403, "quotaExceeded"), code: functions.ResourceExhausted, asked: 1},
		"a load fails after it has begun":       {call: loadQueue, faults: []bigquerytest.Fault{{Method: jobsInsert, Fails: "backendError"}}, jobs: 2, failed: 1, asked: 3},
		"a load fails again and again":          {call: loadQueue, faults: always(bigquerytest.Fault{Method: jobsInsert, Fails: "jobInternalError"}), code: functions.Unavailable, jobs: 4, failed: 4},
		"a load fails for good":                 {call: loadQueue, faults: []bigquerytest.Fault{{Method: jobsInsert, Fails: "stopped"}}, code: functions.Internal, jobs: 1, failed: 1, asked: 1},
		"a load uses a quota up":                {call: loadQueue, faults: []bigquerytest.Fault{{Method: jobsInsert, Fails: "quotaExceeded"}}, code: functions.ResourceExhausted, jobs: 1, failed: 1, asked: 1},
		"a load has its answer lost":            {call: loadQueue, faults: []bigquerytest.Fault{{Method: jobsInsert, Lost: true}}, jobs: 1, asked: 1},
		"a load has its answer cut off":         {call: loadQueue, faults: []bigquerytest.Fault{{Method: jobsInsert, Cut: true}}, jobs: 1, asked: 1},
		"a load with a lost answer has failed":  {call: loadQueue, faults: []bigquerytest.Fault{{Method: jobsInsert, Lost: true, Fails: "backendError"}}, jobs: 2, failed: 1, asked: 3},
		"a load is slow to be taken":            {call: loadQueue, faults: []bigquerytest.Fault{{Method: jobsInsert, Hang: time.Minute}}, attempt: scarce, jobs: 1, asked: 2},
		"a load is lost, and nobody can see it": {call: loadQueue, faults: append([]bigquerytest.Fault{{Method: jobsInsert, Lost: true}}, always(bigquerytest.Fault{Method: jobsGet, Hang: time.Minute})...), attempt: scarce, code: functions.DeadlineExceeded, jobs: 1, asked: 2},

		// An INSERT is repeated by the client under its id, and by the port.
		"a row meets 503":                 {call: appendRun, faults: status(jobsInsert, 503, "backendError"), jobs: 1, asked: 2},
		"a row meets a quota":             {call: appendRun, faults: status(jobsInsert, 403, "quotaExceeded"), code: functions.ResourceExhausted, asked: 1},
		"a row has its answer lost":       {call: appendRun, faults: []bigquerytest.Fault{{Method: jobsInsert, Lost: true}}, jobs: 1, asked: 1},
		"a row has its answer cut off":    {call: appendRun, faults: []bigquerytest.Fault{{Method: jobsInsert, Cut: true}}, jobs: 1, asked: 2},
		"a row fails after it has begun":  {call: appendRun, faults: []bigquerytest.Fault{{Method: jobsInsert, Fails: "backendError"}}, jobs: 2, failed: 1},
		"the look at a row's job is slow": {call: appendRun, faults: []bigquerytest.Fault{{Method: jobsGet, Hang: time.Minute}}, attempt: scarce, jobs: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, warehousetest.Sound())
			w := port(t, server, c.attempt)
			for i := range c.faults {
				if c.faults[i].Method != jobsGet {
					c.faults[i].Statement = c.call
				}
			}
			before := server.Calls(c.faults[0].Method)
			server.Play(c.faults...)
			err := calls[c.call](t.Context(), w)
			if got := functions.CodeOf(err); got != c.code {
				t.Errorf("got code %q (%v), want %q", got, err, c.code)
			}
			problem := functions.ProblemOf(err, "")
			for _, word := range []string{"secret", "SELECT", place.Project, place.InputsProject} {
				if strings.Contains(problem.Detail+problem.Hint, word) {
					t.Errorf("the caller is told %q", word)
				}
			}
			if got := len(server.Jobs(c.call, false)); got != c.jobs {
				t.Errorf("%d jobs were taken, want %d", got, c.jobs)
			}
			if got := len(server.Jobs(c.call, true)); got != c.failed {
				t.Errorf("%d jobs have failed, want %d", got, c.failed)
			}
			if got := server.Calls(c.faults[0].Method) - before; c.asked != 0 && got != c.asked {
				t.Errorf("%s was called %d times, want %d", c.faults[0].Method, got, c.asked)
			}
			switch {
			case c.call == appendRun && c.code == "" && len(server.Rows(ours+"ops_runs_log")) != 1:
				t.Errorf("the log has rows %v, want one", server.Rows(ours+"ops_runs_log"))
			case c.call == loadQueue && c.code == "" && len(server.Rows(ours+"customer_priority")) != len(queues()[monday]):
				t.Errorf("the day has rows %v", server.Rows(ours+"customer_priority"))
			}
		})
	}
}

// port is the driver with the retries of §14 around it, whose pauses are short.
func port(t *testing.T, server *bigquerytest.Server, attemptTimeout time.Duration) *warehouse.Warehouse {
	t.Helper()
	w := warehouse.New(connect(t, server, place))
	w.Pauses, w.AttemptTimeout = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}, ample
	if attemptTimeout != 0 {
		w.Pauses, w.AttemptTimeout = w.Pauses[:1], attemptTimeout
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func TestALostJobIsFoundByTheNextAttempt(t *testing.T) {
	t.Parallel()
	for _, call := range []string{loadQueue, appendRun} {
		server := serve(t, warehousetest.Sound())
		w := port(t, server, scarce)
		before := server.Calls(jobsInsert)
		// The job is taken, its answer lost, and whoever looks for it has to wait until the attempt is over.
		server.Play(bigquerytest.Fault{Method: jobsInsert, Statement: call, Lost: true}, bigquerytest.Fault{Method: jobsGet, Hang: time.Minute})
		if err := calls[call](t.Context(), w); err != nil {
			t.Errorf("%s: %v", call, err)
		}
		if jobs, asked := server.Jobs(call, false), server.Calls(jobsInsert)-before; len(jobs) != 1 || asked != 2 {
			t.Errorf("%s: jobs %v after %d requests, want one after 2", call, jobs, asked)
		}
	}
}

func TestTheSameRowByManyWritersStandsOnce(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	var writers sync.WaitGroup
	for range 4 {
		w := port(t, server, 0)
		writers.Go(func() {
			if err := w.AppendRun(t.Context(), runs()[0]); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if rows := server.Rows(ours + "ops_runs_log"); len(rows) != 1 {
		t.Errorf("the log has %d rows, want 1", len(rows))
	}
	// BigQuery would let two INSERTs at once both find nothing: it is the job's id that keeps them apart.
	if jobs := server.Jobs(appendRun, false); len(jobs) != 1 {
		t.Errorf("the jobs %v ran, want one", jobs)
	}
}

func TestTheSameDayIsReplacedByEachCall(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	w := port(t, server, 0)
	for range 2 {
		if err := calls[loadQueue](t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReplaceQueue(t.Context(), monday, queues()[monday][:1], functions.Date{}); err != nil {
			t.Fatal(err)
		}
	}
	// What an earlier call has done says nothing of what stands there now.
	if jobs, rows := server.Jobs(loadQueue, false), server.Rows(ours+"customer_priority"); len(jobs) != 4 || len(rows) != 1 {
		t.Errorf("%d jobs left %d rows, want 4 and 1", len(jobs), len(rows))
	}
}

func TestRowsThatExpireOnArrivalAreNoSuccess(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	server.Today = monday.AddDays(200)
	_, err := port(t, server, 0).ReplaceQueue(t.Context(), monday, queues()[monday], functions.Date{})
	if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(functions.ProblemOf(err, "").Detail, "kept no row") {
		t.Errorf("got %v", err)
	}
	if got := len(server.Jobs(loadQueue, false)); got != 1 {
		t.Errorf("it was tried %d times, want once", got)
	}
}

func TestTheCallersDeadlineWins(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	server.Play(bigquerytest.Fault{Method: jobsQuery, Status: http.StatusServiceUnavailable, Times: 1000})
	ctx, cancel := context.WithTimeout(t.Context(), scarce)
	defer cancel()
	err := calls[readCustomers](ctx, port(t, server, 0))
	if functions.CodeOf(err) != functions.Unavailable || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}

func TestAReadFaultBehindTheFirstPageIsNotRepeated(t *testing.T) {
	t.Parallel()
	in, _ := warehousetest.Ugly()
	server := serve(t, in)
	server.PageSize = 5
	server.Play(bigquerytest.Fault{Method: "bigquery.jobs.getQueryResults", Status: http.StatusForbidden, Reason: "quotaExceeded"})
	visited := 0
	_, err := port(t, server, 0).Customers(t.Context(), func(retention.Customer) error { visited++; return nil })
	if functions.CodeOf(err) != functions.ResourceExhausted || visited != 4 {
		t.Errorf("got %v after %d visits, want resource_exhausted after the 4 of the first page", err, visited)
	}
	if got := len(server.Jobs(readCustomers, false)); got != 1 {
		t.Errorf("the statement ran %d times, want once", got)
	}
}
