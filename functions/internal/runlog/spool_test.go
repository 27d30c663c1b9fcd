package runlog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

func TestARefusedRowIsKeptWholeTwiceAndWrittenLater(t *testing.T) {
	t.Parallel()
	h, run := open(t), runOf("run-1")
	h.Begin(t.Context(), run)
	h.pass(3 * time.Second)
	h.rows.set(unavailable)
	run = ended(run, functions.RunSuccess, functions.DeliveryConfirmed)
	run.TicketID = "RET-2401"
	if h.Finish(t.Context(), run) {
		t.Fatal("a refused row was said to be written")
	}
	want := run
	want.RunTimestamp, want.CreatedAt = micro(start), micro(start.Add(3*time.Second))

	lines := h.logged(t)
	if len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["run_id"] != "run-1" {
		t.Fatalf("the program's log has %v, want one line", lines)
	}
	asJSON, err := json.Marshal(lines[0]["run_log_row"])
	if err != nil {
		t.Fatal(err)
	}
	var inLog retention.Run
	if err := json.Unmarshal(asJSON, &inLog); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, inLog); diff != "" {
		t.Errorf("the row in the program's log (-want +got)\n%s", diff)
	}
	const name = "2026-01/20260112T063003.123456Z_run-1_success.json"
	if diff := cmp.Diff([]string{"spool/" + name}, h.spool(t)); diff != "" {
		t.Fatalf("the archive (-want +got)\n%s", diff)
	}
	check(t, h, want) // a row that waits counts

	if written, err := h.Reconcile(t.Context()); written != 0 || functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("Reconcile while the warehouse is away = %d, %v", written, err)
	}
	h.rows.set(nil)
	h.pass(time.Hour)
	if written, err := h.Reconcile(t.Context()); written != 1 || err != nil {
		t.Errorf("Reconcile = %d, %v; want 1", written, err)
	}
	check(t, h, want) // under its original time
	for range 2 {
		if written, err := h.Reconcile(t.Context()); written != 0 || err != nil {
			t.Errorf("Reconcile again = %d, %v; want 0", written, err)
		}
	}
	if rows := h.stored(t, "run-1"); rows != 2 {
		t.Errorf("the table has %d rows, want 2", rows)
	}
	if diff := cmp.Diff([]string{"spool/" + name, "spooled/" + name}, h.spool(t)); diff != "" {
		t.Errorf("the archive (-want +got)\n%s", diff)
	}
}

func TestTheNextRunWritesWhatWaits(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(unavailable)
	first := runOf("first")
	if h.Begin(t.Context(), first) {
		t.Fatal("a refused row was said to be written")
	}
	h.pass(time.Second)
	h.Finish(t.Context(), ended(first, functions.RunSuccess, functions.DeliveryConfirmed))
	if last, err := h.LastSent(t.Context()); err != nil || last == nil || last.RunID != "first" {
		t.Errorf("LastSent while rows wait = %+v, %v; want the run that waits", last, err)
	}
	h.rows.set(nil)
	h.pass(24 * time.Hour)
	second := runOf("second")
	second.RunTimestamp = h.Now()
	if !h.Begin(t.Context(), second) {
		t.Fatal("the begin row was not written")
	}
	if rows := h.stored(t, "first"); rows != 2 {
		t.Errorf("the table has %d rows of the first run, want 2", rows)
	}
	if last, err := h.LastSent(t.Context()); err != nil || last == nil || last.RunID != "first" || last.Status != functions.RunSuccess {
		t.Errorf("LastSent = %+v, %v; want the first run", last, err)
	}
}

func TestBeginDoesNotWaitLongForEarlierRuns(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(unavailable)
	h.Finish(t.Context(), ended(runOf("first"), functions.RunFailed, functions.DeliveryUnknown))
	h.ReconcileDeadline = 50 * time.Millisecond
	h.rows.set(func(ctx context.Context, run retention.Run) error {
		if run.RunID != "first" {
			return nil
		}
		<-ctx.Done() // an earlier row that the warehouse hangs on
		return ctx.Err()
	})
	if !h.Begin(t.Context(), runOf("second")) {
		t.Error("the begin row was not written")
	}
	if rows := h.stored(t, "second"); rows != 1 {
		t.Errorf("the table has %d rows of the second run, want 1", rows)
	}
}

func TestARowWhoseAnswerWasLostIsNotWrittenTwice(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(func(ctx context.Context, run retention.Run) error {
		if err := h.engine.AppendRun(ctx, run); err != nil {
			return err
		}
		return functions.Errorf(functions.DeadlineExceeded, "no answer in time")
	})
	h.Begin(t.Context(), runOf("run-1"))
	h.rows.set(nil)
	if _, err := h.Reconcile(t.Context()); err != nil {
		t.Error(err)
	}
	if rows := h.stored(t, "run-1"); rows != 1 {
		t.Errorf("the table has %d rows, want 1", rows)
	}
	h.rows.set(unavailable)
	if _, err := h.Reconcile(t.Context()); err != nil {
		t.Errorf("Reconcile after the row was found: %v; want nothing left to write", err)
	}
}

func TestABeginThatWaitedDoesNotHideTheEnd(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(unavailable)
	run := runOf("run-1")
	h.Begin(t.Context(), run)
	h.rows.set(nil)
	h.pass(time.Second)
	h.Finish(t.Context(), ended(run, functions.RunSuccess, functions.DeliveryConfirmed))
	for range 2 {
		if got, err := h.Show(t.Context(), "run-1"); err != nil || got.Status != functions.RunSuccess {
			t.Errorf("Show = %q, %v; want success", got.Status, err)
		}
		if _, err := h.Reconcile(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if rows := h.stored(t, "run-1"); rows != 2 {
		t.Errorf("the table has %d rows, want 2", rows)
	}
}

func TestOneBadRowDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, document := range map[string]string{
		"spool/2025-12/00000000T000000.000000Z_a_failed.json": "{half a doc",
		"spool/2025-12/00000000T000000.000000Z_b_failed.json": `{"run_id": ""}`,
	} {
		if err := h.papers.Put(t.Context(), name, []byte(document)); err != nil {
			t.Fatal(err)
		}
	}
	h.rows.set(unavailable)
	for _, id := range []string{"bad", "good"} {
		h.Finish(t.Context(), ended(runOf(id), functions.RunFailed, functions.DeliveryNone))
		h.pass(time.Second)
	}
	h.rows.set(func(_ context.Context, run retention.Run) error {
		if run.RunID == "bad" {
			return functions.Errorf(functions.InvalidArgument, "the table has no place for it")
		}
		return nil
	})
	written, err := h.Reconcile(t.Context())
	if written != 1 || err == nil {
		t.Fatalf("Reconcile = %d, %v; want the good row and three faults", written, err)
	}
	for _, part := range []string{"_a_failed.json", "_b_failed.json", "_bad_failed.json"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not name %s: %v", part, err)
		}
	}
	if rows := h.stored(t, "good"); rows != 1 {
		t.Errorf("the table has %d rows of the good run, want 1", rows)
	}
	runs, err := h.List(t.Context(), warehouse.RunQuery{})
	if err != nil || len(runs) != 2 {
		t.Errorf("List = %d runs, %v; want both", len(runs), err)
	}
}

func TestAWarehouseThatIsAwayIsAskedOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(unavailable)
	for range 5 {
		h.Finish(t.Context(), ended(runOf("run"), functions.RunFailed, functions.DeliveryNone))
		h.pass(time.Second)
	}
	h.rows.set(unavailable)
	if _, err := h.Reconcile(t.Context()); err == nil || h.rows.asked != 1 {
		t.Errorf("Reconcile asked %d times, %v; want once", h.rows.asked, err)
	}
}

func TestRowsThatWaitAreListedAsAsked(t *testing.T) {
	t.Parallel()
	h := open(t)
	other := runOf("other day")
	other.RunTimestamp = start.Add(-time.Hour)
	h.Finish(t.Context(), ended(other, functions.RunSkipped, functions.DeliveryNone))
	h.rows.set(unavailable)
	waits := runOf("waits")
	waits.RunTimestamp = start.Add(time.Hour)
	h.Finish(t.Context(), ended(waits, functions.RunFailed, functions.DeliveryNone))
	arrived := runOf("arrived")
	arrived.RunTimestamp = start.Add(-time.Minute)
	h.Finish(t.Context(), ended(arrived, functions.RunSuccess, functions.DeliveryAccepted))
	for _, row := range []struct {
		name  string
		query warehouse.RunQuery
		want  []string
	}{
		{"all", warehouse.RunQuery{}, []string{"waits", "arrived", "other day"}},
		{"the newest", warehouse.RunQuery{Limit: 1}, []string{"waits"}},
		{"by id", warehouse.RunQuery{RunID: "waits"}, []string{"waits"}},
		{"by another id", warehouse.RunQuery{RunID: "other day"}, []string{"other day"}},
		{"what was sent", warehouse.RunQuery{Sent: true}, []string{"arrived"}},
		{"what was sent, by another id", warehouse.RunQuery{Sent: true, RunID: "waits"}, nil},
	} {
		runs, err := h.List(t.Context(), row.query)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, run := range runs {
			got = append(got, run.RunID)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", row.name, diff)
		}
	}
}

// closed is an archive that takes and gives nothing.
type closed struct{ archive.Archive }

func (closed) PutIfAbsent(context.Context, string, []byte) error {
	return functions.Errorf(functions.Unavailable, "the archive is away").WithCause(errDisk)
}

func (closed) List(context.Context, string) ([]string, error) {
	return nil, functions.Errorf(functions.Unavailable, "the archive is away").WithCause(errDisk)
}

func TestWithoutWarehouseAndArchiveTheProgramsLogKeepsTheRow(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.Archive = closed{h.papers}
	h.rows.set(unavailable)
	if h.Finish(t.Context(), ended(runOf("run-1"), functions.RunSuccess, functions.DeliveryConfirmed)) {
		t.Fatal("a refused row was said to be written")
	}
	lines := h.logged(t)
	if len(lines) != 2 || lines[0]["run_log_row"] == nil || !strings.Contains(lines[1]["msg"].(string), "this log alone") {
		t.Errorf("the program's log has %v, want the row and that it is kept nowhere else", lines)
	}
	h.rows.set(nil)
	if !h.Begin(t.Context(), runOf("run-2")) { // an archive that is away does not stop a row
		t.Error("the begin row was not written")
	}
	if runs, err := h.List(t.Context(), warehouse.RunQuery{}); err != nil || len(runs) != 1 {
		t.Errorf("List = %d runs, %v; want what the warehouse has", len(runs), err)
	}
}

func TestAFigureThatIsNoNumberDoesNotLoseTheRow(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(unavailable)
	run := ended(runOf("run-1"), functions.RunSuccess, functions.DeliveryConfirmed)
	none, endless := math.NaN(), math.Inf(1)
	run.CurrentValue, run.BaselineValue = &none, &endless
	h.Finish(t.Context(), run)
	h.rows.set(nil)
	if written, err := h.Reconcile(t.Context()); written != 1 || err != nil {
		t.Fatalf("Reconcile = %d, %v; want 1", written, err)
	}
	got, err := h.Show(t.Context(), "run-1")
	if err != nil || got.CurrentValue != nil || got.BaselineValue != nil || got.Status != functions.RunSuccess {
		t.Errorf("Show = %+v, %v", got, err)
	}
}

func TestARunIDThatCannotBeANameIsStillLogged(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(unavailable)
	h.Finish(t.Context(), ended(runOf("two words"), functions.RunSuccess, functions.DeliveryConfirmed))
	if lines := h.logged(t); len(lines) != 2 || lines[0]["run_log_row"] == nil {
		t.Errorf("the program's log has %v", lines)
	}
	if err := h.Stage(t.Context(), "../escape", "send", functions.DeliveryUnknown); functions.CodeOf(err) != functions.InvalidArgument {
		t.Errorf("Stage = %v, want invalid_argument", err)
	}
}

var _ runlog.Rows = (*warehouse.Warehouse)(nil)

// watched counts what is listed.
type watched struct {
	archive.Archive
	listed []string
}

func (w *watched) List(ctx context.Context, prefix string) ([]string, error) {
	names, err := w.Archive.List(ctx, prefix)
	w.listed = append(w.listed, names...)
	return names, err
}

func TestWhatWasWrittenLongAgoIsNotLookedAtAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	papers := &watched{Archive: h.papers}
	h.Archive = papers
	for month := range 3 { // January, February, March: each loses a row, which the next run writes
		id := fmt.Sprintf("lost-%d", month)
		h.rows.set(unavailable)
		h.Finish(t.Context(), ended(runOf(id), functions.RunFailed, functions.DeliveryNone))
		h.rows.set(nil)
		h.pass(time.Minute)
		h.Begin(t.Context(), runOf("next-"+id))
		if rows := h.stored(t, id); rows != 1 {
			t.Errorf("the table has %d rows of %s, want 1", rows, id)
		}
		h.pass(30 * 24 * time.Hour)
	}
	h.Begin(t.Context(), runOf("april")) // closes what has ended
	papers.listed = nil
	h.Begin(t.Context(), runOf("april too"))
	for _, name := range papers.listed {
		if !strings.Contains(name, "/2026-03/") && !strings.Contains(name, "/2026-04/") {
			t.Errorf("%s is looked at again", name)
		}
	}
	h.rows.set(unavailable)
	h.Finish(t.Context(), ended(runOf("late"), functions.RunFailed, functions.DeliveryNone))
	if run, err := h.Show(t.Context(), "late"); err != nil || run.Status != functions.RunFailed {
		t.Errorf("Show = %+v, %v; want the row that waits", run, err)
	}
}

func TestAMonthInWhichARowWaitsStaysOpen(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.rows.set(func(_ context.Context, run retention.Run) error {
		if run.RunID == "stuck" {
			return functions.Errorf(functions.FailedPrecondition, "the table has no place for it")
		}
		return nil
	})
	h.Finish(t.Context(), ended(runOf("stuck"), functions.RunFailed, functions.DeliveryNone))
	for range 3 {
		h.pass(30 * 24 * time.Hour)
		h.Begin(t.Context(), runOf("another"))
	}
	h.rows.set(nil)
	if written, err := h.Reconcile(t.Context()); written != 1 || err != nil {
		t.Errorf("Reconcile = %d, %v; want the row of months ago", written, err)
	}
}

// The begin row of a run that was killed is written under the time at which it began, which may lie in a closed month.
func TestARowOfAClosedMonthIsNotLost(t *testing.T) {
	t.Parallel()
	h := open(t)
	killed := runOf("killed")
	h.pass(70 * 24 * time.Hour)
	h.Begin(t.Context(), runOf("later")) // closes what has ended
	h.rows.set(unavailable)
	h.Missed(t.Context(), killed)
	h.rows.set(nil)
	if written, err := h.Reconcile(t.Context()); written != 1 || err != nil || h.stored(t, "killed") != 1 {
		t.Errorf("Reconcile = %d, %v; want the row of the killed run", written, err)
	}
}

// A warehouse and an archive that hang must not use up the few seconds that a program has to end.
func TestAProgramThatEndsWritesItsRowsQuickly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop, end := context.WithCancel(t.Context())
		log := &runlog.Log{
			Warehouse: hanging{}, Archive: hangingArchive{}, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Longest: time.Hour,
		}
		ctx := functions.WithStop(t.Context(), stop)
		time.AfterFunc(3*time.Second, end) // in the middle of the row
		began := time.Now()
		log.Finish(ctx, runOf("first"))
		if took, want := time.Since(began), 3*time.Second+runlog.StoppingFinishDeadline; took != want {
			t.Errorf("a row that was being written took %s, want %s", took, want)
		}
		began = time.Now()
		log.Begin(ctx, runOf("second"))
		if took := time.Since(began); took != runlog.StoppingFinishDeadline {
			t.Errorf("a row took %s, want %s", took, runlog.StoppingFinishDeadline)
		}
		began = time.Now()
		log.Begin(t.Context(), runOf("third"))
		if took := time.Since(began); took != runlog.BeginDeadline {
			t.Errorf("without a stop a row took %s, want %s", took, runlog.BeginDeadline)
		}
	})
}

// hanging is a table that does not answer.
type hanging struct{ runlog.Rows }

func (hanging) AppendRun(ctx context.Context, _ retention.Run) error { <-ctx.Done(); return ctx.Err() }

// hangingArchive is an archive that does not answer.
type hangingArchive struct{ archive.Archive }

func (hangingArchive) Get(ctx context.Context, _ string) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hangingArchive) PutIfAbsent(ctx context.Context, _ string, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}
