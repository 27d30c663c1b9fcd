package brief

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
	"time"
	"unicode/utf8"

	"github.com/retentionops/retentionops/functions/internal/guess"
)

// allowed are the functions that a template has, with the kind of their result; nil is "like the arguments". Left out
// of text/template's own: call (there is nothing to call), html, js and urlquery (they would escape what is escaped
// for the format anyway), print, printf and println (they make texts of any length, and hide what a value is).
var allowed = map[string]reflect.Type{
	"eq": reflect.TypeFor[bool](), "ne": reflect.TypeFor[bool](), "lt": reflect.TypeFor[bool](),
	"le": reflect.TypeFor[bool](), "gt": reflect.TypeFor[bool](), "ge": reflect.TypeFor[bool](),
	"not": reflect.TypeFor[bool](), "len": reflect.TypeFor[int](), "plural": reflect.TypeFor[string](),
	"and": nil, "or": nil, "index": nil, "slice": nil,
}

// allowedNames are the same in the order of their use.
var allowedNames = []string{
	"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "len", "index", "slice", "plural",
}

// jsonWord is what payload templates have besides.
const jsonWord = "json"

// word is the kind of a word's result, and whether the template has the word.
func (s *source) word(name string) (reflect.Type, bool) {
	if name == jsonWord && s.root == payloadRoot {
		return reflect.TypeFor[jsonText](), true
	}
	result, known := allowed[name]
	return result, known
}

// words are the words that the template has.
func (s *source) words() []string {
	if s.root == payloadRoot {
		return append(slices.Clip(allowedNames), jsonWord)
	}
	return allowedNames
}

// variable is a name with $ and the type of its value; nil is a type that is not known, and not checked further.
type variable struct {
	name string
	of   reflect.Type
}

// checker walks a template with the types of the brief's data, as a rendering would with its values. It sees every
// branch and reports every fault, where a rendering stops at the first and sees only the branches it takes.
type checker struct {
	*source
	vars    []variable
	calls   []string // the {{define}}d templates that it is in
	visited map[string]bool
}

// check reports everything that can be seen without writing a brief.
func (s *source) check() {
	c := &checker{source: s, visited: map[string]bool{}}
	c.body(s.trees[s.name], s.root)
	names := make([]string, 0, len(s.trees))
	for name := range s.trees {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name != s.name && !c.visited[name] { // nobody uses it, so that what it is given is not known
			c.body(s.trees[name], nil)
		}
	}
}

func (c *checker) body(tree *parse.Tree, dot reflect.Type) {
	outer := c.vars
	c.vars = []variable{{"$", dot}}
	c.list(tree.Root, dot)
	c.vars = outer
}

func (c *checker) list(list *parse.ListNode, dot reflect.Type) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			c.literal(node)
		case *parse.ActionNode:
			of := c.pipe(node.Pipe, dot)
			if len(node.Pipe.Decl) == 0 {
				c.printable(node.Pipe, of)
			}
		case *parse.IfNode:
			c.scoped(func() {
				c.pipe(node.Pipe, dot)
				c.scoped(func() { c.list(node.List, dot) })
				c.scoped(func() { c.list(node.ElseList, dot) })
			})
		case *parse.WithNode:
			c.scoped(func() {
				of := c.pipe(node.Pipe, dot)
				c.scoped(func() { c.list(node.List, of) })
				c.scoped(func() { c.list(node.ElseList, dot) })
			})
		case *parse.RangeNode:
			c.scoped(func() {
				of := c.loop(node.Pipe, dot)
				c.scoped(func() { c.list(node.List, of) })
				c.scoped(func() { c.list(node.ElseList, dot) })
			})
		case *parse.TemplateNode:
			c.template(node, dot)
		}
	}
}

// scoped forgets the variables that were made inside.
func (c *checker) scoped(inside func()) {
	depth := len(c.vars)
	inside()
	c.vars = c.vars[:depth]
}

const mentionHint = "rules/playbooks.yaml sets whom a message notifies; write {{.Mention}} in " + slackFile

// forbidden is what must not stand in the text of a template, by the end of the file's name.
var forbidden = []struct{ file, text, id, message, hint string }{
	{slackFile, "<!", idMention, "a mention in a template", mentionHint},
	{slackFile, "<@", idMention, "a mention in a template", mentionHint},
	{subjectFile, "<!", idMention, "a mention in a template", mentionHint},
	{subjectFile, "<@", idMention, "a mention in a template", mentionHint},
	{htmlFile, "<script", idScript, "a script in the mail", "mail programs run no scripts; take it out"},
}

func (c *checker) literal(node *parse.TextNode) {
	text := strings.ToLower(string(node.Text))
	for _, no := range forbidden {
		if no.file != c.name && (no.id != idMention || c.root != payloadRoot) {
			continue
		}
		for from := 0; ; {
			i := strings.Index(text[from:], no.text)
			if i < 0 {
				break
			}
			c.at(node.Pos+parse.Pos(from+i), utf8.RuneCountInString(no.text), no.id, no.message, no.hint)
			from += i + len(no.text)
		}
	}
}

// template follows {{template "name" value}}.
func (c *checker) template(node *parse.TemplateNode, dot reflect.Type) {
	var of reflect.Type
	if node.Pipe != nil {
		of = c.pipe(node.Pipe, dot)
	}
	tree, known := c.trees[node.Name]
	switch {
	case !known:
		names := make([]string, 0, len(c.trees))
		for name := range c.trees {
			if name != c.name {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		hint := `this file defines none; write {{define "` + node.Name + `"}} … {{end}}`
		if len(names) > 0 {
			hint = didYouMean(node.Name, "defined here", names)
		}
		c.at(node.Pos, len("template"), idWord, fmt.Sprintf("no template %q is defined", node.Name), hint)
	case slices.Contains(c.calls, node.Name) || node.Name == c.name:
		c.at(node.Pos, len("template"), idEndless, fmt.Sprintf("the template %q uses itself", node.Name),
			"it would never end; write {{range}} to repeat something")
	default:
		key := fmt.Sprint(node.Name, of)
		if c.visited[key] {
			return
		}
		c.visited[key], c.visited[node.Name] = true, true
		c.calls = append(c.calls, node.Name)
		c.body(tree, of)
		c.calls = c.calls[:len(c.calls)-1]
	}
}

// loop checks what a range goes over and gives the type of one of it.
func (c *checker) loop(pipe *parse.PipeNode, dot reflect.Type) reflect.Type {
	declared := pipe.Decl
	depth := len(c.vars)
	of := c.pipe(pipe, dot)
	c.vars = c.vars[:depth]
	var one reflect.Type
	switch {
	case of == nil:
	case isList(of):
		one = of.Elem()
	case of.Kind() == reflect.Int || of.Kind() == reflect.Int64:
		one = of
	default:
		c.at(pipe.Pos, utf8.RuneCountInString(pipe.String()), idKind, pipe.String()+" is not a list",
			"write {{if …}} or {{with …}} for a single value; lists here: "+cmp.Or(strings.Join(c.lists(dot), ", "), "none"))
	}
	for i, name := range declared {
		kind := one
		if len(declared) == 2 && i == 0 {
			kind = reflect.TypeFor[int]()
		}
		c.vars = append(c.vars, variable{name.Ident[0], kind})
	}
	return one
}

// lists names the lists of what the dot is.
func (c *checker) lists(dot reflect.Type) []string {
	var names []string
	if dot == nil || dot.Kind() != reflect.Struct {
		dot = c.root
	}
	for field := range dot.Fields() {
		if isList(field.Type) {
			names = append(names, "."+field.Name)
		}
	}
	return names
}

// isText says whether values of the type are written as texts, whatever they are made of: a day, a time.
func isText(of reflect.Type) bool {
	return of.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// isList says whether a template can go over values of the type. JSON is bytes to Go, and no list to anybody else.
func isList(of reflect.Type) bool {
	return of.Kind() == reflect.Slice && of != reflect.TypeFor[json.RawMessage]()
}

// printable reports a list or a group of values where a single value belongs.
func (c *checker) printable(pipe *parse.PipeNode, of reflect.Type) {
	if of == nil || isText(of) || of == reflect.TypeFor[json.RawMessage]() {
		return
	}
	text := pipe.String()
	length := utf8.RuneCountInString(text)
	switch of.Kind() {
	case reflect.Slice:
		c.at(pipe.Pos, length, idKind, text+" is a list", "write {{range "+text+"}} … {{end}}")
	case reflect.Struct:
		hint := "write one of them: " + strings.Join(named(text, of), ", ")
		if c.root == payloadRoot {
			hint += "; or all of them with {{json " + text + "}}"
		}
		c.at(pipe.Pos, length, idKind, text+" has parts", hint)
	default:
	}
}

func named(prefix string, of reflect.Type) []string {
	if prefix == "." {
		prefix = ""
	}
	var names []string
	for _, member := range members(of) {
		names = append(names, prefix+"."+member)
	}
	return names
}

// pipe checks a pipeline and gives the type of its value.
func (c *checker) pipe(pipe *parse.PipeNode, dot reflect.Type) reflect.Type {
	var of reflect.Type
	for i, command := range pipe.Cmds {
		of = c.command(command, dot, of, i > 0)
	}
	for _, name := range pipe.Decl {
		if pipe.IsAssign { // it may be something else from now on, or only in some branch
			c.forget(name.Ident[0])
			continue
		}
		c.vars = append(c.vars, variable{name.Ident[0], of})
	}
	return of
}

// forget makes the type of a variable unknown.
func (c *checker) forget(name string) {
	for i := range slices.Backward(c.vars) {
		if c.vars[i].name == name {
			c.vars[i].of = nil
			return
		}
	}
}

// command checks one command; piped is the type of the value that the command before hands to it.
func (c *checker) command(command *parse.CommandNode, dot, piped reflect.Type, isPiped bool) reflect.Type {
	args := make([]reflect.Type, 0, len(command.Args))
	for _, arg := range command.Args[1:] {
		args = append(args, c.operand(arg, dot))
	}
	word, isWord := command.Args[0].(*parse.IdentifierNode)
	if !isWord {
		return c.operand(command.Args[0], dot)
	}
	if isPiped {
		args = append(args, piped)
	}
	result, known := c.word(word.Ident)
	if !known {
		hint := didYouMean(word.Ident, "words", c.words())
		if slices.Contains(members(dot), word.Ident) {
			hint = "a field begins with a dot: ." + word.Ident
		}
		c.at(word.Pos, utf8.RuneCountInString(word.Ident), idWord, fmt.Sprintf("the word %q is not known here", word.Ident), hint)
		return nil
	}
	switch {
	case result != nil:
		return result
	case len(args) == 0 || args[0] == nil:
		return nil
	case word.Ident == "slice":
		return args[0]
	case word.Ident == "index" && len(args) == 2 && args[0].Kind() == reflect.Slice:
		return args[0].Elem()
	case word.Ident == "index": // of a list within a list
		return nil
	}
	for _, arg := range args { // and, or
		if arg != args[0] {
			return nil
		}
	}
	return args[0]
}

// operand gives the type of a value that is named in a template.
func (c *checker) operand(node parse.Node, dot reflect.Type) reflect.Type {
	switch node := node.(type) {
	case *parse.DotNode:
		return dot
	case *parse.FieldNode:
		return c.fields(node.Ident, firstField(node.Pos, node.Ident), dot, dot)
	case *parse.VariableNode:
		for _, known := range slices.Backward(c.vars) {
			if known.name == node.Ident[0] {
				return c.fields(node.Ident[1:], node.Pos, known.of, dot)
			}
		}
	case *parse.ChainNode:
		return c.fields(node.Field, node.Pos, c.operand(node.Node, dot), dot)
	case *parse.PipeNode:
		var of reflect.Type
		c.scoped(func() { of = c.pipe(node, dot) })
		return of
	case *parse.IdentifierNode: // a word without arguments, such as (len)
		return c.command(&parse.CommandNode{Args: []parse.Node{node}}, dot, nil, false)
	case *parse.StringNode:
		return reflect.TypeFor[string]()
	case *parse.BoolNode:
		return reflect.TypeFor[bool]()
	}
	return nil
}

// firstField is where a row of fields begins. The parser gives the place of the first when it stands alone, and of
// the second otherwise.
func firstField(pos parse.Pos, names []string) parse.Pos {
	if len(names) > 1 {
		return pos - parse.Pos(len(names[0])+1)
	}
	return pos
}

// fields follows .Metrics.Current and reports a name that is not there.
func (c *checker) fields(names []string, pos parse.Pos, of, dot reflect.Type) reflect.Type {
	for _, name := range names {
		if of == nil {
			return nil
		}
		next, known := member(of, name)
		if !known {
			c.at(pos, utf8.RuneCountInString(name)+1, idField, "unknown field ."+name, c.fieldHint(name, of, dot))
			return nil
		}
		of, pos = next, pos+parse.Pos(len(name)+1)
	}
	return of
}

func (c *checker) fieldHint(name string, of, dot reflect.Type) string {
	root := c.root
	if _, above := member(root, name); above && of == dot && of != root && c.vars[0].of == root {
		return "inside {{range}} and {{with}} write $." + name + " for what belongs to the whole brief"
	}
	valid := members(of)
	if len(valid) == 0 {
		return "it is a single value without fields; write {{.}}"
	}
	return didYouMean(name, "fields here", valid)
}

// member is the type of a field, or of what a method without arguments gives.
func member(of reflect.Type, name string) (reflect.Type, bool) {
	if isText(of) && !slices.Contains(members(of), name) {
		return nil, false
	}
	if method, ok := of.MethodByName(name); ok && method.Type.NumIn() == 1 {
		return method.Type.Out(0), true
	}
	if of.Kind() != reflect.Struct {
		return nil, false
	}
	field, ok := of.FieldByName(name)
	return field.Type, ok && field.IsExported()
}

// members names the fields and methods, String left out: it is what a template writes anyway.
func members(of reflect.Type) []string {
	var names []string
	switch {
	case of == nil:
		return nil
	case of == reflect.TypeFor[time.Time]():
		return []string{"Unix"} // seconds, which every receiver can compare
	case isText(of):
		return nil
	}
	if of.Kind() == reflect.Struct {
		for field := range of.Fields() {
			names = append(names, field.Name)
		}
	}
	for method := range of.Methods() {
		if method.Name != "String" {
			names = append(names, method.Name)
		}
	}
	return names
}

// mostNamed is how many valid names a hint lists.
const mostNamed = 30

// didYouMean is a hint with the likeliest word, when one is near, and the valid ones.
func didYouMean(word, label string, valid []string) string {
	return guess.Hint(word, label, valid, mostNamed)
}
