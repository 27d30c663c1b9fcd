package shop

import (
	"database/sql"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/retentionops/retentionops/functions"
)

// The alerts of the demonstration come from the sales and from nothing else: the same shop without them is quiet.
func TestGeneratedShopWithoutTheIncidentIsQuiet(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	quiet := demonstration
	quiet.sales = nil
	if _, err := quiet.generate(t.Context(), db, Plan{}); err != nil {
		t.Fatal(err)
	}
	for _, date := range []civil.Date{
		{Year: 2026, Month: time.January, Day: 5},
		{Year: 2026, Month: time.January, Day: 12},
		{Year: 2026, Month: time.January, Day: 19},
	} {
		report, err := Detect(t.Context(), db, date)
		if err != nil {
			t.Fatal(err)
		}
		if report.Alert.Severity != functions.Info {
			t.Errorf("%s is %s, want INFO", date, report.Alert.Severity)
		}
	}
}

// What the package comment says of the model can be read off many customers.
func TestModelKeepsItsWord(t *testing.T) {
	t.Parallel()
	const customers = 40_000
	calendar := demonstration.calendar()
	if total := calendar.arrivals[len(calendar.arrivals)-1]; math.Abs(total-1) > 1e-9 {
		t.Errorf("the newcomers of all days add up to %v, want 1", total)
	}

	byWeekday := map[time.Weekday]int{}
	var newcomers, hunters, logs, squares, orders float64
	clearance := demonstration.sales[1].day
	source := rand.NewPCG(0, 0)
	for number := range customers {
		own := calendar.orders(nil, source, 1, number, customers)
		if calendar.days[own[0].day] == clearance {
			newcomers++
			if len(own) == 1 {
				hunters++
			}
		}
		for i, order := range own {
			if i > 0 && order.day < own[i-1].day {
				t.Fatalf("customer %d: order %d lies before the one before it", number, i)
			}
			if order.cents < 100 || order.country < 0 || order.country >= len(demonstration.countries) {
				t.Fatalf("customer %d: order %+v", number, order)
			}
			byWeekday[calendar.days[order.day].Weekday()]++
			value := math.Log(float64(order.cents) / 100)
			logs, squares, orders = logs+value, squares+value*value, orders+1
		}
	}
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		if math.Abs(got-want) > tolerance {
			t.Errorf("%s is %.4f, want %.4f within %.4f", what, got, want, tolerance)
		}
	}
	near("Saturday against Monday", float64(byWeekday[time.Saturday])/float64(byWeekday[time.Monday]), 0.85/1.10, 0.02)
	near("the share of newcomers of the second sale", newcomers/customers, demonstration.sales[1].newcomers+0.002, 0.003)
	near("bargain hunters among them who order once", hunters/newcomers, 0.97, 0.02)
	mean := logs / orders
	near("the typical order value", math.Exp(mean), demonstration.valueMedian, 1.5)
	near("its spread", math.Sqrt(squares/orders-mean*mean), math.Hypot(demonstration.valueAmong, demonstration.valueFromOrders), 0.03)
}
