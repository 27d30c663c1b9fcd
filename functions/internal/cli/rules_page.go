package cli

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"strconv"
	"strings"

	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

//go:embed rules_page.html.tmpl
var rulesPageFile string

//go:embed rules_page.css
var rulesPageStyle string

// rulesPage escapes every value for its place.
var rulesPage = template.Must(template.New("rules_page.html.tmpl").Parse(rulesPageFile))

// pagePolicy lets a page show its own style and nothing else: no script, no picture from elsewhere, no form.
func pagePolicy(style string) string {
	return "default-src 'none'; style-src " + sourceOf(style) + "; base-uri 'none'; form-action 'none'"
}

// rulesView is what the page shows.
type rulesView struct {
	*rulesDiffed
	Policy  string
	Style   template.CSS
	Verdict string

	Moves      []pageMove
	Changes    []pageChange
	ScoreMoves []pageScoreMove
	Tiers      []pageTier
	Places     []rulebook.Place
	Matrix     []pageRow
	Movers     []pageMover
	Bars       barPicture
	Flows      flowPicture
}

type pageMove struct {
	rulebook.Move
	Customers int64
	Value     string
}

type pageChange struct {
	What, Before, After, Where string
	Customers                  int64
}

type pageScoreMove struct{ Tier, By string }

type pageTier struct {
	priority.TierChange
	ValueBeforeText, ValueAfterText, ChangeText, Class string
}

type pageRow struct {
	From  rulebook.Place
	Cells []pageCell
}

type pageCell struct{ Text, Class string }

type pageMover struct {
	ID            string
	Before, After pageJudgment
}

type pageJudgment struct{ Place, Score, Value, Reason, Action string }

// writePage writes the comparison as a page of its own.
func (r *rulesDiffed) writePage(file string) error {
	var written bytes.Buffer
	if err := rulesPage.Execute(&written, r.view()); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	if err := os.WriteFile(file, written.Bytes(), 0o600); err != nil {
		return notWritable(file, err)
	}
	return nil
}

func (r *rulesDiffed) view() *rulesView {
	v := &rulesView{rulesDiffed: r, Policy: pagePolicy(rulesPageStyle), Style: template.CSS(rulesPageStyle), Verdict: r.verdict()} //nolint:gosec // the style is ours
	for i, m := range r.Difference.Moves {
		move := pageMove{Move: m}
		if r.Data != nil {
			move.Customers, move.Value = r.Data.Moves[i].Customers, r.amount(r.Data.Moves[i].Value)
		}
		v.Moves = append(v.Moves, move)
	}
	for i, c := range r.Difference.Changes {
		change := pageChange{What: changeName(c), Before: orNothing(c.Before), After: orNothing(c.After), Where: c.Where}
		if r.Data != nil {
			change.Customers = r.Data.Changes[i].Customers
		}
		v.Changes = append(v.Changes, change)
	}
	for _, m := range r.Difference.ScoreMoves {
		v.ScoreMoves = append(v.ScoreMoves, pageScoreMove{string(m.Tier), scoreRange(m.Lowest, m.Highest)})
	}
	if r.Data != nil {
		v.count(r)
	}
	return v
}

// count fills in what the data says.
func (v *rulesView) count(r *rulesDiffed) {
	for _, t := range r.Data.Tiers {
		change, class := t.ValueChange(), ""
		switch {
		case change.IsPositive():
			class = "gain"
		case change.IsNegative():
			class = "loss"
		}
		v.Tiers = append(v.Tiers, pageTier{t, r.amount(t.ValueBefore), r.amount(t.ValueAfter), r.change(change), class})
	}
	places, counts := matrix(r.Data)
	v.Places = places
	for _, from := range places {
		row := pageRow{From: from}
		for _, to := range places {
			cell := pageCell{Text: "-", Class: "stay"}
			if count := counts[[2]rulebook.Place{from, to}]; count.Customers > 0 {
				cell.Text = strconv.FormatInt(count.Customers, 10)
				if from != to {
					cell.Class = "go"
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Matrix = append(v.Matrix, row)
	}
	for _, m := range r.Data.Movers {
		v.Movers = append(v.Movers, pageMover{m.CustomerID, r.judgment(m.Before), r.judgment(m.After)})
	}
	v.Bars = drawBars(r.Data.Tiers)
	v.Flows = drawFlows(places, counts)
}

func (r *rulesDiffed) judgment(j priority.Judgment) pageJudgment {
	if j.RuleID == "" {
		return pageJudgment{Place: string(j.Place)}
	}
	return pageJudgment{string(j.Place), strconv.FormatFloat(j.Score, 'f', -1, 64), r.amount(j.Value), j.Reason, j.Action}
}

// barPicture is two bars a tier: before and after.
type barPicture struct {
	Height int
	Text   string // for who does not see it
	Bars   []tierBars
}

type tierBars struct {
	Tier                                 string
	Y, LabelY, BeforeY, AfterTop, AfterY int
	Before, After, BeforeX, AfterX       int
	BeforeCount, AfterCount              int64
}

// The measures of the bars.
const (
	barLeft   = 44
	barLength = 340
	barStep   = 44
)

func drawBars(tiers []priority.TierChange) barPicture {
	most := int64(1)
	for _, t := range tiers {
		most = max(most, t.Before, t.After)
	}
	length := func(count int64) int {
		if count == 0 {
			return 0
		}
		return max(1, int(barLength*count/most))
	}
	var picture barPicture
	for i, t := range tiers {
		top := i * barStep
		picture.Bars = append(picture.Bars, tierBars{
			Tier: string(t.Tier), Y: top, LabelY: top + 19, BeforeY: top + 12, AfterTop: top + 15, AfterY: top + 27,
			Before: length(t.Before), After: length(t.After), BeforeX: barLeft + length(t.Before) + 6, AfterX: barLeft + length(t.After) + 6,
			BeforeCount: t.Before, AfterCount: t.After,
		})
	}
	picture.Height = len(tiers) * barStep
	picture.Text = tierLine(tiers)
	return picture
}

// flowPicture is a band for each way that customers move, as wide as they are many.
type flowPicture struct {
	Height int
	Text   string
	Bands  []band
	Ends   []bandEnd
}

type band struct{ Path, Width, Text string }

type bandEnd struct {
	Place, Small, Class, Anchor string
	X, TextX                    int
	Y, Height, TextY, SmallY    string
}

// The measures of the flows.
const (
	flowLeft    = 96
	flowRight   = 364
	flowSpan    = 160.0 // what all who move take together
	flowGap     = 26.0  // between two ends
	flowTop     = 6.0
	thinnestEnd = 3.0 // so that a single customer is seen
)

func drawFlows(places []rulebook.Place, counts map[[2]rulebook.Place]priority.Headcount) flowPicture {
	var moving int64
	for way, count := range counts {
		if way[0] != way[1] {
			moving += count.Customers
		}
	}
	var picture flowPicture
	if moving == 0 {
		return picture
	}
	width := func(customers int64) float64 { return max(thinnestEnd, flowSpan*float64(customers)/float64(moving)) }
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }
	starts := map[[2]rulebook.Place][2]float64{} // the middle of each band at both ends
	lowest := 0.0
	for side := range 2 {
		at := flowTop
		for _, place := range places {
			top, customers := at, int64(0)
			for _, other := range places {
				way := [2]rulebook.Place{place, other}
				if side == 1 {
					way = [2]rulebook.Place{other, place}
				}
				if count := counts[way]; count.Customers > 0 && place != other {
					middle := starts[way]
					middle[side] = at + width(count.Customers)/2
					starts[way] = middle
					at += width(count.Customers)
					customers += count.Customers
				}
			}
			if customers == 0 {
				continue
			}
			end := bandEnd{
				Place: string(place), Small: fmt.Sprintf("-%d", customers), Class: "before", Anchor: "end", X: flowLeft - 8, TextX: flowLeft - 14,
				Y: number(top), Height: number(at - top), TextY: number((top+at)/2 + 1), SmallY: number((top+at)/2 + 15),
			}
			if side == 1 {
				end.Small, end.Class, end.Anchor, end.X, end.TextX = fmt.Sprintf("+%d", customers), "after", "start", flowRight, flowRight+14
			}
			picture.Ends = append(picture.Ends, end)
			at += flowGap
		}
		lowest = max(lowest, at)
	}
	var texts []string
	for _, from := range places {
		for _, to := range places {
			way := [2]rulebook.Place{from, to}
			if count := counts[way]; count.Customers > 0 && from != to {
				text := fmt.Sprintf("%s from %s to %s", retention.Counted(count.Customers, "customer"), from, to)
				texts = append(texts, text)
				picture.Bands = append(picture.Bands, band{
					Path: fmt.Sprintf("M %d %s C 230 %s 230 %s %d %s", flowLeft, number(starts[way][0]), number(starts[way][0]),
						number(starts[way][1]), flowRight, number(starts[way][1])),
					Width: number(width(count.Customers)), Text: text,
				})
			}
		}
	}
	picture.Height = int(lowest) + 4
	picture.Text = strings.Join(texts, "; ")
	return picture
}
