package rulebook

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// The kinds of what can be reached.
const (
	CoversRule      = "rule"      // it gave a tier
	CoversCondition = "condition" // one part of a condition was true, and was false
	CoversMention   = "mention"   // it was said
	CoversAction    = "action"    // it was given
	CoversNoTier    = "no tier"   // no rule fitted
)

// Seen counts how often something was so, and how often it was asked and was not.
type Seen struct {
	True  int64 `json:"true"`
	False int64 `json:"false"`
}

// Covered is one thing of the rules that an example or a customer can reach, with its place. Line and column count from
// 1, in characters.
type Covered struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	Kind      string `json:"kind"`
	Of        string `json:"of"`                  // the rule, the mention, or the tier and the action
	Condition string `json:"condition,omitempty"` // as the file says it
	Examples  Seen   `json:"examples"`
	Customers *Seen  `json:"customers,omitempty"`
	Cannot    string `json:"cannot,omitempty"` // why nobody can reach it, where that is proven

	alone bool // a condition that is the whole of what it belongs to: true is the same as reached
}

// Coverage says what of the rules is reached: by the examples, and by customers where they were asked for.
type Coverage struct {
	Goals     int         `json:"goals"`   // all that can be reached; a condition counts twice, as true and as false
	Reached   int         `json:"reached"` // by the examples
	Customers *Population `json:"customers,omitempty"`
	Items     []Covered   `json:"items"`
}

// Population is the customers that coverage was asked of.
type Population struct {
	AsOf     functions.Date `json:"as_of"`
	Judged   int64          `json:"judged"`
	SetAside int64          `json:"set_aside"`
	Reached  int            `json:"reached"`
}

// coverage is what was reached so far, as if by examples.
func (r *Reach) coverage() Coverage {
	c := Coverage{Items: slices.Clone(r.items)}
	for i := range c.Items {
		c.Items[i].Examples = r.seen[i]
	}
	return c.counted()
}

// With adds what customers reach: a reach of the same book.
func (c Coverage) With(customers *Reach, of Population) Coverage {
	c.Items = slices.Clone(c.Items)
	for i := range c.Items {
		c.Items[i].Customers = &customers.seen[i]
	}
	c.Customers = &of
	return c.counted()
}

// Knowing marks what a finding of the check has proven that nobody can reach, so that nobody looks for an example of it.
func (c Coverage) Knowing(findings Findings) Coverage {
	c.Items = slices.Clone(c.Items)
	for _, f := range findings {
		for i := range c.Items {
			item := &c.Items[i]
			if item.File != f.File || item.Line != f.Line || item.Column != f.Column {
				continue
			}
			switch {
			case f.ID == idNoEffect && item.Kind == CoversCondition,
				f.ID == idDeadAction && item.Kind == CoversAction,
				f.ID == idNeverSaid && item.Kind == CoversMention:
				item.Cannot = f.Message
			}
			if silent := f.ID == idNeverSaid || f.ID == idAlwaysSaid; silent && item.Kind == CoversMention {
				for next := i + 1; next < len(c.Items) && c.Items[next].Kind == CoversCondition; next++ {
					c.Items[next].Cannot = f.Message
				}
			}
		}
	}
	return c.counted()
}

// under gives the coverage with the folder in front of each file name.
func (c Coverage) under(folder string) Coverage {
	c.Items = slices.Clone(c.Items)
	for i := range c.Items {
		c.Items[i].File = path.Join(folder, c.Items[i].File)
	}
	return c
}

// goal is one thing that somebody should reach.
type goal struct {
	item *Covered
	want bool // that it is so, or that it is not
}

func (g goal) of(seen *Seen) int64 {
	switch {
	case seen == nil:
		return 0
	case g.want:
		return seen.True
	default:
		return seen.False
	}
}

// goals are what somebody should reach.
func (c *Coverage) goals() []goal {
	var goals []goal
	for i := range c.Items {
		item := &c.Items[i]
		if item.Cannot != "" {
			continue
		}
		if item.Kind != CoversCondition || !item.alone {
			goals = append(goals, goal{item, true})
		}
		if item.Kind == CoversCondition {
			goals = append(goals, goal{item, false})
		}
	}
	return goals
}

// counted sums up.
func (c Coverage) counted() Coverage {
	goals := c.goals()
	c.Goals, c.Reached = len(goals), 0
	byCustomers := 0
	for _, g := range goals {
		if g.of(&g.item.Examples) > 0 {
			c.Reached++
		}
		if g.of(g.item.Customers) > 0 {
			byCustomers++
		}
	}
	if c.Customers != nil {
		population := *c.Customers
		population.Reached = byCustomers
		c.Customers = &population
	}
	return c
}

// Write lists for a person what is not reached.
func (c Coverage) Write(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "coverage: %d of %d reached by the examples", c.Reached, c.Goals)
	if c.Customers != nil {
		fmt.Fprintf(&out, ", %d by the %d customers of %s", c.Customers.Reached, c.Customers.Judged, c.Customers.AsOf)
	}
	out.WriteString("\n")
	for _, g := range c.goals() {
		if gap := g.gap(); gap != "" {
			fmt.Fprintf(&out, "%s:%d: %s: %s\n", g.item.File, g.item.Line, g.item.name(), gap)
		}
	}
	for i := range c.Items {
		if item := &c.Items[i]; item.Cannot != "" && !item.alone {
			fmt.Fprintf(&out, "%s:%d: %s: not counted: %s\n", item.File, item.Line, item.name(), item.Cannot)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (c *Covered) name() string {
	switch c.Kind {
	case CoversCondition:
		return c.Of + ": " + c.Condition
	case CoversMention, CoversAction:
		return c.Kind + " " + c.Of
	default:
		return c.Of
	}
}

// gap says in words who does not reach the goal, or nothing.
func (g goal) gap() string {
	verb := map[string]string{
		CoversRule: "gets its tier from it", CoversMention: "gets it", CoversAction: "gets it", CoversNoTier: "is left without a tier",
		CoversCondition: "makes it " + map[bool]string{true: "true", false: "false"}[g.want],
	}[g.item.Kind]
	if s := g.item.Examples; g.item.Kind == CoversCondition && s == (Seen{}) {
		verb = "comes to it"
		if !g.want && !g.item.alone {
			return "" // said once
		}
	}
	byExamples, byCustomers := g.of(&g.item.Examples) > 0, g.of(g.item.Customers)
	switch {
	case byExamples && (g.item.Customers == nil || byCustomers > 0):
		return ""
	case byExamples:
		return "no customer " + verb
	case g.item.Customers == nil:
		return "no example " + verb
	case byCustomers == 0:
		return "no example and no customer " + verb
	default:
		return fmt.Sprintf("no example %s; of the customers it is so for %d", verb, byCustomers)
	}
}
