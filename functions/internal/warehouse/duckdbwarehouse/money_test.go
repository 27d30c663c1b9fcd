package duckdbwarehouse

import (
	"testing"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
)

// The inside is the point: an amount must reach the appender as billionths, whatever its own exponent.
func TestAnAmountBecomesBillionths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, amount, want, fault string }{
		{"nothing", "0", "0", ""},
		{"nothing with a large exponent", "0e99", "0", ""},
		{"nothing with many zeros", "0.000000000000", "0", ""},
		{"whole", "12", "12000000000", ""},
		{"cents", "12.34", "12340000000", ""},
		{"below nothing", "-0.1", "-100000000", ""},
		{"nine decimals", "0.123456789", "123456789", ""},
		{"zeros beyond the ninth decimal", "1.50000000000000", "1500000000", ""},
		{"a power of ten", "1e3", "1000000000000", ""},
		{"the most there is room for", "99999999999999999999999999999.999999999", "99999999999999999999999999999999999999", ""},
		{"the least there is room for", "-99999999999999999999999999999.999999999", "-99999999999999999999999999999999999999", ""},
		{"a tenth decimal", "0.1234567891", "", "amount 0.1234567891 has more than 9 decimals"},
		{"a very small amount", "1e-60", "", "amount 0.000000000000000000000000000000000000000000000000000000000001 has more than 9 decimals"},
		{"a thirtieth digit", "100000000000000000000000000000", "", "amount 100000000000000000000000000000 has more than 29 digits before the point"},
		{"a large exponent", "1e31", "", "amount 10000000000000000000000000000000 has more than 29 digits before the point"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decimalOf(functions.Money{Decimal: decimal.RequireFromString(c.amount)})
			if c.fault != "" {
				if err == nil || err.Error() != c.fault {
					t.Errorf("got %v and error %v, want %s", got, err, c.fault)
				}
				return
			}
			if err != nil || got.Value.String() != c.want || got.Width != 38 || got.Scale != 9 {
				t.Errorf("got %+v and error %v, want %s of DECIMAL(38,9)", got, err, c.want)
			}
		})
	}
}
