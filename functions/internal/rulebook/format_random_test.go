package rulebook_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// same demands that rules judge customers as a book does.
func same(t *testing.T, before *rulebook.Book, files fs.FS, customers []retention.Customer) {
	t.Helper()
	after, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	one, other := before.NewJudge(money(t, "625")), after.NewJudge(money(t, "625"))
	for i := range customers {
		want, err := one.Judge(&customers[i])
		if err != nil {
			t.Fatal(err)
		}
		got, err := other.Judge(&customers[i])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			text, _ := fs.ReadFile(files, "priority.yaml")
			t.Fatalf("another verdict (-before +after):\n%s\n%s", diff, text)
		}
	}
}

// writer makes up expressions, as tokens, and writes them in some style.
type writer struct{ *rand.Rand }

func (w *writer) pick(of ...string) string { return of[w.IntN(len(of))] }

func list(parts ...any) []string {
	var tokens []string
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			tokens = append(tokens, p)
		case []string:
			tokens = append(tokens, p...)
		}
	}
	return tokens
}

// number makes up a formula that is never below zero by much, and never endless.
func (w *writer) number(depth int) []string {
	if depth == 0 {
		return list(w.pick("total_revenue", "total_orders", "churn_risk_score", "high_value", "2", "0.5", "1000", "median_revenue"))
	}
	switch w.IntN(7) {
	case 0:
		return list("(", w.number(depth-1), w.pick("+", "-", "*"), w.number(depth-1), ")")
	case 1:
		return list(w.pick("min", "max"), "(", w.number(depth-1), ",", w.number(depth-1), ")")
	case 2:
		return list("ln", "(", "1", "+", w.pick("total_revenue", "total_orders"), ")")
	case 3:
		return list("-", w.number(0))
	case 4:
		return list("(", "avg_order_value", "??", w.number(0), ")", "/", "3")
	case 5:
		return list("(", w.condition(depth-1), "?", w.number(depth-1), ":", w.number(0), ")")
	default:
		return list("abs", "(", w.number(depth-1), ")")
	}
}

// condition makes up a condition.
func (w *writer) condition(depth int) []string {
	if depth == 0 {
		return list(w.number(0), w.pick("<", "<=", ">", ">=", "==", "!="), w.number(0))
	}
	switch w.IntN(7) {
	case 0:
		return list("(", w.condition(depth-1), w.pick("and", "&&", "or", "||"), w.condition(depth-1), ")")
	case 1:
		return list(w.pick("not", "!"), "(", w.condition(depth-1), ")")
	case 2:
		return list("churn_risk_level", w.pick("in", "not in"), "[", `"HIGH"`, ",", `'LOW'`, "]")
	case 3:
		return list("retention_status", w.pick("==", "!="), w.pick(`"ACTIVE"`, "'AT_RISK'"))
	case 4:
		return list("avg_order_value", "!=", "nil", w.pick("and", "&&"), "avg_order_value", ">", w.number(depth-1))
	case 5:
		return list(w.pick("not", "!"), "is_value_drop", w.pick("and", "&&", "or", "||"), w.condition(0))
	default:
		return list(w.number(depth-1), w.pick("<", "<=", ">", ">="), w.number(depth-1))
	}
}

// joined puts blanks between tokens: at least one where two words would grow together.
func (w *writer) joined(tokens []string, lines string) string {
	var out strings.Builder
	word := func(text string, at int) bool { return at >= 0 && strings.ContainsAny(text[at:at+1], letters) }
	for i, token := range tokens {
		if i > 0 {
			blanks := w.pick("", "", " ", "  ")
			if word(tokens[i-1], len(tokens[i-1])-1) && word(token, 0) {
				blanks += " "
			}
			if lines != "" && w.IntN(6) == 0 {
				blanks = "\n" + lines
			}
			out.WriteString(blanks)
		}
		out.WriteString(token)
	}
	return out.String()
}

const letters = "abcdefghijklmnopqrstuvwxyz_0123456789."

// scalar writes tokens in one of the styles of YAML.
func (w *writer) scalar(tokens []string, indent string) string {
	switch w.IntN(5) {
	case 0:
		return `'` + strings.ReplaceAll(w.joined(tokens, indent), `'`, `''`) + `'`
	case 1:
		return `"` + strings.ReplaceAll(w.joined(tokens, indent), `"`, `\"`) + `"`
	case 2:
		return "|\n" + indent + w.joined(tokens, indent)
	case 3:
		return ">\n" + indent + w.joined(tokens, indent)
	default:
		text := w.joined(tokens, "")
		if strings.ContainsAny(text[:1], "!-") || strings.Contains(text, ": ") {
			return fmt.Sprintf("'%s'", strings.ReplaceAll(text, `'`, `''`))
		}
		return text
	}
}
