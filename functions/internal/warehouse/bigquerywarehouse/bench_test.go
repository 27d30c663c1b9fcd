package bigquerywarehouse_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

// canned answers every statement with customers.sql's columns and so many rows, of which a page is written once: the
// engine would be what is measured otherwise. Pages are as large as BigQuery's own, about 10 MB.
func canned(tb testing.TB, rows, page int) *httptest.Server {
	tb.Helper()
	kinds := []string{
		"STRING", "DATE", "INTEGER", "INTEGER", "INTEGER", "STRING", "INTEGER", "STRING", "INTEGER", "BOOLEAN", "BOOLEAN", "BOOLEAN",
		"NUMERIC", "INTEGER", "NUMERIC",
	}
	var fields []any
	for i, kind := range kinds {
		fields = append(fields, map[string]any{"name": "c" + strconv.Itoa(i), "type": kind})
	}
	encode := func(first bool) json.RawMessage {
		var all []any
		for i := range page {
			values := []any{
				fmt.Sprintf("C%07d", i), nil, "1", "1", "1", "ACTIVE", "24", "HIGH", "70", "true", "false", "true", "3847.1", "12", "320.591666667",
			}
			if first && i == 0 {
				values = []any{nil, "2026-01-12", "0", "0", "0", nil, nil, nil, nil, nil, nil, nil, nil, nil, nil}
			}
			var cells []any
			for _, value := range values {
				cells = append(cells, map[string]any{"v": value})
			}
			all = append(all, map[string]any{"f": cells})
		}
		text, err := json.Marshal(all)
		if err != nil {
			tb.Fatal(err)
		}
		return text
	}
	head, rest := encode(true), encode(false)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
		answer := map[string]any{
			"jobComplete": true, "totalRows": strconv.Itoa(rows), "schema": map[string]any{"fields": fields}, "rows": rest,
			"jobReference": map[string]any{"projectId": place.Project, "jobId": "canned", "location": "EU"},
		}
		if at == 0 {
			answer["rows"] = head
		}
		if at += page; at < rows {
			answer["pageToken"] = strconv.Itoa(at)
		}
		var body bytes.Buffer
		_ = json.NewEncoder(&body).Encode(answer)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body.Bytes())
	}))
	tb.Cleanup(server.Close)
	return server
}

func cannedWarehouse(tb testing.TB, server *httptest.Server) *bigquerywarehouse.Warehouse {
	tb.Helper()
	w, err := bigquerywarehouse.New(tb.Context(), place, option.WithEndpoint(server.URL), option.WithoutAuthentication())
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// A million customers, next to the plainest reading of the same answers by the client: rows of values that nobody looks at.
func BenchmarkCustomers(b *testing.B) {
	const count, page = 1_000_000, 40_000
	server := canned(b, count, page)
	w := cannedWarehouse(b, server)
	client, err := bigquery.NewClient(b.Context(), place.Project, option.WithEndpoint(server.URL), option.WithoutAuthentication(), option.WithTelemetryDisabled())
	if err != nil {
		b.Fatal(err)
	}
	var ours, plain time.Duration
	var oursAllocs, plainAllocs uint64
	measured := func(into *time.Duration, allocs *uint64, work func() int, want int) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		if got := work(); got != want {
			b.Fatalf("%d rows, want %d", got, want)
		}
		*into += time.Since(began)
		runtime.ReadMemStats(&after)
		*allocs += after.Mallocs - before.Mallocs
	}
	for b.Loop() {
		measured(&ours, &oursAllocs, func() (visited int) {
			if _, err := w.Customers(b.Context(), func(retention.Customer) error { visited++; return nil }); err != nil {
				b.Fatal(err)
			}
			return visited
		}, count-1) // the first row is the as-of date
		measured(&plain, &plainAllocs, func() (read int) {
			rows, err := client.Query("SELECT 1").Read(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			var row []bigquery.Value
			for {
				if err := rows.Next(&row); errors.Is(err, iterator.Done) {
					return read
				} else if err != nil {
					b.Fatal(err)
				}
				read++
			}
		}, count)
	}
	rows := float64(count) * float64(b.N)
	b.ReportMetric(rows/ours.Seconds(), "rows/s")
	b.ReportMetric(rows/plain.Seconds(), "plain-rows/s")
	b.ReportMetric(ours.Seconds()/plain.Seconds(), "x-plain")
	b.ReportMetric(float64(oursAllocs)/rows, "allocs/row") // the server's are in both
	b.ReportMetric(float64(plainAllocs)/rows, "plain-allocs/row")
}

func TestMemoryDoesNotGrowWithTheCustomers(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	const page = 200
	most := func(count int) (live uint64) {
		w := cannedWarehouse(t, canned(t, count, page))
		visited := 0
		_, err := w.Customers(t.Context(), func(retention.Customer) error {
			if visited++; visited%(count/10) == 0 {
				var now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&now)
				live = max(live, now.HeapAlloc)
			}
			return nil
		})
		if err != nil || visited != count-1 {
			t.Fatalf("%d customers, %v", visited, err)
		}
		return live
	}
	few, many := most(10*page), most(100*page)
	if t.Logf("live memory: %d KB at 10 pages, %d KB at 100", few/1024, many/1024); many > few*3/2 {
		t.Errorf("%d bytes live at ten times the rows, %d before", many, few)
	}
}
