package rulebook_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"gopkg.in/yaml.v3"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

const schemaFolder = "../../../rules/" + rulebook.SchemaFolder

// TestSchemasAreFresh compares the schemas beside the shipped rules with those that the program makes; -update rewrites
// them.
func TestSchemasAreFresh(t *testing.T) {
	t.Parallel()
	schemas, err := rulebook.Schemas(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range schemas {
		path := filepath.Join(schemaFolder, name)
		if *update {
			if err := os.MkdirAll(schemaFolder, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v; go test ./functions/internal/rulebook -run Schemas -update writes it", err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not fresh (-want +got):\n%s", path, diff)
		}
	}
	entries, err := os.ReadDir(schemaFolder)
	if err != nil || len(entries) != len(schemas) {
		t.Errorf("%d files in %s, want %d: %v", len(entries), schemaFolder, len(schemas), err)
	}
}

// TestEachFileNamesItsSchema looks at the first line, where an editor looks.
func TestEachFileNamesItsSchema(t *testing.T) {
	t.Parallel()
	schemas := resolved(t)
	names, err := fs.Glob(rules.FS, "*.yaml")
	if err != nil || len(names) != len(schemas) {
		t.Fatalf("%d files, %d schemas: %v", len(names), len(schemas), err)
	}
	for _, name := range names {
		want := fmt.Sprintf("# yaml-language-server: $schema=%s/%s.schema.json\n", rulebook.SchemaFolder, strings.TrimSuffix(name, ".yaml"))
		if data := rulesFile(t, name).Data; !strings.HasPrefix(string(data), want) {
			t.Errorf("%s does not begin with %q", name, want)
		}
	}
}

// resolved reads the schemas as an editor does: from their bytes.
func resolved(t *testing.T) map[string]*jsonschema.Resolved {
	t.Helper()
	schemas, err := rulebook.Schemas(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*jsonschema.Resolved{}
	for name, data := range schemas {
		var schema jsonschema.Schema
		if err := json.Unmarshal(data, &schema); err != nil {
			t.Fatal(err)
		}
		if schema.Schema != "http://json-schema.org/draft-07/schema#" {
			t.Errorf("%s is of %s", name, schema.Schema)
		}
		if all[strings.TrimSuffix(name, ".schema.json")+".yaml"], err = schema.Resolve(nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

// asJSON reads a file of rules as an editor does, by YAML 1.2: yes is a text, and so is a day.
func asJSON(data []byte) (plain any, err error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, err
	}
	daysAreTexts(&root)
	var content any
	if err := root.Decode(&content); err != nil {
		return nil, err
	}
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &plain)
	return plain, err
}

func daysAreTexts(node *yaml.Node) {
	if node.Tag == "!!timestamp" {
		node.Tag = "!!str"
	}
	for _, child := range node.Content {
		daysAreTexts(child)
	}
}

func TestSchemasAcceptWhatTheCheckAccepts(t *testing.T) {
	t.Parallel()
	schemas := resolved(t)
	for name, schema := range schemas {
		content, err := asJSON(rulesFile(t, name).Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(content); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	const revenue = "total_revenue: at least p1_min_revenue}"
	for _, cell := range []string{
		"total_revenue: 5}", "total_revenue: 5.5}", "total_revenue: over 5}", "total_revenue: at  least high_value}", "total_revenue: not below 5}",
		"total_revenue: 1000..2000}", "total_revenue: not 1000 .. high_value}", "total_revenue: [1, 2, high_value, 3..4]}",
		"is_value_drop: false}", "is_value_drop: no}", "is_value_drop: not yes}", "avg_order_value: empty}", "avg_order_value: not empty}",
		"total_orders: 4}", "churn_risk_score: up to 70}", "total_revenue: over median_revenue}",
	} {
		files := shippedWith(t, "priority.yaml", revenue, cell)
		if _, findings := rulebook.Check(files); findings.Errors() > 0 {
			t.Errorf("%s: the check refuses it: %v", cell, findings)
		}
		data, err := fs.ReadFile(files, "priority.yaml")
		if err != nil {
			t.Fatal(err)
		}
		content, err := asJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := schemas["priority.yaml"].Validate(content); err != nil {
			t.Errorf("%s: %v", cell, err)
		}
	}
}

// beyondASchema are faults that lie in what two places of the files say together.
var beyondASchema = map[string]bool{
	"priority.score_tier_without_start.bad.yaml":  true,
	"priority_test.expects_unknown_rule.bad.yaml": true,
	"priority_test.missing_field.bad.yaml":        true,
}

// TestSchemasOnTheFilesOfFaults lists for each file of faults whether its schema already refuses it. A fault of
// structure must be refused; what only the check can know is accepted.
func TestSchemasOnTheFilesOfFaults(t *testing.T) {
	t.Parallel()
	schemas := resolved(t)
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(paths) < 150 {
		t.Fatalf("found %d files: %v", len(paths), err)
	}
	var list strings.Builder
	for _, path := range paths {
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		data := readFile(t, path)
		content, err := asJSON(data)
		says := "accepts"
		switch {
		case err != nil:
			says = "cannot read"
		case schemas[name+".yaml"].Validate(content) != nil:
			says = "refuses"
		}
		fault := "no error"
		if findings := findingsOf(t, name+".yaml", data); len(findings) > 0 && findings[0].Severity == rulebook.SeverityError {
			fault = findings[0].ID
		}
		structural := fault == "rules/unknown-key" || fault == "rules/missing-key" || fault == "rules/unknown-value"
		if structural && says == "accepts" && !strings.Contains(path, "priority.expr_") && !beyondASchema[filepath.Base(path)] {
			t.Errorf("%s has a fault of structure, %s, and the schema accepts it", path, fault)
		}
		if fault == "no error" && says != "accepts" {
			t.Errorf("the schema %s %s, which has no error", says, path)
		}
		fmt.Fprintf(&list, "%-11s %-19s %s\n", says, strings.TrimPrefix(fault, "rules/"), filepath.Base(path))
	}
	compareGolden(t, "testdata/schema.golden.txt", list.String())
}

// TestHoverSpeaksTheVocabulary looks at what an editor shows of a field.
func TestHoverSpeaksTheVocabulary(t *testing.T) {
	t.Parallel()
	schemas, err := rulebook.Schemas(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"days between the last order and the day of the data. whole number from 0 to 36500 days. from retention_snapshot",
		"how likely the customer is to stop buying, in a word. LOW, MEDIUM, HIGH. from churn_detection",
		"amount from 0 to 1000000000 EUR; may be empty. from base_customers",
		"from the median of total_revenue over all customers",
	} {
		if !strings.Contains(string(schemas["priority.schema.json"]), want) {
			t.Errorf("nothing says %q", want)
		}
	}
}
