package sheetsdestination_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/sheets/v4"

	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	"github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
)

// forgetful is a spreadsheet that takes everything and keeps only the draft's id; while is called as it reads cells.
func forgetful(while func()) http.Handler {
	var draft atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Method {
		case http.MethodPut:
			for buffer := make([]byte, 1<<20); ; {
				if _, err := io.ReadFull(r.Body, buffer); err != nil {
					break
				}
				while()
			}
		case http.MethodPost:
			var batch sheets.BatchUpdateSpreadsheetRequest
			if err := json.NewDecoder(r.Body).Decode(&batch); err == nil && batch.Requests[0].AddSheet != nil {
				draft.Store(batch.Requests[0].AddSheet.Properties.SheetId)
			}
		}
		_, _ = fmt.Fprintf(w, `{"sheets":[{"properties":{"sheetId":0,"title":"Sheet1"}},{"properties":{"sheetId":%d,"title":"draft","hidden":true}}]}`, draft.Load())
	})
}

func onA(tb testing.TB, handler http.Handler) (*sheetsdestination.Destination, *sheets.Service) {
	tb.Helper()
	options := cloudtest.Options(cloudtest.Serve(tb, handler) + "/")
	d, err := sheetsdestination.Open(tb.Context(), &url.URL{Scheme: "sheets", Host: spreadsheet}, options...)
	if err != nil {
		tb.Fatal(err)
	}
	client, err := sheets.NewService(tb.Context(), options...)
	if err != nil {
		tb.Fatal(err)
	}
	return d, client
}

// plainly writes the rows with the client alone: as many at once, numbers as numbers, and nothing around it.
func plainly(b *testing.B, client *sheets.Service, a destination.Audience) {
	b.Helper()
	const atOnce = 6000
	for first := 0; first < len(a.Rows); first += atOnce {
		var values [][]any
		for _, row := range a.Rows[first:min(first+atOnce, len(a.Rows))] {
			cells := make([]any, len(row))
			for i, text := range row {
				cells[i] = text
				if a.Columns[i].Kind == destination.Number {
					cells[i] = json.Number(text)
				}
			}
			values = append(values, cells)
		}
		_, err := client.Spreadsheets.Values.Update(spreadsheet, fmt.Sprintf("'Sheet1'!A%d:P%d", first+1, first+len(values)), &sheets.ValueRange{Values: values}).
			ValueInputOption("RAW").Context(b.Context()).Do()
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeliver delivers 50,000 customers, and writes the same cells with the plain client, in turn.
func BenchmarkDeliver(b *testing.B) {
	d, client := onA(b, forgetful(func() {}))
	a := destinationtest.Large(day, 50_000)
	var ours, plain time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := d.Deliver(b.Context(), a); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		began = time.Now()
		plainly(b, client, a)
		plain += time.Since(began)
	}
	b.ReportMetric(float64(len(a.Rows))*float64(b.N)/ours.Seconds(), "rows/s")
	b.ReportMetric(ours.Seconds()/plain.Seconds(), "ratio")
}

// TestMemoryStaysBounded is not parallel: it counts what the whole process holds.
func TestMemoryStaysBounded(t *testing.T) {
	most := map[int]int64{}
	for _, customers := range []int{10_000, 50_000} {
		a := destinationtest.Large(day, customers)
		var memory cloudtest.Memory
		d, _ := onA(t, forgetful(memory.Look))
		memory.Start()
		if link, err := d.Deliver(t.Context(), a); err != nil || !strings.Contains(link, "gid=") {
			t.Fatalf("Deliver = %q, %v", link, err)
		}
		runtime.KeepAlive(a) // counted at the start, so it must be there to the end
		if most[customers] = memory.Most(); most[customers] == 0 {
			t.Error("nothing was seen")
		}
	}
	if most[50_000] > most[10_000]*3/2+1<<20 || most[50_000] > 32<<20 {
		t.Errorf("a delivery holds %v bytes at once for so many customers: want about the same, one chunk", most)
	}
	t.Logf("bytes held at once by customers: %v", most)
}
