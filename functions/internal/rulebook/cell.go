package rulebook

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions/internal/guess"
)

// part is a word of a cell, with the characters it takes.
type part struct {
	text     string
	from, to int
}

// maxCellWords bounds a cell: the longest form, "not at least low .. high", is much shorter.
const maxCellWords = 8

// partsOf splits a text at blanks.
func partsOf(text string) []part {
	var parts []part
	runes := []rune(text)
	for i := 0; i < len(runes); {
		if blank(runes[i]) {
			i++
			continue
		}
		from := i
		for i < len(runes) && !blank(runes[i]) {
			i++
		}
		parts = append(parts, part{string(runes[from:i]), from, i})
	}
	return parts
}

// condition reads what stands after `when`: a map of cells, or one line of expression.
func (s *scope) condition(v value) *expression {
	switch {
	case v.missing():
		return nil
	case v.node.Kind == yaml.MappingNode:
		return s.cells(v)
	case v.isScalar():
		return s.compile(v, kindYesNo)
	default:
		v.report(idType, "expected a condition", "write {field: value, …}, or one line such as total_revenue > 2000")
		return nil
	}
}

// cells reads a map of field and cell. It means that all of them hold, and it becomes an expression, so that a cell and
// an expression have one meaning.
func (s *scope) cells(v value) *expression {
	m := v.names("field")
	if m.missing() {
		return nil
	}
	if len(m.order) == 0 {
		v.report(idType, "the condition is empty", "write {field: value, …}; who fits every customer is written when: true")
		return nil
	}
	conditions, sound := make([]string, 0, len(m.order)), true
	for _, name := range m.order {
		f := s.vocabulary.byName[name]
		if f == nil {
			s.unknownField(name, m.labels[name])
			sound = false
			continue
		}
		condition, ok := s.cell(f, m.keys[name])
		conditions = append(conditions, condition)
		sound = sound && ok
	}
	if !sound {
		return nil
	}
	return s.compileText(strings.Join(conditions, " and "), v, kindYesNo)
}

// unknownField reports the name of a cell that is no field.
func (s *scope) unknownField(name string, label value) {
	switch {
	case s.parameters[name] != nil:
		label.report(idUnknownName, name+" is a parameter, not a field", "a condition begins with a field: "+strings.Join(s.vocabulary.names(), ", "))
	case slices.ContainsFunc([]rune(name), func(r rune) bool { return r < '0' || r > '9' }):
		label.report(idUnknownName, fmt.Sprintf("unknown name %q", name), s.meant(name, "fields", s.vocabulary.names()))
	default:
		label.report(idUnknownName, fmt.Sprintf("%s is no field: in { } a comma ends a number", name), "write 1000, not 1,000")
	}
}

// cell reads one cell and gives its expression.
func (s *scope) cell(f *field, v value) (expression string, ok bool) {
	switch {
	case v.missing():
		return "", false
	case v.node.Kind == yaml.SequenceNode:
		return s.oneOf(f, v)
	case !v.isScalar() || v.isEmpty():
		v.report(idType, "expected a value of "+f.name, s.cellHint(f))
		return "", false
	}
	v.spelled(asCell, f)
	parts := partsOf(v.raw())
	switch {
	case len(parts) == 0:
		v.report(idType, "expected a value of "+f.name, s.cellHint(f))
		return "", false
	case len(parts) > maxCellWords:
		v.report(idTooLong, fmt.Sprintf("a cell has at most %d words", maxCellWords), s.cellHint(f))
		return "", false
	}
	return s.phrase(f, v, parts)
}

// phrase reads the words of a cell.
func (s *scope) phrase(f *field, v value, parts []part) (expression string, ok bool) {
	switch first := parts[0]; {
	case first.text == "not" && len(parts) > 1:
		inner, ok := s.phrase(f, v, parts[1:])
		if f.mayBeEmpty && parts[1].text != "empty" {
			return fmt.Sprintf("(%s != nil and not (%s))", f.name, inner), ok // an empty field fits no cell but `empty`
		}
		return "not (" + inner + ")", ok
	case first.text == "empty" && len(parts) == 1:
		if !f.mayBeEmpty {
			v.reportPart(first.from, first.to, Finding{
				ID: idNotAllowed, Message: f.name + " is never empty", Hint: "fields.yaml says which fields may be empty",
			})
			return "", false
		}
		return f.name + " == nil", true
	case f.kind == kindChoice:
		return s.choiceCell(f, v, parts)
	case f.kind == kindYesNo:
		yes, known := yesOrNo(first.text)
		if !known || len(parts) > 1 {
			s.badCell(f, v, parts, fmt.Sprintf("%q is neither yes nor no", v.raw()))
			return "", false
		}
		return f.name + " == " + strconv.FormatBool(yes), true
	default:
		return s.numberCell(f, v, parts)
	}
}

func (s *scope) choiceCell(f *field, v value, parts []part) (expression string, ok bool) {
	word := parts[0].text
	switch {
	case len(parts) > 1:
		s.badCell(f, v, parts, fmt.Sprintf("expected one value of %s", f.name))
		return "", false
	case !slices.Contains(f.values, word):
		v.reportPart(parts[0].from, parts[0].to, neverThat(f, word))
		return "", false
	}
	return f.name + " == " + strconv.Quote(word), true
}

// neverThat is the finding on a word that is no value of a choice.
func neverThat(f *field, word string) Finding {
	message := fmt.Sprintf("%s is never %q; it is one of %s", f.name, word, strings.Join(f.values, ", "))
	finding := Finding{ID: idUnknownValue, Message: message}
	if near := guess.Nearest(word, f.values); near != "" {
		finding.Hint = "did you mean " + near + "?"
	}
	return finding
}

// oneOf reads a list: any of its values.
func (s *scope) oneOf(f *field, v value) (expression string, ok bool) {
	items := v.items()
	if len(items) == 0 {
		v.report(idType, "the list is empty: nobody fits it", s.cellHint(f))
		return "", false
	}
	var conditions []string
	ok = true
	for _, item := range items {
		if !item.isScalar() || item.isEmpty() || len(partsOf(item.raw())) != 1 || f.kind == kindYesNo {
			item.report(idType, "expected one value of "+f.name, s.cellHint(f))
			ok = false
			continue
		}
		condition, sound := s.cell(f, item)
		if slices.Contains(conditions, condition) && sound {
			item.report(idDuplicateName, item.raw()+" stands here twice", "")
			ok = false
		}
		conditions, ok = append(conditions, condition), ok && sound
	}
	return "(" + strings.Join(conditions, " or ") + ")", ok
}

// comparisons are the word forms of a number cell.
var comparisons = []struct {
	words    []string
	operator string
}{
	{[]string{"over"}, ">"},
	{[]string{"at", "least"}, ">="},
	{[]string{"below"}, "<"},
	{[]string{"up", "to"}, "<="},
}

func (s *scope) numberCell(f *field, v value, parts []part) (expression string, ok bool) {
	for _, form := range comparisons {
		n := len(form.words)
		if len(parts) != n+1 || !slices.EqualFunc(parts[:n], form.words, func(p part, w string) bool { return p.text == w }) {
			continue
		}
		operand, _, ok := s.operand(f, v, parts[n])
		return s.guarded(f, f.name+" "+form.operator+" "+operand), ok
	}
	if from, to, is := rangeOf(v.raw(), parts); is {
		return s.between(f, v, from, to)
	}
	if len(parts) > 1 {
		s.badCell(f, v, parts, fmt.Sprintf("%q is no condition on a number", v.raw()))
		return "", false
	}
	operand, _, ok := s.operand(f, v, parts[0])
	return s.guarded(f, f.name+" == "+operand), ok
}

// guarded makes a comparison false for an empty field.
func (s *scope) guarded(f *field, comparison string) string {
	if f.mayBeEmpty {
		return fmt.Sprintf("(%s != nil and %s)", f.name, comparison)
	}
	return comparison
}

// rangeOf finds the two ends of a range such as 1000..2000, with or without blanks around the dots.
func rangeOf(text string, parts []part) (from, to part, is bool) {
	if len(parts) == 0 || strings.Count(text, "..") != 1 {
		return from, to, false
	}
	runes := []rune(text)
	dots := runeLen(text[:strings.Index(text, "..")])
	left, right := partsOf(string(runes[parts[0].from:dots])), partsOf(string(runes[dots+2:parts[len(parts)-1].to]))
	if len(left) != 1 || len(right) != 1 {
		return from, to, false
	}
	from, to = left[0], right[0]
	from.from, from.to = from.from+parts[0].from, from.to+parts[0].from
	to.from, to.to = to.from+dots+2, to.to+dots+2
	return from, to, true
}

func (s *scope) between(f *field, v value, from, to part) (expression string, ok bool) {
	low, lowest, okLow := s.operand(f, v, from)
	high, highest, okHigh := s.operand(f, v, to)
	if okLow && okHigh && lowest.low > highest.high {
		v.reportPart(from.from, to.to, Finding{
			ID: idNeverMatches, Message: fmt.Sprintf("nobody lies between %s and %s", from.text, to.text), Hint: "the smaller number comes first",
		})
		return "", false
	}
	return s.guarded(f, fmt.Sprintf("(%s >= %s and %s <= %s)", f.name, low, f.name, high)), okLow && okHigh
}

// operand reads a number, a parameter or a number field, and says what range it lies in.
func (s *scope) operand(f *field, v value, p part) (text string, within interval, ok bool) {
	if parameter := s.parameters[p.text]; parameter != nil {
		parameter.used = true
		return p.text, only(parameter.number), true
	}
	if other := s.vocabulary.byName[p.text]; other != nil {
		switch {
		case !other.kind.isNumber():
			v.reportPart(p.from, p.to, Finding{ID: idType, Message: fmt.Sprintf("%s is a %s, not a number", p.text, other.kind)})
			return "", within, false
		case other.mayBeEmpty:
			v.reportPart(p.from, p.to, Finding{
				ID: idMayBeEmpty, Message: p.text + " can be empty here", Hint: fmt.Sprintf("write an expression with (%s ?? 0)", p.text),
			})
			return "", within, false
		}
		return p.text, interval{other.low, other.high}, true
	}
	if nameForm.MatchString(p.text) {
		v.reportPart(p.from, p.to, Finding{
			ID: idUnknownName, Message: fmt.Sprintf("unknown name %q", p.text), Hint: didYouMean(p.text, "numbers here", s.numbers()),
		})
		return "", within, false
	}
	number, fault, hint := readNumber(p.text)
	if fault != "" {
		if hint == "" && !groupedForm.MatchString(p.text) {
			hint = s.cellHint(f)
		}
		v.reportPart(p.from, p.to, Finding{ID: idType, Message: fault, Hint: hint})
		return "", within, false
	}
	return p.text, only(number), true
}

// numbers names what a number cell may compare with.
func (s *scope) numbers() []string {
	names := slices.Sorted(maps.Keys(s.parameters))
	for _, f := range s.vocabulary.fields {
		if f.kind.isNumber() && !f.mayBeEmpty {
			names = append(names, f.name)
		}
	}
	return names
}

// strangers are forms of other languages, each with ours.
var strangers = map[string]string{
	">": "over", "above": "over", "more": "over", "greater": "over", "exceeds": "over", ">=": "at least", "from": "at least", "min": "at least",
	"<": "below", "under": "below", "less": "below", "<=": "up to", "most": "up to", "max": "up to", "until": "up to",
	"between": "low..high", "-": "low..high", "to": "low..high", "=": "the number alone", "==": "the number alone",
}

// badCell reports a cell that has none of the forms, with the form that was likely meant.
func (s *scope) badCell(f *field, v value, parts []part, message string) {
	hint := s.cellHint(f)
	if f.kind.isNumber() {
		for _, p := range parts {
			if ours, known := strangers[strings.ToLower(p.text)]; known {
				hint = "write " + ours + "; " + hint
				break
			}
		}
	}
	v.reportPart(parts[0].from, parts[len(parts)-1].to, Finding{ID: idType, Message: message, Hint: hint})
}

// cellHint says what may stand in a cell of the field.
func (s *scope) cellHint(f *field) string {
	var forms string
	switch f.kind {
	case kindChoice:
		forms = "valid: " + strings.Join(f.values, ", ") + "; several: [" + strings.Join(f.values[:min(2, len(f.values))], ", ") + "]; all but one: not X"
	case kindYesNo:
		forms = "valid: yes, no"
	default:
		forms = "forms: 5, over 5, at least 5, below 5, up to 5, 5..10; a parameter may stand for the number"
	}
	if f.mayBeEmpty {
		forms += ", empty, not empty"
	}
	return forms
}
