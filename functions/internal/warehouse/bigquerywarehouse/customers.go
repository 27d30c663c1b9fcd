package bigquerywarehouse

import (
	"context"
	"strings"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// Customers implements driver.Warehouse.
func (w *Warehouse) Customers(ctx context.Context, visit func(retention.Customer) error) (functions.Date, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var asOf functions.Date
	var visitErr error
	err := w.read(ctx, customersStatement, w.sql[customersStatement], nil, func(row []bigquery.Value) error {
		if asOf.IsZero() { // the first row, which is no customer
			newest, ok := row[1].(civil.Date)
			if !ok {
				return noAlerts()
			}
			asOf = newest
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
		return functions.Date{}, w.explained(ctx, "read the customers", err)
	}
	return asOf, nil
}

// customerOf makes a customer of a row of customers.sql, whose casts fix every type but that of the amounts.
func customerOf(row []bigquery.Value) (c retention.Customer, err error) {
	c.ID = plain[string](row[0])
	c.Rows.Snapshot = plain[int64](row[2])
	c.Rows.Churn = plain[int64](row[3])
	c.Rows.Base = plain[int64](row[4])
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

// Exclusions implements driver.Warehouse.
func (w *Warehouse) Exclusions(ctx context.Context, table string, visit func(entry string) error) error {
	const doing = "read the exclusion list"
	if err := driver.CheckTable(table); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	var visitErr error
	err := w.read(ctx, exclusionsStatement, w.exclusionsSQL(table), nil, func(row []bigquery.Value) error {
		visitErr = visit(plain[string](row[0]))
		return visitErr
	})
	switch {
	case visitErr != nil:
		return visitErr
	case err == nil:
		return nil
	case isReason(err, "notFound"):
		return functions.Errorf(functions.FailedPrecondition, "the warehouse has no table %s", table).
			WithHint("RETENTIONOPS_EXCLUSIONS names it; it stands beside the input tables").WithCause(err)
	case isReason(err, "invalidQuery", "invalid"): // the statement is sound, so the table is not
		return functions.Errorf(functions.FailedPrecondition, "the table %s has no column customer_id", table).
			WithHint("the list of customers never to be contacted has one entry a row in customer_id").WithCause(err)
	default:
		return fault(doing, err)
	}
}

func (w *Warehouse) exclusionsSQL(table string) string {
	return strings.Replace(w.sql[exclusionsStatement], "TABLE`", table+"`", 1)
}
