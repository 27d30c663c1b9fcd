package rulebook

import (
	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
)

// Amount is an exact amount of money inside a verdict: a whole number of the smallest unit that the rules round to. It
// costs no memory of its own, so that a million verdicts do not; Money makes the amount that rows and files carry. Two
// amounts of the same rules are the same number when they are ==; Equal compares amounts of any rules.
type Amount struct {
	units    int64
	decimals int32
}

// NewAmount makes an amount of so many units, of which the decimals say how small they are.
func NewAmount(units int64, decimals int32) Amount { return Amount{units, decimals} }

// Money is the same amount as the rest of the program carries it.
func (a Amount) Money() functions.Money {
	return functions.Money{Decimal: decimal.New(a.units, -a.decimals)}
}

// Equal tells whether both are the same number.
func (a Amount) Equal(other Amount) bool {
	return a == other || a.Money().Equal(other.Money().Decimal)
}

// String writes the number as Money does.
func (a Amount) String() string { return a.Money().String() }

// MarshalJSON writes the number as Money does.
func (a Amount) MarshalJSON() ([]byte, error) { return a.Money().MarshalJSON() }

// mostUnits is the largest share that rules may ask for, so that every one fits into an Amount: the check proves it from
// the bounds of the field.
const mostUnits = 1e18

// shareOf is the exact share of an amount, rounded half away from zero.
func (s *valueShare) shareOf(amount functions.Money) Amount {
	return s.shareOfShort(shortOf(amount), amount)
}

// shareOfShort works a short amount out in whole numbers: that is as exact, and makes no big ones on the way.
func (s *valueShare) shareOfShort(amount short, whole functions.Money) Amount {
	dropped := -(amount.exponent + s.brief.exponent) - s.decimals // digits to be rounded away
	if !amount.is || !s.brief.is || s.brief.units > 999 || dropped < 0 || dropped > 12 {
		return s.longShareOf(whole)
	}
	unit := int64(powersOfTen[dropped])
	product := amount.units * s.brief.units
	half := unit / 2
	if product < 0 {
		half = -half
	}
	product += half
	switch dropped { // a division by a constant is a multiplication
	case 1:
		return Amount{product / 10, s.decimals}
	case 2:
		return Amount{product / 100, s.decimals}
	default:
		return Amount{product / unit, s.decimals}
	}
}

// longShareOf is the same by decimals of any length.
func (s *valueShare) longShareOf(amount functions.Money) Amount {
	return Amount{amount.Mul(s.share).Round(s.decimals).Shift(s.decimals).IntPart(), s.decimals}
}
