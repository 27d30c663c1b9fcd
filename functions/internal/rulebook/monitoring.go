package rulebook

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

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

	condition *expression
	names     []string // the figures that the condition names
}

// Figures names the figures that the condition is about.
func (a Alarm) Figures() []string { return slices.Clone(a.names) }

// Holds judges the condition. Known is false when a figure that it names is missing: then nothing can be said.
func (a Alarm) Holds(figures map[string]float64) (holds, known bool) {
	if a.condition == nil {
		return false, false
	}
	return a.condition.figureHolds(a.names, figures)
}

// The words of monitoring.yaml.
var tellWords = []string{teamRetention, teamData}

const (
	longestWindow = 400 // days
	longestFor    = 30  // days in a row
	maxTargets    = 50
	maxAlarms     = 50
)

// loadMonitoring reads monitoring.yaml. A folder of an earlier version has none: then nothing is watched.
func loadMonitoring(files fs.FS, out *collector) Monitoring {
	if lacks(files, monitoringFile) {
		out.remind(monitoringFile, "the file is missing: the runs have no targets and raise no alarm")
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
	scope := &scope{vocabulary: figures()}
	before := top.faults()
	for i, item := range top.need("targets").items() {
		if i == maxTargets {
			item.report(idTooLong, fmt.Sprintf("there are more than %d targets", maxTargets), "")
			break
		}
		m.Targets = append(m.Targets, scope.target(item)...)
	}
	seen := map[string]bool{}
	for i, item := range top.need("alarms").items() {
		if i == maxAlarms {
			item.report(idTooLong, fmt.Sprintf("there are more than %d alarms", maxAlarms), "")
			break
		}
		m.Alarms = append(m.Alarms, scope.alarm(item, seen))
	}
	if top.faults() == before {
		m.prove(scope.vocabulary)
	}
	return m
}

// target reads a target; none when it is at fault.
func (s *scope) target(content value) []Target {
	condition := Alarm{}
	s.figureCondition(content, &condition)
	switch len(condition.names) {
	case 0:
		return nil
	case 1:
		return []Target{{Figure: condition.names[0], Holds: condition, Text: condition.When}}
	default:
		content.report(idType, "a target is about one figure", "write one line for each figure")
		return nil
	}
}

func (s *scope) alarm(content value, seen map[string]bool) Alarm {
	var a Alarm
	one := content.section("name", "when", "for", "tell", "what")
	if one.missing() {
		return a
	}
	a.Name = one.need("name").identifier("alarm", seen)
	s.figureCondition(one.need("when"), &a)
	if lasts, has := one.maybe("for"); has {
		a.ForDays = lasts.days(longestFor)
	}
	a.Tell = one.need("tell").word("team", tellWords)
	a.What = one.need("what").text()
	return a
}

// figureCondition reads a condition over the figures.
func (s *scope) figureCondition(content value, into *Alarm) {
	condition := s.compile(content, kindYesNo)
	if condition == nil {
		return
	}
	names := figureNamesIn(condition.tree)
	if len(names) == 0 {
		content.report(idNotAllowed, "the condition names no figure: it always says the same", "figures: "+strings.Join(s.vocabulary.names(), ", "))
		return
	}
	into.When, into.condition, into.names = strings.Join(strings.Fields(condition.text), " "), condition, names
}

var daysForm = regexp.MustCompile(`^([1-9][0-9]{0,2}) days?$`)

// days reads a number of days, such as "30 days".
func (v value) days(most int) int {
	if v.missing() {
		return 0
	}
	parts := daysForm.FindStringSubmatch(v.raw())
	if parts == nil {
		v.report(idType, fmt.Sprintf("%q is not a number of days", v.raw()), "write whole days, such as 2 days")
		return 0
	}
	days, _ := strconv.Atoi(parts[1]) // the pattern lets only digits pass
	if days > most {
		v.report(idOutOfBounds, fmt.Sprintf("%s is more than %d days", v.raw(), most), "")
		return 0
	}
	return days
}

// mostFigureSteps bounds the proofs about monitoring.yaml: conditions there are short.
const mostFigureSteps = 1_000_000

// prove warns of conditions that always say the same, and of alarms that stand while all is as it should be. What would
// take too long to look at is left unsaid.
func (m Monitoring) prove(v *vocabulary) {
	p := &proof{
		steps: mostFigureSteps, rules: &priority{},
		pieces: &pieces{vocabulary: v, domains: map[string]*domain{}, freely: true},
	}
	all := make([]Alarm, 0, len(m.Targets)+len(m.Alarms))
	for _, t := range m.Targets {
		all = append(all, t.Holds)
	}
	all = append(all, m.Alarms...)
	for _, a := range all {
		p.pieces.collect(a.condition.tree)
	}
	for _, d := range p.pieces.domains {
		if d.field != nil {
			d.divide()
		}
	}
	targets := map[string][]provenTarget{}
	for i, a := range all {
		holds := p.pieces.settle(a.condition.tree)
		sound := p.tellsSomething(a, holds)
		if i < len(m.Targets) {
			if t := m.Targets[i]; sound {
				targets[t.Figure] = append(targets[t.Figure], provenTarget{t, holds})
			}
		} else if sound {
			p.standsAtTarget(a, holds, targets)
		}
	}
}

// provenTarget is a target as logic.
type provenTarget struct {
	Target
	logic *logic
}

// tellsSomething warns of a condition that no figures fit, or all.
func (p *proof) tellsSomething(a Alarm, holds *logic) bool {
	what, hint := "the target", "a target says what a figure should be, such as success_rate > 95"
	if a.Name != "" {
		what, hint = a.Name, "an alarm says what should not be, such as success_rate < 90"
	}
	var id, message string
	switch {
	case p.ask(nil, holds) == nobody:
		id, message = idNeverMatches, what+" never holds"
	case p.ask(nil, not(holds)) == nobody:
		id, message = idAlwaysHolds, what+" always holds"
	default:
		return true
	}
	a.condition.where.add(Finding{ID: id, Severity: SeverityWarning, Message: message + p.boundsIn(a.names), Hint: hint})
	return false
}

// boundsIn says what the figures may be.
func (p *proof) boundsIn(names []string) string {
	var bounds []string
	for _, name := range names {
		f := p.pieces.vocabulary.byName[name]
		lies := "lies between"
		if f.kind == kindWhole {
			lies = "is a whole number between"
		}
		bounds = append(bounds, fmt.Sprintf("%s %s %s and %s", name, lies, plainNumber(f.low), strings.TrimSpace(plainNumber(f.high)+" "+f.unit)))
	}
	return ": " + strings.Join(bounds, ", ")
}

// standsAtTarget warns of an alarm that also holds where every figure that it names is on target: there its sign is most
// likely the wrong way round.
func (p *proof) standsAtTarget(a Alarm, holds *logic, targets map[string][]provenTarget) {
	must, texts := []*logic{holds}, []string{}
	for _, name := range a.names {
		if len(targets[name]) == 0 {
			return
		}
		for _, t := range targets[name] {
			must, texts = append(must, t.logic), append(texts, t.Text)
		}
	}
	s := &search{must: must}
	if p.run(s) != somebody || s.isApproximate() {
		return
	}
	a.condition.where.add(Finding{
		ID: idOverlap, Severity: SeverityWarning,
		Message: fmt.Sprintf("%s also holds on target (%s): %s", a.Name, strings.Join(texts, ", "), p.region(must)),
		Hint:    "an alarm says what should not be: is the sign the wrong way round?",
	})
}
