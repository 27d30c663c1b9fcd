// Command compare measures the gateway side by side with a server of the protocol's official Go SDK that offers the same
// contract, and what the gateway adds to a function that is called directly. It prints tables to a terminal and JSON into
// a pipe.
//
//	go -C .ci/mcp run ./compare
//
// Both servers have the gateway's own list of tools, the same canned answers and the same words, and validate input and
// output. Each runs in a process of its own, so that its processor time and its memory are its own; the clients share the
// machine with it. The servers take turns, round after round, so that the mood of the machine is in all of them: read
// the ratios. It is no test.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/term"

	"github.com/retentionops/retentionops/mcp/proof"
)

func main() {
	o := options{}
	serve := flag.String("serve", "", "be one of the servers; the command starts itself so")
	function := flag.String("function", "", "for -serve: where the function is")
	flag.DurationVar(&o.lasts, "lasts", 2*time.Second, "how long each load lasts")
	flag.IntVar(&o.rounds, "rounds", 3, "how many rounds the servers take turns")
	flag.BoolVar(&o.short, "short", false, "only see that it works")
	flag.Parse()
	if *serve != "" {
		if err := beServer(*serve, *function); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if o.short {
		o.lasts, o.rounds = 50*time.Millisecond, 1
	}
	if err := run(os.Stdout, term.IsTerminal(int(os.Stdout.Fd())), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	lasts  time.Duration
	rounds int
	short  bool
}

// row is one line of a table: the middle of its rounds.
type row struct {
	Server  string `json:"server"`
	Asked   string `json:"asked"`
	Clients int    `json:"clients"`
	measured
	Ratio measured `json:"times_the_first"` // against the first server on the same load, round by round
}

// start is what it takes to be there, and to stay.
type start struct {
	Server string  `json:"server"`
	First  float64 `json:"start_to_first_answer_ms"`
	Idle   int64   `json:"peak_kb_after_one_answer"`
	Peak   int64   `json:"peak_kb_after_the_load"`
}

type report struct {
	Machine string  `json:"machine"`
	Compare []row   `json:"same_contract"`
	Starts  []start `json:"start_and_memory"`
	Added   []row   `json:"added_to_a_function"`
}

func run(out io.Writer, person bool, o options) error {
	r := report{Machine: fmt.Sprintf("%d processors, %s, %s/%s; %d rounds of %s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, o.rounds, o.lasts)}
	var err error
	if r.Compare, r.Starts, err = compare(o); err != nil {
		return err
	}
	if r.Added, err = added(o); err != nil {
		return err
	}
	if !person {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	_, err = fmt.Fprintf(out, "%s\n\n%s\n\n%s\n\n%s\n", r.Machine, rows(r.Compare), starts(r.Starts), rows(r.Added))
	return err
}

// contender is a server that takes turns.
type contender struct {
	name      string
	url       string
	processes []*process
	what      []asked
}

// compare measures both servers of the contract.
func compare(o options) (all []row, begun []start, err error) {
	names := []string{"gateway", "go-sdk"}
	var running []*process
	defer func() {
		for _, p := range running {
			_ = p.end()
		}
	}()
	for _, name := range names {
		s := start{Server: name}
		if s.First, s.Idle, err = startOf(name, o); err != nil {
			return nil, nil, err
		}
		begun = append(begun, s)
		p, err := begin(name, "")
		if err != nil {
			return nil, nil, err
		}
		running = append(running, p)
	}
	for _, era := range eras {
		for what, asks := range loads(era) {
			for _, clients := range []int{1, 16, 64} {
				var turns []contender
				for i, name := range names {
					turns = append(turns, contender{name, running[i].url, running[i : i+1], asks})
				}
				measured, err := takeTurns(turns, what+", "+era, clients, o)
				if err != nil {
					return nil, nil, err
				}
				all = append(all, measured...)
			}
		}
	}
	for i, p := range running {
		used, err := p.used()
		if err != nil {
			return nil, nil, err
		}
		begun[i].Peak = used.Peak
	}
	return all, begun, nil
}

// eras are the versions of the protocol that are spoken, the newest first.
var eras = []string{modern, legacy}

// loads are what is asked for: the six tools in turn, and the list of them.
func loads(era string) func(func(string, []asked) bool) {
	return func(yield func(string, []asked) bool) {
		var calls []asked
		for _, name := range slices.Sorted(maps.Keys(proof.Arguments)) {
			calls = append(calls, call(era, name))
		}
		_ = yield("tools/call", calls) && yield("tools/list", []asked{list(era)})
	}
}

// added measures a function called directly, and through the gateway.
func added(o options) (all []row, err error) {
	direct, era := []asked{direct()}, modern
	through := []asked{call(era, "get_alert_decision")}
	turns := []contender{{name: "function", what: direct}, {name: "gateway in process", what: through}, {name: "gateway over loopback", what: through}}
	for i := range turns {
		p, err := begin(turns[i].name, turns[0].url)
		if err != nil {
			return nil, err
		}
		defer func() { _ = p.end() }()
		turns[i].url, turns[i].processes = p.url, []*process{p}
	}
	turns[2].processes = append(turns[2].processes, turns[0].processes[0]) // the function works there too
	for _, clients := range []int{1, 16, 64} {
		measured, err := takeTurns(turns, "get_alert_decision", clients, o)
		if err != nil {
			return nil, err
		}
		all = append(all, measured...)
	}
	return all, nil
}

// takeTurns loads each contender in every round, and gives the middle round of each.
func takeTurns(turns []contender, what string, clients int, o options) (all []row, err error) {
	rounds := make([][]measured, len(turns))
	for round := range o.rounds + 1 {
		for i, c := range turns {
			lasts := o.lasts
			if round == 0 {
				lasts /= 4 // to warm up
			}
			m, err := load(c.url, c.what, clients, lasts, c.processes...)
			if err != nil {
				return nil, fmt.Errorf("%s, %s, %d clients: %w", c.name, what, clients, err)
			}
			if round > 0 {
				rounds[i] = append(rounds[i], m)
			}
		}
	}
	for i, c := range turns {
		one := row{Server: c.name, Asked: what, Clients: clients}
		one.measured = each(func(of func(measured) float64) float64 { return middle(rounds[i], of) })
		one.Ratio = each(func(of func(measured) float64) float64 {
			var ratios []float64
			for round, m := range rounds[i] {
				ratios = append(ratios, of(m)/of(rounds[0][round]))
			}
			slices.Sort(ratios)
			return ratios[len(ratios)/2]
		})
		all = append(all, one)
	}
	return all, nil
}

// each makes every figure by the same means.
func each(figure func(of func(measured) float64) float64) measured {
	return measured{
		PerSecond: figure(func(m measured) float64 { return m.PerSecond }), P50: figure(func(m measured) float64 { return m.P50 }),
		P99: figure(func(m measured) float64 { return m.P99 }), CPU: figure(func(m measured) float64 { return m.CPU }),
	}
}

func middle(rounds []measured, of func(measured) float64) float64 {
	var values []float64
	for _, m := range rounds {
		values = append(values, of(m))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// startOf starts a server several times, and gives the middle time to its first list of tools and its memory then.
func startOf(name string, o options) (first float64, peak int64, err error) {
	times := 9
	if o.short {
		times = 1
	}
	var took []float64
	for range times {
		began := time.Now()
		p, err := begin(name, "")
		if err != nil {
			return 0, 0, err
		}
		if err := once(http.DefaultClient, p.url, list(modern)); err != nil {
			return 0, 0, err
		}
		took = append(took, milliseconds(time.Since(began)))
		used, err := p.used()
		if err != nil {
			return 0, 0, err
		}
		peak = used.Peak
		if err := p.end(); err != nil {
			return 0, 0, err
		}
	}
	slices.Sort(took)
	return took[len(took)/2], peak, nil
}

func rows(all []row) string {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"asked", "clients", "server", "requests/s", "p50 ms", "p99 ms", "CPU ms", "× requests/s", "× p50", "× p99", "× CPU"})
	for _, r := range all {
		t.AppendRow(table.Row{
			r.Asked, r.Clients, r.Server, fmt.Sprintf("%.0f", r.PerSecond), figure(r.P50), figure(r.P99), fmt.Sprintf("%.3f", r.CPU),
			figure(r.Ratio.PerSecond), figure(r.Ratio.P50), figure(r.Ratio.P99), figure(r.Ratio.CPU),
		})
	}
	return t.RenderMarkdown()
}

func starts(all []start) string {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"server", "start to first answer, ms", "memory then, MB", "at its most, MB"})
	for _, s := range all {
		t.AppendRow(table.Row{s.Server, figure(s.First), figure(float64(s.Idle) / 1024), figure(float64(s.Peak) / 1024)})
	}
	return t.RenderMarkdown()
}

func figure(value float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.2f", value), ".00")
}
