package rulebook

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRegionsInWordsAreExact takes the words in which an overlap is told back apart, and asks of every customer whether
// they lie in the overlap exactly when they fit the words.
func TestRegionsInWordsAreExact(t *testing.T) {
	t.Parallel()
	overlaps := 0
	for seed := range 400 {
		a := &author{Rand: rand.New(rand.NewPCG(uint64(seed), 5)), fields: []string{"retention_status", "days_since_last_order", "total_revenue", "avg_order_value", "is_frequency_drop"}}
		a.Shuffle(len(a.fields), func(i, j int) { a.fields[i], a.fields[j] = a.fields[j], a.fields[i] })
		a.fields = a.fields[:3]
		files := a.files()
		out := &collector{kept: true}
		v, _ := loadVocabulary(files, out)
		p, _ := loadPriority(files, v, out)
		if out.findings.Errors() > 0 || len(p.rules) < 2 {
			continue
		}
		w := newWorld(t, a, v, p)
		proof := newProof(p, v)
		must := []*logic{proof.proven[0].takes, proof.proven[1].takes}
		if len(w.rows) == 0 || proof.ask(proof.facts, must...) != somebody {
			continue
		}
		words := proof.region(must)
		if strings.Contains(words, "and more") {
			continue
		}
		overlaps++
		for i, r := range w.rows {
			both := w.fits(p.rules[0].when, r) && w.fits(p.rules[1].when, r)
			if inWords(t, v, words, r) != both {
				t.Fatalf("seed %d: row %d %+v is in both rules %v, and not so in %q\n%s", seed, i, *r, both, words, files[priorityFile].Data)
			}
		}
	}
	if overlaps < 30 {
		t.Errorf("%d overlaps were looked at", overlaps)
	}
}

// inWords tells whether a customer fits a region, by its words alone.
func inWords(t *testing.T, v *vocabulary, words string, r *row) bool {
	t.Helper()
	if words == "every customer" {
		return true
	}
	for box := range strings.SplitSeq(words, "; or ") {
		fits := true
		for part := range strings.SplitSeq(box, ", ") {
			name, is, _ := strings.Cut(part, " ")
			f := v.byName[name]
			if f == nil {
				t.Fatalf("%q names no field", part)
			}
			fits = fits && slices.ContainsFunc(strings.Split(is, " or "), func(one string) bool { return f.fitsWords(t, one, r) })
		}
		if fits {
			return true
		}
	}
	return false
}

func (f *field) fitsWords(t *testing.T, words string, r *row) bool {
	t.Helper()
	other, isNot := strings.CutPrefix(words, "not ")
	switch {
	case isNot && other != "empty":
		return !f.fitsWords(t, other, r) && (!f.mayBeEmpty || r.MaybeAvgOrderValue != nil)
	case f.kind == kindChoice:
		return words == r.Status
	case f.kind == kindYesNo:
		truth := map[string]bool{"is_frequency_drop": r.FrequencyDrop, "is_value_drop": r.ValueDrop}
		return (words == "yes") == truth[f.name]
	case f.mayBeEmpty && (words == "empty" || r.MaybeAvgOrderValue == nil):
		return words == "empty" && r.MaybeAvgOrderValue == nil
	case words == "not empty":
		return true
	}
	number := f.numberIn(r)
	for side := range strings.SplitSeq(words, " and ") {
		at := strings.LastIndex(side, " ")
		low, high, is := strings.Cut(side[at+1:], "..")
		bound, err := strconv.ParseFloat(low, 64)
		if err != nil {
			t.Fatalf("%q is no number: %v", side, err)
		}
		fits := number == bound
		switch {
		case is:
			most, _ := strconv.ParseFloat(high, 64)
			fits = number >= bound && number <= most
		case at >= 0:
			fits = map[string]bool{"over": number > bound, "at least": number >= bound, "below": number < bound, "up to": number <= bound}[side[:at]]
		}
		if !fits {
			return false
		}
	}
	return true
}
