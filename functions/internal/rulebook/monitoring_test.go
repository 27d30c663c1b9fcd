package rulebook_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

func TestTheAlarmsAsShippedAreThoseOfSection15(t *testing.T) {
	t.Parallel()
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	type verdict struct{ holds, known bool }
	for _, test := range []struct {
		alarm   string
		forDays int
		figures map[string]float64
		want    verdict
	}{
		{"success-low", 2, map[string]float64{"success_rate": 89.9}, verdict{true, true}},
		{"success-low", 2, map[string]float64{"success_rate": 90}, verdict{false, true}},
		{"success-low", 2, map[string]float64{"runs": 3}, verdict{false, false}},
		{"slow", 0, map[string]float64{"mean_seconds": 120.5}, verdict{true, true}},
		{"slow", 0, map[string]float64{"mean_seconds": 120}, verdict{false, true}},
		{"too-sensitive", 0, map[string]float64{"alerts": 6}, verdict{true, true}},
		{"too-sensitive", 0, map[string]float64{"alerts": 5}, verdict{false, true}},
		{"too-conservative", 0, map[string]float64{"days_since_alert": 61}, verdict{true, true}},
		{"too-conservative", 0, nil, verdict{false, false}},
	} {
		for _, alarm := range book.Monitoring().Alarms {
			if alarm.Name != test.alarm {
				continue
			}
			holds, known := alarm.Holds(test.figures)
			if got := (verdict{holds, known}); got != test.want || alarm.ForDays != test.forDays {
				t.Errorf("%s of %v: %+v for %d days, want %+v", test.alarm, test.figures, got, alarm.ForDays, test.want)
			}
		}
	}
	var targets []string
	for _, target := range book.Monitoring().Targets {
		targets = append(targets, target.Text)
	}
	want := []string{
		"success_rate > 95", "webhook_failure_rate < 5", "export_success_rate > 95", "mean_seconds < 60", "alerts >= 2 and alerts <= 3",
	}
	if diff := cmp.Diff(want, targets); diff != "" || book.Monitoring().Window != 30 || len(book.Monitoring().Alarms) != 4 {
		t.Errorf("targets: %s", diff)
	}
}

// beside is the folder as shipped with one file in another form; a nil file is not there.
func beside(t *testing.T, name string, content []byte) fstest.MapFS {
	t.Helper()
	files := shippedBeside(t, name, content)
	if content == nil {
		delete(files, name)
	}
	return files
}

func day(month time.Month, d int) functions.Date { return civil.Date{Year: 2026, Month: month, Day: d} }

const silences = `silences:
  - {from: 2026-12-21, to: 2026-12-27, who: Ann, why: Holidays.}
  - {from: 2026-11-01, to: 2026-11-01, who: Ben, why: A test., severities: [WARNING]}
  - {from: 2028-01-01, to: 2028-01-02, who: Cem, why: A slip of the year.}
`

func TestSilences(t *testing.T) {
	t.Parallel()
	book, err := rulebook.Load(beside(t, "silences.yaml", []byte(silences)))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		day      functions.Date
		severity functions.Severity
		who      string
	}{
		{day(12, 20), functions.Warning, ""},
		{day(12, 21), functions.Warning, "Ann"},
		{day(12, 27), functions.Critical, "Ann"},
		{day(12, 28), functions.Critical, ""},
		{day(11, 1), functions.Warning, "Ben"},
		{day(11, 1), functions.Critical, ""},
		{day(12, 24), functions.Info, ""},
	} {
		silence, silenced := book.Silence(test.day, test.severity)
		if silence.Who != test.who || silenced != (test.who != "") {
			t.Errorf("%s of %s is silenced by %q", test.severity, test.day, silence.Who)
		}
	}
	var reminded []string
	for _, finding := range book.Reminders(day(11, 22)) {
		reminded = append(reminded, fmt.Sprintf("%s:%d %s: %s", finding.File, finding.Line, finding.Severity, finding.Message))
	}
	want := []string{
		"silences.yaml:3 warning: the silence of Ben ended on 2026-11-01",
		"silences.yaml:4 warning: the silence begins on 2028-01-01, more than a year from now",
	}
	if diff := cmp.Diff(want, reminded); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := len(book.Reminders(day(10, 1))); got != 1 {
		t.Errorf("%d reminders before anything has ended, want that of the year", got)
	}
}

// A folder of an earlier version has neither file, and is still read: rules diff compares with it.
func TestAnEarlierFolderWatchesAndSilencesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"silences.yaml", "monitoring.yaml"} {
		book, err := rulebook.Load(beside(t, name, nil))
		if err != nil {
			t.Fatalf("without %s: %v", name, err)
		}
		if _, silenced := book.Silence(day(12, 24), functions.Warning); silenced || name == "monitoring.yaml" && len(book.Monitoring().Alarms) != 0 {
			t.Errorf("without %s: silenced %v, %d alarms", name, silenced, len(book.Monitoring().Alarms))
		}
	}
	files := beside(t, "silences.yaml", nil)
	files["silence.yaml"] = &fstest.MapFile{Data: []byte(silences)}
	if _, err := rulebook.Load(files); err == nil {
		t.Error("a mistyped file name passes")
	}
}

func TestWhoGetsMail(t *testing.T) {
	t.Parallel()
	text := string(readFile(t, "../../../rules/playbooks.yaml"))
	files := beside(t, "playbooks.yaml", []byte(strings.Replace(text, "retention_team: []", `retention_team: [ann@example.com, "Ben Ox <ben@example.com>"]`, 1)))
	book, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	want := rulebook.Mail{RetentionTeam: []string{"ann@example.com", "Ben Ox <ben@example.com>"}, AttachUpTo: 1 << 20}
	if diff := cmp.Diff(want, book.Mail()); diff != "" || book.PayloadTemplate() != "make" || !book.ReceiptRequired() {
		t.Errorf("%s payload %s", diff, book.PayloadTemplate())
	}
}
