package warehouse

import (
	"context"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/scheme"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

type (
	// Finding is a difference between a table and what it must be.
	Finding = driver.Finding
	// Cost is what the engine says of a statement before it runs.
	Cost = driver.Cost
)

// Check compares the columns of the input tables and of ours with what is read and written, and reads no rows. No
// finding means that every statement can run.
func (w *Warehouse) Check(ctx context.Context) (findings []Finding, err error) {
	checker, able := w.driver.(driver.Checker)
	if !able {
		return nil, unable("check its tables")
	}
	err = w.retry(ctx, always, func(ctx context.Context) error {
		findings, err = checker.Check(ctx)
		return err
	})
	return findings, err
}

var schemas scheme.Registry[func(keepDays int) []string]

// RegisterSchema adds what writes the DDL for a URL without opening it, under the scheme of the URLs; drivers whose tables
// are made by a command call it in init.
func RegisterSchema(name string, open scheme.Open[func(keepDays int) []string]) {
	schemas.Register(name, open)
}

// SchemaOf is the DDL of our two tables in the warehouse that the URL names, ready to be run by hand; keepDays is how long
// a day's queue is kept. Nothing is opened: it asks for no credentials. It is failed_precondition when the warehouse makes
// its tables by itself.
func SchemaOf(ctx context.Context, url string, keepDays int) ([]string, error) {
	if err := checkKeepDays(keepDays); err != nil {
		return nil, err
	}
	if name, _, _ := strings.Cut(url, ":"); !schemas.Has(name) {
		return nil, unable("be given a schema: it makes our tables when it is opened")
	}
	write, err := schemas.Open(ctx, "warehouse", url)
	if err != nil {
		return nil, err
	}
	return write(keepDays), nil
}

// ApplySchema makes our two tables where they are not there, brings their expiry to keepDays, and answers the differences
// that are left. Doing it twice changes nothing.
func (w *Warehouse) ApplySchema(ctx context.Context, keepDays int) (findings []Finding, err error) {
	schemer, able := w.driver.(driver.Schemer)
	if !able {
		return nil, unable("be given a schema: it makes our tables when it is opened")
	}
	if err := checkKeepDays(keepDays); err != nil {
		return nil, err
	}
	err = w.retry(ctx, always, func(ctx context.Context) error {
		findings, err = schemer.ApplySchema(ctx, keepDays)
		return err
	})
	return findings, err
}

// Explain has every statement judged by the engine without running it: the bytes that each would process.
func (w *Warehouse) Explain(ctx context.Context) (costs []Cost, err error) {
	explainer, able := w.driver.(driver.Explainer)
	if !able {
		return nil, unable("tell what its statements cost: it bills nothing")
	}
	err = w.retry(ctx, always, func(ctx context.Context) error {
		costs, err = explainer.Explain(ctx)
		return err
	})
	return costs, err
}

func unable(what string) error {
	return functions.Errorf(functions.FailedPrecondition, "this warehouse cannot %s", what)
}

func checkKeepDays(days int) error {
	if days < 1 {
		return functions.Errorf(functions.InvalidArgument, "a queue is kept for at least one day")
	}
	return nil
}
