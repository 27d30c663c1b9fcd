package duckdbwarehouse

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// exclusionsSQL lacks the name of the table, which CheckTable has looked at. A name with a dot could be a file to DuckDB.
const exclusionsSQL = `SELECT DISTINCT CAST(customer_id AS VARCHAR) FROM "%s" WHERE CAST(customer_id AS VARCHAR) <> '' ORDER BY 1`

// Exclusions implements driver.Warehouse.
func (w *Warehouse) Exclusions(ctx context.Context, table string, visit func(entry string) error) error {
	const doing = "read the exclusion list"
	if err := driver.CheckTable(table); err != nil {
		return err
	}
	var visitErr error
	err := w.read(ctx, fmt.Sprintf(exclusionsSQL, table), nil, func(row []sqldriver.Value) error {
		entry, _ := row[0].(string)
		visitErr = visit(entry)
		return visitErr
	})
	switch {
	case visitErr != nil:
		return visitErr
	case err == nil:
		return nil
	case isDuckDB(err, duckdb.ErrorTypeCatalog):
		return functions.Errorf(functions.FailedPrecondition, "the warehouse has no table %s", table).
			WithHint("RETENTIONOPS_EXCLUSIONS names it; it stands beside the input tables").WithCause(err)
	case isDuckDB(err, duckdb.ErrorTypeBinder):
		return functions.Errorf(functions.FailedPrecondition, "the table %s has no column customer_id", table).
			WithHint("the list of customers never to be contacted has one entry a row in customer_id").WithCause(err)
	default:
		return fault(doing, err)
	}
}
