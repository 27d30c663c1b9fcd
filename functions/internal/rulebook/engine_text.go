package rulebook

import (
	"strconv"

	"github.com/retentionops/retentionops/functions"
)

// closure makes a closure of a template.
func (t template) closure() text {
	parts := make([]text, len(t.pieces))
	for i, p := range t.pieces {
		parts[i] = p.closure()
	}
	switch len(parts) {
	case 1:
		return parts[0]
	default:
		return func(to []byte, s *subject) []byte {
			for _, part := range parts {
				to = part(to, s)
			}
			return to
		}
	}
}

func (p piece) closure() text {
	if p.field == nil {
		fixed := p.text
		return func(to []byte, _ *subject) []byte { return append(to, fixed...) }
	}
	switch f := p.field; {
	case f.choice != nil:
		choice := f.choice
		return func(to []byte, s *subject) []byte {
			if word := choice(s.customer); word.Valid {
				return append(to, word.V...)
			}
			return append(to, unknownValue...)
		}
	case f.whole != nil:
		whole := f.whole
		return func(to []byte, s *subject) []byte {
			if number := whole(s.customer); number.Valid {
				return strconv.AppendInt(to, number.V, 10)
			}
			return append(to, unknownValue...)
		}
	case f.yes != nil:
		yes := f.yes
		return func(to []byte, s *subject) []byte {
			switch is := yes(s.customer); {
			case !is.Valid:
				return append(to, unknownValue...)
			case is.V:
				return append(to, "yes"...)
			default:
				return append(to, "no"...)
			}
		}
	case f.amount != nil:
		amount := f.amount
		return func(to []byte, s *subject) []byte {
			if money := amount(s.customer); money.Valid {
				return appendMoney(to, money.V)
			}
			return append(to, unknownValue...)
		}
	default:
		return func(to []byte, s *subject) []byte { return append(to, s.median...) }
	}
}

// appendMoney writes an amount with two decimals. Amounts in cents, tenths or whole units of up to 15 digits, which is
// nearly all, need no decimal for it.
func appendMoney(to []byte, m functions.Money) []byte {
	exponent := m.Exponent()
	if exponent > 0 || exponent < -2 || m.NumDigits() > 15 {
		return append(to, m.StringFixed(2)...)
	}
	cents := m.CoefficientInt64()
	for ; exponent > -2; exponent-- {
		cents *= 10
	}
	if cents < 0 {
		to, cents = append(to, '-'), -cents
	}
	to = strconv.AppendInt(to, cents/100, 10)
	return append(to, '.', byte('0'+cents/10%10), byte('0'+cents%10))
}
