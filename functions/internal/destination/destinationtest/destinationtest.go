// Package destinationtest is the conformance suite of the destination port: every driver passes it unchanged.
//
// It does not test what only one driver has, such as the form of its links.
package destinationtest

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

// Harness is what a driver's test gives to the suite.
type Harness struct {
	// Destination is the driver, with nothing delivered yet.
	Destination destination.Destination
	// Read gives the cells that lie behind a link, the header included, as a reader of the destination sees them. It may
	// be called from several goroutines.
	Read func(link string) ([][]string, error)
}

// Run checks a driver. Each call of open must answer a harness of its own.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for _, check := range checks {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, open(t))
		})
	}
}

// check is one thing that every driver does; its name says which.
type check struct {
	name string
	run  func(*testing.T, Harness)
}

var checks = []check{
	{"a delivered audience is found and reads back", func(t *testing.T, h Harness) {
		a := New("", day, functions.P1, "17850", "007", "+4917012345", "12E5", "O'Brien", "a,b;c", `say "hi"`, "two\nlines", "Žižkov 東京 🛍", " blank ")
		link := deliver(t, h, a)
		same(t, h, link, a)
		found, ok, err := h.Destination.Find(t.Context(), "", day, functions.P1)
		if err != nil || !ok || found != link {
			t.Errorf("Find = %q, %v, %v; want the link of the delivery, %q", found, ok, err, link)
		}
	}},

	{"an audience without customers is a header", func(t *testing.T, h Harness) {
		a := New("shadow", day, functions.P3)
		same(t, h, deliver(t, h, a), a)
	}},

	{"a later audience stands in place of the earlier", func(t *testing.T, h Harness) {
		var links []string
		for _, ids := range [][]string{manyIDs("first", 500), {"second"}, {}, manyIDs("fourth", 20)} {
			a := New("pilot", day, functions.P2, ids...)
			link := deliver(t, h, a)
			same(t, h, link, a)
			links = append(links, link)
		}
		if len(slices.Compact(links)) != 1 {
			t.Errorf("the links of one place differ: %q", links)
		}
	}},

	{"folder, day and tier keep audiences apart", func(t *testing.T, h Harness) {
		audiences := []destination.Audience{
			New("", day, functions.P1, "a"), New("", day, functions.P2, "b"), New("", day.AddDays(1), functions.P1, "c"),
			New("shadow", day, functions.P1, "d"), New("pilot", day, functions.P1, "e"),
		}
		links := map[string]bool{}
		for _, a := range audiences {
			links[deliver(t, h, a)] = true
		}
		if len(links) != len(audiences) {
			t.Errorf("%d audiences have %d links", len(audiences), len(links))
		}
		for _, a := range audiences {
			link, ok, err := h.Destination.Find(t.Context(), a.Folder, a.Date, a.Tier)
			if err != nil || !ok {
				t.Fatalf("Find(%q, %s, %s) = %v, %v", a.Folder, a.Date, a.Tier, ok, err)
			}
			same(t, h, link, a)
		}
	}},

	{"what was not delivered is not found", func(t *testing.T, h Harness) {
		find := func(folder string, date functions.Date, tier functions.Tier) {
			t.Helper()
			if link, ok, err := h.Destination.Find(t.Context(), folder, date, tier); err != nil || ok || link != "" {
				t.Errorf("Find(%q, %s, %s) = %q, %v, %v; want nothing", folder, date, tier, link, ok, err)
			}
		}
		find("", day, functions.P1)
		find("shadow", day, functions.P1)
		deliver(t, h, New("shadow", day, functions.P1, "a"))
		find("", day, functions.P1)
		find("shadow", day, functions.P2)
		find("shadow", day.AddDays(-1), functions.P1)
	}},

	{"a reader sees the old audience or the new one", func(t *testing.T, h Harness) {
		const deliveries = 8
		sizes := map[int]bool{}
		var audiences []destination.Audience
		for i := range 3 {
			a := New("", day, functions.P1, manyIDs(fmt.Sprintf("list-%d", i), 300*(i+1))...)
			audiences = append(audiences, a)
			sizes[len(a.Rows)] = true
		}
		link := deliver(t, h, audiences[0])
		var writers sync.WaitGroup
		for _, a := range audiences {
			writers.Go(func() {
				for range deliveries {
					if _, err := h.Destination.Deliver(t.Context(), a); err != nil {
						t.Errorf("Deliver: %v", err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { writers.Wait(); close(done) }()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			cells, err := h.Read(link)
			if err != nil {
				t.Errorf("Read: %v", err)
				break
			}
			if whole := len(cells) > 1 && slices.ContainsFunc(audiences, func(a destination.Audience) bool { return cmp.Equal(Cells(a), cells) }); !whole {
				t.Errorf("a reader saw %d rows that are no audience as delivered", len(cells)-1)
				break
			}
		}
		<-done
	}},

	{"a place that cannot be is refused", func(t *testing.T, h Harness) {
		for _, a := range []destination.Audience{
			New("..", day, functions.P1, "a"), New("a/b", day, functions.P1, "a"), New("two words", day, functions.P1, "a"),
			New("", functions.Date{}, functions.P1, "a"), New("", day, "P4", "a"), New("", day, "", "a"),
		} {
			if link, err := h.Destination.Deliver(t.Context(), a); functions.CodeOf(err) != functions.InvalidArgument {
				t.Errorf("Deliver to %q, %s, %q = %q, %v; want invalid_argument", a.Folder, a.Date, a.Tier, link, err)
			}
			if _, _, err := h.Destination.Find(t.Context(), a.Folder, a.Date, a.Tier); functions.CodeOf(err) != functions.InvalidArgument {
				t.Errorf("Find in %q, %s, %q = %v; want invalid_argument", a.Folder, a.Date, a.Tier, err)
			}
		}
	}},

	{"a caller who has gone changes nothing", func(t *testing.T, h Harness) {
		before := New("", day, functions.P1, "before")
		link := deliver(t, h, before)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := h.Destination.Deliver(gone, New("", day, functions.P1, "after"))
		_, _, findErr := h.Destination.Find(gone, "", day, functions.P1)
		for does, err := range map[string]error{"Deliver": err, "Find": findErr} {
			if functions.CodeOf(err) != functions.Unavailable || !errors.Is(err, context.Canceled) {
				t.Errorf("%s with a cancelled context = %v, want unavailable for context.Canceled", does, err)
			}
		}
		same(t, h, link, before)
	}},
}

var day = functions.Date{Year: 2026, Month: 1, Day: 12}

// New makes an audience of one text and one number column, for tests of drivers.
func New(folder string, date functions.Date, tier functions.Tier, ids ...string) destination.Audience {
	a := destination.Audience{
		Date: date, Tier: tier, Folder: folder,
		Columns: []destination.Column{{Name: "customer_id", Kind: destination.Text}, {Name: "total_revenue", Kind: destination.Number}},
	}
	for i, id := range ids {
		a.Rows = append(a.Rows, []string{id, fmt.Sprintf("%d.25", i)})
	}
	a.CSV = plainCSV(Cells(a))
	return a
}

// Cells are the header and the rows of an audience: what must lie at a destination after its delivery.
func Cells(a destination.Audience) [][]string {
	header := make([]string, len(a.Columns))
	for i, column := range a.Columns {
		header[i] = column.Name
	}
	return append([][]string{header}, a.Rows...)
}

type plainCSV [][]string

// WriteTo implements io.WriterTo.
func (p plainCSV) WriteTo(w io.Writer) (int64, error) {
	counted := &counter{w: w}
	err := csv.NewWriter(counted).WriteAll(p)
	return counted.n, err
}

type counter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func deliver(t *testing.T, h Harness, a destination.Audience) string {
	t.Helper()
	link, err := h.Destination.Deliver(t.Context(), a)
	if err != nil || link == "" {
		t.Fatalf("Deliver = %q, %v", link, err)
	}
	return link
}

func same(t *testing.T, h Harness, link string, a destination.Audience) {
	t.Helper()
	got, err := h.Read(link)
	if diff := cmp.Diff(Cells(a), got); err != nil || diff != "" {
		t.Errorf("behind the link: %v (-want +got)\n%s", err, diff)
	}
}

func manyIDs(word string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%05d", word, i)
	}
	return ids
}

// Large makes an audience as wide as those of the house, for measurements.
func Large(date functions.Date, customers int) destination.Audience {
	a := destination.Audience{Date: date, Tier: functions.P1}
	for _, name := range []string{
		"run_date", "customer_id", "retention_status", "churn_risk_level", "churn_risk_score", "priority_tier", "priority_score", "priority_reason",
		"days_since_last_order", "total_revenue", "total_orders", "avg_order_value", "recommended_action", "value_proxy", "rule_id", "rules_version",
	} {
		kind := destination.Text
		if strings.Contains(name, "score") || strings.Contains(name, "total") || strings.Contains(name, "days") || strings.Contains(name, "value") {
			kind = destination.Number
		}
		a.Columns = append(a.Columns, destination.Column{Name: name, Kind: kind})
	}
	for i := range customers {
		a.Rows = append(a.Rows, []string{
			date.String(), fmt.Sprintf("%06d", i), "ACTIVE", "HIGH", "70", "P1", fmt.Sprintf("%d.5", 70+i%30), "Active customer, buys less often than before",
			fmt.Sprint(i % 90), fmt.Sprintf("%d.25", i), fmt.Sprint(i % 50), fmt.Sprintf("%d.12", i%400), "Call within two days and offer help",
			fmt.Sprintf("%d.08", i/3), "p1-active-high", "0123456789ab",
		})
	}
	a.CSV = plainCSV(Cells(a))
	return a
}
