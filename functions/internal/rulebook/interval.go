package rulebook

import "math"

// interval is the range that a number can lie in, both ends in. It is what proves, before any customer is judged, that
// no logarithm of zero and no endless number can arise.
type interval struct{ low, high float64 }

var unbounded = interval{math.Inf(-1), math.Inf(1)}

func only(number float64) interval { return interval{number, number} }

func (i interval) isConstant() bool { return i.low == i.high }

// isBounded tells whether both ends are numbers.
func (i interval) isBounded() bool {
	return !math.IsInf(i.low, 0) && !math.IsInf(i.high, 0) && !math.IsNaN(i.low) && !math.IsNaN(i.high)
}

// with is the smallest range that holds both.
func (i interval) with(other interval) interval {
	return interval{math.Min(i.low, other.low), math.Max(i.high, other.high)}
}

func (i interval) plus(other interval) interval {
	return interval{i.low + other.low, i.high + other.high}
}

func (i interval) negative() interval { return interval{-i.high, -i.low} }

func (i interval) times(other interval) interval {
	a, b, c, d := i.low*other.low, i.low*other.high, i.high*other.low, i.high*other.high
	return interval{min(a, b, c, d), max(a, b, c, d)}
}

// over is the range of a division by a constant that is not zero.
func (i interval) over(divisor float64) interval {
	a, b := i.low/divisor, i.high/divisor
	return interval{min(a, b), max(a, b)}
}

func (i interval) lowest(other interval) interval {
	return interval{min(i.low, other.low), min(i.high, other.high)}
}

func (i interval) highest(other interval) interval {
	return interval{max(i.low, other.low), max(i.high, other.high)}
}

func (i interval) absolute() interval {
	switch {
	case i.low >= 0:
		return i
	case i.high <= 0:
		return i.negative()
	default:
		return interval{0, max(-i.low, i.high)}
	}
}

// through is the range of a function that never falls.
func (i interval) through(f func(float64) float64) interval { return interval{f(i.low), f(i.high)} }

// safeDivision is the range of safe_div. The divisor may be as small as can be, so the result has no bound but its
// sign.
func safeDivision(a, b, ifZero interval) interval {
	quotient := unbounded
	switch {
	case b.low > 0 || b.high < 0:
		quotient = interval{
			min(a.low/b.low, a.low/b.high, a.high/b.low, a.high/b.high),
			max(a.low/b.low, a.low/b.high, a.high/b.low, a.high/b.high),
		}
	case a.low >= 0 && b.low >= 0, a.high <= 0 && b.high <= 0:
		quotient.low = 0
	}
	return quotient.with(ifZero)
}
