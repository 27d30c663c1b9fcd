package runlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

// house is a log on a real warehouse and a real archive, with a clock and a refusal that a test sets.
type house struct {
	*runlog.Log
	rows   *refusing
	papers archive.Archive
	engine *duckdbwarehouse.Warehouse

	mu    sync.Mutex
	now   time.Time
	lines bytes.Buffer
}

var start = time.Date(2026, 1, 12, 7, 30, 0, 123456789, time.FixedZone("CET", 3600))

func open(t *testing.T) *house {
	t.Helper()
	engine, err := duckdbwarehouse.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	papers, err := filearchive.Open(&url.URL{Scheme: "file", Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{engine: engine, papers: papers, rows: &refusing{Rows: engine}, now: start}
	h.Log = &runlog.Log{
		Warehouse: h.rows, Archive: papers, Longest: 10 * time.Minute,
		Logger: slog.New(slog.NewJSONHandler(h, nil)),
		Now:    func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now },
	}
	return h
}

// Write gathers the program's log.
func (h *house) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lines.Write(p)
}

func (h *house) pass(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.now = h.now.Add(d) }

// logged is what the program's log has, line by line.
func (h *house) logged(t *testing.T) []map[string]any {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var lines []map[string]any
	for line := range strings.Lines(h.lines.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, fields)
	}
	return lines
}

// stored is how many rows of a run the table has.
func (h *house) stored(t *testing.T, runID string) (rows int) {
	t.Helper()
	err := h.engine.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM ops_runs_log WHERE run_id = ?", runID).Scan(&rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (h *house) spool(t *testing.T) []string {
	t.Helper()
	names, err := h.papers.List(t.Context(), "spool")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "spooled/closed" })
}

// refusing stands before a warehouse and refuses rows while a test says so.
type refusing struct {
	runlog.Rows
	mu     sync.Mutex
	refuse func(ctx context.Context, run retention.Run) error // nil: nothing is refused
	asked  int
}

func (r *refusing) AppendRun(ctx context.Context, run retention.Run) error {
	r.mu.Lock()
	refuse := r.refuse
	r.asked++
	r.mu.Unlock()
	if refuse != nil {
		if err := refuse(ctx, run); err != nil {
			return err
		}
	}
	return r.Rows.AppendRun(ctx, run)
}

func (r *refusing) set(refuse func(ctx context.Context, run retention.Run) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse, r.asked = refuse, 0
}

func unavailable(context.Context, retention.Run) error {
	return functions.Errorf(functions.Unavailable, "the warehouse is away")
}

func runOf(id string) retention.Run {
	date := functions.Date{Year: 2026, Month: 1, Day: 12}
	flag, current, size := true, 25.2, int64(4338)
	return retention.Run{
		RunID: id, RunTimestamp: start, AlertDate: &date, Severity: functions.Warning, AlertFlag: &flag, CurrentValue: &current,
		SampleSize: &size, Phase: functions.PhaseProduction, Caller: "make", IdempotencyKey: "rop_2026-01-12_WARNING_production",
		DeliveryState: functions.DeliveryNone, RulesVersion: "0123456789ab",
	}
}

func ended(run retention.Run, status functions.RunStatus, delivery functions.DeliveryState) retention.Run {
	run.Status, run.DeliveryState = status, delivery
	return run
}

func micro(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

func TestARunHasARowForItsBeginAndOneForItsEnd(t *testing.T) {
	t.Parallel()
	h, run := open(t), runOf("run-1")
	if !h.Begin(t.Context(), run) {
		t.Fatal("the begin row was not written")
	}
	want := run
	want.Status, want.RunTimestamp, want.CreatedAt = functions.RunRunning, micro(start), micro(start)
	check(t, h, want)

	h.pass(3 * time.Second)
	run = ended(run, functions.RunSuccess, functions.DeliveryConfirmed)
	run.SlackPosted, run.SlackMessageTS, run.TicketID, run.Stage = true, "1768204800.000100", "RET-2401", "end"
	if !h.Finish(t.Context(), run) {
		t.Fatal("the end row was not written")
	}
	want = run
	want.RunTimestamp, want.CreatedAt = micro(start), micro(start.Add(3*time.Second))
	check(t, h, want)
	if rows := h.stored(t, "run-1"); rows != 2 {
		t.Errorf("the table has %d rows, want 2", rows)
	}
	if names := h.spool(t); len(names) != 0 {
		t.Errorf("the archive keeps %q", names)
	}
	if lines := h.logged(t); len(lines) != 0 {
		t.Errorf("the program's log has %v", lines)
	}
}

func check(t *testing.T, h *house, want retention.Run) {
	t.Helper()
	got, err := h.Show(t.Context(), want.RunID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Show: %v (-want +got)\n%s", err, diff)
	}
}

func TestTheEndOfARunIsWrittenWhateverHappens(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		end  func(h *house, ctx context.Context, cancel context.CancelFunc, run retention.Run)
		want functions.RunStatus
	}{
		{"the caller has gone", func(h *house, ctx context.Context, cancel context.CancelFunc, run retention.Run) {
			cancel()
			h.Finish(ctx, ended(run, functions.RunFailed, functions.DeliveryUnknown))
		}, functions.RunFailed},
		{"a panic", func(h *house, ctx context.Context, _ context.CancelFunc, run retention.Run) {
			defer func() { _ = recover() }()
			defer h.Finish(ctx, run)
			panic("a fault of the program")
		}, functions.RunFailed},
		{"a run that is still called running", func(h *house, ctx context.Context, _ context.CancelFunc, run retention.Run) {
			h.Finish(ctx, ended(run, functions.RunRunning, functions.DeliveryNone))
		}, functions.RunFailed},
		{"a run that is called abandoned", func(h *house, ctx context.Context, _ context.CancelFunc, run retention.Run) {
			h.Finish(ctx, ended(run, functions.RunAbandoned, functions.DeliveryNone))
		}, functions.RunFailed},
		{"a skipped run", func(h *house, ctx context.Context, _ context.CancelFunc, run retention.Run) {
			h.Finish(ctx, ended(run, functions.RunSkipped, functions.DeliveryNone))
		}, functions.RunSkipped},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h, run := open(t), runOf("run-1")
			h.Begin(t.Context(), run)
			h.pass(time.Second)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			row.end(h, ctx, cancel, run)
			got, err := h.Show(t.Context(), "run-1")
			if err != nil || got.Status != row.want {
				t.Errorf("Show = %q, %v; want %q", got.Status, err, row.want)
			}
			if got.Status == functions.RunFailed && row.name != "the caller has gone" && got.ErrorMessage == "" {
				t.Error("a run without an outcome does not say so")
			}
		})
	}
}

func TestAWarehouseThatDoesNotAnswerIsWaitedForOnlySoLong(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.RowDeadline = 50 * time.Millisecond
	h.rows.set(func(ctx context.Context, _ retention.Run) error { <-ctx.Done(); return ctx.Err() })
	if h.Finish(t.Context(), ended(runOf("run-1"), functions.RunSuccess, functions.DeliveryConfirmed)) {
		t.Fatal("the row was said to be written")
	}
	if names := h.spool(t); len(names) != 1 {
		t.Errorf("the archive keeps %q, want the row", names)
	}
}

func TestRunsAreListedInTheirState(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i, id := range []string{"old", "ended", "going"} {
		run := runOf(id)
		run.RunTimestamp = start.Add(time.Duration(i) * 9 * time.Minute)
		h.Begin(t.Context(), run)
		if err := h.Stage(t.Context(), id, "begin", functions.DeliveryNone); err != nil {
			t.Fatal(err)
		}
		if err := h.Stage(t.Context(), id, "send", functions.DeliveryUnknown); err != nil {
			t.Fatal(err)
		}
		if id == "ended" {
			run = ended(run, functions.RunSkipped, functions.DeliveryNone)
			run.Stage = "decide"
			h.Finish(t.Context(), run)
		}
		h.pass(9 * time.Minute)
	}
	noStage := runOf("old without a stage")
	noStage.RunTimestamp = start.Add(-time.Hour)
	h.Begin(t.Context(), noStage)
	early := runOf("early")
	early.RunTimestamp = start.Add(-2 * time.Hour)
	h.Begin(t.Context(), early)
	if err := h.Stage(t.Context(), early.RunID, "export", functions.DeliveryNone); err != nil {
		t.Fatal(err)
	}

	runs, err := h.List(t.Context(), warehouse.RunQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, run := range runs {
		got = append(got, fmt.Sprintf("%s: %s at %q, %s", run.RunID, run.Status, run.Stage, run.DeliveryState))
	}
	want := []string{
		`going: running at "send", unknown`, `ended: skipped at "decide", none`, `old: abandoned at "send", unknown`,
		`old without a stage: abandoned at "", none`, `early: abandoned at "export", none`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs (-want +got)\n%s", diff)
	}
}

func TestARunThatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	h := open(t)
	for id, want := range map[string]functions.Code{"nobody": functions.NotFound, "": functions.InvalidArgument} {
		if run, err := h.Show(t.Context(), id); functions.CodeOf(err) != want {
			t.Errorf("Show(%q) = %+v, %v; want %s", id, run, err, want)
		}
	}
}

func TestTheLastSentRunIsTheNewestThatArrived(t *testing.T) {
	t.Parallel()
	h := open(t)
	if run, err := h.LastSent(t.Context()); run != nil || err != nil {
		t.Errorf("LastSent of an empty log = %+v, %v", run, err)
	}
	for _, step := range []struct {
		id    string
		state functions.DeliveryState
		want  string
	}{
		{"1", functions.DeliveryNone, ""},
		{"2", functions.DeliveryAccepted, "2"},
		{"3", functions.DeliveryConfirmed, "3"},
		{"4", functions.DeliveryUnconfirmed, "3"},
		{"5", functions.DeliveryUnknown, "3"},
		{"6", functions.DeliveryRefused, "3"},
		{"7", functions.DeliveryNone, "3"},
		{"8", functions.DeliveryAccepted, "8"},
	} {
		h.pass(time.Hour)
		run := runOf(step.id)
		run.RunTimestamp = h.Now()
		h.Begin(t.Context(), run)
		h.Finish(t.Context(), ended(run, functions.RunSuccess, step.state))
		last, err := h.LastSent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if last != nil {
			got = last.RunID
		}
		if got != step.want {
			t.Errorf("after a run that is %s the last sent one is %q, want %q", step.state, got, step.want)
		}
	}
}

func TestManyRunsAtOnceLoseNoRow(t *testing.T) {
	t.Parallel()
	h := open(t)
	const runs = 12
	refused := 0
	h.rows.set(func(_ context.Context, run retention.Run) error { // every third row meets a fault once
		h.rows.mu.Lock()
		defer h.rows.mu.Unlock()
		if refused++; refused%3 == 0 {
			return functions.Errorf(functions.Internal, "a fault")
		}
		return nil
	})
	var all sync.WaitGroup
	for i := range runs {
		all.Go(func() {
			run := runOf(fmt.Sprintf("run-%02d", i))
			h.Begin(t.Context(), run)
			h.pass(time.Millisecond)
			h.Finish(t.Context(), ended(run, functions.RunSuccess, functions.DeliveryConfirmed))
		})
	}
	all.Wait()
	h.rows.set(nil)
	if _, err := h.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range runs {
		id := fmt.Sprintf("run-%02d", i)
		if rows := h.stored(t, id); rows < 2 {
			t.Errorf("%s has %d rows, want its begin and its end", id, rows)
		}
		if run, err := h.Show(t.Context(), id); err != nil || run.Status != functions.RunSuccess {
			t.Errorf("%s is %q, %v; want success", id, run.Status, err)
		}
	}
}

func TestAnUnreadableLogIsSaidSo(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.engine.Close()
	_, listErr := h.List(t.Context(), warehouse.RunQuery{})
	_, lastErr := h.LastSent(t.Context())
	_, showErr := h.Show(t.Context(), "run-1")
	if slices.Contains([]bool{listErr != nil, lastErr != nil, showErr != nil}, false) {
		t.Errorf("List: %v; LastSent: %v; Show: %v; want errors", listErr, lastErr, showErr)
	}
	if h.Finish(t.Context(), ended(runOf("run-1"), functions.RunSuccess, functions.DeliveryConfirmed)) {
		t.Error("a closed warehouse took a row")
	}
	if names := h.spool(t); len(names) != 1 {
		t.Errorf("the archive keeps %q, want the row", names)
	}
}

var errDisk = errors.New("no space")
