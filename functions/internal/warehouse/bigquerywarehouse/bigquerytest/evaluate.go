package bigquerytest

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Param is a named parameter of a statement.
type Param struct {
	Name, Type string
	Value      Value
}

// Table is a table with its rows. It is known by its whole name: project.dataset.table.
type Table struct {
	Name    string
	Columns []Column
	Key     []int // columns that tell rows apart: the engine needs them for a DELETE
	Rows    [][]Value
}

// request is what every call with a statement consists of.
func (e *Engine) request(statement string, params []Param, tables []*Table) map[string]any {
	parameters := []any{}
	for _, p := range params {
		parameters = append(parameters, map[string]any{"name": p.Name, "type": engineType(p.Type)})
	}
	catalog := []any{}
	for i, table := range tables {
		columns := []any{}
		for _, column := range table.Columns {
			columns = append(columns, map[string]any{"name": column.Name, "type": engineType(column.Type)})
		}
		catalog = append(catalog, map[string]any{
			"name": table.Name, "fullName": table.Name, "serializationId": i + 1, "column": columns, "primaryKeyColumnIndex": table.Key,
		})
	}
	return map[string]any{
		"options": map[string]any{
			"languageOptions": e.language, "parameterMode": "PARAMETER_NAMED", "queryParameters": parameters,
			"errorMessageMode": "ERROR_MESSAGE_ONE_LINE", "defaultTimezone": "UTC",
		},
		"simpleCatalog": map[string]any{
			"name": "catalog", "table": catalog, "builtinFunctionOptions": map[string]any{"languageOptions": e.language},
		},
		"descriptorPoolList": map[string]any{"definitions": []any{map[string]any{"builtin": map[string]any{}}}},
		"sql":                statement,
	}
}

// Analyze resolves a statement against the tables and gives the resolved tree in its JSON form.
func (e *Engine) Analyze(ctx context.Context, statement string, params []Param, tables []*Table) (*Resolved, error) {
	request := e.request(statement, params, tables)
	delete(request, "sql")
	request["sqlStatement"] = statement
	answer, err := e.call(ctx, "Analyze", request)
	if err != nil {
		return nil, err
	}
	return newResolved(answer)
}

// Query evaluates a query over the tables' rows.
func (e *Engine) Query(ctx context.Context, statement string, params []Param, tables []*Table) ([]Column, [][]Value, error) {
	answer, err := e.call(ctx, "EvaluateQuery", e.filled(statement, params, tables))
	if err != nil {
		return nil, nil, err
	}
	var result struct {
		Content struct {
			TableData struct {
				Row []struct{ Cell []valueProto }
			}
		}
		Prepared struct {
			Columns []struct {
				Name string
				Type struct{ TypeKind string }
			}
		}
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return nil, nil, err
	}
	var columns []Column
	for _, column := range result.Prepared.Columns {
		sqlType, err := sqlTypeOf(column.Type.TypeKind)
		if err != nil {
			return nil, nil, fmt.Errorf("column %s: %w", column.Name, err)
		}
		columns = append(columns, Column{Name: column.Name, Type: sqlType})
	}
	rows := make([][]Value, len(result.Content.TableData.Row))
	for i, row := range result.Content.TableData.Row {
		for _, cell := range row.Cell {
			value, err := cell.value()
			if err != nil {
				return nil, nil, err
			}
			rows[i] = append(rows[i], value)
		}
	}
	return columns, rows, nil
}

// filled is a request with the rows of the tables that the statement names.
func (e *Engine) filled(statement string, params []Param, tables []*Table) map[string]any {
	request := e.request(statement, params, tables)
	contents := map[string]any{}
	for _, table := range tables {
		rows := []any{}
		if !strings.Contains(statement, table.Name) {
			contents[table.Name] = map[string]any{"tableData": map[string]any{}}
			continue
		}
		for _, row := range table.Rows {
			cells := []any{}
			for i, value := range row {
				// The engine takes 4 MB, so what the statement does not name stays here.
				if !slices.Contains(table.Key, i) && !strings.Contains(statement, table.Columns[i].Name) {
					value = nil
				}
				cells = append(cells, toEngine(value))
			}
			rows = append(rows, map[string]any{"cell": cells})
		}
		contents[table.Name] = map[string]any{"tableData": map[string]any{"row": rows}}
	}
	request["tableContent"] = contents
	values := []any{}
	for _, p := range params {
		values = append(values, map[string]any{"name": p.Name, "value": toEngine(p.Value)})
	}
	request["params"] = values
	return request
}

// Delete evaluates a DELETE and answers the keys of the rows that it takes away; the table stays as it is.
func (e *Engine) Delete(ctx context.Context, statement string, params []Param, tables []*Table) (table string, keys [][]Value, err error) {
	answer, err := e.call(ctx, "EvaluateModify", e.filled(statement, params, tables))
	if err != nil {
		return "", nil, err
	}
	var result struct {
		TableName string
		Content   []struct {
			Operation     string
			OldPrimaryKey []valueProto
		}
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return "", nil, err
	}
	for _, row := range result.Content {
		if row.Operation != "DELETE" {
			return "", nil, fmt.Errorf("a row is to be changed by %s", row.Operation)
		}
		var key []Value
		for _, cell := range row.OldPrimaryKey {
			value, err := cell.value()
			if err != nil {
				return "", nil, err
			}
			key = append(key, value)
		}
		keys = append(keys, key)
	}
	return result.TableName, keys, nil
}

var comments = regexp.MustCompile(`(?m)--.*$`)

// queryOf is the query whose rows an INSERT writes: the engine dies of evaluating the INSERT itself.
func queryOf(insert string) (string, error) {
	text := comments.ReplaceAllString(insert, "")
	at := strings.Index(text, "SELECT")
	if at < 0 {
		return "", fmt.Errorf("the fake knows no INSERT without SELECT")
	}
	return text[at:], nil
}
