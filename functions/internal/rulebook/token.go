package rulebook

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// maxNesting is how deep parentheses may lie in one another. The parser calls itself for each, and a stack that
// overflows kills the process, so this is counted before it begins.
const maxNesting = 50

// strangeOperators are operators of expr that rules do not have, each with what to write instead.
var strangeOperators = map[string]string{
	"..": "a range holds whole numbers only: write x >= 1000 and x <= 2000, or the cell 1000..2000",
	"|":  "write the call as f(x)", "?.": "there is nothing to reach into", "?:": "write c ? a : b",
	"%": "there is no remainder of a division", "**": "there is no power: write x * x", "^": "there is no power: write x * x",
	"matches": "a choice is compared with ==, or with in [\"X\", \"Y\"]", "contains": "a choice is compared with ==, or with in [\"X\", \"Y\"]",
	"startsWith": "a choice is compared with ==, or with in [\"X\", \"Y\"]", "endsWith": "a choice is compared with ==, or with in [\"X\", \"Y\"]",
	";": "a condition is one expression", "#": "a comment stands behind the text, outside of its quotes", "::": "",
	"let": "a condition is one expression; a number with a name is a parameter", "if": "write c ? a : b", "else": "write c ? a : b",
	".": "there is nothing to reach into", "{": "", "}": "",
}

// numbersOnly are hints for where there are only numbers, and nothing has a name of its own.
var numbersOnly = map[string]string{
	"..": "write x >= 2 and x <= 3", "%": "write the number alone: a rate is in percent", "matches": "a figure is a number", "contains": "a figure is a number",
	"startsWith": "a figure is a number", "endsWith": "a figure is a number", "let": "a condition is one expression",
}

// readTokens reports what people write who know another language, at its place and in words. It gives false when the
// text is not worth parsing.
func (c *check) readTokens(text string) bool {
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		c.syntaxError(text, err)
		return false
	}
	runes, depth, end, before := []rune(text), 0, 0, len(*c.faults)
	for i, token := range tokens {
		if at := slices.Index(runes[min(end, token.From):min(max(token.From, end), len(runes))], '/'); at >= 0 {
			c.fault(end+at, token.From, idNotAllowed, "comments inside an expression are not allowed", "write # and the comment behind the text, outside of its quotes")
		}
		skipped := token.From < end // the second half of a number that was reported
		end = max(end, token.To)
		var next lexer.Token
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		switch {
		case token.Is(lexer.Bracket, "(", "[", "{"):
			if depth++; depth > maxNesting {
				c.fault(token.From, token.To, idTooLong, fmt.Sprintf("parentheses lie more than %d deep in one another", maxNesting), "")
				return false
			}
		case token.Is(lexer.Bracket):
			depth--
		}
		if skipped {
			continue
		}
		known := len(*c.faults)
		end = max(end, c.readToken(token, next, depth))
		if len(*c.faults) > known && token.Is(lexer.Operator, "let", "if") || token.Is(lexer.Bracket, "{") {
			return false // what follows is another language
		}
	}
	return len(*c.faults) == before
}

var threeDigits = regexp.MustCompile(`^[0-9]{3}$`)

// readToken looks at one token and the next. It gives the end of what it reported, when that is more than the token.
func (c *check) readToken(token, next lexer.Token, depth int) (end int) {
	adjacent := token.To == next.From
	hint, strange := strangeOperators[token.Value]
	if other, has := numbersOnly[token.Value]; has && !c.scope.ofCustomers() {
		hint = other
	}
	switch {
	case token.Is(lexer.Operator, "=") && adjacent && next.Is(lexer.Operator, ">", "<"):
		c.fault(token.From, next.To, idYAML, fmt.Sprintf("write %s=, not =%s", next.Value, next.Value), "")
	case token.Is(lexer.Operator, "="):
		c.fault(token.From, token.To, idYAML, "use == to compare", "")
	case token.Is(lexer.Operator, "<") && adjacent && next.Is(lexer.Operator, ">"):
		c.fault(token.From, next.To, idYAML, "write !=, not <>", "")
	case token.Kind == lexer.Identifier && isUpperConnective(token.Value):
		c.fault(token.From, token.To, idYAML, "write and / or / not in lower case", "")
	case token.Kind == lexer.Bytes:
		c.fault(token.From, token.To, idNotAllowed, "bytes are not allowed", "write the text in quotes alone")
	case token.Kind == lexer.Number:
		if adjacent && next.Is(lexer.Operator, ",") {
			if end := c.groupedNumber(token, depth); end > 0 {
				return end
			}
		}
		if _, wrong, hint := readNumber(token.Value); wrong != "" {
			c.fault(token.From, token.To, idType, wrong, hint)
		}
	case strange && (token.Kind == lexer.Operator || token.Kind == lexer.Bracket):
		c.fault(token.From, token.To, idNotAllowed, fmt.Sprintf("%s is not allowed here", token.Value), hint)
	}
	return 0
}

// groupedNumber reports a number such as 1,000, which an expression reads as two, and gives its end. Between
// parentheses 1,000 may be two values, unless the second would begin with 0.
func (c *check) groupedNumber(token lexer.Token, depth int) (end int) {
	after := string(c.text[token.To+1:])
	digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
	if !threeDigits.MatchString(digits) || len(token.Value) > 3 || depth > 0 && digits[0] != '0' {
		return 0
	}
	end = token.To + 1 + len(digits)
	c.fault(token.From, end, idType, fmt.Sprintf("write %s%s, not %s,%s", token.Value, digits, token.Value, digits), "")
	return end
}

func isUpperConnective(word string) bool {
	lower := strings.ToLower(word)
	return word != lower && (lower == "and" || lower == "or" || lower == "not")
}

var unexpectedToken = regexp.MustCompile(`^unexpected token (\w+)(?:\("(.*)"\))?$`)

// syntaxError reports the first fault that expr found in an expression, in our words.
func (c *check) syntaxError(text string, err error) {
	var fault *file.Error
	if !errors.As(err, &fault) {
		c.fault(0, runeLen(text), idYAML, err.Error(), "")
		return
	}
	message, hint := fault.Message, ""
	switch parts := unexpectedToken.FindStringSubmatch(message); {
	case parts != nil && parts[1] == "EOF":
		message, hint = "the expression ends too early", "a value is missing at the end, or a closing bracket"
	case parts != nil:
		message = fmt.Sprintf("%s is not expected here", strings.ReplaceAll(parts[2], `\"`, `"`))
	case strings.Contains(message, "literal not terminated"):
		message = "a text that begins with a quote does not end"
	case strings.Contains(message, "unrecognized character"):
		message = "this sign is not expected here"
		if c.scope.ofCustomers() {
			hint = `texts stand in quotes: "ACTIVE"`
		}
	case strings.Contains(message, "cannot be mixed"):
		message = "?? needs parentheses around it beside another operator"
		if c.scope.ofCustomers() {
			hint = "write (avg_order_value ?? 0) > 5"
		}
	case strings.Contains(message, "bad number syntax"):
		message, hint = "this is not a number", "write the number alone, without its unit"
	case strings.Contains(message, "invalid integer literal"), strings.Contains(message, "invalid float literal"):
		message = "this is too large a number"
	default:
		message = strings.ToLower(message[:min(1, len(message))]) + message[min(1, len(message)):]
	}
	c.fault(fault.From, max(fault.To, fault.From+1), idYAML, message, hint)
}
