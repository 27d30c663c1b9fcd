package rulebook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions/internal/guess"
)

// The limits that hold before anything is parsed.
const (
	maxFileBytes = 256 << 10
	maxDepth     = 16 // lists and maps within one another; the files need five
)

// document is one YAML file, parsed into nodes and nothing more: values are read by our own walk, so that every fault
// has its place.
type document struct {
	file   string
	source source
	root   value
	out    *collector
}

// openDocument reads and parses a file. It reports what is wrong with it and gives nil when there is nothing to walk.
func openDocument(files fs.FS, name string, out *collector) (*document, []byte) {
	data, err := readLimited(files, name)
	d := &document{file: name, out: out}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		out.add(Finding{File: name, ID: idFile, Message: "the file is missing", Hint: misnamed(files, name)})
		return nil, nil
	case err != nil:
		out.add(Finding{File: name, ID: idFile, Message: "the file cannot be read: " + err.Error()})
		return nil, nil
	case len(data) > maxFileBytes:
		out.add(Finding{
			File: name, ID: idTooLong,
			Message: fmt.Sprintf("the file is larger than %d KiB", maxFileBytes>>10), Hint: "rule files are short; was another file put here?",
		})
		return nil, nil
	}
	d.source = newSource(string(data))
	if !d.readable(data) || !d.parse(data) {
		return nil, nil
	}
	return d, data
}

// readLimited reads one byte more than a file may have, so that a huge one is not read whole.
func readLimited(files fs.FS, name string) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(file, maxFileBytes+1))
}

// misnamed is a hint at a file whose name is almost right.
func misnamed(files fs.FS, name string) string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return ""
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if near := guess.Nearest(name, names); near != "" {
		return "there is " + near + "; rename it to " + name
	}
	return ""
}

// readable reports text that no editor shows as it is: wrong encoding, invisible line ends and signs.
func (d *document) readable(data []byte) bool {
	if !utf8.Valid(data) {
		bad := 0
		for bad < len(data) {
			r, size := utf8.DecodeRune(data[bad:])
			if r == utf8.RuneError && size <= 1 {
				break
			}
			bad += size
		}
		line := 1 + bytes.Count(data[:bad], []byte("\n"))
		column := 1 + utf8.RuneCount(data[bytes.LastIndexByte(data[:bad], '\n')+1:bad])
		d.out.add(Finding{
			File: d.file, Line: line, Column: column, Length: 1, ID: idYAML,
			Message: "the file is not UTF-8 text", Hint: "save it as UTF-8",
		})
		return false
	}
	line, start := 1, 0
	for i, r := range d.source.runes {
		switch {
		case r == '\n':
			line, start = line+1, i+1
		case r == '\t', r == '\r' && i+1 < len(d.source.runes) && d.source.runes[i+1] == '\n':
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff:
			d.reportAt(spot{line, i - start + 1}, 1, Finding{
				ID: idYAML, Message: fmt.Sprintf("invisible sign U+%04X", r), Hint: "delete it and save the file as plain UTF-8",
			})
			return false
		}
	}
	return true
}

// parse decodes into nodes: one document, no anchors, no tags.
func (d *document) parse(data []byte) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF) || err == nil && len(root.Content) == 0:
		d.out.add(Finding{File: d.file, ID: idYAML, Message: "the file is empty"})
		return false
	case err != nil:
		d.syntaxError(data, err)
		return false
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			d.syntaxError(data, err)
			return false
		}
		at := spot{max(second.Line, 1), max(second.Column, 1)}
		d.reportAt(at, runeLen(d.source.line(at.line)), Finding{
			ID: idYAML, Message: "a second document begins here", Hint: "a rule file holds one document: remove the line ---",
		})
		return false
	}
	d.root = value{d, root.Content[0]}
	return d.plain(root.Content[0], 1)
}

// plain reports what the files do not use: anchors, aliases, merge keys and explicit tags all make a file mean
// something else than what stands there.
func (d *document) plain(node *yaml.Node, depth int) bool {
	at, sound := spot{node.Line, node.Column}, true
	refuse := func(message, hint string) {
		d.reportAt(at, d.wordLength(at), Finding{ID: idNotAllowed, Message: message, Hint: hint})
		sound = false
	}
	switch {
	case depth > maxDepth:
		refuse(fmt.Sprintf("lists and maps lie more than %d deep in one another", maxDepth), "")
		return false
	case node.Kind == yaml.AliasNode:
		refuse("aliases (*name) are not allowed", "write the value out")
		return false
	case node.Anchor != "":
		refuse("anchors (&name) are not allowed", "write the value out where it is needed")
	case node.Style&yaml.TaggedStyle != 0:
		refuse("tags ("+node.Tag+") are not allowed", `a text that begins with ! needs quotes; "not" is written as not`)
	case node.Tag == "!!merge":
		refuse("merge keys (<<) are not allowed", "write the keys out")
	}
	for _, child := range node.Content {
		sound = d.plain(child, depth+1) && sound
	}
	return sound
}

// wordLength is how many characters stand at a place before the next blank, comma or bracket.
func (d *document) wordLength(at spot) int {
	length := 0
	for i := d.source.index(at); i < len(d.source.runes) && !strings.ContainsRune(" \t\r\n,]}", d.source.runes[i]); i++ {
		length++
	}
	return max(1, length)
}

// reportAt completes a finding with a place in this file.
func (d *document) reportAt(at spot, length int, finding Finding) {
	finding.File, finding.Line, finding.Column = d.file, at.line, at.column
	finding.Source = d.source.line(at.line)
	finding.Length = max(1, min(length, runeLen(finding.Source)-at.column+1))
	d.out.add(finding)
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line \d+: )?(.*)$`)

// syntaxError reports a file that is not YAML. The library's line is often that of the map around it, so the true one
// is looked for.
func (d *document) syntaxError(data []byte, err error) {
	parts := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	message := "this is not YAML"
	if parts != nil && parts[1] != "" {
		message += ": " + parts[1]
	}
	line := firstBrokenLine(bytes.SplitAfter(data, []byte("\n")))
	text := d.source.line(line)
	column, hint := syntaxHint(text)
	d.reportAt(spot{line, column}, runeLen(text), Finding{ID: idYAML, Message: message, Hint: hint})
}

// longestOpen is for how many lines a list or a text may be open, so that a file that ends there is no YAML yet.
const longestOpen = 40

// firstBrokenLine is the number of the line after the longest beginning of the file that is sound. From the faulty line
// on no beginning is; before it one may be unsound only while a bracket or a quote is open.
func firstBrokenLine(lines [][]byte) int {
	sound := func(count int) bool {
		var node yaml.Node
		return yaml.Unmarshal(bytes.Join(lines[:count], nil), &node) == nil
	}
	good := 0
	for searching := true; searching; {
		bad := len(lines)
		for bad-good > 1 {
			if middle := (good + bad) / 2; sound(middle) {
				good = middle
			} else {
				bad = middle
			}
		}
		searching = false
		for next := good + 2; next < min(len(lines), good+longestOpen) && !searching; next++ {
			if sound(next) {
				good, searching = next, true
			}
		}
	}
	return good + 1
}

// syntaxFaults are what people write that YAML reads otherwise, each with what to write instead.
var syntaxFaults = []struct {
	pattern *regexp.Regexp
	hint    string
}{
	{regexp.MustCompile(`^ *(\t)`), "indent with blanks, not with tabs"},
	{regexp.MustCompile(`:\s+([>|][=\s\d].*\S)\s*$`), `write over 2000, at least 2000, below 2000 or up to 2000; or put the text in quotes`},
	{regexp.MustCompile(`:\s+(["'][^"']*["']\s*[^\s#,}\]].*)$`), "a text that begins with a quote ends with it: put the whole line of expression in the other kind of quotes"},
	{regexp.MustCompile(`:\s+[^"'{\[|>#]*?\s\?.*?(:\s.*)$`), "a text with a colon and a blank needs quotes around it"},
	{regexp.MustCompile(`:\s+[^"'{\[|>#]*?(:\s.*)$`), "a text with a colon and a blank needs quotes around it"},
	{regexp.MustCompile("[:-]\\s+([@`%].*)$"), "a text that begins with this sign needs quotes around it"},
}

// syntaxHint finds the likely fault in a line that is not YAML: its column, and what to write instead.
func syntaxHint(line string) (column int, hint string) {
	for _, fault := range syntaxFaults {
		if at := fault.pattern.FindStringSubmatchIndex(line); at != nil {
			return 1 + runeLen(line[:at[2]]), fault.hint
		}
	}
	trimmed := strings.TrimLeft(line, " \t")
	return 1 + runeLen(line[:len(line)-len(trimmed)]), "look at the indentation, and for a quote or bracket that is not closed"
}
