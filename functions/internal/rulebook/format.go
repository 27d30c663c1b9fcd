package rulebook

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions"
)

// Respelling is a scalar that Format spells in another way. Line and column count from 1, in characters.
type Respelling struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

// String is the change as a person reads it.
func (c Respelling) String() string {
	return fmt.Sprintf("%s:%d:%d: %s  ->  %s", c.File, c.Line, c.Column, unbroken(c.Old), unbroken(c.New))
}

var lineBreak = regexp.MustCompile(`\s*\n\s*`)

func unbroken(text string) string {
	return lineBreak.ReplaceAllString(strings.TrimRight(text, "\n"), " ")
}

// Under gives the changes with the folder in front of each file name.
func (f Formatted) Under(folder string) []Respelling {
	changes := slices.Clone(f.Changes)
	for i := range changes {
		changes[i].File = path.Join(folder, changes[i].File)
	}
	return changes
}

// Formatted is what Format found to spell in another way.
type Formatted struct {
	Changes []Respelling
	Files   map[string][]byte // the new bytes of each file that changes
}

// Format spells conditions, formulas, and yes and no the usual way, so that everybody's edits look alike. It gives the
// new bytes of files and writes none. All else in a file stays as it is, byte for byte: comments, order, blank lines.
//
// The meaning stays: the rules before and after judge alike. The error is Findings when a file is at fault; then nothing
// changes, unless spelling is all that is wrong.
func Format(files fs.FS) (Formatted, error) {
	out := &collector{noting: true}
	before, findings := load(files, out)
	result := Formatted{Files: map[string][]byte{}}
	result.apply(out.spellings)
	after, remaining := Check(overlay{files, result.Files})
	if remaining.Errors() > 0 {
		return Formatted{}, findings.of(SeverityError)
	}
	if before != nil && !slices.Equal(before.meaning(), after.meaning()) {
		return Formatted{}, errors.New("spelling the rules the usual way would change what they mean; nothing was changed")
	}
	tests, err := after.respellExamples(files, &result)
	if err != nil {
		return Formatted{}, err
	}
	if tests.Errors() > 0 {
		return Formatted{}, tests
	}
	return result, nil
}

// respellExamples spells yes and no in the examples. It gives what is wrong with them beyond spelling.
func (b *Book) respellExamples(files fs.FS, result *Formatted) (Findings, error) {
	names, err := exampleFiles(files)
	if err != nil {
		return nil, err
	}
	out, again := &collector{noting: true}, &collector{}
	for _, name := range names {
		b.readExamples(files, name, out)
	}
	result.apply(out.spellings)
	for _, name := range names {
		b.readExamples(overlay{files, result.Files}, name, again)
	}
	if again.sorted().Errors() > 0 {
		return out.sorted().of(SeverityError), nil
	}
	return nil, nil
}

// of are the findings of one severity.
func (f Findings) of(severity Severity) Findings {
	return slices.DeleteFunc(slices.Clone(f), func(one Finding) bool { return one.Severity != severity })
}

// apply edits the files that the spellings stand in.
func (f *Formatted) apply(spellings []spelling) {
	edits := map[*document][]edit{}
	seen := map[*yaml.Node]bool{}
	for _, s := range spellings {
		if seen[s.node] {
			continue
		}
		seen[s.node] = true
		own := s.edits()
		if len(own) == 0 {
			continue
		}
		edits[s.doc] = append(edits[s.doc], own...)
		at := s.doc.source.places(s.node)[0]
		f.Changes = append(f.Changes, Respelling{
			File: s.doc.file, Line: at.line, Column: at.column, Old: s.raw(), New: s.respelt(own),
		})
	}
	for document, own := range edits {
		f.Files[document.file] = document.edited(own)
	}
	slices.SortStableFunc(f.Changes, func(a, b Respelling) int {
		return cmp.Or(cmp.Compare(fileRank(a.File), fileRank(b.File)), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// respelt is the text of the scalar with the edits made, as a person writes it.
func (s spelling) respelt(edits []edit) string {
	if s.as != asExpression {
		return edits[0].text
	}
	places := s.doc.source.places(s.node)
	start, end := s.doc.source.index(places[0]), s.doc.source.index(places[len(places)-1])
	return string(spliced(s.doc.source.runes[:end], edits)[start:])
}

// edited is the file with the edits made.
func (d *document) edited(edits []edit) []byte { return []byte(string(spliced(d.source.runes, edits))) }

// spliced makes edits, which do not overlap, in a text.
func spliced(text []rune, edits []edit) []rune {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out []rune
	at := 0
	for _, e := range edits {
		out = append(append(out, text[at:e.from]...), []rune(e.text)...)
		at = e.to
	}
	return append(out, text[at:]...)
}

// meaning lists every condition and formula of the book in a form in which spelling makes no difference.
func (b *Book) meaning() []string {
	var all []string
	add := func(what string, e *expression) {
		if e == nil {
			all = append(all, what)
			return
		}
		plain := e.tree
		ast.Walk(&plain, wordOperators{})
		all = append(all, what+": "+plain.String())
	}
	for _, f := range b.vocabulary.facts {
		add("fact "+f.name, f.condition)
		add("then", f.consequence)
	}
	for _, r := range b.priority.rules {
		add("rule "+r.id, r.when)
	}
	for i := range b.priority.mentions {
		add("mention", b.priority.mentions[i].when)
	}
	for _, part := range b.priority.score.parts {
		add("part "+part.name, part.points)
	}
	for _, tier := range functions.Tiers {
		for _, a := range b.priority.actions[tier] {
			add("action", a.when)
		}
	}
	for _, t := range b.monitoring.Targets {
		add("target", t.Holds.condition)
	}
	for _, a := range b.monitoring.Alarms {
		add("alarm "+a.Name, a.condition)
	}
	return all
}

// wordOperators gives and, or and not their words in a tree that belongs to nobody else.
type wordOperators struct{}

// Visit implements ast.Visitor.
func (wordOperators) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		if word, has := usualOperators[n.Operator]; has {
			n.Operator = word
		}
	case *ast.UnaryNode:
		if word, has := usualOperators[n.Operator]; has {
			n.Operator = word
		}
	}
}

// overlay is a folder in which some files have other bytes.
type overlay struct {
	fs.FS
	changed map[string][]byte
}

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	if data, has := o.changed[name]; has {
		return &changedFile{bytes.NewReader(data), name}, nil
	}
	return o.FS.Open(name)
}

// changedFile is an open file with other bytes; it is only read.
type changedFile struct {
	*bytes.Reader
	name string
}

// Stat implements fs.File.
func (f *changedFile) Stat() (fs.FileInfo, error) {
	return nil, &fs.PathError{Op: "stat", Path: f.name, Err: errors.ErrUnsupported}
}

// Close implements fs.File.
func (f *changedFile) Close() error { return nil }
