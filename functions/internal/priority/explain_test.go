package priority_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/rules"
)

// office is a warehouse with the queue of today built, and the archive that was written on the way.
type office struct {
	warehouse *warehouse.Warehouse
	archive   archive.Archive
	papers    string
	built     *rulebook.Book
}

func builtOffice(t *testing.T) office {
	t.Helper()
	ctx := t.Context()
	o := office{papers: t.TempDir(), built: changedRules(t, "reason: \"{retention_status} +", "reason: \"{median_revenue} median, {retention_status} +")}
	o.warehouse = stocked(t,
		sound("anna", "ACTIVE", 20, "HIGH", "3847.10"), sound("ben", "AT_RISK", 60, "HIGH", "100"),
		sound("cleo", "INACTIVE", 120, "HIGH", "50.505"), sound("dora", "ACTIVE", 3, "LOW", "900"),
		customer{"eve", "'GONE'", "3", "'LOW'", "0", "false", "10", "1"})
	var err error
	if o.archive, err = archive.Open(ctx, "file://"+o.papers); err != nil {
		t.Fatal(err)
	}
	b := priority.Builder{
		Queues: o.warehouse, Archive: o.archive, KeepDays: 90,
		Now: func() time.Time { return time.Date(2026, 1, 12, 6, 0, 0, 0, time.UTC) },
	}
	a, err := priority.Assess(ctx, o.warehouse, o.built, nil, today)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(ctx, o.built, a, priority.Options{Override: &functions.Override{By: "Ada", Why: "few customers"}}); err != nil {
		t.Fatal(err)
	}
	return o
}

// changedRules are the shipped rules with every such text replaced.
func changedRules(t *testing.T, old, replacement string) *rulebook.Book {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"fields.yaml", "priority.yaml", "playbooks.yaml", "rollout.yaml"} {
		data, err := rules.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(data), old, replacement))}
	}
	book, err := rulebook.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	if book.Version() == shipped(t).Version() {
		t.Fatalf("the rules do not hold %q", old)
	}
	return book
}

func (o office) explain(ctx context.Context, book *rulebook.Book, id string, date functions.Date) (functions.Explanation, error) {
	e := priority.Explainer{Queues: o.warehouse, Customers: o.warehouse, Archive: o.archive, Book: book}
	return e.Explain(ctx, id, date)
}

// TestEveryRowIsExplainedByTheRulesThatMadeIt explains the rows when the rules have changed since, and when they have
// not: the receipt comes to what the row holds, with the median of that day.
func TestEveryRowIsExplainedByTheRulesThatMadeIt(t *testing.T) {
	t.Parallel()
	o := builtOffice(t)
	stock(t, o.warehouse, sound("anna", "INACTIVE", 500, "LOW", "1")) // the tables tell of another day by now
	if _, err := o.warehouse.Driver().(interface{ DB() *sql.DB }).DB().ExecContext(t.Context(),
		"UPDATE alert_logic SET alert_date = DATE '2026-01-13'"); err != nil {
		t.Fatal(err)
	}
	for name, book := range map[string]*rulebook.Book{"the same rules": o.built, "changed rules": shipped(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rows []retention.QueueRow
			err := o.warehouse.Queue(t.Context(), today, "", func(row retention.QueueRow) error {
				rows = append(rows, row)
				return nil
			})
			if err != nil || len(rows) != 3 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, row := range rows {
				got, err := o.explain(t.Context(), book, row.CustomerID, today)
				if err != nil {
					t.Fatal(err)
				}
				if got.Tier != row.Tier || got.RuleID != row.RuleID || got.Score.Score != row.Score || got.Reason.Text != row.Reason ||
					got.Action.Text != row.Action || !got.ValueProxy.Value.Equal(row.ValueProxy.Decimal) || len(got.Differences) > 0 {
					t.Errorf("%+v was explained by %+v", row, got)
				}
				if got.Origin != functions.OriginQueue || *got.Date != today || got.RulesVersion != o.built.Version() || got.MedianRevenue.String() != "500" {
					t.Errorf("explained %s of %s by %s, median %s", got.Origin, got.Date, got.RulesVersion, got.MedianRevenue)
				}
			}
		})
	}
}

func TestWhoHasNoRowIsJudgedFromTheTables(t *testing.T) {
	t.Parallel()
	o := builtOffice(t)
	got, err := o.explain(t.Context(), shipped(t), "dora", today)
	if err != nil {
		t.Fatal(err)
	}
	if got.Tier != "" || got.Origin != functions.OriginTables || *got.Date != today || len(got.Rules) != 3 || got.RulesVersion != shipped(t).Version() {
		t.Errorf("got %+v", got)
	}
	if got, err = o.explain(t.Context(), shipped(t), "eve", today); err != nil || len(got.SetAside) != 1 || got.SetAside[0].Issue != "unknown_status" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestARowThatSomebodyChangedIsTold(t *testing.T) {
	t.Parallel()
	o := builtOffice(t)
	db := o.warehouse.Driver().(interface{ DB() *sql.DB }).DB()
	if _, err := db.ExecContext(t.Context(), "UPDATE customer_priority SET priority_score = 99.9, recommended_action = 'nothing' WHERE customer_id = 'anna'"); err != nil {
		t.Fatal(err)
	}
	got, err := o.explain(t.Context(), shipped(t), "anna", today)
	if err != nil {
		t.Fatal(err)
	}
	want := []functions.StoredDifference{
		{What: "score", Stored: "99.9", Rules: "93.2"},
		{What: "action", Stored: "nothing", Rules: "VIP outreach + 10% loyalty incentive"},
	}
	if diff := cmp.Diff(want, got.Differences); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeExplainedIsSaid(t *testing.T) {
	t.Parallel()
	yesterday := civil.Date{Year: 2026, Month: time.January, Day: 11}
	tests := map[string]struct {
		id           string
		date         functions.Date
		lose         string // of the archive
		replace      string // with this text
		code         functions.Code
		detail, hint string
	}{
		"nobody of that name": {
			id: "zoe", date: today, code: functions.NotFound,
			detail: `there is no customer "zoe" among the 5 customers of 2026-01-12`,
		},
		"an older day without the customer": {
			id: "dora", date: yesterday, code: functions.NotFound,
			detail: `customer "dora" is not in the queue of 2026-01-11, which holds 0 customers`, hint: "2026-01-12",
		},
		"the rules are not in the archive": {
			id: "anna", date: today, lose: "rules/VERSION", code: functions.FailedPrecondition,
			detail: "the archive does not hold the rules of version VERSION", hint: "RETENTIONOPS_ARCHIVE",
		},
		"one file of the rules is not in the archive": {
			id: "anna", date: today, lose: "rules/VERSION/fields.yaml", code: functions.FailedPrecondition,
			detail: "the archive does not hold the rules of version VERSION",
		},
		"the rules in the archive were changed": {
			id: "anna", date: today, lose: "rules/VERSION/priority.yaml", replace: "SHIPPED", code: functions.FailedPrecondition,
			detail: "the rules in the archive under version VERSION are of version ",
		},
		"the rules in the archive are broken": {
			id: "anna", date: today, lose: "rules/VERSION/priority.yaml", replace: "rules: nonsense", code: functions.FailedPrecondition,
			detail: "the rules of version VERSION cannot be read any more",
		},
		"the building is not in the archive": {
			id: "anna", date: today, lose: "queues/2026-01-12.json", code: functions.FailedPrecondition,
			detail: "the archive does not hold what the queue of 2026-01-12 was built from",
		},
		"the building in the archive is another": {
			id: "anna", date: today, lose: "queues/2026-01-12.json", replace: `{"rules_version": "0123456789ab"}`, code: functions.FailedPrecondition,
			detail: "the archive holds the building of the queue of 2026-01-12 by rules 0123456789ab; the row is of VERSION",
		},
		"the building in the archive is of another hour": {
			id: "anna", date: today, lose: "queues/2026-01-12.json",
			replace: `{"rules_version": "VERSION", "built_at": "2026-01-12T07:00:00Z"}`, code: functions.FailedPrecondition,
			detail: "the archive holds another building of the queue of 2026-01-12 than the one that the row is of",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := builtOffice(t)
			filled := strings.NewReplacer("VERSION", o.built.Version())
			if tc.lose != "" {
				lost := filepath.Join(o.papers, filepath.FromSlash(filled.Replace(tc.lose)))
				if _, err := os.Stat(lost); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(lost); err != nil {
					t.Fatal(err)
				}
				content := []byte(filled.Replace(tc.replace))
				if tc.replace == "SHIPPED" {
					content = shipped(t).Files()["priority.yaml"]
				}
				if tc.replace != "" {
					if err := os.WriteFile(lost, content, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, err := o.explain(t.Context(), shipped(t), tc.id, tc.date)
			problem := functions.ProblemOf(err, "run")
			if problem.Code != tc.code || !strings.HasPrefix(problem.Detail, filled.Replace(tc.detail)) || !strings.Contains(problem.Hint, tc.hint) {
				t.Errorf("got %+v", problem)
			}
		})
	}
}
