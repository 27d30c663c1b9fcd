package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
)

// offered is a tool as assistants see it.
type offered struct {
	*functions.Tool
	definition mcpgo.Tool
	dryRun     bool                 // of a tool that acts: only what it would do
	arguments  []string             // the names that are known, in order
	output     *jsonschema.Resolved // what the function's answers must hold
	optional   map[string]bool      // what may be left out of an answer that is too large
}

// withheld are inputs that no assistant gives: a digest is the gateway's to pass on, and a link without login would stand
// in a conversation for everybody to open.
var withheld = []string{"expect_digest", "signed_minutes"}

// withheldDry are those that only make sense when something is done.
var withheldDry = []string{"override", "replay", "resend"}

const dryRunNote = " You may not act here: dry_run must be true; it changes nothing."

// onlyDone are the outputs that tell of things done: a dry run has none of them.
var onlyDone = []string{"artifacts", "backup_mail", "replay_of", "signed_url"}

// offer makes of a tool of the contract what assistants see: whole, or its dry run alone.
func offer(tool *functions.Tool, dryRun bool) (*offered, error) {
	o := &offered{Tool: tool, dryRun: dryRun, optional: map[string]bool{}}
	description := tool.Description
	hints := tool.Hints
	if o.dryRun {
		description += dryRunNote
		hints = functions.Hints{ReadOnly: true, Idempotent: true} // a dry run changes nothing
	}
	input, err := o.inputSchema()
	if err != nil {
		return nil, err
	}
	output, err := o.outputSchema()
	if err != nil {
		return nil, err
	}
	o.definition = mcpgo.NewToolWithRawSchema(tool.Name, description, input)
	o.definition.Title = tool.Title
	o.definition.RawOutputSchema = output
	o.definition.Meta = appMeta(tool)
	o.definition.Annotations = mcpgo.ToolAnnotation{
		ReadOnlyHint: &hints.ReadOnly, DestructiveHint: &hints.Destructive,
		IdempotentHint: &hints.Idempotent, OpenWorldHint: &hints.OpenWorld,
	}
	return o, nil
}

// tokenName is the one argument that only the gateway knows.
const tokenName = "confirm_token"

// confirmed tells whether the tool does what reaches people or leaves the house, and so needs a confirmation.
func (o *offered) confirmed() bool {
	return o.Scope == functions.ScopeAct && o.Hints.OpenWorld && !o.dryRun
}

// inputSchema is the contract's, without what is withheld and with the dry run fixed.
func (o *offered) inputSchema() (json.RawMessage, error) {
	schema, err := generic(o.InputSchema())
	if err != nil {
		return nil, err
	}
	properties, _ := schema["properties"].(map[string]any)
	maps.DeleteFunc(properties, func(name string, _ any) bool {
		return slices.Contains(withheld, name) || o.dryRun && slices.Contains(withheldDry, name)
	})
	if o.dryRun {
		properties["dry_run"] = map[string]any{"type": "boolean", "const": true}
		required, _ := schema["required"].([]any)
		schema["required"] = append(required, "dry_run")
	}
	if o.confirmed() {
		properties[tokenName] = map[string]any{"type": "string", "description": "of the answer confirmation_required, after a person's yes"}
	}
	trim(properties)
	o.arguments = slices.Sorted(maps.Keys(properties))
	return json.Marshal(schema)
}

// trim takes out of the members of an input what their descriptions say too, or what the function says better when it
// refuses.
func trim(properties map[string]any) {
	for _, property := range properties {
		property, is := property.(map[string]any)
		if !is {
			continue
		}
		for _, word := range []string{"pattern", "minLength", "additionalProperties"} {
			delete(property, word)
		}
		if property["default"] == false {
			delete(property, "default")
		}
		if inner, is := property["properties"].(map[string]any); is {
			trim(inner)
		}
	}
}

// describedLevels is how deep an answer is described: its members and theirs.
const describedLevels = 2

// outputSchema is the contract's with members, types, words, and what an answer always has at its top. The rest is left
// out: every caller pays for each byte of it and needs it for nothing.
func (o *offered) outputSchema() (json.RawMessage, error) {
	schema, err := generic(o.OutputSchema())
	if err != nil {
		return nil, err
	}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for name := range properties {
		o.optional[name] = !slices.Contains(required, any(name))
	}
	small := compact(schema, describedLevels)
	small["required"] = required
	if members, is := small["properties"].(map[string]any); is && o.dryRun {
		for _, name := range onlyDone {
			if _, has := members[name]; has && o.optional[name] {
				delete(members, name)
			} else if has {
				members[name] = map[string]any{"type": "object"}
			}
		}
	}
	if o.output, err = resolved(small); err != nil {
		return nil, err
	}
	if o.confirmed() {
		admitPending(small)
	}
	return json.Marshal(small)
}

// admitPending lets a schema hold what the gateway answers by itself to a call that did nothing: of what a function answers it
// has the day alone.
func admitPending(schema map[string]any) {
	schema["required"] = []string{"date"}
	if members, is := schema["properties"].(map[string]any); is {
		text := map[string]any{"type": "string"}
		members["confirmation"] = map[string]any{"type": "string", "enum": []string{stateRequired, stateDeclined, stateCancelled}}
		members[tokenName], members["expires_at"], members["summary"] = text, text, text
	}
}

// resolved makes a schema fit to validate with.
func resolved(plain map[string]any) (*jsonschema.Resolved, error) {
	data, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, err
	}
	return schema.Resolve(nil)
}

// generic reads a schema as plain values.
func generic(schema *jsonschema.Schema) (map[string]any, error) {
	data, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	var plain map[string]any
	err = json.Unmarshal(data, &plain)
	return plain, err
}

// compact keeps of a schema its types and members, so many levels of them, and the words of what stands at its top.
func compact(schema map[string]any, levels int) map[string]any {
	small := map[string]any{"type": schema["type"]}
	if types, several := schema["type"].([]any); several { // there are clients that know one type at a time
		branches := make([]any, 0, len(types))
		for _, one := range types {
			branches = append(branches, map[string]any{"type": one})
		}
		small = map[string]any{"anyOf": branches}
	}
	if levels <= 0 {
		return small
	}
	if items, is := schema["items"].(map[string]any); is {
		small["items"] = compact(items, 0) // that there are rows, and of what type
	}
	properties, _ := schema["properties"].(map[string]any)
	members := map[string]any{}
	for name, member := range properties {
		if member, is := member.(map[string]any); is {
			kept := compact(member, levels-1)
			if enum, has := member["enum"]; has && levels == describedLevels {
				kept["enum"] = enum
			}
			members[name] = kept
		}
	}
	if len(members) > 0 {
		small["properties"] = members
	}
	return small
}

// arguments are those of a call, checked.
type arguments struct {
	input  json.RawMessage // for the function
	token  string          // for us: what confirms the call
	dryRun bool
}

// check reads the arguments of a call: an object that holds only known names, and the dry run where there is no other.
// What the values must be is the function's to say.
func (o *offered) check(raw json.RawMessage) (in arguments, err error) {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		raw = json.RawMessage("{}")
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return in, functions.Errorf(functions.InvalidArgument, "the arguments of %s are not an object", o.Name).WithHint(o.known())
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(o.arguments, name) {
			unknown = append(unknown, fmt.Sprintf("%.40q", name))
		}
	}
	if len(unknown) > 0 {
		return in, functions.Errorf(functions.InvalidArgument, "%s does not take %s",
			o.Name, strings.Join(unknown[:min(len(unknown), 5)], ", ")).WithHint(o.known())
	}
	if in.dryRun = string(given["dry_run"]) == "true"; o.dryRun && !in.dryRun {
		return in, functions.Errorf(functions.PermissionDenied, "%s needs the scope %s; its dry run does not", o.Name, functions.ScopeAct).
			WithHint("send dry_run true: it shows what would happen and changes nothing")
	}
	if token, has := given[tokenName]; has {
		if json.Unmarshal(token, &in.token) != nil || in.token == "" {
			return in, functions.Errorf(functions.InvalidArgument, "confirm_token is no token").WithHint(askAgain)
		}
		delete(given, tokenName)
	}
	// Written anew: a key that is there twice means the same to the function as it meant here.
	in.input, err = json.Marshal(given)
	return in, err
}

func (o *offered) known() string { return "known: " + strings.Join(o.arguments, ", ") }
