package health_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/health"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// TestFigures computes the figures of thirty days from rows of a real log.
func TestFigures(t *testing.T) {
	t.Parallel()
	type row struct {
		daysAgo int
		edit    []func(*retention.Run)
	}
	in := func(stage string) func(*retention.Run) { return func(run *retention.Run) { run.Stage = stage } }
	tests := []struct {
		name string
		rows []row
		want map[string]float64 // of the figures named; NaN stands for unknown
	}{
		{"an empty log knows nothing but how many", nil, map[string]float64{
			"success_rate": math.NaN(), "webhook_failure_rate": math.NaN(), "export_success_rate": math.NaN(), "false_positive_rate": math.NaN(),
			"mean_seconds": math.NaN(), "longest_seconds": math.NaN(), "runs": 0, "failed_runs": 0, "alerts": 0,
			"days_since_alert": math.NaN(), "hours_since_run": math.NaN(), "hours_since_success": math.NaN(),
		}},
		{"a quiet day is a healthy one, and takes no time", []row{{0, nil}}, map[string]float64{
			"success_rate": 100, "webhook_failure_rate": math.NaN(), "export_success_rate": math.NaN(), "mean_seconds": math.NaN(),
			"runs": 1, "failed_runs": 0, "alerts": 0, "days_since_alert": 0,
		}},
		{"failed and abandoned runs are failures, a running one is nothing yet", []row{
			{0, []func(*retention.Run){lost, later(89 * time.Minute)}}, {1, []func(*retention.Run){lost}}, {2, []func(*retention.Run){broken}}, {3, nil}, {4, []func(*retention.Run){sent}},
		}, map[string]float64{"success_rate": 50, "runs": 4, "failed_runs": 2, "alerts": 1}},
		{"a dry run that was written down counts nowhere", []row{
			{0, []func(*retention.Run){broken, func(run *retention.Run) { run.DryRun = true }}}, {1, nil},
		}, map[string]float64{"success_rate": 100, "runs": 1}},
		{"a run repeated with success stays a failure beside a success", []row{
			{0, []func(*retention.Run){broken}}, {0, []func(*retention.Run){sent, later(time.Minute)}},
		}, map[string]float64{"success_rate": 50, "runs": 2, "alerts": 1}},
		{"only who called the webhook can fail at it", []row{
			{0, []func(*retention.Run){unconfirmed}},
			{1, []func(*retention.Run){sent}},
			{2, []func(*retention.Run){sent}},
			{3, []func(*retention.Run){broken}},
			{4, nil},
			{5, []func(*retention.Run){sent, func(run *retention.Run) { run.DeliveryState = functions.DeliveryAccepted }}},
		}, map[string]float64{"webhook_failure_rate": 25}},
		{"who was killed while sending has failed at it", []row{
			{0, []func(*retention.Run){sent}}, {1, []func(*retention.Run){lost, func(run *retention.Run) { run.DeliveryState = functions.DeliveryUnknown }}},
		}, map[string]float64{"webhook_failure_rate": 50}},
		{"a file that stood in for a sheet is a failed export, and so is a run that ended there", []row{
			{0, []func(*retention.Run){sent}},
			{1, []func(*retention.Run){sent, func(run *retention.Run) { run.ExportState = "csv stood in for gsheet (1 of 2 tiers)" }}},
			{2, []func(*retention.Run){broken, in("export")}},
			{3, []func(*retention.Run){broken}},
			{4, []func(*retention.Run){lost, in("export")}},
		}, map[string]float64{"export_success_rate": 25}},
		{"time is that of runs that went beyond the decision", []row{
			{0, []func(*retention.Run){sent}}, {1, nil}, {2, []func(*retention.Run){broken, func(run *retention.Run) { *run.ExecutionTimeMS = 15_000 }}},
		}, map[string]float64{"mean_seconds": 10, "longest_seconds": 15}},
		{"a day that is run again is one alert, on the day that first saw it", []row{
			{0, []func(*retention.Run){sent, of("2026-02-10")}},
			{40, []func(*retention.Run){sent, of("2026-02-10")}},
			{3, []func(*retention.Run){unconfirmed, of("2026-03-27")}},
			{2, []func(*retention.Run){sent, of("2026-03-27")}},
		}, map[string]float64{"alerts": 1, "days_since_alert": 3, "runs": 3}},
		{"days with many alerts at once, as after a stop", []row{
			{0, []func(*retention.Run){sent, of("2026-03-28")}}, {0, []func(*retention.Run){sent, of("2026-03-29")}}, {0, []func(*retention.Run){sent}},
		}, map[string]float64{"alerts": 3, "days_since_alert": 0}},
		{"without any alert the days since count from the first run", []row{{61, nil}, {0, nil}}, map[string]float64{
			"days_since_alert": 61, "alerts": 0, "runs": 1,
		}},
		{"hours since the last run, and the last good one", []row{
			{1, []func(*retention.Run){broken}}, {2, nil}, {0, []func(*retention.Run){lost}},
		}, map[string]float64{"hours_since_run": 25.5 - 5.0/3600, "hours_since_success": 49.5 - 5.0/3600}},
		{"a run that began 30 days ago is out, one that began 29 days ago is in", []row{
			{30, []func(*retention.Run){broken}}, {29, nil},
		}, map[string]float64{"success_rate": 100, "runs": 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			for _, row := range test.rows {
				h.ran(row.daysAgo, row.edit...)
			}
			history := h.read()
			values := health.Values(history.Figures(history.Last(30)))
			got := map[string]float64{}
			for name := range test.want {
				value, known := values[name]
				if !known {
					value = math.NaN()
				}
				got[name] = value
			}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(alike)); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
		})
	}
}

func alike(a, b float64) bool { return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9 }

// TestTargets holds figures against §15.
func TestTargets(t *testing.T) {
	t.Parallel()
	h := open(t)
	for day := range 40 {
		switch day {
		case 3, 13:
			h.ran(day, sent)
		case 23:
			h.ran(day, unconfirmed)
		default:
			h.ran(day)
		}
	}
	history := h.read()
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := func(days int) map[string]string {
		got := map[string]string{}
		for _, figure := range history.Judged(history.Last(days), book.Monitoring()) {
			if figure.Verdict != functions.TargetNone || figure.Target != "" {
				got[figure.Name] = fmt.Sprintf("%s: %s", figure.Target, figure.Verdict)
			}
		}
		return got
	}
	want := map[string]string{
		"success_rate": "success_rate > 95: met", "webhook_failure_rate": "webhook_failure_rate < 5: missed",
		"export_success_rate": "export_success_rate > 95: met", "mean_seconds": "mean_seconds < 60: met", "alerts": "alerts >= 2 and alerts <= 3: met",
	}
	if diff := cmp.Diff(want, verdicts(30)); diff != "" {
		t.Errorf("over the rules' window (-want +got):\n%s", diff)
	}
	want["alerts"] = "alerts >= 2 and alerts <= 3: unknown"
	if diff := cmp.Diff(want, verdicts(31)); diff != "" {
		t.Errorf("over another window (-want +got):\n%s", diff)
	}
	for _, name := range []string{"webhook_failure_rate", "export_success_rate", "mean_seconds"} {
		text, _, _ := strings.Cut(want[name], ":")
		want[name] = text + ": unknown"
	}
	if diff := cmp.Diff(want, verdicts(2)); diff != "" {
		t.Errorf("over two quiet days (-want +got):\n%s", diff)
	}
}

// TestACountOfAYoungLogIsNotJudged holds a week against a month.
func TestACountOfAYoungLogIsNotJudged(t *testing.T) {
	t.Parallel()
	h := open(t)
	for day := range 29 {
		h.ran(day, sent)
	}
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []functions.FigureVerdict{functions.TargetUnknown, functions.TargetMissed} {
		history := h.read()
		for _, figure := range history.Judged(history.Last(30), book.Monitoring()) {
			if figure.Name == "alerts" && figure.Verdict != want {
				t.Errorf("%v alerts are %s, want %s", *figure.Value, figure.Verdict, want)
			}
		}
		h.ran(29)
	}
}

// TestEveryFigureThatARuleMayNameIsComputed compares with the list of the rules.
func TestEveryFigureThatARuleMayNameIsComputed(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(0, sent)
	history := h.read()
	figures := history.Figures(history.Last(30))
	if len(figures) != len(rulebook.Figures) {
		t.Errorf("%d figures, want %d", len(figures), len(rulebook.Figures))
	}
	for _, figure := range figures {
		if figure.Value == nil || figure.Meaning == "" {
			t.Errorf("%s is %v: %s", figure.Name, figure.Value, figure.Meaning)
		}
	}
}

// TestAPastDayKnowsNothingOfTheDaysAfterIt looks at yesterday's end, with a run and an alert today.
func TestAPastDayKnowsNothingOfTheDaysAfterIt(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(5, sent)
	h.ran(3)
	h.ran(0, sent)
	history := h.read()
	yesterday := health.Span{From: today.AddDays(-1), To: today.AddDays(-1)}
	got := health.Values(history.Figures(yesterday))
	want := map[string]float64{
		"hours_since_run": 66 - 5.0/3600, "hours_since_success": 66 - 5.0/3600, "days_since_alert": 4, "alerts": 0, "runs": 0, "failed_runs": 0,
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(alike)); diff != "" {
		t.Errorf("yesterday (-want +got):\n%s", diff)
	}
}

// TestFalsePositivesAreThoseOfTheAlertDay reports one of two runs of a day, and another of a day outside the window.
func TestFalsePositivesAreThoseOfTheAlertDay(t *testing.T) {
	t.Parallel()
	h := open(t)
	old := h.ran(40, sent)
	h.ran(3, sent)
	h.ran(2, unconfirmed, of("2026-03-28"))
	again := h.ran(1, sent, of("2026-03-28"))
	history := h.read(old, again, "never-was")
	values := health.Values(history.Figures(history.Last(30)))
	if values["alerts"] != 2 || values["false_positive_rate"] != 50 {
		t.Errorf("got %v", values)
	}
}

// TestADayIsThatOfTheZone reads one run in two zones.
func TestADayIsThatOfTheZone(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, later(17*time.Hour+30*time.Minute)) // 23:30 UTC on the day before
	h.ran(0)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[*time.Location][]int64{time.UTC: {1, 1}, berlin: {0, 2}} {
		history, err := health.Read(t.Context(), h.log, check, zone, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, day := range history.Days(history.Last(2)) {
			got = append(got, day.Runs)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("runs a day in %s (-want +got):\n%s", zone, diff)
		}
	}
}

// TestFiguresAgreeWithSQL asks the log of a made-up year by SQL, which knows nothing of our code.
func TestFiguresAgreeWithSQL(t *testing.T) {
	t.Parallel()
	const question = `
SELECT CAST(run_timestamp AS DATE) AS day, count(*), count(*) FILTER (status = 'failed'),
       100.0 * count(*) FILTER (status IN ('success', 'skipped')) / count(*),
       100.0 * count(*) FILTER (webhook_attempts > 0 AND delivery_state NOT IN ('confirmed', 'accepted')) / nullif(count(*) FILTER (webhook_attempts > 0), 0),
       avg(execution_time_ms) FILTER (stage <> 'decide') / 1000
FROM ops_runs_log GROUP BY day ORDER BY day`
	kinds := [][]func(*retention.Run){nil, {sent}, {unconfirmed}, {broken}}
	for seed := range uint64(3) {
		h, random := open(t), rand.New(rand.NewPCG(seed, 15))
		for day := range 60 {
			for range 1 + random.IntN(3) {
				h.ran(day, append(kinds[random.IntN(len(kinds))], func(run *retention.Run) { *run.ExecutionTimeMS = random.Int64N(200_000) })...)
			}
		}
		rows, err := h.db().QueryContext(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var want []functions.HealthDay
		for rows.Next() {
			var day functions.HealthDay
			var date time.Time
			if err := rows.Scan(&date, &day.Runs, &day.FailedRuns, &day.SuccessRate, &day.WebhookFailureRate, &day.MeanSeconds); err != nil {
				t.Fatal(err)
			}
			day.Date = today.AddDays(int(date.Sub(today.In(time.UTC)).Hours() / 24))
			want = append(want, day)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		history := h.read()
		got := history.Days(history.Last(60))
		for i := range got {
			got[i].Alerts, got[i].ExportSuccessRate = 0, nil
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(alike)); diff != "" {
			t.Errorf("seed %d: days (-SQL +ours):\n%s", seed, diff)
		}
	}
}
