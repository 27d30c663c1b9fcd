package retention

import "fmt"

// Counted is a number of things with its noun: "1 customer", "2 customers".
func Counted[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
