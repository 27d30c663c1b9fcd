package alert_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/alert"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

func day(text string) functions.Date {
	date, err := civil.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return date
}

// decider decides over an alert table with the given rows, on a day in 2026.
func decider(t *testing.T, rows ...string) *alert.Decider {
	t.Helper()
	opened, err := warehouse.Open(t.Context(), "duckdb::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	db := opened.Driver().(interface{ DB() *sql.DB }).DB()
	statements := []string{`CREATE TABLE alert_logic (alert_date DATE, severity VARCHAR, alert_flag BOOLEAN,
		current_value DOUBLE, baseline_value DOUBLE, delta_relative_pct DOUBLE, sample_size BIGINT)`}
	if len(rows) > 0 {
		statements = append(statements, "INSERT INTO alert_logic VALUES "+strings.Join(rows, ", "))
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return &alert.Decider{
		Alerts:    opened,
		Detection: rulebook.Detection{WarningPct: 15, CriticalPct: 25, BaselineDays: 7, MinCustomers: 100},
		Today:     func() functions.Date { return day("2026-01-12") },
	}
}

const (
	info     = "('2026-01-05', 'INFO', false, 21.5, 21.4, 0.47, 48000)"
	warning  = "('2026-01-12', 'WARNING', true, 25.2, 21.4, 17.76, 49378)"
	critical = "('2026-01-19', 'CRITICAL', true, 30, 22, 36.36, 50000)"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, row, date string
		severity        functions.Severity
		action, ready   bool
		reason          string
	}{
		{
			"a warning calls for action", warning, "2026-01-12", functions.Warning, true, true,
			"25.20 % of 49378 customers are AT_RISK, against 21.40 % over the 7 days before: +17.76 %, WARNING from +15 %",
		},
		{
			"a mean has two digits", "('2026-01-12', 'WARNING', true, 18.43, 15.165714285714285, 21.52, 5821)", "2026-01-12", functions.Warning, true, true,
			"18.43 % of 5821 customers are AT_RISK, against 15.17 % over the 7 days before: +21.52 %, WARNING from +15 %",
		},
		{
			"a critical alert names its own threshold", critical, "2026-01-19", functions.Critical, true, true,
			"30.00 % of 50000 customers are AT_RISK, against 22.00 % over the 7 days before: +36.36 %, CRITICAL from +25 %",
		},
		{
			"an info day calls for nothing", info, "2026-01-05", functions.Info, false, true,
			"21.50 % of 48000 customers are AT_RISK, against 21.40 % over the 7 days before: +0.47 %, below the +15 % of a WARNING",
		},
		{
			"the first seven days have no baseline", "('2024-01-03', 'INFO', false, 0, NULL, NULL, 40)", "2024-01-03",
			functions.Info, false, false, "0.00 % of 40 customers are AT_RISK; no baseline yet, it needs 7 days",
		},
		{
			"a baseline of zero has no relative change", "('2024-02-01', 'INFO', false, 6.2, 0, NULL, 400)", "2024-02-01",
			functions.Info, false, true, "6.20 % of 400 customers are AT_RISK; the baseline is 0.00 %, so there is no relative change",
		},
		{
			"an infinity is no figure", "('2024-02-01', 'INFO', false, 6.2, 0, 'Infinity'::DOUBLE, 400)", "2024-02-01",
			functions.Info, false, true, "6.20 % of 400 customers are AT_RISK; the baseline is 0.00 %, so there is no relative change",
		},
		{
			"a severity without the flag calls for nothing", "('2024-02-01', 'WARNING', false, 25, 20, 25, 12)", "2024-02-01",
			functions.Warning, false, true, "25.00 % of 12 customers are AT_RISK, against 20.00 % over the 7 days before: +25.00 %, WARNING from +15 %",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := decider(t, test.row).Decide(t.Context(), day(test.date))
			if err != nil {
				t.Fatal(err)
			}
			if got.Severity != test.severity || got.ActionRequired != test.action || got.BaselineReady != test.ready {
				t.Errorf("got %+v", got)
			}
			if got.BaselineValue != nil && !strings.Contains(test.reason, fmt.Sprintf("%.2f %%", *got.BaselineValue)) {
				t.Errorf("the baseline is %v", *got.BaselineValue)
			}
			if diff := cmp.Diff(test.reason, got.Reason); diff != "" {
				t.Errorf("reason (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		rows []string
		date string
		code functions.Code
		says string
	}{
		{"a day without a row, naming the newest", []string{warning, info}, "2026-01-13", functions.NotFound, "the newest is 2026-01-12"},
		{"an empty table, naming what to run", nil, "2026-01-13", functions.NotFound, "run the detection first"},
		{"a word that is no severity", []string{"('2026-01-12', 'SEVERE', true, 1, 1, 0, 1)"}, "2026-01-12", functions.FailedPrecondition, "INFO, WARNING or CRITICAL"},
		{"a share that is missing, which is no zero", []string{"('2026-01-12', 'WARNING', true, NULL, 1, 0, 1)"}, "2026-01-12", functions.FailedPrecondition, "SQL5"},
		{"a sample that is missing, which is no zero", []string{"('2026-01-12', 'WARNING', true, 1, 1, 0, NULL)"}, "2026-01-12", functions.FailedPrecondition, "SQL5"},
		{"a share that is not a number", []string{"('2026-01-12', 'INFO', true, 'NaN'::DOUBLE, 1, 0, 1)"}, "2026-01-12", functions.FailedPrecondition, "SQL5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := decider(t, test.rows...).Decide(t.Context(), day(test.date))
			if functions.CodeOf(err) != test.code {
				t.Fatalf("got %v, want %s", err, test.code)
			}
			if problem := functions.ProblemOf(err, "r"); !strings.Contains(problem.Hint, test.says) {
				t.Errorf("hint %q does not say %q", problem.Hint, test.says)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	d := decider(t, warning, critical, info)
	for ref, want := range map[functions.DateRef]string{"": "2026-01-12", "latest": "2026-01-19", "2025-02-28": "2025-02-28"} {
		got, err := d.Resolve(t.Context(), ref)
		if err != nil || got != day(want) {
			t.Errorf("Resolve(%q) = %v, %v, want %s", ref, got, err, want)
		}
	}
	if _, err := d.Resolve(t.Context(), "2025-02-29"); functions.CodeOf(err) != functions.InvalidArgument {
		t.Errorf("a day that does not exist: got %v", err)
	}
}

// TestContextAddsUp checks the sums over §8.2's figures.
func TestContextAddsUp(t *testing.T) {
	t.Parallel()
	a := &retention.Assessment{Customers: 49380, Quality: functions.DataQuality{SetAside: 2}}
	cells := map[functions.Status][3]int64{
		functions.Active: {12, 9000, 10000}, functions.AtRisk: {2891, 5178, 4381}, functions.Inactive: {7916, 0, 10000},
	}
	for _, status := range functions.Statuses {
		for i, risk := range functions.Risks {
			a.StatusByRisk = append(a.StatusByRisk, functions.StatusRiskCell{Status: status, Risk: risk, Customers: cells[status][i]})
		}
	}
	got := alert.Context(a)
	if diff := cmp.Diff(functions.StatusCounts{Active: 19012, AtRisk: 12450, Inactive: 17916}, got.StatusDistribution); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(functions.RiskCounts{High: 2891, Medium: 5178, Low: 4381}, got.AtRiskByRiskLevel); diff != "" {
		t.Errorf("risks (-want +got):\n%s", diff)
	}
	s := got.StatusDistribution
	if s.Active+s.AtRisk+s.Inactive+got.DataQuality.SetAside != got.TotalCustomers {
		t.Errorf("the statuses and those set aside do not add up to %d", got.TotalCustomers)
	}
}

// oneDay is an alert table of a single row.
type oneDay struct{ row retention.Alert }

func (o oneDay) AlertOn(context.Context, functions.Date) (retention.Alert, error) { return o.row, nil }

func (o oneDay) NewestAlert(context.Context) (retention.Alert, error) { return o.row, nil }

func ExampleDecider_Decide() {
	decider := &alert.Decider{
		Alerts: oneDay{retention.Alert{
			Date: day("2026-01-12"), Severity: functions.Warning, Flag: true, Current: 25.2, SampleSize: 49378,
			Baseline: sql.Null[float64]{V: 21.4, Valid: true},
			Delta:    sql.Null[float64]{V: math.Round((25.2/21.4-1)*10000) / 100, Valid: true},
		}},
		Detection: rulebook.Detection{WarningPct: 15, CriticalPct: 25, BaselineDays: 7},
	}
	decision, err := decider.Decide(context.Background(), day("2026-01-12"))
	fmt.Println(decision.Severity, decision.ActionRequired, err)
	fmt.Println(decision.Reason)
	// Output:
	// WARNING true <nil>
	// 25.20 % of 49378 customers are AT_RISK, against 21.40 % over the 7 days before: +17.76 %, WARNING from +15 %
}
