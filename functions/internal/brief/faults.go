package brief

import (
	"cmp"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// plainly says the usual complaints of the template packages in words for people who do not program. An empty message
// keeps theirs.
var plainly = []struct{ contains, message, hint string }{
	{"unexpected EOF", "an {{if}}, {{range}} or {{with}} has no {{end}}", "write {{end}} where it stops"},
	{"unexpected {{end}}", "this {{end}} ends nothing", "take it out, or write the {{if}} or {{range}} that it ends"},
	{"unexpected {{else}}", "this {{else}} belongs to nothing", "it stands between {{if}} and {{end}}"},
	{"unclosed action", "{{ without }}", "write }} where the action ends"},
	{"unterminated quoted string", "a text without its second quote", `write "text"`},
	{"character constant", "a text in single quotes", `write "text" in double quotes`},
	{"missing value for", "the action says nothing to look at", "write for instance {{if .Notes}}"},
	{"undefined variable", "", "a name with $ must be given its value before: {{$name := .Severity}}"},
	{`unexpected "="`, "", `to compare write eq: {{if eq .Severity "WARNING"}}`},
	{"bad character", "", `to compare write eq, ne, lt or gt: {{if eq .Severity "WARNING"}}`},
	{"incompatible types for comparison", "a text and a number are compared", `texts are written in quotes: {{if eq .Severity "WARNING"}}`},
	{"index out of range", "the list has fewer entries than that", "write {{range}}, or ask {{if}} before"},
	{"ends in a non-text context", "a quote or a tag is left open at the end", "close it; write a value between two tags"},
	{"in different contexts", "a quote or a tag is open in one branch and closed in the other", "close it inside the branch"},
}

// inPlainWords changes message and hint of a finding where a plainer word is known.
func inPlainWords(f *rulebook.Finding, said string) {
	f.Message = said
	for _, words := range plainly {
		if strings.Contains(said, words.contains) {
			f.Message, f.Hint = cmp.Or(words.message, said), words.hint
			return
		}
	}
}

// parseFault is how text/template says where it stopped: template: NAME:LINE: what.
var parseFault = regexp.MustCompile(`(?s)^template: .*?:(\d+): (.*)$`)

// begun is where an action began that was never closed.
var begun = regexp.MustCompile(`unclosed action started at .*:(\d+)`)

// syntax reports a template that cannot be parsed. The parser stops at the first such fault of a file.
func (s *source) syntax(err error) {
	f := finding(s.name, idSyntax, strings.TrimPrefix(err.Error(), "template: "), "")
	parts := parseFault.FindStringSubmatch(err.Error())
	if parts == nil {
		s.report(f)
		return
	}
	inPlainWords(&f, parts[2])
	line := number(parts[1])
	if parts := begun.FindStringSubmatch(err.Error()); parts != nil {
		line = number(parts[1])
	}
	word := "{{"
	if strings.Contains(parts[2], "unexpected EOF") {
		line, word = s.leftOpen(line)
	}
	s.place(&f, line)
	// The parser names no column: the action is where a person looks.
	f.Column = 1 + utf8.RuneCountInString(f.Source[:max(strings.Index(f.Source, word), 0)])
	f.Length = utf8.RuneCountInString(word)
	s.report(f)
}

// block matches the actions that open and close a block.
var block = regexp.MustCompile(`\{\{-?[ \t]*(if|range|with|define|block|end)\b`)

// leftOpen finds the line of the block that nothing ends, and its first characters.
func (s *source) leftOpen(line int) (int, string) {
	type opening struct {
		line int
		word string
	}
	var open []opening
	for i, text := range s.lines {
		for _, found := range block.FindAllStringSubmatch(text, -1) {
			if found[1] != "end" {
				open = append(open, opening{i + 1, found[0]})
			} else if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	if len(open) == 0 {
		return line, "{{"
	}
	return open[0].line, open[0].word
}

// place puts a finding on a line.
func (s *source) place(f *rulebook.Finding, line int) {
	f.Line = min(max(line, 1), len(s.lines))
	f.Source = s.lines[f.Line-1]
	f.Column = 1
}

// execFault is how text/template and html/template say where a rendering stopped: NAME:LINE:COLUMN, the action, what.
var execFault = regexp.MustCompile(`(?s)template: ?[^:]*:(\d+)(?::(\d+))?: (?:executing "[^"]*" at <(.*?)>: )?(.*)$`)

// calling is what text/template puts before the error of a function.
var calling = regexp.MustCompile(`^error calling \w+: `)

// rendering reports that a test brief could not be written.
func (s *source) rendering(fixture string, err error) {
	f := finding(s.name, idRendered, "", "")
	var refused *htmltemplate.Error
	parts := execFault.FindStringSubmatch(err.Error())
	switch {
	case errors.Is(err, errTooMuch):
		f.Message = tooMuch
		f.Hint = "lists within lists grow fast; take one out"
	case errors.As(err, &refused):
		f.ID = idRefused
		inPlainWords(&f, refused.Description)
		if refused.Line > 0 {
			s.place(&f, refused.Line)
		}
	case parts == nil:
		f.Message = fmt.Sprintf("the test brief %q cannot be written: %v", fixture, errors.Unwrap(err))
	default:
		inPlainWords(&f, calling.ReplaceAllString(parts[4], ""))
		f.Message += fmt.Sprintf(" (in the test brief %q)", fixture)
		s.place(&f, number(parts[1]))
		column := min(max(number(parts[2])-s.shifted[f.Line], 0), len(f.Source))
		f.Column = 1 + utf8.RuneCountInString(f.Source[:column])
		f.Length = utf8.RuneCountInString(parts[3])
	}
	// The same fault in another test brief is the same fault.
	if !slices.ContainsFunc(*s.faults, func(said rulebook.Finding) bool {
		return said.File == f.File && said.Line == f.Line && said.Column == f.Column
	}) {
		s.report(f)
	}
}

// number reads the digits that a pattern has found; nothing is 0.
func number(digits string) int {
	n, _ := strconv.Atoi(digits) // nothing but digits, by the pattern
	return n
}
