package gcsarchive_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
)

// Two instances of a function claim a day; the bucket lets one of them.
func Example() {
	ctx := context.Background()
	storage := cloudtest.NewStorage(&testing.T{}, "papers") // stands in for Cloud Storage
	const day = "claims/rop_2026-01-12_WARNING_production"
	for _, instance := range []string{"run 1", "run 2"} {
		papers, err := gcsarchive.Open(ctx, &url.URL{Scheme: "gs", Host: "papers", Path: "/house"}, storage.Options()...)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(papers.PutIfAbsent(ctx, day, []byte(instance)))
		first, err := papers.Get(ctx, day)
		fmt.Println(string(first), err)
	}
	// Output:
	// <nil>
	// run 1 <nil>
	// already in the archive
	// run 1 <nil>
}
