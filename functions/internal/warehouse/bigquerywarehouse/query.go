package bigquerywarehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/shopspring/decimal"
	"google.golang.org/api/iterator"

	"github.com/retentionops/retentionops/functions"
)

// param makes a named parameter.
func param(name string, value any) bigquery.QueryParameter {
	return bigquery.QueryParameter{Name: name, Value: value}
}

// nullDate is a DATE parameter; the zero day is NULL.
func nullDate(date functions.Date) bigquery.NullDate {
	return bigquery.NullDate{Date: date, Valid: !date.IsZero()}
}

// query prepares a statement with all that bounds and marks it.
func (w *Warehouse) query(ctx context.Context, name, text string, params []bigquery.QueryParameter) *bigquery.Query {
	q := w.client.Query(text)
	q.Parameters = params
	q.MaxBytesBilled = w.place.MaxBytesBilled
	q.Labels = labels(ctx, name)
	q.Location = w.place.Location // the client leaves its own out of the short way
	return q
}

// maxLabel is how long a label's value may be (Google's rule for labels).
const maxLabel = 63

// labels mark a job so that its cost can be told by tool, run and statement.
func labels(ctx context.Context, statement string) map[string]string {
	call := functions.CallFrom(ctx)
	marks := map[string]string{"app": "retentionops", "statement": label(statement)}
	if call.Tool != "" {
		marks["tool"] = label(call.Tool)
	}
	if call.RunID != "" {
		marks["run_id"] = label(call.RunID)
	}
	return marks
}

// label makes of a text what a label may hold: lower case letters, digits, "_" and "-".
func label(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, text)
	return text[:min(len(text), maxLabel)]
}

// between is how many rows are read between two looks at the context.
const between = 1024

// rowTaker hands a row on as it is: the client's loading of structs and slices would copy it.
type rowTaker func(row []bigquery.Value) error

// Load implements bigquery.ValueLoader.
func (take rowTaker) Load(row []bigquery.Value, _ bigquery.Schema) error { return take(row) }

// read hands each row of a statement's result to take, whose error ends it. Results come in pages, of which one is held.
//
// The client's reading by the Storage Read API is left off, though it is quicker for results beyond a page: as of v1.86.0
// an iterator that is left early, as by the error of a visit, can keep a goroutine that waits for ever to hand over its
// next batch (consumeRowStream sends without a look at the context), and at the end of a stream Next may give neither a
// batch nor an error (it selects between two channels that are both closed).
func (w *Warehouse) read(ctx context.Context, name, text string, params []bigquery.QueryParameter, take rowTaker) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rows, err := w.query(ctx, name, text, params).Read(ctx)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		if n%between == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := rows.Next(take); errors.Is(err, iterator.Done) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// errInexact is what moneyOf answers to a float.
var errInexact = errors.New("the amount is not exact")

// The digits after the point of a NUMERIC and of a BIGNUMERIC.
const (
	numericScale    = 9
	bigNumericScale = 38
)

var pow9, pow38 = pow10(numericScale), pow10(bigNumericScale)

func pow10(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// moneyOf reads an exact amount as the client gives it; nil is NULL. A float is no money: it is an error, not a rounded
// amount.
func moneyOf(value bigquery.Value) (money sql.Null[functions.Money], err error) {
	switch v := value.(type) {
	case nil:
		return money, nil
	case int64:
		money.V.Decimal = decimal.NewFromInt(v)
	case *big.Rat:
		for _, form := range []struct {
			power *big.Int
			scale int32
		}{{pow9, numericScale}, {pow38, bigNumericScale}} {
			rest, whole := new(big.Int), new(big.Int).Mul(v.Num(), form.power)
			if whole.QuoRem(whole, v.Denom(), rest); rest.Sign() == 0 {
				money.V.Decimal, money.Valid = decimal.NewFromBigInt(whole, -form.scale), true
				return money, nil
			}
		}
		return money, fmt.Errorf("read an amount: %w", errInexact)
	default:
		return money, fmt.Errorf("read an amount from %T: %w", value, errInexact)
	}
	money.Valid = true
	return money, nil
}

// nullable reads a column whose type the statement fixes.
func nullable[T any](value bigquery.Value) sql.Null[T] {
	v, valid := value.(T)
	return sql.Null[T]{V: v, Valid: valid}
}

// pointer is nullable for those who hold a NULL as nil.
func pointer[T any](value bigquery.Value) *T {
	if v, valid := value.(T); valid {
		return &v
	}
	return nil
}

// plain reads a column in which a NULL and the zero value are one.
func plain[T any](value bigquery.Value) T {
	v, _ := value.(T)
	return v
}

func wordOf[W ~string](value bigquery.Value) W { return W(plain[string](value)) }

func dateOf(value bigquery.Value) functions.Date { return plain[civil.Date](value) }

func timeOf(value bigquery.Value) time.Time { return plain[time.Time](value) }
