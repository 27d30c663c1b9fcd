package filedestination_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	_ "github.com/retentionops/retentionops/functions/internal/destination/filedestination" // registers file:
)

// An audience becomes one file, whose name tells folder, day and tier.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "exports")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	exports, err := destination.Open(ctx, "file://"+dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	date := functions.Date{Year: 2026, Month: 1, Day: 12}
	link, err := exports.Deliver(ctx, destinationtest.New("shadow", date, functions.P1, "17850", "13047"))
	fmt.Println(strings.TrimPrefix(link, "file://"+dir), err)
	_, found, _ := exports.Find(ctx, "shadow", date, functions.P2)
	fmt.Println(found)
	// Output:
	// /shadow/2026-01-12_P1.csv <nil>
	// false
}
