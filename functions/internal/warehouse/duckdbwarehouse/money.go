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

// moneyLimit is the first whole number of billionths that has too many digits for a money column.
var moneyLimit = new(big.Int).Exp(big.NewInt(10), big.NewInt(moneyWidth), nil)

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
	raw := money.Shift(moneyScale)
	if !raw.IsInteger() {
		return duckdb.Decimal{}, fmt.Errorf("amount %s has more than %d decimals", money, moneyScale)
	}
	value := raw.BigInt()
	if value.CmpAbs(moneyLimit) >= 0 {
		return duckdb.Decimal{}, fmt.Errorf("amount %s has more than %d digits", money, moneyWidth)
	}
	return duckdb.Decimal{Width: moneyWidth, Scale: moneyScale, Value: value}, nil
}
