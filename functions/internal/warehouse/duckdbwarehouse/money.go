package duckdbwarehouse

import (
	"database/sql"
	"errors"
	"fmt"
	"math/big"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
)

// The shape of our money columns: what NUMERIC holds in BigQuery.
const (
	moneyWidth = 38
	moneyScale = 9
)

// tens are the powers of ten that bring an amount to the scale of a money column.
var tens = func() (powers [moneyWidth + 1]*big.Int) {
	for i := range powers {
		powers[i] = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(i)), nil)
	}
	return powers
}()

// errInexact is what moneyOf answers to a float.
var errInexact = errors.New("the amount is not exact")

// moneyOf reads an exact amount as the engine gives it; nil is NULL. A float is no money: it is an error, not a
// rounded amount.
func moneyOf(value any) (money sql.Null[functions.Money], err error) {
	switch v := value.(type) {
	case nil:
		return money, nil
	case duckdb.Decimal:
		money.V.Decimal = decimal.NewFromBigInt(v.Value, -int32(v.Scale))
	case int64:
		money.V.Decimal = decimal.NewFromInt(v)
	case int32:
		money.V.Decimal = decimal.NewFromInt32(v)
	case *big.Int:
		money.V.Decimal = decimal.NewFromBigInt(v, 0)
	default:
		return money, fmt.Errorf("read an amount from %T: %w", value, errInexact)
	}
	money.Valid = true
	return money, nil
}

// decimalOf makes the value that the appender takes for a money column. The appender writes the raw integer that it
// is given and looks at no scale, so the amount must be brought to the column's own first. An amount with more digits
// than the column holds is refused, not rounded.
func decimalOf(money functions.Money) (duckdb.Decimal, error) {
	raw, shift := money.Coefficient(), int(money.Exponent())+moneyScale
	switch {
	case raw.Sign() == 0:
	case shift > moneyWidth:
		return duckdb.Decimal{}, tooLong(money)
	case shift >= 0:
		raw.Mul(raw, tens[shift])
	default:
		// Zeros at the end are no digits: 1.0000000000 is 1.
		cut := min(-shift, moneyWidth)
		rest := new(big.Int)
		if raw.QuoRem(raw, tens[cut], rest); rest.Sign() != 0 || cut < -shift {
			return duckdb.Decimal{}, fmt.Errorf("amount %s has more than %d decimals", money, moneyScale)
		}
	}
	if raw.CmpAbs(tens[moneyWidth]) >= 0 {
		return duckdb.Decimal{}, tooLong(money)
	}
	return duckdb.Decimal{Width: moneyWidth, Scale: moneyScale, Value: raw}, nil
}

func tooLong(money functions.Money) error {
	return fmt.Errorf("amount %s has more than %d digits before the point", money, moneyWidth-moneyScale)
}
