package blueprint_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// versions are the modules whose names and versions are known, from Make's own collection or from exports that people
// have published; a name that only looks right imports as an empty box.
var versions = map[string]int{
	"gateway:CustomWebHook": 1, "gateway:WebhookRespond": 1,
	"builtin:BasicRouter": 1, "builtin:BasicIfElse": 1, "builtin:BasicMerge": 1,
	"builtin:Ignore": 1, "builtin:Resume": 1, "builtin:Break": 1,
	"http:MakeRequest": 4, "datastore:AddRecord": 1, "datastore:ExistRecord": 1, "datastore:GetRecord": 1,
	"util:SetVariable2": 1, "util:ComposeTransformer": 1, "slack:CreateMessage": 4,
}

// operators are the comparisons of a filter, and whether they have a second operand.
var operators = map[string]bool{
	"text:equal": true, "text:notequal": true, "text:contain": true, "text:startwith": true, "text:pattern": true,
	"number:greater": true, "number:less": true, "number:equal": true, "number:greaterorequal": true,
	"boolean:equal": true, "exist": false, "notexist": false,
}

// directives end an error route.
var directives = []string{"builtin:Ignore", "builtin:Resume", "builtin:Break"}

// accountKeys belong to an account: an import cannot know them.
var accountKeys = []string{
	"__IMTCONN__", "__IMTKEY__", "hook", "datastore", "agent", "apiKeyKeychain", "basicAuthKeychain", "oAuthAccount",
	"proxyKeychain", "bodyDataStructure",
}

// secrets is what must not stand in a file that everybody reads.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`), // a mail address
	regexp.MustCompile(`hook\.[a-z0-9]+\.make\.com|whsec_|xox[abp]-`),
	regexp.MustCompile(`(?i)(?:api[_-]?key|bearer|token)["\s:=]+[A-Za-z0-9_\-]{20,}`),
}

// faults finds what Make's rules forbid, and what would break our own: a run that is not answered.
func faults(text []byte) []string {
	b, err := read(text)
	if err != nil {
		return []string{err.Error()}
	}
	c := &checker{seen: map[int]bool{}}
	c.top(b, text)
	c.flow(b.Flow, nil, place{first: true})
	if len(b.Flow) > 0 && b.Flow[0].Module == "gateway:CustomWebHook" {
		c.answered(b.Flow, "the scenario")
	}
	return c.found
}

type checker struct {
	found []string
	seen  map[int]bool
}

func (c *checker) fault(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *checker) top(b *blueprint, text []byte) {
	if len(b.Name) < 1 || len(b.Name) > 120 || b.Description == "" {
		c.fault("the name has 1 to 120 characters, and the description says what to do after the import")
	}
	if len(b.Flow) == 0 {
		c.fault("there is no flow")
	}
	for _, key := range []string{"roundtrips", "maxErrors", "autoCommit", "autoCommitTriggerLast", "freshVariables"} {
		if _, there := b.Metadata.Scenario[key]; !there {
			c.fault("metadata.scenario.%s is missing", key)
		}
	}
	var designer struct{ Orphans []any }
	if b.Metadata.Version != 1 || json.Unmarshal(b.Metadata.Designer, &designer) != nil || designer.Orphans == nil {
		c.fault("metadata.version is 1 and metadata.designer.orphans a list")
	}
	for _, secret := range secrets {
		if found := secret.Find(text); found != nil {
			c.fault("%q looks like a secret or a mail address", found)
		}
	}
}

// place is where a flow stands.
type place struct {
	first, branch, onerror bool
}

// flow checks a row of modules; before are those that ran already, which are the ones that it may refer to.
func (c *checker) flow(flow, before []*module, at place) {
	before = slices.Clip(before)
	for i, m := range flow {
		c.module(m)
		c.filter(m, at, i)
		c.references(m, before)
		c.ends(m, flow, i, at)
		switch m.Module {
		case "builtin:BasicRouter":
			c.router(m, flow, i, at)
		case "builtin:BasicIfElse":
			c.ifElse(m, flow, i, at)
		case "builtin:BasicMerge":
			c.merge(m, flow, i, before)
		case "http:MakeRequest":
			c.request(m)
		case "gateway:WebhookRespond":
			c.response(m)
		case "datastore:AddRecord":
			c.record(m)
		}
		after := append(before, m)
		for _, route := range m.Routes {
			c.flow(route.Flow, after, place{onerror: at.onerror})
		}
		for _, branch := range m.Branches {
			c.flow(branch.Flow, after, place{branch: true})
		}
		c.flow(m.OnError, after, place{onerror: true})
		before = after
	}
}

var moduleName = regexp.MustCompile(`^[a-z][a-z0-9-]*:[A-Za-z0-9]+$`)

func (c *checker) module(m *module) {
	if m.ID < 1 || c.seen[m.ID] {
		c.fault("%s: an id is 1 or more and stands once", m)
	}
	c.seen[m.ID] = true
	if version, known := versions[m.Module]; !known || version != m.Version || !moduleName.MatchString(m.Module) {
		c.fault("%s: no module of that name has version %d", m, m.Version)
	}
	for _, key := range accountKeys {
		if _, there := m.Parameters[key]; there {
			c.fault("%s: %s belongs to an account", m, key)
		}
	}
	if d := m.Metadata.Designer; d == nil || d.X == nil || d.Y == nil {
		c.fault("%s: it has no place in the editor", m)
	}
	if (len(m.Routes) > 0) != (m.Module == "builtin:BasicRouter") || (len(m.Branches) > 0) != (m.Module == "builtin:BasicIfElse") ||
		(len(m.Outputs) > 0) != (m.Module == "builtin:BasicMerge") {
		c.fault("%s: routes are a router's, branches an if-else's, outputs a merge's", m)
	}
}

func (c *checker) filter(m *module, at place, i int) {
	if m.Filter != nil {
		if i == 0 && at.first || i == 0 && at.branch || m.Module == "builtin:BasicRouter" {
			c.fault("%s: no filter stands here", m)
		}
		if m.Filter.Name == "" {
			c.fault("%s: the filter has no name", m)
		}
		c.conditions(m, m.Filter.Conditions)
	}
	for _, branch := range m.Branches {
		if branch.Type == "condition" {
			c.conditions(m, branch.Conditions)
		}
	}
}

func (c *checker) conditions(m *module, conditions [][]operand) {
	if len(conditions) == 0 {
		c.fault("%s: a filter or branch without a condition is switched off", m)
	}
	for _, all := range conditions {
		for _, one := range all {
			second, known := operators[one.O]
			if !known || second != (one.B != nil) {
				c.fault("%s: %q is no comparison of its operands", m, one.O)
			}
		}
	}
}

func (c *checker) references(m *module, before []*module) {
	texts := m.texts()
	if m.Module == "builtin:BasicMerge" && len(before) > 0 { // it alone sees what ran in the branches
		for _, branch := range before[len(before)-1].Branches {
			before = append(before, within(branch.Flow)...)
		}
		for _, output := range m.Outputs {
			texts = append(texts, output.Mappings...)
		}
	}
	for _, text := range texts {
		if strings.Count(text, "{{") != len(expression.FindAllString(text, -1)) {
			c.fault("%s: the braces in %q do not fit together", m, text)
		}
		for _, to := range references(text) {
			i := slices.IndexFunc(before, func(other *module) bool { return other.ID == to.id })
			if i < 0 {
				c.fault("%s: %d%s is no module that ran before", m, to.id, to.path)
			} else if !gives(before[i], to.path) {
				c.fault("%s: %s gives no %s", m, before[i], strings.TrimPrefix(to.path, "."))
			}
		}
	}
}

// gives says whether a module has a field in its output. What a webhook gives is the payload: see fields_test.go.
func gives(m *module, path string) bool {
	names := strings.Split(strings.TrimPrefix(path, "."), ".")
	if names[0] == "error" {
		return len(m.OnError) > 0 && path == ".error.message"
	}
	switch m.Module {
	case "gateway:CustomWebHook":
		return true
	case "http:MakeRequest":
		return slices.Contains([]string{"data", "statusCode", "headers"}, names[0])
	case "slack:CreateMessage":
		return path == ".ts"
	case "util:SetVariable2":
		return names[0] == m.mapped()["name"]
	case "util:ComposeTransformer":
		return path == ".value"
	case "datastore:GetRecord":
		return slices.Contains(recordFields, names[0])
	case "builtin:BasicMerge":
		return slices.ContainsFunc(m.Outputs, func(o output) bool { return o.Name == names[0] })
	}
	return false
}

// recordFields is the data structure of the data store, as README.md has it made.
var recordFields = []string{"state", "stale_at", "run_id", "slack_message_ts", "ticket_id"}

func (c *checker) router(m *module, flow []*module, i int, at place) {
	if string(m.Mapper) != "null" || i+1 != len(flow) || at.branch {
		c.fault("%s: a router has no mapper, is the last of its row and in no branch", m)
	}
	for _, route := range m.Routes {
		if len(route.Flow) == 0 {
			c.fault("%s: a route is empty", m)
		}
	}
}

func (c *checker) ifElse(m *module, flow []*module, i int, at place) {
	if string(m.Mapper) != "null" || at.branch {
		c.fault("%s: an if-else has no mapper and stands in no branch", m)
	}
	others, merging := 0, false
	for _, branch := range m.Branches {
		merging = merging || branch.Merge
		if len(branch.Flow) == 0 {
			c.fault("%s: a branch is empty", m)
		}
		switch branch.Type {
		case "condition":
		case "else":
			if others++; others > 1 || len(branch.Conditions) > 0 {
				c.fault("%s: there is one else, and it has no condition", m)
			}
		default:
			c.fault("%s: a branch is a condition or an else, not %q", m, branch.Type)
		}
	}
	if merging && (i+1 >= len(flow) || flow[i+1].Module != "builtin:BasicMerge") {
		c.fault("%s: the next module must be the merge", m)
	}
}

func (c *checker) merge(m *module, flow []*module, i int, before []*module) {
	if len(m.Mapper) > 0 && string(m.Mapper) != "null" {
		c.fault("%s: a merge has no mapper", m)
	}
	if i == 0 || flow[i-1].Module != "builtin:BasicIfElse" || len(before) == 0 {
		c.fault("%s: a merge stands directly after an if-else", m)
		return
	}
	merging := 0
	for _, branch := range flow[i-1].Branches {
		if branch.Merge {
			merging++
		}
	}
	for _, output := range m.Outputs {
		if output.Name == "" || len(output.Mappings) != merging || merging == 0 {
			c.fault("%s: an output has a name and one mapping for each of %d branches", m, merging)
		}
	}
}

// request checks an HTTP module: a body that is JSON whatever simple values are pasted into it.
func (c *checker) request(m *module) {
	mapped := m.mapped()
	method, _ := mapped["method"].(string)
	address, _ := mapped["url"].(string)
	if !slices.Contains([]string{"get", "post", "put", "patch", "delete"}, method) {
		c.fault("%s: %q is no method in small letters", m, method)
	}
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "{{") {
		c.fault("%s: %q is no https address", m, address)
	}
	if m.Parameters["authenticationType"] != "noAuth" || mapped["allowRedirects"] != false || mapped["stopOnHttpError"] != true {
		c.fault("%s: the key is chosen after the import; no redirect is followed; a refusal is an error", m)
	}
	c.pairs(m, "name")
	body, _ := mapped["jsonStringBodyContent"].(string)
	if mapped["inputMethod"] != "jsonString" || mapped["contentType"] != "json" || !pasted(body) {
		c.fault("%s: the body is no JSON: %s", m, body)
	}
}

// response checks the answer to the webhook.
func (c *checker) response(m *module) {
	status, isText := m.mapped()["status"].(string)
	if !isText || len(status) != 3 {
		c.fault("%s: the status is a text of three digits", m)
	}
	c.pairs(m, "key")
	body, _ := m.mapped()["body"].(string)
	if !pasted(body) {
		c.fault("%s: the body is no JSON: %s", m, body)
	}
}

// record checks that what is stored is what the data store has fields for.
func (c *checker) record(m *module) {
	data, _ := m.mapped()["data"].(map[string]any)
	if names := slices.Sorted(maps.Keys(data)); !slices.Equal(names, slices.Sorted(slices.Values(recordFields))) {
		c.fault("%s: it stores %s", m, strings.Join(names, ", "))
	}
}

// pairs checks the headers: HTTP names them by name, a response by key.
func (c *checker) pairs(m *module, name string) {
	headers, isList := m.mapped()["headers"].([]any)
	if !isList {
		c.fault("%s: headers are a list", m)
	}
	for _, header := range headers {
		pair, _ := header.(map[string]any)
		if _, there := pair[name]; !there || len(pair) != 2 {
			c.fault("%s: a header has a %s and a value", m, name)
		}
	}
}

// pasted says whether a body is JSON once something simple stands for each value. A body that is one value is that of
// the message, which is JSON in a text.
func pasted(body string) bool {
	return expression.FindString(body) == body || json.Valid(expression.ReplaceAll([]byte(body), []byte("1")))
}

// ends checks error routes: each ends in a directive, alone or at the end of every route of a router, and a directive
// stands nowhere else.
func (c *checker) ends(m *module, flow []*module, i int, at place) {
	isDirective, isRouter, last := slices.Contains(directives, m.Module), m.Module == "builtin:BasicRouter", i+1 == len(flow)
	if isDirective && (!at.onerror || !last) || at.onerror && last && !isDirective && !isRouter {
		c.fault("%s: an error route, and nothing else, ends in a directive", m)
	}
	if len(m.OnError) > 0 && (isDirective || isRouter) {
		c.fault("%s: it cannot have an error route", m)
	}
}

// answered checks that every way through the scenario ends with the answer to the webhook: an answer before the end
// would hide what fails after it, and a way without one answers "Accepted", which proves nothing.
func (c *checker) answered(flow []*module, what string) {
	if len(flow) == 0 {
		return
	}
	last := flow[len(flow)-1]
	switch last.Module {
	case "builtin:BasicRouter":
		for _, route := range last.Routes {
			c.answered(route.Flow, what)
		}
	case "builtin:Resume": // goes on where the fault was
	case "builtin:Ignore", "builtin:Break":
		if len(flow) < 2 || flow[len(flow)-2].Module != "gateway:WebhookRespond" {
			c.fault("%s: %s ends without an answer", last, what)
		}
	case "gateway:WebhookRespond":
	default:
		c.fault("%s: %s ends without an answer", last, what)
	}
	for i, m := range flow {
		directive := i+2 == len(flow) && slices.Contains(directives, last.Module)
		if m.Module == "gateway:WebhookRespond" && i+1 != len(flow) && !directive {
			c.fault("%s: something comes after the answer", m)
		}
		if len(m.OnError) > 0 {
			c.answered(m.OnError, onError)
		}
		if what != onError { // which is the last resort, and has no other
			c.caught(m)
		}
		for _, branch := range m.Branches {
			for _, inner := range branch.Flow {
				c.caught(inner)
			}
		}
	}
}

const onError = "an error route"

// caught checks that a module which asks somebody else has an error route: without one Make answers for us, and switches
// the scenario off.
func (c *checker) caught(m *module) {
	asks := []string{"slack:CreateMessage", "http:MakeRequest", "datastore:AddRecord"}
	if slices.Contains(asks, m.Module) && len(m.OnError) == 0 {
		c.fault("%s: it may fail, and then nothing answers", m)
	}
}
