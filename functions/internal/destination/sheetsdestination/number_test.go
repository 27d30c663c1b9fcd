package sheetsdestination

import (
	"encoding/json"
	"math/big"
	"strconv"
	"testing"
)

func TestIsNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"0": true, "-0": true, "7": true, "-12.50": true, "1234567890.12345": true, "0.000000000000123456789012345": true,
		"1000000000000.000000000": true, "12E5": true, "1e-9": true, "1.5e+99": true,
		"": false, "-": false, ".5": false, "5.": false, "+5": false, "007": false, "1,000": false, "1e": false, "1e+": false, "1e999": false,
		"NaN": false, "Infinity": false, "0x10": false, "1_000": false, " 1": false, "1 ": false, "1.2.3": false, "--1": false, "one": false,
		"1234567890.123456": false, "1000000000000000": false, "-12345678901234.56": false,
	} {
		if got := isNumber(text); got != want {
			t.Errorf("isNumber(%q) = %v, want %v", text, got, want)
		}
	}
}

// What passes as a number is one to JSON, and a double gives every digit back.
func FuzzIsNumber(f *testing.F) {
	for _, seed := range []string{"0", "-12.50", "007", "1e99", "0.1", "123456789012345", "99999999999999.9", "1e-99"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !isNumber(text) {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is no number to JSON", text)
		}
		double, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		exact, ok := new(big.Rat).SetString(text)
		back, ok2 := new(big.Rat).SetString(strconv.FormatFloat(double, 'g', mostDigits, 64))
		if !ok || !ok2 || exact.Cmp(back) != 0 {
			t.Errorf("%q comes back as %v", text, double)
		}
	})
}
