package audience_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// Two customers can leave the house; the third has a formula for an id.
func ExampleBuild() {
	rows := []retention.QueueRow{rowOf("17850"), rowOf("+4917012345"), rowOf(`=HYPERLINK("http://x")`)}
	a, report := audience.Build(day, functions.P1, rows, 100, "", audience.Settings{Delimiter: audience.Semicolon})
	for _, left := range report.LeftOut {
		fmt.Println("left out:", left.CustomerIDs, left.Reason)
	}
	fmt.Println(report.Exported, "of", report.Available)
	var file strings.Builder
	if _, err := a.CSV.WriteTo(&file); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(file.String()) {
		fmt.Println(strings.Join(strings.Split(strings.TrimSpace(line), ";")[:4], ";"))
	}
	// Output:
	// left out: [=HYPERLINK("http://x")] a spreadsheet would run the customer_id as a formula, and changing it would lose the customer
	// 2 of 3
	// run_date;customer_id;retention_status;churn_risk_level
	// 2026-01-12;17850;ACTIVE;HIGH
	// 2026-01-12;+4917012345;ACTIVE;HIGH
}

// A tier of the stored queue becomes a file.
func ExampleExporter() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "exports")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	w, err := warehouse.Open(ctx, "duckdb:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	if _, err := w.ReplaceQueue(ctx, day, []retention.QueueRow{rowOf("17850"), rowOf("13047")}, day.AddDays(-90)); err != nil {
		fmt.Println(err)
		return
	}
	e := &audience.Exporter{
		Warehouse: w,
		CSV: func(ctx context.Context) (destination.Destination, error) {
			return destination.Open(ctx, "file://"+dir)
		},
	}
	out, err := e.Export(ctx, day, functions.ExportAudienceInput{Tier: functions.P1}, "shadow")
	fmt.Println(out.RowsExported, strings.TrimPrefix(out.CSVURL, "file://"+dir), err)
	// Output:
	// 2 /shadow/2026-01-12_P1.csv <nil>
}
