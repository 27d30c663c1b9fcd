package shop

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/retentionops/retentionops/functions"
)

// The cleaning rules of the Online Retail data set, in the order in which they are asked; a line counts for the first
// that takes it out. They give the figures that the data set is published with: exact duplicates stay in.
const (
	ruleNoCustomer = iota
	ruleCancelled
	ruleQuantity
	rulePrice
)

var cleaningRules = [...]string{
	ruleNoCustomer: "no customer",
	ruleCancelled:  "cancelled: the invoice number begins with C",
	ruleQuantity:   "quantity not above 0",
	rulePrice:      "price not above 0",
}

// lineReader reads rows that are line items and adds them up to one order an invoice. The invoices are held in memory
// until the end, as nothing says that the lines of one stand together.
type lineReader struct {
	path     string
	columns  []int // InvoiceNo, CustomerID, Quantity, UnitPrice, InvoiceDate, Country
	batch    *orderBatch
	report   *ImportReport
	invoices map[string]*invoice
	order    []*invoice
	dayZero  time.Time // day 0 of the dates that are numbers
	written  string    // the last InvoiceDate and its day: most lines share it with the one before
	day      functions.Date
}

type invoice struct {
	number, customer, country string
	line                      int // of its first line item
	day                       functions.Date
	amount                    decimal.Decimal
}

// excelEpoch is day 0 of a spreadsheet's dates. It is right from March 1900 on: Excel believes in 1900-02-29.
var excelEpoch = time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)

// macEpoch is day 0 where a workbook says so, as old ones from a Macintosh do.
var macEpoch = time.Date(1904, time.January, 1, 0, 0, 0, 0, time.UTC)

func newLineReader(path string, columns []int, dayZero time.Time, batch *orderBatch, report *ImportReport) *lineReader {
	for _, rule := range cleaningRules {
		report.Dropped = append(report.Dropped, Dropped{Rule: rule})
	}
	return &lineReader{
		path: path, columns: columns, batch: batch, report: report, invoices: map[string]*invoice{}, dayZero: dayZero,
	}
}

func (l *lineReader) read(r row) error {
	field := func(i int) string { return strings.TrimSpace(r.fields[l.columns[i]]) }
	number, customer, country := wholeNumber(field(0)), wholeNumber(field(1)), field(5)
	drop := func(rule int) error { l.report.Dropped[rule].Lines++; return nil }
	bad := func(format string, args ...any) error { l.report.bad(r.line, format, args...); return nil }
	switch {
	case customer == "":
		return drop(ruleNoCustomer)
	case strings.HasPrefix(number, "C"), strings.HasPrefix(number, "c"):
		return drop(ruleCancelled)
	case number == "":
		return bad("InvoiceNo is empty")
	case !isID(number):
		return bad("InvoiceNo %s is no number of an invoice", show(number))
	case !isID(customer):
		return bad("CustomerID %s is no id of a customer", show(customer))
	case !isPlainText(country):
		return bad("Country %s is not plain UTF-8 text", show(country))
	}
	quantity, sound := parseNumber(field(2))
	if !sound {
		return bad("Quantity %s is not a number", show(field(2)))
	}
	if !quantity.IsPositive() {
		return drop(ruleQuantity)
	}
	price, sound := parseNumber(field(3))
	if !sound {
		return bad("UnitPrice %s is not a number", show(field(3)))
	}
	if !price.IsPositive() {
		return drop(rulePrice)
	}
	day, reason, err := l.dayOf(field(4), r.line)
	if err != nil {
		return err
	}
	if reason != "" {
		return bad("InvoiceDate %s %s", show(field(4)), reason)
	}
	known, found := l.invoices[number]
	if !found {
		known = &invoice{
			number: strings.Clone(number), customer: strings.Clone(customer), country: strings.Clone(country),
			line: r.line, day: day,
		}
		l.invoices[known.number], l.order = known, append(l.order, known)
	}
	if known.customer != customer {
		return bad("invoice %s belongs to customer %s by line %d, and here to %s",
			show(number), show(known.customer), known.line, show(customer))
	}
	if day.Before(known.day) {
		known.day = day
	}
	known.amount = known.amount.Add(quantity.Mul(price))
	return nil
}

// finish hands on the invoices. Amounts were added up exactly, and are rounded here, once, half away from zero.
func (l *lineReader) finish() error {
	functions.Report(l.batch.ctx, functions.Progress{
		Stage: "import", Message: fmt.Sprintf("%d invoices added up", len(l.order)),
	})
	for _, found := range l.order {
		amount := found.amount.StringFixed(2)
		if reason := amountFault(amount); reason != "" {
			l.report.bad(found.line, "invoice %s, which begins here, adds up to %s: the amount %s",
				show(found.number), short(amount), reason)
			continue
		}
		err := l.batch.add(importedOrder{
			id: found.number, customer: found.customer, day: found.day.String(), amount: amount, country: found.country,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dayOf reads the day of an InvoiceDate: a spreadsheet's number, YYYY-MM-DD, or month/day/year as the published CSV
// copies have it, each with or without a time. A day that is only possible as day/month/year ends the import: then the
// days up to the 12th, which are possible both ways, would be wrong without a sign.
func (l *lineReader) dayOf(text string, line int) (day functions.Date, reason string, err error) {
	if text == l.written && text != "" {
		return l.day, "", nil
	}
	if serial, err := strconv.ParseFloat(text, 64); err == nil {
		const lastSerial = 2_958_465 // 9999-12-31
		if !(serial >= 1 && serial <= lastSerial) {
			return day, "is no date of a spreadsheet", nil
		}
		at := l.dayZero.AddDate(0, 0, int(math.Floor(serial)))
		day = functions.Date{Year: at.Year(), Month: at.Month(), Day: at.Day()}
	} else {
		written, clock, timed := strings.Cut(strings.Replace(text, "T", " ", 1), " ")
		if timed && !isClock(clock) {
			return day, "is not a date", nil
		}
		if day, err = parseDay(written); err != nil {
			at, err := time.Parse("1/2/2006", written)
			if err != nil {
				if _, err := time.Parse("2/1/2006", written); err == nil {
					return day, "", unusable(l.path, "has an InvoiceDate as day/month/year (%s, line %d): write YYYY-MM-DD",
						show(text), line)
				}
				return day, "is not a date: YYYY-MM-DD, or month/day/year, or a spreadsheet's number", nil
			}
			day = functions.Date{Year: at.Year(), Month: at.Month(), Day: at.Day()}
		}
	}
	if day.Year < firstYear {
		return day, "is before 1900", nil
	}
	l.written, l.day = strings.Clone(text), day
	return day, "", nil
}

func isClock(text string) bool {
	for _, layout := range [...]string{"15:04", "15:04:05", "15:04:05Z07:00"} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// isID reports whether a text can be an id: plain, and not an error of a spreadsheet such as #N/A.
func isID(text string) bool { return isPlainText(text) && !strings.HasPrefix(text, "#") }

// wholeNumber takes the empty decimals from a number that a spreadsheet or a data frame has written with them:
// 17850.0 is 17850. Any other text stays as it is.
func wholeNumber(text string) string {
	whole, decimals, point := strings.Cut(text, ".")
	if point && isDigits(whole) && isDigits(decimals) && strings.Trim(decimals, "0") == "" {
		return whole
	}
	return text
}

// largestNumber bounds a quantity and a price. What is larger is no number of a shop, and would cost memory to add up.
const largestNumber = 1e15

// parseNumber reads a number exactly as it was meant. A workbook holds the nearest binary fraction, 2.55 as
// 2.5499999999999998; the shortest text that means the same binary fraction is the number that was typed.
func parseNumber(text string) (decimal.Decimal, bool) {
	binary, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(binary) < largestNumber) {
		return decimal.Decimal{}, false
	}
	exact, err := decimal.NewFromString(strconv.FormatFloat(binary, 'f', -1, 64))
	return exact, err == nil
}
