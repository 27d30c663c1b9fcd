package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"

	"github.com/retentionops/retentionops/functions"
)

//go:embed testdata/answers/*.json
var answers embed.FS

// canned answers each call at once with what the function said of a made-up shop: what is left to measure is the way.
type canned map[string]json.RawMessage

func newCanned() (canned, error) {
	all := canned{}
	for _, tool := range functions.Tools {
		data, err := answers.ReadFile("testdata/answers/" + tool.Name + ".json")
		if err != nil {
			return nil, err
		}
		all[tool.Name] = data
	}
	return all, nil
}

// Call implements gateway.Caller.
func (c canned) Call(
	_ context.Context, tool *functions.Tool, _ json.RawMessage, _ func(functions.Progress),
) (json.RawMessage, error) {
	answer, has := c[tool.Name]
	if !has {
		return nil, fmt.Errorf("there is no answer for %s", tool.Name)
	}
	return answer, nil
}
