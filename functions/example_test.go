package functions_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/retentionops/retentionops/functions"
)

// A gateway knows every tool without linking one.
func Example() {
	for _, tool := range functions.Tools {
		fmt.Printf("%-24s %-15s %s\n", tool.Name, tool.Scope, tool.Title)
	}
	// Output:
	// get_alert_decision       retention:read  Alert decision of a day
	// get_operational_context  retention:read  Customers by status and risk
	// build_priority_queue     retention:act   Build the priority queue
	// generate_brief           retention:read  Brief for a manager
	// export_audience          retention:act   Export an audience
	// trigger_playbook         retention:act   Run the playbook
}

func ExampleTool_InputSchema() {
	schema, err := json.Marshal(functions.GenerateBrief.InputSchema().Properties["format"])
	fmt.Println(string(schema), err)
	// Output:
	// {"type":"string","description":"form of the brief","default":"markdown","enum":["markdown","slack","email","teams"]} <nil>
}

func ExampleExportAudienceInput_Check() {
	err := functions.ExportAudienceInput{Date: functions.Latest, Tier: "P4"}.Check()
	if fault, ok := errors.AsType[*functions.Error](err); ok {
		fmt.Println(fault.Detail)
		fmt.Println(fault.Hint)
	}
	// Output:
	// tier "P4" is not known
	// valid: P1, P2, P3
}

// The caller gets the detail and the hint; the cause stays in the log, under the run id.
func ExampleProblemOf() {
	err := functions.Errorf(functions.NotFound, "there is no alert on 2026-01-13").
		WithHint("the newest is 2026-01-12").WithCause(errors.New("query job 42: 0 rows"))
	problem, encodeErr := functions.Marshal(functions.ProblemOf(err, "01JRUN"))
	fmt.Println(string(problem), encodeErr)
	// Output:
	// {"type":"urn:retentionops:problem:not_found","title":"Not found","status":404,"detail":"there is no alert on 2026-01-13","code":"not_found","run_id":"01JRUN","hint":"the newest is 2026-01-12"} <nil>
}

func ExampleMoney() {
	revenue, err := functions.ParseMoney("12345678901234567.10")
	if err != nil {
		fmt.Println(err)
		return
	}
	fifteen, err := functions.ParseMoney("0.15")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := functions.Marshal(revenue.Plus(fifteen))
	fmt.Println(string(answer), err)
	// Output: 12345678901234567.25 <nil>
}
