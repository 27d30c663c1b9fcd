package rulebook

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// Figure is a number about runs that a condition in monitoring.yaml may name.
type Figure struct {
	Name    string
	Unit    string // %, s, days, hours; empty for a count
	Meaning string
}

// Figures are the numbers about runs, in the order in which people read them (§15). One that is not known, such as a
// rate of nothing, is left out when an alarm is judged.
var Figures = []Figure{
	{"success_rate", "%", "runs that succeeded or had nothing to do, of all that ended or were abandoned"},
	{"webhook_failure_rate", "%", "runs whose message was not confirmed, or accepted where no receipt is asked for, of those that called the webhook"},
	{"export_success_rate", "%", "runs whose audiences went where they should, of those that exported; a file instead of a sheet is a failure"},
	{"mean_seconds", "s", "mean time of the runs that went beyond the decision"},
	{"longest_seconds", "s", "time of the longest of them"},
	{"runs", "", "runs that ended or were abandoned; dry runs do not count"},
	{"failed_runs", "", "of these, the runs that failed or were abandoned"},
	{"alerts", "", "days with an alert, counted when a run first saw them"},
	{"days_since_alert", "days", "days since the last alert became known; without one, since the first run"},
	{"hours_since_run", "hours", "hours since a run last ended"},
	{"hours_since_success", "hours", "hours since a run last succeeded or had nothing to do"},
	{"false_positive_rate", "%", "days with an alert that people reported as none, of all days with an alert"},
}

func figureNames() []string {
	names := make([]string, len(Figures))
	for i, figure := range Figures {
		names[i] = figure.Name
	}
	return names
}

// Monitoring is what health is held against.
type Monitoring struct {
	Window  int // days that the figures are of
	Targets []Target
	Alarms  []Alarm
}

// Target is what a figure should be. It raises no alarm.
type Target struct {
	Figure string
	Holds  Alarm  // the condition
	Text   string // as it is written: success_rate > 95
}

// Alarm is a condition over the figures that somebody is told of while it holds.
type Alarm struct {
	Name    string
	When    string // the condition as it is written
	ForDays int    // so many days in a row; 0: over the whole window
	Tell    string // retention_team or data_team
	What    string // a sentence for people

	program *vm.Program
	names   []string // the figures that the condition names
}

// Figures names the figures that the condition is about.
func (a Alarm) Figures() []string { return slices.Clone(a.names) }

// Holds judges the condition. Known is false when a figure that it names is missing: then nothing can be said.
func (a Alarm) Holds(figures map[string]float64) (holds, known bool) {
	env := map[string]any{}
	for _, name := range a.names {
		number, has := figures[name]
		if !has {
			return false, false
		}
		env[name] = number
	}
	result, err := vm.Run(a.program, env)
	holds, ok := result.(bool)
	return holds, err == nil && ok
}

// The words of monitoring.yaml.
var tellWords = []string{"retention_team", "data_team"}

const (
	longestWindow = 400 // days
	longestFor    = 30  // days in a row
)

// loadMonitoring reads monitoring.yaml. A folder of an earlier version has none: then nothing is watched.
func loadMonitoring(files fs.FS, out *collector) Monitoring {
	if lacks(files, monitoringFile) {
		return Monitoring{Window: 30}
	}
	document, _ := openDocument(files, monitoringFile, out)
	if document == nil {
		return Monitoring{}
	}
	top := document.root.section("window", "targets", "alarms")
	if top.missing() {
		return Monitoring{}
	}
	m := Monitoring{Window: top.need("window").days(longestWindow)}
	for _, item := range top.need("targets").items() {
		condition := Alarm{}
		item.condition(&condition)
		if len(condition.names) == 1 {
			m.Targets = append(m.Targets, Target{Figure: condition.names[0], Holds: condition, Text: condition.When})
		} else if condition.program != nil {
			item.report(idType, "a target is about one figure", "write one line for each figure")
		}
	}
	seen := map[string]bool{}
	for _, item := range top.need("alarms").items() {
		m.Alarms = append(m.Alarms, readAlarm(item, seen))
	}
	return m
}

func readAlarm(content value, seen map[string]bool) Alarm {
	var a Alarm
	s := content.section("name", "when", "for", "tell", "what")
	if s.missing() {
		return a
	}
	name := s.need("name")
	if a.Name = name.text(); a.Name != "" && !idForm.MatchString(a.Name) {
		name.report(idType, fmt.Sprintf("%q is no name", a.Name), "letters, digits and -, such as success-low")
	}
	if seen[a.Name] && a.Name != "" {
		name.report(idDuplicateName, a.Name+" stands here twice", "the name is what remembers that somebody was told")
	}
	seen[a.Name] = true
	s.need("when").condition(&a)
	if lasts, has := s.maybe("for"); has {
		a.ForDays = lasts.days(longestFor)
	}
	a.Tell = s.need("tell").word("team", tellWords)
	a.What = s.need("what").text()
	return a
}

// days reads a number of days, such as "30 days".
func (v value) days(most int) int {
	length := v.duration()
	days := int(length / (24 * time.Hour))
	if length != 0 && (length%(24*time.Hour) != 0 || days > most) {
		v.report(idOutOfBounds, fmt.Sprintf("%s is not between 1 and %d days", v.raw(), most), "write whole days, such as 2 days")
		return 0
	}
	return days
}

// condition reads a condition over the figures.
func (v value) condition(into *Alarm) {
	text := v.text()
	if text == "" {
		return
	}
	text = v.raw()
	tree, err := parser.Parse(text)
	if err != nil {
		from, message := 0, err.Error()
		if wrong, ok := errors.AsType[*file.Error](err); ok {
			from, message = wrong.From, wrong.Message
		}
		v.reportPart(from, from+1, Finding{ID: idType, Message: "this is no condition: " + message, Hint: "such as success_rate < 90"})
		return
	}
	read := figureReader{at: v, before: v.faults()}
	ast.Walk(&tree.Node, &read)
	if v.faults() > read.before {
		return
	}
	if len(read.names) == 0 {
		v.report(idNotAllowed, "the condition names no figure: it always says the same", "figures: "+strings.Join(figureNames(), ", "))
		return
	}
	env := map[string]any{}
	for _, name := range figureNames() {
		env[name] = 0.0
	}
	program, err := expr.Compile(text, expr.Env(env), expr.AsBool(), expr.DisableAllBuiltins())
	if err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		v.report(idType, message, "a condition compares figures, such as success_rate < 90")
		return
	}
	into.When, into.program, into.names = text, program, read.names
}

// figureReader reports whatever in a condition is no comparison of figures with numbers.
type figureReader struct {
	at     value
	before int
	names  []string
}

// Visit implements ast.Visitor.
func (r *figureReader) Visit(node *ast.Node) {
	refuse := func(finding Finding) {
		from := (*node).Location().From
		r.at.reportPart(from, max(from+1, (*node).Location().To), finding)
	}
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		switch names := figureNames(); {
		case !slices.Contains(names, n.Value):
			refuse(Finding{ID: idUnknownName, Message: fmt.Sprintf("no figure is named %q", n.Value), Hint: didYouMean(n.Value, "figures", names)})
		case !slices.Contains(r.names, n.Value):
			r.names = append(r.names, n.Value)
		}
	case *ast.IntegerNode, *ast.FloatNode:
	case *ast.UnaryNode:
	case *ast.BinaryNode:
		if !slices.Contains([]string{"and", "&&", "or", "||", "<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/"}, n.Operator) {
			refuse(Finding{ID: idNotAllowed, Message: fmt.Sprintf("%s has no meaning here", n.Operator), Hint: "compare with <, <=, >, >=; join with and, or, not"})
		}
	default:
		refuse(Finding{ID: idNotAllowed, Message: "this has no meaning here", Hint: "compare figures with numbers, such as success_rate < 90"})
	}
}
