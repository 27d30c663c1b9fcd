package rulebook

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/retentionops/retentionops/functions"
)

// pageWatch tells of silences and alarms. Silences that have ended are left out.
func (b *Book) pageWatch(today functions.Date) PageSection {
	s := PageSection{Title: "What rests and what is watched"}
	silences := PageTable{Caption: "Silences", Head: []string{"from", "to", "what sets nothing going", "whom to ask", "why"}}
	for _, one := range b.silences {
		if one.To.Before(today) {
			continue
		}
		from := one.From.String()
		if !one.From.After(today) {
			from += " (now)"
		}
		silences.Rows = append(silences.Rows, []string{from, one.To.String(), strings.Join(texts(one.Severities), ", "), one.Who, one.Why})
	}
	if len(silences.Rows) == 0 {
		s.Text = append(s.Text, "No alert is silenced.")
	} else {
		s.Tables = append(s.Tables, silences)
	}
	alarms := PageTable{Caption: "Alarms", Head: []string{"alarm", "when", "who is told", "what it means"}}
	for _, one := range b.monitoring.Alarms {
		when := figureWords(one.condition)
		if one.ForDays > 0 {
			when += fmt.Sprintf(", %d days in a row", one.ForDays)
		}
		alarms.Rows = append(alarms.Rows, []string{one.Name, when, strings.ReplaceAll(one.Tell, "_", " "), one.What})
	}
	if len(b.monitoring.Alarms) == 0 {
		s.Text = append(s.Text, "Nothing is watched.")
	} else {
		s.Text = append(s.Text, fmt.Sprintf("Figures are of the last %d days. An alarm is told once when it begins and once when it ends.", b.monitoring.Window))
		s.Tables = append(s.Tables, alarms)
	}
	if len(b.monitoring.Targets) > 0 {
		targets := PageTable{Caption: "Targets", Head: []string{"the figure", "what it is", "what it should be"}}
		for _, one := range b.monitoring.Targets {
			f := figureNamed(one.Figure)
			targets.Rows = append(targets.Rows, []string{spaced(one.Figure), f.Meaning, figureWords(one.Holds.condition)})
		}
		s.Tables = append(s.Tables, targets)
	}
	return s
}

// figureNamed is the figure of a name.
func figureNamed(name string) Figure {
	for _, figure := range Figures {
		if figure.Name == name {
			return figure
		}
	}
	return Figure{}
}

func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

// The words for a comparison, and what it says read from the other side.
var (
	comparedWords = map[string]string{
		"<": "below", "<=": "at most", ">": "over", ">=": "at least", "==": "exactly", "!=": "not",
	}
	turnedOperators = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
)

// figureWords tells a condition over figures: success rate below 90 %. What is more than comparisons of a figure with
// a number stays as it is written.
func figureWords(e *expression) string {
	operator, parts := joined(e.tree)
	if operator == "" || operator == "not" {
		operator, parts = "and", []ast.Node{e.tree}
	}
	words := make([]string, len(parts))
	last := ""
	for i, part := range parts {
		name, said := comparisonWords(part)
		switch {
		case said == "":
			return e.text
		case name == last:
			words[i] = said
		default:
			words[i], last = spaced(name)+" "+said, name
		}
	}
	return strings.Join(words, " "+operator+" ")
}

// comparisonWords tells what a comparison asks of which figure; nothing where it is anything else.
func comparisonWords(node ast.Node) (name, said string) {
	n, is := node.(*ast.BinaryNode)
	if !is || comparedWords[n.Operator] == "" {
		return "", ""
	}
	operator, figure, other := n.Operator, n.Left, n.Right
	if _, constant := figure.(*ast.FloatNode); constant {
		operator, figure, other = turnedOperators[operator], n.Right, n.Left
	}
	named, isName := figure.(*ast.IdentifierNode)
	number, isNumber := other.(*ast.FloatNode)
	if !isName || !isNumber {
		return "", ""
	}
	unit := figureNamed(named.Value).Unit
	return named.Value, strings.TrimSpace(comparedWords[operator] + " " + plainNumber(number.Value) + " " + unit)
}
