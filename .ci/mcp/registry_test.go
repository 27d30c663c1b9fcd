package proof

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	registry "github.com/modelcontextprotocol/registry/pkg/api/v0"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestServerJSONIsWhatTheRegistryTakes holds mcp/server.json against the schema that it names, as the registry's own
// module has it, and against what is true: the name that the gateway tells, the version of the last release, and no
// package, as none is published.
func TestServerJSONIsWhatTheRegistryTakes(t *testing.T) {
	data, err := os.ReadFile("../../mcp/server.json")
	if err != nil {
		t.Fatal(err)
	}
	var described registry.ServerJSON
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&described); err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := published(t, described.Schema).Validate(document); err != nil {
		t.Error(err)
	}
	c := connect(t, transports["streamable HTTP"](t, nil), eras[0], nil)
	if told := c.InitializeResult().ServerInfo; !strings.HasSuffix(described.Name, "/"+told.Name) || described.Title != told.Title {
		t.Errorf("%s, %q is told as %s, %q", described.Name, described.Title, told.Name, told.Title)
	}
	if want := released(t); described.Version != want {
		t.Errorf("the version is %s, want %s", described.Version, want)
	}
	if len(described.Packages) > 0 {
		t.Errorf("no package is published: %+v", described.Packages)
	}
}

// published is the schema of a version, with its formats asserted.
func published(t *testing.T, address string) *jsonschema.Schema {
	t.Helper()
	version := regexp.MustCompile(`/schemas/([\d-]+)/server\.schema\.json$`).FindStringSubmatch(address)
	if version == nil {
		t.Fatalf("%q is no schema of the registry", address)
	}
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/modelcontextprotocol/registry").Output()
	if err != nil {
		t.Fatal(err)
	}
	schemas := filepath.Join(strings.TrimSpace(string(folder)), "internal/validators/schemas")
	if newest, err := filepath.Glob(schemas + "/*.json"); err != nil || filepath.Base(newest[len(newest)-1]) != version[1]+".json" {
		t.Errorf("%s is not the newest schema: %v %v", version[1], newest, err)
	}
	file, err := os.Open(filepath.Join(schemas, version[1]+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(address, document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(address)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// released is the version of the last release that the changelog tells of.
func released(t *testing.T) string {
	t.Helper()
	changelog, err := os.ReadFile("../../.github/CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if version := regexp.MustCompile(`(?m)^## v?(\d+\.\d+\.\d+)`).FindSubmatch(changelog); version != nil {
		return string(version[1])
	}
	return "0.0.0-unreleased"
}
