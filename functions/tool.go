package functions

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// Hints tell a client what a call does to the world. All four are always stated: unset ones read as destructive and
// open-world.
type Hints struct {
	ReadOnly    bool `json:"readOnlyHint"`    // it changes nothing
	Destructive bool `json:"destructiveHint"` // it may do what cannot be undone
	Idempotent  bool `json:"idempotentHint"`  // calling again with the same input changes nothing more
	OpenWorld   bool `json:"openWorldHint"`   // it reaches systems outside the house
}

// Tool is what a caller must know of one tool.
type Tool struct {
	Name        string        // snake_case: the path, the MCP name and the folder
	EntryPoint  string        // the name under which the Cloud Function is registered
	Title       string        // for a person
	Description string        // when to use it, when not, and what it changes in the world
	Hints       Hints         // what a call does to the world
	Scope       Scope         // what a caller needs; a dry run always needs only ScopeRead
	Timeout     time.Duration // the call's own deadline; a caller should wait a little longer

	input, output func() *jsonschema.Schema
}

// InputSchema is the JSON Schema (2020-12) of the tool's input.
func (t *Tool) InputSchema() *jsonschema.Schema { return t.input() }

// OutputSchema is the JSON Schema (2020-12) of the tool's output.
func (t *Tool) OutputSchema() *jsonschema.Schema { return t.output() }

// Tools lists the six tools in the order of the work (§8.2).
var Tools = []*Tool{
	GetAlertDecision, GetOperationalContext, BuildPriorityQueue, GenerateBrief, ExportAudience, TriggerPlaybook,
}

// ToolNamed finds a tool by its name.
func ToolNamed(name string) (*Tool, bool) {
	for _, tool := range Tools {
		if tool.Name == name {
			return tool, true
		}
	}
	return nil, false
}

// Input is what every tool's input can do besides being decoded.
type Input interface {
	// Check reports an invalid_argument error that names the valid values.
	Check() error
	// IsDryRun tells whether the call only shows what would happen; then ScopeRead is enough.
	IsDryRun() bool
}

// define completes a tool with the schemas of its types, made when first asked for: a function must not pay for them
// when it starts.
func define[In Input, Out any](tool Tool) *Tool {
	tool.input = sync.OnceValue(func() *jsonschema.Schema { return inputSchemaOf[In]() })
	tool.output = sync.OnceValue(func() *jsonschema.Schema { return schemaOf[Out]() })
	return &tool
}

// inputDefaults are the values that a field left out of an input stands for.
var inputDefaults = map[string]string{
	"format": quoted(Formats[0]), "destination": quoted(Targets[0]), "dry_run": "false", "resend": "false",
}

// limits are what a limit left out stands for, and how high it may be.
var limits = map[reflect.Type]struct{ usual, most int }{
	reflect.TypeFor[ExportAudienceInput](): {DefaultLimit, MaxLimit},
	reflect.TypeFor[ReadRecordInput]():     {DefaultRuns, MaxRuns},
}

// inputSchemaOf adds to the schema of an input what its type cannot say: defaults, the bounds of limit, and that a
// text which is there is not empty.
func inputSchemaOf[In Input]() *jsonschema.Schema {
	schema := schemaOf[In]()
	for name, value := range inputDefaults {
		if property, has := schema.Properties[name]; has {
			property.Default = json.RawMessage(value)
		}
	}
	if bounds, has := limits[reflect.TypeFor[In]()]; has {
		limit := schema.Properties["limit"]
		limit.Default = json.RawMessage(strconv.Itoa(bounds.usual))
		limit.Minimum, limit.Maximum = new(1.0), new(float64(bounds.most))
	}
	if days, has := schema.Properties["window_days"]; has {
		days.Minimum, days.Maximum = new(float64(MinWindowDays)), new(float64(MaxWindowDays))
	}
	for property := range schemasIn(schema) {
		if property.Type == "string" && property.Enum == nil && property.Pattern == "" {
			property.MinLength = new(1)
		}
	}
	return schema
}

func quoted[W ~string](word W) string { return `"` + string(word) + `"` }

// schemaOf reflects a type into a schema. The types are ours, so a type that has no schema is a fault of the program.
func schemaOf[T any]() *jsonschema.Schema {
	schema, err := jsonschema.For[T](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Date]():     {Type: "string", Format: "date", Pattern: `^\d{4}-\d{2}-\d{2}$`},
		reflect.TypeFor[DateRef]():  {Type: "string", Pattern: `^(\d{4}-\d{2}-\d{2}|latest)$`},
		reflect.TypeFor[Month]():    {Type: "string", Pattern: `^\d{4}-(0[1-9]|1[0-2])$`},
		reflect.TypeFor[Money]():    {Type: "number"},
		reflect.TypeFor[Severity](): words(Severities), reflect.TypeFor[Status](): words(Statuses),
		reflect.TypeFor[Risk](): words(Risks), reflect.TypeFor[Tier](): words(Tiers),
		reflect.TypeFor[Phase](): words(Phases), reflect.TypeFor[Format](): words(Formats),
		reflect.TypeFor[Target](): words(Targets), reflect.TypeFor[RunStatus](): words(RunStatuses),
		reflect.TypeFor[DeliveryState]():   words(DeliveryStates),
		reflect.TypeFor[Verdict]():         words(Verdicts),
		reflect.TypeFor[Record]():          words(Records),
		reflect.TypeFor[Origin]():          words(Origins),
		reflect.TypeFor[FigureUnit]():      words(FigureUnits),
		reflect.TypeFor[FigureVerdict]():   words(FigureVerdicts),
		reflect.TypeFor[AlarmState]():      words(AlarmStates),
		reflect.TypeFor[AlarmChange]():     words(AlarmChanges),
		reflect.TypeFor[MailState]():       words(MailStates),
		reflect.TypeFor[NoteKind]():        words(NoteKinds),
		reflect.TypeFor[json.RawMessage](): {Type: "array"},
		reflect.TypeFor[JSONObject]():      {Type: "object", AdditionalProperties: &jsonschema.Schema{}},
	}})
	if err != nil {
		panic(fmt.Sprintf("schema of %v: %v", reflect.TypeFor[T](), err))
	}
	for part := range schemasIn(schema) {
		if slices.Contains(part.Types, "array") {
			part.Type, part.Types = "array", nil // an empty list is [], see Marshal
		}
		for name, property := range part.Properties {
			if len(property.Types) == 2 && !slices.Contains(part.Required, name) {
				property.Type, property.Types = property.Types[1], nil // what may be left out is never null
			}
		}
	}
	return schema
}

// schemasIn goes through a schema and every schema inside it.
func schemasIn(schema *jsonschema.Schema) iter.Seq[*jsonschema.Schema] {
	return func(yield func(*jsonschema.Schema) bool) {
		var visit func(*jsonschema.Schema) bool
		visit = func(part *jsonschema.Schema) bool {
			if !yield(part) {
				return false
			}
			for _, property := range part.Properties {
				if !visit(property) {
					return false
				}
			}
			return part.Items == nil || visit(part.Items)
		}
		visit(schema)
	}
}

func words[W ~string](valid []W) *jsonschema.Schema {
	schema := &jsonschema.Schema{Type: "string"}
	for _, word := range valid {
		schema.Enum = append(schema.Enum, string(word))
	}
	return schema
}
