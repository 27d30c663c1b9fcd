package rulebook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/vm"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// Region is a set of customers in words: all its conditions hold.
type Region struct {
	Where      string            `json:"where"`
	Conditions []RegionCondition `json:"conditions"`
	bounds     []bound
}

// RegionCondition is what a region asks of one field, or of a comparison of fields with one another.
type RegionCondition struct {
	Name string `json:"name"`
	Is   string `json:"is"` // as a cell says it
}

// bound is a condition of a region for the program.
type bound struct {
	domain *domain
	taken  []bool // by piece
	open   *openTest
}

// everyone is the region without a condition.
func everyone() Region { return Region{Where: "every customer", Conditions: []RegionCondition{}} }

// region puts a block into words.
func (v *versions) region(scales []*scale, b block) Region {
	r := everyone()
	for k, a := range scales {
		if len(b[k]) == len(a.classes) {
			continue
		}
		taken := make([]bool, len(a.domain.pieces))
		for _, class := range b[k] {
			for _, piece := range a.classes[class] {
				taken[piece] = true
			}
		}
		r.bounds = append(r.bounds, bound{domain: a.domain, taken: taken, open: v.free[a.domain]})
		is := ""
		if a.domain.field == nil {
			is = map[bool]string{true: "yes", false: "no"}[taken[0]]
		} else {
			is = a.domain.words(taken)
		}
		r.Conditions = append(r.Conditions, RegionCondition{Name: a.name, Is: is})
	}
	slices.SortFunc(r.Conditions, func(x, y RegionCondition) int { return cmp.Compare(x.Name, y.Name) })
	if len(r.Conditions) == 0 {
		return r
	}
	texts := make([]string, len(r.Conditions))
	for i, c := range r.Conditions {
		texts[i] = c.text()
	}
	r.Where = strings.Join(texts, ", ")
	return r
}

// text is the condition as one phrase.
func (c RegionCondition) text() string {
	switch {
	case nameForm.MatchString(c.Name):
		return c.Name + " " + c.Is
	case c.Is == "yes":
		return c.Name
	default:
		return "not (" + c.Name + ")"
	}
}

// words says which pieces are taken, in the words of a cell.
func (d *domain) words(taken []bool) string {
	var words []string
	given := len(d.pieces) // pieces that are not the empty one
	if d.field.mayBeEmpty {
		given--
	}
	if given < len(d.pieces) && !taken[given] && !slices.Contains(taken[:given], false) {
		return "not empty"
	}
	if at := slices.Index(taken[:given], false); d.field.kind.isNumber() && at > 0 && at < given-1 && given == len(d.pieces) &&
		!slices.Contains(taken[at+1:], false) && d.isPoint(at) {
		return "not " + plainNumber(d.pieces[at].number)
	}
	for from := 0; from < given; from++ {
		if !taken[from] {
			continue
		}
		if !d.field.kind.isNumber() {
			words = append(words, d.pieceWord(from))
			continue
		}
		to := from
		for to+1 < given && taken[to+1] {
			to++
		}
		words = append(words, d.run(from, to, given))
		from = to
	}
	if given < len(d.pieces) && taken[given] {
		words = append(words, "empty")
	}
	return strings.Join(words, " or ")
}

// isPoint tells whether a piece is one number alone.
func (d *domain) isPoint(at int) bool {
	if d.field.kind == kindWhole {
		return d.pieces[at+1].number == d.pieces[at].number+1
	}
	return at%2 == 0
}

// run says which numbers the pieces from one to another hold.
func (d *domain) run(from, to, given int) string {
	if d.field.kind == kindWhole {
		return d.wholeRun(from, to, given)
	}
	// Points and the open spaces between them take turns; the first and the last piece are points.
	low, high := "at least "+plainNumber(d.pieces[from].number), "up to "+plainNumber(d.pieces[to].number)
	if from%2 == 1 {
		low = "over " + plainNumber(d.pieces[from-1].number)
	}
	if to%2 == 1 {
		high = "below " + plainNumber(d.pieces[to+1].number)
	}
	switch {
	case from == 0 && to == given-1:
		return "not empty"
	case from == to && from%2 == 0:
		return plainNumber(d.pieces[from].number)
	case from == 0:
		return high
	case to == given-1:
		return low
	case from%2 == 0 && to%2 == 0:
		return plainNumber(d.pieces[from].number) + ".." + plainNumber(d.pieces[to].number)
	default:
		return low + " and " + high
	}
}

func (d *domain) wholeRun(from, to, given int) string {
	low, high := d.pieces[from].number, d.pieces[given-1].number
	if to+1 < given {
		high = d.pieces[to+1].number - 1
	}
	switch {
	case from == 0 && to == given-1:
		return "not empty"
	case low == high:
		return plainNumber(low)
	case from == 0:
		return "up to " + plainNumber(high)
	case to == given-1:
		return "over " + plainNumber(low-1)
	default:
		return fmt.Sprintf("%s..%s", plainNumber(low), plainNumber(high))
	}
}

// Locator finds the regions that hold a customer. It belongs to one goroutine.
type Locator struct {
	machine vm.VM
	row     row
	*retention.Customer
}

// NewLocator makes a locator that compares with the median revenue of all customers.
func NewLocator(medianRevenue functions.Money) *Locator {
	l := &Locator{}
	l.row.MedianRevenue = nearestFloat(medianRevenue)
	return l
}

// Look turns to a customer. The customer must be one whom at least one of the versions can judge.
func (l *Locator) Look(c *retention.Customer) {
	l.Customer = c
	l.row.fill(c)
}

// In tells whether the region holds the customer.
func (l *Locator) In(r *Region) bool {
	for i := range r.bounds {
		b := &r.bounds[i]
		if b.open != nil {
			result, err := l.machine.Run(b.open.program, &l.row)
			truth, is := result.(bool)
			if err != nil || !is {
				return false
			}
			if b.taken[0] != truth {
				return false
			}
			continue
		}
		if at := b.domain.pieceOf(&l.row, l.Customer); at < 0 || !b.taken[at] {
			return false
		}
	}
	return true
}

// pieceOf is the piece that a customer lies in, or -1 when the domain does not hold the customer.
func (d *domain) pieceOf(r *row, c *retention.Customer) int {
	var number float64
	f := d.field
	switch {
	case f.choice != nil:
		word := f.choice(c).V
		return slices.IndexFunc(d.pieces, func(p representative) bool { return p.text == word })
	case f.yes != nil:
		yes := f.yes(c).V
		return slices.IndexFunc(d.pieces, func(p representative) bool { return p.yes == yes })
	case f.whole != nil:
		number = float64(f.whole(c).V)
	case f.amount != nil:
		amount := f.amount(c)
		if !amount.Valid {
			return slices.IndexFunc(d.pieces, func(p representative) bool { return p.empty })
		}
		number = nearestFloat(amount.V)
	default:
		number = r.MedianRevenue
	}
	given := len(d.pieces)
	if f.mayBeEmpty {
		given--
	}
	next, _ := slices.BinarySearchFunc(d.pieces[:given], number, func(p representative, number float64) int {
		if p.number > number {
			return 1
		}
		return -1
	})
	switch {
	case number < f.low || number > f.high || next == 0:
		return -1
	case f.kind == kindWhole || (next-1)%2 == 1 || d.pieces[next-1].number == number:
		return next - 1
	case next < given && next%2 == 1: // in an open space, below the number that stands for it
		return next
	default:
		return -1
	}
}
