package bigquerywarehouse_test

import (
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse/bigquerytest"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
	"github.com/retentionops/retentionops/functions/internal/warehouse/warehousetest"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bigquerywarehouse.Place{
		"bigquery://the-project/retention": {
			Project: "the-project", Dataset: "retention", InputsProject: "the-project", InputsDataset: "retention",
		},
		"bigquery://the-project/retention?inputs=their-project.detection&location=EU&max_bytes_billed=1000": {
			Project: "the-project", Dataset: "retention", InputsProject: "their-project", InputsDataset: "detection", Location: "EU", MaxBytesBilled: 1000,
		},
		"bigquery://the-project/retention?inputs=detection&location=europe-west3": {
			Project: "the-project", Dataset: "retention", InputsProject: "the-project", InputsDataset: "detection", Location: "europe-west3",
		},
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := bigquerywarehouse.PlaceOf(u)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestWhatIsNoPlaceIsRefusedWhenItIsOpened(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"bigquery:///retention":                                         "project",
		"bigquery:the-project/retention":                                "project",
		"bigquery://The_Project/retention":                              "project",
		"bigquery://a`b/retention":                                      "read",
		"bigquery://user:hunter2@the-project/retention":                 "project",
		"bigquery://the-project":                                        "dataset",
		"bigquery://the-project/retention/table":                        "dataset",
		"bigquery://the-project/re-tention":                             "dataset",
		"bigquery://the-project/" + strings.Repeat("a", 1025):           "dataset",
		"bigquery://the-project/retention?inputs=":                      "inputs",
		"bigquery://the-project/retention?inputs=p.d":                   "inputs",
		"bigquery://the-project/retention?inputs=their-project.d`x":     "inputs",
		"bigquery://the-project/retention?location=E%20U":               "location",
		"bigquery://the-project/retention?location=":                    "location",
		"bigquery://the-project/retention?max_bytes_billed=10GB":        "max_bytes_billed",
		"bigquery://the-project/retention?max_bytes_billed=0":           "max_bytes_billed",
		"bigquery://the-project/retention?max_bytes_billed=1&max_bytes": "other names",
		"bigquery://the-project/retention?location=EU&location=US":      "twice",
		"bigquery://the-project/retention?a=%zz":                        "read",
		"bigquery://the-project/retention#x":                            "project",
	} {
		_, err := warehouse.Open(t.Context(), text)
		problem := functions.ProblemOf(err, "")
		if problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, want) || problem.Hint == "" {
			t.Errorf("%s: got %v, want failed_precondition that names %q", text, err, want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q gives away the password", err)
		}
	}
}

func TestTheSchemaIsAppliedTwiceAndCompared(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	w := warehouse.New(connect(t, server, place))
	apply := func(days int) []string {
		findings, err := w.ApplySchema(t.Context(), days)
		if err != nil {
			t.Fatal(err)
		}
		return told(findings)
	}
	before := server.Tables()
	if findings := apply(90); findings != nil {
		t.Errorf("the second time: %q", findings)
	}
	if diff := cmp.Diff(before, server.Tables(), inRats); diff != "" {
		t.Errorf("the second time changed the tables:\n%s", diff)
	}
	if findings := apply(30); findings != nil {
		t.Errorf("with another expiry: %q", findings)
	}

	// Another program's table of our name, which IF NOT EXISTS leaves alone.
	queue := *server.Tables()[slices.IndexFunc(server.Tables(), func(t *bigquerytest.Table) bool { return t.Name == ours+"customer_priority" })]
	queue.Columns = slices.Clone(queue.Columns[1:])
	queue.Columns[0].Type, queue.Columns[1].Required = "INT64", false
	server.Put(queue)
	want := []string{
		"the table customer_priority has no column run_date (DATE NOT NULL)",
		"the column customer_id of customer_priority is INT64 NOT NULL; it must be STRING NOT NULL",
		"the column retention_status of customer_priority is STRING; it must be STRING NOT NULL",
		"the table customer_priority is not partitioned by time; it must be partitioned by the day of run_date",
		"the table customer_priority is not clustered; it must be clustered by priority_tier, customer_id",
	}
	if diff := cmp.Diff(want, apply(30)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if _, err := w.ApplySchema(t.Context(), 0); functions.CodeOf(err) != functions.InvalidArgument {
		t.Errorf("no days at all: %v", err)
	}
}

// inRats lets cmp compare amounts.
var inRats = cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })

func told(findings []driver.Finding) (lines []string) {
	for _, finding := range findings {
		lines = append(lines, finding.String())
	}
	return lines
}

func TestTheSchemaIsShownWithoutAnAccount(t *testing.T) {
	t.Parallel()
	shown, err := warehouse.SchemaOf(t.Context(), "bigquery://the-project/retention?inputs=their-project.detection", 45)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(shown, ";\n")
	for _, want := range []string{
		"CREATE TABLE IF NOT EXISTS `the-project.retention.customer_priority`", "partition_expiration_days = 45",
		"CREATE TABLE IF NOT EXISTS `the-project.retention.ops_runs_log`",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("it shows no %q", want)
		}
	}
	if strings.Contains(all, "EXPIRY_DAYS") {
		t.Error("it lacks the days")
	}
}

func TestADatasetThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	server.Datasets = nil
	for _, at := range []bigquerywarehouse.Place{place, {Project: place.Project, Dataset: place.Dataset, InputsProject: place.Project, InputsDataset: place.Dataset}} {
		_, err := connect(t, server, at).ApplySchema(t.Context(), 90)
		if functions.CodeOf(err) != functions.FailedPrecondition || !strings.Contains(functions.ProblemOf(err, "").Detail, "dataset") {
			t.Errorf("got %v", err)
		}
	}
}

func TestACheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	in := warehousetest.Sound()
	in.Lacking = []string{"retention_snapshot", "churn_detection.churn_risk_level"}
	server := serve(t, in)
	server.Drop(ours+"ops_runs_log", "")
	server.Put(bigquerytest.Table{Name: inputs + "base_customers", Columns: columns("customer_id", "INT64", "total_revenue", "FLOAT64",
		"total_orders", "INT64", "avg_order_value", "NUMERIC", "another", "STRING")})
	asked := server.Calls(jobsQuery) + server.Calls(jobsInsert)
	findings, err := warehouse.New(connect(t, server, place)).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the warehouse has no table retention_snapshot",
		"the table churn_detection has no column churn_risk_level (STRING)",
		"the column total_revenue of base_customers is FLOAT64; it must be NUMERIC, as money must be exact",
		"the warehouse has no table ops_runs_log",
	}
	if diff := cmp.Diff(want, told(findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if server.Calls(jobsQuery)+server.Calls(jobsInsert) != asked {
		t.Error("the check ran a job")
	}

	sound, err := warehouse.New(connect(t, serve(t, warehousetest.Sound()), place)).Check(t.Context())
	if err != nil || sound != nil {
		t.Errorf("sound tables: %v, %v", sound, err)
	}
}

func TestAFloatIsNoMoney(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	server.Put(bigquerytest.Table{Name: inputs + "base_customers", Columns: columns("customer_id", "STRING", "total_revenue", "FLOAT64",
		"total_orders", "INT64", "avg_order_value", "NUMERIC"), Rows: [][]any{{"0007", 12.5, int64(1), nil}}})
	err := calls[readCustomers](t.Context(), port(t, server, 0))
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition ||
		!strings.Contains(problem.Detail, "total_revenue") || !strings.Contains(problem.Detail, "FLOAT64") {
		t.Errorf("got %v", err)
	}
}

func TestAnExplanationRunsNothing(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	w := warehouse.New(connect(t, server, place))
	fill(t, connect(t, server, place))
	before := server.Tables()
	costs, err := w.Explain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, cost := range costs {
		names = append(names, cost.Statement)
		if cost.Bytes <= 0 {
			t.Errorf("%s would process %d bytes", cost.Statement, cost.Bytes)
		}
		if jobs := server.Jobs(cost.Statement, false); cost.Statement == "customers" && len(jobs) != 0 {
			t.Errorf("%s ran: %v", cost.Statement, jobs)
		}
	}
	want := []string{"alert", "customers", "queue_state", "empty_day", "expire", "queue", "queue_summary", "append_run", "runs"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, server.Tables(), inRats); diff != "" {
		t.Errorf("the tables have changed:\n%s", diff)
	}
}

func TestAStatementThatWouldBillTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	at := place
	at.MaxBytesBilled = 10
	_, err := connect(t, server, at).NewestAlert(t.Context())
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, "max_bytes_billed") {
		t.Errorf("got %v", err)
	}
}

func TestJobsAreMarkedAndPlaced(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	at := place
	at.Location = "" // it is asked for, as a job cannot be found without it
	w := port(t, server, 0)
	nowhere := warehouse.New(connect(t, server, at))
	ctx := functions.WithCall(t.Context(), functions.Call{Tool: "trigger_playbook", RunID: "01K9ZZ/Ünïque"})
	for name, call := range calls {
		if err := call(ctx, w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name := range calls {
		for _, id := range server.Jobs(name, false) {
			want := map[string]string{"app": "retentionops", "statement": name, "tool": "trigger_playbook", "run_id": "01k9zz--n-que"}
			if diff := cmp.Diff(want, server.Labels(id)); diff != "" {
				t.Errorf("labels of %s (-want +got):\n%s", name, diff)
			}
		}
	}
	queueJob := regexp.MustCompile(`^retops-queue-20260112-[0-9a-z]+-1$`)
	if jobs := server.Jobs(loadQueue, false); len(jobs) != 1 || !queueJob.MatchString(jobs[0]) {
		t.Errorf("the load's job is %q", jobs)
	}
	if err := calls[loadQueue](ctx, nowhere); err != nil {
		t.Errorf("without a location: %v", err)
	}
	if err := calls[loadQueue](ctx, nowhere); err != nil || server.Calls("bigquery.datasets.get") != 2 {
		t.Errorf("%d looks at the dataset (%v), want one of the schema's and one more", server.Calls("bigquery.datasets.get"), err)
	}
}

func TestALargeDayGoesUpInPieces(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Sound())
	pattern := queues()[monday][0]
	pattern.Reason = strings.Repeat("why ", 500_000)
	var rows []retention.QueueRow
	for i := range 10 { // 20 MB; the client sends up to 16 at once
		pattern.CustomerID = strconv.Itoa(i)
		rows = append(rows, pattern)
	}
	before := server.Calls(jobsInsert)
	if _, err := port(t, server, 0).ReplaceQueue(t.Context(), monday, rows, functions.Date{}); err != nil {
		t.Fatal(err)
	}
	if got := server.Rows(ours + "customer_priority"); len(got) != len(rows) {
		t.Errorf("%d rows stand, want %d", len(got), len(rows))
	}
	if requests := server.Calls(jobsInsert) - before; requests < 3 {
		t.Errorf("it went up in %d requests", requests)
	}
}
