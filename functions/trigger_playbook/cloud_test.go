package triggerplaybook_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/sethvargo/go-envconfig"
	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
	"github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/shop"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse/bigquerytest"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
	triggerplaybook "github.com/retentionops/retentionops/functions/trigger_playbook"
)

func TestMain(m *testing.M) { os.Exit(bigquerytest.Main(m)) }

const detection, ours = "acme-data.detection.", "acme-retention.retention."

// company is Google Cloud on the loopback as a company has it: BigQuery with the detection's tables, two buckets and a
// spreadsheet, each request held against Google's discovery documents, and a scenario that receives the playbook.
type company struct {
	bigquery *bigquerytest.Server
	storage  *cloudtest.Storage
	sheets   *cloudtest.Sheets
	scenario *shop.Receiver
	hook     string
	secret   string
	today    civil.Date
}

// newCompany is a company on a WARNING day: of its 60 customers 5 are P1 and 10 are P2.
func newCompany(t *testing.T) *company {
	t.Helper()
	c := &company{
		bigquery: bigquerytest.New(t), storage: cloudtest.NewStorage(t, "acme-archive", "acme-exports"),
		sheets: cloudtest.NewSheets(t, "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdef"), today: civil.Date{Year: 2026, Month: time.January, Day: 12},
		secret: "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")),
	}
	c.bigquery.Today, c.bigquery.Datasets = c.today, []string{"acme-retention.retention", "acme-data.detection"}
	for _, table := range c.tables() {
		c.bigquery.Put(table)
	}
	var err error
	if c.scenario, err = shop.NewReceiver(shop.Options{Secrets: []string{c.secret}}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c.scenario)
	t.Cleanup(server.Close)
	c.hook = server.URL + "/hook"
	return c
}

func columns(pairs ...string) (made []bigquerytest.Column) {
	for i := 0; i < len(pairs); i += 2 {
		made = append(made, bigquerytest.Column{Name: pairs[i], Type: pairs[i+1]})
	}
	return made
}

func (c *company) tables() []bigquerytest.Table {
	alerts := bigquerytest.Table{
		Name: detection + "alert_logic",
		Columns: columns("alert_date", "DATE", "severity", "STRING", "alert_flag", "BOOL", "current_value", "FLOAT64",
			"baseline_value", "FLOAT64", "delta_relative_pct", "FLOAT64", "sample_size", "INT64"),
		Rows: [][]bigquerytest.Value{{c.today, "WARNING", true, 25.2, 21.4, 17.8, int64(4338)}},
	}
	snapshot := bigquerytest.Table{
		Name:    detection + "retention_snapshot",
		Columns: columns("customer_id", "STRING", "retention_status", "STRING", "days_since_last_order", "INT64"),
	}
	churn := bigquerytest.Table{
		Name: detection + "churn_detection",
		Columns: columns("customer_id", "STRING", "churn_risk_score", "INT64", "churn_risk_level", "STRING",
			"is_frequency_drop", "BOOL", "is_status_inconsistent", "BOOL", "is_value_drop", "BOOL"),
	}
	base := bigquerytest.Table{
		Name:    detection + "base_customers",
		Columns: columns("customer_id", "STRING", "total_revenue", "NUMERIC", "total_orders", "INT64", "avg_order_value", "NUMERIC", "last_order_date", "DATE"),
	}
	for i := range int64(60) {
		id, status, days, level := fmt.Sprintf("C%03d", i), "ACTIVE", int64(5), "LOW"
		switch {
		case i < 5:
			days, level = 20, "HIGH"
		case i < 15:
			status, days, level = "AT_RISK", 60, "HIGH"
		}
		snapshot.Rows = append(snapshot.Rows, []bigquerytest.Value{id, status, days})
		churn.Rows = append(churn.Rows, []bigquerytest.Value{id, map[string]int64{"HIGH": 50}[level], level, level == "HIGH", false, false})
		base.Rows = append(base.Rows, []bigquerytest.Value{
			id, big.NewRat(100_000+i, 100), int64(4), big.NewRat(25_000, 100), c.today.AddDays(-int(days)),
		})
	}
	return []bigquerytest.Table{alerts, snapshot, churn, base}
}

// connect lets the schemes of this test open the drivers of production at the company's addresses.
func (c *company) connect() {
	local := []option.ClientOption{option.WithEndpoint(c.bigquery.URL()), option.WithoutAuthentication()}
	warehouse.Register("bigquery-here", func(ctx context.Context, u *url.URL) (driver.Warehouse, error) {
		place, err := bigquerywarehouse.PlaceOf(&url.URL{Scheme: "bigquery", Host: u.Host, Path: u.Path, RawQuery: u.RawQuery})
		if err != nil {
			return nil, err
		}
		return bigquerywarehouse.New(ctx, place, local...)
	})
	bucket := func(u *url.URL) *url.URL { return &url.URL{Scheme: "gs", Host: u.Host, Path: u.Path} }
	archive.Register("gs-here", func(ctx context.Context, u *url.URL) (archive.Archive, error) {
		return gcsarchive.Open(ctx, bucket(u), c.storage.Options()...)
	})
	destination.Register("gs-here", func(ctx context.Context, u *url.URL) (destination.Destination, error) {
		return gcsdestination.Open(ctx, bucket(u), c.storage.Options()...)
	})
	destination.Register("sheets-here", func(ctx context.Context, u *url.URL) (destination.Destination, error) {
		return sheetsdestination.Open(ctx, &url.URL{Scheme: "sheets", Host: u.Host}, c.sheets.Options()...)
	})
}

// function is the deployed function in the company's environment.
func (c *company) function() http.Handler {
	return triggerplaybook.Handler(setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(map[string]string{
			"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_WAREHOUSE": "bigquery-here://acme-retention/retention?inputs=acme-data.detection&location=EU",
			"RETENTIONOPS_ARCHIVE": "gs-here://acme-archive/papers", "RETENTIONOPS_EXPORTS": "gs-here://acme-exports/audiences",
			"RETENTIONOPS_SHEETS": "sheets-here://1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdef", "RETENTIONOPS_WEBHOOK_URL": c.hook, "RETENTIONOPS_WEBHOOK_SECRET": c.secret,
		}),
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, NewID: setup.NewID, Today: c.today, Phase: functions.PhaseProduction,
	}))
}

func (c *company) trigger(t *testing.T) functions.TriggerPlaybookOutput {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", strings.NewReader("{}"))
	request.RemoteAddr = "127.0.0.1:1"
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	c.function().ServeHTTP(answer, request)
	var out functions.TriggerPlaybookOutput
	if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return out
}

// TestAWholeRunOnGoogleCloud runs the playbook from the alert to the receipt on the drivers of production.
func TestAWholeRunOnGoogleCloud(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.connect()
	tables, err := bigquerywarehouse.New(t.Context(), bigquerywarehouse.Place{
		Project: "acme-retention", Dataset: "retention", InputsProject: "acme-data", InputsDataset: "detection", Location: "EU",
	}, option.WithEndpoint(c.bigquery.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	if findings, err := tables.ApplySchema(t.Context(), 90); err != nil || len(findings) > 0 {
		t.Fatalf("make our tables: %v, %v", findings, err)
	}
	queries, jobs := c.bigquery.Calls("bigquery.jobs.query"), c.bigquery.Calls("bigquery.jobs.insert")
	out := c.trigger(t)
	t.Logf("one run makes %d queries and %d jobs", c.bigquery.Calls("bigquery.jobs.query")-queries, c.bigquery.Calls("bigquery.jobs.insert")-jobs)

	if out.Status != functions.RunSuccess || out.DeliveryState != functions.DeliveryConfirmed || !out.LogWritten ||
		out.P1Count != 5 || out.P2Count != 10 || !out.Artifacts.GSheetsUploaded {
		t.Errorf("the run ended as %+v", out)
	}
	if rows := c.bigquery.Rows(ours + "customer_priority"); len(rows) != 15 {
		t.Errorf("the queue has %d rows", len(rows))
	}
	if rows := c.bigquery.Rows(ours + "ops_runs_log"); len(rows) != 2 {
		t.Errorf("the log has %d rows", len(rows))
	}
	for bucket, want := range map[string]string{"acme-exports": "audiences/", "acme-archive": "papers/payloads/"} {
		found, err := c.storage.ListObjectsWithOptionsPaginated(bucket, fakestorage.ListOptions{Prefix: want})
		if err != nil || len(found.Objects) == 0 {
			t.Errorf("nothing lies in %s under %s: %v", bucket, want, err)
		}
	}
	sizes := map[string]int{}
	for _, tab := range c.sheets.Tabs() {
		sizes[tab.Title] = len(tab.Cells)
	}
	if sizes["20260112-P1"] != 6 || sizes["20260112-P2"] != 11 { // the head and its customers
		t.Errorf("the spreadsheet holds %v", sizes)
	}
	// Another instance of the function, the same morning: the day is done, nothing is sent again.
	again := c.trigger(t)
	if ledger := c.scenario.Ledger(); !again.AlreadyDone || again.RunID != out.RunID || len(ledger) != 1 || ledger[0].Posts != 1 || ledger[0].Tickets != 1 {
		t.Errorf("the second trigger: %+v; the scenario worked %+v", again, ledger)
	}
}
