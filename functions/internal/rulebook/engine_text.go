package rulebook

import (
	"strconv"

	"github.com/retentionops/retentionops/functions"
)

// phrase is a text, or what is known of it already.
type phrase struct {
	text
	settled bool
	value   string
}

// phrase translates a template.
func (t *translator) phrase(of template) phrase {
	var parts []phrase
	for _, p := range of.pieces {
		part := t.piece(p)
		if last := len(parts) - 1; part.settled && last >= 0 && parts[last].settled {
			part = said(parts[last].value + part.value)
			parts = parts[:last]
		}
		parts = append(parts, part)
	}
	switch len(parts) {
	case 0:
		return said("")
	case 1:
		return parts[0]
	}
	return phrase{text: func(to []byte, s *subject) []byte {
		for i := range parts {
			to = parts[i].text(to, s)
		}
		return to
	}}
}

func said(fixed string) phrase {
	return phrase{text: func(to []byte, _ *subject) []byte { return append(to, fixed...) }, settled: true, value: fixed}
}

func (t *translator) piece(p piece) phrase {
	f := p.field
	switch {
	case f == nil:
		return said(p.text)
	case f.isStatistic():
		return phrase{text: func(to []byte, s *subject) []byte { return append(to, s.median...) }}
	case f.choice != nil && t.profile != nil:
		return said(t.profile.words[f.name])
	case f.yes != nil && t.profile != nil:
		return said(yesText(t.profile.yes[f.name]))
	}
	return phrase{text: f.text()}
}

func yesText(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// text appends the value of a column as a person reads it.
func (c *column) text() text {
	switch {
	case c.choice != nil:
		return func(to []byte, s *subject) []byte {
			if word := c.choice(s.customer); word.Valid {
				return append(to, word.V...)
			}
			return append(to, unknownValue...)
		}
	case c.yes != nil:
		return func(to []byte, s *subject) []byte {
			if yes := c.yes(s.customer); yes.Valid {
				return append(to, yesText(yes.V)...)
			}
			return append(to, unknownValue...)
		}
	case c.whole != nil:
		return func(to []byte, s *subject) []byte {
			if whole := c.whole(s.customer); whole.Valid {
				return strconv.AppendInt(to, whole.V, 10)
			}
			return append(to, unknownValue...)
		}
	default:
		return func(to []byte, s *subject) []byte {
			if amount := c.amount(s.customer); amount.Valid {
				return appendMoney(to, amount.V)
			}
			return append(to, unknownValue...)
		}
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
