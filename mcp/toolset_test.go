package mcp

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// toolsOf are the names of the tools that a request lists.
func toolsOf(t *testing.T, s *served, change func(*http.Request)) (names []string, got answered) {
	t.Helper()
	request := s.request(t, modern, modern.message(1, "tools/list", nil))
	change(request)
	got = s.send(t, request)
	for _, raw := range got.Result.Tools {
		var tool struct{ Name string }
		if err := json.Unmarshal(raw, &tool); err != nil {
			t.Fatal(err)
		}
		names = append(names, tool.Name)
	}
	return names, got
}

// TestFewerTools narrows by path and headers, and widens by none.
func TestFewerTools(t *testing.T) {
	t.Parallel()
	const alert, context, brief = "get_alert_decision", "get_operational_context", "generate_brief"
	const queue, export, playbook = "build_priority_queue", "export_audience", "trigger_playbook"
	both := serve(t, keyed("read+act", nil), Local(doorsWith(t, "local", work{})))
	reads := serve(t, keyed("read", map[string]string{"RETENTIONOPS_MCP_ACTIONS": "false"}), Local(doorsWith(t, "local", work{})))
	for name, test := range map[string]struct {
		gateway *served
		path    string
		headers []string
		sees    []string
	}{
		"all":                               {both, "", nil, []string{queue, export, brief, alert, context, playbook}},
		"all, with a stroke at the end":     {both, "/", nil, []string{queue, export, brief, alert, context, playbook}},
		"those that read":                   {both, "/read", nil, []string{brief, alert, context}},
		"those that act":                    {both, "/act", nil, []string{queue, export, playbook}},
		"one":                               {both, "/generate_brief", nil, []string{brief}},
		"nothing that acts":                 {both, "/readonly", nil, []string{queue, export, brief, alert, context, playbook}},
		"a toolset by a header":             {both, "", []string{"X-MCP-Toolsets", "read"}, []string{brief, alert, context}},
		"two toolsets":                      {both, "", []string{"X-MCP-Toolsets", "read, export_audience"}, []string{export, brief, alert, context}},
		"tools by a header":                 {both, "", []string{"x-mcp-tools", " trigger_playbook,,get_alert_decision "}, []string{alert, playbook}},
		"without some":                      {both, "", []string{"X-MCP-Exclude-Tools", "trigger_playbook,export_audience"}, []string{queue, brief, alert, context}},
		"a path and a header":               {both, "/read", []string{"X-MCP-Tools", "trigger_playbook,generate_brief"}, []string{brief}},
		"headers against one another":       {both, "", []string{"X-MCP-Toolsets", "read", "X-MCP-Tools", "trigger_playbook"}, nil},
		"a toolset without one of its own":  {both, "/act", []string{"X-MCP-Exclude-Tools", "trigger_playbook"}, []string{queue, export}},
		"an empty header asks for nothing":  {both, "", []string{"X-MCP-Toolsets", "", "X-MCP-Tools", " , "}, []string{queue, export, brief, alert, context, playbook}},
		"what is hidden stays hidden":       {reads, "/act", nil, nil},
		"and does not come by its name":     {reads, "", []string{"X-MCP-Tools", "trigger_playbook,get_alert_decision"}, []string{alert}},
		"nor by the switch for reading out": {reads, "", []string{"X-MCP-Readonly", "false"}, []string{brief, alert, context}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names, got := toolsOf(t, test.gateway, func(r *http.Request) {
				r.URL.Path = Path + test.path
				for i := 0; i < len(test.headers); i += 2 {
					r.Header.Set(test.headers[i], test.headers[i+1])
				}
			})
			if diff := cmp.Diff(test.sees, names); diff != "" || got.status != 200 {
				t.Errorf("%d %s", got.status, diff)
			}
			// What is not listed is not there to be called.
			for _, tool := range []string{alert, playbook} {
				request := test.gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": tool, "arguments": map[string]any{"dte": 1}}))
				request.URL.Path = Path + test.path
				for i := 0; i < len(test.headers); i += 2 {
					request.Header.Set(test.headers[i], test.headers[i+1])
				}
				called := test.gateway.send(t, request)
				if there, asked := called.Error == nil, strings.Contains(strings.Join(names, " "), tool); there != asked {
					t.Errorf("%s is listed: %t, called: %d %s", tool, asked, called.status, called.body)
				}
			}
		})
	}
}

// TestReadOnlyByAHeader lets nobody act in a request that says so, whoever asks.
func TestReadOnlyByAHeader(t *testing.T) {
	t.Parallel()
	gateway := serve(t, keyed("read+act", nil), Local(doorsWith(t, "local", work{queue: aQueue(0)})))
	call := func(change func(*http.Request), arguments string) answered {
		request := gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{
			"name": "build_priority_queue", "arguments": json.RawMessage(arguments),
		}))
		change(request)
		return gateway.send(t, request)
	}
	for value, acts := range map[string]bool{"true": false, "1": false, "yes": false, "anything": false, "false": true, "0": true, "Off": true, " ": true} {
		got := call(func(r *http.Request) { r.Header.Set("X-MCP-Readonly", value) }, `{}`)
		if got.Result.IsError == acts || !acts && !strings.Contains(got.text(), "permission_denied") {
			t.Errorf("X-MCP-Readonly: %s: %s", value, got.body)
		}
	}
	readOnly := func(r *http.Request) { r.URL.Path = Path + "/readonly" }
	if got := call(readOnly, `{}`); !got.Result.IsError {
		t.Errorf("by the path: %s", got.body)
	}
	if got := call(readOnly, `{"dry_run": true}`); got.Result.IsError || got.Error != nil {
		t.Errorf("a dry run: %s", got.body)
	}
	again := func(r *http.Request) { r.Header.Add("X-MCP-Readonly", "true"); r.Header.Add("X-MCP-Readonly", "false") }
	if got := call(again, `{}`); !got.Result.IsError {
		t.Errorf("taken back by a second line: %s", got.body)
	}
}

// TestUnknownNamesOfTools are answered with those that are known.
func TestUnknownNamesOfTools(t *testing.T) {
	t.Parallel()
	gateway := serve(t, keyed("read", nil), Local(nil))
	for name, test := range map[string]struct {
		change func(*http.Request)
		status int
		says   []string
	}{
		"a path":       {func(r *http.Request) { r.URL.Path = Path + "/write" }, 404, []string{"/read", "/readonly"}},
		"a path twice": {func(r *http.Request) { r.URL.Path = Path + "/read/act" }, 404, []string{"/read"}},
		"a toolset":    {func(r *http.Request) { r.Header.Set("X-MCP-Toolsets", "read,write") }, 400, []string{"X-MCP-Toolsets", `\"write\"`, "readonly", "generate_brief"}},
		"a tool":       {func(r *http.Request) { r.Header.Set("X-MCP-Tools", "read") }, 400, []string{"X-MCP-Tools", `\"read\"`, "generate_brief"}},
		"an exclusion": {func(r *http.Request) { r.Header.Set("X-MCP-Exclude-Tools", "trigger_playbok") }, 400, []string{"X-MCP-Exclude-Tools", "trigger_playbook"}},
	} {
		_, got := toolsOf(t, gateway, test.change)
		for _, says := range test.says {
			if got.status != test.status || !strings.Contains(string(got.body), says) {
				t.Errorf("%s: %d %s, want %q", name, got.status, got.body, says)
			}
		}
	}
}

// TestATokenThatLacksAScopeHearsWhich sends a client for more, where more would help.
func TestATokenThatLacksAScopeHearsWhich(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	acting := keyed("read", nil)
	acting["RETENTIONOPS_MCP_ISSUER"], acting["RETENTIONOPS_MCP_PUBLIC_URL"] = a.URL, publicURL
	gateway := serve(t, acting, Local(doorsWith(t, "local", work{queue: aQueue(0)})))
	acting["RETENTIONOPS_MCP_ACTIONS"] = "false"
	reading := serve(t, acting, Local(doorsWith(t, "local", work{queue: aQueue(0)})))
	reads, acts := a.token(t, nil), a.token(t, map[string]any{"scope": "retention:read retention:act"})
	const challenge = `Bearer realm="retentionops", scope="retention:read retention:act", error="insufficient_scope", ` +
		`resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"`
	for name, test := range map[string]struct {
		gateway           *served
		token, tool, args string
		headers           map[string]string
		status            int
		says              string
	}{
		"it may read alone":              {gateway, reads, "build_priority_queue", `{}`, nil, 403, challenge},
		"it says no to a dry run":        {gateway, reads, "trigger_playbook", `{"dry_run": false}`, nil, 403, challenge},
		"it says yes in another word":    {gateway, reads, "trigger_playbook", `{"dry_run": "true"}`, nil, 403, challenge},
		"a dry run":                      {gateway, reads, "build_priority_queue", `{"dry_run": true}`, nil, 200, ""},
		"it may act":                     {gateway, acts, "build_priority_queue", `{}`, nil, 200, ""},
		"it reads":                       {gateway, reads, "get_alert_decision", `{}`, nil, 200, ""},
		"a key gets the tool's refusal":  {gateway, bearer, "build_priority_queue", `{}`, nil, 200, ""},
		"nobody may act":                 {reading, reads, "build_priority_queue", `{}`, nil, 400, ""},
		"it asked to read alone":         {gateway, reads, "build_priority_queue", `{}`, map[string]string{"X-MCP-Readonly": "true"}, 200, ""},
		"it has narrowed the tool away":  {gateway, reads, "build_priority_queue", `{}`, map[string]string{"X-MCP-Exclude-Tools": "build_priority_queue"}, 400, ""},
		"a tool that is none":            {gateway, reads, "drop_table", `{}`, nil, 400, ""},
		"a tool by the name of a method": {gateway, reads, "tools/list", `{}`, nil, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := test.gateway.request(t, modern, modern.message(1, "tools/call", map[string]any{"name": test.tool, "arguments": json.RawMessage(test.args)}))
			request.Header.Set("Authorization", "Bearer "+test.token)
			for header, value := range test.headers {
				request.Header.Set(header, value)
			}
			got := test.gateway.send(t, request)
			if got.status != test.status || got.header.Get("WWW-Authenticate") != test.says {
				t.Errorf("%d %q %s", got.status, got.header.Get("WWW-Authenticate"), got.body)
			}
		})
	}
	t.Cleanup(func() {
		if log := gateway.log.String(); !strings.Contains(log, `"tool":"build_priority_queue"`) || !strings.Contains(log, `"decision":"denied"`) {
			t.Errorf("what was denied is not in the log: %s", log)
		}
	})
}

// TestAListedPageReadsWhatItNeeds asks before it sends, and may read why it was refused.
func TestAListedPageReadsWhatItNeeds(t *testing.T) {
	t.Parallel()
	gateway := serve(t, keyed("read", map[string]string{"RETENTIONOPS_MCP_ORIGINS": "https://chat.example.com"}), Local(nil))
	request := gateway.request(t, modern, nil)
	request.Method = http.MethodOptions
	request.Header.Del("Authorization") // a browser sends none with its question
	request.Header.Set("Origin", "https://chat.example.com")
	got := gateway.send(t, request)
	for _, header := range []string{"Authorization", "Mcp-Method", "X-MCP-Toolsets", "X-MCP-Tools", "X-MCP-Exclude-Tools", "X-MCP-Readonly"} {
		if got.status != http.StatusNoContent || !strings.Contains(got.header.Get("Access-Control-Allow-Headers"), header) {
			t.Errorf("it may not send %s: %d %v", header, got.status, got.header)
		}
	}
	request = gateway.request(t, modern, modern.message(1, "tools/list", nil))
	request.Header.Del("Authorization")
	request.Header.Set("Origin", "https://chat.example.com")
	got = gateway.send(t, request)
	if got.status != http.StatusUnauthorized || got.header.Get("Access-Control-Allow-Origin") != "https://chat.example.com" ||
		!strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") || got.header.Get("Vary") != "Origin" {
		t.Errorf("it may not read why: %d %v", got.status, got.header)
	}
}
