// Command bench measures one run over a million customers on one core, in every way we know: the rules written by hand
// as Go, the rulebook's engine, expr's machine, cel-go, and one DuckDB statement. It prints a Markdown table.
//
//	go -C .ci/bench run .
//
// All ways give the same verdicts, which is compared first; a way that differs stops the command. Then the ways take
// turns, round after round, so that the mood of the machine is in all of them, and what is counted is the time of the
// processor, which others on the machine do not take part in: read the ratios. It is no test, and a module of its own,
// as what is compared here has no place in the product's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// way is one way to judge.
type way struct {
	name  string
	judge func(c *retention.Customer) (rulebook.Verdict, error)

	// Of a way that judges all customers at once: the run, and its verdicts.
	all      func(ctx context.Context) error
	verdicts func(ctx context.Context) ([]rulebook.Verdict, error)
}

// times is what the rounds of a way took.
type times struct {
	nanoseconds []float64 // a customer, by round
	allocations float64   // a customer
}

func main() {
	customers := flag.Int("customers", 1_000_000, "how many customers a run judges")
	rounds := flag.Int("rounds", 7, "how many rounds the ways take turns")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *customers, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, count, rounds int) error {
	runtime.GOMAXPROCS(1)
	if count < 1 || rounds < 1 {
		return errors.New("there must be a customer and a round")
	}
	customers := someCustomers(count)
	ways, err := allWays(ctx, customers)
	if err != nil {
		return err
	}
	tiered, err := compare(ctx, ways, customers)
	if err != nil {
		return err
	}
	taken := make([]times, len(ways))
	for range rounds {
		for i, w := range ways {
			runtime.GC()
			took, allocations, err := w.run(ctx, customers)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			perCustomer := float64(took.Nanoseconds()) / float64(count)
			taken[i].nanoseconds = append(taken[i].nanoseconds, perCustomer)
			taken[i].allocations = float64(allocations) / float64(count)
		}
	}
	_, err = fmt.Fprintf(out, "%d customers, %.1f %% of them in a tier, %d rounds, one core, %s\n\n%s",
		count, 100*float64(tiered)/float64(count), rounds, runtime.Version(), table(ways, taken))
	return err
}

// allWays are the ways, the measure of all others first.
func allWays(ctx context.Context, customers []retention.Customer) ([]way, error) {
	ways := []way{{name: "hand-written Go", judge: (&hand{}).judge}, {name: "hand-written Go, each text kept", judge: newKeepingHand().judge}}
	for _, open := range []func() (way, error){rules, byExpr, byCel, func() (way, error) { return byDuckDB(ctx, customers) }} {
		w, err := open()
		if err != nil {
			return nil, err
		}
		ways = append(ways, w)
	}
	return ways, nil
}

// run judges all customers once.
func (w *way) run(ctx context.Context, customers []retention.Customer) (took time.Duration, allocations uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := processorTime()
	if w.all != nil {
		err = w.all(ctx)
	} else {
		var characters int
		for i := range customers {
			var verdict rulebook.Verdict
			if verdict, err = w.judge(&customers[i]); err != nil {
				return 0, 0, err
			}
			characters += len(verdict.Reason) + len(verdict.Action)
		}
		if characters == 0 {
			err = errors.New("no customer is in a tier")
		}
	}
	took = processorTime() - start
	runtime.ReadMemStats(&after)
	return took, after.Mallocs - before.Mallocs, err
}

// processorTime is what the processor has worked for the command so far, the collector of memory included.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it has no reason to fail
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// compare holds every way's verdicts against those of the first.
func compare(ctx context.Context, ways []way, customers []retention.Customer) (tiered int, err error) {
	want := make([]rulebook.Verdict, len(customers))
	for i, w := range ways {
		var all []rulebook.Verdict
		if w.all != nil {
			if err := w.all(ctx); err != nil {
				return 0, fmt.Errorf("%s: %w", w.name, err)
			}
			if all, err = w.verdicts(ctx); err != nil {
				return 0, fmt.Errorf("%s: %w", w.name, err)
			}
		}
		for at := range customers {
			var got rulebook.Verdict
			if w.all != nil {
				got = all[at]
			} else if got, err = w.judge(&customers[at]); err != nil {
				return 0, fmt.Errorf("%s: %w", w.name, err)
			}
			switch {
			case i == 0:
				want[at] = got
				if got.Tier != "" {
					tiered++
				}
			case got != want[at]:
				return 0, fmt.Errorf("%s says of customer %d\n%+v,\nand %s\n%+v", w.name, at, got, ways[0].name, want[at])
			}
		}
	}
	return tiered, nil
}

// table writes the best round of each way, and the median over the rounds of how it compares with the hand-written way
// in the same round.
func table(ways []way, taken []times) string {
	var text strings.Builder
	text.WriteString("| way | ns per customer | allocations per customer | times hand-written |\n| --- | ---: | ---: | ---: |\n")
	for i, w := range ways {
		ratios := make([]float64, len(taken[i].nanoseconds))
		for round, nanoseconds := range taken[i].nanoseconds {
			ratios[round] = nanoseconds / taken[0].nanoseconds[round]
		}
		slices.Sort(ratios)
		fmt.Fprintf(&text, "| %s | %.1f | %.2f | %.2f |\n", w.name, slices.Min(taken[i].nanoseconds), taken[i].allocations, ratios[len(ratios)/2])
	}
	return text.String()
}
