package driver

import (
	"context"
	"fmt"
)

// Checker is what a driver offers that can compare the tables with what we read and write before anything is run.
type Checker interface {
	// Check looks at the columns of the four input tables and of our two. Every difference is a finding, in the order of
	// the tables; none means that the statements of this driver can run. It reads no rows.
	Check(ctx context.Context) ([]Finding, error)
}

// Schemer is what a driver offers whose tables are made by a command, not when it is opened.
type Schemer interface {
	// ApplySchema makes our two tables where they are not there, brings the days for which a queue is kept to keepDays, and
	// compares what stands there then. What it could not bring about is a finding: a column of another type, another
	// partitioning.
	ApplySchema(ctx context.Context, keepDays int) ([]Finding, error)
}

// Explainer is what a driver offers whose engine bills by the bytes that a statement reads.
type Explainer interface {
	// Explain has every statement judged by the engine without running it.
	Explain(ctx context.Context) ([]Cost, error)
}

// Finding is a difference between a table and what it must be.
type Finding struct {
	Table  string
	Column string // empty when it is the table itself
	Want   string // what it must be: a type, or a word such as "partitioned by run_date"
	Got    string // what it is; empty when it is not there
}

// String tells the finding in one line.
func (f Finding) String() string {
	switch {
	case f.Column == "" && f.Got == "":
		return fmt.Sprintf("the warehouse has no table %s", f.Table)
	case f.Column == "":
		return fmt.Sprintf("the table %s is %s; it must be %s", f.Table, f.Got, f.Want)
	case f.Got == "":
		return fmt.Sprintf("the table %s has no column %s (%s)", f.Table, f.Column, f.Want)
	default:
		return fmt.Sprintf("the column %s of %s is %s; it must be %s", f.Column, f.Table, f.Got, f.Want)
	}
}

// Cost is what the engine says of a statement before it runs.
type Cost struct {
	Statement string // its name, such as customers
	Bytes     int64  // that it would process; engines bill a minimum on top
}
