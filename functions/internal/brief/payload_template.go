package brief

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// maxPayload is the most bytes of a webhook's body: what Make.com takes on every plan (help.make.com, Webhooks).
const maxPayload = 5 << 20

// payloadFile is what a payload template is called.
var payloadFile = regexp.MustCompile(`^payload\.([a-z][a-z0-9_-]{0,30})\.tmpl$`)

// payloadNames are the files of the payload templates that a folder has, in the order of their names.
func payloadNames(files fs.FS) []string {
	found, err := fs.Glob(files, "payload.*.tmpl")
	if err != nil { // the pattern is fixed, and sound
		return nil
	}
	return slices.DeleteFunc(found, func(name string) bool { return !payloadFile.MatchString(name) })
}

// nameOf is how the rules and the command name a payload template.
func nameOf(file string) string { return payloadFile.FindStringSubmatch(file)[1] }

// PayloadsIn are the names of the payload templates that a folder has, sound or not.
func PayloadsIn(files fs.FS) []string {
	var names []string
	for _, file := range payloadNames(files) {
		names = append(names, nameOf(file))
	}
	return names
}

// PayloadNames are the names of the payload templates, sorted: "make" for payload.make.tmpl.
func (t *Templates) PayloadNames() []string { return slices.Sorted(maps.Keys(t.payloads)) }

// Payload writes the body of a webhook by the payload template of that name: one JSON object, of at most 5 MB. A name
// that no template has is failed_precondition, and so is a template that does not write such an object.
func (t *Templates) Payload(name string, data Payload) ([]byte, error) {
	template, known := t.payloads[name]
	if !known {
		return nil, functions.Errorf(functions.FailedPrecondition, "there is no payload template %q", name).
			WithHint("templates here: " + strings.Join(t.PayloadNames(), ", ") + "; payload.NAME.tmpl in brief_templates/ makes another")
	}
	if err := data.complete(); err != nil {
		return nil, err
	}
	text, err := runWithin(template, data, maxPayload)
	if err == nil {
		var body []byte
		if body, err = compactObject(text); err == nil {
			return body, nil
		}
	}
	return nil, functions.Errorf(functions.FailedPrecondition, "the payload template %q does not write a JSON object of at most %d bytes", name, maxPayload).
		WithHint("retentionops brief check names the place; {{json .Field}} writes a value as JSON").WithCause(err)
}

// complete fills in what is made of the rest.
func (p *Payload) complete() error {
	p.SlackBlocks = string(p.Slack.Blocks)
	var err error
	if p.JiraDescription, p.JiraBody, err = jira(p); err != nil {
		return fmt.Errorf("write the ticket: %w", err)
	}
	return nil
}

// errNotObject is a body that is JSON, but no object.
var errNotObject = errors.New("the body is not one JSON object: it begins with { and ends with }")

// compactObject takes the blanks out of a JSON object, so that a template may be laid out for its reader.
func compactObject(text string) ([]byte, error) {
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil { // it names the place of a fault, and Compact does not
		return nil, err
	}
	var body bytes.Buffer
	if err := json.Compact(&body, whole); err != nil {
		return nil, err
	}
	if body.Len() == 0 || body.Bytes()[0] != '{' {
		return nil, errNotObject
	}
	return body.Bytes(), nil
}

// jsonText is JSON that the word json has written.
type jsonText string

// MarshalJSON implements json.Marshaler: JSON as JSON is the same.
func (t jsonText) MarshalJSON() ([]byte, error) { return []byte(t), nil }

// asJSON is the word "json" of payload templates: {{json .Subject}} is the subject with its quotes.
func asJSON(value any) (jsonText, error) {
	text, err := encode(value)
	return jsonText(text), err
}

// writeJSON ends each action of a payload template. What json has written stays; another value is written as it stands
// inside a JSON text, without the quotes, so that no text from the data can end it.
func writeJSON(value any) string {
	if text, ok := value.(jsonText); ok {
		return string(text)
	}
	text, err := encode(value)
	switch {
	case err != nil || string(text) == "null":
		return ""
	case text[0] == '{' || text[0] == '[': // JSON inside a text
		text, _ = encode(string(text)) // a text, which is always taken
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(text), `"`), `"`)
}

// compilePayload makes the template of a payload.
func (s *source) compilePayload() *texttemplate.Template {
	return s.compileWith(texttemplate.FuncMap{"plural": pluralOf, "json": asJSON, writerName: writer(writeJSON)}, s.watched())
}

// tryPayloads writes the payload of a sample day by every payload template.
func (t *Templates) tryPayloads(fixture Fixture, sources map[string]*source) {
	data, err := fixture.Payload(t)
	if err == nil {
		err = data.complete()
	}
	if err != nil {
		return // a brief of that day cannot be written, and that is said already
	}
	for _, name := range t.PayloadNames() {
		file := sources[t.payloads[name].Name()]
		text, err := runWithin(t.payloads[name], data, maxPayload)
		switch {
		case errors.Is(err, errTooMuch):
			message := fmt.Sprintf("the payload has more than %d bytes, or takes more than %d steps to write", maxPayload, maxSteps)
			file.remark(rulebook.SeverityError, idPayload, fixture.Name, message, "lists within lists grow fast; take one out")
		case err != nil:
			file.rendering(fixture.Name, err)
		default:
			file.checkJSON(fixture.Name, text, data)
		}
	}
}

// checkJSON reports, once, that what a payload template has written is not one JSON object, at the place in the template.
func (s *source) checkJSON(fixture, text string, data Payload) {
	offset, message, hint := faultOfJSON(text)
	if message == "" || slices.ContainsFunc(*s.faults, func(said rulebook.Finding) bool { return said.File == s.name }) {
		return
	}
	message += fmt.Sprintf(" (in the test brief %q)", fixture)
	traced, err := runWithin(s.compileTraced(), data, 2*maxPayload)
	if err != nil { // the same template has just been written
		s.report(finding(s.name, idPayload, message, hint))
		return
	}
	pos, length := placeIn(traced, offset)
	s.at(pos, length, idPayload, message, hint)
}

// jsonPlainly says the complaints of the JSON decoder in words for people who do not program.
var jsonPlainly = []struct{ contains, message, hint string }{
	{"looking for beginning of object key string", "a name in quotes is missing before this, or there is a comma too many", `write "name": {{json .Value}}`},
	{"after object key:value pair", "a comma is missing before this, or a } in front of it", ""},
	{"after array element", "a comma is missing before this, or a ] in front of it", ""},
	{"after object key", "a colon is missing before this", `write "name": {{json .Value}}`},
	{"looking for beginning of value", "a value is missing here, or a text stands without quotes", "{{json .Value}} writes a value with its quotes"},
	{"in string literal", "a text is not closed in its line", `close it with "; {{json .Value}} writes a text of several lines`},
	{"in string escape code", `a \ in a text must be written \\`, ""},
	{"after top-level value", "the JSON ends before this", "the payload is one object: { … }"},
	{"unexpected end of JSON input", "the JSON has no end: a }, a ] or a quote is missing", ""},
}

// faultOfJSON finds the first fault of a body; no message when there is none.
func faultOfJSON(text string) (offset int, message, hint string) {
	_, err := compactObject(text)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		offset = max(int(syntax.Offset)-1, 0)
		for _, words := range jsonPlainly {
			if strings.Contains(syntax.Error(), words.contains) {
				return offset, words.message, words.hint
			}
		}
		return offset, "this is no JSON: " + syntax.Error(), "{{json .Value}} writes a value as JSON"
	case err != nil:
		return 0, "the payload is not one JSON object", "it begins with { and ends with }"
	}
	if offset, name := nameTwice(text); name != "" {
		return offset, fmt.Sprintf("the name %q stands twice in one object", name), "a receiver sees only one of them"
	}
	return 0, "", ""
}

// nameTwice finds a name that an object has twice, which is valid JSON and never meant.
func nameTwice(text string) (offset int, name string) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	type level struct {
		names  map[string]bool // nil in a list
		isName bool            // whether the next text is a name
	}
	var levels []level
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return 0, ""
		}
		top := len(levels) - 1
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{map[string]bool{}, true})
			continue
		case json.Delim('['):
			levels = append(levels, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:top]
			top--
		default:
			if text, isText := token.(string); isText && levels[top].isName {
				if levels[top].names[text] {
					return int(decoder.InputOffset()) - 1, text
				}
				levels[top].names[text], levels[top].isName = true, false
				continue
			}
		}
		if top >= 0 {
			levels[top].isName = levels[top].names != nil
		}
	}
}

// kinds of templates: what the dot is, and which words there are.
var (
	briefRoot   = reflect.TypeFor[Data]()
	payloadRoot = reflect.TypeFor[Payload]()
)
