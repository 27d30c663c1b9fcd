package door_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// decoders reads an input of any tool.
var decoders = map[string]func([]byte) (functions.Input, error){
	"get_alert_decision":      decoder[functions.GetAlertDecisionInput](functions.GetAlertDecision),
	"get_operational_context": decoder[functions.GetOperationalContextInput](functions.GetOperationalContext),
	"build_priority_queue":    decoder[functions.BuildPriorityQueueInput](functions.BuildPriorityQueue),
	"generate_brief":          decoder[functions.GenerateBriefInput](functions.GenerateBrief),
	"export_audience":         decoder[functions.ExportAudienceInput](functions.ExportAudience),
	"read_record":             decoder[functions.ReadRecordInput](functions.ReadRecord),
	"check_health":            decoder[functions.CheckHealthInput](functions.CheckHealth),
	"trigger_playbook":        decoder[functions.TriggerPlaybookInput](functions.TriggerPlaybook),
}

func decoder[In functions.Input](tool *functions.Tool) func([]byte) (functions.Input, error) {
	return func(data []byte) (functions.Input, error) { return door.Decode[In](tool, data) }
}

// TestDecodeAccepts reads the inputs that every way to the tools must take.
func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	var rows []struct {
		Name, Tool string
		Input      json.RawMessage
	}
	readTable(t, "accepted.json", &rows)
	seen := map[string]bool{}
	for _, row := range rows {
		seen[row.Tool] = true
		t.Run(row.Tool+" "+row.Name, func(t *testing.T) {
			t.Parallel()
			in, err := decoders[row.Tool](row.Input)
			if err != nil {
				t.Fatal(err)
			}
			// What was read is all that was written: encoding it gives the row's keys back, but for false.
			got, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(withoutFalse(t, row.Input), withoutFalse(t, got)); diff != "" {
				t.Errorf("input (-want +got):\n%s", diff)
			}
		})
	}
	for _, tool := range slices.Concat(functions.Tools, functions.Supporting) {
		if !seen[tool.Name] {
			t.Errorf("no input of %s in the table", tool.Name)
		}
	}
}

func withoutFalse(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var plain map[string]any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	for name, value := range plain {
		if value == false {
			delete(plain, name)
		}
	}
	return plain
}

// TestDecodeRefuses compares the words that a caller gets. -update rewrites them; read them before you commit.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	type row struct {
		Name   string `json:"name"`
		Tool   string `json:"tool"`
		Input  string `json:"input"`
		Detail string `json:"detail"`
		Hint   string `json:"hint"`
	}
	var rows []row
	readTable(t, "refused.json", &rows)
	for i, row := range rows {
		_, err := decoders[row.Tool]([]byte(row.Input))
		fault, ok := errors.AsType[*functions.Error](err)
		if !ok || fault.Code != functions.InvalidArgument {
			t.Errorf("%s: got %v, want invalid_argument", row.Name, err)
			continue
		}
		rows[i].Detail, rows[i].Hint = fault.Detail, fault.Hint
		if *update {
			continue
		}
		if diff := cmp.Diff(row, rows[i]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.Name, diff)
		}
	}
	if *update {
		var out bytes.Buffer
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(rows); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tablePath("refused.json"), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDecodeRefusesWhatIsNoText holds what a JSON table cannot.
func TestDecodeRefusesWhatIsNoText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, input, want string }{
		{"bytes that are not UTF-8", "{\"date\": \"\xff\"}", "the input is not UTF-8"},
		{"a lonely surrogate in UTF-8's clothes", "{\"date\": \"\xed\xa0\x80\"}", "the input is not UTF-8"},
		{"UTF-16", "{\x00}\x00", "the input is not one JSON object: line 1, column 2: invalid character '\\x00' looking for beginning of object key string"},
		{"a tower that would break the stack", strings.Repeat("[", 1_000_000), "the input is not one JSON object: line 1, column 10001: invalid character '[' exceeded max depth"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := door.Decode[functions.GetAlertDecisionInput](functions.GetAlertDecision, []byte(test.input))
			fault, ok := errors.AsType[*functions.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(test.want, fault.Detail); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeTakesNothingForAnEmptyObject(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{nil, {}, []byte(" \r\n\t")} {
		in, err := door.Decode[functions.TriggerPlaybookInput](functions.TriggerPlaybook, data)
		if err != nil {
			t.Errorf("%q: %v", data, err)
		}
		if diff := cmp.Diff(functions.TriggerPlaybookInput{}, in); diff != "" {
			t.Errorf("%q (-want +got):\n%s", data, diff)
		}
	}
}

// TestDecodeKnowsEveryKeyword fails when an input's schema says something that the strict reader does not look at.
// Enum, pattern, minimum and maximum are Check's.
func TestDecodeKnowsEveryKeyword(t *testing.T) {
	t.Parallel()
	known := []string{
		"Type", "Properties", "PropertyOrder", "Required", "AdditionalProperties", "Description", "Default",
		"Enum", "Pattern", "MinLength", "Minimum", "Maximum",
	}
	var visit func(at string, schema *jsonschema.Schema)
	visit = func(at string, schema *jsonschema.Schema) {
		for field, value := range reflect.ValueOf(schema).Elem().Fields() {
			if field.IsExported() && !value.IsZero() && !slices.Contains(known, field.Name) {
				t.Errorf("%s uses %s", at, field.Name)
			}
		}
		if !slices.Contains([]string{"object", "string", "boolean", "integer"}, schema.Type) {
			t.Errorf("%s is of type %q", at, schema.Type)
		}
		for name, property := range schema.Properties {
			visit(at+"."+name, property)
		}
	}
	for _, tool := range slices.Concat(functions.Tools, functions.Supporting) {
		visit(tool.Name, tool.InputSchema())
	}
}

// FuzzDecode looks for an input that is taken although the schema that callers are shown forbids it, or that is read
// differently from what it says.
func FuzzDecode(f *testing.F) {
	var accepted []struct {
		Tool  string
		Input json.RawMessage
	}
	readTable(f, "accepted.json", &accepted)
	for _, row := range accepted {
		f.Add(row.Tool, []byte(row.Input))
	}
	var refused []struct{ Tool, Input string }
	readTable(f, "refused.json", &refused)
	for _, row := range refused {
		f.Add(row.Tool, []byte(row.Input))
	}
	schemas := map[string]*jsonschema.Resolved{}
	for _, tool := range slices.Concat(functions.Tools, functions.Supporting) {
		resolved, err := tool.InputSchema().Resolve(nil)
		if err != nil {
			f.Fatal(err)
		}
		schemas[tool.Name] = resolved
	}
	f.Fuzz(func(t *testing.T, tool string, data []byte) {
		decode, has := decoders[tool]
		if !has {
			return
		}
		in, err := decode(data)
		if err != nil {
			if code := functions.CodeOf(err); code != functions.InvalidArgument {
				t.Fatalf("%s: %v", code, err)
			}
			return
		}
		if len(bytes.TrimSpace(data)) == 0 {
			return
		}
		var plain map[string]any
		if err := json.Unmarshal(data, &plain); err != nil {
			t.Fatalf("%s was taken and is no object: %v", data, err)
		}
		if err := schemas[tool].Validate(plain); err != nil {
			t.Errorf("%s was taken against the schema: %v", data, err)
		}
		again, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(withoutFalse(t, data), withoutFalse(t, again)); diff != "" {
			t.Errorf("%s was read as %s:\n%s", data, again, diff)
		}
	})
}

func tablePath(name string) string { return filepath.Join("..", "testdata", "inputs", name) }

func readTable(tb testing.TB, name string, rows any) {
	tb.Helper()
	data, err := os.ReadFile(tablePath(name))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, rows); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
}
