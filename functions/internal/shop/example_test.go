package shop_test

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

func ExampleDetect() {
	ctx := context.Background()
	db, err := sql.Open("duckdb", "") // a database in memory; the command hands in its warehouse's
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	generated, err := shop.Generate(ctx, db, shop.Plan{Customers: 1000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d customers, orders from %s to %s\n", generated.Customers, generated.From, generated.To)

	report, err := shop.Detect(ctx, db, functions.Date{Year: 2025, Month: 12, Day: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("as of %s: %s, one of %d days\n", report.AsOf, report.Alert.Severity, report.AlertDays)
	// Output:
	// 1000 customers, orders from 2024-01-02 to 2026-01-31
	// as of 2025-12-01: INFO, one of 700 days
}
