package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// mostLines is how many lines of one kind a terminal is shown; JSON and the page hold all.
const mostLines = 25

// title is a version as a person reads it.
func (v ruleVersion) title() string {
	if v.Name == v.RulesVersion {
		return v.Name
	}
	return v.Name + " (" + v.RulesVersion + ")"
}

// verdict is the difference in one sentence.
func (r *rulesDiffed) verdict() string {
	d := r.Difference
	switch {
	case r.Old.RulesVersion == r.New.RulesVersion:
		return "These are the same files."
	case d.Same && len(d.Changes) > 0:
		return "The two say the same of every customer; only names of rules differ."
	case d.Same:
		return "The two say the same of every customer."
	case r.Data != nil:
		text := fmt.Sprintf("%s of %d would change tier", retention.Counted(r.Data.Moved(), "customer"), r.Data.Customers)
		if kept := r.Data.Kept.Changed; kept > 0 {
			text += fmt.Sprintf(", and for %d who keep theirs a score, reason, action or value changes", kept)
		}
		return text + "."
	case len(d.Moves) == 0:
		return "Nobody changes tier."
	default:
		return "Customers change tier."
	}
}

// amount is money as a person reads it: 212,484.95, with the currency before it.
func (r *rulesDiffed) amount(m functions.Money) string {
	whole, cents, _ := strings.Cut(m.StringFixed(2), ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	return strings.TrimSpace(r.currency + " " + sign + whole + "." + cents)
}

// change is a money that grows or shrinks.
func (r *rulesDiffed) change(m functions.Money) string {
	text := r.amount(m)
	if m.IsPositive() {
		text = strings.TrimSpace(r.currency + " +" + strings.TrimSpace(strings.TrimPrefix(text, r.currency)))
	}
	return text
}

// plain is a text out of data without what a terminal would act on.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// orNothing is a text, or a word for none.
func orNothing(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// numbers is a table with some columns to the right.
func (c *command) numbers(right []int, headings ...any) table.Writer {
	writer := c.newTable(headings...)
	configs := make([]table.ColumnConfig, len(right))
	for i, column := range right {
		configs[i] = table.ColumnConfig{Number: column, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight}
	}
	writer.SetColumnConfigs(configs)
	return writer
}

func (c *command) heading(text string) { c.printf("\n%s\n", c.paint(bold, text)) }

// rest says how many lines are not shown.
func (c *command) rest(count int) {
	if count > mostLines {
		c.printf("  and %d more: --json and --html have them all\n", count-mostLines)
	}
}

// showDiff shows a comparison to a person.
func (c *command) showDiff(r *rulesDiffed) {
	d := r.Difference
	c.printf("%s -> %s\n%s\n", c.paint(bold, plain(r.Old.title())), c.paint(bold, plain(r.New.title())), r.verdict())
	if len(d.Parameters) > 0 {
		c.heading("Parameters")
		writer := c.newTable()
		for _, p := range d.Parameters {
			writer.AppendRow(table.Row{"  " + p.Name, orNothing(p.Before) + " -> " + orNothing(p.After)})
		}
		writer.Render()
	}
	c.showMoves(r)
	c.showChanges(r)
	c.showScores(d)
	for _, note := range d.Notes {
		c.printf("\n%s %s\n", c.paint(wary, "Note:"), note)
	}
	if r.Data != nil {
		c.showData(r)
	}
	if r.HTML != "" {
		c.printf("\nOpen %s\n", address(r.HTML))
	}
}

func (c *command) showMoves(r *rulesDiffed) {
	moves := r.Difference.Moves
	if len(moves) == 0 {
		return
	}
	c.heading("Who changes tier")
	writer := c.numbers([]int{3, 4})
	for i, m := range moves[:min(len(moves), mostLines)] {
		row := table.Row{fmt.Sprintf("  %s -> %s", m.From, m.To), m.Where}
		if r.Data != nil {
			row = append(row, retention.Counted(r.Data.Moves[i].Customers, "customer"), r.amount(r.Data.Moves[i].Value))
		}
		writer.AppendRow(row)
	}
	writer.Render()
	c.rest(len(moves))
	if r.Data != nil && r.Data.Untold > 0 {
		c.printf("  %s %s: a fact in fields.yaml does not hold for them\n", c.paint(wary, "and in none of these lines:"), retention.Counted(r.Data.Untold, "customer"))
	}
}

func (c *command) showChanges(r *rulesDiffed) {
	changes := r.Difference.Changes
	if len(changes) == 0 {
		return
	}
	c.heading("What changes for who keeps the tier")
	for i, change := range changes[:min(len(changes), mostLines)] {
		counted := ""
		if r.Data != nil {
			counted = "   " + retention.Counted(r.Data.Changes[i].Customers, "customer")
		}
		c.printf("  %s  %s%s\n", c.paint(faint, changeName(change)), change.Where, counted)
		c.printf("    - %s\n    + %s\n", plain(orNothing(change.Before)), plain(orNothing(change.After)))
	}
	c.rest(len(changes))
}

// changeName says what changes, and in which tier.
func changeName(change rulebook.Change) string {
	return strings.TrimSpace(string(change.Tier) + " " + change.What)
}

func (c *command) showScores(d *rulebook.BookDiff) {
	if len(d.Scores) == 0 {
		return
	}
	c.heading("Scores")
	for _, s := range d.Scores {
		c.printf("  %s %s: %s -> %s\n", tierList(s.Tiers), s.What, orNothing(s.Before), orNothing(s.After))
	}
	if len(d.ScoreMoves) == 0 {
		c.printf("  no score changes by it\n")
	}
	for _, m := range d.ScoreMoves {
		c.printf("  a score in %s moves by %s\n", m.Tier, scoreRange(m.Lowest, m.Highest))
	}
}

func tierList(tiers []functions.Tier) string {
	words := make([]string, len(tiers))
	for i, tier := range tiers {
		words[i] = string(tier)
	}
	return strings.Join(words, ", ")
}

// scoreRange is how far scores move, in words.
func scoreRange(low, high float64) string {
	text := func(points float64) string { return strconv.FormatFloat(points, 'f', -1, 64) }
	if low == high {
		return text(low) + " points"
	}
	return text(low) + " to " + text(high) + " points"
}

// showData shows what the change does to the customers of the day.
func (c *command) showData(r *rulesDiffed) {
	data := r.Data
	c.heading(fmt.Sprintf("On the %d customers of %s", data.Customers, data.Date))
	if data.Excluded > 0 {
		c.printf("  %s on the exclusion list: in no tier by any rules, and in no figure here\n", retention.Counted(data.Excluded, "customer"))
	}
	writer := c.numbers([]int{2, 3, 4, 5, 6, 7, 8, 9, 10}, "  tier", "before", "after", "entering", "leaving", "moved in", "moved out",
		"value before", "value after", "change")
	for _, t := range data.Tiers {
		writer.AppendRow(table.Row{
			"  " + string(t.Tier), t.Before, t.After, t.Entering, t.Leaving, t.MovedIn, t.MovedOut,
			r.amount(t.ValueBefore), r.amount(t.ValueAfter), r.change(t.ValueChange()),
		})
	}
	writer.Render()
	c.showMatrix(data)
	if kept := data.Kept; kept.Changed > 0 || kept.Rules > 0 {
		c.printf("\n%s keep their tier. Of these change: score %d", retention.Counted(kept.Customers, "customer"), kept.Scores)
		if kept.Scores > 0 {
			c.printf(" (by %s)", scoreRange(kept.LowestMove, kept.TopMove))
		}
		c.printf(", action %d, reason %d, value at stake %d.\n", kept.Actions, kept.Reasons, kept.Values)
	}
	c.showMovers(r)
	c.showGuardrails(data.Guardrails)
	c.printf("\n%s\n", tierLine(data.Tiers))
}

// matrix is from where to where, for the places that hold somebody.
func matrix(data *priority.Comparison) (places []rulebook.Place, counts map[[2]rulebook.Place]priority.Headcount) {
	counts = map[[2]rulebook.Place]priority.Headcount{}
	held := map[rulebook.Place]bool{}
	for _, flow := range data.Flows {
		counts[[2]rulebook.Place{flow.From, flow.To}] = flow.Headcount
		held[flow.From], held[flow.To] = true, true
	}
	for _, place := range rulebook.Places {
		if held[place] || place != rulebook.PlaceSetAside {
			places = append(places, place)
		}
	}
	return places, counts
}

func (c *command) showMatrix(data *priority.Comparison) {
	places, counts := matrix(data)
	headings := []any{"  from \\ to"}
	right := []int{}
	for i, place := range places {
		headings = append(headings, string(place))
		right = append(right, i+2)
	}
	c.printf("\n")
	writer := c.numbers(right, headings...)
	for _, from := range places {
		row := table.Row{"  " + string(from)}
		for _, to := range places {
			text := "-"
			if count := counts[[2]rulebook.Place{from, to}]; count.Customers > 0 {
				if text = strconv.FormatInt(count.Customers, 10); from != to {
					text = c.paint(bold, text)
				}
			}
			row = append(row, text)
		}
		writer.AppendRow(row)
	}
	writer.Render()
}

func (c *command) showMovers(r *rulesDiffed) {
	if len(r.Data.Movers) == 0 {
		return
	}
	c.heading("The largest movers")
	writer := c.numbers([]int{3, 4}, "  customer", "", "score", "value", "action")
	for _, m := range r.Data.Movers {
		for i, one := range []priority.Judgment{m.Before, m.After} {
			id, mark := "  "+plain(m.CustomerID), "- "
			if i > 0 {
				id, mark = "", "+ "
			}
			row := table.Row{id, mark + string(one.Place), "", "", ""}
			if one.RuleID != "" {
				row = table.Row{id, mark + string(one.Place), strconv.FormatFloat(one.Score, 'f', -1, 64), r.amount(one.Value), plain(one.Action)}
			}
			writer.AppendRow(row)
		}
	}
	writer.Render()
}

func (c *command) showGuardrails(g functions.Guardrails) {
	color := map[functions.Verdict]pretty.Colors{functions.VerdictOK: good, functions.VerdictWarn: wary, functions.VerdictStop: bad}[g.Verdict]
	c.printf("\nGuardrails: %s\n", c.paint(color, string(g.Verdict)))
	for _, finding := range g.Findings {
		c.printf("  %s %s: %s\n", finding.Verdict, finding.Guardrail, finding.Message)
	}
}

// tierLine is every tier in one line: P1 30 -> 16   P2 150.
func tierLine(tiers []priority.TierChange) string {
	words := make([]string, len(tiers))
	for i, t := range tiers {
		words[i] = fmt.Sprintf("%s %d", t.Tier, t.Before)
		if t.Before != t.After {
			words[i] += fmt.Sprintf(" -> %d", t.After)
		}
	}
	return strings.Join(words, "   ")
}
