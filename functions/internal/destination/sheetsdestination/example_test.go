package sheetsdestination_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
	"github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
)

// An audience becomes a tab. A day's list that is made again stands in place of the first.
func Example() {
	ctx := context.Background()
	fake := cloudtest.NewSheets(&testing.T{}, spreadsheet) // stands in for Google Sheets
	sheets, err := sheetsdestination.Open(ctx, &url.URL{Scheme: "sheets", Host: spreadsheet}, fake.Options()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	date := functions.Date{Year: 2026, Month: 1, Day: 12}
	for _, customers := range [][]string{{"17850", "007", "13047"}, {"007"}} {
		if _, err := sheets.Deliver(ctx, destinationtest.New("shadow", date, functions.P1, customers...)); err != nil {
			fmt.Println(err)
			return
		}
		for _, tab := range fake.Tabs() {
			fmt.Println(tab.Title, tab.Cells)
		}
	}
	// Output:
	// Sheet1 []
	// shadow-20260112-P1 [[customer_id total_revenue] [17850 0.25] [007 1.25] [13047 2.25]]
	// Sheet1 []
	// shadow-20260112-P1 [[customer_id total_revenue] [007 0.25]]
}
