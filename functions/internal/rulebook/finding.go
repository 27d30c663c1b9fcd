package rulebook

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Severity is how bad a finding is.
type Severity string

// The severities of a finding. An error keeps the files from being used; a warning does not, but something in them is
// most likely not what was meant. A note is worth knowing and asks for nothing.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityNote    Severity = "note"
)

// The ids of the findings: stable words, each the name of one kind of fault.
const (
	idFile           = "rules/file"
	idYAML           = "rules/yaml"
	idUnknownKey     = "rules/unknown-key"
	idDuplicateKey   = "rules/duplicate-key"
	idMissingKey     = "rules/missing-key"
	idUnknownName    = "rules/unknown-name"
	idUnknownValue   = "rules/unknown-value"
	idDuplicateName  = "rules/duplicate-name"
	idType           = "rules/type"
	idNotAllowed     = "rules/not-allowed"
	idTooLong        = "rules/too-long"
	idMayBeEmpty     = "rules/may-be-empty"
	idMayBeNaN       = "rules/may-be-nan"
	idNoAction       = "rules/no-action"
	idNoOtherwise    = "rules/no-otherwise"
	idOutOfBounds    = "rules/out-of-bounds"
	idNeverMatches   = "rules/never-matches"
	idShadowed       = "rules/shadowed"
	idBadPlaceholder = "rules/bad-placeholder"
	idFactBroken     = "rules/fact-broken"
	idUnusedParam    = "rules/unused-parameter"
	idOverlap        = "rules/overlap"
	idNoEffect       = "rules/no-effect"
	idHole           = "rules/hole"
	idDeadAction     = "rules/dead-action"
	idAlwaysSaid     = "rules/always-said"
	idNeverSaid      = "rules/never-said"
	idConstantPart   = "rules/constant-part"
	idCapNeverActs   = "rules/cap-never-acts"
	idScoreOverlap   = "rules/score-overlap"
	idNotProven      = "rules/not-proven"
	idExpired        = "rules/expired"
	idInForce        = "rules/in-force"
	idAlwaysHolds    = "rules/always-holds"
	idPhase          = "rules/phase"
	idNobodyTold     = "rules/nobody-told"
)

// Finding is one fault in a rule file. Line and column count from 1, in characters; both are 0 when the fault is the
// file itself.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Length   int      `json:"length"` // characters at fault, on that line
	Severity Severity `json:"severity"`
	ID       string   `json:"id"`
	Message  string   `json:"message"`
	Source   string   `json:"source"`          // the whole line
	Facts    []string `json:"facts,omitempty"` // the facts of fields.yaml that a proof stands on
	Hint     string   `json:"hint,omitempty"`
}

// String is the finding as a person reads it: place, message and id, the source line with a caret below, the hint.
func (f Finding) String() string {
	var out strings.Builder
	out.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&out, ":%d:%d", f.Line, f.Column)
	}
	out.WriteString(": ")
	if f.Severity != SeverityError {
		out.WriteString(string(f.Severity) + ": ")
	}
	fmt.Fprintf(&out, "%s (%s)\n", f.Message, f.ID)
	if f.Line > 0 && strings.TrimSpace(f.Source) != "" {
		line, before, under := excerpt(f.Source, f.Column-1, f.Length)
		fmt.Fprintf(&out, "%5d | %s\n      | %s%s\n", f.Line, line, before, under)
	}
	if len(f.Facts) > 0 {
		fmt.Fprintf(&out, "   facts: %s\n", strings.Join(f.Facts, ", "))
	}
	if f.Hint != "" {
		fmt.Fprintf(&out, "   hint: %s\n", f.Hint)
	}
	return out.String()
}

// widestExcerpt is how much of a source line is shown. A longer line is cut around the fault.
const widestExcerpt = 110

// excerpt gives the part of a line to show, the blanks before the caret and the caret itself. Tabs are kept as tabs,
// and a wide character takes two cells.
func excerpt(source string, from, length int) (line, before, under string) {
	runes := []rune(strings.TrimRight(source, " \t\r"))
	from = min(max(from, 0), len(runes))
	length = max(length, 1)
	start, end := 0, len(runes)
	if end > widestExcerpt {
		start = max(0, min(from-widestExcerpt/3, end-widestExcerpt))
		end = min(end, start+widestExcerpt)
	}
	var blanks, carets strings.Builder
	if start > 0 {
		line = "…"
		blanks.WriteByte(' ')
	}
	line += string(runes[start:end])
	if end < len(runes) {
		line += "…"
	}
	for _, r := range runes[start:from] {
		if r == '\t' {
			blanks.WriteByte('\t')
			continue
		}
		blanks.WriteString(strings.Repeat(" ", cells(r)))
	}
	for i := from; i < from+length && i < end; i++ {
		carets.WriteString(strings.Repeat("^", cells(runes[i])))
	}
	if carets.Len() == 0 {
		carets.WriteByte('^')
	}
	return line, blanks.String(), carets.String()
}

// cells is how many terminal cells a character takes.
func cells(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// Findings are the faults of a set of rule files, in the order of files and places.
type Findings []Finding //nolint:errname // most of the time it is a list to show, and an error only on its way out of Load

// Error lists the findings.
func (f Findings) Error() string {
	var out strings.Builder
	_ = f.Write(&out) // a strings.Builder takes everything
	return strings.TrimRight(out.String(), "\n")
}

// mostShown is how many findings are listed before the rest is only counted.
const mostShown = 100

// Write lists the findings for a person. Beyond a hundred it says how many are left out.
func (f Findings) Write(w io.Writer) error {
	return f.WriteIn(w, func(_ Severity, text string) string { return text })
}

// WriteIn is Write with the lines of each finding in the colours of its severity.
func (f Findings) WriteIn(w io.Writer, painted func(Severity, string) string) error {
	for i, finding := range f {
		if i == mostShown {
			_, err := fmt.Fprintf(w, "and %d more\n", len(f)-mostShown)
			return err
		}
		text := strings.TrimSuffix(finding.String(), "\n")
		if _, err := io.WriteString(w, painted(finding.Severity, text)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// Under gives the findings with the folder in front of each file name, so that an editor can jump to the place.
func (f Findings) Under(folder string) Findings {
	placed := slices.Clone(f)
	for i := range placed {
		placed[i].File = path.Join(folder, placed[i].File)
	}
	return placed
}

// Errors counts the findings that keep the files from being used.
func (f Findings) Errors() int { return f.Count(SeverityError) }

// Count counts the findings of one severity.
func (f Findings) Count(severity Severity) int {
	count := 0
	for _, finding := range f {
		if finding.Severity == severity {
			count++
		}
	}
	return count
}

// collector gathers findings while files are read.
type collector struct {
	findings  Findings
	noting    bool // whether spellings are wanted
	spellings []spelling
	kept      bool // files that have judged: what they mean is asked no more
}

func (c *collector) add(finding Finding) {
	if finding.Severity == "" {
		finding.Severity = SeverityError
	}
	c.findings = append(c.findings, finding)
}

// remind notes that a file of a newer version is not there.
func (c *collector) remind(file, message string) {
	c.add(Finding{File: file, ID: idFile, Severity: SeverityNote, Message: message, Hint: "the rules as shipped hold one"})
}

// sorted gives the findings in the order of files and places, each once.
func (c *collector) sorted() Findings {
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(fileRank(a.File), fileRank(b.File)), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(c.findings, func(a, b Finding) bool {
		a.Facts, b.Facts = nil, nil
		return reflect.DeepEqual(a, b)
	})
}

// fileRank puts the vocabulary first: a fault there explains faults elsewhere.
func fileRank(name string) int {
	if at := slices.Index(ruleFiles, name); at >= 0 {
		return at
	}
	return len(ruleFiles)
}

// runeLen is the number of characters of a text.
func runeLen(text string) int { return utf8.RuneCountInString(text) }
