package brief_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// sample is the payload of a sample day.
func sample(tb testing.TB, templates *brief.Templates, name string) brief.Payload {
	tb.Helper()
	for _, fixture := range brief.Fixtures() {
		if fixture.Name == name {
			made, err := fixture.Payload(templates)
			if err != nil {
				tb.Fatal(err)
			}
			return made
		}
	}
	tb.Fatalf("no fixture is called %s", name)
	return brief.Payload{}
}

// sent writes a payload and reads it back as a receiver would.
func sent(tb testing.TB, templates *brief.Templates, name string, data brief.Payload) map[string]any {
	tb.Helper()
	body, err := templates.Payload(name, data)
	if err != nil {
		tb.Fatal(err)
	}
	return object(tb, string(body))
}

func object(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var read map[string]any
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		tb.Fatalf("%v in %s", err, text)
	}
	return read
}

// part follows names into groups: part(m, "fields", "priority", "name").
func part(tb testing.TB, from any, names ...string) any {
	tb.Helper()
	for _, name := range names {
		group, is := from.(map[string]any)
		if !is {
			tb.Fatalf("%v has no part %s", from, name)
		}
		from = group[name]
	}
	return from
}

func TestShippedPayloadsOfEachDay(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	if diff := cmp.Diff([]string{"generic", "make"}, templates.PayloadNames()); diff != "" {
		t.Errorf("names differ (-want +got):\n%s", diff)
	}
	for _, fixture := range brief.Fixtures() {
		data, err := fixture.Payload(templates)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range templates.PayloadNames() {
			body, err := templates.Payload(name, data)
			if err != nil {
				t.Fatal(err)
			}
			var shown bytes.Buffer
			if err := json.Indent(&shown, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, "golden/"+fixture.Name+".payload."+name+".json", shown.String()+"\n")
		}
	}
}

func TestMakeGetsTheFieldsOfTheSourceAndOursBeside(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	got := sent(t, templates, "make", sample(t, templates, "warning"))
	for _, long := range []string{"brief_markdown", "subject", "slack_blocks", "jira_body"} {
		if text, _ := got[long].(string); text == "" {
			t.Errorf("%s is empty", long)
		}
		delete(got, long)
	}
	slack := part(t, got, "slack").(map[string]any)
	delete(slack, "text")
	delete(slack, "blocks")
	want := object(t, `{
		"date": "2026-01-12", "severity": "WARNING", "alert_flag": true,
		"metrics": {"current_value": 25.2, "baseline_value": 21.4, "delta_relative_pct": 17.76},
		"priority_counts": {"p1": 87, "p2": 312, "p3": 189},
		"export_urls": {"p1": "https://files.example/2026-01-12/P1.csv", "p2": "file:///exports/2026-01-12/P2.csv"},
		"run_id": "01KEQ8ZQ5S0000000000000000", "idempotency_key": "rop_2026-01-12_WARNING_production", "phase": "production",
		"expires_at": "2026-01-13T06:00:00Z", "expires_unix": 1768284000, "rules_version": "0f1e2d3c4b5a",
		"slack": {"channel": "#retention-alerts", "mention": "nobody"},
		"ticket": {
			"project": "RETENTION", "type": "Task", "priority": "High", "title": "Retention Alert WARNING - 2026-01-12",
			"due": "2026-01-13T06:00:00Z", "label": "rop_2026-01-12_WARNING_production", "update": ""
		}
	}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payload differs (-want +got):\n%s", diff)
	}
}

func TestAFlatReceiverGetsTextsOnly(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	for _, fixture := range brief.Fixtures() {
		got := sent(t, templates, "generic", sample(t, templates, fixture.Name))
		if len(got) == 0 || len(got) > 20 {
			t.Errorf("%s: %d names, want 1 to 20: somebody makes a variable of each by hand", fixture.Name, len(got))
		}
		for name, value := range got {
			if _, isText := value.(string); !isText {
				t.Errorf("%s: %s is %v, want a text", fixture.Name, name, value)
			}
		}
	}
}

func TestAnotherReceiverIsATemplate(t *testing.T) {
	t.Parallel()
	files := shippedFiles(t)
	files["payload.mine.tmpl"] = &fstest.MapFile{Data: []byte(`{{/* ours */}}
{
  "what": "{{.Severity}} on {{.Date}} ({{plural .PriorityCounts.P1 "customer"}} in P1)",
  {{if .Metrics.BaselineValue}}
  "baseline": {{.Metrics.BaselineValue}},
  {{else}}
  "baseline": null,
  {{end}}
  "expires": {{.ExpiresAt.Unix}}, "due": "{{.Ticket.Due}}", "flag": {{.AlertFlag}},
  "blocks": "{{.Slack.Blocks}}",
  "group": {{json .PriorityCounts}}
}`)}
	templates := loaded(t, files)
	data := sample(t, templates, "faults")
	want := map[string]any{
		"what": "WARNING on 2026-01-12 (3 customers in P1)", "baseline": nil, "expires": 1768284000.0, "due": "2026-01-13T06:00:00Z",
		"flag": true, "blocks": string(data.Slack.Blocks), "group": map[string]any{"p1": 3.0, "p2": 1.0, "p3": 1.0},
	}
	if diff := cmp.Diff(want, sent(t, templates, "mine", data)); diff != "" {
		t.Errorf("payload differs (-want +got):\n%s", diff)
	}
	_, err := templates.Payload("yours", data)
	coded, is := errors.AsType[*functions.Error](err)
	if !is || coded.Code != functions.FailedPrecondition || !strings.Contains(coded.Hint, "generic, make, mine") {
		t.Errorf("error %#v, want failed_precondition with the names", err)
	}
}

func TestATemplateThatFailsOnRealDataIsNotSent(t *testing.T) {
	t.Parallel()
	files := shippedFiles(t)
	files["payload.mine.tmpl"] = &fstest.MapFile{Data: []byte(`{"x": {{if eq .RunID "odd"}}{{.RunID}}{{else}}1{{end}}}`)}
	files["payload.large.tmpl"] = &fstest.MapFile{Data: []byte(`{"x": "{{range 10}}{{$.BriefText}}{{end}}"}`)}
	templates := loaded(t, files)
	data := sample(t, templates, "warning")
	data.RunID, data.BriefText = "odd", strings.Repeat("a", 1<<20)
	for _, name := range []string{"mine", "large"} {
		if body, err := templates.Payload(name, data); functions.CodeOf(err) != functions.FailedPrecondition {
			t.Errorf("%s: %d bytes and %v, want failed_precondition", name, len(body), err)
		}
	}
}

// FuzzPayload looks for a text that leaves its place in a payload.
func FuzzPayload(f *testing.F) {
	for _, text := range []string{"C-1", `"`, `\`, `","x":"`, "\x00", "a\nb", "\u2028", "\xff", "{", `\"`, "null"} {
		f.Add(text)
	}
	files := shippedFiles(f)
	files["payload.mine.tmpl"] = &fstest.MapFile{Data: []byte(`{"a": "x{{.Subject}}y", "b": {{json .Subject}}, "c": "{{.Slack.Blocks}}"}`)}
	templates := loaded(f, files)
	f.Fuzz(func(t *testing.T, text string) {
		data := sample(t, templates, "empty")
		blocks, err := json.Marshal([]string{text})
		if err != nil {
			t.Fatal(err)
		}
		data.Subject, data.Slack.Blocks = text, blocks
		valid := strings.ToValidUTF8(text, "\uFFFD")
		got := sent(t, templates, "mine", data)
		if !utf8.ValidString(text) { // how many marks stand for broken bytes is the encoder's matter
			valid, _ = got["b"].(string)
		}
		want := map[string]any{"a": "x" + valid + "y", "b": valid, "c": got["c"]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		var inner []string
		if err := json.Unmarshal([]byte(got["c"].(string)), &inner); err != nil || len(inner) != 1 {
			t.Errorf("%q: blocks %v, %v", text, got["c"], err)
		}
	})
}

func TestTheTicketIsReadyForJira(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	t.Run("a WARNING opens one", func(t *testing.T) {
		t.Parallel()
		data := sample(t, templates, "warning")
		data.Ticket.Title = "A \"quoted\" title\n" + strings.Repeat("é", 300)
		body := object(t, sent(t, templates, "make", data)["jira_body"].(string))
		summary, _ := part(t, body, "fields", "summary").(string)
		if n := utf8.RuneCountInString(summary); n != 254 || !strings.HasPrefix(summary, `A "quoted" title éé`) || strings.Contains(summary, "\n") {
			t.Errorf("the summary has %d characters: %q", n, summary)
		}
		delete(part(t, body, "fields").(map[string]any), "summary")
		delete(part(t, body, "fields").(map[string]any), "description")
		want := object(t, `{"fields": {
			"project": {"key": "RETENTION"}, "issuetype": {"name": "Task"}, "priority": {"name": "High"},
			"labels": ["rop_2026-01-12_WARNING_production"], "duedate": "2026-01-13"}}`)
		if diff := cmp.Diff(want, body); diff != "" {
			t.Errorf("request differs (-want +got):\n%s", diff)
		}
	})
	t.Run("a CRITICAL updates it", func(t *testing.T) {
		t.Parallel()
		data := sample(t, templates, "critical")
		body := object(t, sent(t, templates, "make", data)["jira_body"].(string))
		delete(part(t, body, "fields").(map[string]any), "description")
		want := object(t, `{
			"fields": {"summary": "Retention Alert CRITICAL - 2026-01-19", "priority": {"name": "Highest"}, "duedate": "2026-01-19"},
			"update": {"labels": [{"add": "rop_2026-01-19_CRITICAL_production"}]}}`)
		if diff := cmp.Diff(want, body); diff != "" {
			t.Errorf("request differs (-want +got):\n%s", diff)
		}
	})
	t.Run("a phase without tickets asks for none", func(t *testing.T) {
		t.Parallel()
		if got := sent(t, templates, "make", sample(t, templates, "faults"))["jira_body"]; got != "" {
			t.Errorf("request %v, want none", got)
		}
	})
}

func TestTheDescriptionIsADocumentWhateverTheTexts(t *testing.T) {
	t.Parallel()
	templates := shipped(t)
	long := brief.Payload{BriefText: strings.Repeat("A line of \"text\" that says something.\n", 3000), Ticket: brief.PayloadTicket{Due: time.Unix(0, 0)}}
	hostile := sample(t, templates, "faults")
	hostile.BriefText = "[x](javascript:alert(1)) *b* {code}\n- https://evil.example {color:red}\n\n--\n<script>\n"
	linked := sample(t, templates, "warning")
	for _, test := range []struct {
		name   string
		data   brief.Payload
		holds  []string
		linked []string
	}{
		{"a brief", linked, []string{`"THE ALERT"`}, []string{"https://files.example/2026-01-12/P1.csv"}},
		{"no brief", brief.Payload{}, []string{`"paragraph"`}, nil},
		{"markup is text, and a strange address is no link", hostile, []string{`"[x](javascript:alert(1)) *b* {code}"`, `"https://evil.example {color:red}"`, `"<script>"`}, nil},
		{"a long one is cut", long, []string{`"This text was cut to fit Jira. The whole brief: generate_brief with format markdown."`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := shippedFiles(t)
			files["payload.mine.tmpl"] = &fstest.MapFile{Data: []byte(`{"d": {{json .JiraDescription}}}`)}
			text := sent(t, loaded(t, files), "mine", test.data)["d"].(string)
			if n := utf8.RuneCountInString(text); n > 32_000 {
				t.Errorf("the description has %d characters", n)
			}
			for _, held := range test.holds {
				if !strings.Contains(text, held) {
					t.Errorf("%s is not in %s", held, text)
				}
			}
			document := object(t, text)
			if document["version"] != 1.0 || document["type"] != "doc" {
				t.Errorf("the document begins with %v and %v", document["version"], document["type"])
			}
			var links []string
			walkDocument(t, document, &links)
			if diff := cmp.Diff(test.linked, links); diff != "" {
				t.Errorf("links differ (-want +got):\n%s", diff)
			}
		})
	}
}

// inDocument says what may stand in what, of the nodes that we write (Atlassian Document Format, "Nodes").
var inDocument = map[string]string{
	"doc": "paragraph heading bulletList", "bulletList": "listItem", "listItem": "paragraph",
	"paragraph": "text hardBreak", "heading": "text", "text": "", "hardBreak": "",
}

func walkDocument(t *testing.T, node map[string]any, links *[]string) {
	t.Helper()
	kind, _ := node["type"].(string)
	inside, known := inDocument[kind]
	content, _ := node["content"].([]any)
	text, _ := node["text"].(string)
	if !known || kind == "text" && text == "" || strings.HasSuffix(kind, "List") && len(content) == 0 {
		t.Errorf("a node %v is no node of a document", node)
	}
	for _, mark := range asList(node["marks"]) {
		href, _ := part(t, mark, "attrs", "href").(string)
		*links = append(*links, href)
	}
	for _, one := range content {
		child, _ := one.(map[string]any)
		if name, _ := child["type"].(string); !strings.Contains(" "+inside+" ", " "+name+" ") {
			t.Errorf("a %s holds a %s", kind, name)
		}
		walkDocument(t, child, links)
	}
}

func asList(value any) []any {
	list, _ := value.([]any)
	return list
}
