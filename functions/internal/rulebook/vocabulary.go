package rulebook

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions/internal/guess"
)

// field is what fields.yaml says of a column.
type field struct {
	*column
	values     []string // of a choice
	low, high  float64  // of a number, both ends in
	unit       string
	meaning    string // in words
	mayBeEmpty bool
}

// isStatistic tells whether the field is a figure of all customers and not of one.
func (f *field) isStatistic() bool { return f.table == "" }

// fact is what the detection guarantees: whoever fits the condition fits the consequence.
type fact struct {
	name        string
	label       value
	condition   *expression // nil: always
	consequence *expression
}

// vocabulary is what a rule may name.
type vocabulary struct {
	fields []*field
	byName map[string]*field
	facts  []*fact
	vets   *vetting

	trial func() trial // what its expressions are evaluated in; nil: a customer
}

func (v *vocabulary) names() []string {
	names := make([]string, len(v.fields))
	for i, f := range v.fields {
		names[i] = f.name
	}
	return names
}

var (
	nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	idForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
)

// loadVocabulary reads fields.yaml. The vocabulary is never nil, so that the other files are checked as far as it goes.
func loadVocabulary(files fs.FS, out *collector) (*vocabulary, []byte) {
	v := &vocabulary{byName: map[string]*field{}}
	document, data := openDocument(files, fieldsFile, out)
	if document == nil {
		return v, nil
	}
	top := document.root.section("fields", "facts")
	fields := top.need("fields").names("field")
	for _, name := range fields.order {
		v.readField(name, fields.labels[name], fields.keys[name])
	}
	if !fields.missing() {
		for _, name := range fields.order {
			if columnNamed(name) == nil {
				fields.meant = append(fields.meant, guess.Nearest(name, columnNames()))
			}
		}
		for _, c := range columns {
			if fields.labels[c.name].missing() && c.table != "" && !slices.Contains(fields.meant, c.name) {
				fields.report(idMissingKey, fmt.Sprintf("the field %q is missing: the queue carries it", c.name), "")
			}
		}
	}
	v.vets = newVetting(v)
	if facts, has := top.maybe("facts"); has {
		v.readFacts(facts)
	}
	return v, data
}

func (v *vocabulary) readField(name string, label, content value) {
	c := columnNamed(name)
	if c == nil {
		label.report(idUnknownName, fmt.Sprintf("the input tables have no %q", name), didYouMean(name, "fields", columnNames()))
		return
	}
	s := content.section("meaning", "type", "values", "min", "max", "unit", "may_be_empty", "from", "statistic", "of")
	f := &field{column: c}
	if s.missing() {
		return
	}
	typed := s.need("type")
	if word := typed.word("type", texts([]kind{kindChoice, kindWhole, kindAmount, kindYesNo})); word != "" && word != string(c.kind) {
		typed.report(idType, fmt.Sprintf("%s is of type %s, not %s", name, c.kind, word), "")
	}
	v.readOrigin(f, s)
	v.readDomain(f, s)
	if meaning, has := s.maybe("meaning"); has {
		f.meaning = meaning.text()
	}
	if unit, has := s.maybe("unit"); has {
		f.unit = unit.text()
	}
	if empty, has := s.maybe("may_be_empty"); has {
		f.mayBeEmpty = empty.yesNo()
		switch {
		case f.mayBeEmpty && f.isStatistic():
			empty.report(idNotAllowed, "a statistic is never empty", "")
		case f.mayBeEmpty && !c.canBeEmpty:
			empty.report(idNotAllowed, name+" may not be empty: every row of the queue carries it", "")
			f.mayBeEmpty = false
		}
	}
	v.fields = append(v.fields, f)
	v.byName[name] = f
}

// readOrigin reads where a field comes from: a table, or a statistic over a field.
func (v *vocabulary) readOrigin(f *field, s section) {
	if f.isStatistic() {
		if from, has := s.maybe("from"); has {
			from.report(idNotAllowed, f.name+" is a statistic and stands in no table", "write statistic: median, of: total_revenue")
		}
		s.need("statistic").word("statistic", []string{"median"})
		s.need("of").word("field", []string{"total_revenue"})
		return
	}
	for _, key := range []string{"statistic", "of"} {
		if content, has := s.maybe(key); has {
			content.report(idNotAllowed, f.name+" is a column of "+f.table+", not a statistic", "")
		}
	}
	from := s.need("from")
	if table := from.word("table", []string{tableSnapshot, tableChurn, tableBase}); table != "" && table != f.table {
		from.report(idUnknownValue, fmt.Sprintf("%s is read from %s", f.name, f.table), "")
	}
}

// readDomain reads the values of a choice or the bounds of a number.
func (v *vocabulary) readDomain(f *field, s section) {
	for key, fits := range map[string]bool{
		"values": f.kind == kindChoice, "min": f.kind.isNumber(), "max": f.kind.isNumber(), "unit": f.kind.isNumber(),
	} {
		if content, has := s.maybe(key); has && !fits {
			content.report(idNotAllowed, fmt.Sprintf("a %s has no %s", f.kind, key), "")
		}
	}
	switch {
	case f.kind == kindChoice:
		list := s.need("values")
		before := s.faults()
		for _, item := range list.items() {
			word := item.word("value of "+f.name, f.words)
			if word != "" && slices.Contains(f.values, word) {
				item.report(idDuplicateName, word+" stands here twice", "")
			} else if word != "" {
				f.values = append(f.values, word)
			}
		}
		if !list.missing() && len(f.values) == 0 {
			list.report(idType, f.name+" has no values", "valid: "+strings.Join(f.words, ", "))
		}
		if s.faults() > before {
			f.values = f.words // so that the rules are not blamed for it
		}
	case f.kind.isNumber():
		low, high := s.need("min"), s.need("max")
		before := s.faults()
		f.low, f.high = low.numberIn(-maxNumber, maxNumber), high.numberIn(-maxNumber, maxNumber)
		if s.faults() == before && f.low > f.high {
			low.report(idOutOfBounds, fmt.Sprintf("min %s is above max %s", low.raw(), high.raw()), "")
		}
	}
}

// readFacts reads what the detection guarantees.
func (v *vocabulary) readFacts(list value) {
	seen := map[string]bool{}
	scope := &scope{vocabulary: v}
	for _, item := range list.items() {
		s := item.section("fact", "if", "then", "always", "because")
		if s.missing() {
			continue
		}
		f := &fact{label: s.need("fact")}
		f.name = f.label.identifier("fact", seen)
		if because, has := s.maybe("because"); has {
			because.text()
		}
		if always, has := s.maybe("always"); has {
			for _, key := range []string{"if", "then"} {
				if content, also := s.maybe(key); also {
					content.report(idNotAllowed, "a fact has either always, or if and then", "")
				}
			}
			f.consequence = scope.cells(always)
		} else {
			f.condition, f.consequence = scope.cells(s.need("if")), scope.cells(s.need("then"))
			if f.condition == nil {
				continue
			}
		}
		if f.consequence != nil {
			v.facts = append(v.facts, f)
		}
	}
}

// oneOfThem puts the article before a noun.
func oneOfThem(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// identifier reads the name of a rule or a fact: small letters, digits and dashes, each name once.
func (v value) identifier(what string, seen map[string]bool) string {
	name := v.text()
	switch {
	case name == "":
	case !idForm.MatchString(name):
		v.report(idType, fmt.Sprintf("%q cannot name %s", name, oneOfThem(what)), "use small letters, digits and dashes, such as active-high")
	case seen[name]:
		v.report(idDuplicateName, fmt.Sprintf("there are two %ss named %s", what, name), "")
	default:
		seen[name] = true
		return name
	}
	return name
}
