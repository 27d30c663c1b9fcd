package filearchive_test

import (
	"context"
	"fmt"
	"os"

	"github.com/retentionops/retentionops/functions/internal/archive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive" // registers file:
)

// A day is claimed once; the second claimant reads who was first.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "papers")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	papers, err := archive.Open(ctx, "file://"+dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	const day = "claims/rop_2026-01-12_WARNING_production"
	fmt.Println(papers.PutIfAbsent(ctx, day, []byte("run 1")))
	fmt.Println(papers.PutIfAbsent(ctx, day, []byte("run 2")))
	first, _ := papers.Get(ctx, day)
	fmt.Println(string(first))
	names, _ := papers.List(ctx, "claims/")
	fmt.Println(names)
	// Output:
	// <nil>
	// already in the archive
	// run 1
	// [claims/rop_2026-01-12_WARNING_production]
}
