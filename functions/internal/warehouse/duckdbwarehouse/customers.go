package duckdbwarehouse

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

//go:embed sql/customers.sql
var customersSQL string

// Customers implements driver.Warehouse.
func (w *Warehouse) Customers(ctx context.Context, visit func(retention.Customer) error) (functions.Date, error) {
	var asOf functions.Date
	var visitErr error
	err := w.read(ctx, customersSQL, nil, func(row []sqldriver.Value) error {
		if asOf.IsZero() { // the first row, which is no customer
			newest, ok := row[1].(time.Time)
			if !ok {
				return noAlerts()
			}
			asOf = civil.DateOf(newest)
			return nil
		}
		customer, err := customerOf(row)
		if err != nil {
			return err
		}
		visitErr = visit(customer)
		return visitErr
	})
	switch {
	case visitErr != nil:
		return functions.Date{}, visitErr
	case err != nil:
		return functions.Date{}, w.inputFault(ctx, "read the customers", err)
	}
	return asOf, nil
}

// between is how many rows are read between two looks at the context.
const between = 1024

// read hands each row of a statement's result to take, whose error ends it. The row is reused.
//
// It goes below database/sql: with a million rows that library's conversions cost as much as all of DuckDB's work, and
// our statements fix the types of their columns.
func (w *Warehouse) read(ctx context.Context, statement string, args []sqldriver.NamedValue, take func([]sqldriver.Value) error) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	return conn.Raw(func(raw any) error {
		queryer, ok := raw.(sqldriver.QueryerContext)
		if !ok {
			return fmt.Errorf("a %T takes no query", raw)
		}
		rows, err := queryer.QueryContext(ctx, statement, args)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // how the read ended is already known
		values := make([]sqldriver.Value, len(rows.Columns()))
		for n := 0; ; n++ {
			if n%between == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if err := rows.Next(values); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := take(values); err != nil {
				return err
			}
		}
	})
}

// customerOf makes a customer of a row of customers.sql, whose casts fix every type but that of the amounts.
func customerOf(row []sqldriver.Value) (c retention.Customer, err error) {
	c.ID, _ = row[0].(string)
	c.Rows.Snapshot, _ = row[2].(int64)
	c.Rows.Churn, _ = row[3].(int64)
	c.Rows.Base, _ = row[4].(int64)
	c.Status = nullable[string](row[5])
	c.DaysSinceLastOrder = nullable[int64](row[6])
	c.RiskLevel = nullable[string](row[7])
	c.RiskScore = nullable[int64](row[8])
	c.FrequencyDrop = nullable[bool](row[9])
	c.StatusInconsistent = nullable[bool](row[10])
	c.ValueDrop = nullable[bool](row[11])
	c.TotalOrders = nullable[int64](row[13])
	if c.TotalRevenue, err = moneyOf(row[12]); err != nil {
		return c, err
	}
	c.AvgOrderValue, err = moneyOf(row[14])
	return c, err
}

func nullable[T any](value sqldriver.Value) sql.Null[T] {
	v, valid := value.(T)
	return sql.Null[T]{V: v, Valid: valid}
}
