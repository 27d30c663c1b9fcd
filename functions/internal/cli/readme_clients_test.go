package cli_test

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/mcp"
)

// TestREADMEClients reads each file that the README shows for an assistant, and holds it against the command's own flags
// and the gateway's own path. Whether an assistant reads it so is its documentation's to say; none was tried.
func TestREADMEClients(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "<!-- clients -->")
	section, _, _ := strings.Cut(rest, "<!-- /clients -->")
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) < 9 {
		t.Fatalf("found %d files for assistants", len(blocks))
	}
	for _, block := range blocks {
		server := serverIn(t, block[1], block[2])
		command, _ := server["command"].(string)
		if name, is := server["cmd"].(string); is {
			command = name
		}
		if command != "" {
			starts(t, command, server["args"])
			continue
		}
		address, _ := server["url"].(string)
		if name, is := server["httpUrl"].(string); is {
			address = name
		}
		if parsed, err := url.Parse(address); err != nil || parsed.Scheme != "https" || parsed.Path != mcp.Path {
			t.Errorf("%q is no address of the gateway", address)
		}
		headers, _ := server["headers"].(map[string]any)
		bearer, _ := headers["Authorization"].(string)
		if variable, _ := server["bearer_token_env_var"].(string); variable == "" && !strings.HasPrefix(bearer, "Bearer ${") {
			t.Errorf("no bearer in %v", server)
		}
	}
}

// serverIn finds the one server in a file, in whichever form and below whichever name.
func serverIn(t *testing.T, language, text string) map[string]any {
	t.Helper()
	if language == "toml" {
		return tomlTable(t, text)
	}
	var file map[string]any
	var err error
	if language == "json" {
		err = json.Unmarshal([]byte(text), &file)
	} else {
		err = yaml.Unmarshal([]byte(text), &file)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, name := range []string{"mcpServers", "servers", "extensions"} {
		if servers, is := file[name].(map[string]any); is && len(servers) == 1 {
			server, _ := servers["retentionops"].(map[string]any)
			return server
		}
	}
	t.Fatalf("there is no server in %s", text)
	return nil
}

// tomlTable reads a table whose values are texts and lists of texts, which TOML writes as JSON does.
func tomlTable(t *testing.T, text string) map[string]any {
	t.Helper()
	table := map[string]any{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimSpace(line)
		if line == "[mcp_servers.retentionops]" {
			continue
		}
		key, value, _ := strings.Cut(line, " = ")
		var read any
		if err := json.Unmarshal([]byte(value), &read); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		table[key] = read
	}
	return table
}

// starts asserts that the command takes what it would be started with.
func starts(t *testing.T, command string, args any) {
	t.Helper()
	if command != "retentionops" {
		t.Errorf("%q is not our command", command)
	}
	given, _ := args.([]any)
	var line []string
	for _, arg := range given {
		text, _ := arg.(string)
		line = append(line, text)
	}
	if !slices.Contains(line, "mcp") {
		t.Errorf("%v does not serve assistants", line)
	}
	_ = person(t, append(line, "--help")...) // a flag that there is not comes before the help
}
