package functions_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/retentionops/retentionops/functions"
)

var update = flag.Bool("update", false, "rewrite the golden files of the contract")

// What a list of the tools may cost, in bytes. A model pays for what it chooses and fills in by, with every request; the
// output schemas beside it are for programs, and most clients keep them from the model.
const (
	descriptionBudget = 400       // of one description
	choiceBudget      = 6 * 1024  // of names, titles, descriptions, hints and input schemas of all tools
	listBudget        = 22 * 1024 // of these and the output schemas
)

// everyTool is the six tools and the functions beside them.
var everyTool = slices.Concat(functions.Tools, functions.Supporting)

// entry is a tool as a list of tools carries it.
type entry struct {
	Name         string             `json:"name"`
	Title        string             `json:"title"`
	Description  string             `json:"description"`
	InputSchema  *jsonschema.Schema `json:"inputSchema"`
	OutputSchema *jsonschema.Schema `json:"outputSchema,omitempty"`
	Annotations  functions.Hints    `json:"annotations"`
}

func entryOf(tool *functions.Tool) entry {
	return entry{tool.Name, tool.Title, tool.Description, tool.InputSchema(), tool.OutputSchema(), tool.Hints}
}

// TestContractIsTheGoldenOne compares each tool with its file in testdata. A changed contract is a changed file in the
// review; a missing file is a fault and is never written in passing.
// It runs before the parallel tests, which read the files.
func TestContractIsTheGoldenOne(t *testing.T) {
	for _, tool := range everyTool {
		t.Run(tool.Name, func(t *testing.T) {
			got := canonical(t, struct {
				entry
				EntryPoint string          `json:"entryPoint"`
				Scope      functions.Scope `json:"scope"`
				Timeout    string          `json:"timeout"`
			}{entryOf(tool), tool.EntryPoint, tool.Scope, tool.Timeout.String()})
			path := filepath.Join("testdata", tool.Name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; rewrite the golden files with: go test ./functions -update", err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the contract has changed; if that is meant: go test ./functions -update (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGoldenFilesBelongToTools finds a file that a renamed tool left behind.
func TestGoldenFilesBelongToTools(t *testing.T) {
	t.Parallel()
	var got, want []string
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		got = append(got, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	for _, tool := range everyTool {
		want = append(want, tool.Name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("golden files (-want +got):\n%s", diff)
	}
}

// TestEveryTool walks all tools and asks of each what all of them must be.
func TestEveryTool(t *testing.T) {
	t.Parallel()
	snakeCase := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, tool := range everyTool {
		if seen[tool.Name] || seen[tool.EntryPoint] {
			t.Errorf("%s: name or entry point %s is there twice", tool.Name, tool.EntryPoint)
		}
		seen[tool.Name], seen[tool.EntryPoint] = true, true
		if !snakeCase.MatchString(tool.Name) {
			t.Errorf("%s: the name is not snake_case", tool.Name)
		}
		if got, want := strings.ToLower(tool.EntryPoint), strings.ReplaceAll(tool.Name, "_", ""); got != want {
			t.Errorf("%s: entry point is %s in lower case, want %s", tool.Name, got, want)
		}
		if tool.Title == "" || strings.Contains(tool.Title, "_") {
			t.Errorf("%s: title %q is not for a person", tool.Name, tool.Title)
		}
		if size := len(tool.Description); size == 0 || size > descriptionBudget {
			t.Errorf("%s: the description has %d bytes, want 1 to %d", tool.Name, size, descriptionBudget)
		}
		if tool.Timeout <= 0 {
			t.Errorf("%s: no timeout", tool.Name)
		}
		if reads := tool.Scope == functions.ScopeRead; reads != tool.Hints.ReadOnly {
			t.Errorf("%s: scope %s and readOnlyHint %t do not go together", tool.Name, tool.Scope, tool.Hints.ReadOnly)
		}
		if !slices.Contains(functions.Scopes, tool.Scope) {
			t.Errorf("%s: scope %q is not known", tool.Name, tool.Scope)
		}
		if tool.Hints.ReadOnly && tool.Hints.Destructive {
			t.Errorf("%s: it cannot be both read-only and destructive", tool.Name)
		}
		found, ok := functions.ToolNamed(tool.Name)
		if isTool := slices.Contains(functions.Tools, tool); ok != isTool || isTool && found != tool {
			t.Errorf("%s: ToolNamed finds %t, want %t", tool.Name, ok, isTool)
		}
	}
	if _, ok := functions.ToolNamed("get_weather"); ok {
		t.Error("ToolNamed finds a tool that is not there")
	}
}

// TestHintsAreStated reads the golden files as a client reads a list: a hint that is left out counts as destructive
// and open-world.
func TestHintsAreStated(t *testing.T) {
	t.Parallel()
	for _, tool := range everyTool {
		data, err := os.ReadFile(filepath.Join("testdata", tool.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Annotations map[string]bool `json:"annotations"`
		}
		if err := json.Unmarshal(data, &golden); err != nil {
			t.Fatal(err)
		}
		for _, hint := range []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} {
			if _, stated := golden.Annotations[hint]; !stated {
				t.Errorf("%s: %s is not stated", tool.Name, hint)
			}
		}
	}
}

func TestListOfToolsStaysInItsBudget(t *testing.T) {
	t.Parallel()
	choice, list := 0, 0
	for _, tool := range functions.Tools {
		whole := entryOf(tool)
		withOutput := size(t, whole)
		whole.OutputSchema = nil
		without := size(t, whole)
		t.Logf("%-24s %5d bytes, %5d with the output schema", tool.Name, without, withOutput)
		choice, list = choice+without, list+withOutput
	}
	t.Logf("%-24s %5d of %d bytes, %5d of %d with the output schemas", "all", choice, choiceBudget, list, listBudget)
	if choice > choiceBudget || list > listBudget {
		t.Errorf("a list of the tools has %d bytes, %d with output schemas, want at most %d and %d", choice, list, choiceBudget, listBudget)
	}
}

func size(t *testing.T, value any) int {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

// TestSchemasAreStrict walks every schema down to its leaves.
func TestSchemasAreStrict(t *testing.T) {
	t.Parallel()
	for _, tool := range everyTool {
		for side, schema := range map[string]*jsonschema.Schema{"input": tool.InputSchema(), "output": tool.OutputSchema()} {
			if schema.Type != "object" {
				t.Errorf("%s %s: the top is %q, want an object", tool.Name, side, schema.Type)
			}
			walk(tool.Name+" "+side, schema, func(at string, part *jsonschema.Schema) {
				if part.OneOf != nil || part.AnyOf != nil || part.AllOf != nil || part.Not != nil || part.Ref != "" {
					t.Errorf("%s: combined schemas are not for every client", at)
				}
				if part.Type == "" && len(part.Types) == 0 {
					t.Errorf("%s: any value is allowed", at)
				}
				if slices.Contains(part.Types, "array") {
					t.Errorf("%s: a list may be null", at)
				}
				isObject := part.Type == "object" || slices.Contains(part.Types, "object")
				if isObject && at == "generate_brief output.card" { // somebody else's object
					return
				}
				if isObject && !reflect.DeepEqual(part.AdditionalProperties, &jsonschema.Schema{Not: &jsonschema.Schema{}}) {
					t.Errorf("%s: additionalProperties is not false", at)
				}
			})
			if _, err := schema.Resolve(nil); err != nil {
				t.Errorf("%s %s: %v", tool.Name, side, err)
			}
		}
	}
}

// TestRequiredIsWhatIsAlwaysThere compares each schema with the tags of its type.
func TestRequiredIsWhatIsAlwaysThere(t *testing.T) {
	t.Parallel()
	for _, io := range ioTypes {
		t.Run(io.tool.Name, func(t *testing.T) {
			t.Parallel()
			checkRequired(t, "input", io.tool.InputSchema(), reflect.TypeOf(io.input))
			checkRequired(t, "output", io.tool.OutputSchema(), reflect.TypeOf(io.sample))
		})
	}
}

func checkRequired(t *testing.T, at string, schema *jsonschema.Schema, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice && schema.Items != nil {
			schema = schema.Items
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || schema.Properties == nil {
		return
	}
	var want []string
	for _, field := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || name == "" {
			continue
		}
		if !strings.Contains(options, "omitempty") {
			want = append(want, name)
		}
		checkRequired(t, at+"."+name, schema.Properties[name], field.Type)
	}
	if diff := cmp.Diff(want, schema.Required); diff != "" {
		t.Errorf("%s: required (-want +got):\n%s", at, diff)
	}
}

// TestWordsAreWrittenOut finds each closed list of words wherever a schema uses it.
func TestWordsAreWrittenOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tool  *functions.Tool
		place string // of the input when it starts with "in", else of the output
		want  []string
	}{
		{functions.GetAlertDecision, "out.severity", texts(functions.Severities)},
		{functions.GetOperationalContext, "out.status_by_risk[].status", texts(functions.Statuses)},
		{functions.GetOperationalContext, "out.status_by_risk[].risk", texts(functions.Risks)},
		{functions.GetOperationalContext, "out.tier_preview[].tier", texts(functions.Tiers)},
		{functions.BuildPriorityQueue, "out.tiers[].tier", texts(functions.Tiers)},
		{functions.BuildPriorityQueue, "out.changes.moved[].from", texts(functions.Tiers)},
		{functions.BuildPriorityQueue, "out.guardrails.verdict", texts(functions.Verdicts)},
		{functions.BuildPriorityQueue, "out.guardrails.findings[].verdict", texts(functions.Verdicts)},
		{functions.GenerateBrief, "in.format", texts(functions.Formats)},
		{functions.GenerateBrief, "out.format", texts(functions.Formats)},
		{functions.GenerateBrief, "out.phase", texts(functions.Phases)},
		{functions.ExportAudience, "in.tier", texts(functions.Tiers)},
		{functions.ExportAudience, "in.destination", texts(functions.Targets)},
		{functions.ReadRecord, "in.record", texts(functions.Records)},
		{functions.ReadRecord, "out.runs[].status", texts(functions.RunStatuses)},
		{functions.ReadRecord, "out.explanation.origin", texts(functions.Origins)},
		{functions.ReadRecord, "out.explanation.rules[].tier", texts(functions.Tiers)},
		{functions.CheckHealth, "in.note.what", texts(functions.NoteKinds)},
		{functions.CheckHealth, "out.figures[].unit", texts(functions.FigureUnits)},
		{functions.CheckHealth, "out.figures[].verdict", texts(functions.FigureVerdicts)},
		{functions.CheckHealth, "out.alarms[].state", texts(functions.AlarmStates)},
		{functions.CheckHealth, "out.alarms[].change", texts(functions.AlarmChanges)},
		{functions.CheckHealth, "out.alarms[].mail", texts(functions.MailStates)},
		{functions.CheckHealth, "out.rollout.phase", texts(functions.Phases)},
		{functions.CheckHealth, "out.rollout.triggers[].state", texts(functions.AlarmStates)},
		{functions.CheckHealth, "out.rollout.notes[].what", texts(functions.NoteKinds)},
		{functions.TriggerPlaybook, "out.status", texts(functions.RunStatuses)},
		{functions.TriggerPlaybook, "out.delivery_state", texts(functions.DeliveryStates)},
		{functions.TriggerPlaybook, "out.plan.tiers[].tier", texts(functions.Tiers)},
	}
	for _, test := range tests {
		t.Run(test.tool.Name+" "+test.place, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, word := range part(t, test.tool, test.place).Enum {
				text, _ := word.(string)
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultsAndBoundsAreWrittenOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tool          *functions.Tool
		place, want   string
		minimum, most float64
	}{
		{tool: functions.BuildPriorityQueue, place: "in.dry_run", want: "false"},
		{tool: functions.GenerateBrief, place: "in.format", want: `"markdown"`},
		{tool: functions.ExportAudience, place: "in.destination", want: `"csv"`},
		{tool: functions.ExportAudience, place: "in.limit", want: "2000", minimum: 1, most: functions.MaxLimit},
		{tool: functions.ExportAudience, place: "in.dry_run", want: "false"},
		{tool: functions.ReadRecord, place: "in.limit", want: "50", minimum: 1, most: functions.MaxRuns},
		{tool: functions.CheckHealth, place: "in.dry_run", want: "false"},
		{tool: functions.CheckHealth, place: "in.window_days", minimum: 1, most: functions.MaxWindowDays},
		{tool: functions.TriggerPlaybook, place: "in.dry_run", want: "false"},
		{tool: functions.TriggerPlaybook, place: "in.resend", want: "false"},
	}
	for _, test := range tests {
		t.Run(test.tool.Name+" "+test.place, func(t *testing.T) {
			t.Parallel()
			schema := part(t, test.tool, test.place)
			if got := string(schema.Default); got != test.want {
				t.Errorf("default is %s, want %s", got, test.want)
			}
			if test.most != 0 && (*schema.Minimum != test.minimum || *schema.Maximum != test.most) {
				t.Errorf("bounds are %v and %v, want %v and %v", *schema.Minimum, *schema.Maximum, test.minimum, test.most)
			}
		})
	}
}

// part finds a place such as "out.tiers[].tier" in a tool's schemas.
func part(t *testing.T, tool *functions.Tool, place string) *jsonschema.Schema {
	t.Helper()
	side, rest, _ := strings.Cut(place, ".")
	schema := tool.OutputSchema()
	if side == "in" {
		schema = tool.InputSchema()
	}
	for name := range strings.SplitSeq(rest, ".") {
		name, isList := strings.CutSuffix(name, "[]")
		schema = schema.Properties[name]
		if isList && schema != nil {
			schema = schema.Items
		}
		if schema == nil {
			t.Fatalf("%s has no %s", tool.Name, place)
		}
	}
	return schema
}

func walk(at string, schema *jsonschema.Schema, visit func(string, *jsonschema.Schema)) {
	visit(at, schema)
	for name, property := range schema.Properties {
		walk(at+"."+name, property, visit)
	}
	if schema.Items != nil {
		walk(at+"[]", schema.Items, visit)
	}
}

func texts[W ~string](words []W) []string {
	var plain []string
	for _, word := range words {
		plain = append(plain, string(word))
	}
	return plain
}

// canonical writes a value as indented JSON with sorted keys.
func canonical(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		t.Fatal(err)
	}
	data, err = json.MarshalIndent(plain, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}
