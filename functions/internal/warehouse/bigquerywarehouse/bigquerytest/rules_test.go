package bigquerytest_test

import (
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse/bigquerytest"
)

func TestMain(m *testing.M) { os.Exit(bigquerytest.Main(m)) }

func columns(pairs ...string) (made []bigquerytest.Column) {
	for i := 0; i < len(pairs); i += 2 {
		made = append(made, bigquerytest.Column{Name: pairs[i], Type: pairs[i+1]})
	}
	return made
}

// A table of every type, whose rows the engine is to give back as they are.
var things = bigquerytest.Table{
	Name: "p.d.things", Key: []int{0},
	Columns: columns("id", "STRING", "n", "INT64", "f", "FLOAT64", "b", "BOOL", "day", "DATE", "written", "TIMESTAMP", "money", "NUMERIC"),
	Rows: [][]bigquerytest.Value{
		{"a", int64(-1 << 63), 0.1, true, civil.Date{Year: 1969, Month: 12, Day: 31}, time.Date(2026, 1, 12, 6, 30, 0, 123456000, time.UTC), rat("-0.000000001")},
		{"客户 🧵", int64(1<<63 - 1), -1e300, false, civil.Date{Year: 2026, Month: 1, Day: 12}, time.Unix(0, 0).UTC(), rat("99999999999999999999999999999.999999999")},
		{"nothing", nil, nil, nil, nil, nil, nil},
		{"small", int64(0), 0.0, false, civil.Date{Year: 1970, Month: 1, Day: 1}, time.Unix(-1, 0).UTC(), rat("-99999999999999999999999999999.999999999")},
		{"edge", int64(128), 1.0, true, civil.Date{Year: 2, Month: 1, Day: 1}, time.Unix(1, 0).UTC(), rat("0.000000128")},
	},
}

func rat(text string) *big.Rat {
	r, _ := new(big.Rat).SetString(text)
	return r
}

func TestValuesGoToTheEngineAndBack(t *testing.T) {
	t.Parallel()
	got, rows, err := bigquerytest.TheEngine(t).Query(t.Context(), "SELECT id, n, f, b, day, written, money FROM `p.d.things`", nil, []*bigquerytest.Table{&things})
	if err != nil {
		t.Fatal(err)
	}
	inRats := cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(things.Columns, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(things.Rows, rows, inRats); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestWhatBigQueryRefusesIsRefused(t *testing.T) {
	t.Parallel()
	engine := bigquerytest.TheEngine(t)
	for statement, want := range map[string]string{
		// The engine refuses these.
		"SELECT nothing FROM `p.d.things`":                             "Unrecognized name",
		"SELECT id FROM `p.d.nowhere`":                                 "Table not found",
		"SELECT id FROM `p.d.things` WHERE id = @nobody":               "nobody",
		"SELECT id FROM `p.d.things` WHERE id = day":                   "No matching signature",
		"SELECT id::INT64 FROM `p.d.things`":                           "Syntax error",
		"SELECT id FROM `p.d.things` WHERE id ILIKE 'a'":               "Syntax error",
		"SELECT COUNT(*) FILTER (WHERE b) FROM `p.d.things`":           "Syntax error",
		"SELECT CAST(n AS VARCHAR) FROM `p.d.things`":                  "Type not found",
		"SELECT date_diff('day', day, day) FROM `p.d.things`":          "Could not cast",
		"SELECT 1 WHERE TRUE":                                          "FROM clause",
		"DELETE FROM `p.d.things`":                                     "WHERE",
		"DELETE FROM `p.d.things` WHERE b THEN RETURN id":              "not supported",
		"INSERT INTO `p.d.things` (nothing) SELECT 1":                  "nothing",
		"UPDATE `p.d.things` SET n = 1 WHERE b":                        "not supported",
		"TRUNCATE TABLE `p.d.things`":                                  "not supported",
		"CREATE TABLE `p.d.x` (id STRING) CLUSTER BY id DESC":          "Syntax error",
		"CREATE TABLE `p.d.x` (f FLOAT64) PARTITION BY f CLUSTER BY f": "floating point",
		// The rules refuse what the engine lets through.
		"CREATE TABLE `p.d.x` (id STRING) PARTITION BY id":                                                          "PARTITION BY a bare STRING",
		"CREATE TABLE `p.d.x` (written TIMESTAMP) PARTITION BY written":                                             "PARTITION BY a bare TIMESTAMP",
		"CREATE TABLE `p.d.x` (day DATE, written TIMESTAMP) PARTITION BY day, DATE(written)":                        "2 expressions",
		"CREATE TABLE `p.d.x` (day DATE, n INT64) PARTITION BY EXTRACT(YEAR FROM day)":                              "PARTITION BY $extract",
		"CREATE TABLE `p.d.x` (a STRING, b STRING, c STRING, d STRING, e STRING) CLUSTER BY a, b, c, d, e":          "CLUSTER BY 5 columns",
		"CREATE TABLE `p.d.x` (a STRING) CLUSTER BY UPPER(a)":                                                       "CLUSTER BY",
		"CREATE TABLE `p.d.x` (a STRING) OPTIONS (partition_expiry_days = 9)":                                       "no option",
		"CREATE TABLE `p.d.x` (a STRING) OPTIONS (partition_expiration_days = '9')":                                 "another type",
		"ALTER TABLE `p.d.things` SET OPTIONS (expires = 9)":                                                        "no option",
		"CREATE TABLE `p.d.x` (a STRING DEFAULT CONCAT('a', 'b'))":                                                  "the default of a",
		"CREATE TABLE `p.d.x` (a STRING, PRIMARY KEY (a))":                                                          "NOT ENFORCED",
		"INSERT OR IGNORE INTO `p.d.things` (id) SELECT 'a'":                                                        "INSERT OR_IGNORE",
		"INSERT OR REPLACE INTO `p.d.things` (id) SELECT 'a'":                                                       "INSERT OR_REPLACE",
		"CREATE TABLE `p.d.x` (day DATE, s STRING) PARTITION BY day CLUSTER BY s OPTIONS (friendly_name = 'sound')": "",
	} {
		resolved, err := engine.Analyze(t.Context(), statement, nil, []*bigquerytest.Table{&things})
		if err == nil {
			err = resolved.CheckRules()
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", statement, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", statement, err, want)
		}
	}
}

func TestATableIsToldToBeWritten(t *testing.T) {
	t.Parallel()
	engine := bigquerytest.TheEngine(t)
	for statement, want := range map[string]string{
		"SELECT id FROM `p.d.things`":                                          "",
		"DELETE FROM `p.d.things` WHERE b":                                     "p.d.things",
		"INSERT INTO `p.d.things` (id) SELECT id FROM `p.d.things`":            "p.d.things",
		"CREATE TABLE IF NOT EXISTS `p.d.things` (id STRING)":                  "p.d.things",
		"CREATE OR REPLACE TABLE `p.d.things` (id STRING)":                     "p.d.things",
		"ALTER TABLE `p.d.things` SET OPTIONS (partition_expiration_days = 1)": "p.d.things",
	} {
		resolved, err := engine.Analyze(t.Context(), statement, nil, []*bigquerytest.Table{&things})
		if err != nil {
			t.Fatal(err)
		}
		if got := resolved.Writes(); got != want {
			t.Errorf("%s writes %q, want %q", statement, got, want)
		}
	}
}
