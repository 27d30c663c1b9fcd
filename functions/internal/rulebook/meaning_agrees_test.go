package rulebook

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

// checkScores compares what is said of scores with those of all customers.
func (w *world) checkScores(a *author, ranges []TierScore, findings Findings) {
	type ends struct{ low, high float64 }
	scores, parts := map[functions.Tier]ends{}, map[string]ends{}
	note := func(all map[string]ends, key string, number float64) {
		e, has := all[key]
		if !has {
			e = ends{number, number}
		}
		all[key] = ends{min(e.low, number), max(e.high, number)}
	}
	totals := map[string]ends{}
	uncapped := 0.0
	for i, r := range w.rows {
		tier := w.tier(i)
		if tier == "" {
			continue
		}
		score, err := w.p.score.of(tier, &w.machine, r)
		if err != nil {
			w.Fatal(err)
		}
		note(totals, string(tier), score)
		sum := w.p.score.start[tier]
		for _, part := range w.p.score.parts {
			points, err := part.points.number(&w.machine, r)
			if err != nil {
				w.Fatal(err)
			}
			note(parts, part.name+string(tier), points)
			sum += min(points, part.atMost)
		}
		uncapped = max(uncapped, sum)
	}
	for tier, e := range totals {
		scores[functions.Tier(tier)] = e
	}
	for _, r := range ranges {
		got, has := scores[r.Tier]
		if !has {
			if !w.freely {
				w.Errorf("%s holds nobody", r.Tier)
			}
			continue
		}
		if got.low < r.Low || got.high > r.High {
			w.Errorf("%s: said %v..%v, found %v..%v", r.Tier, r.Low, r.High, got.low, got.high)
		}
	}
	exact := a.plain && !a.freely
	text := findings.Error()
	for _, part := range w.p.score.parts {
		for _, r := range ranges {
			points := parts[part.name+string(r.Tier)]
			low, high := min(points.low, part.atMost), min(points.high, part.atMost)
			constant := saidOf(text, part.name+" is always ", string(r.Tier))
			if constant && low != high {
				w.Errorf("%s is not constant for %s: %v..%v", part.name, r.Tier, low, high)
			}
			idle := saidOf(text, "the cap of "+part.name+" never acts", string(r.Tier))
			if idle && points.high > part.atMost {
				w.Errorf("the cap of %s acts for %s: %v", part.name, r.Tier, points.high)
			}
			if wide := part.points.within; exact && low == high && !constant && !wide.isConstant() && !strings.Contains(part.points.text, "avg") {
				w.Errorf("%s is constant for %s and that is not said: %v", part.name, r.Tier, low)
			}
		}
	}
	if idle := strings.Contains(text, fmt.Sprintf("the cap of %v never acts", w.p.score.atMost)); idle && uncapped > w.p.score.atMost || exact && !idle && uncapped < w.p.score.atMost-0.05 {
		w.Errorf("that the cap of %v never acts is said %v; the highest is %v", w.p.score.atMost, idle, uncapped)
	}
	if len(ranges) == 2 {
		can := scores["P2"].high > scores["P1"].low
		told := strings.Contains(text, "a P2 can outscore a P1")
		if told && !can && !a.freely || exact && can && !told {
			w.Errorf("that a P2 can outscore a P1 is said %v: %v, %v", told, scores["P2"].high, scores["P1"].low)
		}
	}
}

// saidOf tells whether a line says something of a tier.
func saidOf(text, what, tier string) bool {
	return slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.Contains(line, what) && strings.Contains(line, tier)
	})
}

// TestMeaningAgreesWithEveryCustomer writes random small rule files, and compares all that the check claims with what is
// true when each customer that can be is tried. With comparisons of fields with one another it may claim less.
func TestMeaningAgreesWithEveryCustomer(t *testing.T) {
	t.Parallel()
	fields := []string{
		"retention_status", "days_since_last_order", "churn_risk_level", "churn_risk_score", "is_frequency_drop", "total_revenue", "avg_order_value",
	}
	count := 600
	if testing.Short() {
		count = 100
	}
	seen := map[string]int{}
	for seed := range count {
		a := &author{Rand: rand.New(rand.NewPCG(uint64(seed), 3)), fields: slices.Clone(fields), freely: seed%4 == 3, plain: seed%2 == 0}
		a.Shuffle(len(a.fields), func(i, j int) { a.fields[i], a.fields[j] = a.fields[j], a.fields[i] })
		a.fields = a.fields[:2+a.IntN(2)]
		files := a.files()
		out := &collector{kept: true}
		v, _ := loadVocabulary(files, out)
		p, _ := loadPriority(files, v, out)
		if out.findings.Errors() > 0 {
			continue // such as a cell of two numbers of which the first is the higher
		}
		w := newWorld(t, a, v, p)
		book, findings := Check(files)
		if len(w.rows) == 0 {
			if text := findings.Error(); !a.freely && !strings.Contains(text, "nobody can fit the fact") {
				t.Fatalf("seed %d: there is no customer at all:\n%s\n%s", seed, text, files[fieldsFile].Data[len(smallFields):])
			}
			continue
		}
		want := w.errors()
		if len(want) == 0 || a.freely { // there not every error is proven
			want = append(want, w.claims()...)
		}
		got := claimed(findings, p)
		missing, wrong := compareClaims(sortedClaims(want), sortedClaims(got))
		if a.freely {
			missing = nil
		}
		for _, c := range got {
			seen[c.id]++
		}
		if len(missing)+len(wrong) > 0 {
			t.Fatalf("seed %d (%v): not said: %s\nwrongly said: %s\n%s\n%s\n%s", seed, a.fields, strings.Join(missing, "\n"), strings.Join(wrong, "\n"),
				findings, files[fieldsFile].Data[len(smallFields):], files[priorityFile].Data)
		}
		if book != nil {
			w.checkScores(a, book.ScoreRanges(), findings)
			if t.Failed() {
				t.Fatalf("seed %d:\n%s\n%s\n%s", seed, findings, files[fieldsFile].Data[len(smallFields):], files[priorityFile].Data)
			}
		}
	}
	for _, id := range []string{idNeverMatches, idShadowed, idOverlap, idNoEffect, idDeadAction, idHole, idAlwaysSaid, idNeverSaid} {
		if seen[id] < 5 && !testing.Short() {
			t.Errorf("%s was said %d times", id, seen[id])
		}
	}
	t.Log(seen)
}

func compareClaims(want, got []string) (missing, wrong []string) {
	if cmp.Equal(want, got) {
		return nil, nil
	}
	for _, c := range want {
		if !slices.Contains(got, c) {
			missing = append(missing, c)
		}
	}
	for _, c := range got {
		if !slices.Contains(want, c) {
			wrong = append(wrong, c)
		}
	}
	return missing, wrong
}
