package bigquerytest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// Value is a cell: nil for NULL, else string, int64, float64, bool, civil.Date, time.Time or, for NUMERIC, *big.Rat.
type Value = any

// Column is a column of a table or of a result.
type Column struct {
	Name     string
	Type     string // as SQL writes it: STRING, INT64, FLOAT64, BOOL, DATE, TIMESTAMP, NUMERIC
	Required bool
}

// kinds are the engine's names of the types, and the API's.
var kinds = map[string]struct{ engine, api string }{
	"STRING": {"TYPE_STRING", "STRING"}, "INT64": {"TYPE_INT64", "INTEGER"}, "FLOAT64": {"TYPE_DOUBLE", "FLOAT"},
	"BOOL": {"TYPE_BOOL", "BOOLEAN"}, "DATE": {"TYPE_DATE", "DATE"}, "TIMESTAMP": {"TYPE_TIMESTAMP", "TIMESTAMP"},
	"NUMERIC": {"TYPE_NUMERIC", "NUMERIC"},
}

func engineType(sqlType string) map[string]any {
	return map[string]any{"typeKind": kinds[sqlType].engine}
}

// sqlTypeOf is the type of a name that the engine or the API has for it.
func sqlTypeOf(name string) (string, error) {
	for sqlType, kind := range kinds {
		if name == kind.engine || name == kind.api || name == sqlType {
			return sqlType, nil
		}
	}
	return "", fmt.Errorf("the fake knows no type %s", name)
}

var (
	epoch   = civil.Date{Year: 1970, Month: time.January, Day: 1}
	billion = big.NewInt(1_000_000_000)
)

// toEngine writes a value as the engine's ValueProto.
func toEngine(value Value) map[string]any {
	switch v := value.(type) {
	case nil:
		return map[string]any{}
	case string:
		return map[string]any{"stringValue": v}
	case int64:
		return map[string]any{"int64Value": strconv.FormatInt(v, 10)}
	case float64:
		return map[string]any{"doubleValue": v}
	case bool:
		return map[string]any{"boolValue": v}
	case civil.Date:
		return map[string]any{"dateValue": v.DaysSince(epoch)}
	case time.Time:
		return map[string]any{"timestampValue": v.UTC().Format(time.RFC3339Nano)}
	case *big.Rat:
		raw := new(big.Int).Quo(new(big.Int).Mul(v.Num(), billion), v.Denom())
		return map[string]any{"numericValue": base64.StdEncoding.EncodeToString(littleEndian(raw))}
	default:
		panic(fmt.Sprintf("the fake knows no %T", value))
	}
}

// littleEndian writes a number as two's complement, the lowest byte first.
func littleEndian(n *big.Int) []byte {
	size := n.BitLen()/8 + 1
	m := n
	if n.Sign() < 0 {
		m = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size)*8))
	}
	bytes := m.FillBytes(make([]byte, size))
	slices.Reverse(bytes)
	return bytes
}

func fromLittleEndian(bytes []byte) *big.Int {
	turned := slices.Clone(bytes)
	slices.Reverse(turned)
	n := new(big.Int).SetBytes(turned)
	if len(turned) > 0 && turned[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(turned))*8))
	}
	return n
}

// valueProto is the engine's ValueProto in its JSON form.
type valueProto struct {
	String    *string      `json:"stringValue"`
	Int64     *string      `json:"int64Value"`
	Double    *json.Number `json:"doubleValue"`
	Bool      *bool        `json:"boolValue"`
	Date      *int         `json:"dateValue"`
	Timestamp *time.Time   `json:"timestampValue"`
	Numeric   *[]byte      `json:"numericValue"`
}

func (p valueProto) value() (Value, error) {
	switch {
	case p.String != nil:
		return *p.String, nil
	case p.Int64 != nil:
		return strconv.ParseInt(*p.Int64, 10, 64)
	case p.Double != nil:
		return p.Double.Float64()
	case p.Bool != nil:
		return *p.Bool, nil
	case p.Date != nil:
		return epoch.AddDays(*p.Date), nil
	case p.Timestamp != nil:
		return p.Timestamp.UTC(), nil
	case p.Numeric != nil:
		return new(big.Rat).SetFrac(fromLittleEndian(*p.Numeric), billion), nil
	default:
		return nil, nil
	}
}

// parse reads a value from the text that the API carries.
func parse(sqlType, text string) (Value, error) {
	switch sqlType {
	case "STRING":
		return text, nil
	case "INT64":
		return strconv.ParseInt(text, 10, 64)
	case "FLOAT64":
		return strconv.ParseFloat(text, 64)
	case "BOOL":
		return strconv.ParseBool(text)
	case "DATE":
		return civil.ParseDate(text)
	case "TIMESTAMP":
		return parseTimestamp(text)
	case "NUMERIC":
		n, ok := new(big.Rat).SetString(text)
		if !ok {
			return nil, fmt.Errorf("%q is no NUMERIC", text)
		}
		if rest := new(big.Int).Mod(new(big.Int).Mul(n.Num(), billion), n.Denom()); rest.Sign() != 0 {
			return nil, fmt.Errorf("%s has more than 9 decimals", text)
		}
		return n, nil
	default:
		return nil, fmt.Errorf("the fake knows no type %s", sqlType)
	}
}

// parseTimestamp reads the forms of a parameter and of a load job. BigQuery keeps six digits and refuses more.
func parseTimestamp(text string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999-07:00"} {
		if t, err := time.Parse(form, text); err == nil {
			if t.Nanosecond()%1000 != 0 {
				return t, fmt.Errorf("%q has more than six digits of a second", text)
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no TIMESTAMP", text)
}

// print writes a value as a cell of an answer.
func print(value Value) any {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case civil.Date:
		return v.String()
	case time.Time:
		return strconv.FormatInt(v.UnixMicro(), 10)
	case *big.Rat:
		text := v.FloatString(9)
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	default:
		panic(fmt.Sprintf("the fake knows no %T", value))
	}
}
