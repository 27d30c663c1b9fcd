// Package shop is the embedded demonstration shop: it stands in for the company's own SQL, so that the product can be
// seen working on orders alone. It imports or generates orders, runs the detection SQL1 to SQL5 over them on an
// embedded DuckDB, and answers playbooks as a local stand-in of the Make.com scenario.
//
// It is not part of a deployed function, and nothing of it runs where a real warehouse has the detection tables.
//
// # The detection
//
// The statements lie in the folder sql and run as of any day: orders dated after it play no part, and each row of
// alert_logic is as of its own day. Where the source divides, they compare and round whole numbers, so that a share on
// a limit is on the limit and not a little beside it. Money is DECIMAL throughout.
//
// # The generated shop
//
// Generate makes the orders of a shop that opened in January 2024. Nothing in it is measured; it is a model:
//
//   - Newcomers come day by day, more of them each year, more before Christmas and fewer in summer.
//   - While a customer is one, the orders follow a Poisson process, and its rate differs from customer to customer by
//     a gamma distribution: the purchases of all are then negative binomial (Schmittlein, Morrison and Colombo 1987,
//     "Counting Your Customers: Who Are They and What Will They Do Next?", Management Science 33).
//   - After each order a customer may leave for good, unseen, with a chance of their own that follows a beta
//     distribution. This is the BG/NBD model (Fader, Hardie and Lee 2005, "Counting Your Customers the Easy Way: An
//     Alternative to the Pareto/NBD Model", Marketing Science 24). As in its variant MBG/NBD (Batislam, Denizel and
//     Filiztekin 2007, International Journal of Research in Marketing 24), the first order counts too, so many
//     customers order once and never again.
//   - Time runs faster on busy days: the process is stretched by the season of the week and of the year.
//   - Order values are log-normal around the customer's own level, which is log-normal as well.
//
// The generator plays an incident, and GenerateReport names it: a clearance sale on 2025-12-12, at which regular
// customers stock up and most of those do not come back, and a first-order discount on 2025-12-19, which brings many
// bargain hunters, most of whom order this once. After 31 days without an order a customer is AT_RISK, so the
// detection sees the first on 2026-01-12 (WARNING) and the second on 2026-01-19 (CRITICAL). Without the sales the same
// shop is quiet. All shares are of the number of customers, so the story is the same for a million of them.
package shop
