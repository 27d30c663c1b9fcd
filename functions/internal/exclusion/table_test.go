package exclusion_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

func TestAListInATable(t *testing.T) {
	t.Parallel()
	opened, err := warehouse.Open(t.Context(), "duckdb::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	run := func(statement string) {
		t.Helper()
		if _, err := opened.Driver().(interface{ DB() *sql.DB }).DB().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	from := exclusion.Reader{
		Settings: exclusion.Settings{List: "table:opted_out", Key: key},
		Table:    func(context.Context) (exclusion.Table, error) { return opened, nil },
	}
	refused := func(want string) {
		t.Helper()
		list, err := from.Read(t.Context())
		if problem := functions.ProblemOf(err, ""); list != nil || problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, want) {
			t.Errorf("got %v, %v, want %q", list, err, want)
		}
	}
	refused("the warehouse has no table opted_out")
	run("CREATE TABLE opted_out (id VARCHAR)")
	refused("the table opted_out has no column customer_id")
	run("CREATE OR REPLACE TABLE opted_out (customer_id VARCHAR)")
	if list, err := from.Read(t.Context()); err != nil || list.Len() != 0 {
		t.Errorf("an empty table: %d, %v", list.Len(), err)
	}
	run("INSERT INTO opted_out VALUES ('C1'), (NULL), (''), ('" + exclusion.Hash(key, "C2") + "')")
	list, err := from.Read(t.Context())
	if err != nil || !list.Has("C1") || !list.Has("C2") || list.Has("C3") || list.Len() != 2 || list.Hashes() != 1 {
		t.Errorf("got %+v, %v", list, err)
	}
	run("INSERT INTO opted_out VALUES ('sha256:00')")
	refused("an entry of the exclusion list begins like a hash and is none")
	from.Settings.List = "table:opted_out; DROP TABLE opted_out"
	refused("this is no name of a table")
	from.Settings.List = "table:"
	refused("this is no name of a table")
}
