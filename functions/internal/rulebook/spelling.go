package rulebook

import (
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
	"gopkg.in/yaml.v3"
)

// reading is how a scalar is read, where the same can be written in several ways.
type reading int

const (
	asExpression reading = iota
	asCell
	asYesNo
)

// spelling is a scalar that may be written in several ways, as the loader met it.
type spelling struct {
	value
	as    reading
	field *field // of a cell
}

// spelled notes a scalar for fmt. Loading alone has no use for it.
func (v value) spelled(as reading, f *field) {
	if out := v.doc.out; out.noting && v.isScalar() {
		out.spellings = append(out.spellings, spelling{v, as, f})
	}
}

// edit replaces some characters of a file.
type edit struct {
	from, to int // in characters of the source
	text     string
}

// edits are what must be replaced in the file so that the scalar is spelt the usual way; none when it is.
func (s spelling) edits() []edit {
	places := s.doc.source.places(s.node)
	raw := func(at int) int { return s.doc.source.index(places[at]) }
	if s.as == asExpression {
		return s.expression(raw)
	}
	usual := s.usualWord()
	end := raw(runeLen(s.raw()))
	start := s.doc.source.index(spot{s.node.Line, s.node.Column})
	switch {
	case usual == s.raw(), !plainForm.MatchString(usual):
		return nil
	case s.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0, slices.Contains(s.doc.source.runes[start:end], '\n'):
		return nil // somebody laid it out over several lines
	case s.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		end++ // the usual spelling needs no quotes
	}
	return []edit{{start, end, usual}}
}

// plainForm is what stands in a file without quotes and means itself.
var plainForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+( [A-Za-z0-9_.-]+)*$`)

// usualWord is a cell, or a yes or no, in its usual spelling.
func (s spelling) usualWord() string {
	if s.as == asYesNo {
		return usualYesNo(s.raw())
	}
	words := strings.Fields(s.raw())
	negations := 0
	for negations < len(words) && words[negations] == "not" {
		negations++
	}
	phrase := strings.Join(words[negations:], " ")
	switch {
	case s.field.kind == kindYesNo:
		phrase = usualYesNo(phrase)
	case s.field.kind.isNumber():
		phrase = usualPhrase(phrase)
	}
	return strings.Join(append(words[:negations:negations], phrase), " ")
}

func usualYesNo(word string) string {
	switch strings.ToLower(word) {
	case "yes", "true":
		return "yes"
	case "no", "false":
		return "no"
	default:
		return word
	}
}

// signForm is a comparison with a sign, as other languages write it.
var signForm = regexp.MustCompile(`^(>=|<=|==|=|>|<) ?([A-Za-z0-9_.-]+)$`)

// usualPhrase spells a condition on a number in words.
func usualPhrase(phrase string) string {
	if parts := signForm.FindStringSubmatch(phrase); parts != nil {
		for _, form := range comparisons {
			if form.operator == parts[1] {
				return strings.Join(form.words, " ") + " " + parts[2]
			}
		}
		return parts[2] // equal to it
	}
	if from, to, is := rangeOf(phrase, partsOf(phrase)); is {
		return from.text + ".." + to.text
	}
	return phrase
}

// usualOperators are the signs that have a word.
var usualOperators = map[string]string{"&&": "and", "||": "or", "!": "not"}

// expression spells an expression the usual way: one blank around an operator, words for and, or, not. Where the text
// goes on in another line it stays so.
func (s spelling) expression(raw func(at int) int) []edit {
	text := s.raw()
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil || runeLen(text) > maxExpression {
		return nil
	}
	var edits []edit
	replace := func(from, to int, text string) {
		if from, to = raw(from), raw(to); string(s.doc.source.runes[from:to]) != text {
			edits = append(edits, edit{from, to, text})
		}
	}
	var left lexer.Token
	unary := false // left is a sign or a not before what it belongs to
	for i, token := range tokens {
		from := 0
		if i > 0 {
			from = left.To
		}
		if token.Kind == lexer.EOF {
			token.From = runeLen(text)
		}
		gap := s.doc.source.runes[raw(from):raw(token.From)]
		switch {
		case slices.ContainsFunc(gap, func(r rune) bool { return !blank(r) }):
			return nil // more than blanks: an escape, or a comment that is reported
		case slices.Contains(gap, '\n'):
		case (i == 0 || token.Kind == lexer.EOF) && s.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0:
			// blanks around a text without quotes belong to the file
		case i == 0 || token.Kind == lexer.EOF:
			replace(from, token.From, "")
		case s.node.Style == 0 && (token.Value == ":" || left.Value == ":"):
			// a colon with a blank would make a map of it
		default:
			replace(from, token.From, usualGap(left, token, unary))
		}
		if word, has := usualOperators[token.Value]; has && token.Kind == lexer.Operator {
			replace(token.From, token.To, word)
		}
		unary = token.Is(lexer.Operator, "-", "+", "!", "not") &&
			(i == 0 || left.Kind == lexer.Operator || left.Is(lexer.Bracket, "(", "["))
		left = token
	}
	return edits
}

// usualGap is what stands between two tokens.
func usualGap(left, right lexer.Token, unary bool) string {
	switch {
	case left.Is(lexer.Bracket, "(", "["), right.Is(lexer.Bracket, ")", "]"), right.Is(lexer.Operator, ","):
		return ""
	case left.Kind == lexer.Identifier && right.Is(lexer.Bracket, "("): // a call
		return ""
	case unary && left.Is(lexer.Operator, "-", "+"):
		return ""
	default:
		return " "
	}
}
