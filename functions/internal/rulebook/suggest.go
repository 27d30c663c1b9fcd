package rulebook

import (
	"fmt"
	"strings"

	"github.com/retentionops/retentionops/functions/internal/guess"
)

// mostNamed is how many valid words a hint lists.
const mostNamed = 16

// didYouMean is a hint that names the likeliest word and the valid ones.
func didYouMean(word, label string, valid []string) string {
	return guess.Hint(word, label, valid, mostNamed)
}

// meant is a hint at a name that is none, with what the field means that was most likely meant.
func (s *scope) meant(word, label string, names []string) string {
	hint := didYouMean(word, label, names)
	if f := s.vocabulary.byName[guess.Nearest(word, names)]; f != nil && f.meaning != "" {
		return strings.Replace(hint, "did you mean "+f.name+"?", fmt.Sprintf("did you mean %s (%s)?", f.name, f.meaning), 1)
	}
	return hint
}
