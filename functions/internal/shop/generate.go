package shop

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/retentionops/retentionops/functions"
)

// The demonstration, which is what a Plan means where it says nothing, and the largest shop that is made. With the
// default seed the queue of 2026-01-12 has the volumes of §7.1; with others a tier may miss them by a few customers.
const (
	DefaultCustomers = 6000
	DefaultSeed      = 10
	MaxCustomers     = 100_000_000
)

// ordersAtOnce is how many orders go to the engine in one file. It bounds memory and disk; a larger file is no faster.
const ordersAtOnce = 1_000_000

// A Plan says which shop to generate. The zero Plan is the demonstration.
type Plan struct {
	Customers int    // how many there are at the end, the sales' newcomers included; 0 means DefaultCustomers
	Seed      uint64 // the same seed makes the same orders; 0 means DefaultSeed
}

// GenerateReport says what was generated.
type GenerateReport struct {
	Customers int64          `json:"customers"`
	Orders    int64          `json:"orders"`
	From      functions.Date `json:"from"` // of the first order
	To        functions.Date `json:"to"`   // of the newest order
	Seed      uint64         `json:"seed"`
	Incidents []string       `json:"incidents"` // what the generator played on purpose, in words
}

// Generate replaces shop_orders by the orders of a made-up shop, in one transaction. The package comment describes the
// model. The orders hang on the plan alone: not on the machine's cores, its clock or the orders that were there.
func Generate(ctx context.Context, db *sql.DB, plan Plan) (GenerateReport, error) {
	return demonstration.generate(ctx, db, plan)
}

func (m model) generate(ctx context.Context, db *sql.DB, plan Plan) (GenerateReport, error) {
	if plan.Customers == 0 {
		plan.Customers = DefaultCustomers
	}
	if plan.Seed == 0 {
		plan.Seed = DefaultSeed
	}
	if plan.Customers < 0 || plan.Customers > MaxCustomers {
		return GenerateReport{}, functions.Errorf(functions.InvalidArgument,
			"a shop of %d customers cannot be generated", plan.Customers).
			WithHint(fmt.Sprintf("give from 1 to %d customers; %d is the demonstration", MaxCustomers, DefaultCustomers))
	}
	if err := createTables(ctx, db); err != nil {
		return GenerateReport{}, err
	}
	folder, err := os.MkdirTemp("", "retentionops-orders-")
	if err != nil {
		return GenerateReport{}, fmt.Errorf("make a folder for the orders on their way: %w", err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // what is left lies in the system's temporary folder

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return GenerateReport{}, fmt.Errorf("begin to generate: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, "DELETE FROM shop_orders"); err != nil {
		return GenerateReport{}, overtaken(fmt.Errorf("empty shop_orders: %w", err))
	}
	report, err := m.fill(ctx, tx, plan, filepath.Join(folder, "orders.csv"))
	if err != nil {
		return GenerateReport{}, overtaken(err)
	}
	if err := tx.Commit(); err != nil {
		return GenerateReport{}, overtaken(fmt.Errorf("commit the generated orders: %w", err))
	}
	return report, nil
}

// fill makes the customers one after another and hands their orders to the engine a file at a time.
func (m model) fill(ctx context.Context, tx *sql.Tx, plan Plan, path string) (GenerateReport, error) {
	calendar := m.calendar()
	lines := newOrderLines(calendar, plan.Customers)
	report := GenerateReport{Customers: int64(plan.Customers), Seed: plan.Seed}
	first, newest := len(calendar.days), -1

	source := rand.NewPCG(0, 0)
	var orders []order
	for from := 0; from < plan.Customers; {
		number := from
		file, err := os.Create(path) //nolint:gosec // in a folder of our own
		if err != nil {
			return report, fmt.Errorf("write orders for the engine: %w", err)
		}
		out := bufio.NewWriterSize(file, 1<<20)
		for written := 0; written < ordersAtOnce && number < plan.Customers; number++ {
			orders = calendar.orders(orders[:0], source, plan.Seed, number, plan.Customers)
			first, newest = min(first, orders[0].day), max(newest, orders[len(orders)-1].day)
			for _, order := range orders {
				_, _ = out.Write(lines.line(number, order)) // Flush repeats the error
			}
			written += len(orders)
			report.Orders += int64(len(orders))
		}
		if err := errors.Join(out.Flush(), file.Close()); err != nil {
			return report, fmt.Errorf("write orders for the engine: %w", err)
		}
		if err := load(ctx, tx, path); err != nil {
			return report, err
		}
		from = number
		functions.Report(ctx, functions.Progress{
			Stage: "generate", Message: fmt.Sprintf("%d of %d customers, %d orders", number, plan.Customers, report.Orders),
		})
	}
	report.From, report.To = calendar.days[first], calendar.days[newest]
	report.Incidents = m.incidents()
	return report, nil
}

// load lets the engine read the file. Of the ways that database/sql offers this is the fastest by far: 1.0 s for a
// million orders, against 4.8 s for list parameters of whole numbers and 6.3 s for lists of strings (2 cores).
func load(ctx context.Context, tx *sql.Tx, path string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO shop_orders (order_id, customer_id, order_date, order_amount, country)
		SELECT * FROM read_csv(?, auto_detect = false, header = false,
			delim = ',', quote = '', escape = '', columns = {'order_id': 'VARCHAR', 'customer_id': 'VARCHAR',
			'order_date': 'DATE', 'order_amount': 'DECIMAL(18,2)', 'country': 'VARCHAR'})`, path)
	if err != nil {
		return fmt.Errorf("load generated orders: %w", err)
	}
	return nil
}

// orderLines writes orders as lines of CSV. It numbers the orders of each day as they come.
type orderLines struct {
	calendar *calendar
	dates    []string // of each day, as YYYY-MM-DD
	numbers  []int64  // of each day's last order
	digits   int      // of a customer's number
	buffer   []byte
}

func newOrderLines(calendar *calendar, customers int) *orderLines {
	l := &orderLines{
		calendar: calendar, numbers: make([]int64, len(calendar.days)),
		digits: max(6, len(strconv.Itoa(customers))),
	}
	for _, day := range calendar.days {
		l.dates = append(l.dates, day.String())
	}
	return l
}

// line is one order as "20260112-00042,C000123,2026-01-12,48.20,Germany" and the line's end, good until the next call.
func (l *orderLines) line(customer int, o order) []byte {
	date := l.dates[o.day]
	l.numbers[o.day]++
	b := append(l.buffer[:0], date[:4]...)
	b = append(append(append(b, date[5:7]...), date[8:]...), '-')
	b = appendNumber(b, l.numbers[o.day], 5)
	b = appendNumber(append(b, ',', 'C'), int64(customer)+1, l.digits)
	b = append(append(append(b, ','), date...), ',')
	b = append(strconv.AppendInt(b, o.cents/100, 10), '.')
	b = appendNumber(b, o.cents%100, 2)
	b = append(append(append(b, ','), l.calendar.countries[o.country].name...), '\n')
	l.buffer = b
	return b
}

// appendNumber appends a number with leading zeros to at least so many digits.
func appendNumber(b []byte, number int64, digits int) []byte {
	for limit := int64(10); digits > 1; digits-- {
		if number < limit {
			b = append(b, '0')
		}
		limit *= 10
	}
	return strconv.AppendInt(b, number, 10)
}

// incidents tells in words what the model plays.
func (m model) incidents() []string {
	var told []string
	for _, sale := range m.sales {
		text := fmt.Sprintf("%s of %s: regular customers buy %.1f times as much as on another day", sale.name, sale.day,
			sale.boost)
		if sale.loses > 0 {
			text += fmt.Sprintf(", and %.0f %% of those who do stock up and do not come back", 100*sale.loses)
		}
		told = append(told, text+fmt.Sprintf("; bargain hunters come for it, %.1f %% of all customers, and %.0f %% of them"+
			" do not come back", 100*sale.newcomers, 100*(1-m.hunterReturns)))
	}
	return told
}
