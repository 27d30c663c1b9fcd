package warehousetest

import (
	"database/sql"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

type (
	customer = retention.Customer
	queueRow = retention.QueueRow
)

// Sound is a small fixture without a fault: two alert days and two customers, each once in every table.
func Sound() Inputs {
	return Inputs{
		Alerts: []Alert{
			{
				Date: monday, Severity: some("WARNING"), Flag: some(true), Current: some(25.2), Baseline: some(21.4),
				Delta: some(17.76), SampleSize: some[int64](8069),
			},
			{Date: sunday, Severity: some("INFO"), Flag: some(false), Current: some(21.5), SampleSize: some[int64](8001)},
		},
		Snapshot: []Snapshot{
			{some("0042"), some("ACTIVE"), some[int64](24)},
			{some("0007"), some("INACTIVE"), some[int64](120)},
		},
		Churn: []Churn{
			{some("0042"), some[int64](70), some("HIGH"), some(true), some(true), some(false)},
			{some("0007"), some[int64](50), some("HIGH"), some(true), some(false), some(false)},
		},
		Base: []Base{
			{some("0007"), some(exact("99.5")), some[int64](2), some(exact("49.75")), some(monday.AddDays(-120))},
			{some("0042"), some(exact("3847.10")), some[int64](12), some(exact("320.591666667")), some(monday.AddDays(-24))},
		},
	}
}

// Ugly is the fixture of faults: NULL in every nullable column, a duplicate customer, one missing in each table, an
// unknown status, DATA_QUALITY_ISSUE, amounts with nine decimals, ids with leading zeros, quotes and letters from
// elsewhere, and rows without an id. It comes with the customers that a driver must make of it.
func Ugly() (Inputs, []retention.Customer) {
	revenue, average := exact("12345678901234567890123456789.123456789"), exact("0.000000001")
	inputs := Inputs{Alerts: Sound().Alerts}

	// sound adds a customer to all three tables, with a status.
	sound := func(id sql.Null[string], status string) retention.Customer {
		inputs.Snapshot = append(inputs.Snapshot, Snapshot{id, some(status), some[int64](10)})
		inputs.Churn = append(inputs.Churn, Churn{id, some[int64](20), some("MEDIUM"), some(false), some(true), some(false)})
		inputs.Base = append(inputs.Base, Base{id, some(revenue), some[int64](3), some(average), some(monday)})
		return retention.Customer{
			ID: id.V, Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1},
			Status: some(status), DaysSinceLastOrder: some[int64](10),
			RiskLevel: some("MEDIUM"), RiskScore: some[int64](20),
			FrequencyDrop: some(false), StatusInconsistent: some(true), ValueDrop: some(false),
			TotalRevenue: some(revenue), TotalOrders: some[int64](3), AvgOrderValue: some(average),
		}
	}

	var want []retention.Customer // in the bytewise order of the id
	noID := sound(sql.Null[string]{}, "ACTIVE")
	inputs.Snapshot = append(inputs.Snapshot, Snapshot{CustomerID: some("")}) // no id either
	noID.Rows.Snapshot = 2
	want = append(want, noID)

	want = append(want, sound(some(" spaces kept "), "ACTIVE"))
	want = append(want, sound(some("-12"), "ACTIVE"))
	want = append(want, sound(some("0007"), "DATA_QUALITY_ISSUE"))
	want = append(want, sound(some("007"), "SLEEPING"))
	want = append(want, sound(some("7"), "AT_RISK"))

	null := some("ALL NULL")
	inputs.Snapshot = append(inputs.Snapshot, Snapshot{CustomerID: null})
	inputs.Churn = append(inputs.Churn, Churn{CustomerID: null})
	inputs.Base = append(inputs.Base, Base{CustomerID: null})
	want = append(want, retention.Customer{ID: null.V, Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1}})

	twice := sound(some("DUP"), "AT_RISK")
	inputs.Snapshot = append(inputs.Snapshot, Snapshot{some("DUP"), some("ACTIVE"), some[int64](99)}, Snapshot{CustomerID: some("DUP")})
	inputs.Churn = append(inputs.Churn, Churn{some("DUP"), some[int64](70), some("HIGH"), some(true), some(false), sql.Null[bool]{}})
	inputs.Base = append(inputs.Base, Base{some("DUP"), some(exact("-1.5")), some[int64](4), sql.Null[functions.Money]{}, some(sunday)})
	twice.Rows = retention.SourceRows{Snapshot: 3, Churn: 2, Base: 2}
	twice.Status, twice.RiskLevel, twice.StatusInconsistent = some("ACTIVE"), some("HIGH"), some(false)
	twice.TotalRevenue = some(exact("-1.5"))
	want = append(want, twice)

	want = append(want, sound(some("Jürgen \"J\" O'Neil; --"), "INACTIVE"))

	inputs.Churn = append(inputs.Churn, Churn{some("NO SNAPSHOT"), some[int64](0), some("LOW"), some(false), some(false), some(false)})
	want = append(want, retention.Customer{
		ID: "NO SNAPSHOT", Rows: retention.SourceRows{Churn: 1}, RiskLevel: some("LOW"), RiskScore: some[int64](0),
		FrequencyDrop: some(false), StatusInconsistent: some(false), ValueDrop: some(false),
	})
	inputs.Base = append(inputs.Base, Base{some("ONLY BASE"), some(exact("5")), some[int64](1), some(exact("5")), some(monday)})
	want = append(want, retention.Customer{
		ID: "ONLY BASE", Rows: retention.SourceRows{Base: 1},
		TotalRevenue: some(exact("5")), TotalOrders: some[int64](1), AvgOrderValue: some(exact("5")),
	})
	inputs.Snapshot = append(inputs.Snapshot, Snapshot{some("ONLY SNAPSHOT"), some("ACTIVE"), some[int64](1)})
	want = append(want, retention.Customer{
		ID: "ONLY SNAPSHOT", Rows: retention.SourceRows{Snapshot: 1}, Status: some("ACTIVE"), DaysSinceLastOrder: some[int64](1),
	})

	want = append(want, sound(some("a line\nand\ta tab"), "ACTIVE"))
	want = append(want, sound(some("é composed"), "ACTIVE"))
	want = append(want, sound(some("客户"), "ACTIVE"))
	want = append(want, sound(some("🧵"), "ACTIVE"))
	return inputs, want
}
