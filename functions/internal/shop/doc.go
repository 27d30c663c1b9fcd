// Package shop is the embedded demonstration shop: it stands in for the company's own SQL, so that the product can be
// seen working on orders alone. It imports or generates orders, runs the detection SQL1 to SQL5 over them on an
// embedded DuckDB, and answers playbooks as a local stand-in of the Make.com scenario.
//
// It is not part of a deployed function, and nothing of it runs where a real warehouse has the detection tables.
package shop
