package blueprint_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

const folder = "../../../artifacts/make"

// blueprint is a scenario as Make exports and imports it. What is not named here may not stand in one: connections,
// hooks and data stores belong to an account, and the rest is written by the exporter only.
type blueprint struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Flow        []*module `json:"flow"`
	Metadata    struct {
		Version  int             `json:"version"`
		Scenario map[string]any  `json:"scenario"`
		Designer json.RawMessage `json:"designer"`
	} `json:"metadata"`
}

type module struct {
	ID         int             `json:"id"`
	Module     string          `json:"module"`
	Version    int             `json:"version"`
	Parameters map[string]any  `json:"parameters"`
	Mapper     json.RawMessage `json:"mapper"`
	Filter     *struct {
		Name       string      `json:"name"`
		Conditions [][]operand `json:"conditions"`
	} `json:"filter"`
	Routes []struct {
		Flow []*module `json:"flow"`
	} `json:"routes"`
	Branches []branch  `json:"branches"`
	Outputs  []output  `json:"outputs"`
	OnError  []*module `json:"onerror"`
	Metadata struct {
		Designer *struct {
			X *float64 `json:"x"`
			Y *float64 `json:"y"`
		} `json:"designer"`
	} `json:"metadata"`
}

type branch struct {
	Type       string      `json:"type"`
	Label      string      `json:"label"`
	Conditions [][]operand `json:"conditions"`
	Merge      bool        `json:"merge"`
	Flow       []*module   `json:"flow"`
}

// output is what a merge hands on: the mapping of the branch that ran.
type output struct {
	Name     string   `json:"name"`
	Mappings []string `json:"mappings"`
}

// operand is a comparison: the outer list of conditions is joined by or, the inner by and.
type operand struct {
	A string  `json:"a"`
	O string  `json:"o"`
	B *string `json:"b"`
}

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func read(text []byte) (*blueprint, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	read := new(blueprint)
	return read, decoder.Decode(read)
}

func shipped(tb testing.TB, name string) *blueprint {
	tb.Helper()
	read, err := read(file(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	return read
}

// all goes over every module, those of routes, branches and error routes included.
func (b *blueprint) all() []*module { return within(b.Flow) }

func within(flow []*module) []*module {
	var found []*module
	for _, m := range flow {
		found = append(found, m)
		for _, route := range m.Routes {
			found = append(found, within(route.Flow)...)
		}
		for _, branch := range m.Branches {
			found = append(found, within(branch.Flow)...)
		}
		found = append(found, within(m.OnError)...)
	}
	return found
}

// texts are the texts of a module in which references may stand.
func (m *module) texts() []string {
	var found []string
	var collect func(value any)
	collect = func(value any) {
		switch value := value.(type) {
		case string:
			found = append(found, value)
		case []any:
			for _, one := range value {
				collect(one)
			}
		case map[string]any:
			for _, one := range value {
				collect(one)
			}
		}
	}
	collect(m.mapped())
	conditions := [][]operand{}
	if m.Filter != nil {
		conditions = append(conditions, m.Filter.Conditions...)
	}
	for _, branch := range m.Branches {
		conditions = append(conditions, branch.Conditions...)
	}
	for _, all := range conditions {
		for _, one := range all {
			found = append(found, one.A)
			if one.B != nil {
				found = append(found, *one.B)
			}
		}
	}
	return found
}

// mapped is the mapper as values; nothing when there is none.
func (m *module) mapped() map[string]any {
	var values map[string]any
	if len(m.Mapper) > 0 && json.Unmarshal(m.Mapper, &values) != nil {
		return map[string]any{"": string(m.Mapper)}
	}
	return values
}

// expression is what stands between braces; reference is a field of a module in it.
var (
	expression = regexp.MustCompile(`\{\{(.*?)\}\}`)
	reference  = regexp.MustCompile(`\b(\d+)((?:\.[A-Za-z_][A-Za-z0-9_]*)+)`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// ref is a reference to a field of another module.
type ref struct {
	id   int
	path string // such as .slack.text
}

func references(text string) []ref {
	var found []ref
	for _, inside := range expression.FindAllStringSubmatch(text, -1) {
		for _, at := range reference.FindAllStringSubmatch(quoted.ReplaceAllString(inside[1], ""), -1) {
			id, _ := strconv.Atoi(at[1])
			found = append(found, ref{id, at[2]})
		}
	}
	return found
}

func (m *module) String() string { return fmt.Sprintf("module %d (%s)", m.ID, m.Module) }
