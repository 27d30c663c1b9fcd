package main

import (
	"database/sql"
	"fmt"
	"math/rand/v2"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// someCustomers makes customers in every combination of status, risk and signals, about a third of them in a tier, often
// on an edge of the rules.
func someCustomers(count int) []retention.Customer {
	random := rand.New(rand.NewPCG(7, 1)) // the same customers each time
	customers := make([]retention.Customer, count)
	for i := range customers {
		cents := []int64{0, 99999, 100000, 100001, 199999, 200000, 200001, 100_000_000_000, random.Int64N(500_000), random.Int64N(500_000)}
		days := []int64{0, 24, 30, 31, 90, 91, 180, 181, 36500, random.Int64N(400)}
		customers[i] = retention.Customer{
			ID: fmt.Sprintf("c%07d", i), Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1},
			Status:             given(string(functions.Statuses[random.IntN(3)])),
			RiskLevel:          given(string(functions.Risks[random.IntN(3)])),
			DaysSinceLastOrder: given(days[random.IntN(len(days))]),
			RiskScore:          given(random.Int64N(101)),
			FrequencyDrop:      given(random.IntN(2) == 0),
			StatusInconsistent: given(random.IntN(4) == 0),
			ValueDrop:          given(random.IntN(10) == 0),
			TotalRevenue:       given(functions.Money{Decimal: decimal.New(cents[random.IntN(len(cents))], -2)}),
			TotalOrders:        given(1 + random.Int64N(50)),
			AvgOrderValue:      sql.Null[functions.Money]{V: functions.Money{Decimal: decimal.New(random.Int64N(50_000), -2)}, Valid: random.IntN(5) > 0},
		}
	}
	return customers
}

func given[T any](v T) sql.Null[T] { return sql.Null[T]{V: v, Valid: true} }
