package rulebook

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// spot is a place in a file: line and column count from 1, in characters.
type spot struct{ line, column int }

// source is the text of a file, in characters, with the start of each line.
type source struct {
	runes  []rune
	starts []int // index of the first character of each line
}

func newSource(text string) source {
	s := source{runes: []rune(text), starts: []int{0}}
	for i, r := range s.runes {
		if r == '\n' {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// line gives the text of a line, without its end.
func (s source) line(number int) string {
	if number < 1 || number > len(s.starts) {
		return ""
	}
	start, end := s.starts[number-1], len(s.runes)
	if number < len(s.starts) {
		end = s.starts[number] - 1
	}
	return strings.TrimRight(string(s.runes[start:end]), "\r")
}

// index is where a place lies in the text.
func (s source) index(at spot) int {
	if at.line < 1 || at.line > len(s.starts) {
		return len(s.runes)
	}
	return min(s.starts[at.line-1]+at.column-1, len(s.runes))
}

// bracketed is how many characters a list or map in brackets takes, to the end of its line at most.
func (s source) bracketed(at spot) int {
	start, depth := s.index(at), 0
	for i := start; i < len(s.runes) && s.runes[i] != '\n'; i++ {
		switch s.runes[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 {
			return i - start + 1
		}
	}
	return runeLen(s.line(at.line)) - at.column + 1
}

// places says for each character of a scalar's decoded text where it stands in the file, and after the last one where
// the text ends. yaml.v3 knows only the start of a scalar: the quote, or the sign | or >. One pass aligns the decoded
// text with the raw one: a blank eats one run of raw blanks (folding, indentation), a backslash in double quotes is one
// character with what follows it, and so is a doubled single quote; all else skips raw text until it is equal.
func (s source) places(node *yaml.Node) []spot {
	at := spot{node.Line, node.Column}
	i := s.index(at)
	switch {
	case node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		i++
	case node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && node.Line < len(s.starts):
		i = s.starts[node.Line]
	}
	double, single := node.Style&yaml.DoubleQuotedStyle != 0, node.Style&yaml.SingleQuotedStyle != 0
	decoded := []rune(node.Value)
	found := make([]spot, 0, len(decoded)+1)
	line := at.line
	spotOf := func(index int) spot {
		for line < len(s.starts) && s.starts[line] <= index {
			line++
		}
		return spot{line, index - s.starts[line-1] + 1}
	}
	for _, r := range decoded {
		start := i
		switch {
		case double && i < len(s.runes) && s.runes[i] == '\\' && !s.continues(i):
			i += s.escapeLength(i)
		case blank(r):
			for i < len(s.runes) && blank(s.runes[i]) {
				i++
			}
		default:
			for i < len(s.runes) && s.runes[i] != r && (!double || s.runes[i] != '\\' || s.continues(i)) {
				i++
			}
			start = i
			switch {
			case double && i < len(s.runes) && s.runes[i] == '\\':
				i += s.escapeLength(i)
			case single && r == '\'':
				i += 2
			default:
				i++
			}
		}
		i = min(i, len(s.runes))
		found = append(found, spotOf(min(start, len(s.runes))))
	}
	return append(found, spotOf(i))
}

// continues tells whether the backslash at i only joins two lines of a double-quoted text.
func (s source) continues(i int) bool {
	return i+1 < len(s.runes) && (s.runes[i+1] == '\n' || s.runes[i+1] == '\r')
}

// escapeLength is the length of the escape that begins with the backslash at i.
func (s source) escapeLength(i int) int {
	if i+1 >= len(s.runes) {
		return 1
	}
	switch s.runes[i+1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	default:
		return 2
	}
}

func blank(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }
