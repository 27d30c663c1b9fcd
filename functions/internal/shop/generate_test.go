package shop_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/shop"
)

func generate(tb testing.TB, plan shop.Plan) (*sql.DB, shop.GenerateReport) {
	tb.Helper()
	db := emptyShop(tb)
	report, err := shop.Generate(tb.Context(), db, plan)
	if err != nil {
		tb.Fatal(err)
	}
	return db, report
}

// A story is what the detection says of a generated shop on the days of the incident.
type story struct {
	severities []string   // on 5, 12 and 19 January 2026
	tiers      [][3]int64 // P1, P2, P3 on 12 and 19 January
}

func storyOf(tb testing.TB, db *sql.DB) story {
	tb.Helper()
	var s story
	for _, date := range []functions.Date{day(2026, 1, 12), day(2026, 1, 19)} {
		detect(tb, db, date)
		s.tiers = append(s.tiers, tiersOf(tb, db))
	}
	s.severities = rowsOf(tb, db, `SELECT severity FROM alert_logic
		WHERE alert_date IN ('2026-01-05', '2026-01-12', '2026-01-19') ORDER BY alert_date`)
	return s
}

// told are the severities of 5, 12 and 19 January 2026 as the demonstration wants them.
var told = []string{"INFO", "WARNING", "CRITICAL"}

// flaw says what of the demonstration's story does not hold, with the volumes that §7.1 expects for 6,000 customers;
// empty when all does.
func (s story) flaw(customers int) string {
	if diff := cmp.Diff(told, s.severities); diff != "" {
		return "severities " + diff
	}
	for i, limits := range [3][2]int64{{80, 100}, {300, 400}, {150, 200}} {
		scaled := s.tiers[0][i] * shop.DefaultCustomers / int64(customers)
		if scaled < limits[0] || scaled > limits[1] {
			return fmt.Sprintf("P%d has %d customers on 2026-01-12, want %d to %d of each 6,000", i+1, s.tiers[0][i], limits[0], limits[1])
		}
		if s.tiers[1][i] == 0 {
			return fmt.Sprintf("P%d is empty on 2026-01-19", i+1)
		}
	}
	return ""
}

func TestGeneratedShopTellsTheStoryOfTheIncident(t *testing.T) {
	t.Parallel()
	for _, customers := range []int{shop.DefaultCustomers, 50_000} {
		t.Run(fmt.Sprint(customers, " customers"), func(t *testing.T) {
			t.Parallel()
			if customers > shop.DefaultCustomers && testing.Short() {
				t.Skip("many customers take seconds")
			}
			db, _ := generate(t, shop.Plan{Customers: customers})
			story := storyOf(t, db)
			if flaw := story.flaw(customers); flaw != "" {
				t.Error(flaw)
			}
			// After the first months, in which nearly everybody is new, nothing but the incident raises a flag.
			detect(t, db, day(2026, 1, 31))
			before := rowsOf(t, db, `SELECT alert_date, severity FROM alert_logic
				WHERE alert_flag AND alert_date BETWEEN DATE '2024-06-01' AND DATE '2026-01-11'`)
			if len(before) > 0 {
				t.Errorf("days with a raised flag before the incident: %v", before)
			}
		})
	}
}

func TestGeneratedShopTellsItsStoryForMostSeeds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("20 shops take seconds")
	}
	const seeds = 20
	holds := 0
	for seed := range uint64(seeds) {
		db, _ := generate(t, shop.Plan{Seed: seed + 1})
		story := storyOf(t, db)
		if flaw := story.flaw(shop.DefaultCustomers); flaw != "" {
			t.Logf("seed %d: %s", seed+1, flaw)
		} else {
			holds++
		}
		// The volumes of a tier vary by chance; what the detection says must not.
		if diff := cmp.Diff(told, story.severities); diff != "" {
			t.Errorf("seed %d: severities (-want +got):\n%s", seed+1, diff)
		}
	}
	t.Logf("the whole story holds for %d of %d seeds", holds, seeds)
	if holds <= seeds/2 {
		t.Errorf("the whole story holds for %d of %d seeds, want most", holds, seeds)
	}
}

// checksum is over every order, each as the table holds it.
func checksum(tb testing.TB, db *sql.DB) string {
	tb.Helper()
	sum := sha256.Sum256([]byte(strings.Join(tableOf(tb, db), "\n")))
	return hex.EncodeToString(sum[:])
}

func TestGenerateMakesTheSameOrdersFromASeed(t *testing.T) {
	plan := shop.Plan{Customers: 1000, Seed: 42}
	db, _ := generate(t, plan)
	want := checksum(t, db)

	before := runtime.GOMAXPROCS(1)
	db, _ = generate(t, plan)
	runtime.GOMAXPROCS(before)
	if got := checksum(t, db); got != want {
		t.Errorf("on one core the orders have the checksum %s, want %s as on %d", got, want, before)
	}
	if _, err := shop.Generate(t.Context(), db, plan); err != nil {
		t.Fatal(err)
	}
	if got := checksum(t, db); got != want {
		t.Errorf("a second time in the same shop the orders have the checksum %s, want %s", got, want)
	}
	other, _ := generate(t, shop.Plan{Customers: 1000, Seed: 43})
	if checksum(t, other) == want {
		t.Error("another seed made the same orders")
	}

	// Other processors fuse multiplications and additions and may round a cent another way.
	if runtime.GOARCH != "amd64" {
		t.Skipf("the recorded checksum is of amd64, this is %s", runtime.GOARCH)
	}
	const recorded = "591ad4faf67a0accf6b838ebe599109bde9ee9af602ad7fafb3284cbc83f8cf1"
	if want != recorded {
		t.Errorf("the orders have the checksum %s, recorded is %s: the model has changed", want, recorded)
	}
}

func TestGenerateMakesSoundOrders(t *testing.T) {
	t.Parallel()
	db, report := generate(t, shop.Plan{})
	want := shop.GenerateReport{
		Customers: 6000, Orders: report.Orders, From: day(2024, 1, 2), To: day(2026, 1, 31), Seed: shop.DefaultSeed,
		Incidents: []string{
			"clearance sale of 2025-12-12: regular customers buy 2.6 times as much as on another day, and 80 % of those " +
				"who do stock up and do not come back; bargain hunters come for it, 0.3 % of all customers, and 97 % of " +
				"them do not come back",
			"first-order discount of 2025-12-19: regular customers buy 1.2 times as much as on another day; bargain " +
				"hunters come for it, 5.5 % of all customers, and 97 % of them do not come back",
		},
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	got := rowsOf(t, db, fmt.Sprintf(`SELECT
		count(*) = %d AS counted,
		count(DISTINCT order_id) = count(*) AS own_ids,
		count(DISTINCT customer_id) AS customers,
		min(customer_id), max(customer_id), count(DISTINCT country) AS countries,
		bool_and(regexp_full_match(order_id, strftime(order_date, '%%Y%%m%%d') || '-[0-9]{5}')) AS dated_ids,
		min(order_amount) >= 1 AS worth_something
		FROM shop_orders`, report.Orders))
	if diff := cmp.Diff([]string{"true|true|6000|C000001|C006000|7|true|true"}, got); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}

func TestGenerateRefusesAShopItCannotMake(t *testing.T) {
	t.Parallel()
	for _, customers := range []int{-1, shop.MaxCustomers + 1} {
		_, err := shop.Generate(t.Context(), emptyShop(t), shop.Plan{Customers: customers})
		if code := functions.CodeOf(err); code != functions.InvalidArgument {
			t.Errorf("%d customers: got %v, want invalid_argument", customers, err)
		}
	}
}

func TestGenerateOfOneCustomer(t *testing.T) {
	t.Parallel()
	db, report := generate(t, shop.Plan{Customers: 1})
	if got := rowsOf(t, db, `SELECT DISTINCT customer_id FROM shop_orders`); report.Customers != 1 || cmp.Diff([]string{"C000001"}, got) != "" {
		t.Errorf("got customers %v and the report %+v, want C000001 alone", got, report)
	}
}

func TestGenerateThatIsCancelledLeavesTheTable(t *testing.T) {
	t.Parallel()
	db := stocked(t)
	before := tableOf(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	ctx = functions.WithReporter(ctx, func(functions.Progress) { cancel() })
	if _, err := shop.Generate(ctx, db, shop.Plan{Customers: 100}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	if diff := cmp.Diff(before, tableOf(t, db)); diff != "" {
		t.Errorf("shop_orders (-before +after):\n%s", diff)
	}
}
