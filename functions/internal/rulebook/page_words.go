package rulebook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
	"gopkg.in/yaml.v3"
)

// inWords tells a condition: cells as a sentence, an expression as it is written, with the numbers of parameters.
func (b *Book) inWords(e *expression) string {
	if e.where.node.Kind != yaml.MappingNode {
		if text := b.written(e); text != "true" {
			return text
		}
		return "everyone"
	}
	var parts []string
	content := e.where.node.Content
	for i := 0; i+1 < len(content); i += 2 {
		parts = append(parts, content[i].Value+" "+b.cellInWords(content[i+1]))
	}
	return strings.Join(parts, " and ")
}

// cellInWords tells what a cell asks of its field.
func (b *Book) cellInWords(cell *yaml.Node) string {
	if cell.Kind == yaml.SequenceNode {
		words := make([]string, len(cell.Content))
		for i, item := range cell.Content {
			words[i] = b.withNumbers(item.Value)
		}
		return "is " + strings.Join(words, " or ")
	}
	if from, to, is := rangeOf(cell.Value, partsOf(cell.Value)); is {
		return "is from " + b.withNumbers(from.text) + " to " + b.withNumbers(to.text)
	}
	word := strings.Join(strings.Fields(cell.Value), " ")
	if yes, known := yesOrNo(word); known {
		word = map[bool]string{true: "yes", false: "no"}[yes]
	}
	return "is " + b.withNumbers(word)
}

// withNumbers puts the number of each parameter behind its name.
func (b *Book) withNumbers(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		if p := b.priority.parameters[word]; p != nil {
			words[i] = fmt.Sprintf("%s (%s)", word, p.text)
		}
	}
	return strings.Join(words, " ")
}

// written is an expression as it is written, with the numbers of its parameters.
func (b *Book) written(e *expression) string {
	text := strings.Join(strings.Fields(e.text), " ")
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		return text
	}
	var said, names []string
	for _, token := range tokens {
		p := b.priority.parameters[token.Value]
		if token.Kind == lexer.Identifier && p != nil && !slices.Contains(names, token.Value) {
			names = append(names, token.Value)
			said = append(said, token.Value+" is "+p.text)
		}
	}
	if len(said) == 0 {
		return text
	}
	return text + " (" + strings.Join(said, ", ") + ")"
}

// namedNumber is a parameter as the file shows it.
type namedNumber struct{ name, number, comment string }

// parametersInOrder are the parameters in the order of the file, with the comment behind each.
func (b *Book) parametersInOrder() []namedNumber {
	var all []namedNumber
	for _, name := range sortedKeys(b.priority.parameters) {
		p := b.priority.parameters[name]
		all = append(all, namedNumber{name, p.text, p.comment()})
	}
	slices.SortFunc(all, func(x, y namedNumber) int {
		return b.priority.parameters[x.name].label.node.Line - b.priority.parameters[y.name].label.node.Line
	})
	return all
}

// comment is what stands behind the number in the file.
func (p *parameter) comment() string {
	top := p.label.doc.root.names("key")
	list := top.keys["parameters"]
	for i := 0; i+1 < len(list.node.Content); i += 2 {
		if list.node.Content[i] == p.label.node {
			text := list.node.Content[i+1].LineComment
			return strings.TrimSpace(strings.TrimLeft(text, "# "))
		}
	}
	return ""
}

// duration tells a time in days, hours or minutes.
func duration(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if count := int64(d / unit.length); d%unit.length == 0 && (count > 1 || unit.length < 24*time.Hour) {
			if count == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", count, unit.name)
		}
	}
	return d.String()
}
