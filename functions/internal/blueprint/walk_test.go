package blueprint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// world is what the scenario meets: a data store, Slack and Jira. It says what each was asked, and can be out of order.
type world struct {
	t                   *testing.T
	now                 float64
	records             map[string]map[string]any
	slackDown, jiraDown bool
	storeDown           bool
	posts               []map[string]any
	requests            []map[string]any
	status, answer      string
	outputs             map[int]map[string]any
	directing           string // the substitute output of the directive that ended an error route
}

// deliver sends a payload to the scenario and gives its answer.
func (w *world) deliver(b *blueprint, payload map[string]any) string {
	w.outputs, w.status, w.answer = map[int]map[string]any{b.Flow[0].ID: payload}, "", "Accepted"
	w.walk(b.Flow[1:])
	return w.status + w.answer
}

func (w *world) evaluator() *evaluator {
	return &evaluator{t: w.t, outputs: w.outputs, now: w.now}
}

// walk runs a row of modules, and says how it ended: "" at its end, else by what directive.
func (w *world) walk(flow []*module) (ending string) {
	for i, m := range flow {
		if m.Filter != nil && !w.evaluator().holds(m.Filter.Conditions) {
			return "filter"
		}
		switch m.Module {
		case "builtin:BasicRouter":
			for _, route := range m.Routes {
				before := maps.Clone(w.outputs)
				if ended := w.walk(route.Flow); ended != "filter" {
					ending = ended
				}
				w.outputs = before
			}
			return ending
		case "builtin:BasicIfElse":
			w.branch(m, flow[i+1])
		case "builtin:BasicMerge": // its outputs were made with the branch
		case "builtin:Ignore", "builtin:Resume":
			w.directing = string(m.Mapper)
			return m.Module
		default:
			if !w.run(m) {
				return "builtin:Ignore"
			}
		}
	}
	return ""
}

// branch runs the first branch that holds, and makes what the merge hands on.
func (w *world) branch(m, merge *module) {
	for i, one := range m.Branches {
		if one.Type == "else" || w.evaluator().holds(one.Conditions) {
			w.walk(one.Flow)
			given := map[string]any{}
			for _, output := range merge.Outputs {
				given[output.Name] = w.evaluator().value(output.Mappings[i])
			}
			w.outputs[merge.ID] = given
			return
		}
	}
}

// run runs a module and, when it fails, its error route. It is false when the scenario ends there.
func (w *world) run(m *module) bool {
	mapped, _ := w.fill(m.mapped()).(map[string]any)
	given, err := w.do(m, mapped)
	if err == nil {
		w.outputs[m.ID] = given
		return true
	}
	w.outputs[m.ID] = map[string]any{"error": map[string]any{"message": err.Error()}}
	if w.walk(m.OnError) != "builtin:Resume" {
		return false
	}
	var substitute map[string]any
	if err := json.Unmarshal([]byte(w.directing), &substitute); err != nil {
		w.t.Fatal(err)
	}
	w.outputs[m.ID], _ = w.fill(substitute).(map[string]any)
	return true
}

// fill works out every expression in a mapper.
func (w *world) fill(value any) any {
	switch value := value.(type) {
	case string:
		return w.evaluator().value(value)
	case map[string]any:
		filled := map[string]any{}
		for name, one := range value {
			filled[name] = w.fill(one)
		}
		return filled
	default:
		return value
	}
}

var errDown = errors.New("it is out of order")

// do is what a module does, and what it gives.
func (w *world) do(m *module, mapped map[string]any) (map[string]any, error) {
	key := written(mapped["key"])
	switch m.Module {
	case "gateway:WebhookRespond":
		w.status, w.answer = written(mapped["status"])+" ", written(mapped["body"])
	case "datastore:AddRecord":
		if _, there := w.records[key]; w.storeDown || there && mapped["overwrite"] != true {
			return nil, errDown
		}
		w.records[key], _ = mapped["data"].(map[string]any)
	case "datastore:GetRecord":
		return w.records[key], nil
	case "slack:CreateMessage":
		if w.slackDown {
			return nil, errDown
		}
		w.posts = append(w.posts, mapped)
		return map[string]any{"ts": fmt.Sprintf("1768204800.00000%d", len(w.posts))}, nil
	case "http:MakeRequest":
		if w.jiraDown {
			return nil, errDown
		}
		w.requests = append(w.requests, mapped)
		if mapped["method"] == "put" {
			return map[string]any{"statusCode": 204.0}, nil
		}
		return map[string]any{"statusCode": 201.0, "data": map[string]any{"key": fmt.Sprintf("RETENTION-%d", 2500+len(w.requests))}}, nil
	case "util:SetVariable2":
		return map[string]any{written(mapped["name"]): mapped["value"]}, nil
	case "util:ComposeTransformer":
		return mapped, nil
	default:
		w.t.Fatalf("%s is not understood", m)
	}
	return nil, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, now: 1768204800, records: map[string]map[string]any{}} // 2026-01-12 08:00 UTC
}

// in reads JSON that stands in a text.
func in(t *testing.T, text any, path string) any {
	t.Helper()
	var read map[string]any
	if err := json.Unmarshal([]byte(written(text)), &read); err != nil {
		t.Fatalf("%v in %v", err, text)
	}
	found, _ := field(read, path)
	return found
}

func TestThePlaybookPostsAndOpensATicket(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		day, mention, method, url, priority, due, ticket string
		labels                                           string // where the label stands in the request
	}{
		{"warning", "", "post", "https://your-site.atlassian.net/rest/api/3/issue", "High", "2026-01-13", "RETENTION-2501", "fields.labels"},
		{"critical", "<!channel> ", "put", "https://your-site.atlassian.net/rest/api/3/issue/RETENTION-2400", "Highest", "2026-01-19", "RETENTION-2400", "update.labels"},
	} {
		t.Run(test.day, func(t *testing.T) {
			t.Parallel()
			w, payload := newWorld(t), sent(t)[test.day]
			key := written(payload["idempotency_key"])
			want := `200 {"receipt": "done", "run_id": "01KEQ8ZQ5S0000000000000000", "slack_message_ts": "1768204800.000001", "ticket_id": "` + test.ticket + `"}`
			if diff := cmp.Diff(want, w.deliver(shipped(t, "playbook.json"), payload)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if len(w.posts) != 1 || len(w.requests) != 1 {
				t.Fatalf("%d posts and %d requests, want one of each", len(w.posts), len(w.requests))
			}
			post, request := w.posts[0], w.requests[0]
			text := written(post["text"])
			var blocks []any
			if err := json.Unmarshal([]byte(written(post["blocks"])), &blocks); err != nil || len(blocks) < 5 || post["channel"] != "#retention-alerts" {
				t.Errorf("Slack is sent %d blocks for %v, %v", len(blocks), post["channel"], err)
			}
			if strings.Contains(text, "<!") != (test.mention != "") || !strings.Contains(text, test.mention) {
				t.Errorf("the message notifies %q in %.200q", test.mention, text)
			}
			body := request["jsonStringBodyContent"]
			got := []any{
				request["method"], request["url"], in(t, body, "fields.priority.name"), in(t, body, "fields.duedate"), in(t, body, "fields.description.type"),
			}
			if diff := cmp.Diff([]any{test.method, test.url, test.priority, test.due, "doc"}, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if label := fmt.Sprint(in(t, body, test.labels)); !strings.Contains(label, key) {
				t.Errorf("the label is %s, want %s in it", label, key)
			}
		})
	}
}

func TestThePlaybookWorksAMessageOnce(t *testing.T) {
	t.Parallel()
	const (
		done      = `200 {"receipt": "done", "run_id": "01KEQ8ZQ5S0000000000000000", "slack_message_ts": "1768204800.000001", "ticket_id": "RETENTION-2501"}`
		duplicate = `200 {"receipt": "duplicate", "run_id": "01KEQ8ZQ5S0000000000000000", "slack_message_ts": "1768204800.000001", "ticket_id": "RETENTION-2501"}`
		working   = `200 {"receipt": "in_progress", "run_id": "01KEQ8ZQ5S0000000000000000"}`
	)
	partial := func(ts, ticket string) string {
		return `200 {"receipt": "partial", "run_id": "01KEQ8ZQ5S0000000000000000", "slack_message_ts": "` + ts + `", "ticket_id": "` + ticket + `"}`
	}
	const ts, ticket = "1768204800.000001", "RETENTION-2501"
	claimed := func(w *world, age float64) {
		w.records["rop_2026-01-12_WARNING_production"] = map[string]any{"state": "claimed", "stale_at": w.now + 900 - age, "run_id": "01KEQ8ZQ5S0000000000000000"}
	}
	for _, test := range []struct {
		name   string
		before func(w *world, payload map[string]any)
		first  string
		then   func(w *world)
		second string
		posts  int
	}{
		{"a second delivery is answered with the first receipt", nil, done, nil, duplicate, 1},
		{"a message that another run works is left to it", func(w *world, _ map[string]any) { claimed(w, 0) }, working, nil, working, 0},
		{"a claim of 15 minutes is taken over", func(w *world, _ map[string]any) { claimed(w, 900) }, done, nil, duplicate, 1},
		{
			"a message that is too old is dropped",
			func(w *world, payload map[string]any) { payload["expires_unix"] = w.now },
			`200 {"receipt": "expired", "run_id": "01KEQ8ZQ5S0000000000000000"}`, nil,
			`200 {"receipt": "expired", "run_id": "01KEQ8ZQ5S0000000000000000"}`, 0,
		},
		{
			"Slack fails: the ticket is opened, and the answer says so",
			func(w *world, _ map[string]any) { w.slackDown = true }, partial("", ticket), nil,
			partial("", ticket), 0,
		},
		{
			"Jira fails: the message is posted, and the answer says so",
			func(w *world, _ map[string]any) { w.jiraDown = true }, partial(ts, ""), nil,
			partial(ts, ""), 1,
		},
		{
			"both fail: nothing was done, so the next delivery does it",
			func(w *world, _ map[string]any) { w.slackDown, w.jiraDown = true, true }, partial("", ""),
			func(w *world) { w.slackDown, w.jiraDown = false, false }, done, 1,
		},
		{
			"the data store takes nothing: nothing is done, and the sender asks again",
			func(w *world, _ map[string]any) { w.storeDown = true },
			`503 {"receipt": "failed", "run_id": "01KEQ8ZQ5S0000000000000000"}`, func(w *world) { w.storeDown = false }, done, 1,
		},
		{
			"no ticket is asked for: the message alone is all",
			func(_ *world, payload map[string]any) { payload["jira_body"] = "" },
			`200 {"receipt": "done", "run_id": "01KEQ8ZQ5S0000000000000000", "slack_message_ts": "1768204800.000001", "ticket_id": ""}`, nil,
			`200 {"receipt": "duplicate", "run_id": "01KEQ8ZQ5S0000000000000000", "slack_message_ts": "1768204800.000001", "ticket_id": ""}`, 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, w, payload := shipped(t, "playbook.json"), newWorld(t), sent(t)["warning"]
			if test.before != nil {
				test.before(w, payload)
			}
			first := w.deliver(b, payload)
			if test.then != nil {
				test.then(w)
			}
			if diff := cmp.Diff([]string{test.first, test.second}, []string{first, w.deliver(b, payload)}); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			if len(w.posts) != test.posts {
				t.Errorf("%d posts, want %d", len(w.posts), test.posts)
			}
		})
	}
}
