package rulebook_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// The rules as shipped judge the customer of the source document's example.
func Example() {
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		fmt.Println(err)
		return
	}
	revenue, _ := functions.ParseMoney("3847")
	median, _ := functions.ParseMoney("625")
	customer := retention.Customer{
		ID: "17865", Rows: retention.SourceRows{Snapshot: 1, Churn: 1, Base: 1},
		Status:             sql.Null[string]{V: "ACTIVE", Valid: true},
		DaysSinceLastOrder: sql.Null[int64]{V: 24, Valid: true},
		RiskLevel:          sql.Null[string]{V: "HIGH", Valid: true},
		RiskScore:          sql.Null[int64]{V: 50, Valid: true},
		FrequencyDrop:      sql.Null[bool]{V: true, Valid: true},
		StatusInconsistent: sql.Null[bool]{V: false, Valid: true},
		ValueDrop:          sql.Null[bool]{V: false, Valid: true},
		TotalRevenue:       sql.Null[functions.Money]{V: revenue, Valid: true},
		TotalOrders:        sql.Null[int64]{V: 12, Valid: true},
	}
	fmt.Println("faults:", len(book.Vet(&customer)))
	verdict, err := book.NewJudge(median).Judge(&customer)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(verdict.Tier, verdict.Score, verdict.ValueProxy, "by", verdict.RuleID)
	fmt.Println(verdict.Reason)
	fmt.Println(verdict.Action)
	// Output:
	// faults: 0
	// P1 94.5 1154.1 by active-high
	// ACTIVE + HIGH risk (frequency drop), high value
	// VIP outreach + 10% loyalty incentive
}

// A fault is shown with its place and with what to write instead.
func ExampleCheck() {
	files := fstest.MapFS{}
	for _, name := range []string{"fields.yaml", "priority.yaml", "playbooks.yaml"} {
		data, _ := rules.FS.ReadFile(name)
		files[name] = &fstest.MapFile{Data: data}
	}
	files["rollout.yaml"] = &fstest.MapFile{Data: []byte(`phase: shadwo
phases:
  shadow:     {acts_on: [WARNING, CRITICAL], sends: no, folder: shadow}
  pilot:      {acts_on: [WARNING], sends: no, folder: pilot}
  production: {acts_on: [WARNING, CRITICAL], sends: no}
  disabled:   {acts_on: []}
`)}
	_, findings := rulebook.Check(files)
	fmt.Print(findings.Under("rules"))
	// Output:
	// rules/rollout.yaml:1:8: unknown phase "shadwo" (rules/unknown-value)
	//     1 | phase: shadwo
	//       |        ^^^^^^
	//    hint: did you mean shadow? valid: shadow, pilot, production, disabled
}

func ExampleFormat() {
	files := fstest.MapFS{}
	for _, name := range []string{"fields.yaml", "priority.yaml", "playbooks.yaml", "rollout.yaml", "priority_test.yaml"} {
		data, err := rules.FS.ReadFile(name)
		if err != nil {
			panic(err)
		}
		text := strings.Replace(string(data), "total_revenue: over high_value", `total_revenue: ">high_value"`, 1)
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	formatted, err := rulebook.Format(files)
	if err != nil {
		panic(err)
	}
	for _, change := range formatted.Under("rules") {
		fmt.Println(change)
	}
	// Output:
	// rules/priority.yaml:30:29: >high_value  ->  over high_value
}

func ExampleBook_Page() {
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		panic(err)
	}
	page, err := book.Page(rules.FS, functions.Date{Year: 2026, Month: 11, Day: 22})
	if err != nil {
		panic(err)
	}
	for _, section := range page.Sections[:3] {
		fmt.Println(section.Title)
	}
	// Output:
	// Who gets which tier
	// What to do
	// How customers of a tier are ranked
}

func ExampleAlarm_Holds() {
	book, err := rulebook.Load(rules.FS)
	if err != nil {
		panic(err)
	}
	for _, alarm := range book.Monitoring().Alarms {
		holds, known := alarm.Holds(map[string]float64{"success_rate": 88, "alerts": 3})
		fmt.Println(alarm.Name, holds, known)
	}
	// Output:
	// success-low true true
	// slow false false
	// too-sensitive false true
	// too-conservative false false
}

func ExampleBook_Silence() {
	files := fstest.MapFS{}
	for _, name := range rulebook.FileNames() {
		data, err := rules.FS.ReadFile(name)
		if err != nil {
			panic(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	files["silences.yaml"] = &fstest.MapFile{Data: []byte(`silences:
  - {from: 2026-12-21, to: 2026-12-27, who: Ann, why: Everybody is on holiday., severities: [WARNING]}
`)}
	book, err := rulebook.Load(files)
	if err != nil {
		panic(err)
	}
	christmas := functions.Date{Year: 2026, Month: 12, Day: 24}
	for _, severity := range []functions.Severity{functions.Warning, functions.Critical} {
		silence, silenced := book.Silence(christmas, severity)
		fmt.Println(severity, silenced, silence.Why)
	}
	// Output:
	// WARNING true Everybody is on holiday.
	// CRITICAL false
}
