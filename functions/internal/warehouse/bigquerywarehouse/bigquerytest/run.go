package bigquerytest

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// run runs a statement on the tables.
func (s *Server) run(ctx context.Context, q *queryConfig) ([]Column, [][]Value, error) {
	resolved, params, err := s.resolve(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	if limit, err := strconv.ParseInt(q.MaximumBytesBilled, 10, 64); err == nil && s.bytesOf(resolved) > limit {
		return nil, nil, refuse(http.StatusBadRequest, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: %d", limit)
	}
	if resolved.Kind == "resolvedQueryStmtNode" {
		columns, rows, err := s.engine.Query(ctx, q.Query, params, s.Tables())
		if err != nil {
			return nil, nil, sqlFault(err)
		}
		return columns, rows, nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	switch resolved.Kind {
	case "resolvedInsertStmtNode":
		err = s.insertRows(ctx, resolved, q.Query, params)
	case "resolvedDeleteStmtNode":
		err = s.deleteRows(ctx, q.Query, params)
	case "resolvedCreateTableStmtNode":
		err = s.create(resolved)
	case "resolvedAlterTableStmtNode":
		err = s.alter(resolved)
	default:
		err = fmt.Errorf("it knows no %s", resolved.Kind)
	}
	return nil, nil, err
}

// resolve has the engine analyse a statement, and keeps the rules that the engine does not.
func (s *Server) resolve(ctx context.Context, q *queryConfig) (*Resolved, []Param, error) {
	if q.UseLegacySQL == nil || *q.UseLegacySQL {
		return nil, nil, fmt.Errorf("it knows no legacy SQL")
	}
	params, err := q.paramsOf()
	if err != nil {
		return nil, nil, err
	}
	resolved, err := s.engine.Analyze(ctx, q.Query, params, s.Tables())
	if err != nil {
		return nil, nil, sqlFault(err)
	}
	if err := resolved.CheckRules(); err != nil {
		return nil, nil, refuse(http.StatusBadRequest, "invalidQuery", "%v", err)
	}
	return resolved, params, nil
}

// dryRun judges a statement without running it.
func (s *Server) dryRun(ctx context.Context, asked *job, q *queryConfig) (any, error) {
	resolved, _, err := s.resolve(ctx, q)
	if err != nil {
		return nil, err
	}
	answer := asked.told()
	answer["status"] = map[string]any{"state": "DONE"}
	answer["statistics"] = map[string]any{"creationTime": "1768199400000", "totalBytesProcessed": strconv.FormatInt(s.bytesOf(resolved), 10)}
	return answer, nil
}

// bytesOf is the size of the tables that a statement reads, all of their columns: more than BigQuery would bill.
func (s *Server) bytesOf(resolved *Resolved) (bytes int64) {
	for _, name := range append(resolved.Reads(), resolved.Writes()) {
		t := s.table(name)
		if t == nil {
			continue
		}
		for _, row := range t.Rows {
			for _, value := range row {
				switch v := value.(type) {
				case nil:
				case string:
					bytes += int64(len(v)) + 2
				case bool:
					bytes++
				default:
					bytes += 8
				}
			}
		}
	}
	return bytes
}

// insertRows appends the rows that an INSERT's query gives.
func (s *Server) insertRows(ctx context.Context, resolved *Resolved, statement string, params []Param) error {
	query, err := queryOf(statement)
	if err != nil {
		return err
	}
	_, rows, err := s.engine.Query(ctx, query, params, s.Tables())
	if err != nil {
		return sqlFault(err)
	}
	changed := *s.table(resolved.Writes())
	changed.Rows = slices.Clone(changed.Rows)
	names := resolved.insertColumns()
	for _, given := range rows {
		row := make([]Value, len(changed.Columns))
		for i, column := range changed.Columns {
			if at := slices.Index(names, column.Name); at >= 0 {
				row[i] = given[at]
			}
			if column.Required && row[i] == nil {
				return refuse(http.StatusBadRequest, "invalidQuery", "Required field %s cannot be null", column.Name)
			}
		}
		changed.Rows = append(changed.Rows, row)
	}
	s.replace(&changed)
	return nil
}

// deleteRows takes away the rows that a DELETE names.
func (s *Server) deleteRows(ctx context.Context, statement string, params []Param) error {
	name, keys, err := s.engine.Delete(ctx, statement, params, s.Tables())
	if err != nil {
		return sqlFault(err)
	}
	changed := *s.table(name)
	changed.Rows = slices.DeleteFunc(slices.Clone(changed.Rows), func(row []Value) bool {
		return slices.ContainsFunc(keys, func(key []Value) bool {
			for i, at := range changed.Key {
				if !reflect.DeepEqual(row[at], key[i]) {
					return false
				}
			}
			return true
		})
	})
	s.replace(&changed)
	return nil
}

// create makes a table by its DDL.
func (s *Server) create(resolved *Resolved) error {
	d, err := resolved.Definition()
	if err != nil {
		return err
	}
	if dataset := d.Name[:strings.LastIndex(d.Name, ".")]; !slices.Contains(s.Datasets, dataset) {
		return notFound("Dataset %s", dataset)
	}
	if s.table(d.Name) != nil {
		if d.IfMissing {
			return nil
		}
		return refuse(http.StatusConflict, "duplicate", "Already Exists: Table %s", d.Name)
	}
	days, err := expiryOf(d.Options)
	if err != nil {
		return err
	}
	made := &stored{Table: Table{Name: d.Name, Columns: d.Columns}, partition: d.Partition, clustering: d.Clustering, expiryDays: days}
	// The engine wants keys for a DELETE, and BigQuery has none: the first two columns tell our rows apart.
	made.Key = []int{0, 1}
	s.replace(made)
	return nil
}

// alter sets the expiry of a table.
func (s *Server) alter(resolved *Resolved) error {
	t := s.table(resolved.Writes())
	if t == nil {
		return notFound("Table %s", resolved.Writes())
	}
	changed := *t
	days, err := expiryOf(resolved.altered())
	if err != nil {
		return err
	}
	changed.expiryDays = days
	s.replace(&changed)
	return nil
}

// expired says whether rows of a day are dropped as they arrive.
func (s *Server) expired(t *stored, day civil.Date) bool {
	today := s.Today
	if today.IsZero() {
		today = civil.DateOf(time.Now().UTC())
	}
	return t.expiryDays > 0 && day.AddDays(t.expiryDays).Before(today)
}

// nameOf splits the name of a load job's table into the table's and the day behind the $.
func nameOf(project, dataset, table string) (name, day string) {
	table, day, _ = strings.Cut(table, "$")
	return project + "." + dataset + "." + table, day
}
