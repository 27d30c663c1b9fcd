package gcsdestination_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	"github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
)

// An audience becomes one object; its link asks for a login.
func Example() {
	ctx := context.Background()
	storage := cloudtest.NewStorage(&testing.T{}, "exports") // stands in for Cloud Storage
	exports, err := gcsdestination.Open(ctx, &url.URL{Scheme: "gs", Host: "exports", Path: "/retention"}, storage.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	date := functions.Date{Year: 2026, Month: 1, Day: 12}
	fmt.Println(exports.Deliver(ctx, destinationtest.New("shadow", date, functions.P1, "17850", "13047")))
	_, found, err := exports.Find(ctx, "shadow", date, functions.P2)
	fmt.Println(found, err)
	// Output:
	// https://storage.cloud.google.com/exports/retention/shadow/2026-01-12_P1.csv <nil>
	// false <nil>
}
