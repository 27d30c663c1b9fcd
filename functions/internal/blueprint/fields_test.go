package blueprint_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// sent are the payloads of a WARNING and of a CRITICAL that goes on with its ticket, as payload.make.tmpl writes them.
func sent(tb testing.TB) map[string]map[string]any {
	tb.Helper()
	templates, err := brief.Load(brieftemplates.FS)
	if err != nil {
		tb.Fatal(err)
	}
	payloads := map[string]map[string]any{}
	for _, day := range brief.Fixtures() {
		if day.Name != "warning" && day.Name != "critical" {
			continue
		}
		data, err := day.Payload(templates)
		if err != nil {
			tb.Fatal(err)
		}
		body, err := templates.Payload("make", data)
		if err != nil {
			tb.Fatal(err)
		}
		var read map[string]any
		if err := json.Unmarshal(body, &read); err != nil {
			tb.Fatal(err)
		}
		payloads[day.Name] = read
	}
	return payloads
}

// field follows a path such as .slack.text.
func field(from any, path string) (any, bool) {
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		group, _ := from.(map[string]any)
		if from = group[name]; from == nil {
			return nil, false
		}
	}
	return from, true
}

// misfits are the references of a scenario to the payload that find nothing in it, or nothing that fits.
func misfits(b *blueprint, payload map[string]any) []string {
	var found []string
	for _, m := range b.all() {
		for _, text := range m.texts() {
			for _, to := range references(text) {
				if to.id != b.Flow[0].ID {
					continue
				}
				value, there := field(payload, to.path)
				switch value.(type) {
				case string, float64, bool:
				default:
					there = false
				}
				if !there {
					found = append(found, m.String()+": the payload has no text, number or truth "+strings.TrimPrefix(to.path, "."))
				}
			}
		}
		if m.Filter == nil {
			continue
		}
		for _, all := range m.Filter.Conditions {
			for _, one := range all {
				for _, side := range []*string{&one.A, one.B} {
					if side == nil || !strings.HasPrefix(one.O, "number:") {
						continue
					}
					for _, to := range references(*side) {
						value, _ := field(payload, to.path)
						if _, isNumber := value.(float64); to.id == b.Flow[0].ID && !isNumber {
							found = append(found, m.String()+": no number "+strings.TrimPrefix(to.path, "."))
						}
					}
				}
			}
		}
	}
	return found
}

func TestThePayloadHasWhatThePlaybookUses(t *testing.T) {
	t.Parallel()
	for day, payload := range sent(t) {
		b := shipped(t, "playbook.json")
		for _, misfit := range misfits(b, payload) {
			t.Errorf("%s: %s", day, misfit)
		}
		for field, want := range map[string]string{
			"jira_body": "module 9 (http:MakeRequest): the payload has no text, number or truth jira_body", "expires_unix": "no number expires_unix",
			"slack": "the payload has no text, number or truth slack.channel",
		} {
			spoiled := maps.Clone(payload)
			delete(spoiled, field)
			if found := strings.Join(misfits(b, spoiled), "\n"); !strings.Contains(found, want) {
				t.Errorf("%s: without %s found %q, want %q", day, field, found, want)
			}
		}
	}
}

// called is the function that a module calls, by the end of its address; nil when it calls none.
func called(m *module) *functions.Tool {
	address, _ := m.mapped()["url"].(string)
	for _, tool := range functions.Tools {
		if strings.HasSuffix(address, "}}/"+tool.Name) {
			return tool
		}
	}
	return nil
}

// strangers are the fields of answers that our contract does not have, and the inputs that it does not take.
func strangers(b *blueprint) []string {
	var found []string
	tools := map[int]*functions.Tool{}
	for _, m := range b.all() {
		if m.Module != "http:MakeRequest" {
			continue
		}
		tool := called(m)
		if tool == nil {
			found = append(found, m.String()+": it calls no function of ours")
			continue
		}
		tools[m.ID] = tool
		if err := takes(tool, m.mapped()["jsonStringBodyContent"]); err != nil {
			found = append(found, m.String()+": "+err.Error())
		}
	}
	for _, m := range b.all() {
		for _, text := range m.texts() {
			for _, to := range references(text) {
				tool := tools[to.id]
				if tool == nil || !strings.HasPrefix(to.path, ".data.") {
					continue
				}
				if kind := kindOf(tool.OutputSchema(), strings.TrimPrefix(to.path, ".data.")); kind == "" || kind == "object" || kind == "array" {
					found = append(found, m.String()+": "+tool.Name+" answers no value "+strings.TrimPrefix(to.path, ".data."))
				}
			}
		}
		if m.Filter == nil {
			continue
		}
		for _, all := range m.Filter.Conditions {
			for _, one := range all {
				for _, to := range references(one.A) {
					if tool := tools[to.id]; tool != nil && !compares(one, kindOf(tool.OutputSchema(), strings.TrimPrefix(to.path, ".data."))) {
						found = append(found, m.String()+": "+one.O+" does not compare "+strings.TrimPrefix(to.path, ".data."))
					}
				}
			}
		}
	}
	return found
}

// kindOf is the type of a field in a schema; empty when there is none of that name.
func kindOf(schema *jsonschema.Schema, path string) string {
	for name := range strings.SplitSeq(path, ".") {
		if schema = schema.Properties[name]; schema == nil {
			return ""
		}
	}
	return schema.Type
}

// compares says whether an operator is for fields of that type.
func compares(one operand, kind string) bool {
	wanted := map[string][]string{"text": {"string"}, "number": {"integer", "number"}, "boolean": {"boolean"}}
	of, _, _ := strings.Cut(one.O, ":")
	return slices.Contains(wanted[of], kind)
}

var dateField = regexp.MustCompile(`\{\{\d+\.data\.(alert_)?date\}\}`)

// takes says whether a function takes a body, with sample values for what is mapped into it.
func takes(tool *functions.Tool, body any) error {
	text, _ := body.(string)
	text = dateField.ReplaceAllString(text, "2026-01-12")
	text = expression.ReplaceAllString(text, strings.Repeat("0", 64))
	var input any
	if err := json.Unmarshal([]byte(text), &input); err != nil {
		return err
	}
	resolved, err := tool.InputSchema().Resolve(nil)
	if err != nil {
		return err
	}
	return resolved.Validate(input)
}

func TestTheContractHasWhatTheDailyRunUses(t *testing.T) {
	t.Parallel()
	for _, stranger := range strangers(shipped(t, "daily_run.json")) {
		t.Error(stranger)
	}
	for _, test := range []struct {
		name  string
		spoil func(t tree)
		want  string
	}{
		{"a function that is not ours", func(t tree) { t.mapper(3)["url"] = "{{1.base}}/get_alert" }, "module 3 (http:MakeRequest): it calls no function of ours"},
		{"an input that does not exist", func(t tree) { t.mapper(8)["jsonStringBodyContent"] = `{"dryrun": true}` }, "module 8 (http:MakeRequest): validating root"},
		{"a tier that does not exist", func(t tree) { t.mapper(7)["jsonStringBodyContent"] = `{"tier": "P4"}` }, "module 7 (http:MakeRequest): validating"},
		{"a field that no answer has", func(t tree) { t.condition(4)["a"] = "{{3.data.action}}" }, "get_alert_decision answers no value action"},
		{"a group as a value", func(t tree) { t.mapper(11)["text"] = "{{8.data.plan}}" }, "trigger_playbook answers no value plan"},
		{"a truth compared as a number", func(t tree) { t.condition(4)["o"] = "number:equal" }, "number:equal does not compare action_required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var spoiled tree
			if err := json.Unmarshal(file(t, "daily_run.json"), &spoiled.top); err != nil {
				t.Fatal(err)
			}
			test.spoil(spoiled)
			text, err := json.Marshal(spoiled.top)
			if err != nil {
				t.Fatal(err)
			}
			b, err := read(text)
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(strangers(b), "\n"); !strings.Contains(found, test.want) {
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}

func TestTheDailyRunCallsEachFunctionOnceAndDecidesLast(t *testing.T) {
	t.Parallel()
	var got []string
	for _, m := range shipped(t, "daily_run.json").all() {
		if tool := called(m); tool != nil {
			got = append(got, tool.Name)
		}
	}
	want := []string{}
	for _, tool := range functions.Tools {
		want = append(want, tool.Name)
	}
	want = append(want, functions.TriggerPlaybook.Name) // first as a dry run, then in earnest
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("it calls %v, want %v", got, want)
	}
}
