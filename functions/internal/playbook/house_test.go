package playbook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/alert"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/filedestination"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/rules"
)

var (
	secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	day    = functions.Date{Year: 2026, Month: 1, Day: 12}
)

const (
	apiKey   = "make-api-key-that-nobody-may-see"
	hookPath = "/hook-path-that-nobody-may-see"
	receipt  = `{"receipt":"done","slack_message_ts":"1768204800.000100","ticket_id":"RET-2401"}`
)

// clock is a clock that moves when it is told to.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time           { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(by time.Duration) { c.nanos.Add(int64(by)) }

// house is everything that a run needs, on real parts: an embedded warehouse, an archive and exports in directories,
// the rules and templates as shipped.
type house struct {
	*playbook.Runner
	t         *testing.T
	warehouse *duckdbwarehouse.Warehouse
	clock     *clock
	papers    string // the archive's directory
	exports   string
	logged    *bytes.Buffer
}

// newHouse is a house on a WARNING day, in a phase, with a webhook.
func newHouse(t *testing.T, phase functions.Phase, hook string) *house {
	t.Helper()
	h := &house{t: t, papers: t.TempDir(), exports: t.TempDir(), clock: &clock{}, logged: &bytes.Buffer{}}
	h.clock.nanos.Store(time.Date(2026, 1, 12, 8, 0, 0, 0, time.UTC).UnixNano())
	var err error
	if h.warehouse, err = duckdbwarehouse.Open(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.warehouse.Close() })
	h.tables()
	port := warehouse.New(h.warehouse)
	port.Pauses = nil
	papers, err := filearchive.Open(&url.URL{Scheme: "file", Path: h.papers})
	if err != nil {
		t.Fatal(err)
	}
	exports, err := filedestination.Open(&url.URL{Scheme: "file", Path: h.exports})
	if err != nil {
		t.Fatal(err)
	}
	templates, err := brief.Load(brieftemplates.FS)
	if err != nil {
		t.Fatal(err)
	}
	book := shipped(t, phase)
	logger := slog.New(slog.NewJSONHandler(&syncWriter{to: h.logged}, nil))
	var ids atomic.Int64
	h.Runner = &playbook.Runner{
		Alert:     &alert.Decider{Alerts: port, Detection: book.Detection(), Today: func() functions.Date { return day }},
		Customers: port, Book: book, Templates: templates,
		Builder: &priority.Builder{Queues: port, Archive: papers, Now: h.clock.now, KeepDays: 90},
		Exporter: &audience.Exporter{
			Warehouse: port, CSV: func(context.Context) (destination.Destination, error) { return exports, nil },
		},
		Log:     &runlog.Log{Warehouse: port, Archive: papers, Logger: logger, Now: h.clock.now, Longest: playbook.DefaultLongest},
		Archive: papers, Client: http.DefaultClient, Config: playbook.Config{URL: hook, Secret: secret, APIKey: apiKey},
		Logger: logger, Now: h.clock.now, NewID: func() string { return fmt.Sprintf("01KRUN%04d", ids.Add(1)) },
		Pause: func(ctx context.Context, wait time.Duration) error { h.clock.advance(wait); return ctx.Err() },
	}
	return h
}

// syncWriter is a buffer for several goroutines.
type syncWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *syncWriter) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(text)
}

// shipped is the rulebook as shipped, in a phase, with words in its files replaced.
func shipped(t *testing.T, phase functions.Phase, replace ...string) *rulebook.Book {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(rules.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	replaced := strings.NewReplacer(replace...)
	changed := len(replace) == 0
	for _, name := range names {
		content, err := fs.ReadFile(rules.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		text := replaced.Replace(string(content))
		changed = changed || text != string(content)
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if !changed {
		t.Fatalf("nothing in the rules is %q", replace)
	}
	book, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return book.WithPhase(phase)
}

// tables fills the four input tables: 100 customers, of which 10 are P1, 20 P2 and 15 P3, and a WARNING on the day.
func (h *house) tables() {
	h.t.Helper()
	h.exec(`CREATE TABLE alert_logic (alert_date DATE, severity VARCHAR, alert_flag BOOLEAN, current_value DOUBLE,
		baseline_value DOUBLE, delta_relative_pct DOUBLE, sample_size BIGINT)`)
	h.exec(`INSERT INTO alert_logic VALUES
		('2026-01-05', 'WARNING', true, 24.0, 20.0, 20.0, 100), ('2026-01-12', 'WARNING', true, 25.2, 21.4, 17.8, 100)`)
	h.exec(`CREATE TABLE everybody AS SELECT printf('customer-%03d', range) AS customer_id,
		CASE WHEN range < 10 THEN 'ACTIVE' WHEN range < 30 THEN 'AT_RISK' WHEN range < 45 THEN 'INACTIVE' ELSE 'ACTIVE' END AS status,
		CASE WHEN range < 10 THEN 20 WHEN range < 30 THEN 60 WHEN range < 45 THEN 120 ELSE 5 END AS days,
		CASE WHEN range < 45 THEN 'HIGH' ELSE 'LOW' END AS risk
		FROM range(100)`)
	h.exec(`CREATE TABLE retention_snapshot AS SELECT customer_id, status AS retention_status, days::BIGINT AS days_since_last_order FROM everybody`)
	h.exec(`CREATE TABLE churn_detection AS SELECT customer_id, (CASE risk WHEN 'HIGH' THEN 50 ELSE 0 END)::BIGINT AS churn_risk_score,
		risk AS churn_risk_level, risk = 'HIGH' AS is_frequency_drop, false AS is_status_inconsistent, false AS is_value_drop FROM everybody`)
	h.exec(`CREATE TABLE base_customers AS SELECT customer_id, 1200.50::DECIMAL(18,2) AS total_revenue, 4::BIGINT AS total_orders,
		300.12::DECIMAL(18,2) AS avg_order_value, DATE '2025-01-01' AS first_order_date, DATE '2026-01-12' - days AS last_order_date FROM everybody`)
}

func (h *house) exec(statement string) {
	h.t.Helper()
	if _, err := h.warehouse.DB().ExecContext(h.t.Context(), statement); err != nil {
		h.t.Fatal(err)
	}
}

// rows are the newest row of each run, newest run first.
func (h *house) rows(t *testing.T) []retention.Run {
	t.Helper()
	runs, err := h.Log.List(t.Context(), warehouse.RunQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// kept names the documents in the archive that begin with prefix.
func (h *house) kept(t *testing.T, prefix string) []string {
	t.Helper()
	names, err := h.Archive.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// files names every file under a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return names
}

// request is what the receiver got.
type request struct {
	header http.Header
	body   string
}

// hook is a receiver that answers by a script, one handler an attempt; the last one answers the rest.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

func newHook(t *testing.T, script ...http.HandlerFunc) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.seen = append(h.seen, request{r.Header.Clone(), string(body)})
		answer := script[min(len(h.seen), len(script))-1]
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) address() string { return h.URL + hookPath }

func (h *hook) requests() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// cuts ends the connection without an answer.
func cuts(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
