package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/retentionops/retentionops/functions"
)

const (
	// trialCustomers is the size of the shops that trials make up.
	trialCustomers = 400
	// mostTrials is how often a fault may be tried.
	mostTrials = 1000
	// trialsAtOnce is how many are played at the same time: much of a trial is waiting.
	trialsAtOnce = 6
	// dullShops is how many shops in a row may have no alert before that is taken for a fault.
	dullShops = 20
)

// tally is what came of all trials of a fault.
type tally struct {
	Fault      string   `json:"fault"`
	Tried      int      `json:"tried"`
	Runs       int      `json:"runs"`
	Sends      int      `json:"sends"`      // deliveries that the receiver saw
	Delivered  int      `json:"delivered"`  // days with a Slack message and a ticket in the end
	Duplicates int      `json:"duplicates"` // posts and tickets beyond one for a day
	Lost       int      `json:"lost_runs"`  // without an end in the log
	RowsAtOnce int64    `json:"rows_at_once"`
	RowsLater  int      `json:"rows_later"` // that waited in the archive
	Mails      int      `json:"mails"`
	Broken     []string `json:"broken_promises"` // each with its trial
}

// trialReport is the table for a program.
type trialReport struct {
	Times     int      `json:"times"`
	Customers int      `json:"customers"`
	Faults    []tally  `json:"faults"`
	Shortened []string `json:"shortened"`
	TookMS    int64    `json:"took_ms"`
}

// stocked is the warehouse of a made-up shop, which every trial copies.
type stocked struct {
	file string
	loaded
}

// playTrials plays every fault so many times, on shops of their own, and counts.
func (c *command) playTrials(ctx context.Context, times, customers int, out string) (err error) {
	began := c.Now()
	if err := freshFolder(ctx, out); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(out, "trials-")
	if err != nil {
		return unusableFolder(out, err)
	}
	defer os.RemoveAll(folder) //nolint:errcheck // what is left lies in the demonstration's folder
	shops, err := c.makeShops(ctx, times, customers, folder)
	if err != nil {
		return err
	}
	report := trialReport{Times: times, Customers: customers, Faults: make([]tally, len(faults)), Shortened: []string{}}
	for i, fault := range faults {
		report.Faults[i] = tally{Fault: fault.name, Broken: []string{}}
		for _, text := range fault.shortened() {
			report.Shortened = append(report.Shortened, fault.name+": "+text)
		}
	}
	if err := c.tryAll(ctx, shops, folder, &report); err != nil {
		return err
	}
	report.TookMS = c.Now().Sub(began).Milliseconds()
	return c.closeTrials(&report)
}

// makeShops makes as many shops with an alert on the demonstration's day, each with a seed of its own.
func (c *command) makeShops(ctx context.Context, count, customers int, folder string) ([]stocked, error) {
	var shops []stocked
	for seed, dull := uint64(1), 0; len(shops) < count; seed++ {
		c.step("making shop %d of %d", len(shops)+1, count)
		file := filepath.Join(folder, fmt.Sprintf("shop-%d.duckdb", seed))
		url := map[string]string{"RETENTIONOPS_WAREHOUSE": "duckdb:" + file}
		made, err := c.stock(ctx, c.env(url, functions.PhaseProduction), source{customers: customers, seed: seed, date: demoDate})
		if err != nil {
			return nil, err
		}
		if !made.Detection.Alert.Flag {
			if dull++; dull > dullShops {
				return nil, functions.Errorf(functions.FailedPrecondition, "shops of %d customers have no alert on %s", customers, demoDate).
					WithHint("make them larger with --customers")
			}
			continue
		}
		dull = 0
		shops = append(shops, stocked{file, made})
	}
	return shops, nil
}

// tryAll plays every fault on every shop, several at once.
func (c *command) tryAll(ctx context.Context, shops []stocked, folder string, report *trialReport) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex
		trials  sync.WaitGroup
		room    = make(chan struct{}, trialsAtOnce)
		done    = 0
		counted = func(i int, name string, p *played) {
			mu.Lock()
			defer mu.Unlock()
			report.Faults[i].add(name, p)
			done++
			c.step("%d of %d faults played", done, len(shops)*len(faults))
		}
	)
	for at, made := range shops {
		for i, fault := range faults {
			name := fmt.Sprintf("%s-%d", fault.name, at+1)
			room <- struct{}{}
			trials.Go(func() {
				defer func() { <-room }()
				if ctx.Err() != nil {
					return
				}
				p, err := c.try(ctx, fault, made, filepath.Join(folder, name))
				if err != nil {
					cancel(fmt.Errorf("play %s: %w", name, err))
					return
				}
				counted(i, name, p)
			})
		}
	}
	trials.Wait()
	c.clearStep()
	return context.Cause(ctx)
}

// try plays a fault on a copy of the shop.
func (c *command) try(ctx context.Context, f fault, made stocked, out string) (p *played, err error) {
	if err := os.MkdirAll(out, 0o750); err != nil {
		return nil, unusableFolder(out, err)
	}
	defer os.RemoveAll(out) //nolint:errcheck // the folder above it goes too
	if err := copyFile(made.file, filepath.Join(out, "warehouse.duckdb")); err != nil {
		return nil, fmt.Errorf("copy the shop: %w", err)
	}
	s, err := c.setScene(ctx, f, out)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := s.close(ctx); err == nil {
			err = closed
		}
	}()
	return s.play(ctx, made.Detection.AsOf, made.Detection.FirstOrder, func(*act, *played) {})
}

func copyFile(from, to string) error {
	source, err := os.Open(from) //nolint:gosec // in a folder of ours
	if err != nil {
		return err
	}
	defer source.Close()                                                     //nolint:errcheck // it was only read
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in a folder of ours
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		_ = target.Close()
		return err
	}
	return target.Close()
}

// add counts a trial.
func (t *tally) add(name string, p *played) {
	t.Tried++
	t.Runs += p.Runs
	t.Sends += p.Deliveries
	t.Duplicates += p.Duplicates
	t.Lost += p.Lost
	t.RowsAtOnce += p.RowsAtOnce
	t.RowsLater += p.Reconciled
	t.Mails += len(p.Mails)
	posts, tickets := 0, 0
	for _, entry := range p.Ledger {
		posts, tickets = posts+entry.SlackPosts, tickets+entry.Tickets
	}
	if posts > 0 && tickets > 0 {
		t.Delivered++
	}
	for _, one := range p.Promises {
		if !one.Kept {
			t.Broken = append(t.Broken, fmt.Sprintf("%s: %s; got %s", name, one.What, one.Got))
		}
	}
}

// closeTrials shows the table.
func (c *command) closeTrials(report *trialReport) error {
	good := true
	for _, fault := range report.Faults {
		good = good && fault.Duplicates == 0 && fault.Lost == 0 && len(fault.Broken) == 0
	}
	if c.json {
		if err := c.printJSON(report); err != nil {
			return err
		}
	} else {
		c.showTrials(report)
	}
	if !good {
		return exit(exitFailed)
	}
	return nil
}

func (c *command) showTrials(report *trialReport) {
	c.printf("Each fault %d times, on made-up shops of about %d customers: the day is triggered while it is out of order,\n"+
		"what waits is written, and the day is triggered again. Local stand-ins for Make.com and the mail server; real DuckDB.\n\n",
		report.Times, report.Customers)
	writer := c.newTable("fault", "tried", "runs", "sends", "days delivered", "duplicates", "lost runs", "rows at once", "rows later", "mails", "as promised")
	for _, fault := range report.Faults {
		promised := "yes"
		if len(fault.Broken) > 0 {
			promised = "NO"
		}
		writer.AppendRow([]any{
			fault.Fault, fault.Tried, fault.Runs, fault.Sends, fault.Delivered, fault.Duplicates, fault.Lost,
			fault.RowsAtOnce, fault.RowsLater, fault.Mails, promised,
		})
	}
	writer.Render()
	for _, fault := range report.Faults {
		for _, broken := range fault.Broken {
			c.printf("  %s\n", c.paint(bad, broken))
		}
	}
	c.printf("\nShortened for the demo:\n")
	for _, text := range report.Shortened {
		c.printf("  %s\n", text)
	}
	c.printf("Done in %.1f s.\n", float64(report.TookMS)/1000)
}
