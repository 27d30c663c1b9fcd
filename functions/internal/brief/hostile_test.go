package brief_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// bare are templates that write one customer's id between brackets, in every format.
func bare() fstest.MapFS {
	return with("[{{(index .Tiers 0).Name}}|{{range .Tiers}}{{range .Top}}{{.ID}}{{end}}{{end}}]")
}

// with are templates that all have the same body; the subject is fixed.
func with(body string) fstest.MapFS {
	return fstest.MapFS{
		"brief.subject.tmpl":    {Data: []byte("Subject")},
		"brief.markdown.tmpl":   {Data: []byte(body)},
		"brief.slack.tmpl":      {Data: []byte(body)},
		"brief.email.txt.tmpl":  {Data: []byte(body)},
		"brief.email.html.tmpl": {Data: []byte(body)},
		"brief.teams.tmpl":      {Data: []byte(body)},
		"payload.make.tmpl":     {Data: []byte("{}")},
	}
}

func loaded(tb testing.TB, files fstest.MapFS) *brief.Templates {
	tb.Helper()
	templates, err := brief.Load(files)
	if err != nil {
		tb.Fatal(err)
	}
	return templates
}

// dataWith is the data of a brief with one customer.
func dataWith(id string) brief.Data {
	return brief.Data{Date: "2026-01-12", Severity: "WARNING", Tiers: []brief.Tier{{Name: "P1", Top: []brief.Customer{{Rank: 1, ID: id}}}}}
}

func render(tb testing.TB, templates *brief.Templates, format functions.Format, data brief.Data) functions.GenerateBriefOutput {
	tb.Helper()
	out, err := templates.Render(format, data)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestCustomerDataStaysTextInEveryFormat(t *testing.T) {
	t.Parallel()
	templates := loaded(t, bare())
	for _, test := range []struct {
		name, id, slack, markdown, plain, page string
	}{
		{"a harmless id is left alone", "C-0042", "C-0042", "C-0042", "C-0042", "C-0042"},
		{"an id that is a telephone number keeps its sign", "+4917012345", "+4917012345", "+4917012345", "+4917012345", "&#43;4917012345"},
		{"a negative number is not escaped", "-12", "-12", "-12", "-12", "-12"},
		{"a word with an underscore is not escaped", "AT_RISK", "AT_RISK", "AT_RISK", "AT_RISK", "AT_RISK"},
		{"a mention notifies nobody", "<!channel>", "&lt;!channel&gt;", "&lt;!channel&gt;", "<!channel>", "&lt;!channel&gt;"},
		{"a user mention neither", "<@U123>", "&lt;@U123&gt;", "&lt;＠U123&gt;", "<@U123>", "&lt;@U123&gt;"},
		{"an escaped mention is not unescaped", "&lt;!here&gt;", "&amp;lt;!here&amp;gt;", "&amp;lt;!here&amp;gt;", "&lt;!here&gt;", "&amp;lt;!here&amp;gt;"},
		{"a plain mention is a mention only where plain text is one", "@channel", "@channel", "＠channel", "@channel", "@channel"},
		{"a mail address is no mention", "ann@shop.example", "ann@shop.example", "ann@shop.example", "ann@shop.example", "ann@shop.example"},
		{"a script does not run", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
		{"a link is not made", "[x](http://evil.example)", "[x](http://evil.example)", `\[x\](http\://evil.example)`, "[x](http://evil.example)", "[x](http://evil.example)"},
		{"a slack link is not made", "<https://evil.example|Dashboard>", "&lt;https://evil.example|Dashboard&gt;", `&lt;https\://evil.example\|Dashboard&gt;`, "<https://evil.example|Dashboard>", "&lt;https://evil.example|Dashboard&gt;"},
		{"an address without a scheme does not link either", "www.evil.example", "www.evil.example", `www\.evil.example`, "www.evil.example", "www.evil.example"},
		{"a picture is not loaded", "![x](//e/x.png)", "![x](//e/x.png)", `!\[x\](//e/x.png)`, "![x](//e/x.png)", "![x](//e/x.png)"},
		{"a table keeps its columns", "a|b", "a|b", `a\|b`, "a|b", "a|b"},
		{"a backtick opens no code", "`rm`", "`rm`", "\\`rm\\`", "`rm`", "`rm`"},
		{"nothing turns bold", "*a* __b__ ~c~", "*a* __b__ ~c~", `\*a\* \_\_b\_\_ \~c\~`, "*a* __b__ ~c~", "*a* __b__ ~c~"},
		{"a backslash hides nothing", `\<b\>`, `\&lt;b\&gt;`, `\\&lt;b\\&gt;`, `\<b\>`, `\&lt;b\&gt;`},
		{"a line break is a blank", "a\r\n# b\n\nc", "a # b c", "a # b c", "a # b c", "a # b c"},
		{"so are the line breaks of Unicode", "a\u2028b\u2029c\u0085d\ve", "a b c d e", "a b c d e", "a b c d e", "a b c d e"},
		{"control characters go", "a\x00b\x1b[31mc\x7f", "ab[31mc", `ab\[31mc`, "ab[31mc", "ab[31mc"},
		{"the direction of writing stays", "inv\u202Egnp.exe\u2066", "invgnp.exe", "invgnp.exe", "invgnp.exe", "invgnp.exe"},
		{"what is invisible goes", "a\u200Bb\uFEFFc", "abc", "abc", "abc", "abc"},
		{"the mark of a mention cannot be brought in", "x\uFDD0y", "xy", "xy", "xy", "xy"},
		{"broken UTF-8 is marked", "a\xff", "a\uFFFD", "a\uFFFD", "a\uFFFD", "a\uFFFD"},
		{"a heading is not made", "# x", "# x", `\# x`, "# x", "# x"},
		{"nor a list", "- x", "- x", `\- x`, "- x", "- x"},
		{"nor a numbered one", "1. x", "1. x", `1\. x`, "1. x", "1. x"},
		{"nor a rule", "---", "---", `\---`, "---", "---"},
		{"nor a formula", "$a$", "$a$", `\$a\$`, "$a$", "$a$"},
		{"letters of all scripts stay", "Žofie 李 سارا", "Žofie 李 سارا", "Žofie 李 سارا", "Žofie 李 سارا", "Žofie 李 سارا"},
		{"an emoji of several characters stays whole", "👩‍🔬", "👩‍🔬", "👩‍🔬", "👩‍🔬", "👩‍🔬"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := dataWith(test.id)
			mail := render(t, templates, functions.FormatEmail, data)
			got := map[string]string{
				"slack":    strings.TrimPrefix(render(t, templates, functions.FormatSlack, data).Text, "*Subject*\n\n"),
				"markdown": render(t, templates, functions.FormatMarkdown, data).Text,
				"plain":    mail.Text,
				"page":     mail.HTML,
				"teams":    cardOf(t, render(t, templates, functions.FormatTeams, data)).lines()[1] + "\n",
			}
			want := map[string]string{"slack": test.slack, "markdown": test.markdown, "plain": test.plain, "page": test.page, "teams": test.plain}
			for format, text := range want {
				want[format] = "[P1|" + text + "]\n"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("brief differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryPlaceOfATemplateEscapes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body string }{
		{"in the text", "{{.Decision}}"},
		{"in a condition", "{{if .Date}}{{.Decision}}{{end}}"},
		{"in its other branch", "{{if .RunID}}{{else}}{{.Decision}}{{end}}"},
		{"in a branch of a branch", "{{if .RunID}}{{else if .Phase}}{{else}}{{.Decision}}{{end}}"},
		{"with a value", "{{with .Decision}}{{.}}{{end}}"},
		{"without a value", "{{with .RunID}}{{else}}{{.Decision}}{{end}}"},
		{"for each", "{{range .Notes}}{{.}}{{end}}"},
		{"for none", "{{range .Exports}}{{else}}{{.Decision}}{{end}}"},
		{"in a template of its own", `{{define "x"}}{{.Decision}}{{end}}{{template "x" .}}`},
		{"in a block", `{{block "x" .Decision}}{{.}}{{end}}`},
		{"from a variable", "{{$x := .Decision}}{{$x}}"},
		{"from a pipeline", "{{.Decision | or}}"},
		{"from a choice", "{{or .RunID .Decision}}"},
		{"from a list", "{{if .Notes}}{{index .Notes 0}}{{end}}"},
		{"from a part of a text", "{{slice .Decision 0}}"},
		{"as a word of plural", "{{plural .Queue .Decision .Decision}}"},
		{"written into the template as a value", `{{"<b>"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := brief.Data{Date: "2026-01-12", Decision: "<b>", Notes: []string{"<b>"}}
			templates := loaded(t, with("x "+test.body))
			mail := render(t, templates, functions.FormatEmail, data)
			for format, text := range map[string]string{
				"slack": render(t, templates, functions.FormatSlack, data).Text, "html": mail.HTML,
				"markdown": render(t, templates, functions.FormatMarkdown, data).Text,
			} {
				if !strings.Contains(text, "&lt;b&gt;") {
					t.Errorf("%s is %q, want <b> escaped", format, text)
				}
			}
		})
	}
}

func TestOnlyTheRulesNotifyPeople(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		data       brief.Data
		want       string
	}{
		{"the mention of the rules notifies", "{{.Mention}} act", brief.Data{Mention: "channel"}, "<!channel> act"},
		{"and so does here", "{{.Mention}} act", brief.Data{Mention: "here"}, "<!here> act"},
		{"nobody is nobody", "{{.Mention}} act", brief.Data{}, " act"},
		{"once is enough", "{{.Mention}} {{.Mention}} act", brief.Data{Mention: "channel"}, "<!channel>  act"},
		{"a word that is no mention notifies nobody", "{{.Mention}} act", brief.Data{Mention: "everyone"}, " act"},
		{"brackets around a value make no mention of it", "<{{.Decision}}> act", brief.Data{Decision: "!channel"}, "&lt;!channel> act"},
		{"nor a link", "<{{.Decision}}|Dashboard> act", brief.Data{Decision: "javascript:x"}, "&lt;javascript:x|Dashboard> act"},
		{"nor a link to an address in the data", "<{{.Decision}}> act", brief.Data{Decision: "https://evil.example"}, "&lt;https://evil.example> act"},
		{"a link that a template holds stays", "<https://wiki.example/{{.Date}}|Wiki> act", brief.Data{}, "<https://wiki.example/2026-01-12|Wiki> act"},
		{"a web link stays", "<{{.Dashboard}}|Dashboard> act", brief.Data{Dashboard: "https://d.example/a?b=1&c=2"}, "<https://d.example/a?b=1&amp;c=2|Dashboard> act"},
		{"an address cannot end the link", "<{{.Dashboard}}|Dashboard> act", brief.Data{Dashboard: "https://d.example/|x> <!channel>"}, "<https://d.example/%7Cx%3E%20%3C!channel%3E|Dashboard> act"},
		{"an address with a strange scheme is text", "<{{.Dashboard}}|Dashboard> act", brief.Data{Dashboard: "!channel"}, "&lt;!channel|Dashboard> act"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.data.Date = "2026-01-12"
			files := with("-")
			files["brief.slack.tmpl"].Data = []byte("> " + test.body)
			out := render(t, loaded(t, files), functions.FormatSlack, test.data)
			if diff := cmp.Diff("*Subject*\n\n> "+test.want+"\n", out.Text); diff != "" {
				t.Errorf("text differs (-want +got):\n%s", diff)
			}
			var blocks []struct{ Text struct{ Text string } }
			if err := json.Unmarshal(out.Blocks, &blocks); err != nil {
				t.Fatal(err)
			}
			if got := blocks[1].Text.Text; got != "> "+test.want {
				t.Errorf("section %q, want %q", got, "> "+test.want)
			}
		})
	}
}

func TestAddressesDoNotLeaveTheirPlace(t *testing.T) {
	t.Parallel()
	files := with("[x]({{.Dashboard}})")
	files["brief.email.html.tmpl"].Data = []byte(`<a href="{{.Dashboard}}">x</a>`)
	templates := loaded(t, files)
	for _, test := range []struct{ name, address, markdown, page string }{
		{"an ordinary address", "https://d.example/a_b?c=1&d=2#e", "[x](https://d.example/a_b?c=1&d=2#e)", `<a href="https://d.example/a_b?c=1&amp;d=2#e">x</a>`},
		{"one that would end the link", "https://d.example/) [y](https://e.example", "[x](https://d.example/%29%20%5By%5D%28https://e.example)", `<a href="https://d.example/%29%20%5By%5D%28https://e.example">x</a>`},
		{"one that would end the attribute", `https://d.example/" onclick="x`, "[x](https://d.example/%22%20onclick=%22x)", `<a href="https://d.example/%22%20onclick=%22x">x</a>`},
		{"one that is a program", "javascript:alert(1)", "[x](#)", `<a href="#">x</a>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := brief.Data{Date: "2026-01-12", Dashboard: brief.URL(test.address)}
			got := []string{
				render(t, templates, functions.FormatMarkdown, data).Text, render(t, templates, functions.FormatEmail, data).HTML,
			}
			if diff := cmp.Diff([]string{test.markdown + "\n", test.page + "\n"}, got); diff != "" {
				t.Errorf("links differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubjectIsOneLine(t *testing.T) {
	t.Parallel()
	files := with("-")
	files["brief.subject.tmpl"].Data = []byte("Brief\r\n{{.Decision}}\nBcc: x\n")
	data := brief.Data{Date: "2026-01-12", Decision: "a\r\nBcc: all@shop.example <!channel> " + strings.Repeat("&", 200)}
	for _, format := range functions.Formats {
		subject := render(t, loaded(t, files), format, data).Subject
		if strings.ContainsAny(subject, "\r\n\u2028") || utf8.RuneCountInString(subject) > 150 {
			t.Errorf("%s: the subject %q has line breaks or more than 150 characters", format, subject)
		}
		if format == functions.FormatSlack && strings.Contains(subject, "<") {
			t.Errorf("the headline %q has a control character of Slack", subject)
		}
	}
}

// FuzzSlack looks for an id that gets a control character of Slack into the message.
func FuzzSlack(f *testing.F) {
	for _, id := range []string{"C-1", "<!channel>", "&lt;", "<https://e|x>", "https://e", "\uFDD0\uFDD1", "a\nb", strings.Repeat("<", 4000), "\xff<"} {
		f.Add(id)
	}
	templates := loaded(f, with("a <{{range .Tiers}}{{range .Top}}{{.ID}}{{end}}{{end}}> {{range .Tiers}}{{range .Top}}{{.ID}}{{end}}{{end}}"))
	f.Fuzz(func(t *testing.T, id string) {
		out := render(t, templates, functions.FormatSlack, dataWith(id))
		if strings.Contains(out.Text, "<") || strings.ContainsRune(out.Text, '\uFDD0') || !utf8.ValidString(out.Text) {
			t.Errorf("id %q: text %q", id, out.Text)
		}
		var blocks []struct{ Text struct{ Text string } }
		if err := json.Unmarshal(out.Blocks, &blocks); err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks {
			if n := utf8.RuneCountInString(block.Text.Text); strings.Contains(block.Text.Text, "<") || n == 0 || n > 3000 {
				t.Errorf("id %q: section %q", id, block.Text.Text)
			}
		}
	})
}

// FuzzMarkdown looks for an id that brings an unescaped sign of Markdown or HTML into a table cell.
func FuzzMarkdown(f *testing.F) {
	for _, id := range []string{"C-1", "<b>", `\|`, "`", "[x](y)", "a\nb", "*"} {
		f.Add(id)
	}
	templates := loaded(f, with("| {{range .Tiers}}{{range .Top}}{{.ID}}{{end}}{{end}} |"))
	f.Fuzz(func(t *testing.T, id string) {
		text := render(t, templates, functions.FormatMarkdown, dataWith(id)).Text
		cell := strings.TrimSuffix(strings.TrimPrefix(text, "| "), " |\n")
		for i, r := range cell {
			escapes := 0
			for j := i - 1; j >= 0 && cell[j] == '\\'; j-- {
				escapes++
			}
			if strings.ContainsRune("<>\n\r", r) || strings.ContainsRune("|`*[]~$", r) && escapes%2 == 0 {
				t.Errorf("id %q: cell %q holds a bare %q", id, cell, r)
			}
		}
	})
}
