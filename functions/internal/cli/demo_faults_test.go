package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions/internal/cli"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

// How often the README's table tries each fault, and how often a test does.
const (
	trialsShown  = 20
	trialsTested = 2
)

// trials is what the command counts of a fault.
type trials struct {
	Fault      string
	Tried      int
	Runs       int
	Sends      int
	Delivered  int
	Duplicates int
	Lost       int      `json:"lost_runs"`
	RowsAtOnce int      `json:"rows_at_once"`
	RowsLater  int      `json:"rows_later"`
	Mails      int      `json:"mails"`
	Broken     []string `json:"broken_promises"`
}

// try has the command try every fault so many times. It must leave nothing of that behind but its folder.
func try(t *testing.T, times int) []trials {
	t.Helper()
	var shown, said bytes.Buffer
	out := filepath.Join(t.TempDir(), "demo")
	code := cli.Run(t.Context(), []string{"demo", "--fault", "all", "--times", fmt.Sprint(times), "--out", out}, cli.IO{
		Name: "retentionops", In: strings.NewReader(""), Out: &shown, Err: &said,
		Lookuper: envconfig.MapLookuper(nil), Now: time.Now, NewID: setup.NewID,
	})
	var report struct{ Faults []trials }
	if err := json.Unmarshal(shown.Bytes(), &report); err != nil || code != 0 {
		t.Fatalf("exit %d, %v\n%s%s", code, err, shown.String(), said.String())
	}
	if left, err := os.ReadDir(out); err != nil || len(left) != 1 || left[0].Name() != "demo.json" {
		t.Errorf("it left %v, %v, want the mark of a demonstration alone", left, err)
	}
	return report.Faults
}

// TestNothingIsLostAndNothingIsSentTwice tries every fault, and compares with the table that the README shows of more
// trials: what is counted of one trial is the same in all.
func TestNothingIsLostAndNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	times := trialsTested
	if *update {
		times = trialsShown
	}
	counted := try(t, times)
	if len(counted) != 6 {
		t.Errorf("%d faults were tried, want 6", len(counted))
	}
	for _, fault := range counted {
		if fault.Tried != times || fault.Runs < times {
			t.Errorf("%s: %d runs of %d trials, want some of %d", fault.Fault, fault.Runs, fault.Tried, times)
		}
		if fault.Duplicates != 0 || fault.Lost != 0 {
			t.Errorf("%s: %d duplicates and %d lost runs, want none", fault.Fault, fault.Duplicates, fault.Lost)
		}
		if rows := fault.RowsAtOnce + fault.RowsLater; rows != 2*fault.Runs {
			t.Errorf("%s: %d rows of %d runs, want two of each", fault.Fault, rows, fault.Runs)
		}
		for _, broken := range fault.Broken {
			t.Error(broken)
		}
	}
	compareSection(t, "faults", faultTable(counted, trialsShown/times))
}

// faultTable is the README's table, of so many times the trials.
func faultTable(counted []trials, factor int) string {
	var table strings.Builder
	table.WriteString("| fault | tried | runs | deliveries | days delivered | duplicates | lost runs | log rows at once | log rows later | mails |\n" +
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, f := range counted {
		fmt.Fprintf(&table, "| `%s` |", f.Fault)
		for _, number := range []int{f.Tried, f.Runs, f.Sends, f.Delivered, f.Duplicates, f.Lost, f.RowsAtOnce, f.RowsLater, f.Mails} {
			fmt.Fprintf(&table, " %d |", factor*number)
		}
		table.WriteString("\n")
	}
	return table.String()
}
