package rulebook

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions/internal/guess"
)

// value is a node of a file together with the file. The zero value stands for one that is missing and was reported:
// reading it gives a zero and reports nothing more.
type value struct {
	doc  *document
	node *yaml.Node
}

func (v value) missing() bool { return v.node == nil }

// report adds an error at the whole value.
func (v value) report(id, message, hint string) {
	v.add(Finding{ID: id, Message: message, Hint: hint})
}

// add adds a finding at the whole value.
func (v value) add(finding Finding) {
	if v.missing() {
		return
	}
	if v.node.Kind == yaml.ScalarNode {
		v.reportPart(0, runeLen(v.node.Value), finding)
		return
	}
	at := spot{v.node.Line, v.node.Column}
	length := 1
	switch {
	case v.node.Style&yaml.FlowStyle != 0:
		length = v.doc.source.bracketed(at)
	case v.node.Kind == yaml.MappingNode && len(v.node.Content) > 0:
		length = runeLen(v.node.Content[0].Value)
	}
	v.doc.reportAt(at, length, finding)
}

// into is the same value with another collector, for what is asked of it after it was read.
func (v value) into(out *collector) value {
	doc := *v.doc
	doc.out = out
	return value{&doc, v.node}
}

// faults counts what was reported so far, to tell whether reading something went well.
func (v value) faults() int {
	if v.missing() {
		return 0
	}
	return len(v.doc.out.findings)
}

// reportPart adds a finding at some characters of a scalar's text.
func (v value) reportPart(from, to int, finding Finding) {
	if v.missing() {
		return
	}
	places := v.doc.source.places(v.node)
	from = min(max(from, 0), len(places)-1)
	to = min(max(to, from), len(places)-1)
	at, length := places[from], 1
	if to > from {
		if last := places[to-1]; last.line == at.line {
			length = last.column - at.column + 1
		} else {
			length = runeLen(v.doc.source.line(at.line))
		}
	}
	v.doc.reportAt(at, length, finding)
}

// isScalar tells whether the value is one word, number or text.
func (v value) isScalar() bool { return !v.missing() && v.node.Kind == yaml.ScalarNode }

// isEmpty tells whether nothing stands after the key.
func (v value) isEmpty() bool {
	return v.isScalar() && strings.TrimSpace(v.node.Value) == "" && v.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0
}

// raw is the decoded text of a scalar.
func (v value) raw() string {
	if !v.isScalar() {
		return ""
	}
	return v.node.Value
}

// section is a map whose keys were checked.
type section struct {
	value
	keys   map[string]value // the value of each key
	labels map[string]value // the key itself, to point at
	order  []string
	meant  []string // keys that an unknown one most likely stands for
}

// section reads a map with these keys and no other.
func (v value) section(known ...string) section {
	s := v.names("key")
	for _, name := range s.order {
		if !slices.Contains(known, name) {
			s.labels[name].report(idUnknownKey, fmt.Sprintf("unknown key %q", name), didYouMean(name, "keys here", known))
			s.meant = append(s.meant, guess.Nearest(name, known))
		}
	}
	return s
}

// names reads a map with keys of any name. What says what the keys are.
func (v value) names(what string) section {
	s := section{value: v, keys: map[string]value{}, labels: map[string]value{}}
	if v.missing() {
		return s
	}
	if v.node.Kind != yaml.MappingNode {
		message := "expected a map (key: value)"
		if v.isEmpty() {
			message = "nothing stands here: expected a map (key: value)"
		}
		v.report(idType, message, "")
		s.value = value{}
		return s
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, content := value{v.doc, v.node.Content[i]}, value{v.doc, v.node.Content[i+1]}
		name := key.raw()
		if !key.isScalar() || name == "" {
			key.report(idType, "a "+what+" must be one word", "")
			continue
		}
		if first, twice := s.labels[name]; twice {
			key.report(idDuplicateKey, fmt.Sprintf("%s %q stands here twice", what, name),
				fmt.Sprintf("the first one is in line %d", first.node.Line))
			continue
		}
		s.keys[name], s.labels[name] = content, key
		s.order = append(s.order, name)
	}
	return s
}

// need gives the value of a key and reports when it is not there.
func (s section) need(key string) value {
	if content, has := s.keys[key]; has {
		return content
	}
	if !slices.Contains(s.meant, key) {
		s.report(idMissingKey, fmt.Sprintf("the key %q is missing", key), "")
	}
	return value{}
}

// maybe gives the value of a key that may be left out.
func (s section) maybe(key string) (value, bool) {
	content, has := s.keys[key]
	return content, has
}

// items reads a list.
func (v value) items() []value {
	if v.missing() {
		return nil
	}
	if v.node.Kind != yaml.SequenceNode {
		v.report(idType, "expected a list", "write [X, Y], or one line for each item that begins with a dash")
		return nil
	}
	items := make([]value, len(v.node.Content))
	for i, node := range v.node.Content {
		items[i] = value{v.doc, node}
	}
	return items
}

// The longest sentence that goes into a row, a ticket or a brief.
const maxText = 300

// text reads a text that is not empty.
func (v value) text() string {
	switch {
	case v.missing():
		return ""
	case !v.isScalar():
		v.report(idType, "expected a text", "")
		return ""
	case strings.TrimSpace(v.node.Value) == "":
		hint := ""
		if v.isEmpty() {
			hint = "a text that begins with # needs quotes"
		}
		v.report(idType, "the text is empty", hint)
		return ""
	case runeLen(v.node.Value) > maxText:
		v.report(idTooLong, fmt.Sprintf("the text is longer than %d characters", maxText), "")
		return ""
	}
	return strings.TrimSpace(v.node.Value)
}

// mayBeEmptyText reads a text that may be "".
func (v value) mayBeEmptyText() string {
	if v.isScalar() && v.node.Value == "" {
		return ""
	}
	return v.text()
}

// word reads one of the valid words.
func (v value) word(what string, valid []string) string {
	if v.missing() {
		return ""
	}
	if !v.isScalar() || v.isEmpty() {
		v.report(idType, "expected one word: "+what, "valid: "+strings.Join(valid, ", "))
		return ""
	}
	word := v.node.Value
	if !slices.Contains(valid, word) {
		v.report(idUnknownValue, fmt.Sprintf("unknown %s %q", what, word), didYouMean(word, "valid", valid))
		return ""
	}
	return word
}

// yesNo reads yes or no; true and false are the same.
func (v value) yesNo() bool {
	if v.missing() {
		return false
	}
	v.spelled(asYesNo, nil)
	yes, known := yesOrNo(v.raw())
	if !known {
		v.report(idType, "expected yes or no", "")
	}
	return yes
}

func yesOrNo(word string) (yes, known bool) {
	switch word {
	case "yes", "true":
		return true, true
	case "no", "false":
		return false, true
	default:
		return false, false
	}
}

// The largest number that a rule file may hold, and what a number looks like. The library reads 010 as 8 and 1_000 as
// 1000; here a number means what a person reads.
const maxNumber = 1e12

var (
	numberForm   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
	groupedForm  = regexp.MustCompile(`^-?[0-9]{1,3}([,_' ][0-9]{3})+(\.[0-9]+)?$`)
	exponentForm = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+$`)
	zeroForm     = regexp.MustCompile(`^-?0[0-9]+(\.[0-9]+)?$`)
)

// readNumber reads a number, or says what is wrong with its form.
func readNumber(text string) (number float64, fault, hint string) {
	switch {
	case numberForm.MatchString(text):
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Abs(number) > maxNumber {
			return 0, fmt.Sprintf("%s is too large a number", text), "numbers go up to 1000000000000"
		}
		return number, "", ""
	case groupedForm.MatchString(text):
		plain := strings.NewReplacer(",", "", "_", "", "'", "", " ", "").Replace(text)
		return 0, fmt.Sprintf("write %s, not %s", plain, text), ""
	case zeroForm.MatchString(text):
		return 0, fmt.Sprintf("the number %s begins with 0", text), "write it without the 0 in front"
	case exponentForm.MatchString(text):
		return 0, fmt.Sprintf("write the number %s out", text), "such as 1000 for 1e3"
	default:
		return 0, fmt.Sprintf("%q is not a number", text), ""
	}
}

// numberIn reads a number between two bounds.
func (v value) numberIn(low, high float64) float64 {
	if v.missing() {
		return 0
	}
	if !v.isScalar() || v.isEmpty() {
		v.report(idType, "expected a number", "")
		return 0
	}
	number, fault, hint := readNumber(v.node.Value)
	if fault != "" {
		v.report(idType, fault, hint)
		return 0
	}
	if number < low || number > high {
		v.report(idOutOfBounds, fmt.Sprintf("%s is not between %s and %s", v.node.Value, plainNumber(low), plainNumber(high)), "")
		return 0
	}
	return number
}

// wholeIn reads a whole number between two bounds.
func (v value) wholeIn(low, high int) int {
	number := v.numberIn(float64(low), float64(high))
	if number != math.Trunc(number) {
		v.report(idType, fmt.Sprintf("%s is not a whole number", v.node.Value), "")
		return 0
	}
	return int(number)
}

// exactIn reads a number between two bounds without going through a float.
func (v value) exactIn(low, high float64) decimal.Decimal {
	v.numberIn(low, high)
	if exact, err := decimal.NewFromString(v.raw()); err == nil && numberForm.MatchString(v.raw()) {
		return exact
	}
	return decimal.Decimal{}
}

var durationForm = regexp.MustCompile(`^([1-9][0-9]{0,3}) (minute|hour|day)s?$`)

// duration reads a time such as "24 hours".
func (v value) duration() time.Duration {
	if v.missing() {
		return 0
	}
	parts := durationForm.FindStringSubmatch(v.raw())
	if parts == nil {
		v.report(idType, fmt.Sprintf("%q is not a time", v.raw()), "write a number and minutes, hours or days, such as 24 hours")
		return 0
	}
	count, _ := strconv.Atoi(parts[1]) // the pattern lets only digits pass
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[parts[2]]
	return time.Duration(count) * unit
}

// plainNumber writes a number as a person would: no exponent, no needless zeros.
func plainNumber(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }
