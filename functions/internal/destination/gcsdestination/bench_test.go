package gcsdestination_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"testing"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	"github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
)

// empty is a bucket that holds nothing and forgets what it takes; while is called as it reads.
func empty(while func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for buffer := make([]byte, 1<<20); ; {
			if _, err := io.ReadFull(r.Body, buffer); err != nil {
				break
			}
			while()
		}
		if r.Method == http.MethodGet {
			cloudtest.Refuse(http.StatusNotFound, "notFound", "No such object")(w, r, nil)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"generation":"1"}`)
	})
}

// at opens the destination and a plain client at a server.
func at(tb testing.TB, handler http.Handler) (*gcsdestination.Destination, *storage.Service) {
	tb.Helper()
	options := cloudtest.Options(cloudtest.Serve(tb, handler) + "/storage/v1/")
	d, err := gcsdestination.Open(tb.Context(), &url.URL{Scheme: "gs", Host: "exports"}, options...)
	if err != nil {
		tb.Fatal(err)
	}
	client, err := storage.NewService(tb.Context(), options...)
	if err != nil {
		tb.Fatal(err)
	}
	return d, client
}

// BenchmarkDeliver delivers 50,000 customers, and uploads the same file with the plain client in one call, in turn.
func BenchmarkDeliver(b *testing.B) {
	d, client := at(b, empty(func() {}))
	a := destinationtest.Large(day, 50_000)
	var ours, plain time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := d.Deliver(b.Context(), a); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		began = time.Now()
		var file bytes.Buffer
		if _, err := a.CSV.WriteTo(&file); err != nil {
			b.Fatal(err)
		}
		_, err := client.Objects.Insert("exports", &storage.Object{Name: "file.csv"}).
			Media(&file, googleapi.ContentType("text/csv")).Context(b.Context()).Do()
		if err != nil {
			b.Fatal(err)
		}
		plain += time.Since(began)
	}
	b.ReportMetric(float64(len(a.Rows))*float64(b.N)/ours.Seconds(), "rows/s")
	b.ReportMetric(ours.Seconds()/plain.Seconds(), "ratio")
}

// TestMemoryStaysBounded is not parallel: it counts what the whole process holds.
func TestMemoryStaysBounded(t *testing.T) {
	a := destinationtest.Large(day, 100_000) // a file of 15 MB
	var memory cloudtest.Memory
	d, _ := at(t, empty(memory.Look))
	memory.Start()
	if _, err := d.Deliver(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(a) // counted at the start, so it must be there to the end
	if most := memory.Most(); most == 0 || most > 8<<20 {
		t.Errorf("a delivery holds %d bytes at once, want a few for the file that streams through", most)
	}
}
