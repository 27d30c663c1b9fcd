package checkhealth_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	checkhealth "github.com/retentionops/retentionops/functions/check_health"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/rules"
)

// now is a morning after the daily run.
var now = time.Date(2026, 3, 30, 7, 30, 0, 0, time.UTC)

// house is a function on a real warehouse, a real archive and a real mail server.
type house struct {
	t      *testing.T
	env    *setup.Env
	papers string
	rules  string
	post   *mailtest.Server
	server *httptest.Server
}

func open(t *testing.T, settings map[string]string) *house {
	t.Helper()
	h := &house{t: t, papers: t.TempDir(), rules: t.TempDir(), post: mailtest.Start(t)}
	if err := os.CopyFS(h.rules, rules.FS); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"RETENTIONOPS_AUTH": "local", "RETENTIONOPS_ARCHIVE": "file://" + h.papers, "RETENTIONOPS_RULES": h.rules,
		"RETENTIONOPS_WAREHOUSE": "duckdb://" + filepath.Join(t.TempDir(), "warehouse.duckdb"),
		"RETENTIONOPS_MAIL":      h.post.URL(), "RETENTIONOPS_MAIL_FROM": "retentionops@example.com",
	}
	maps.Copy(all, settings)
	h.env = setup.New(setup.Options{
		Lookuper: envconfig.MapLookuper(all), Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, NewID: setup.NewID,
	})
	t.Cleanup(func() { _ = h.env.Close() })
	h.server = httptest.NewServer(checkhealth.Handler(h.env))
	t.Cleanup(h.server.Close)
	return h
}

// write changes a rule file: it replaces a text that must be there.
func (h *house) write(file, old, text string) {
	h.t.Helper()
	path := filepath.Join(h.rules, file)
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), old) {
		h.t.Fatalf("%s does not say %q: %v", file, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, text, 1)), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// ran writes the end row of a daily run so many days ago.
func (h *house) ran(id string, daysAgo int, status functions.RunStatus, alert bool) {
	h.t.Helper()
	log, err := h.env.Log(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	began := time.Date(2026, 3, 30, 6, 0, 0, 0, time.UTC).AddDate(0, 0, -daysAgo)
	date, took := civil.DateOf(began), int64(5000)
	run := retention.Run{
		RunID: id, RunTimestamp: began, AlertDate: &date, AlertFlag: &alert, Severity: functions.Warning, Status: status, Stage: "end",
		Phase: functions.PhaseShadow, DeliveryState: functions.DeliveryNone, ExecutionTimeMS: &took, CreatedAt: began.Add(5 * time.Second),
	}
	if err := log.Warehouse.AppendRun(h.t.Context(), run); err != nil {
		h.t.Fatal(err)
	}
}

// ask calls the function as a caller does.
func (h *house) ask(input string, header ...string) (status int, answer []byte) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.server.URL+"/check_health", strings.NewReader(input))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err = io.ReadAll(response.Body); err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// health is the answer to an input that is accepted.
func (h *house) health(input string) functions.CheckHealthOutput {
	h.t.Helper()
	status, answer := h.ask(input)
	var out functions.CheckHealthOutput
	if err := json.Unmarshal(answer, &out); err != nil || status != http.StatusOK {
		h.t.Fatalf("%d %s: %v", status, answer, err)
	}
	return out
}

// standing names the alarms that stand.
func standing(out functions.CheckHealthOutput) []string {
	var names []string
	for _, alarm := range out.Alarms {
		if alarm.State == functions.AlarmStanding {
			names = append(names, alarm.Name+" "+string(alarm.Change)+" "+string(alarm.Mail))
		}
	}
	return names
}

func (h *house) kept(prefix string) (names []string) {
	h.t.Helper()
	papers, err := h.env.Archive(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if names, err = papers.List(h.t.Context(), prefix); err != nil {
		h.t.Fatal(err)
	}
	return names
}

// TestAnEmptyLogIsNoFault asks a house in which nothing has run yet.
func TestAnEmptyLogIsNoFault(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	out := h.health(``)
	if len(standing(out)) > 0 || out.To.String() != "2026-03-30" || out.Phase != functions.PhaseShadow ||
		!strings.Contains(strings.Join(out.Notices, " "), "no run yet") || len(out.Days) != out.WindowDays {
		t.Errorf("got %+v", out)
	}
	if names := h.kept("health/"); len(names) > 0 {
		t.Errorf("the archive holds %v", names)
	}
}

// TestTheWindowShownIsTheCallers asks for a week.
func TestTheWindowShownIsTheCallers(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.ran("old", 10, functions.RunFailed, false)
	h.ran("new", 0, functions.RunSkipped, false)
	out := h.health(`{"dry_run": true, "window_days": 7}`)
	if len(out.Days) != 7 || out.From.String() != "2026-03-24" || *out.Figures[0].Value != 100 {
		t.Errorf("got %s, %d days, %+v", out.From, len(out.Days), out.Figures[0])
	}
	if out := h.health(`{"dry_run": true}`); *out.Figures[0].Value != 50 {
		t.Errorf("over the rules' window it is %+v", out.Figures[0])
	}
}

// TestARequestToStopIsAnAlarmAtOnce writes a note down and looks at what comes of it.
func TestARequestToStopIsAnAlarmAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.ran("run", 0, functions.RunSkipped, true)
	out := h.health(`{"note": {"what": "disable_requested", "who": "Ada", "why": "wrong customers"}}`)
	want := []string{"rollback_disable_requested began none"}
	if diff := cmp.Diff(want, standing(out)); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
	if len(out.Rollout.Notes) != 1 || out.Rollout.Notes[0].Who != "Ada" || out.Rollout.Notes[0].Phase != functions.PhaseShadow {
		t.Errorf("notes: %+v", out.Rollout.Notes)
	}
	out = h.health(`{"note": {"what": "disable_withdrawn", "who": "Ada", "why": "explained"}}`)
	if len(standing(out)) > 0 || len(out.Rollout.Notes) != 2 {
		t.Errorf("got %v, %+v", standing(out), out.Rollout.Notes)
	}
}

// TestAnAlarmOfTheRulesIsMailedOnce runs two bad days, a check on each of three calls, and a good day.
func TestAnAlarmOfTheRulesIsMailedOnce(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.write("playbooks.yaml", "data_team: []", "data_team: [data@example.com]")
	h.ran("one", 2, functions.RunFailed, false)
	h.ran("two", 1, functions.RunFailed, false)
	if diff := cmp.Diff([]string{"success-low began pending"}, standing(h.health(`{"dry_run": true}`))); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"success-low began sent"}, standing(h.health(`{}`))); diff != "" {
		t.Errorf("the first check (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"success-low none sent"}, standing(h.health(`{}`))); diff != "" {
		t.Errorf("the second check (-want +got):\n%s", diff)
	}
	h.ran("three", 0, functions.RunSkipped, false)
	if got := standing(h.health(`{}`)); len(got) > 0 {
		t.Errorf("after a good day %v stand", got)
	}
	var subjects []string
	for _, received := range h.post.Messages() {
		subjects = append(subjects, strings.Join(received.To, ",")+": "+received.Parse(t).Header.Get("Subject"))
	}
	if diff := cmp.Diff([]string{
		"data@example.com: RetentionOps: success-low began", "data@example.com: RetentionOps: success-low ended",
	}, subjects); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

// TestAFalsePositiveIsAnAlarm reports one of two alerts.
func TestAFalsePositiveIsAnAlarm(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.ran("first", 8, functions.RunSkipped, true)
	h.ran("second", 0, functions.RunSkipped, true)
	out := h.health(`{"note": {"what": "false_positive", "who": "Ada", "why": "a holiday", "run_id": "first"}}`)
	if diff := cmp.Diff([]string{"rollback_false_positives began none"}, standing(out)); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
	status, answer := h.ask(`{"note": {"what": "false_positive", "who": "Ada", "why": "x", "run_id": "third"}}`)
	if status != http.StatusNotFound || !strings.Contains(string(answer), "third") {
		t.Errorf("got %d %s", status, answer)
	}
}

// TestThePhaseDisabledRemembersAndTellsNothing but takes notes, and shows everything.
func TestThePhaseDisabledRemembersAndTellsNothing(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.write("rollout.yaml", "phase: shadow", "phase: disabled")
	h.ran("run", 0, functions.RunFailed, true)
	out := h.health(`{"note": {"what": "disable_requested", "who": "Ada", "why": "wrong customers"}}`)
	if out.Phase != functions.PhaseDisabled || !strings.Contains(strings.Join(out.Notices, " "), "disabled") || len(out.Rollout.Notes) != 1 {
		t.Errorf("got %+v", out)
	}
	if names := h.kept("health/"); len(names) > 0 {
		t.Errorf("the archive holds %v", names)
	}
}

// TestADryRunNeedsTheRightToRead asks with a key that may only read.
func TestADryRunNeedsTheRightToRead(t *testing.T) {
	t.Parallel()
	const sum = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683" // of "key"
	h := open(t, map[string]string{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "reader:read:" + sum})
	if status, answer := h.ask(`{"dry_run": true}`, "X-API-Key", "key"); status != http.StatusOK {
		t.Errorf("a dry run: %d %s", status, answer)
	}
	for _, input := range []string{`{}`, `{"note": {"what": "brief_approved", "who": "Ada", "why": "x"}}`} {
		if status, answer := h.ask(input, "X-API-Key", "key"); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", input, status, answer)
		}
	}
	if names := h.kept(""); len(names) > 0 {
		t.Errorf("the archive holds %v", names)
	}
}

// TestRowsThatWaitAreWritten leaves a row in the archive that the warehouse did not take.
func TestRowsThatWaitAreWritten(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	papers, err := h.env.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	row, err := json.Marshal(retention.Run{
		RunID: "late", RunTimestamp: now.Add(-time.Hour), CreatedAt: now.Add(-time.Hour), Status: functions.RunFailed, Phase: functions.PhaseShadow,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := papers.PutIfAbsent(t.Context(), "spool/2026-03/20260330T063000.000000Z_late_failed.json", row); err != nil {
		t.Fatal(err)
	}
	if out := h.health(`{"dry_run": true}`); out.LateRows != 0 || *out.Figures[0].Value != 0 {
		t.Errorf("a dry run wrote %d rows and sees %+v", out.LateRows, out.Figures[0])
	}
	if out := h.health(`{}`); out.LateRows != 1 {
		t.Errorf("%d rows were written, want 1; %v", out.LateRows, out.Notices)
	}
	if out := h.health(`{}`); out.LateRows != 0 || *out.Figures[0].Value != 0 {
		t.Errorf("the next check wrote %d rows and sees %+v", out.LateRows, out.Figures[0])
	}
}

// TestAFaultInTheMailsSettingsHidesNothing names the variable and goes on.
func TestAFaultInTheMailsSettingsHidesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"RETENTIONOPS_MAIL": "smtp://user:secret@mail.example.com"})
	h.ran("run", 0, functions.RunSkipped, false)
	out := h.health(`{"note": {"what": "disable_requested", "who": "Ada", "why": "wrong customers"}}`)
	for _, alarm := range out.Alarms {
		if alarm.State == functions.AlarmStanding && (!strings.Contains(alarm.MailWhy, "RETENTIONOPS_MAIL") || strings.Contains(alarm.MailWhy, "secret")) {
			t.Errorf("%s: mail %s: %s", alarm.Name, alarm.Mail, alarm.MailWhy)
		}
	}
	if len(standing(out)) != 1 {
		t.Errorf("alarms %v", standing(out))
	}
}
