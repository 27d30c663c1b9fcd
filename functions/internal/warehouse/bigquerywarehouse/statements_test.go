package bigquerywarehouse_test

import (
	"database/sql"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse/bigquerytest"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
	"github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/warehousetest"
)

// statement is what the tests know of an embedded file.
type statement struct {
	params []bigquerytest.Param
	reads  []string // tables
	writes string   // the table
	// compared are the arguments with which the statement of the same name gives the same rows in DuckDB; empty when that
	// has none.
	compared []comparison
}

// comparison is one execution of a statement on both engines.
type comparison struct {
	values []any // of params
	args   []any // of DuckDB's statement
}

var sunday, tuesday = monday.AddDays(-1), monday.AddDays(1)

var statements = map[string]statement{
	"alert": {
		params: params("date", "DATE"), reads: []string{inputs + "alert_logic"},
		compared: []comparison{
			{[]any{nil}, []any{nil}}, {[]any{sunday}, []any{sunday.String()}}, {[]any{monday}, []any{monday.String()}}, {[]any{tuesday}, []any{tuesday.String()}},
		},
	},
	"customers": {
		reads: []string{
			inputs + "alert_logic", inputs + "base_customers", inputs + "churn_detection", inputs + "retention_snapshot",
		},
		compared: []comparison{{}},
	},
	"exclusions": {reads: []string{inputs + warehousetest.ExclusionsTable}},
	"queue": {
		params: params("date", "DATE", "tier", "STRING"), reads: []string{ours + "customer_priority"},
		compared: []comparison{
			{[]any{monday, ""}, []any{monday.String(), ""}},
			{[]any{monday, "P2"}, []any{monday.String(), "P2"}},
			{[]any{sunday, ""}, []any{sunday.String(), ""}},
			{[]any{tuesday, ""}, []any{tuesday.String(), ""}},
		},
	},
	"queue_summary": {
		params: params("date", "DATE"), reads: []string{ours + "customer_priority"},
		compared: []comparison{
			{[]any{tuesday}, []any{tuesday.String()}}, {[]any{sunday}, []any{sunday.String()}}, {[]any{sunday.AddDays(-1)}, []any{sunday.AddDays(-1).String()}},
		},
	},
	"queue_state": {params: params("date", "DATE", "expire_before", "DATE"), reads: []string{ours + "customer_priority"}},
	"runs": {
		params: params("run_id", "STRING", "sent", "BOOL", "limit", "INT64", "since", "TIMESTAMP", "before", "TIMESTAMP"),
		reads:  []string{ours + "ops_runs_log"},
		compared: []comparison{
			runsCompared("", false, 100, driver.RunQuery{}), runsCompared("", true, 100, driver.RunQuery{}),
			runsCompared("01B", false, 100, driver.RunQuery{}), runsCompared("", false, 2, driver.RunQuery{}),
			runsCompared("", false, 100, driver.RunQuery{Since: began}), runsCompared("", false, 100, driver.RunQuery{Before: began}),
		},
	},
	"empty_day":                {params: params("date", "DATE"), writes: ours + "customer_priority"},
	"expire":                   {params: params("expire_before", "DATE"), writes: ours + "customer_priority"},
	"append_run":               {params: runParams(), reads: []string{ours + "ops_runs_log"}, writes: ours + "ops_runs_log"},
	"create_customer_priority": {writes: ours + "customer_priority"},
	"expire_customer_priority": {writes: ours + "customer_priority"},
	"create_ops_runs_log":      {writes: ours + "ops_runs_log"},
}

// runsCompared reads the log by both engines.
func runsCompared(runID string, sent bool, limit int, began driver.RunQuery) comparison {
	since, before := began.Span()
	return comparison{[]any{runID, sent, int64(limit), since, before}, []any{runID, sent, limit, since, before}}
}

func params(pairs ...string) (made []bigquerytest.Param) {
	for i := 0; i < len(pairs); i += 2 {
		made = append(made, bigquerytest.Param{Name: pairs[i], Type: pairs[i+1]})
	}
	return made
}

// runParams are the columns of the log: each has a parameter of its name.
func runParams() (made []bigquerytest.Param) {
	types := map[bigquery.FieldType]string{bigquery.IntegerFieldType: "INT64", bigquery.FloatFieldType: "FLOAT64", bigquery.BooleanFieldType: "BOOL"}
	for _, field := range bigquerywarehouse.RunsSchema {
		name := types[field.Type]
		if name == "" {
			name = string(field.Type)
		}
		made = append(made, bigquerytest.Param{Name: field.Name, Type: name})
	}
	return made
}

// text is a statement with what it lacks put in.
func text(w *bigquerywarehouse.Warehouse, name string) string {
	return strings.NewReplacer("EXPIRY_DAYS", "90", "TABLE`", warehousetest.ExclusionsTable+"`").Replace(w.SQL(name))
}

func TestEveryStatementIsKnownToTheTests(t *testing.T) {
	t.Parallel()
	w := connectNowhere(t)
	for _, name := range w.Statements() {
		if _, known := statements[name]; !known {
			t.Errorf("sql/%s.sql has no case in the tests", name)
		}
	}
	for name := range statements {
		if w.SQL(name) == "" {
			t.Errorf("there is no sql/%s.sql", name)
		}
	}
}

func TestEveryStatementIsUnderstoodAndWritesOnlyToOurTables(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Inputs{})
	w := connect(t, server, place)
	for name, s := range statements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resolved, err := server.Engine().Analyze(t.Context(), text(w, name), s.params, server.Tables())
			if err != nil {
				t.Fatal(err)
			}
			if err := resolved.CheckRules(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(s.reads, resolved.Reads()); diff != "" {
				t.Errorf("tables read (-want +got):\n%s", diff)
			}
			if got := resolved.Writes(); got != s.writes || strings.HasPrefix(got, inputs) {
				t.Errorf("it writes %q, want %q", got, s.writes)
			}
		})
	}
}

func TestTheDDLMakesTheColumnsThatAreLoadedAndChecked(t *testing.T) {
	t.Parallel()
	server := serve(t, warehousetest.Inputs{})
	w := connect(t, server, place)
	for name, schema := range map[string]bigquery.Schema{
		"create_customer_priority": bigquerywarehouse.QueueSchema, "create_ops_runs_log": bigquerywarehouse.RunsSchema,
	} {
		resolved, err := server.Engine().Analyze(t.Context(), text(w, name), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		definition, err := resolved.Definition()
		if err != nil {
			t.Fatal(err)
		}
		types := map[bigquery.FieldType]string{bigquery.IntegerFieldType: "INT64", bigquery.FloatFieldType: "FLOAT64", bigquery.BooleanFieldType: "BOOL"}
		var want []bigquerytest.Column
		for _, field := range schema {
			column := bigquerytest.Column{Name: field.Name, Type: string(field.Type), Required: field.Required}
			if known := types[field.Type]; known != "" {
				column.Type = known
			}
			want = append(want, column)
		}
		if diff := cmp.Diff(want, definition.Columns); diff != "" {
			t.Errorf("columns of %s (-stated +made):\n%s", name, diff)
		}
		if definition.Defaults["created_at"] != "CURRENT_TIMESTAMP()" || !definition.IfMissing {
			t.Errorf("%s: defaults %v, if missing %v", name, definition.Defaults, definition.IfMissing)
		}
	}
}

// queues are written to both engines: ties in the order of work, a NULL mean, amounts of all digits, an ugly id.
func queues() map[functions.Date][]retention.QueueRow {
	row := func(date functions.Date, id string, tier functions.Tier, score float64, revenue string) retention.QueueRow {
		money, err := functions.ParseMoney(revenue)
		if err != nil {
			panic(err)
		}
		return retention.QueueRow{
			RunDate: date, CustomerID: id, Status: functions.Active, RiskLevel: functions.RiskHigh, RiskScore: 70, Tier: tier, Score: score,
			Reason: "why", DaysSinceLastOrder: 24, TotalRevenue: money, TotalOrders: 3, ValueProxy: money, Action: "call", RuleID: "p1",
			RulesVersion: "0123456789ab", FrequencyDrop: true, CreatedAt: time.Date(2026, 1, 12, 6, 30, 0, 123456000, time.UTC),
		}
	}
	mean := row(monday, "0007", functions.P2, 75.5, "12345678901234567890123456789.123456789")
	mean.AvgOrderValue = sql.Null[functions.Money]{V: mean.TotalRevenue, Valid: true}
	return map[functions.Date][]retention.QueueRow{
		monday: {
			row(monday, "z", functions.P1, 94.512345678901234, "0.000000001"), mean, row(monday, "10", functions.P2, 75.5, "0.1"),
			row(monday, "9", functions.P2, 80, "0.2"), row(monday, "Ä; 客户\n🧵 \"'", functions.P2, 75.5, "-1"), row(monday, "c", functions.P3, 100, "0"),
		},
		sunday: {row(sunday, "c", functions.P3, 50, "10")},
	}
}

// began is when the last of the runs began.
var began = time.Date(2026, 1, 12, 6, 0, 0, 1000, time.UTC)

// runs are written to both: a begin and its end of one moment, an end that came first, a run without anything, one with two ends.
func runs() []retention.Run {
	at := began.Add(-time.Microsecond)
	flag, value, count := true, 25.2, int64(8069)
	full := retention.Run{
		RunID: "01B", RunTimestamp: at, AlertDate: &monday, Severity: functions.Warning, AlertFlag: &flag, CurrentValue: &value, SampleSize: &count,
		P1Count: &count, SlackPosted: true, TicketID: "RET-1", Status: functions.RunSuccess, Phase: functions.PhaseProduction,
		DeliveryState: functions.DeliveryConfirmed, WebhookAttempts: 2, DryRun: true, ErrorMessage: "it's \"quoted\" 客户", CreatedAt: at,
	}
	begun := full
	begun.Status, begun.DeliveryState = functions.RunRunning, functions.DeliveryNone
	return []retention.Run{
		full, begun,
		{RunID: "01A", RunTimestamp: at, Status: functions.RunRunning, CreatedAt: at},
		{RunID: "01D", RunTimestamp: at, Status: functions.RunFailed, CreatedAt: at},
		{RunID: "01D", RunTimestamp: at, Status: functions.RunSuccess, CreatedAt: at.Add(time.Second)},
		{RunID: "01C", RunTimestamp: at.Add(time.Microsecond), Status: functions.RunFailed, DeliveryState: functions.DeliveryAccepted, CreatedAt: at},
	}
}

func fill(t *testing.T, w driver.Warehouse) {
	t.Helper()
	for date, rows := range queues() {
		if _, err := w.ReplaceQueue(t.Context(), date, rows, functions.Date{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range runs() {
		if err := w.AppendRun(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBothEnginesGiveTheSameRows(t *testing.T) {
	t.Parallel()
	in, _ := warehousetest.Ugly()
	server := serve(t, in)
	w := connect(t, server, place)
	duck := embedded(t, in)
	fill(t, w)
	fill(t, duck)
	for name, s := range statements {
		for i, c := range s.compared {
			t.Run(fmt.Sprintf("%s %d", name, i+1), func(t *testing.T) {
				t.Parallel()
				given := slices.Clone(s.params)
				for i, value := range c.values {
					given[i].Value = value
				}
				_, got, err := server.Engine().Query(t.Context(), text(w, name), given, server.Tables())
				if err != nil {
					t.Fatal(err)
				}
				want := duckRows(t, duck, name, c.args)
				if name == "queue_summary" { // neither engine is told an order
					slices.SortFunc(want, compareRows)
				}
				rows := texts(got)
				if name == "queue_summary" {
					slices.SortFunc(rows, compareRows)
				}
				if diff := cmp.Diff(want, rows); diff != "" {
					t.Errorf("rows (-DuckDB +BigQuery):\n%s", diff)
				}
				if name == "customers" && len(rows) < 10 {
					t.Errorf("the fixture has %d rows", len(rows))
				}
			})
		}
	}
}

func compareRows(a, b []string) int { return slices.Compare(a, b) }

// embedded is an embedded warehouse with the same inputs.
func embedded(t *testing.T, in warehousetest.Inputs) *duckdbwarehouse.Warehouse {
	t.Helper()
	w, err := duckdbwarehouse.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	types := map[string]string{"STRING": "VARCHAR", "INT64": "BIGINT", "FLOAT64": "DOUBLE", "NUMERIC": "DECIMAL(38,9)"}
	for _, table := range inputTables(in) {
		name := strings.TrimPrefix(table.Name, inputs)
		var columns, places []string
		for _, column := range table.Columns {
			kind := column.Type
			if known := types[kind]; known != "" {
				kind = known
			}
			columns, places = append(columns, column.Name+" "+kind), append(places, "CAST(? AS "+kind+")")
		}
		run(t, w, "CREATE TABLE "+name+" ("+strings.Join(columns, ", ")+")")
		for _, row := range table.Rows {
			args := make([]any, len(row))
			for i, value := range row {
				switch v := value.(type) {
				case civil.Date:
					args[i] = v.String()
				case *big.Rat:
					args[i] = v.FloatString(9)
				default:
					args[i] = v
				}
			}
			run(t, w, "INSERT INTO "+name+" VALUES ("+strings.Join(places, ", ")+")", args...)
		}
	}
	return w
}

func run(t *testing.T, w *duckdbwarehouse.Warehouse, statement string, args ...any) {
	t.Helper()
	if _, err := w.DB().ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// duckRows runs DuckDB's statement of the same name.
func duckRows(t *testing.T, w *duckdbwarehouse.Warehouse, name string, args []any) [][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../duckdbwarehouse/sql", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := w.DB().QueryContext(t.Context(), string(data), args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]any
	for rows.Next() {
		row := make([]any, len(columns))
		places := make([]any, len(columns))
		for i := range row {
			places[i] = &row[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return texts(all)
}

// texts writes rows so that those of both engines can be compared; amounts keep every digit.
func texts(rows [][]any) [][]string {
	written := make([][]string, len(rows))
	for i, row := range rows {
		for _, value := range row {
			written[i] = append(written[i], oneText(value))
		}
	}
	return written
}

func oneText(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case duckdb.Decimal:
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Scale)), nil)
		return new(big.Rat).SetFrac(v.Value, scale).FloatString(9)
	case *big.Rat:
		return v.FloatString(9)
	case civil.Date:
		return v.In(time.UTC).Format(time.RFC3339Nano)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	default:
		return fmt.Sprint(v)
	}
}
