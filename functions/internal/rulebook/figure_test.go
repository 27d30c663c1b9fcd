package rulebook_test

import (
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// watching is the rules as shipped with one target, of the success rate, and one alarm.
func watching(tb testing.TB, when string) fstest.MapFS {
	tb.Helper()
	return shippedBeside(tb, "monitoring.yaml", fmt.Appendf(nil,
		"window: 30 days\ntargets: [success_rate > 95]\nalarms:\n  - {name: it, when: %q, tell: data_team, what: It is so.}\n", when))
}

// alarmOf gives the alarm of a condition, and what the check says of it.
func alarmOf(tb testing.TB, when string) (rulebook.Alarm, []string) {
	tb.Helper()
	book, findings := rulebook.Check(watching(tb, when))
	if book == nil {
		tb.Fatalf("%s: %v", when, findings)
	}
	var ids []string
	for _, finding := range findings {
		if finding.File == "monitoring.yaml" && finding.Line == 4 {
			ids = append(ids, strings.TrimPrefix(finding.ID, "rules/"))
		}
	}
	return book.Monitoring().Alarms[0], ids
}

func TestWhatAConditionOverFiguresSays(t *testing.T) {
	t.Parallel()
	figures := map[string]float64{"success_rate": 80, "runs": 10, "failed_runs": 2, "alerts": 3, "mean_seconds": 12.5, "longest_seconds": 40}
	tests := []struct {
		when         string
		holds, known bool
	}{
		{"success_rate < 90", true, true},
		{"90 > success_rate", true, true},
		{"success_rate < 90 and runs >= 5", true, true},
		{"success_rate < 90 and runs >= 50", false, true},
		{"not (success_rate >= 90)", true, true},
		{"alerts in [2, 3]", true, true},
		{"alerts == 3", true, true},
		{"failed_runs * 100 / 4 > 49", true, true},
		{"safe_div(failed_runs, runs, 0) > 0.19", true, true},
		{"safe_div(failed_runs, runs, 0) > 0.2", false, true},
		{"longest_seconds > mean_seconds * 3", true, true},
		{"runs > 5 ? failed_runs > 1 : failed_runs > 0", true, true},
		{"max(mean_seconds, longest_seconds) > 39", true, true},
		{"webhook_failure_rate > 5", false, false},
		{"success_rate < 90 or webhook_failure_rate > 5", false, false}, // half of it is not known
	}
	for _, tc := range tests {
		t.Run(tc.when, func(t *testing.T) {
			t.Parallel()
			alarm, _ := alarmOf(t, tc.when)
			if holds, known := alarm.Holds(figures); holds != tc.holds || known != tc.known {
				t.Errorf("holds %v, known %v", holds, known)
			}
		})
	}
}

// TestFiguresOutOfBounds holds what was proven also of figures that cannot be.
func TestFiguresOutOfBounds(t *testing.T) {
	t.Parallel()
	alarm, _ := alarmOf(t, "webhook_failure_rate >= 100 or webhook_failure_rate == 0")
	for _, tc := range []struct {
		figure       float64
		holds, known bool
	}{
		{120, true, true}, {math.Inf(1), true, true}, {-1, true, true}, {50, false, true}, {math.NaN(), false, false},
	} {
		if holds, known := alarm.Holds(map[string]float64{"webhook_failure_rate": tc.figure}); holds != tc.holds || known != tc.known {
			t.Errorf("%v: holds %v, known %v", tc.figure, holds, known)
		}
	}
	if holds, known := (rulebook.Alarm{}).Holds(map[string]float64{"runs": 1}); holds || known {
		t.Error("an alarm without a condition says something")
	}
}

// TestAlarmsAreJudgedByManyAtOnce is for the race detector.
func TestAlarmsAreJudgedByManyAtOnce(t *testing.T) {
	t.Parallel()
	alarm, _ := alarmOf(t, "success_rate < 90 and runs > 3")
	var all sync.WaitGroup
	for rate := range 100 {
		all.Go(func() {
			holds, known := alarm.Holds(map[string]float64{"success_rate": float64(rate), "runs": 4})
			if holds != (rate < 90) || !known {
				t.Errorf("%d: holds %v, known %v", rate, holds, known)
			}
		})
	}
	all.Wait()
}

// samples are values on both sides of every number that a random condition may name.
var samples = map[string][]float64{
	"success_rate": {0, 49.5, 50, 50.5, 89.5, 90, 90.5, 95, 97.5, 100},
	"runs":         {0, 1, 2, 3, 4, 999_999, 1_000_000},
}

// randomCondition is a condition over two figures, with numbers in and out of their bounds.
func randomCondition(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(3) == 0 {
		operator := []string{"<", "<=", ">", ">=", "==", "!="}[r.IntN(6)]
		if r.IntN(2) == 0 {
			return "success_rate " + operator + " " + []string{"-1", "0", "50", "90", "95", "100", "101"}[r.IntN(7)]
		}
		return "runs " + operator + " " + []string{"-1", "0", "1", "2", "2.5", "3", "1000000", "1000001"}[r.IntN(8)]
	}
	switch r.IntN(5) {
	case 0:
		return "not (" + randomCondition(r, depth-1) + ")"
	case 1, 2:
		return "(" + randomCondition(r, depth-1) + " or " + randomCondition(r, depth-1) + ")"
	default:
		return "(" + randomCondition(r, depth-1) + " and " + randomCondition(r, depth-1) + ")"
	}
}

// TestProofsAboutAlarmsAgreeWithTryingAll tries every combination of samples: what the check says of a condition is so, and
// it says so of every condition of which it is so.
func TestProofsAboutAlarmsAgreeWithTryingAll(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 15))
	said := map[string]int{}
	for range 600 {
		when := randomCondition(r, 3)
		if !strings.Contains(when, "success_rate") || strings.Contains(when, "runs") && r.IntN(3) == 0 {
			continue
		}
		alarm, ids := alarmOf(t, when)
		always, never, onTarget := true, true, false
		for _, rate := range samples["success_rate"] {
			for _, runs := range samples["runs"] {
				holds, _ := alarm.Holds(map[string]float64{"success_rate": rate, "runs": runs})
				always, never = always && holds, never && !holds
				onTarget = onTarget || holds && rate > 95
			}
		}
		var want []string
		switch {
		case never:
			want = []string{"never-matches"}
		case always:
			want = []string{"always-holds"}
		case onTarget && !slices.Contains(alarm.Figures(), "runs"): // of which there is no target
			want = []string{"overlap"}
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: the check says %v, trying all says %v", when, ids, want)
		}
		said[strings.Join(ids, " ")]++
	}
	for _, id := range []string{"never-matches", "always-holds", "overlap", ""} {
		if said[id] < 3 {
			t.Errorf("only %d conditions were %q: %v", said[id], id, said)
		}
	}
}

// TestEveryFigureCanBeNamed walks the figures: each in the schema, the page, and a condition.
func TestEveryFigureCanBeNamed(t *testing.T) {
	t.Parallel()
	schemas, err := rulebook.Schemas(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	page, err := fs.ReadFile(fstest.MapFS{"README.md": &fstest.MapFile{Data: readFile(t, "../../../rules/README.md")}}, "README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, figure := range rulebook.Figures {
		alarm, ids := alarmOf(t, fmt.Sprintf("%s > %v", figure.Name, (figure.Low+figure.High)/2))
		if holds, known := alarm.Holds(map[string]float64{figure.Name: figure.High}); !holds || !known || figure.Low >= figure.High {
			t.Errorf("%s: holds %v, known %v", figure.Name, holds, known)
		}
		if figure.Name != "success_rate" && len(ids) > 0 {
			t.Errorf("%s: %v", figure.Name, ids)
		}
		if !strings.Contains(string(schemas["monitoring.schema.json"]), figure.Name+": "+figure.Meaning) {
			t.Errorf("the schema does not tell of %s", figure.Name)
		}
		if !strings.Contains(string(page), "| `"+figure.Name+"` | "+figure.Meaning) {
			t.Errorf("rules/README.md does not tell of %s", figure.Name)
		}
	}
}
