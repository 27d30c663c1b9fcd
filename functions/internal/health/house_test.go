package health_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/health"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	"github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

// house is a log on a real warehouse, a real archive and a real mail server, with a clock that a test sets.
type house struct {
	t      *testing.T
	engine *duckdbwarehouse.Warehouse
	papers archive.Archive
	log    *runlog.Log
	post   *mailtest.Server

	mu   sync.Mutex
	now  time.Time
	made int
}

// today at half past seven, after the daily run of six.
var (
	today = civil.Date{Year: 2026, Month: time.March, Day: 30}
	check = time.Date(2026, 3, 30, 7, 30, 0, 0, time.UTC)
)

func open(t *testing.T) *house {
	t.Helper()
	engine, err := duckdbwarehouse.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	papers, err := filearchive.Open(&url.URL{Scheme: "file", Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, engine: engine, papers: papers, post: mailtest.Start(t), now: check}
	h.log = &runlog.Log{
		Warehouse: engine, Archive: papers, Logger: slog.New(slog.DiscardHandler), Now: h.clock, Longest: 290 * time.Second,
	}
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// db is the engine's connection, to ask the log by SQL.
func (h *house) db() *sql.DB { return h.engine.DB() }

// ran writes the end row of a daily run so many days ago, begun at six, as edit changes it, and gives its id.
func (h *house) ran(daysAgo int, edit ...func(*retention.Run)) string {
	h.t.Helper()
	h.made++
	began := time.Date(2026, 3, 30, 6, 0, 0, 0, time.UTC).AddDate(0, 0, -daysAgo)
	date, flag, took := civil.DateOf(began), false, int64(40)
	run := retention.Run{
		RunID: fmt.Sprintf("run-%03d", h.made), RunTimestamp: began, AlertDate: &date, AlertFlag: &flag, Severity: functions.Info,
		Status: functions.RunSkipped, Stage: "decide", Phase: functions.PhaseProduction, DeliveryState: functions.DeliveryNone,
		ExecutionTimeMS: &took, CreatedAt: began.Add(5 * time.Second),
	}
	for _, change := range edit {
		change(&run)
	}
	if err := h.engine.AppendRun(h.t.Context(), run); err != nil {
		h.t.Fatal(err)
	}
	return run.RunID
}

// The kinds of run. Without one a run is that of a quiet day.

// sent is a WARNING that was delivered with a receipt.
func sent(run *retention.Run) {
	alerted(run)
	took := int64(5000)
	run.Status, run.Stage, run.DeliveryState, run.WebhookAttempts = functions.RunSuccess, "end", functions.DeliveryConfirmed, 1
	run.ExportState, run.ExecutionTimeMS = "csv", &took
}

func alerted(run *retention.Run) {
	flag := true
	run.Severity, run.AlertFlag = functions.Warning, &flag
}

// unconfirmed is one that nobody confirmed.
func unconfirmed(run *retention.Run) {
	sent(run)
	run.Status, run.Stage, run.DeliveryState, run.WebhookAttempts = functions.RunFailed, "send", functions.DeliveryUnconfirmed, 3
}

// broken is one that failed before anything was made.
func broken(run *retention.Run) {
	run.Status, run.Stage = functions.RunFailed, "queue"
}

// lost is one that began and never ended.
func lost(run *retention.Run) {
	run.Status, run.ExecutionTimeMS = functions.RunRunning, nil
}

func of(date string) func(*retention.Run) {
	return func(run *retention.Run) {
		day, err := civil.ParseDate(date)
		if err != nil {
			panic(err)
		}
		run.AlertDate = &day
	}
}

func later(d time.Duration) func(*retention.Run) {
	return func(run *retention.Run) {
		run.RunTimestamp, run.CreatedAt = run.RunTimestamp.Add(d), run.CreatedAt.Add(d)
	}
}

// read reads the log as a check does now.
func (h *house) read(falsePositives ...string) *health.History {
	h.t.Helper()
	history, err := health.Read(h.t.Context(), h.log, h.clock(), time.UTC, falsePositives)
	if err != nil {
		h.t.Fatal(err)
	}
	return history
}

// checker is a checker with a mail server of its own.
func (h *house) checker() *health.Checker {
	h.t.Helper()
	return &health.Checker{
		Archive: h.papers, Mail: h.sender(), Logger: slog.New(slog.DiscardHandler), Now: h.clock, Phase: functions.PhaseProduction,
		To: map[string][]string{"data_team": {"data@example.com"}, "retention_team": {"retention@example.com"}},
	}
}

func (h *house) sender() mail.Sender {
	h.t.Helper()
	sender, err := mail.Open(h.t.Context(), mail.Settings{URL: h.post.URL(), From: "retentionops@example.com"}, h.clock,
		func() string { h.mu.Lock(); defer h.mu.Unlock(); h.made++; return fmt.Sprintf("mail%d", h.made) })
	if err != nil {
		h.t.Fatal(err)
	}
	if relay, ok := sender.(*smtpmail.Relay); ok {
		relay.Pause = func(context.Context, time.Duration) error { return nil }
	}
	return sender
}
