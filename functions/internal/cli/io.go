package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"
	"github.com/sethvargo/go-envconfig"
	"golang.org/x/term"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

// IO is a command's whole world: its streams, what is known of the terminal, its settings, clock and ids. A test
// makes its own.
type IO struct {
	Name     string // how the command was called, for commands that it proposes
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // whether Out is a terminal: tables for a person, else JSON for a program
	Progress bool // whether Err is a terminal: passing lines may be drawn over
	Color    bool // whether colour may be used
	Lookuper envconfig.Lookuper
	Environ  []string // every NAME=value of the environment, to find names that nothing reads
	Now      func() time.Time
	NewID    func() string
	Today    functions.Date // when set, stands in for today: the demo plays on another day
}

// System is the IO of the running process. Colour is used on a terminal without NO_COLOR (no-color.org).
func System() IO {
	terminal := term.IsTerminal(int(os.Stdout.Fd()))
	name := "retentionops"
	if strings.Contains(os.Args[0], "go-build") { // go run builds into the cache
		name = "go run ./functions/cmd/retentionops"
	}
	return IO{
		Name: name, In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Terminal: terminal, Progress: term.IsTerminal(int(os.Stderr.Fd())),
		Color:    terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Lookuper: envconfig.OsLookuper(), Environ: os.Environ(), Now: time.Now, NewID: setup.NewID,
	}
}

// printJSON writes a value for a program: indented, one document.
func (o IO) printJSON(value any) error {
	encoder := json.NewEncoder(o.Out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func (o IO) printf(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format, args...) }

// paint colours text where colour may be used.
func (o IO) paint(colors pretty.Colors, s string) string {
	if !o.Color {
		return s
	}
	return colors.EscapeSeq() + s + pretty.Reset.EscapeSeq()
}

// The colours carry meaning only beside words that say the same.
var (
	bold  = pretty.Colors{pretty.Bold}
	faint = pretty.Colors{pretty.Faint}
	good  = pretty.Colors{pretty.FgGreen}
	wary  = pretty.Colors{pretty.FgYellow}
	bad   = pretty.Colors{pretty.FgRed}
)

// newTable is a plain table: columns by space, no lines.
func (o IO) newTable(headings ...any) table.Writer {
	writer := table.NewWriter()
	writer.SetOutputMirror(o.Out)
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = pretty.FormatDefault
	writer.SetStyle(style)
	if len(headings) > 0 {
		writer.AppendHeader(headings)
	}
	return writer
}

// step draws a passing line of progress on a terminal, over the one before; clearStep removes it.
func (o IO) step(format string, args ...any) {
	if o.Progress {
		_, _ = fmt.Fprintf(o.Err, "\r\x1b[K  %s", fmt.Sprintf(format, args...))
	}
}

func (o IO) clearStep() {
	if o.Progress {
		_, _ = fmt.Fprint(o.Err, "\r\x1b[K")
	}
}
