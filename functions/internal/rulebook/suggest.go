package rulebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest is the valid word that a person most likely meant, or nothing: no hint is better than a wrong one.
func nearest(word string, valid []string) string {
	word = strings.ToLower(word)
	within := max(1, runeLen(word)/3)
	best, bestDistance := "", within+1
	for _, candidate := range valid {
		lower := strings.ToLower(candidate)
		distance := levenshtein.ComputeDistance(word, lower)
		if cutShort := runeLen(word) > 3 && strings.HasPrefix(lower, word); cutShort || distance == 2 && sameLetters(word, lower) {
			distance = min(distance, within)
		}
		if distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

// sameLetters tells whether two words differ in the order of letters alone: two that changed places are a distance of
// two, and the most common slip.
func sameLetters(a, b string) bool {
	one, other := []rune(a), []rune(b)
	slices.Sort(one)
	slices.Sort(other)
	return slices.Equal(one, other)
}

// mostNamed is how many valid words a hint lists.
const mostNamed = 16

// didYouMean is a hint that names the likeliest word and the valid ones. The label says what the words are, such as
// "names here".
func didYouMean(word, label string, valid []string) string {
	listed := strings.Join(valid, ", ")
	if len(valid) > mostNamed {
		listed = strings.Join(valid[:mostNamed], ", ") + ", …"
	}
	if guess := nearest(word, valid); guess != "" {
		return "did you mean " + guess + "? " + label + ": " + listed
	}
	return label + ": " + listed
}

// meant is a hint at a name that is none, with what the field means that was most likely meant.
func (s *scope) meant(word, label string, names []string) string {
	hint := didYouMean(word, label, names)
	if f := s.vocabulary.byName[nearest(word, names)]; f != nil && f.meaning != "" {
		return strings.Replace(hint, "did you mean "+f.name+"?", fmt.Sprintf("did you mean %s (%s)?", f.name, f.meaning), 1)
	}
	return hint
}
