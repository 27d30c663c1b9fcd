package rulebook

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// Write tells the receipt to a person: first the answer in a few lines, then every rule in the order it was asked.
func (e Explanation) Write(w io.Writer) error {
	var out strings.Builder
	e.writeHead(&out)
	switch {
	case e.Excluded && e.Origin != functions.OriginQueue:
		out.WriteString("on the exclusion list: in no tier, whatever the rules say. It holds:\n")
		e.writeSignals(&out)
	case len(e.SetAside) > 0:
		for _, fault := range e.SetAside {
			fmt.Fprintf(&out, "set aside: %s (%s)\n", fault.Meaning, fault.Issue)
		}
		out.WriteString("It is counted and gets no tier until its data is mended. It holds:\n")
		e.writeSignals(&out)
	default:
		if e.Excluded {
			out.WriteString("on the exclusion list since its row was made: no export holds it any more\n")
		}
		e.writeAnswer(&out)
		e.writeAsked(&out)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (e *Explanation) writeSignals(out *strings.Builder) {
	for _, signal := range e.Signals {
		fmt.Fprintf(out, "  %s %s\n", signal.Name, signal.Value)
	}
}

func (e *Explanation) writeHead(out *strings.Builder) {
	where := map[functions.Origin]string{
		functions.OriginQueue: "as the queue has it", functions.OriginTables: "not in the queue; judged now from the tables",
		functions.OriginGiven: "as given",
	}[e.Origin]
	out.WriteString(e.CustomerID)
	if e.Date != nil {
		out.WriteString(" on " + e.Date.String())
	}
	fmt.Fprintf(out, ", %s   rules_version %s\n", where, e.RulesVersion)
}

func (e *Explanation) writeAnswer(out *strings.Builder) {
	gave := -1
	for i := range e.Rules {
		if e.Rules[i].Gives {
			gave = i
		}
	}
	if gave < 0 {
		out.WriteString("no tier: no rule fits\n")
	} else {
		rule := e.Rules[gave]
		fmt.Fprintf(out, "%s by %s: %s   (%s:%d)\n", rule.Tier, rule.Rule, shown(rule.Conditions), rule.File, rule.Line)
		out.WriteString(e.scoreLine() + "\n")
		out.WriteString(e.actionLine() + "\n")
		fmt.Fprintf(out, "reason: %s\n", e.Reason.Text)
		fmt.Fprintf(out, "value at stake: %s = %s * %s %s\n",
			e.ValueProxy.Value.StringFixed(int32(e.ValueProxy.Decimals)), exactAmount(e.ValueProxy.Share), e.ValueProxy.Of, exactAmount(e.ValueProxy.Amount))
	}
	if len(e.Changes) > 0 {
		var changes []string
		for _, change := range e.Changes {
			changes = append(changes, cmp.Or(string(change.Tier), "no tier")+" if "+change.If)
		}
		out.WriteString(strings.Join(changes, "; ") + "\n")
	}
	for _, d := range e.Differences {
		fmt.Fprintf(out, "the stored row differs: its %s is %s, by its own rules it is %s\n", d.What, d.Stored, d.Rules)
	}
}

// scoreLine adds the score up on one line.
func (e *Explanation) scoreLine() string {
	s := e.Score
	number := func(n float64) string { return strconv.FormatFloat(n, 'f', s.Decimals, 64) }
	var line strings.Builder
	fmt.Fprintf(&line, "%s = %s start", number(s.Score), number(s.Start))
	for _, part := range s.Parts {
		sign, added := "+", part.Added
		if added < 0 {
			sign, added = "-", -added
		}
		// One digit more than the score has, so that what is rounded at the end can be seen.
		fmt.Fprintf(&line, " %s %s %s (%s", sign, shortNumber(added, s.Decimals+1), part.Name, part.Filled)
		if part.Points != part.Added {
			line.WriteString(" = " + shortNumber(part.Points, s.Decimals+1))
		}
		if part.AtMost != nil {
			line.WriteString(", at most " + plainNumber(*part.AtMost))
		}
		line.WriteString(")")
	}
	if s.Capped {
		fmt.Fprintf(&line, ", which is %s, at most %s", shortNumber(s.Sum, s.Decimals+1), plainNumber(s.AtMost))
	}
	return line.String()
}

// shortNumber is a number with at most so many decimals.
func shortNumber(number float64, decimals int) string {
	text := strconv.FormatFloat(number, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func (e *Explanation) actionLine() string {
	line := e.Action.Lines[len(e.Action.Lines)-1]
	switch {
	case !line.Otherwise:
		return line.Do + ": " + shown(line.Conditions)
	case len(e.Action.Lines) == 1:
		return line.Do + ": for every " + string(e.Tier)
	default:
		var missed []string
		for _, before := range e.Action.Lines[:len(e.Action.Lines)-1] {
			missed = append(missed, shown(failed(before.Conditions)))
		}
		return line.Do + ": otherwise, as " + strings.Join(missed, "; ")
	}
}

// writeAsked lists every rule and mention with what each condition saw.
func (e *Explanation) writeAsked(out *strings.Builder) {
	out.WriteString("\nRules in the order they are asked:\n")
	given := false
	for _, rule := range e.Rules {
		said := "does not fit"
		switch {
		case rule.Gives:
			said, given = "gives the tier", true
		case rule.Fits:
			said = "would fit, but the first that fits wins"
		case given:
			said = "would not fit either"
		}
		fmt.Fprintf(out, "  %s %s: %s   (%s:%d)\n", rule.Tier, rule.Rule, said, rule.File, rule.Line)
		writeConditions(out, rule.Conditions)
	}
	if e.Reason == nil || !slices.ContainsFunc(e.Reason.Mentions, func(m functions.AskedMention) bool { return m.Fits }) {
		return
	}
	out.WriteString("Mentioned in the reason:\n")
	for _, mention := range e.Reason.Mentions {
		if mention.Fits {
			fmt.Fprintf(out, "  %s: %s   (priority.yaml:%d)\n", mention.Say, shown(mention.Conditions), mention.Line)
		}
	}
}

func writeConditions(out *strings.Builder, conditions []functions.Condition) {
	for _, c := range conditions {
		fmt.Fprintf(out, "    %-3s %s\n", yesNo(c.Holds), c.Shown)
	}
}

func yesNo(holds *bool) string {
	switch {
	case holds == nil:
		return "-"
	case *holds:
		return "yes"
	default:
		return "no"
	}
}

// shown joins conditions as a person reads them.
func shown(conditions []functions.Condition) string {
	texts := make([]string, len(conditions))
	for i, c := range conditions {
		texts[i] = c.Shown
	}
	return strings.Join(texts, ", ")
}

// failed are the conditions that do not hold.
func failed(conditions []functions.Condition) []functions.Condition {
	var missed []functions.Condition
	for _, c := range conditions {
		if c.Holds != nil && !*c.Holds {
			missed = append(missed, c)
		}
	}
	return missed
}
