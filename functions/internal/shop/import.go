package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

const (
	// importBatch is how many orders go into the table with one statement.
	importBatch = 8_000
	// importNotice is how many lines are read between two words of progress.
	importNotice = 50_000
	// badRowsKept is how many bad rows a report lists; the rest is only counted.
	badRowsKept = 50
)

// importHint is what a file must be; it ends every error of a file that is something else.
const importHint = "give a .csv or .csv.gz of orders (order_id, customer_id, order_date, order_amount, country), or the UCI " +
	"Online Retail .xlsx, .csv or .csv.gz of line items (InvoiceNo, Quantity, InvoiceDate, UnitPrice, CustomerID, Country)"

// ImportReport tells what an import found. Every line of the file is an order or part of one, a dropped line, or a
// bad row: nothing is left out unseen.
type ImportReport struct {
	Format         string          `json:"format"` // "orders" or "line items", and the kind of file
	Orders         int64           `json:"orders"`
	Customers      int64           `json:"customers"`
	Total          functions.Money `json:"total"`
	From           functions.Date  `json:"from"`
	To             functions.Date  `json:"to"`
	Lines          int64           `json:"lines"`                     // lines of data read, the header not counted
	IgnoredColumns []string        `json:"ignored_columns,omitempty"` // columns with a name that the import does not know
	Dropped        []Dropped       `json:"dropped,omitempty"`         // per cleaning rule, in the order of the rules
	BadCount       int64           `json:"bad_count"`
	Bad            []BadRow        `json:"bad,omitempty"` // the first ones
}

// Dropped counts the lines that one cleaning rule took out.
type Dropped struct {
	Rule  string `json:"rule"`
	Lines int64  `json:"lines"`
}

// BadRow is a row that could not be used.
type BadRow struct {
	Line   int    `json:"line"` // of the file, from 1, the header included; for a workbook the row of the sheet
	Reason string `json:"reason"`
}

func (r *ImportReport) bad(line int, format string, args ...any) {
	if r.BadCount++; len(r.Bad) < badRowsKept {
		r.Bad = append(r.Bad, BadRow{line, fmt.Sprintf(format, args...)})
	}
}

// A row is one record of a file. A row with a fault has no fields that can be used.
type row struct {
	line   int
	fields []string // by the place of the column in the header; valid until the next row
	fault  string
}

// rowSource gives the rows of a file after its header, and io.EOF after the last.
type rowSource interface {
	header() []string
	dayZero() time.Time // of dates that are numbers
	next() (row, error)
	Close() error
}

// A rowReader turns rows into orders and hands them on.
type rowReader interface {
	read(r row) error
	finish() error
}

// Import replaces shop_orders by the orders of a file, whole and in one transaction: our CSV (also .csv.gz), or the
// line items of the UCI Online Retail data set, cleaned as its published figures are. A file that is not what its name
// claims, or has no order that can be used, is an invalid_argument error, and the table stays as it was; the report
// then still tells what was found.
func Import(ctx context.Context, db *sql.DB, path string) (ImportReport, error) {
	report, err := importFile(ctx, db, path)
	if err == nil {
		return report, nil
	}
	if _, told := errors.AsType[*functions.Error](err); told || ctx.Err() != nil {
		return report, err
	}
	return report, fmt.Errorf("import %s: %w", path, err)
}

func importFile(ctx context.Context, db *sql.DB, path string) (ImportReport, error) {
	var report ImportReport
	kind, source, err := openOrders(path)
	if err != nil {
		return report, err
	}
	defer source.Close() //nolint:errcheck // it was only read

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return report, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after the commit there is nothing left to roll back
	if err := createTables(ctx, tx); err != nil {
		return report, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM shop_orders"); err != nil {
		return report, fmt.Errorf("empty shop_orders: %w", err)
	}
	batch := &orderBatch{ctx: ctx, tx: tx}
	defer batch.wait() //nolint:errcheck // before the rollback; where the outcome counts it was asked for
	reader, err := readerFor(path, source, batch, &report)
	if err != nil {
		return report, err
	}
	report.Format += " " + kind
	if err := readAll(ctx, path, source, reader, &report); err != nil {
		return report, err
	}
	if err := errors.Join(batch.flush(), batch.wait()); err != nil {
		return report, err
	}
	if batch.count == 0 {
		return report, noOrder(path, report)
	}
	if err := report.describe(ctx, tx); err != nil {
		return report, err
	}
	if err := tx.Commit(); err != nil {
		return report, fmt.Errorf("commit the orders: %w", err)
	}
	return report, nil
}

// readerFor finds by the names in the header what the rows are.
func readerFor(path string, source rowSource, batch *orderBatch, report *ImportReport) (rowReader, error) {
	orders, lines := orderColumns.match(source.header()), lineColumns.match(source.header())
	switch {
	case orders.twice != "" || lines.twice != "":
		return nil, unusable(path, "names the column %s twice", either(orders.twice, lines.twice))
	case len(orders.missing) == 0:
		report.Format, report.IgnoredColumns = "orders", orders.unknown
		return &orderReader{columns: orders.places, batch: batch, report: report, seen: map[string]int{}}, nil
	case len(lines.missing) == 0:
		report.Format, report.IgnoredColumns = "line items", lines.unknown
		return newLineReader(path, lines.places, source.dayZero(), batch, report), nil
	}
	nearest := orders
	if len(lines.missing) < len(orders.missing) {
		nearest = lines
	}
	columns := "the column"
	if len(nearest.missing) > 1 {
		columns += "s"
	}
	return nil, unusable(path, "lacks %s %s in its first line", columns, strings.Join(nearest.missing, ", "))
}

func readAll(ctx context.Context, path string, source rowSource, reader rowReader, report *ImportReport) error {
	for {
		next, err := source.next()
		switch {
		case errors.Is(err, io.EOF):
			return reader.finish()
		case err != nil:
			return damaged(path, err)
		}
		if report.Lines++; report.Lines%importNotice == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			functions.Report(ctx, functions.Progress{
				Stage: "import", Message: humanize.Comma(report.Lines) + " lines read",
			})
		}
		if next.fault != "" {
			report.bad(next.line, "%s", next.fault)
			continue
		}
		if err := reader.read(next); err != nil {
			return err
		}
	}
}

// describe fills the figures of the report from the table itself.
func (r *ImportReport) describe(ctx context.Context, tx *sql.Tx) error {
	var total, from, to string
	err := tx.QueryRowContext(ctx, `SELECT count(*), count(DISTINCT customer_id), sum(order_amount)::VARCHAR,
		min(order_date)::VARCHAR, max(order_date)::VARCHAR FROM shop_orders`).
		Scan(&r.Orders, &r.Customers, &total, &from, &to)
	if err != nil {
		return fmt.Errorf("describe shop_orders: %w", err)
	}
	if r.Total, err = functions.ParseMoney(total); err != nil {
		return err
	}
	if r.From, err = parseDay(from); err != nil {
		return err
	}
	r.To, err = parseDay(to)
	return err
}

// unusable is the error of a file that an import cannot begin with.
func unusable(path, format string, args ...any) *functions.Error {
	return functions.Errorf(functions.InvalidArgument, "the orders file %s %s", path, fmt.Sprintf(format, args...)).
		WithHint(importHint)
}

// damaged is the error of a file that breaks off or is broken in the middle.
func damaged(path string, cause error) error {
	if _, told := errors.AsType[*functions.Error](cause); told {
		return cause
	}
	return unusable(path, "is damaged or not whole: it cannot be read to its end").WithCause(cause)
}

func noOrder(path string, report ImportReport) error {
	found := []string{retention.Counted(report.Lines, "line")}
	for _, dropped := range report.Dropped {
		if dropped.Lines > 0 {
			found = append(found, fmt.Sprintf("%s dropped (%s)", humanize.Comma(dropped.Lines), dropped.Rule))
		}
	}
	if report.BadCount > 0 {
		found = append(found, fmt.Sprintf("%s bad, the first on line %d: %s",
			humanize.Comma(report.BadCount), report.Bad[0].Line, report.Bad[0].Reason))
	}
	return unusable(path, "holds no order that can be used (%s)", strings.Join(found, ", "))
}

// importedOrder is one row for shop_orders. Its texts hold no control character, its day and amount are checked.
type importedOrder struct{ id, customer, day, amount, country string }

// orderBatch gathers orders and inserts them by the thousand. While a batch goes in the next one is being read.
type orderBatch struct {
	ctx     context.Context
	tx      *sql.Tx
	text    strings.Builder
	pending int
	count   int64
	done    chan error // the outcome of the insert under way; nil when there is none
}

// insertOrders takes a batch as one text, a line an order, fields parted by the unit separator: texts hold neither.
// A list parameter a column reads nicer and takes four times as long, as every element crosses into C on its own.
const insertOrders = `INSERT INTO shop_orders
	SELECT split_part(line, chr(31), 1), split_part(line, chr(31), 2), split_part(line, chr(31), 3)::DATE,
		split_part(line, chr(31), 4)::DECIMAL(18,2), NULLIF(split_part(line, chr(31), 5), '')
	FROM (SELECT unnest(string_split(?, chr(10))) AS line)`

func (b *orderBatch) add(o importedOrder) error {
	if b.pending > 0 {
		b.text.WriteByte('\n')
	}
	for i, field := range [...]string{o.id, o.customer, o.day, o.amount, o.country} {
		if i > 0 {
			b.text.WriteByte('\x1f')
		}
		b.text.WriteString(field)
	}
	if b.pending++; b.pending < importBatch {
		return nil
	}
	return b.flush()
}

// flush begins to insert what is gathered, and tells how the insert before it went.
func (b *orderBatch) flush() error {
	err := b.wait()
	if err != nil || b.pending == 0 {
		return err
	}
	text, orders, done := b.text.String(), b.pending, make(chan error, 1)
	b.text, b.pending, b.done = strings.Builder{}, 0, done
	b.text.Grow(len(text))
	b.count += int64(orders)
	go func() {
		_, err := b.tx.ExecContext(b.ctx, insertOrders, text)
		if err != nil {
			err = fmt.Errorf("insert %d orders: %w", orders, err)
		}
		done <- err
	}()
	return nil
}

// wait ends when no insert is under way.
func (b *orderBatch) wait() error {
	if b.done == nil {
		return nil
	}
	err := <-b.done
	b.done = nil
	return err
}
