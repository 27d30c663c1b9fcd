package bigquerywarehouse_test

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/warehousetest"
)

// liveEnv names a real BigQuery: bigquery://PROJECT/DATASET?location=EU. The dataset's name only says what the names of
// the throwaway datasets begin with; the account must be allowed to make datasets.
const liveEnv = "RETENTIONOPS_TEST_BIGQUERY"

// livePlace is a dataset of its own that is deleted with its tables, and expires when that fails.
func livePlace(t *testing.T) (bigquerywarehouse.Place, *bigquery.Client) {
	t.Helper()
	text := os.Getenv(liveEnv)
	if text == "" {
		t.Skipf("SKIPPED: %s names no BigQuery, so nothing here was tried on the service itself", liveEnv)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	at, err := bigquerywarehouse.PlaceOf(u)
	if err != nil {
		t.Fatal(err)
	}
	at.Dataset = fmt.Sprintf("%s_test_%d", at.Dataset, time.Now().UnixNano())
	at.InputsProject, at.InputsDataset, at.MaxBytesBilled = at.Project, at.Dataset, 1<<30
	client, err := bigquery.NewClient(t.Context(), at.Project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	dataset := client.Dataset(at.Dataset)
	if err := dataset.Create(t.Context(), &bigquery.DatasetMetadata{Location: at.Location, DefaultTableExpiration: 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := functions.Outlive(t.Context(), time.Minute, time.Second)
		defer cancel()
		if err := dataset.DeleteWithContents(ctx); err != nil {
			t.Errorf("delete %s: %v", at.Dataset, err)
		}
	})
	return at, client
}

// TestLive settles what only the service can: whether the DDL, the load job and the statements are taken as they are.
func TestLive(t *testing.T) {
	t.Parallel()
	at, client := livePlace(t)
	opened, err := bigquerywarehouse.New(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	w := warehouse.New(opened)
	t.Cleanup(func() { _ = w.Close() })
	for range 2 {
		if findings, err := w.ApplySchema(t.Context(), 90); err != nil || findings != nil {
			t.Fatalf("apply the schema: %v, %v", findings, err)
		}
	}
	makeInputs(t, client, at)
	if findings, err := w.Check(t.Context()); err != nil || findings != nil {
		t.Fatalf("check: %v, %v", findings, err)
	}
	costs, err := w.Explain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("dry runs: %v", costs)
	if _, err := w.NewestAlert(t.Context()); functions.CodeOf(err) != functions.NotFound {
		t.Errorf("the newest alert of an empty table: %v", err)
	}
	liveQueue(t, w, client, at)
	liveRuns(t, w)
}

// makeInputs makes empty tables of the detection.
func makeInputs(t *testing.T, client *bigquery.Client, at bigquerywarehouse.Place) {
	t.Helper()
	for _, table := range inputTables(warehousetest.Inputs{}) {
		var schema bigquery.Schema
		for _, column := range table.Columns {
			schema = append(schema, &bigquery.FieldSchema{Name: column.Name, Type: bigquery.FieldType(column.Type)})
		}
		name := strings.TrimPrefix(table.Name, inputs)
		if err := client.Dataset(at.Dataset).Table(name).Create(t.Context(), &bigquery.TableMetadata{Schema: schema}); err != nil {
			t.Fatal(err)
		}
	}
}

// liveQueue replaces a day twice, empties it, and sees that the table is as it was. Its days are near today: older ones
// expire on arrival.
func liveQueue(t *testing.T, w *warehouse.Warehouse, client *bigquery.Client, at bigquerywarehouse.Place) {
	t.Helper()
	today := civil.DateOf(time.Now().UTC())
	rows := queues()[monday]
	for i := range rows {
		rows[i].RunDate = today
	}
	for _, want := range []int64{0, int64(len(rows))} {
		if replaced, err := w.ReplaceQueue(t.Context(), today, rows, today.AddDays(-90)); err != nil || replaced != want {
			t.Fatalf("replaced %d (%v), want %d", replaced, err, want)
		}
	}
	var got []string
	if err := w.Queue(t.Context(), today, "", func(row retention.QueueRow) error {
		got = append(got, row.CustomerID+" "+row.TotalRevenue.String())
		return nil
	}); err != nil || len(got) != len(rows) || got[1] != "0007 12345678901234567890123456789.123456789" {
		t.Errorf("the queue is %q (%v)", got, err)
	}
	if findings, err := w.ApplySchema(t.Context(), 90); err != nil || findings != nil {
		t.Errorf("after two replacements: %v, %v", findings, err)
	}
	if replaced, err := w.ReplaceQueue(t.Context(), today, nil, functions.Date{}); err != nil || replaced != int64(len(rows)) {
		t.Errorf("an empty day: %d, %v", replaced, err)
	}
	// What the guide could not tell: a row of another day in a day's load is refused by BigQuery itself.
	source := bigquery.NewReaderSource(strings.NewReader(`{"run_date":"2001-01-01","customer_id":"x"}`))
	source.SourceFormat, source.Schema = bigquery.JSON, bigquerywarehouse.QueueSchema
	day := strings.ReplaceAll(today.String(), "-", "")
	loader := client.Dataset(at.Dataset).Table("customer_priority$" + day).LoaderFrom(source)
	loader.WriteDisposition = bigquery.WriteTruncate
	job, err := loader.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status, err := job.Wait(t.Context()); err != nil || status.Err() == nil {
		t.Errorf("a row of another day: %v, %v", status, err)
	}
}

// liveRuns appends a row twice and reads it at once.
func liveRuns(t *testing.T, w *warehouse.Warehouse) {
	t.Helper()
	for range 2 {
		for _, run := range runs() {
			if err := w.AppendRun(t.Context(), run); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := w.Runs(t.Context(), warehouse.RunQuery{RunID: "01B"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(runs()[:1], got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}
