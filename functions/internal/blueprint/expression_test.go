package blueprint_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// evaluator works out what stands between braces: references, numbers, texts, timestamp, emptystring, =, >, +, length and
// if. It is as much of Make's language as our scenarios use; anything else fails the test.
type evaluator struct {
	t       *testing.T
	outputs map[int]map[string]any // what each module that ran has given
	now     float64
	tokens  []string
}

var token = regexp.MustCompile(`\s*(\d+(?:\.[A-Za-z_]\w*)+|\d+|"[^"]*"|[a-z]\w*|[()=>;+])`)

// value is a mapped text with its expressions worked out. A text that is one expression keeps the kind of its value.
func (e *evaluator) value(text string) any {
	if expression.FindString(text) == text && text != "" {
		return e.work(text)
	}
	return expression.ReplaceAllStringFunc(text, func(one string) string { return written(e.work(one)) })
}

// written is how a value is pasted into a text.
func written(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	default:
		return fmt.Sprint(value)
	}
}

func (e *evaluator) work(text string) any {
	inside := strings.TrimSuffix(strings.TrimPrefix(text, "{{"), "}}")
	e.tokens = nil
	rest := token.ReplaceAllStringFunc(inside, func(found string) string {
		e.tokens = append(e.tokens, strings.TrimSpace(found))
		return ""
	})
	value := e.compared()
	if strings.TrimSpace(rest) != "" || len(e.tokens) > 0 {
		e.t.Fatalf("%s is not understood", text)
	}
	return value
}

func (e *evaluator) next() string {
	if len(e.tokens) == 0 {
		return ""
	}
	return e.tokens[0]
}

// take drops the next token, which must be this one when it is named.
func (e *evaluator) take(want string) string {
	got := e.next()
	if got == "" || want != "" && got != want {
		e.t.Fatalf("%q where %q belongs", got, want)
	}
	e.tokens = e.tokens[1:]
	return got
}

func (e *evaluator) compared() any {
	left := e.sum()
	switch e.next() {
	case "=":
		e.take("=")
		return written(left) == written(e.sum())
	case ">":
		e.take(">")
		return number(left) > number(e.sum())
	}
	return left
}

func (e *evaluator) sum() any {
	left := e.single()
	for e.next() == "+" {
		e.take("+")
		left = number(left) + number(e.single())
	}
	return left
}

func (e *evaluator) single() any {
	word := e.take("")
	switch {
	case strings.HasPrefix(word, `"`):
		return strings.Trim(word, `"`)
	case word == "timestamp":
		return e.now
	case word == "emptystring":
		return ""
	case word == "length":
		return float64(len(written(e.arguments(1)[0])))
	case word == "if":
		given := e.arguments(3)
		if given[0] == true {
			return given[1]
		}
		return given[2]
	case word[0] >= '0' && word[0] <= '9' && strings.Contains(word, "."):
		id, path, _ := strings.Cut(word, ".")
		found, _ := field(e.outputs[int(number(id))], path)
		return found
	case word[0] >= '0' && word[0] <= '9':
		return number(word)
	}
	e.t.Fatalf("%q is not understood", word)
	return nil
}

func (e *evaluator) arguments(n int) []any {
	e.take("(")
	var given []any
	for i := range n {
		if i > 0 {
			e.take(";")
		}
		given = append(given, e.compared())
	}
	e.take(")")
	return given
}

func number(value any) float64 {
	n, err := strconv.ParseFloat(written(value), 64)
	if err != nil {
		return 0
	}
	return n
}

// holds says whether a filter or a branch lets something through.
func (e *evaluator) holds(conditions [][]operand) bool {
	for _, all := range conditions {
		every := true
		for _, one := range all {
			every = every && e.compares(one)
		}
		if every {
			return true
		}
	}
	return false
}

func (e *evaluator) compares(one operand) bool {
	a, b := e.value(one.A), any(nil)
	if one.B != nil {
		b = e.value(*one.B)
	}
	switch one.O {
	case "text:equal":
		return written(a) == written(b)
	case "number:greater":
		return number(a) > number(b)
	case "number:greaterorequal":
		return number(a) >= number(b)
	case "notexist":
		return a == nil
	}
	e.t.Fatalf("the comparison %s is not understood", one.O)
	return false
}
