package rulebook

import (
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/rules"
)

func TestShareIsExactAndRoundsHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		amount, share string
		decimals      int32
		want          string
	}{
		"the source document's example":       {"3847.00", "0.30", 2, "1154.10"},
		"half a cent goes up":                 {"0.05", "0.30", 2, "0.02"},
		"half a cent below zero goes down":    {"-0.05", "0.30", 2, "-0.02"},
		"less than half a cent goes away":     {"0.01", "0.30", 2, "0"},
		"an amount as a float cannot hold it": {"9007199254740993.01", "0.30", 2, "2702159776422297.90"},
		"no decimals":                         {"5", "0.30", 0, "2"},
		"more decimals than there are":        {"5", "0.3", 6, "1.5"},
		"nothing":                             {"0", "0.30", 2, "0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			share := someShare(decimal.RequireFromString(tc.share), tc.decimals)
			amount := functions.Money{Decimal: decimal.RequireFromString(tc.amount)}
			if got, want := share.shareOf(amount), decimal.RequireFromString(tc.want); !got.Money().Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func someShare(share decimal.Decimal, decimals int32) *valueShare {
	return &valueShare{share: share, brief: shortOf(functions.Money{Decimal: share}), decimals: decimals}
}

func TestShareShortWayIsAsExactAsTheLong(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 5))
	for range 20_000 {
		amount := functions.Money{Decimal: decimal.New(random.Int64N(1e15)-5e14, -random.Int32N(10))}
		share := someShare(decimal.New(random.Int64N(1000), -3), random.Int32N(4))
		want := amount.Mul(share.share).Round(share.decimals)
		if got := share.shareOf(amount); !got.Money().Equal(want) {
			t.Fatalf("%s of %s at %d decimals: got %s, want %s", share.share, amount, share.decimals, got, want)
		}
	}
}

func TestNearestFloatIsTheFloatOfTheText(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(6, 6))
	for range 20_000 {
		amount := functions.Money{Decimal: decimal.New(random.Int64()-random.Int64(), -random.Int32N(30))}
		want, _ := amount.Float64()
		if got := nearestFloat(amount); got != want {
			t.Fatalf("%s: got %v, want %v", amount, got, want)
		}
	}
}

// TestAShareThatNoAmountHoldsIsRefused names a field with so wide bounds, and so many decimals, that some share would
// have more digits than an Amount.
func TestAShareThatNoAmountHoldsIsRefused(t *testing.T) {
	t.Parallel()
	edited := func(decimals, most string) overlay {
		changed := map[string][]byte{}
		for name, edit := range map[string][2]string{
			priorityFile: {"of: total_revenue, decimals: 2", "of: total_revenue, decimals: " + decimals},
			fieldsFile:   {"total_revenue:          {type: amount, min: 0, max: 1000000000,", "total_revenue: {type: amount, min: 0, max: " + most + ","},
		} {
			data, err := fs.ReadFile(rules.FS, name)
			if err != nil || !strings.Contains(string(data), edit[0]) {
				t.Fatalf("%s has no %q: %v", name, edit[0], err)
			}
			changed[name] = []byte(strings.Replace(string(data), edit[0], edit[1], 1))
		}
		return overlay{rules.FS, changed}
	}
	if _, err := Load(edited("9", "1000000000")); err != nil {
		t.Errorf("18 digits are refused: %v", err)
	}
	_, err := Load(edited("7", "1000000000000"))
	if want := "total_revenue can be 1000000000000, and with 7 decimals that has more than 18 digits"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("19 digits give %v", err)
	}
}
