package discoverytest_test

import (
	"encoding/json"
	"testing"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

func TestAMaskChoosesFields(t *testing.T) {
	t.Parallel()
	const whole = `{"a":{"b":1,"c":[{"d":2,"e":3},{"e":4}]},"f":"x","g":null}`
	for mask, want := range map[string]string{
		"":           whole,
		"*":          whole,
		"f":          `{"f":"x"}`,
		"a.b,f":      `{"a":{"b":1},"f":"x"}`,
		"a/c/d":      `{"a":{"c":[{"d":2},{}]}}`,
		"a(c(d,e))":  `{"a":{"c":[{"d":2,"e":3},{"e":4}]}}`,
		"a.b,a.c(e)": `{"a":{"b":1,"c":[{"e":3},{"e":4}]}}`,
		"h,g":        `{"g":null}`,
	} {
		var value any
		if err := json.Unmarshal([]byte(whole), &value); err != nil {
			t.Fatal(err)
		}
		chosen, err := discoverytest.Select(value, mask)
		if err != nil {
			t.Errorf("%q: %v", mask, err)
			continue
		}
		if got, err := json.Marshal(chosen); err != nil || string(got) != want {
			t.Errorf("%q: %s, %v; want %s", mask, got, err, want)
		}
	}
	for _, mask := range []string{",", "a,", "a(", "a(b", "a)", "a..b", "a(b,c))", "a,a.b"} {
		if got, err := discoverytest.Select(map[string]any{}, mask); err == nil {
			t.Errorf("%q chooses %v", mask, got)
		}
	}
}
