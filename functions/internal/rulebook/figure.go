package rulebook

import (
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/vm"
)

// Figure is a number about runs that a condition in monitoring.yaml may name.
type Figure struct {
	Name      string
	Unit      string // %, s, days, hours; empty for a count
	Meaning   string
	Low, High float64 // it lies between them, both in
}

// Figures are the numbers about runs, in the order in which people read them (§15). One that is not known, such as a
// rate of nothing, is left out when an alarm is judged. The bounds of what is no rate are wide: only nonsense lies
// outside.
var Figures = []Figure{
	{"success_rate", "%", "runs that succeeded or had nothing to do, of all that ended or were abandoned", 0, 100},
	{"webhook_failure_rate", "%", "runs whose message was not confirmed, or accepted where no receipt is asked for, of those that called the webhook", 0, 100},
	{"export_success_rate", "%", "runs whose audiences went where they should, of those that exported; a file instead of a sheet is a failure", 0, 100},
	{"mean_seconds", "s", "mean time of the runs that went beyond the decision", 0, mostSeconds},
	{"longest_seconds", "s", "time of the longest of them", 0, mostSeconds},
	{"runs", "", "runs that ended or were abandoned; dry runs do not count", 0, mostRuns},
	{"failed_runs", "", "of these, the runs that failed or were abandoned", 0, mostRuns},
	{"alerts", "", "days with an alert, counted when a run first saw them", 0, longestWindow},
	{"days_since_alert", "days", "days since the last alert became known; without one, since the first run", 0, mostDays},
	{"hours_since_run", "hours", "hours since a run last ended", 0, 24 * mostDays},
	{"hours_since_success", "hours", "hours since a run last succeeded or had nothing to do", 0, 24 * mostDays},
	{"false_positive_rate", "%", "days with an alert that people reported as none, of all days with an alert", 0, 100},
}

const (
	mostSeconds = 1_000_000 // more than any run lasts
	mostRuns    = 1_000_000 // more than any window holds
)

// holds says what a figure may be, as a field says it.
func (f Figure) holds() string {
	return strings.TrimSpace(fmt.Sprintf("%s to %s %s", plainNumber(f.Low), plainNumber(f.High), f.Unit))
}

// figures are what a condition in monitoring.yaml may name, as a vocabulary: so these conditions go through the checker of
// the rules, and its proofs.
func figures() *vocabulary {
	v := &vocabulary{byName: map[string]*field{}, trial: func() trial { return figureTrial{} }}
	for _, figure := range Figures {
		f := &field{
			column: &column{name: figure.Name, kind: kindAmount}, low: figure.Low, high: figure.High, unit: figure.Unit, meaning: figure.Meaning,
		}
		if figure.Unit == "" {
			f.kind = kindWhole
		}
		v.fields = append(v.fields, f)
		v.byName[f.name] = f
	}
	return v
}

// trial is what expressions are tried on: a customer, or the figures of some days.
type trial interface {
	set(f *field, value representative)
	env() any // as expr is handed it
}

// set implements trial.
func (r *row) set(f *field, value representative) { f.set(r, value) }

// env implements trial.
func (r *row) env() any { return r }

// figureTrial is figures by name.
type figureTrial map[string]float64

// set implements trial.
func (w figureTrial) set(f *field, value representative) { w[f.name] = value.number }

// env implements trial.
func (w figureTrial) env() any { return map[string]float64(w) }

// newConfig is how expr is set up for the expressions of the vocabulary.
func (v *vocabulary) newConfig() *conf.Config {
	if v.trial == nil {
		return newConfig()
	}
	all := map[string]float64{}
	for _, f := range v.fields {
		all[f.name] = 0
	}
	return configOf(all)
}

// newTrial is something to try the expressions of the vocabulary on.
func (v *vocabulary) newTrial() trial {
	if v.trial == nil {
		return &row{}
	}
	return v.trial()
}

// figureNamesIn are the figures that a tree names, each once, in the order in which it does.
func figureNamesIn(tree ast.Node) []string {
	seen := &nameSearch{}
	ast.Walk(&tree, seen)
	var names []string
	once := map[string]bool{}
	for _, name := range seen.names {
		if !once[name] {
			once[name] = true
			names = append(names, name)
		}
	}
	return names
}

// figureHolds judges a condition over figures. Known is false when one that it names is not there, or is no number: then
// nothing can be said. A figure outside of its bounds counts as the bound, so that what was proven of the condition stays
// true.
func (e *expression) figureHolds(names []string, given map[string]float64) (holds, known bool) {
	env := maps.Clone(zeroFigures)
	for _, name := range names {
		number, has := given[name]
		if !has || math.IsNaN(number) {
			return false, false
		}
		bounds := figureBounds[name]
		env[name] = min(max(number, bounds.low), bounds.high)
	}
	result, err := vm.Run(e.program, env)
	holds, ok := result.(bool)
	return holds, err == nil && ok
}

// zeroFigures are all figures at nought, and figureBounds what each may be.
var zeroFigures, figureBounds = func() (map[string]float64, map[string]interval) {
	zero, bounds := map[string]float64{}, map[string]interval{}
	for _, figure := range Figures {
		zero[figure.Name], bounds[figure.Name] = 0, interval{figure.Low, figure.High}
	}
	return zero, bounds
}()
