package preview

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// githubs is Markdown as GitHub reads it: with tables, strikes, task lists and links of bare addresses.
var githubs = goldmark.New(
	goldmark.WithExtensions(extension.GFM),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(harmless{}, 1))),
)

// markdown draws a text in Markdown.
func markdown(source string) (template.HTML, error) {
	var out strings.Builder
	if err := githubs.Convert([]byte(source), &out); err != nil {
		return "", fmt.Errorf("show the Markdown: %w", err)
	}
	return template.HTML(out.String()), nil //nolint:gosec // goldmark escapes texts, and harmless draws what else is in it
}

// harmless draws what could do more than be read: links go to the web or nowhere, a picture is its description, and
// HTML is shown as the text that it is, so that an author sees that it does nothing.
type harmless struct{}

var _ renderer.NodeRenderer = harmless{}

// RegisterFuncs implements renderer.NodeRenderer.
func (harmless) RegisterFuncs(to renderer.NodeRendererFuncRegisterer) {
	to.Register(ast.KindLink, drawLink)
	to.Register(ast.KindAutoLink, drawAutoLink)
	to.Register(ast.KindImage, drawImage)
	to.Register(ast.KindRawHTML, drawRawHTML)
	to.Register(ast.KindHTMLBlock, drawHTMLBlock)
}

func drawLink(out util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	address := ""
	if is, ok := node.(*ast.Link); ok {
		address = string(is.Destination)
	}
	switch {
	case web(address) && entering:
		_, _ = out.WriteString(link(address))
	case web(address):
		_, _ = out.WriteString("</a>")
	case entering:
		_, _ = out.WriteString(`<span class="nowhere">`)
	default:
		_, _ = out.WriteString("</span> (" + template.HTMLEscapeString(address) + ")")
	}
	return ast.WalkContinue, nil
}

func drawAutoLink(out util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	is, ok := node.(*ast.AutoLink)
	if !ok || !entering {
		return ast.WalkContinue, nil
	}
	label := template.HTMLEscapeString(string(is.Label(source)))
	if address := string(is.URL(source)); web(address) {
		label = link(address) + label + "</a>"
	}
	_, _ = out.WriteString(label)
	return ast.WalkContinue, nil
}

func drawImage(out util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = out.WriteString(`<span class="nowhere">picture: `)
		return ast.WalkContinue, nil
	}
	address := ""
	if is, ok := node.(*ast.Image); ok {
		address = string(is.Destination)
	}
	_, _ = out.WriteString("</span> (" + template.HTMLEscapeString(address) + ")")
	return ast.WalkContinue, nil
}

func drawRawHTML(out util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if is, ok := node.(*ast.RawHTML); ok && entering {
		drawAsText(out, source, is.Segments)
	}
	return ast.WalkSkipChildren, nil
}

func drawHTMLBlock(out util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if is, ok := node.(*ast.HTMLBlock); ok && entering {
		_, _ = out.WriteString("<p>")
		drawAsText(out, source, is.Lines())
		if is.HasClosure() {
			_, _ = out.WriteString(`<code>` + template.HTMLEscapeString(string(is.ClosureLine.Value(source))) + `</code>`)
		}
		_, _ = out.WriteString("</p>\n")
	}
	return ast.WalkSkipChildren, nil
}

func drawAsText(out util.BufWriter, source []byte, segments *text.Segments) {
	_, _ = out.WriteString(`<code>`)
	for i := range segments.Len() {
		segment := segments.At(i)
		_, _ = out.WriteString(template.HTMLEscapeString(string(segment.Value(source))))
	}
	_, _ = out.WriteString(`</code>`)
}
