package rulebook

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/vm"
)

// The most cells that a region is told from, and the most lines that it is told in.
const (
	maxRegionCells = 20_000
	maxRegionLines = 3
)

// region tells in words which customers fit all conditions.
func (p *proof) region(must []*logic) string {
	var group, others [][]int
	s := &search{watch: must, facts: p.facts}
	s.visit = func() bool {
		if slices.ContainsFunc(must, func(l *logic) bool { return l.now() != isTrue }) {
			others = append(others, s.cell())
		} else {
			group = append(group, s.cell())
		}
		return len(group)+len(others) > maxRegionCells
	}
	if p.run(s) != nobody {
		return "there are too many cases to name them"
	}
	named := map[*domain]bool{}
	for _, l := range must {
		for _, d := range domainsOf(l) {
			named[d] = true
		}
	}
	axes := s.axes
	for _, onlyTied := range []bool{true, false} { // what only facts bring in goes first
		for k, a := range slices.Backward(axes) {
			if onlyTied && named[a.domain] {
				continue
			}
			fewer, outside := leftOut(group, k), leftOut(others, k)
			if meet(fewer, outside) {
				continue
			}
			axes, group, others = without(axes, k), fewer, outside
		}
	}
	lines := make([]string, 0, maxRegionLines)
	for _, b := range boxes(group, len(axes)) {
		if len(lines) == maxRegionLines {
			lines = append(lines, "and more")
			break
		}
		lines = append(lines, b.words(axes))
	}
	return strings.Join(lines, "; or ")
}

// leftOut are the cells without one field, each once.
func leftOut(cells [][]int, k int) [][]int {
	fewer := make([][]int, len(cells))
	for i, c := range cells {
		fewer[i] = without(c, k)
	}
	slices.SortFunc(fewer, slices.Compare)
	return slices.CompactFunc(fewer, slices.Equal)
}

// meet tells whether two sorted lists have a cell in common.
func meet(a, b [][]int) bool {
	return slices.ContainsFunc(a, func(c []int) bool {
		_, found := slices.BinarySearchFunc(b, c, slices.Compare)
		return found
	})
}

// box is a product: of each field the runs that it takes.
type box [][]int

// boxes joins cells that differ in one field, as long as there are any.
func boxes(cells [][]int, fields int) []box {
	all := make([]box, len(cells))
	for i, c := range cells {
		for _, on := range c {
			all[i] = append(all[i], []int{on})
		}
	}
	for k := fields - 1; k >= 0; k-- {
		var joined []box
		for _, b := range all {
			at := slices.IndexFunc(joined, func(other box) bool { return b.sameBut(other, k) })
			if at < 0 {
				joined = append(joined, b)
				continue
			}
			joined[at][k] = append(slices.Clone(joined[at][k]), b[k]...)
			slices.Sort(joined[at][k])
		}
		all = joined
	}
	return all
}

func (b box) sameBut(other box, k int) bool {
	for i := range b {
		if i != k && !slices.Equal(b[i], other[i]) {
			return false
		}
	}
	return true
}

// words says what a box asks for.
func (b box) words(axes []*cutField) string {
	var words []string
	for k, a := range axes {
		if len(b[k]) == len(a.runs) {
			continue
		}
		taken := make([]bool, len(a.pieces))
		for _, on := range b[k] {
			for piece := a.runs[on].first; piece <= a.runs[on].last; piece++ {
				taken[piece] = true
			}
		}
		switch text := strings.TrimPrefix(a.name, "? "); {
		case a.field != nil:
			words = append(words, a.name+" "+a.words(taken))
		case taken[0]:
			words = append(words, text)
		default:
			words = append(words, "not ("+text+")")
		}
	}
	if len(words) == 0 {
		return "every customer"
	}
	return strings.Join(words, ", ")
}

// mostWitnesses bounds the customers that are tried for one cell.
const mostWitnesses = 1000

// witness is a customer who is shown to be one of those that a claim is about. It is asked of the evaluator itself, so
// that comparisons that no piece settles are settled for this customer.
type witness struct {
	machine vm.VM
	row     *row
}

// fits tells whether the customer fits a condition; everybody fits none.
func (w *witness) fits(e *expression) bool {
	if e == nil {
		return true
	}
	is, err := e.truth(&w.machine, w.row)
	return err == nil && is
}

// first is the first condition that the customer fits, or -1.
func (w *witness) first(all []*expression) int { return slices.IndexFunc(all, w.fits) }

// breaks tells whether there is no such customer.
func (w *witness) breaks(facts []*provenFact) bool {
	return slices.ContainsFunc(facts, func(f *provenFact) bool {
		broken, err := f.brokenBy(&w.machine, w.row)
		return err != nil || broken
	})
}

// shown tells whether a customer of the cell in hand can be shown.
func (p *proof) shown(facts []*provenFact, is func(*witness) bool) bool {
	w := &witness{}
	return p.candidates(func(r *row) bool {
		w.row = r
		return !w.breaks(facts) && is(w)
	})
}

// candidates makes customers of the cell in hand: every number at the ends and in the middle of its run.
func (p *proof) candidates(is func(*row) bool) bool {
	var r row
	tried := 0
	var fields []*domain
	for _, name := range sortedKeys(p.pieces.domains) {
		if d := p.pieces.domains[name]; d.field != nil {
			fields = append(fields, d)
		}
	}
	var set func(i int) bool
	set = func(i int) bool {
		if i == len(fields) {
			tried++
			return is(&r)
		}
		d := fields[i]
		for _, value := range d.candidates() {
			if d.field.set(&r, value); set(i + 1) {
				return true
			}
			if tried > mostWitnesses {
				return false
			}
		}
		return false
	}
	return set(0)
}

// candidates are values of the run that the cell in hand lies in. What the cell says nothing of, nothing depends on.
func (d *domain) candidates() []representative {
	if d.at == nowhere {
		return d.pieces[:1]
	}
	at := d.pieces[d.at]
	if !d.field.kind.isNumber() || at.empty {
		return []representative{at}
	}
	values := []representative{at}
	for next := d.at + 1; next < len(d.pieces) && d.together > next; next++ {
		if !d.pieces[next].empty {
			values = append(values, d.pieces[next])
		}
	}
	return values
}
