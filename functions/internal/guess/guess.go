// Package guess is the word that a person most likely meant who wrote one that is not known, and a hint that names it.
//
// It is not a spell checker: it knows no language, only the valid words that it is given.
package guess

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Nearest is the valid word that a person most likely meant, or nothing: no hint is better than a wrong one.
func Nearest(word string, valid []string) string {
	word = strings.ToLower(word)
	within := max(1, utf8.RuneCountInString(word)/3)
	best, bestDistance := "", within+1
	for _, candidate := range valid {
		lower := strings.ToLower(candidate)
		distance := levenshtein.ComputeDistance(word, lower)
		cutShort := utf8.RuneCountInString(word) > 3 && strings.HasPrefix(lower, word)
		if cutShort || distance == 2 && sameLetters(word, lower) {
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

// Hint names the likeliest word, when one is near, and the first valid ones. The label says what the words are, such as
// "names here".
func Hint(word, label string, valid []string, most int) string {
	listed := strings.Join(valid[:min(len(valid), most)], ", ")
	if len(valid) > most {
		listed += ", …"
	}
	if guess := Nearest(word, valid); guess != "" {
		return "did you mean " + guess + "? " + label + ": " + listed
	}
	return label + ": " + listed
}
