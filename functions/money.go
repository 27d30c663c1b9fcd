package functions

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/shopspring/decimal"
)

// Money is an exact decimal amount in the currency of the data (a NUMERIC in the warehouse). It never passes through
// a float on the way from the warehouse to a file or an answer. The zero value is 0.
type Money struct{ decimal.Decimal }

// plainAmount leaves out exponents: "1e999999999" is a short text and a number of a gigabyte.
var plainAmount = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// ParseMoney reads an amount such as "3847.10". It returns an error for anything but a plain decimal number.
func ParseMoney(text string) (Money, error) {
	if !plainAmount.MatchString(text) {
		return Money{}, fmt.Errorf("read amount %q: not a plain decimal number", text)
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return Money{}, fmt.Errorf("read amount %q: %w", text, err)
	}
	return Money{d}, nil
}

// Plus returns the exact sum.
func (m Money) Plus(other Money) Money { return Money{m.Add(other.Decimal)} }

// MarshalJSON writes a JSON number with every digit of the amount, not a string and not a float.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads a JSON number without going through a float.
func (m *Money) UnmarshalJSON(data []byte) error {
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("read amount: %w", err)
	}
	parsed, err := ParseMoney(number.String())
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}
