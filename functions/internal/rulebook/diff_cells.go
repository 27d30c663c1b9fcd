package rulebook

import (
	"cmp"
	"slices"
)

// The bounds of a difference: the cells that one question may look at, and the steps of all questions together, which is
// a second or two. What would need more is not told, and a note says so.
const (
	maxDiffCells = 2_000_000
	maxDiffSteps = 60_000_000
)

// The groups that a cell can lie in beside those that are told.
const (
	absent    = -1 // there is no such customer, or none that is asked about
	unchanged = 0
)

// question is put to every cell: in which group does it lie?
type question struct {
	logics []*logic  // what the answer depends on
	whole  []*domain // domains of which the answer tells every piece apart
	ask    func() int
}

// telling is how far a question was told.
type telling int

const (
	toldWhole telling = iota
	toldInPart
	untold
)

// factsOnly is the rank of a field that no question names: facts tie it to one that does.
const factsOnly = 0

// scale is one field of a grid. Pieces that nothing in the question tells apart are one class.
type scale struct {
	domain  *domain
	name    string
	rank    int     // the lower, the sooner it is left out of the words
	classes [][]int // the pieces of each
}

// grid is all combinations of classes, each with the group it lies in.
type grid struct {
	scales []*scale
	cells  []int32 // the first scale runs fastest
}

// survey puts a question to every cell that can exist, and gives each group as regions in words.
func (v *versions) survey(q question, tell func(group int, regions []Region)) telling {
	g := v.grid(q)
	if g == nil {
		return untold
	}
	for len(g.scales) > 0 && g.scales[0].rank == factsOnly && g.leaveOut() {
	}
	last := int32(0)
	for _, group := range g.cells {
		last = max(last, group)
	}
	told := toldWhole
	for group := int32(1); group <= last; group++ {
		regions, result := v.regions(g, group)
		if result == untold {
			return untold
		}
		told = max(told, result)
		tell(int(group), regions)
	}
	return told
}

// grid asks the question of every cell. Where the facts bring in too many fields it goes without them: then a line may
// hold nobody, as it would if the facts said nothing. It is nil where there are too many cells even so.
func (v *versions) grid(q question) *grid {
	named := map[*domain]bool{}
	for _, l := range q.logics {
		for _, compared := range l.comparisons(nil) {
			named[compared.domain] = true
		}
	}
	for _, d := range q.whole {
		named[d] = true
	}
	involved := map[*domain]bool{}
	for d := range named {
		involved[d] = true
	}
	ties := tie(slices.Concat(v.sides[0].facts, v.sides[1].facts), involved)
	g := v.scales(q, ties, involved, named)
	if g == nil {
		ties = nil
		if g = v.scales(q, nil, named, named); g == nil {
			return nil
		}
	}
	var facts [2][]*provenFact
	for i := range v.sides {
		for _, f := range v.sides[i].facts {
			if slices.Contains(ties, f) {
				facts[i] = append(facts[i], f)
			}
		}
	}
	sameFacts := slices.EqualFunc(facts[0], facts[1], func(a, b *provenFact) bool { return a.text() == b.text() })
	at := make([]int, len(g.scales))
	for _, a := range g.scales {
		a.domain.at = a.classes[0][0]
	}
	for i := range g.cells {
		g.cells[i] = absent
		if breaksNone(facts[0]) || !sameFacts && breaksNone(facts[1]) { // one of the two versions knows such customers
			g.cells[i] = int32(q.ask())
		}
		for k, a := range g.scales { // the next cell
			if at[k]++; at[k] < len(a.classes) {
				a.domain.at = a.classes[at[k]][0]
				break
			}
			at[k], a.domain.at = 0, a.classes[0][0]
		}
	}
	return g
}

// leaveOut removes the first scale, for all groups at once, unless that makes cells of two groups look alike. Fields that
// facts alone brought in mostly go this way.
func (g *grid) leaveOut() bool {
	classes := len(g.scales[0].classes)
	folded := make([]int32, len(g.cells)/classes)
	for i := range folded {
		folded[i] = absent
		for _, group := range g.cells[i*classes : (i+1)*classes] {
			if folded[i] != absent && group != absent && group != folded[i] {
				return false
			}
			folded[i] = max(folded[i], group)
		}
	}
	g.scales, g.cells = g.scales[1:], folded
	return true
}

// breaksNone tells whether the cell in hand breaks none of the facts.
func breaksNone(facts []*provenFact) bool {
	return !slices.ContainsFunc(facts, func(f *provenFact) bool {
		return f.condition.now() == isTrue && f.consequence.now() == isFalse
	})
}

// scales makes the grid of some domains, or nil when it has too many cells.
func (v *versions) scales(q question, ties []*provenFact, involved, named map[*domain]bool) *grid {
	var compared []*logic
	for _, l := range q.logics {
		compared = l.comparisons(compared)
	}
	for _, f := range ties {
		compared = f.consequence.comparisons(f.condition.comparisons(compared))
	}
	byDomain := map[*domain][]*logic{}
	for _, l := range compared {
		byDomain[l.domain] = append(byDomain[l.domain], l)
	}
	g, cells := &grid{}, 1
	for d := range involved {
		a := &scale{domain: d, classes: d.classes(byDomain[d], slices.Contains(q.whole, d))}
		if d.field != nil {
			a.name, a.rank = d.field.name, map[kind]int{kindWhole: 2, kindAmount: 2, kindYesNo: 3, kindChoice: 4}[d.field.kind]
		} else {
			a.name, a.rank = v.free[d].name, 1
		}
		if !named[d] {
			a.rank = factsOnly
		}
		g.scales = append(g.scales, a)
	}
	slices.SortFunc(g.scales, func(a, b *scale) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.name, b.name))
	})
	for _, a := range g.scales {
		if cells *= len(a.classes); cells > maxDiffCells {
			return nil
		}
	}
	if v.left -= cells; v.left < 0 {
		return nil
	}
	g.cells = make([]int32, cells)
	return g
}

// classes puts the pieces together that no comparison tells apart.
func (d *domain) classes(comparisons []*logic, whole bool) [][]int {
	var classes [][]int
	known := map[string]int{}
	for piece := range d.pieces {
		signature := make([]byte, len(comparisons), len(comparisons)+1)
		for i, c := range comparisons {
			if c.truth[piece] {
				signature[i] = 1
			}
		}
		at, seen := known[string(signature)]
		if !seen || whole {
			at = len(classes)
			known[string(signature)] = at
			classes = append(classes, nil)
		}
		classes[at] = append(classes[at], piece)
	}
	return classes
}

// What a cell of a sheet holds.
const (
	inside  = 1 // of the group
	outside = 2 // asked about, and not of the group
)

// sheet is a grid seen from one group, with fields left out.
type sheet struct {
	scales []*scale
	cells  []byte
	left   *int // cells that may still be looked at
}

// regions tells one group: field after field is left out as long as no cell outside looks the same without it; what
// remains is covered with as few products as a greedy search finds.
func (v *versions) regions(g *grid, group int32) ([]Region, telling) {
	s := &sheet{scales: slices.Clone(g.scales), cells: make([]byte, len(g.cells)), left: &v.left}
	for i, lies := range g.cells {
		switch lies {
		case absent:
		case group:
			s.cells[i] = inside
		default:
			s.cells[i] = outside
		}
	}
	for k := 0; k < len(s.scales); {
		if *s.left -= len(s.cells); *s.left < 0 {
			return nil, untold
		}
		if !s.leaveOut(k) {
			k++
		}
	}
	blocks, result := s.cover()
	regions := make([]Region, len(blocks))
	for i, b := range blocks {
		regions[i] = v.region(s.scales, b)
	}
	return regions, result
}

// leaveOut removes an scale unless that makes a cell inside look like one outside.
func (s *sheet) leaveOut(k int) bool {
	stride := 1
	for _, a := range s.scales[:k] {
		stride *= len(a.classes)
	}
	classes := len(s.scales[k].classes)
	folded := make([]byte, len(s.cells)/classes)
	for i, holds := range s.cells {
		at := i/(stride*classes)*stride + i%stride
		if folded[at] |= holds; folded[at] == inside|outside {
			return false
		}
	}
	s.scales, s.cells = slices.Delete(s.scales, k, k+1), folded
	return true
}

// block is a product: the classes that it takes of each scale.
type block [][]int

// each visits the cells of a block until visit gives false.
func (s *sheet) each(b block, visit func(cell int) bool) bool {
	at := make([]int, len(b))
	for {
		cell, stride := 0, 1
		for k, a := range s.scales {
			cell += b[k][at[k]] * stride
			stride *= len(a.classes)
		}
		*s.left--
		if !visit(cell) {
			return false
		}
		k := 0
		for ; k < len(b); k++ {
			if at[k]++; at[k] < len(b[k]) {
				break
			}
			at[k] = 0
		}
		if k == len(b) {
			return true
		}
	}
}

// cover finds blocks that hold every cell inside and none outside. Each grows from one cell: whole scales first, then
// class by class, as long as something inside is won.
func (s *sheet) cover() ([]block, telling) {
	var blocks []block
	covered := make([]int, len(s.cells)) // by how many blocks
	for cell, holds := range s.cells {
		if holds != inside || covered[cell] > 0 {
			continue
		}
		if len(blocks) == mostRegions {
			return blocks, toldInPart
		}
		b := s.grown(cell)
		if *s.left < 0 {
			return nil, untold
		}
		blocks = append(blocks, b)
		s.each(b, func(cell int) bool { covered[cell]++; return true })
	}
	return slices.DeleteFunc(blocks, func(b block) bool { // whose cells all lie in others
		spare := s.each(b, func(cell int) bool { return s.cells[cell] != inside || covered[cell] > 1 })
		if spare {
			s.each(b, func(cell int) bool { covered[cell]--; return true })
		}
		return spare
	}), toldWhole
}

// grown is the block around a cell.
func (s *sheet) grown(cell int) block {
	b := make(block, len(s.scales))
	for k, a := range s.scales {
		b[k] = []int{cell % len(a.classes)}
		cell /= len(a.classes)
	}
	free := func(cell int) bool { return *s.left >= 0 && s.cells[cell] != outside }
	for k, a := range s.scales {
		seed := b[k]
		b[k] = make([]int, len(a.classes))
		for class := range b[k] {
			b[k][class] = class
		}
		if !s.each(b, free) {
			b[k] = seed
		}
	}
	for k, a := range s.scales {
		if len(b[k]) == len(a.classes) {
			continue
		}
		taken := b[k]
		for class := range a.classes {
			if class == taken[0] {
				continue
			}
			b[k] = []int{class}
			won := false
			if s.each(b, func(cell int) bool { won = won || s.cells[cell] == inside; return free(cell) }) && won {
				taken = append(taken, class)
			}
		}
		slices.Sort(taken)
		b[k] = taken
	}
	return b
}
