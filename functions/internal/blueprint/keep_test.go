package blueprint_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestTheBlueprintsKeepMakesRules(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		found++
		for _, fault := range faults(file(t, entry.Name())) {
			t.Errorf("%s: %s", entry.Name(), fault)
		}
	}
	if found != 2 {
		t.Errorf("found %d blueprints, want 2", found)
	}
}

// tree is a blueprint that a test spoils.
type tree struct {
	top map[string]any
}

// at is the module of an id, wherever it stands.
func (t tree) at(id float64) map[string]any {
	var find func(value any) map[string]any
	find = func(value any) map[string]any {
		switch value := value.(type) {
		case []any:
			for _, one := range value {
				if found := find(one); found != nil {
					return found
				}
			}
		case map[string]any:
			if value["id"] == id {
				return value
			}
			for _, one := range value {
				if found := find(one); found != nil {
					return found
				}
			}
		}
		return nil
	}
	return find(t.top["flow"])
}

func (t tree) mapper(id float64) map[string]any { return t.at(id)["mapper"].(map[string]any) }

func (t tree) condition(id float64) map[string]any {
	filter := t.at(id)["filter"].(map[string]any)
	return filter["conditions"].([]any)[0].([]any)[0].(map[string]any)
}

// branch is one of the branches of the playbook's if-else.
func (t tree) branch(i int) map[string]any { return t.at(7)["branches"].([]any)[i].(map[string]any) }

func (t tree) route(id float64, i int) map[string]any {
	return t.at(id)["routes"].([]any)[i].(map[string]any)
}

func TestEachRuleIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spoil func(t tree)
		want  string
	}{
		{"no name", func(t tree) { t.top["name"] = "" }, "the name has 1 to 120 characters"},
		{"a schedule", func(t tree) { t.top["scheduling"] = map[string]any{} }, `unknown field "scheduling"`},
		{"no flow", func(t tree) { t.top["flow"] = []any{} }, "there is no flow"},
		{"a setting of the scenario is missing", func(t tree) { delete(t.top["metadata"].(map[string]any)["scenario"].(map[string]any), "maxErrors") }, "metadata.scenario.maxErrors is missing"},
		{"no orphans", func(t tree) { t.top["metadata"].(map[string]any)["designer"] = map[string]any{} }, "metadata.designer.orphans a list"},
		{"an id stands twice", func(t tree) { t.at(33)["id"] = 5 }, "module 5 (builtin:Resume): an id is 1 or more and stands once"},
		{"an id of zero", func(t tree) { t.at(33)["id"] = 0 }, "module 0 (builtin:Resume): an id is 1 or more"},
		{"a module that does not exist", func(t tree) { t.at(5)["module"] = "slack:createMessage" }, "module 5 (slack:createMessage): no module of that name has version 4"},
		{"another version", func(t tree) { t.at(9)["version"] = 3 }, "module 9 (http:MakeRequest): no module of that name has version 3"},
		{"a connection", func(t tree) { t.at(5)["parameters"] = map[string]any{"__IMTCONN__": 1} }, "module 5 (slack:CreateMessage): __IMTCONN__ belongs to an account"},
		{"a data store", func(t tree) { t.at(4)["parameters"] = map[string]any{"datastore": 1} }, "datastore belongs to an account"},
		{"what only the exporter writes", func(t tree) { t.at(4)["metadata"].(map[string]any)["restore"] = map[string]any{} }, `unknown field "restore"`},
		{"no place in the editor", func(t tree) { t.at(4)["metadata"] = map[string]any{} }, "module 4 (datastore:AddRecord): it has no place in the editor"},
		{"a mail address", func(t tree) { t.mapper(5)["text"] = "ask ann@shop.test" }, `"ann@shop.test" looks like a secret`},
		{"the address of a hook", func(t tree) { t.mapper(5)["text"] = "https://hook.eu1.make.com/abc" }, "looks like a secret"},
		{"routes of no router", func(t tree) { t.at(5)["routes"] = []any{map[string]any{"flow": []any{}}} }, "routes are a router's"},
		{"a reference to nobody", func(t tree) { t.mapper(5)["text"] = "{{99.text}}" }, "module 5 (slack:CreateMessage): 99.text is no module that ran before"},
		{"a reference to a later module", func(t tree) { t.mapper(5)["text"] = "{{9.data.key}}" }, "9.data.key is no module that ran before"},
		{"a reference into another route", func(t tree) { t.mapper(3)["body"] = `{"x": "{{5.ts}}"}` }, "module 3 (gateway:WebhookRespond): 5.ts is no module that ran before"},
		{"a reference into a branch after its merge", func(t tree) { t.mapper(14)["body"] = `{"x": "{{9.data.key}}"}` }, "module 14 (gateway:WebhookRespond): 9.data.key is no module that ran before"},
		{"a reference into an error route", func(t tree) { t.mapper(5)["text"] = "{{20.state}}" }, "20.state is no module that ran before"},
		{"a reference in a filter", func(t tree) { t.condition(4)["b"] = "{{5.ts}}" }, "module 4 (datastore:AddRecord): 5.ts is no module"},
		{"a field that a module does not give", func(t tree) { t.mapper(13)["key"] = "{{5.timestamp}}" }, "module 13 (datastore:AddRecord): module 5 (slack:CreateMessage) gives no timestamp"},
		{"a field that the data store does not have", func(t tree) { t.condition(22)["a"] = "{{20.status}}" }, "module 20 (datastore:GetRecord) gives no status"},
		{"a variable by another name", func(t tree) { t.mapper(6)["name"] = "site" }, "module 6 (util:SetVariable2) gives no jira_site"},
		{"braces left open", func(t tree) { t.mapper(5)["text"] = "{{1.slack.text" }, "do not fit together"},
		{"a filter on the first module", func(t tree) { t.at(1)["filter"] = t.at(4)["filter"] }, "module 1 (gateway:CustomWebHook): no filter stands here"},
		{"a filter on a router", func(t tree) { t.at(2)["filter"] = t.at(4)["filter"] }, "module 2 (builtin:BasicRouter): no filter stands here"},
		{"a filter on the first of a branch", func(t tree) { t.at(8)["filter"] = t.at(4)["filter"] }, "module 8 (http:MakeRequest): no filter stands here"},
		{"a filter without a condition", func(t tree) { t.at(4)["filter"].(map[string]any)["conditions"] = []any{} }, "a filter or branch without a condition is switched off"},
		{"an operator that does not exist", func(t tree) { t.condition(4)["o"] = "number:larger" }, `"number:larger" is no comparison`},
		{"an operator without its operand", func(t tree) { delete(t.condition(4), "b") }, `"number:greater" is no comparison of its operands`},
		{"an operator with one too many", func(t tree) { t.condition(28)["b"] = "x" }, `"notexist" is no comparison of its operands`},
		{"a router with a mapper", func(t tree) { t.at(2)["mapper"] = map[string]any{} }, "module 2 (builtin:BasicRouter): a router has no mapper"},
		{"an empty route", func(t tree) { t.route(2, 0)["flow"] = []any{} }, "module 2 (builtin:BasicRouter): a route is empty"},
		{"something after a router", func(t tree) { t.top["flow"] = append(t.top["flow"].([]any), t.at(6)) }, "is the last of its row"},
		{"a router in a branch", func(t tree) {
			t.branch(2)["flow"] = []any{map[string]any{
				"id": 50, "module": "builtin:BasicRouter", "version": 1, "mapper": nil,
				"routes": []any{map[string]any{"flow": []any{t.at(10)}}}, "metadata": t.at(10)["metadata"],
			}}
		}, "module 50 (builtin:BasicRouter): a router has no mapper, is the last of its row and in no branch"},
		{"an if-else with a mapper", func(t tree) { t.at(7)["mapper"] = map[string]any{} }, "module 7 (builtin:BasicIfElse): an if-else has no mapper"},
		{"an empty branch", func(t tree) { t.branch(2)["flow"] = []any{} }, "module 7 (builtin:BasicIfElse): a branch is empty"},
		{"a branch of no kind", func(t tree) { t.branch(1)["type"] = "if" }, `not "if"`},
		{"an else with a condition", func(t tree) { t.branch(2)["conditions"] = t.branch(1)["conditions"] }, "there is one else, and it has no condition"},
		{"a branch without a condition", func(t tree) { delete(t.branch(1), "conditions") }, "a filter or branch without a condition is switched off"},
		{"no merge after the if-else", func(t tree) {
			flow := t.route(2, 1)["flow"].([]any)
			t.route(2, 1)["flow"] = append(flow[:4:4], flow[5:]...)
		}, "module 7 (builtin:BasicIfElse): the next module must be the merge"},
		{"a merge after something else", func(t tree) {
			flow := t.route(2, 1)["flow"].([]any)
			flow[2], flow[4] = flow[4], flow[2]
		}, "module 11 (builtin:BasicMerge): a merge stands directly after an if-else"},
		{"a merge with a mapper", func(t tree) { t.at(11)["mapper"] = map[string]any{} }, "module 11 (builtin:BasicMerge): a merge has no mapper"},
		{"a mapping too few", func(t tree) {
			output := t.at(11)["outputs"].([]any)[0].(map[string]any)
			output["mappings"] = output["mappings"].([]any)[:2]
		}, "one mapping for each of 3 branches"},
		{"a method in capitals", func(t tree) { t.mapper(9)["method"] = "POST" }, `"POST" is no method in small letters`},
		{"an address without TLS", func(t tree) { t.mapper(9)["url"] = "http://jira.test" }, "is no https address"},
		{"a refusal that is no error", func(t tree) { t.mapper(9)["stopOnHttpError"] = false }, "a refusal is an error"},
		{"a text pasted without quotes", func(t tree) { t.mapper(9)["jsonStringBodyContent"] = `{"a": {{1.subject}` }, "the body is no JSON"},
		{"headers of a response named as those of a request", func(t tree) { t.mapper(14)["headers"] = []any{map[string]any{"name": "a", "value": "b"}} }, "module 14 (gateway:WebhookRespond): a header has a key and a value"},
		{"headers of a request named as those of a response", func(t tree) { t.mapper(9)["headers"] = []any{map[string]any{"key": "a", "value": "b"}} }, "module 9 (http:MakeRequest): a header has a name and a value"},
		{"a status that is a number", func(t tree) { t.mapper(14)["status"] = 200 }, "the status is a text of three digits"},
		{"an answer that is no JSON", func(t tree) { t.mapper(14)["body"] = `{"receipt": }` }, "module 14 (gateway:WebhookRespond): the body is no JSON"},
		{"an error route without an end", func(t tree) {
			t.at(20)["module"], t.at(21)["module"] = "datastore:GetRecord", "util:ComposeTransformer"
		}, "ends in a directive"},
		{"a directive in the flow", func(t tree) { t.at(6)["module"] = "builtin:Ignore" }, "module 6 (builtin:Ignore): an error route, and nothing else, ends in a directive"},
		{"an error route on a directive", func(t tree) { t.at(33)["onerror"] = t.at(5)["onerror"] }, "module 33 (builtin:Resume): it cannot have an error route"},
		{"no answer at the end", func(t tree) {
			flow := t.route(2, 1)["flow"].([]any)
			t.route(2, 1)["flow"] = flow[:len(flow)-1]
		}, "module 13 (datastore:AddRecord): the scenario ends without an answer"},
		{"something after the answer", func(t tree) {
			flow := t.route(2, 1)["flow"].([]any)
			last := len(flow) - 1
			flow[last], flow[last-1] = flow[last-1], flow[last]
		}, "module 14 (gateway:WebhookRespond): something comes after the answer"},
		{"an error route without an answer", func(t tree) {
			t.route(21, 1)["flow"] = t.route(21, 1)["flow"].([]any)[1:]
		}, "module 25 (builtin:Ignore): an error route ends without an answer"},
		{"Slack without an error route", func(t tree) { delete(t.at(5), "onerror") }, "module 5 (slack:CreateMessage): it may fail, and then nothing answers"},
		{"a record with another field", func(t tree) { t.mapper(13)["data"].(map[string]any)["ticket"] = "x" }, "module 13 (datastore:AddRecord): it stores run_id, slack_message_ts, stale_at, state, ticket, ticket_id"},
		{"the last record without an error route", func(t tree) { delete(t.at(13), "onerror") }, "module 13 (datastore:AddRecord): it may fail, and then nothing answers"},
		{"Jira without an error route", func(t tree) { delete(t.at(9), "onerror") }, "module 9 (http:MakeRequest): it may fail, and then nothing answers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var spoiled tree
			if err := json.Unmarshal(file(t, "playbook.json"), &spoiled.top); err != nil {
				t.Fatal(err)
			}
			test.spoil(spoiled)
			text, err := json.Marshal(spoiled.top)
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Join(faults(text), "\n"); !strings.Contains(found, test.want) {
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}

// ids names the modules of some kinds as a person writes them: "4, 12, 20 and 26".
func ids(b *blueprint, kinds ...string) string {
	var found []int
	for _, m := range b.all() {
		if slices.Contains(kinds, m.Module) {
			found = append(found, m.ID)
		}
	}
	slices.Sort(found)
	named := ""
	for i, id := range found {
		switch {
		case i == 0:
		case i+1 == len(found):
			named += " and "
		default:
			named += ", "
		}
		named += strconv.Itoa(id)
	}
	return named
}

func TestTheClicksNameTheRightModules(t *testing.T) {
	t.Parallel()
	page := string(file(t, "README.md"))
	playbook, daily := shipped(t, "playbook.json"), shipped(t, "daily_run.json")
	stores := "modules " + ids(playbook, "datastore:AddRecord", "datastore:GetRecord")
	for _, want := range []string{"Data store** (" + stores + ")", "modules " + ids(playbook, "http:MakeRequest") + " set", "Slack** (module " + ids(playbook, "slack:CreateMessage") + ")"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if !strings.Contains(playbook.Description, "("+stores+")") {
		t.Errorf("the description does not say %q", stores)
	}
	slack := "the Slack connection in modules " + ids(daily, "slack:CreateMessage")
	if !strings.Contains(page, slack) || !strings.Contains(daily.Description, slack) {
		t.Errorf("page and description do not both say %q", slack)
	}
	if got := ids(daily, "http:MakeRequest"); got != "3, 4, 5, 6, 7, 8 and 10" || !strings.Contains(page, "modules 3 to 8 and 10 set") {
		t.Errorf("the modules with a key are %s", got)
	}
	for _, name := range recordFields {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("the page does not name the field %s", name)
		}
	}
}
