package rulebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// SchemaFolder is where an editor looks for the schemas, below the folder of the rule files: the first line of each
// file says so.
const SchemaFolder = ".schema"

// Schemas makes a JSON Schema of each rule file, so that an editor completes names and values, shows what they mean and
// marks what is misspelt. They speak the vocabulary of fields.yaml; what only the check can know, such as the names of
// parameters, they leave to it. The error is Findings when fields.yaml is at fault.
func Schemas(files fs.FS) (map[string][]byte, error) {
	out := &collector{}
	v, _ := loadVocabulary(files, out)
	if findings := out.sorted(); findings.Errors() > 0 {
		return nil, findings
	}
	schemas := map[string][]byte{}
	for name, schema := range map[string]*jsonschema.Schema{
		fieldsFile: v.fieldsSchema(), priorityFile: v.prioritySchema(), playbooksFile: playbooksSchema(),
		rolloutFile: rolloutSchema(), monitoringFile: monitoringSchema(), silencesFile: silencesSchema(), "priority_test.yaml": v.examplesSchema(),
	} {
		schema.Schema = "http://json-schema.org/draft-07/schema#" // what editors read
		schema.Comment = "Made from fields.yaml by retentionops rules schema; do not edit."
		data, err := json.Marshal(schema)
		if err != nil {
			return nil, fmt.Errorf("write the schema of %s: %w", name, err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, data, "", "  "); err != nil {
			return nil, fmt.Errorf("write the schema of %s: %w", name, err)
		}
		indented.WriteByte('\n')
		schemas[strings.TrimSuffix(name, ".yaml")+".schema.json"] = indented.Bytes()
	}
	return schemas, nil
}

// key is a key of a map.
type key struct {
	name     string
	holds    *jsonschema.Schema
	optional bool
}

// mapOf is a map with these keys and no other.
func mapOf(description string, keys ...key) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", Description: description, Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: nobodys(),
	}
	for _, k := range keys {
		s.Properties[k.name] = k.holds
		s.PropertyOrder = append(s.PropertyOrder, k.name)
		if !k.optional {
			s.Required = append(s.Required, k.name)
		}
	}
	return s
}

// nobodys is the schema that nothing fits.
func nobodys() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

func listOf(description string, items *jsonschema.Schema, least int) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Description: description, Items: items, MinItems: &least}
}

func oneOf(description string, words ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{Description: description}
	for _, word := range words {
		s.Enum = append(s.Enum, word)
	}
	return s
}

// sentence is a text. One that YAML reads as a number is a text all the same.
func sentence(description string) *jsonschema.Schema {
	least, most := 1, maxText
	return &jsonschema.Schema{Types: []string{"string", "number", "boolean"}, Description: description, MinLength: &least, MaxLength: &most}
}

func formed(description, pattern string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: description, Pattern: pattern}
}

func numberBetween(description string, low, high float64) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "number", Description: description, Minimum: &low, Maximum: &high}
}

func wholeBetween(description string, low, high float64) *jsonschema.Schema {
	s := numberBetween(description, low, high)
	s.Type = "integer"
	return s
}

// yesNoSchema takes both spellings: to one reader of YAML yes is a text, to another it is true.
func yesNoSchema(description string) *jsonschema.Schema {
	return &jsonschema.Schema{Description: description, Enum: []any{"yes", "no", true, false}}
}

// numberOrName is a number, or a parameter that stands for one.
func numberOrName(description string, low, high float64) *jsonschema.Schema {
	return &jsonschema.Schema{Description: description, AnyOf: []*jsonschema.Schema{
		numberBetween("", low, high), formed("", nameForm.String()),
	}}
}

// described is what a field means and what it may hold, as hover shows it.
func (f *field) described() string {
	parts := []string{f.holds(), "from " + f.origin()}
	if f.meaning != "" {
		parts = append([]string{f.meaning}, parts...)
	}
	return strings.Join(parts, ". ")
}

// holds says what may stand in a field.
func (f *field) holds() string {
	holds := string(f.kind)
	switch {
	case f.kind == kindChoice:
		holds = strings.Join(f.values, ", ")
	case f.kind == kindYesNo:
		holds = "yes or no"
	case f.kind.isNumber():
		holds = strings.TrimSpace(fmt.Sprintf("%s from %s to %s %s", holds, plainNumber(f.low), plainNumber(f.high), f.unit))
	}
	if f.mayBeEmpty {
		holds += "; may be empty"
	}
	return holds
}

// origin says where a field comes from.
func (f *field) origin() string {
	if f.isStatistic() {
		return "the median of total_revenue over all customers"
	}
	return f.table
}

// What a number cell may compare with, as a pattern.
const (
	operandPattern = `(-?[0-9]+(\.[0-9]+)?|[a-z][a-z0-9_]*)`
	phrasePattern  = `^(not +)*((over|at +least|below|up +to) +)?` + operandPattern + `$`
	rangePattern   = `^(not +)*` + operandPattern + ` *\.\. *` + operandPattern + `$`
)

// cell is what may stand for a field in a condition.
func (f *field) cell() *jsonschema.Schema {
	s := &jsonschema.Schema{Description: f.described()}
	switch f.kind {
	case kindChoice:
		words := oneOf("", f.values...)
		several := listOf("any of these", oneOf("", f.values...), 1)
		several.UniqueItems = true
		s.AnyOf = []*jsonschema.Schema{words, several, formed("all but this", `^(not +)+(`+strings.Join(f.values, "|")+`)$`)}
	case kindYesNo:
		s.AnyOf = []*jsonschema.Schema{yesNoSchema(""), formed("", `^(not +)+(yes|no|true|false)$`)}
	default:
		several := listOf("any of these", &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "number"}, formed("", `^`+operandPattern+`(\.\.`+operandPattern+`)?$`),
		}}, 1)
		s.AnyOf = []*jsonschema.Schema{
			{Type: "number", Description: "exactly this"},
			formed("over 5, at least 5, below 5, up to 5; a parameter may stand for the number", phrasePattern),
			formed("5..10: both ends and what lies between", rangePattern),
			several,
		}
		middle := plainNumber(f.low + float64(int64((f.high-f.low)/2)))
		s.Examples = []any{"over " + middle, "at least " + middle, "below " + middle, "up to " + middle, plainNumber(f.low) + ".." + middle}
	}
	if f.mayBeEmpty {
		s.AnyOf = append(s.AnyOf, oneOf("nothing there; something there", "empty", "not empty"))
	}
	return s
}

// cells is a map of fields: all of it must hold.
func (v *vocabulary) cells(description string) *jsonschema.Schema {
	var keys []key
	for _, f := range v.fields {
		keys = append(keys, key{f.name, f.cell(), true})
	}
	s := mapOf(description, keys...)
	least := 1
	s.MinProperties = &least
	return s
}

// The names of what stands in several places of a schema, among its definitions.
const (
	whenName  = "condition"
	cellsName = "cells"
)

func refer(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/definitions/" + name} }

func (v *vocabulary) whenSchema() *jsonschema.Schema {
	expression := expressionSchema("one line of expression, such as total_revenue > 2000 and total_orders >= 3")
	return &jsonschema.Schema{
		Description: "who is meant: a map of fields, all of which must hold, or one line of expression",
		AnyOf: []*jsonschema.Schema{
			v.cells("all of these must hold"), expression, {Type: "boolean", Description: "true: everyone"},
		},
	}
}

func expressionSchema(description string) *jsonschema.Schema {
	least, most := 1, maxExpression
	return &jsonschema.Schema{Type: "string", Description: description, MinLength: &least, MaxLength: &most}
}
