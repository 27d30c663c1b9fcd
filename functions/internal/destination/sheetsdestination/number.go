package sheetsdestination

import "strings"

// mostDigits is how many digits of a number are sure to survive: Sheets keeps a double.
const mostDigits = 15

// isNumber tells a text that is a number to JSON and loses no digit as a double. Any other is written as it stands: exact
// and as text.
func isNumber(text string) bool {
	whole, rest := digits(strings.TrimPrefix(text, "-"))
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	fraction := ""
	if strings.HasPrefix(rest, ".") {
		if fraction, rest = digits(rest[1:]); fraction == "" {
			return false
		}
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
			rest = rest[1:]
		}
		exponent, after := digits(rest)
		if len(exponent) == 0 || len(exponent) > 2 { // a double ends near 1e308
			return false
		}
		rest = after
	}
	return rest == "" && significant(whole, fraction) <= mostDigits
}

// digits are those that the text begins with.
func digits(text string) (digits, rest string) {
	i := 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	return text[:i], text[i:]
}

// significant counts the digits from the first to the last that is not 0, or to the point.
func significant(whole, fraction string) int {
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" {
		fraction = strings.TrimLeft(fraction, "0")
	}
	return len(whole) + len(fraction)
}
