package mcp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
)

// maxResult bounds what an answer puts into an assistant's memory.
const maxResult = 64 << 10

// result makes a tool's answer: its own bytes as structured content, so that every digit stays, and a short text that
// stands alone.
func (o *offered) result(answer json.RawMessage) (*mcpgo.CallToolResult, error) {
	var loose any // its numbers are floats: for the look at their types alone
	if err := json.Unmarshal(answer, &loose); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", o.Name, err)
	}
	if err := o.output.Validate(loose); err != nil {
		return nil, fmt.Errorf("the answer of %s is not what the contract promises: %w", o.Name, err)
	}
	text, err := o.text(answer)
	if err != nil {
		return nil, fmt.Errorf("put the answer of %s into words: %w", o.Name, err)
	}
	var left []string
	if len(answer) > maxResult {
		value, err := plain(answer)
		if err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", o.Name, err)
		}
		if answer, left, err = shorten(value, o.optional, maxResult); err != nil {
			return nil, err
		}
	}
	if len(text) > maxResult {
		text = strings.ToValidUTF8(text[:maxResult], "") + "…"
		left = append(left, "the end of the text")
	}
	out := mcpgo.NewToolResultStructured(answer, text)
	if len(left) > 0 {
		notice := fmt.Sprintf("Shortened to %d KB. Left out: %s. Ask for less at a time: %s.",
			maxResult>>10, strings.Join(left, "; "), o.known())
		out.Content = append(out.Content, mcpgo.NewTextContent(notice))
	}
	return out, nil
}

// plain reads JSON with its numbers as they are written.
func plain(data json.RawMessage) (value map[string]any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err = decoder.Decode(&value); err == nil && value == nil {
		err = errors.New("it is no object")
	}
	return value, err
}

// shorten takes rows out of an answer until it fits, from its longest list each time, and then what may be missing.
// What is left is as the contract promises. It tells what was taken.
func shorten(value map[string]any, optional map[string]bool, limit int) (data json.RawMessage, left []string, err error) {
	taken := map[string]int{}
	for {
		if data, err = json.Marshal(value); err != nil || len(data) <= limit {
			break
		}
		if found := longest("", value); found.cut != nil {
			excess := len(data) - limit
			kept := min(max(found.rows*(found.size-excess)/found.size*19/20, 1), found.rows-1)
			taken[found.name] += found.rows - kept
			found.cut(kept)
			continue
		}
		name, size := "", 0
		for member, may := range optional {
			if encoded, _ := json.Marshal(value[member]); may && value[member] != nil && len(encoded) > size {
				name, size = member, len(encoded)
			}
		}
		if name == "" {
			return nil, nil, functions.Errorf(functions.TooLarge, "the answer is larger than %d KB", limit>>10).WithHint("ask for less at a time")
		}
		delete(value, name)
		left = append(left, fmt.Sprintf("%s (%d KB)", name, size>>10))
	}
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		left = append(left, fmt.Sprintf("%d of %s", taken[name], name))
	}
	return data, left, err
}

// list is a list inside an answer.
type list struct {
	name       string // where it stands
	rows, size int
	cut        func(keep int)
}

// longest finds the list that takes the most room and has more than one row.
func longest(path string, value map[string]any) (found list) {
	for name, member := range value {
		at := strings.TrimPrefix(path+"."+name, ".")
		switch member := member.(type) {
		case map[string]any:
			if inner := longest(at, member); inner.size > found.size {
				found = inner
			}
		case []any:
			encoded, _ := json.Marshal(member)
			if len(member) > 1 && len(encoded) > found.size {
				found = list{name: at, rows: len(member), size: len(encoded), cut: func(keep int) { value[name] = member[:keep] }}
			}
		}
	}
	return found
}

// problemKey is where an error stands in the _meta of a result, for programs.
const problemKey = "retentionops/problem"

// problem makes of an error what an assistant can read and mend by itself. Of an error that is not the contract's it
// learns an id alone, under which the text is logged. It is no structured content: clients hold that against the schema
// of the tool's answers, error or not, and throw away what does not fit.
func problem(err error, id string) *mcpgo.CallToolResult {
	document := functions.ProblemOf(err, id)
	lines := []string{cmp.Or(document.Detail, document.Title) + "."}
	if document.Hint != "" {
		lines = append(lines, "Hint: "+document.Hint+".")
	}
	lines = append(lines, fmt.Sprintf("(code %s, run_id %s)", document.Code, document.RunID))
	out := mcpgo.NewToolResultError(strings.Join(lines, " "))
	content := map[string]any{"code": document.Code, "detail": document.Detail, "hint": document.Hint, "run_id": document.RunID}
	if document.Result != nil {
		if encoded, err := json.Marshal(document.Result); err == nil && len(encoded) <= maxResult {
			content["result"] = json.RawMessage(encoded)
			out.Content = append(out.Content, mcpgo.NewTextContent(string(encoded)))
		}
	}
	out.Meta = mcpgo.NewMetaFromMap(map[string]any{problemKey: content})
	return out
}
