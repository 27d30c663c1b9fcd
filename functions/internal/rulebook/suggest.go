package rulebook

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest is the valid word that a person most likely meant, or nothing: no hint is better than a wrong one.
func nearest(word string, valid []string) string {
	within := max(2, runeLen(word)/3) // two letters that changed places are two
	if runeLen(word) < 4 {
		within = 1
	}
	best, bestDistance := "", within+1
	for _, candidate := range valid {
		distance := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(candidate))
		if runeLen(word) > 3 && strings.HasPrefix(strings.ToLower(candidate), strings.ToLower(word)) {
			distance = min(distance, within) // a word that was cut short
		}
		if distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best
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
