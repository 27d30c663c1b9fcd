package brief

import (
	"strconv"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
	"unicode/utf8"
)

// A traced template writes before each of its texts and values where it stands in the template, so that a fault in what
// is written can be shown at its place there. No JSON holds the mark: what a value brings in is escaped.
const traceMark = "\x00"

// compileTraced makes the template of a payload with the traces in it.
func (s *source) compileTraced() *texttemplate.Template {
	trees := s.watched()
	for _, tree := range trees {
		trace(tree.Root)
	}
	return s.compileWith(texttemplate.FuncMap{"plural": pluralOf, "json": asJSON, writerName: writer(writeJSON)}, trees)
}

// trace puts a mark before each text and each value, in place.
func trace(list *parse.ListNode) {
	if list == nil {
		return
	}
	nodes := make([]parse.Node, 0, 2*len(list.Nodes))
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			if len(node.Text) > 0 {
				nodes = append(nodes, traceOf(node.Pos, 0))
			}
		case *parse.ActionNode:
			nodes = append(nodes, traceOf(node.Pipe.Pos, utf8.RuneCountInString(node.Pipe.Cmds[0].String())))
		case *parse.IfNode:
			trace(node.List)
			trace(node.ElseList)
		case *parse.WithNode:
			trace(node.List)
			trace(node.ElseList)
		case *parse.RangeNode:
			trace(node.List)
			trace(node.ElseList)
		}
		nodes = append(nodes, node)
	}
	list.Nodes = nodes
}

// traceOf is the mark of a place; a length of 0 is a text, whose characters each have their own place.
func traceOf(pos parse.Pos, length int) *parse.TextNode {
	text := traceMark + strconv.Itoa(int(pos)) + " " + strconv.Itoa(length) + traceMark
	return &parse.TextNode{NodeType: parse.NodeText, Pos: pos, Text: []byte(text)}
}

// placeIn finds the place in the template of a byte that it has written, in what its traced twin has written.
func placeIn(traced string, offset int) (pos parse.Pos, length int) {
	parts := strings.Split(traced, traceMark) // text, place, text, place, …, text
	for i := 1; i+1 < len(parts); i += 2 {
		where, long, _ := strings.Cut(parts[i], " ")
		written := len(parts[i+1])
		pos, length = parse.Pos(number(where)), number(long)
		if length == 0 {
			pos, length = pos+parse.Pos(min(offset, max(written-1, 0))), 1
		}
		if offset < written {
			break
		}
		offset -= written
	}
	return pos, length
}
