package playbook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

const (
	testID    = "rop_2026-01-12_WARNING_production"
	testRunID = "01KEXAMPLERUN"
)

// TestEveryStatus walks every status that an answer can have and says what it means without a body that proves
// anything: sent again or not, and what is known of the delivery.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	want := expectation{webhookID: testID, runID: testRunID, required: true}
	for status := 200; status <= 599; status++ {
		state, retry := functions.DeliveryRefused, false
		switch {
		case status < 300:
			state = functions.DeliveryUnconfirmed
		case status == 429 || status >= 500:
			state, retry = functions.DeliveryUnconfirmed, true
		}
		got := classify(status, []byte("Accepted"), want)
		if got.state != state || got.retry != retry {
			t.Errorf("status %d: got %s, retry %t; want %s, retry %t", status, got.state, got.retry, state, retry)
		}
		if got.why == "" || (state == functions.DeliveryRefused) != (got.mend != "") {
			t.Errorf("status %d: why %q, mend %q: every answer has a why, and a final no has a mend", status, got.why, got.mend)
		}
		if status == 200 {
			continue
		}
		// A receipt counts with status 200 only.
		got = classify(status, []byte(`{"receipt":"done","ticket_id":"RET-1"}`), want)
		if got.state == functions.DeliveryConfirmed {
			t.Errorf("status %d with a receipt is confirmed; only 200 may be", status)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const (
		confirmed, accepted   = functions.DeliveryConfirmed, functions.DeliveryAccepted
		unconfirmed, refused  = functions.DeliveryUnconfirmed, functions.DeliveryRefused
		required, notRequired = true, false
	)
	tests := []struct {
		name     string
		status   int
		body     string
		required bool
		state    functions.DeliveryState
		retry    bool
		slack    proof
		ticket   proof
	}{
		{"a receipt with both ids confirms", 200, `{"receipt":"done","run_id":"01KEXAMPLERUN","slack_message_ts":"1768204800.000100","ticket_id":"RET-2401"}`, required, confirmed, false, "1768204800.000100", "RET-2401"},
		{"a receipt with only a message confirms", 200, `{"receipt":"done","slack_message_ts":"1768204800.000100"}`, required, confirmed, false, "1768204800.000100", ""},
		{"a receipt with only a ticket confirms", 200, `{"receipt":"done","ticket_id":"RET-2401"}`, required, confirmed, false, "", "RET-2401"},
		{"a receipt without its word confirms", 200, ` {"slack_message_ts":"1768204800.000100"}`, required, confirmed, false, "1768204800.000100", ""},
		{"a receipt confirms also where none is asked for", 200, `{"receipt":"done","ticket_id":"RET-2401"}`, notRequired, confirmed, false, "", "RET-2401"},
		{"an id mapped without quotes keeps every digit", 200, `{"receipt":"done","slack_message_ts":1768204800.000100}`, required, confirmed, false, "1768204800.000100", ""},
		{"a duplicate comes with the first receipt", 200, `{"receipt":"duplicate","slack_message_ts":"1.2","ticket_id":"RET-1"}`, required, confirmed, false, "1.2", "RET-1"},
		{"a duplicate without a first receipt proves nothing", 200, `{"receipt":"duplicate","slack_message_ts":"","ticket_id":null}`, required, unconfirmed, false, "", ""},
		{"a duplicate without a first receipt is all that some hooks can say", 200, `{"receipt":"duplicate"}`, notRequired, accepted, false, "", ""},
		{"a part is not accepted where no receipt is asked for", 200, `{"receipt":"partial","ticket_id":"RET-1"}`, notRequired, unconfirmed, false, "", "RET-1"},
		{"a receipt of another run is not accepted either", 200, `{"receipt":"done","run_id":"01KANOTHERRUN"}`, notRequired, unconfirmed, false, "", ""},
		{"the echoed ids are ours", 200, `{"receipt":"done","run_id":"01KEXAMPLERUN","idempotency_key":"rop_2026-01-12_WARNING_production","webhook_id":"rop_2026-01-12_WARNING_production","ticket_id":"RET-1"}`, required, confirmed, false, "", "RET-1"},
		{"a receipt of another run is not ours", 200, `{"receipt":"done","run_id":"01KANOTHERRUN","ticket_id":"RET-1"}`, required, unconfirmed, false, "", ""},
		{"a receipt of another message is not ours", 200, `{"receipt":"done","idempotency_key":"rop_2026-01-11_WARNING_production","ticket_id":"RET-1"}`, required, unconfirmed, false, "", ""},
		{"done without any id proves nothing", 200, `{"receipt":"done","slack_message_ts":"  ","ticket_id":""}`, required, unconfirmed, false, "", ""},
		{"a first message still in work is asked for again", 200, `{"receipt":"in_progress"}`, required, unconfirmed, true, "", ""},
		{"a partial run is not confirmed, and what ran is kept", 200, `{"receipt":"partial","slack_message_ts":"1.2"}`, required, unconfirmed, false, "1.2", ""},
		{"an expired message was dropped", 200, `{"receipt":"expired"}`, required, refused, false, "", ""},
		{"an expired message was dropped also where no receipt is asked for", 200, `{"receipt":"expired"}`, notRequired, refused, false, "", ""},
		{"an unknown word proves nothing", 200, `{"receipt":"failed","ticket_id":"RET-1"}`, required, unconfirmed, false, "", ""},
		{"Accepted only says that it lies in a queue", 200, "Accepted", required, unconfirmed, false, "", ""},
		{"Accepted is all that some hooks can say", 200, "Accepted", notRequired, accepted, false, "", ""},
		{"JSON of another kind is no receipt", 200, `{"status":"success","id":"0192"}`, required, unconfirmed, false, "", ""},
		{"JSON of another kind is what some hooks can say", 200, `{"status":"success","id":"0192"}`, notRequired, accepted, false, "", ""},
		{"no content is all that some hooks can say", 204, "", notRequired, accepted, false, "", ""},
		{"half a receipt is none", 200, `{"receipt":"done","ticket_id":"RET`, required, unconfirmed, false, "", ""},
		{"half a receipt is none also where none is asked for", 200, `{"receipt":"done","ticket_id":"RET`, notRequired, unconfirmed, false, "", ""},
		{"an id with a line break is none", 200, `{"receipt":"done","ticket_id":"RET-1\nx"}`, required, unconfirmed, false, "", ""},
		{"an object in place of an id is none", 200, `{"receipt":"done","ticket_id":{"key":"RET-1"}}`, required, unconfirmed, false, "", ""},
		{"a list is no receipt", 200, `[{"receipt":"done","ticket_id":"RET-1"}]`, required, unconfirmed, false, "", ""},
		{"more than 64 KiB is not read", 200, `{"receipt":"done","ticket_id":"RET-1","x":"` + strings.Repeat("x", maxAnswer) + `"}`, required, unconfirmed, false, "", ""},
		{"a full queue passes", 400, "Queue is full.", required, unconfirmed, true, "", ""},
		{"a full queue passes however it is written", 400, `{"error":"QUEUE IS FULL"}`, required, unconfirmed, true, "", ""},
		{"a body that does not fit the hook is final", 400, "Validation failed for 2 parameter(s).", required, refused, false, "", ""},
		{"a hook without a scenario is final", 410, "There is no scenario listening for this webhook.", required, refused, false, "", ""},
		{"a deleted hook is final", 410, "Webhook not found.", required, refused, false, "", ""},
		{"too many requests pass", 429, "Too many requests", notRequired, unconfirmed, true, "", ""},
		{"a wrong key is final", 401, "Unauthorized", notRequired, refused, false, "", ""},
		{"a redirect is final", 302, "", notRequired, refused, false, "", ""},
		{"a failed scenario is tried again", 500, "Scenario failed to complete.", required, unconfirmed, true, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := classify(test.status, []byte(test.body), expectation{webhookID: testID, runID: testRunID, required: test.required})
			type seen struct {
				State         functions.DeliveryState
				Retry         bool
				Slack, Ticket proof
			}
			if diff := cmp.Diff(seen{test.state, test.retry, test.slack, test.ticket},
				seen{got.state, got.retry, got.receipt.SlackMessageTS, got.receipt.TicketID}); diff != "" {
				t.Errorf("(-want +got):\n%s\nwhy: %s", diff, got.why)
			}
		})
	}
}

func TestAForgedAnswerNeverConfirms(t *testing.T) {
	t.Parallel()
	for _, required := range []bool{true, false} {
		for _, status := range []int{200, 202, 204} {
			got := classify(status, []byte(`{"receipt":"done","ticket_id":"RET-1"}`),
				expectation{webhookID: testID, runID: testRunID, required: required, forged: true})
			if got.state != functions.DeliveryUnconfirmed || got.retry {
				t.Errorf("status %d, receipt required %t: got %s, retry %t", status, required, got.state, got.retry)
			}
		}
	}
}

// FuzzClassify looks for an answer that confirms without proof, or whose text gets into our own words.
func FuzzClassify(f *testing.F) {
	for _, body := range []string{
		"Accepted", `{"receipt":"done","ticket_id":"RET-1"}`, `{"receipt":"partial","slack_message_ts":1.20}`,
		`{"receipt":"duplicate"}`, `{"Receipt":"done","TICKET_ID":"x"}`, "", "{", `{"ticket_id":[]}`,
	} {
		f.Add(200, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		got := classify(status, body, expectation{webhookID: testID, runID: testRunID, required: true})
		if got.state == functions.DeliveryConfirmed &&
			(status != 200 || !json.Valid(body) || got.receipt.TicketID == "" && got.receipt.SlackMessageTS == "") {
			t.Errorf("confirmed without proof: %d %q", status, body)
		}
		for _, id := range []proof{got.receipt.SlackMessageTS, got.receipt.TicketID} {
			if id != "" && !soundProof.MatchString(string(id)) {
				t.Errorf("unsound id %q", id)
			}
		}
		if len(body) > 200 && bytes.Contains([]byte(got.why+got.mend), body) {
			t.Errorf("the answer is repeated: %q", got.why)
		}
	})
}

func ExampleKey() {
	date := functions.Date{Year: 2026, Month: 1, Day: 12}
	fmt.Println(Key(date, functions.Warning, functions.PhaseProduction))
	// Output: rop_2026-01-12_WARNING_production
}
