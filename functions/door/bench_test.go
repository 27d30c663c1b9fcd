package door_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// BenchmarkHandle measures one request through the door and through a handler that only decodes and encodes, in turn,
// and reports the ratio of the two.
func BenchmarkHandle(b *testing.B) {
	const body = `{"date":"2026-01-12","tier":"P1","destination":"both","limit":2000,"dry_run":true,"expect_digest":"sha256:0a1b"}`
	behindTheDoor := door.Handle(newDoor(local, door.NewLogger(&forgetful{})), functions.ExportAudience, echo)
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in input
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := echo(r.Context(), in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	})
	once := func(handler http.Handler) time.Duration {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "http://localhost/", strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:5000"
		r.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		began := time.Now()
		handler.ServeHTTP(recorder, r)
		took := time.Since(began)
		if recorder.Code != http.StatusOK {
			b.Fatalf("got %d %s", recorder.Code, recorder.Body)
		}
		return took
	}
	once(behindTheDoor) // makes the schema
	var through, past time.Duration
	b.ReportAllocs()
	for b.Loop() {
		through += once(behindTheDoor)
		past += once(plain)
	}
	b.ReportMetric(float64(through.Nanoseconds())/float64(b.N), "door-ns/op")
	b.ReportMetric(float64(past.Nanoseconds())/float64(b.N), "plain-ns/op")
	b.ReportMetric(float64(through)/float64(past), "door/plain")
}

// BenchmarkHandleOverHTTP measures the same over a real connection of this machine.
func BenchmarkHandleOverHTTP(b *testing.B) {
	handler := door.Handle(newDoor(local, slog.New(slog.DiscardHandler)), functions.ExportAudience, echo)
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in input
		_ = json.NewDecoder(r.Body).Decode(&in)
		out, _ := echo(r.Context(), in)
		_ = json.NewEncoder(w).Encode(out)
	})
	servers := []*httptest.Server{httptest.NewServer(handler), httptest.NewServer(plain)}
	took := make([]time.Duration, len(servers))
	for b.Loop() {
		for i, server := range servers {
			began := time.Now()
			answer, err := server.Client().Post(server.URL, "application/json", strings.NewReader(p1)) //nolint:noctx // measured
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
				b.Fatal(answer.Status, err)
			}
			_ = answer.Body.Close()
			took[i] += time.Since(began)
		}
	}
	b.ReportMetric(float64(took[0])/float64(took[1]), "door/plain")
	for _, server := range servers {
		server.Close()
	}
}

// BenchmarkDecode measures the strict reader next to encoding/json.
func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"date":"2026-01-12","tier":"P1","destination":"both","limit":2000,"dry_run":true}`)
	b.Run("strict", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := door.Decode[input](functions.ExportAudience, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding_json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var in input
			if err := json.Unmarshal(body, &in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// forgetful takes log lines and keeps none.
type forgetful struct{}

func (*forgetful) Write(data []byte) (int, error) { return len(data), nil }
