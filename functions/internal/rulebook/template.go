package rulebook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/retentionops/retentionops/functions/internal/retention"
)

// template is a text with {field} in it, split once.
type template struct{ pieces []piece }

// piece is a fixed text, or a field whose value stands there.
type piece struct {
	text  string
	field *field
}

// template reads a text in which {field} and {parameter} stand for values.
func (s *scope) template(v value) template {
	var t template
	if v.text() == "" {
		return t
	}
	text := []rune(v.raw())
	fixed := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			end := slices.Index(text[i:], '}')
			if end < 0 {
				v.reportPart(i, i+1, Finding{ID: idBadPlaceholder, Message: "this { is not closed", Hint: "write {total_revenue}"})
				return t
			}
			t.pieces = append(t.pieces, piece{text: string(text[fixed:i])})
			name := string(text[i+1 : i+end])
			if p, ok := s.placeholder(name); ok {
				t.pieces = append(t.pieces, p)
			} else {
				names := append(s.vocabulary.names(), sortedKeys(s.parameters)...)
				v.reportPart(i, i+end+1, Finding{
					ID: idBadPlaceholder, Message: fmt.Sprintf("nothing is named %q", name), Hint: didYouMean(name, "names here", names),
				})
			}
			i += end
			fixed = i + 1
		case '}':
			v.reportPart(i, i+1, Finding{ID: idBadPlaceholder, Message: "this } closes nothing", Hint: "write {total_revenue}"})
			return t
		}
	}
	t.pieces = append(t.pieces, piece{text: string(text[fixed:])})
	return t.trimmed()
}

// trimmed is the template without blanks around it and without empty pieces.
func (t template) trimmed() template {
	if len(t.pieces) == 0 {
		return t
	}
	last := len(t.pieces) - 1
	t.pieces[0].text = strings.TrimLeft(t.pieces[0].text, " \n")
	t.pieces[last].text = strings.TrimRight(t.pieces[last].text, " \n")
	t.pieces = slices.DeleteFunc(t.pieces, func(p piece) bool { return p.field == nil && p.text == "" })
	return t
}

// String is the text as it stands in the file, with parameters filled in.
func (t template) String() string {
	var out strings.Builder
	for _, p := range t.pieces {
		out.WriteString(p.text)
		if p.field != nil {
			out.WriteString("{" + p.field.name + "}")
		}
	}
	return out.String()
}

func (s *scope) placeholder(name string) (piece, bool) {
	if p := s.parameters[name]; p != nil {
		p.used = true
		return piece{text: p.text}, true
	}
	f := s.vocabulary.byName[name]
	return piece{field: f}, f != nil
}

// write appends the text for a customer. The median is the statistic, as everything else is the customer's own.
func (t template) write(to []byte, c *retention.Customer, median string) []byte {
	for _, p := range t.pieces {
		if p.field == nil {
			to = append(to, p.text...)
			continue
		}
		to = p.field.write(to, c, median)
	}
	return to
}

// unknownValue stands in a text for a field that is empty.
const unknownValue = "unknown"

// write appends the value of a field as a person reads it: amounts with two decimals.
func (f *field) write(to []byte, c *retention.Customer, median string) []byte {
	switch {
	case f.choice != nil:
		if word := f.choice(c); word.Valid {
			return append(to, word.V...)
		}
	case f.whole != nil:
		if whole := f.whole(c); whole.Valid {
			return strconv.AppendInt(to, whole.V, 10)
		}
	case f.yes != nil:
		switch yes := f.yes(c); {
		case yes.Valid && yes.V:
			return append(to, "yes"...)
		case yes.Valid:
			return append(to, "no"...)
		}
	case f.amount != nil:
		if amount := f.amount(c); amount.Valid {
			return append(to, amount.V.StringFixed(2)...)
		}
	default:
		return append(to, median...)
	}
	return append(to, unknownValue...)
}
