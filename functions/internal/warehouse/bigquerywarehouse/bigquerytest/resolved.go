package bigquerytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Resolved is a statement as the engine understood it.
type Resolved struct {
	Kind string // such as resolvedQueryStmtNode

	node map[string]any
}

func newResolved(answer json.RawMessage) (*Resolved, error) {
	var tree struct {
		ResolvedStatement map[string]any
	}
	if err := json.Unmarshal(answer, &tree); err != nil {
		return nil, err
	}
	// A statement stands in the nodes of what it is a kind of, each with one field.
	r := &Resolved{node: tree.ResolvedStatement}
	for {
		kind, below := only(r.node)
		if below == nil || !strings.HasSuffix(kind, "Node") {
			break
		}
		r.Kind, r.node = kind, below
	}
	if r.Kind == "" {
		return nil, fmt.Errorf("the engine resolved nothing: %s", answer)
	}
	return r, nil
}

// only is the one field of a node that has no other.
func only(node map[string]any) (name string, below map[string]any) {
	if len(node) != 1 {
		return "", nil
	}
	for name, value := range node {
		below, _ = value.(map[string]any)
		return name, below
	}
	return "", nil
}

// at walks down a tree by names of fields.
func at(node map[string]any, names ...string) map[string]any {
	for _, name := range names {
		node, _ = node[name].(map[string]any)
	}
	return node
}

func list(node map[string]any, name string) []map[string]any {
	values, _ := node[name].([]any)
	nodes := make([]map[string]any, 0, len(values))
	for _, value := range values {
		if node, is := value.(map[string]any); is {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

func word(node map[string]any, name string) string {
	text, _ := node[name].(string)
	return text
}

// Reads are the tables that the statement reads rows of, each once, the one that it writes left out.
func (r *Resolved) Reads() []string {
	var names []string
	walk(r.node, func(key string, node map[string]any) {
		if name := word(at(node, "table"), "fullName"); key == "resolvedTableScanNode" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return names
}

// Writes is the table that the statement writes or makes; empty when it only reads.
func (r *Resolved) Writes() string {
	switch r.Kind {
	case "resolvedInsertStmtNode", "resolvedDeleteStmtNode":
		return word(at(r.node, "tableScan", "table"), "fullName")
	case "resolvedCreateTableStmtNode":
		return path(at(r.node, "parent", "parent"))
	case "resolvedAlterTableStmtNode":
		return path(at(r.node, "parent"))
	default:
		return ""
	}
}

func path(node map[string]any) string {
	var names []string
	values, _ := node["namePath"].([]any)
	for _, value := range values {
		names = append(names, fmt.Sprint(value))
	}
	return strings.Join(names, ".")
}

// walk visits every node of a tree with the name of its field.
func walk(value any, visit func(key string, node map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			if node, is := below.(map[string]any); is {
				visit(key, node)
			}
			walk(below, visit)
		}
	case []any:
		for _, below := range v {
			walk(below, visit)
		}
	}
}

// insertColumns are the columns that an INSERT names, in its order.
func (r *Resolved) insertColumns() []string {
	var names []string
	for _, column := range list(r.node, "insertColumnList") {
		names = append(names, word(column, "name"))
	}
	return names
}

// options are the options that a statement sets, as the engine writes their values.
func options(node map[string]any) map[string]map[string]any {
	set := map[string]map[string]any{}
	for _, option := range list(node, "optionList") {
		set[word(option, "name")] = at(option, "value", "resolvedLiteralNode", "value", "value")
	}
	return set
}

// altered are the options that an ALTER TABLE sets.
func (r *Resolved) altered() map[string]map[string]any {
	for _, action := range list(at(r.node, "parent"), "alterActionList") {
		if set := at(action, "resolvedSetOptionsActionNode"); set != nil {
			return options(set)
		}
	}
	return nil
}

// Definition is what a CREATE TABLE says.
type Definition struct {
	Name       string
	Columns    []Column
	Defaults   map[string]string // the SQL of each column's default
	Partition  string            // the column
	PartitionF string            // the function around it, such as date; empty when there is none
	Clustering []string
	Options    map[string]map[string]any
	IfMissing  bool
	clusters   []map[string]any
	partitions []map[string]any
	primaryKey map[string]any
}

// Definition reads a CREATE TABLE.
func (r *Resolved) Definition() (*Definition, error) {
	base := at(r.node, "parent")
	d := &Definition{
		Name: r.Writes(), Options: options(base), Defaults: map[string]string{},
		IfMissing:  word(at(base, "parent"), "createMode") == "CREATE_IF_NOT_EXISTS",
		partitions: list(r.node, "partitionByList"), clusters: list(r.node, "clusterByList"), primaryKey: at(base, "primaryKey"),
	}
	for _, node := range list(base, "columnDefinitionList") {
		sqlType, err := sqlTypeOf(word(at(node, "type"), "typeKind"))
		if err != nil {
			return nil, err
		}
		notNull, _ := at(node, "annotations")["notNull"].(bool)
		d.Columns = append(d.Columns, Column{Name: word(node, "name"), Type: sqlType, Required: notNull})
		if fallback := at(node, "defaultValue"); fallback != nil {
			d.Defaults[word(node, "name")] = word(fallback, "sql")
		}
	}
	for _, node := range d.clusters {
		d.Clustering = append(d.Clustering, word(at(node, "resolvedColumnRefNode", "column"), "name"))
	}
	if len(d.partitions) > 0 {
		node := d.partitions[0]
		if call := at(node, "resolvedFunctionCallBaseNode", "resolvedFunctionCallNode", "parent"); call != nil {
			_, d.PartitionF, _ = strings.Cut(word(at(call, "function"), "name"), ":")
			if arguments := list(call, "argumentList"); len(arguments) > 0 {
				node = arguments[0]
			}
		}
		d.Partition = word(at(node, "resolvedColumnRefNode", "column"), "name")
	}
	return d, nil
}
