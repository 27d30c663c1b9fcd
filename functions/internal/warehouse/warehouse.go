// Package warehouse is the port to the tables: the four that the detection fills, which are only read, and the two
// that are ours. Engines live in the packages beside it and are opened by URL.
//
// It is not a query layer: it knows the few statements that the product needs, by name.
package warehouse

import (
	"context"

	"github.com/retentionops/retentionops/functions/internal/scheme"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

var drivers scheme.Registry[driver.Warehouse]

// Register adds a driver under the scheme of its URLs; drivers call it in init.
func Register(name string, open scheme.Open[driver.Warehouse]) { drivers.Register(name, open) }

// Open opens the warehouse that the URL names, such as duckdb:///path/file.duckdb.
func Open(ctx context.Context, url string) (*Warehouse, error) {
	opened, err := drivers.Open(ctx, "warehouse", url)
	if err != nil {
		return nil, err
	}
	return New(opened), nil
}

// RunQuery narrows Runs.
type RunQuery = driver.RunQuery
