package brief

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// maxTemplate is the largest template that is read, in bytes; the shipped ones have a few thousand.
const maxTemplate = 100_000

// The ids of the findings.
const (
	idFile     = "brief/file"          // a file is missing, superfluous, too large, or not UTF-8
	idSyntax   = "brief/syntax"        // the braces do not fit together
	idField    = "brief/unknown-field" // a name that the brief's data does not have
	idWord     = "brief/unknown-word"  // a function that a template does not have
	idKind     = "brief/kind"          // a list where a value belongs, or the other way round
	idMention  = "brief/mention"       // a mention written into a template
	idEndless  = "brief/endless"       // a template that uses itself
	idScript   = "brief/script"        // a script in the mail
	idRefused  = "brief/refused"       // html/template does not take it
	idRendered = "brief/rendering"     // a test brief could not be written
	idEmpty    = "brief/empty"         // a test brief has nothing in it
	idCut      = "brief/cut"           // a test brief is too long for Slack or Teams
	idPayload  = "brief/payload"       // a test payload is no JSON object, or too large
)

// source is a template file as it was read.
type source struct {
	name    string
	lines   []string // as the person sees them
	text    string   // as it is parsed: lines that only steer are joined with the next one
	shifted map[int]int
	trees   map[string]*parse.Tree
	root    reflect.Type // of what the template is given
	faults  *rulebook.Findings
}

// Check reads the templates and reports every fault at once. The templates are nil when there is an error; a warning
// does not keep them from being used.
func Check(files fs.FS) (*Templates, rulebook.Findings) {
	var findings rulebook.Findings
	names := []string{subjectFile, markdownFile, slackFile, textFile, htmlFile, teamsFile}
	payloads := payloadNames(files)
	names = append(names, payloads...)
	findings = append(findings, strangers(files, names)...)
	if len(payloads) == 0 {
		findings = append(findings, finding("payload.make.tmpl", idFile, "there is no payload template, so that no playbook can be sent",
			"take it from the shipped brief_templates/"))
	}

	sources := map[string]*source{}
	for _, name := range names {
		read := &source{name: name, root: briefRoot, faults: &findings}
		if slices.Contains(payloads, name) {
			read.root = payloadRoot
		}
		if read.read(files) && read.parse() {
			read.check()
			sources[name] = read
		}
	}
	if len(findings) > 0 {
		return nil, sorted(findings, names)
	}

	templates := &Templates{subject: map[functions.Format]*texttemplate.Template{
		functions.FormatMarkdown: sources[subjectFile].compile(writeMarkdown),
		functions.FormatSlack:    sources[subjectFile].compile(writeSlack),
		functions.FormatEmail:    sources[subjectFile].compile(writePlain),
		functions.FormatTeams:    sources[subjectFile].compile(writePlain),
	}}
	templates.markdown = sources[markdownFile].compile(writeMarkdown)
	templates.slack = sources[slackFile].compile(writeSlack)
	templates.text = sources[textFile].compile(writePlain)
	templates.html = sources[htmlFile].compileHTML()
	templates.teams = sources[teamsFile].compile(writeTeams)
	templates.payloads = map[string]*texttemplate.Template{}
	for _, name := range payloads {
		templates.payloads[nameOf(name)] = sources[name].compilePayload()
	}
	templates.version = versionOf(names, sources)

	for _, fixture := range Fixtures() {
		templates.try(fixture, sources)
		templates.tryPayloads(fixture, sources)
	}
	findings = sorted(findings, names)
	if findings.Errors() > 0 {
		return nil, findings
	}
	return templates, findings
}

// versionOf hashes the templates. Each name and text is preceded by its length, so that no two sets of files read the
// same.
func versionOf(names []string, sources map[string]*source) string {
	sum := sha256.New()
	for _, name := range names {
		text := strings.Join(sources[name].lines, "\n")
		_, _ = fmt.Fprintf(sum, "%d:%s%d:%s", len(name), name, len(text), text) // a hash never fails to take bytes
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// strangers reports templates that no brief is made of: most likely one of ours by a mistyped name.
func strangers(files fs.FS, names []string) rulebook.Findings {
	found, err := fs.Glob(files, "*.tmpl")
	if err != nil {
		return rulebook.Findings{finding(".", idFile, "the folder cannot be read", "")}
	}
	var findings rulebook.Findings
	for _, name := range found {
		if !slices.Contains(names, name) {
			hint := didYouMean(name, "templates", names)
			if strings.HasPrefix(name, "payload.") {
				hint = "a payload template is called payload.NAME.tmpl, with a NAME of small letters, digits, - and _"
			}
			findings = append(findings, finding(name, idFile, "no brief is made of this template", hint))
		}
	}
	return findings
}

func finding(file, id, message, hint string) rulebook.Finding {
	return rulebook.Finding{File: file, Severity: rulebook.SeverityError, ID: id, Message: message, Hint: hint}
}

// sorted puts findings in the order of the files and places, and says each once.
func sorted(findings rulebook.Findings, names []string) rulebook.Findings {
	slices.SortStableFunc(findings, func(a, b rulebook.Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(names, a.File), slices.Index(names, b.File)), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(findings, func(a, b rulebook.Finding) bool { return a.String() == b.String() })
}

func (s *source) read(files fs.FS) bool {
	content, err := fs.ReadFile(files, s.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.report(finding(s.name, idFile, "the template is missing", "take it from the shipped brief_templates/"))
	case err != nil:
		s.report(finding(s.name, idFile, "the template cannot be read", ""))
	case len(content) > maxTemplate:
		message := fmt.Sprintf("the template has %d bytes, at most %d are read", len(content), maxTemplate)
		s.report(finding(s.name, idFile, message, ""))
	case !utf8.Valid(content):
		s.report(finding(s.name, idFile, "the template is not UTF-8 text", "save it as UTF-8"))
	default:
		content = bytes.TrimPrefix(content, []byte("\uFEFF"))
		content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
		s.lines = strings.Split(string(content), "\n")
		s.join()
		return true
	}
	return false
}

func (s *source) report(f rulebook.Finding) { *s.faults = append(*s.faults, f) }

// steering matches a line that holds one steering action and nothing else.
var steering = regexp.MustCompile(`^([ \t]*)\{\{([ \t]*(?:(?:if|else|end|range|with|define|break|continue)\b|\$\w+[ \t]*:?=)` +
	`(?:[^"{}]|"(?:[^"\\]|\\.)*")*)\}\}[ \t]*$`)

// remark matches a line that holds one comment and nothing else.
var remark = regexp.MustCompile(`^([ \t]*)\{\{/\*([^{}]*)\*/\}\}[ \t]*$`)

// join makes the text that is parsed. A line that only steers, such as {{if .Notes}} or {{end}}, must not leave an
// empty line in the brief, and a business user must not need {{- -}} for that: its blanks and its line break are moved
// into the braces, which keeps every place but the columns of the line after it.
func (s *source) join() {
	var text strings.Builder
	s.shifted = map[int]int{}
	for i, line := range s.lines {
		last := i == len(s.lines)-1
		closing := ""
		if parts := steering.FindStringSubmatch(line); parts != nil && !strings.HasSuffix(parts[2], "-") && !last {
			line, closing = "{{"+parts[1]+parts[2], "}}"
		} else if parts := remark.FindStringSubmatch(line); parts != nil && !last {
			line, closing = "{{/*"+parts[1]+parts[2], "*/}}"
		}
		text.WriteString(line)
		if !last {
			text.WriteString("\n" + closing)
			s.shifted[i+2] = len(closing)
		}
	}
	s.text = text.String()
}

// parse reads the actions. Words are checked by check, so that all of them are reported and not the first.
func (s *source) parse() bool {
	tree := parse.New(s.name)
	tree.Mode = parse.SkipFuncCheck
	s.trees = map[string]*parse.Tree{}
	if _, err := tree.Parse(s.text, "", "", s.trees); err != nil {
		// The joined text may be a line off where a steering line is at fault: the text as it is tells better.
		again := parse.New(s.name)
		again.Mode = parse.SkipFuncCheck
		if _, plain := again.Parse(strings.Join(s.lines, "\n"), "", "", map[string]*parse.Tree{}); plain != nil {
			err = plain
		}
		s.syntax(err)
		return false
	}
	return true
}

// at reports a fault at a place in the parsed text.
func (s *source) at(pos parse.Pos, length int, id, message, hint string) {
	before := s.text[:min(int(pos), len(s.text))]
	f := finding(s.name, id, message, hint)
	f.Line = 1 + strings.Count(before, "\n")
	f.Source = s.lines[f.Line-1]
	column := len(before) - (strings.LastIndexByte(before, '\n') + 1) - s.shifted[f.Line]
	f.Column = 1 + utf8.RuneCountInString(f.Source[:min(max(column, 0), len(f.Source))])
	f.Length = length
	s.report(f)
}

// compile makes the template of a text format: each action ends with the format's writer.
func (s *source) compile(write writer) *texttemplate.Template {
	return s.compileWith(texttemplate.FuncMap{"plural": pluralOf, writerName: write}, s.watched())
}

func (s *source) compileWith(words texttemplate.FuncMap, trees map[string]*parse.Tree) *texttemplate.Template {
	made := texttemplate.New(s.name).Funcs(words)
	for name, tree := range trees {
		// AddParseTree only refuses a name that is in use.
		texttemplate.Must(made.AddParseTree(name, tree))
	}
	return made
}

// compileHTML does the same for the mail's HTML; html/template adds its own escapers after our writer.
func (s *source) compileHTML() *htmltemplate.Template {
	made := htmltemplate.New(s.name).Funcs(htmltemplate.FuncMap{"plural": pluralOf, writerName: writer(writeHTML)})
	for name, tree := range s.watched() {
		htmltemplate.Must(made.AddParseTree(name, tree))
	}
	return made.Lookup(s.name) // unlike text/template it makes a new one also for its own name
}

// writerName is the function that ends each action. No template can name it: check refuses it.
const writerName = "_write"

// watched copies the trees with the writer at the end of each action and a step at the beginning of each block.
func (s *source) watched() map[string]*parse.Tree {
	trees := map[string]*parse.Tree{}
	for name, tree := range s.trees {
		trees[name] = tree.Copy()
		watch(trees[name].Root)
	}
	return trees
}

// watch changes a list of nodes in place. The empty text at its beginning is written like any other: that is what the
// bounded writer counts.
func watch(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			if len(node.Pipe.Decl) == 0 {
				end := parse.NewIdentifier(writerName).SetPos(node.Pos)
				node.Pipe.Cmds = append(node.Pipe.Cmds, &parse.CommandNode{
					NodeType: parse.NodeCommand, Pos: node.Pos, Args: []parse.Node{end},
				})
			}
		case *parse.IfNode:
			watch(node.List)
			watch(node.ElseList)
		case *parse.WithNode:
			watch(node.List)
			watch(node.ElseList)
		case *parse.RangeNode:
			watch(node.List)
			watch(node.ElseList)
		}
	}
	list.Nodes = slices.Insert(list.Nodes, 0, parse.Node(&parse.TextNode{NodeType: parse.NodeText, Pos: list.Pos}))
}

// pluralOf is the word "plural" of the templates: {{plural .Customers "customer"}} is "1 customer" or "2 customers";
// a third word is the plural where an s does not do.
func pluralOf(number any, one string, many ...string) (string, error) {
	value := reflect.ValueOf(number)
	if !value.CanInt() {
		return "", fmt.Errorf("plural needs a number first, not %v", number)
	}
	n := value.Int()
	if len(many) > 0 {
		return plural(n, one, many[0]), nil
	}
	return plural(n, one, one+"s"), nil
}
