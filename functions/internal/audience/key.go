package audience

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A customer id is the key that the CRM joins on. It leaves as it is or not at all: a changed key loses the customer,
// or reaches another one.
//
//	id      = harmless | number        ; else the customer is left out, counted and named
//	number  = blanks sign 1*digit      ; a number to a spreadsheet, not a formula: +4917012345, -12
//	formula = ( TAB | CR | LF ) any    ; even when digits follow: these three start a new cell or line in some readers
//	        / blanks lead any          ; unless it is a number
//	sign    = "+" | "-" | "＋" | "－"
//	lead    = sign | "=" | "@" | "＝" | "＠"   ; the full-width forms are read like the plain ones in some locales
//	blanks  = *( white space or control character )   ; some spreadsheets trim before they look
//	digit   = "0" to "9"
//	broken  = no text at all, or with a NUL, or not UTF-8: a reader that stops at the NUL or mends the
//	          bytes would join on another key
//	harmless = what is neither formula nor broken: 007, 12E5, O'Brien, A=1, "a b", an id with a delimiter, a quote or a
//	          line break in its middle (the CSV file quotes it, byte for byte)
type fault int

const (
	sound fault = iota
	formula
	broken
)

// faults says why a customer is left out, in words.
var faults = [...]string{
	sound:   "",
	formula: "a spreadsheet would run the customer_id as a formula, and changing it would lose the customer",
	broken:  "the customer_id is empty, holds a NUL or is not UTF-8: a CRM would not join on it",
}

func faultOf(id string) fault {
	switch {
	case id == "" || strings.IndexByte(id, 0) >= 0 || !utf8.ValidString(id):
		return broken
	case opensFormula(id) && (startsCell(id[0]) || !isSignedNumber(trimBlanks(id))):
		return formula
	default:
		return sound
	}
}

// startsCell tells the characters that move to another cell or line in readers that ignore quotes.
func startsCell(b byte) bool { return b == '\t' || b == '\r' || b == '\n' }

// opensFormula tells whether a spreadsheet may take the text for a formula.
func opensFormula(text string) bool {
	if text == "" {
		return false
	}
	// Nearly every text is decided by its first byte.
	if b := text[0]; b < utf8.RuneSelf && (isLetter(b) || isDigit(b)) {
		return false
	}
	if startsCell(text[0]) {
		return true
	}
	lead, _ := utf8.DecodeRuneInString(trimBlanks(text))
	return strings.ContainsRune("=+-@＝＋－＠", lead)
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return b >= '0' && b <= '9' }

func trimBlanks(text string) string {
	return strings.TrimLeftFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\uFEFF'
	})
}

// isSignedNumber tells one sign followed by digits only.
func isSignedNumber(text string) bool {
	sign, size := utf8.DecodeRuneInString(text)
	digits := text[size:]
	if !strings.ContainsRune("+-＋－", sign) || digits == "" {
		return false
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return false
		}
	}
	return true
}
