package preview_test

import (
	"bytes"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/brief/preview"
)

// sample is the page of a sample day by the templates as shipped.
func sample(tb testing.TB, day string) preview.Page {
	tb.Helper()
	templates, err := brief.Load(brieftemplates.FS)
	if err != nil {
		tb.Fatal(err)
	}
	page := preview.Page{Day: "the sample day " + day, Templates: "brief_templates"}
	for _, fixture := range brief.Fixtures() {
		if fixture.Name != day {
			continue
		}
		for _, format := range functions.Formats {
			out, err := templates.Render(format, brief.Compose(fixture.Input))
			if err != nil {
				tb.Fatal(err)
			}
			page.Briefs = append(page.Briefs, out)
		}
	}
	return page
}

func written(tb testing.TB, page preview.Page) string {
	tb.Helper()
	var out bytes.Buffer
	if err := page.Write(&out); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// blocks are Slack blocks: a headline, a section, and one of a kind that briefs do not have.
func blocks(tb testing.TB, section, other string) json.RawMessage {
	tb.Helper()
	encoded, err := json.Marshal([]any{
		map[string]any{"type": "header", "text": map[string]any{"type": "plain_text", "text": other}},
		map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": section}},
		map[string]any{"type": "divider"},
		map[string]any{"type": "image", "image_url": other},
		other,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

// card is a message for Teams with a text, and with a link to what is no page.
func card(tb testing.TB, text string) json.RawMessage {
	tb.Helper()
	runs := []any{
		map[string]any{"type": "TextRun", "text": text, "weight": "bolder"},
		map[string]any{"type": "TextRun", "text": text, "selectAction": map[string]any{"type": "Action.OpenUrl", "url": "javascript:console.log('ran')"}},
		map[string]any{"type": "TextRun", "text": "page", "selectAction": map[string]any{"type": "Action.OpenUrl", "url": "http://d.example/?a=1&b=" + text}},
	}
	encoded, err := json.Marshal(map[string]any{"attachments": []any{map[string]any{
		"content": map[string]any{"body": []any{map[string]any{"type": "RichTextBlock", "separator": true, "spacing": "none", "inlines": runs}}},
	}}})
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

func TestACardIsDrawnLineByLine(t *testing.T) {
	t.Parallel()
	page := written(t, preview.Page{Briefs: []functions.GenerateBriefOutput{{Format: functions.FormatTeams, Card: functions.JSONObject(card(t, "<b>"))}}})
	want := "\n" + `<p class="rule near"><span class="bolder ">&lt;b&gt;</span><span class=" ">&lt;b&gt;</span>` +
		`<a href="http://d.example/?a=1&amp;b=%3cb%3e" title="http://d.example/?a=1&amp;b=&lt;b&gt;" target="_blank" rel="noopener noreferrer nofollow">page</a></p>` + "\n"
	if diff := cmp.Diff(want, between(page, `<div class="body card">`, "</div>")); diff != "" {
		t.Errorf("the card differs (-want +got):\n%s", diff)
	}
}

// between is what stands between two texts.
func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// drawn is what the page draws of a Slack text.
func drawn(tb testing.TB, text string) string {
	tb.Helper()
	page := written(tb, preview.Page{Briefs: []functions.GenerateBriefOutput{{
		Format: functions.FormatSlack, Text: text, Blocks: blocks(tb, text, "other"),
	}}})
	got := between(page, `<div class="body slack"><div class="headline">other</div><div>`, "</div><hr>")
	if !strings.Contains(page, `<div class="body slack">`+got+"</div>") {
		tb.Errorf("%q is drawn as %q in its section, and otherwise as text", text, got)
	}
	return got
}

func TestSlacksMarkupIsDrawnAsSlackDoes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"words are words", "14 customers, €3.50", "14 customers, €3.50"},
		{"stars make bold", "*Action needed.* Now", "<b>Action needed.</b> Now"},
		{"lines make italics and tildes strike", "_late_ ~gone~", "<i>late</i> <s>gone</s>"},
		{"one within the other", "*a _b ~c~_*", "<b>a <i>b <s>c</s></i></b>"},
		{"a star between figures is a star", "2*3*4 and 2 * 3 * 4", "2*3*4 and 2 * 3 * 4"},
		{"a line within a word is a line", "AT_RISK and x_y_z", "AT_RISK and x_y_z"},
		{"an emphasis ends on its line", "*a\nb*", "*a\nb*"},
		{"two stars are not Markdown", "**a**", "**a**"},
		{"brackets are not a link of Markdown", "[a](https://d.example)", "[a](https://d.example)"},
		{"a bare address is no link: the message says verbatim", "https://d.example", "https://d.example"},
		{"a backtick is code and hides marks", "`*a* <!here> &lt;b&gt;`", "<code>*a* &lt;!here&gt; &lt;b&gt;</code>"},
		{"a backtick alone is a backtick", "a ` b", "a ` b"},
		{"three of them are a block", "a\n```\n*x*\n> y\n```\nb", "a<pre>*x*\n&gt; y</pre>b"},
		{"three without an end are three", "```a", "```a"},
		{"a quote is as long as its lines", "a\n> b\n&gt; *c*\nd", "a<blockquote>b\n<b>c</b></blockquote>d"},
		{"entities are decoded once", "R&amp;D &lt;b&gt; &amp;lt; &quot;", "R&amp;D &lt;b&gt; &amp;lt; &amp;quot;"},
		{"a name of an emoji stays", ":warning: *x*", ":warning: <b>x</b>"},
		{"a link has its label", "<https://d.example/?a=1&amp;b=2|Dash*board*>", link("https://d.example/?a=1&amp;b=2") + "Dash*board*</a>"},
		{"or its address", "<https://d.example>", link("https://d.example") + "https://d.example</a>"},
		{"an emphasis goes around a link", "*<https://d.example/*|x*>*", "<b>" + link("https://d.example/*") + "x*</a></b>"},
		{"the channel is called", "<!channel> act", mention("notifies people", "@channel") + " act"},
		{"those who are there are called", "<!here|@here>", mention("notifies people", "@here")},
		{"a person, a group and a channel are named", "<@U1> <!subteam^S1|@ret> <#C1|general>", mention("notifies a person", "@U1") + " " +
			mention("notifies a group", "@ret") + " " + mention("a channel", "#general")},
		{"a date is what stands in for it", "<!date^1392734382^{date}|Feb 18>", "Feb 18"},
		{"an escaped mention is text", "&lt;!channel&gt;", "&lt;!channel&gt;"},
		{"a program is no link", "<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"},
		{"an address cannot leave its place", `<https://e/"onclick="x|y>`, link(`https://e/&#34;onclick=&#34;x`) + "y</a>"},
		{"HTML is text", `<script>alert(1)</script><img src=x onerror=alert(1)>`, "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"},
		{"a bracket alone is a bracket", "a < b", "a &lt; b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, drawn(t, test.text)); diff != "" {
				t.Errorf("%q is drawn differently (-want +got):\n%s", test.text, diff)
			}
		})
	}
}

func link(address string) string {
	return `<a href="` + address + `" title="` + address + `" target="_blank" rel="noopener noreferrer nofollow">`
}

func mention(what, name string) string {
	return `<span class="mention" title="` + what + `">` + name + "</span>"
}

// rendered is what the page draws of a Markdown text.
func rendered(tb testing.TB, text string) string {
	tb.Helper()
	page := written(tb, preview.Page{Briefs: []functions.GenerateBriefOutput{{Format: functions.FormatMarkdown, Text: text}}})
	return strings.TrimSuffix(between(page, `<div class="body rendered">`, "</div>\n</section>"), "\n")
}

func TestMarkdownIsDrawnWithoutHTML(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"headings and emphasis", "# A *b*", "<h1>A <em>b</em></h1>"},
		{"a table", "| a | b |\n| --- | ---: |\n| x | 1 |", "<table>\n<thead>\n<tr>\n<th>a</th>\n<th style=\"text-align:right\">b</th>\n</tr>\n</thead>\n" +
			"<tbody>\n<tr>\n<td>x</td>\n<td style=\"text-align:right\">1</td>\n</tr>\n</tbody>\n</table>"},
		{"a link to the web", "[x](https://d.example/?a=1&b=2)", "<p>" + link("https://d.example/?a=1&amp;b=2") + "x</a></p>"},
		{"a bare address", "see https://d.example.", "<p>see " + link("https://d.example") + "https://d.example</a>.</p>"},
		{"a file is no link, and says where it is", "[P2](file:///exports/P2.csv)", `<p><span class="nowhere">P2</span> (file:///exports/P2.csv)</p>`},
		{"a program is no link", "[x](javascript:alert(1)) <javascript:alert(1)>", `<p><span class="nowhere">x</span> (javascript:alert(1)) javascript:alert(1)</p>`},
		{
			"a program in disguise is none", "[x](JaVaScRiPt&colon;alert(1)) [y][z]\n\n[z]: <data:text/html,x>",
			`<p><span class="nowhere">x</span> (JaVaScRiPt&amp;colon;alert(1)) <span class="nowhere">y</span> (data:text/html,x)</p>`,
		},
		{"a picture is its description", "![logo *x*](https://e.example/x.png)", `<p><span class="nowhere">picture: logo <em>x</em></span> (https://e.example/x.png)</p>`},
		{"HTML in a line is text", `a <b onclick="x">c</b>`, "<p>a <code>&lt;b onclick=&#34;x&#34;&gt;</code>c<code>&lt;/b&gt;</code></p>"},
		{"HTML in a block is text", "<script>\nalert(1)\n</script>", "<p><code>&lt;script&gt;\nalert(1)\n</code><code>&lt;/script&gt;</code></p>"},
		{"an escaped one stays escaped", `&lt;script&gt; \*a\*`, "<p>&lt;script&gt; *a*</p>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, rendered(t, test.text)); diff != "" {
				t.Errorf("%q is drawn differently (-want +got):\n%s", test.text, diff)
			}
		})
	}
}

// TestThePageNeedsAndAllowsNothing looks at the page as text; browser_test.go looks at it in a browser.
func TestThePageNeedsAndAllowsNothing(t *testing.T) {
	t.Parallel()
	page := sample(t, "faults")
	text := written(t, page)
	if !strings.Contains(between(text, "<head>", "<style>"), `content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"`) {
		t.Error("the page does not begin with its policy")
	}
	for _, never := range []string{"<script", "<link", "<img", "<object", "<form", " src=", "@import", "url(", "javascript:"} {
		if strings.Contains(regexp.MustCompile(`srcdoc="[^"]*"|>[^<]*<`).ReplaceAllString(text, "><"), never) {
			t.Errorf("the page has %q", never)
		}
	}
	if handler := regexp.MustCompile(`<[^<>]*\son\w+=`).FindString(text); handler != "" {
		t.Errorf("the page has %q", handler)
	}
	var mail string
	for _, one := range page.Briefs {
		mail += one.HTML
	}
	if diff := cmp.Diff(mail, html.UnescapeString(between(text, `<iframe title="The mail with HTML" sandbox="" srcdoc="`, `"></iframe>`))); diff != "" {
		t.Errorf("the frame holds another mail (-want +got):\n%s", diff)
	}
	// The customer of the sample day that is called like a mention and a script.
	if n := strings.Count(text, "&lt;!channel&gt;"); n < 4 {
		t.Errorf("the hostile customer is shown %d times as text, want one a column at least", n)
	}
}

func TestAPageSaysWhatIsTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 110_000)
	text := written(t, preview.Page{Briefs: []functions.GenerateBriefOutput{{Format: functions.FormatEmail, Text: "short", HTML: long}}})
	if !strings.Contains(text, `<td class="number long">110000 of 100000 bytes: too long</td>`) {
		t.Error("the page does not say that the mail is too long")
	}
	if strings.Count(text, ": too long") != 1 {
		t.Error("the page finds something else too long")
	}
}

func TestAPageWithoutABriefIsRefused(t *testing.T) {
	t.Parallel()
	if err := (preview.Page{}).Write(&bytes.Buffer{}); functions.CodeOf(err) != functions.InvalidArgument {
		t.Errorf("got %v, want invalid_argument", err)
	}
}

// ours matches the elements that a drawn text may have, with their attributes.
var ours = regexp.MustCompile(`</?(b|i|s|code|pre|blockquote|p|h[1-6]|em|strong|del|ul|li|ol|table|thead|tbody|tr|th|td|span|a)>|<(br|hr)>|` +
	`<ol start="\d+">|<(th|td) style="text-align:(left|right|center)">|<code class="language-[^"<>]*">|` +
	`<span class="(nowhere|mention)"( title="[a-z ]+")?>|<input (checked="" )?disabled="" type="checkbox">|` +
	`<a href="https?://[^"<>]*" title="[^"<>]*" target="_blank" rel="noopener noreferrer nofollow">`)

// FuzzDrawing looks for a text that brings an element of its own into the page.
func FuzzDrawing(f *testing.F) {
	for _, text := range []string{
		"*a* _b_ ~c~ `d` ```e```\n> f", "<!channel> <https://e|x> <javascript:x>", "<script>alert(1)</script>", "<a href=x onclick=y>",
		"[x](javascript:x) ![y](data:z) <b>\n\n<style>\n</style>", "``` \" onclick=\nx\n```", "- [x] a\n7. b\n\n| a |\n| - |\n| \" |", "<!-- -->", "\xff<\x00", "*<`*`>*",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		slack := between(written(t, preview.Page{Briefs: []functions.GenerateBriefOutput{{Format: functions.FormatSlack, Text: text}}}),
			`<div class="body slack">`, "</div>\n</section>")
		for _, shown := range []string{slack, rendered(t, text)} {
			if rest := ours.ReplaceAllString(shown, ""); strings.ContainsAny(rest, "<>") {
				t.Errorf("%q is drawn as %q, which has an element that is not ours", text, shown)
			}
		}
	})
}

func TestPayloadsAreShownAsTextWithTheirSize(t *testing.T) {
	t.Parallel()
	page := sample(t, "warning")
	page.Payloads = []preview.Payload{{Template: "payload.mine.tmpl", Body: []byte(`{"a":"<script>alert(1)</script>","b":1}`)}}
	shown := written(t, page)
	for _, want := range []string{
		"<h2>payload.mine.tmpl</h2>", "39 of 5242880 bytes",
		"{\n  &#34;a&#34;: &#34;&lt;script&gt;alert(1)&lt;/script&gt;&#34;,\n  &#34;b&#34;: 1\n}",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	page.Payloads[0].Body = []byte("no JSON")
	if err := page.Write(&bytes.Buffer{}); err == nil {
		t.Error("a payload that is no JSON was shown")
	}
}
