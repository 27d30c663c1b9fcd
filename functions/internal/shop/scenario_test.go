package shop_test

import (
	"strings"
	"testing"
)

func TestReceiverTakesWhatSlackAndJiraWouldTake(t *testing.T) {
	t.Parallel()
	const create = `{\"fields\":{\"project\":{\"key\":\"R\"},\"issuetype\":{\"name\":\"Task\"},\"summary\":\"s\"}}`
	const edit = `{\"fields\":{\"summary\":\"s\"}}`
	tests := map[string]struct{ rest, receipt, screen string }{
		"blocks and a request": {
			`"slack_blocks":"[{},{},{}]","jira_body":"` + create + `"`,
			`{"receipt":"done","slack_message_ts":"1768204800.123456","ticket_id":"RET-2401"}`, "3 blocks with this text",
		},
		"a ticket that is there is updated": {
			`"ticket":{"update":"RET-7"},"jira_body":"` + edit + `"`,
			`{"receipt":"done","slack_message_ts":"1768204800.123456","ticket_id":"RET-7"}`, "would update Jira RET-7",
		},
		"an edit opens no ticket": {
			`"jira_body":"` + edit + `"`,
			`{"receipt":"partial","slack_message_ts":"1768204800.123456"}`, "Jira would refuse the ticket",
		},
		"a request that a quote has broken": {
			`"jira_body":"{\"fields\":{\"summary\":\"a \"quote\"\"}}"`,
			`{"receipt":"partial","slack_message_ts":"1768204800.123456"}`, "ticket none",
		},
		"blocks that a quote has broken": {
			`"slack_blocks":"[{\"text\":\"a \"quote\"\"}]"`,
			`{"receipt":"partial","ticket_id":"RET-2401"}`, "Slack would refuse the message",
		},
		"the flat payload": {
			`"message":"look here"`,
			`{"receipt":"done","slack_message_ts":"1768204800.123456","ticket_id":"RET-2401"}`, "  | look here\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHook(t)
			body := `{"date":"2026-01-12","severity":"WARNING",` + test.rest + `}`
			if _, receipt, _ := send(t, signedRequest(t, h.url, hookSecret, "id", body, hookTime)); receipt != test.receipt {
				t.Errorf("receipt %s, want %s", receipt, test.receipt)
			}
			if !strings.Contains(h.screen.String(), test.screen) {
				t.Errorf("screen lacks %q:\n%s", test.screen, h.screen)
			}
		})
	}
}
