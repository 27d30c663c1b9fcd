package shop_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/retentionops/retentionops/functions/internal/shop"
)

const (
	hookSecret  = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // 0123456789abcdef twice
	otherSecret = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	hookKey     = "the-key-of-the-hook"
	hookID      = "rop_2026-01-12_WARNING_production"
)

var hookTime = time.Date(2026, time.January, 12, 8, 0, 0, 123456000, time.UTC)

const warningPayload = `{"date":"2026-01-12","severity":"WARNING","alert_flag":true,"brief_markdown":"the brief",
	"metrics":{"current_value":25.2,"baseline_value":21.4,"delta_relative_pct":17.76},
	"priority_counts":{"p1":87,"p2":312,"p3":189},
	"export_urls":{"p1":"https://docs.google.com/p1","p2":"https://docs.google.com/p2"},
	"run_id":"run-1","expires_at":"2026-01-13T08:00:00Z","something_new":[1],
	"slack":{"channel":"#retention-alerts","mention":"nobody","text":"25.2 % are at risk","blocks":[{},{}]},
	"ticket":{"project":"RETENTION","type":"Task","priority":"High","title":"Retention Alert WARNING - 2026-01-12",
		"due":"2026-01-13T08:00:00Z","label":"rop_2026-01-12"}}`

// hook is a receiver behind real HTTP.
type hook struct {
	*shop.Receiver
	url    string
	screen *screen
}

// screen is what a person sees; written and read by different goroutines.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func newHook(t *testing.T) hook {
	t.Helper()
	h := hook{screen: &screen{}}
	receiver, err := shop.NewReceiver(shop.Options{
		Out: h.screen, Secrets: []string{hookSecret}, APIKey: hookKey, Now: func() time.Time { return hookTime },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	h.Receiver, h.url = receiver, server.URL+"/hook"
	return h
}

// signedRequest is a delivery as the playbook sends it.
func signedRequest(t *testing.T, url, secret, id, body string, at time.Time) *http.Request {
	t.Helper()
	key, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Make-Apikey", hookKey)
	request.Header.Set(webhooks.HeaderWebhookID, id)
	request.Header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	request.Header.Set(webhooks.HeaderWebhookSignature, signature)
	return request
}

// send gives status, body and headers of the answer.
func send(t *testing.T, request *http.Request) (int, string, http.Header) {
	t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body), answer.Header
}

func TestReceiverPlaysTheWarningScenario(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	status, body, header := send(t, signedRequest(t, h.url, hookSecret, hookID, warningPayload, hookTime))

	if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Errorf("answer: got %d %s, want 200 application/json", status, header.Get("Content-Type"))
	}
	want := `{"receipt":"done","run_id":"run-1","slack_message_ts":"1768204800.123456","ticket_id":"RET-2401"}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	key, err := webhooks.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.VerifyIgnoringTimestamp([]byte(body), header); err != nil {
		t.Errorf("signature of the answer: %v", err)
	}
	if got := header.Get(webhooks.HeaderWebhookID); got != hookID {
		t.Errorf("id of the answer: got %q, want %q", got, hookID)
	}
	wantLedger := []shop.Entry{{ID: hookID, Posts: 1, Tickets: 1, Attempts: 1, Receipt: shop.Receipt{
		Receipt: "done", RunID: "run-1", SlackMessageTS: "1768204800.123456", TicketID: "RET-2401",
	}}}
	if diff := cmp.Diff(wantLedger, h.Ledger()); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	wantScreen := `[local stand-in for Make.com] WARNING playbook for 2026-01-12 (rop_2026-01-12_WARNING_production): AT_RISK 25.20 % against 21.40 %, +17.76 %
[local stand-in for Make.com] would post to Slack #retention-alerts, notifying nobody, 2 blocks with this text, ts 1768204800.123456:
[local stand-in for Make.com]   | 25.2 % are at risk
[local stand-in for Make.com] would open Jira RET-2401 in RETENTION: Task, priority High, "Retention Alert WARNING - 2026-01-12", due 2026-01-13T08:00:00Z, label rop_2026-01-12
[local stand-in for Make.com] audience P1: 87 customers, https://docs.google.com/p1
[local stand-in for Make.com] audience P2: 312 customers, https://docs.google.com/p2
[local stand-in for Make.com] audience P3: 189 customers, not exported
[local stand-in for Make.com] receipt done: Slack 1768204800.123456, ticket RET-2401
`
	if diff := cmp.Diff(wantScreen, h.screen.String()); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
}

func TestReceiverFillsWhatThePayloadLeavesOut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		payload string
		want    []string
	}{
		"a critical day mentions the channel and is of the highest priority": {
			`{"date":"2026-01-19","severity":"CRITICAL","brief_markdown":"the brief"}`,
			[]string{
				"#retention-alerts, notifying <!channel>", "  | <!channel> the brief\n",
				`RET-2401 in RETENTION: Task, priority Highest, "Retention Alert CRITICAL - 2026-01-19"` + "\n",
			},
		},
		"a warning mentions nobody and is of high priority": {
			`{"date":"2026-01-12","severity":"WARNING","brief_markdown":"the brief"}`,
			[]string{
				"#retention-alerts, notifying nobody", "  | the brief\n",
				`priority High, "Retention Alert WARNING - 2026-01-12"` + "\n",
			},
		},
		"the rules may mention nobody on a critical day": {
			`{"date":"2026-01-19","severity":"CRITICAL","brief_markdown":"the brief","slack":{"mention":"nobody"}}`,
			[]string{"notifying nobody", "  | the brief\n"},
		},
		"a mention that the text already has is not put twice": {
			`{"date":"2026-01-19","severity":"CRITICAL","slack":{"mention":"channel","text":"<!channel> look"}}`,
			[]string{"notifying <!channel>", "  | <!channel> look\n"},
		},
		"here is another mention, and the payload names the channel": {
			`{"date":"2026-01-12","severity":"WARNING","slack":{"channel":"#retention-test","mention":"here","text":"look"}}`,
			[]string{"#retention-test, notifying <!here>", "  | <!here> look\n"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHook(t)
			status, body, _ := send(t, signedRequest(t, h.url, hookSecret, "id", test.payload, hookTime))
			if status != http.StatusOK {
				t.Fatalf("got %d %s, want 200", status, body)
			}
			for _, want := range test.want {
				if !strings.Contains(h.screen.String(), want) {
					t.Errorf("screen lacks %q:\n%s", want, h.screen)
				}
			}
		})
	}
}

func TestReceiverRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	with := func(name, value string) func(*http.Request) {
		return func(request *http.Request) { request.Header.Set(name, value) }
	}
	tests := map[string]struct {
		secret, id, body string
		at               time.Time
		change           func(*http.Request)
		want             int
	}{
		"another secret":                     {secret: otherSecret, want: 401},
		"a body changed on the way":          {change: func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2 }, want: 401},
		"an id changed on the way":           {change: with(webhooks.HeaderWebhookID, "other"), want: 401},
		"a timestamp changed on the way":     {change: with(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(hookTime.Unix()+1, 10)), want: 401},
		"no signature":                       {change: with(webhooks.HeaderWebhookSignature, ""), want: 401},
		"a signature of another kind":        {change: with(webhooks.HeaderWebhookSignature, "v1a,AAAA"), want: 401},
		"an id with a dot":                   {id: "rop.2026", want: 401},
		"a timestamp six minutes old":        {at: hookTime.Add(-6 * time.Minute), want: 401},
		"a timestamp six minutes ahead":      {at: hookTime.Add(6 * time.Minute), want: 401},
		"a wrong key":                        {change: with("X-Make-Apikey", hookKey+"x"), want: 401},
		"no key":                             {change: with("X-Make-Apikey", ""), want: 401},
		"a body above the limit":             {body: `{"date":"` + strings.Repeat("x", 5<<20) + `"}`, want: 413},
		"a body that is not JSON":            {body: "date=2026-01-12", want: 400},
		"a JSON that is no playbook":         {body: `["WARNING"]`, want: 400},
		"no date":                            {body: `{"severity":"WARNING"}`, want: 400},
		"a severity that has no route":       {body: `{"date":"2026-01-12","severity":"INFO"}`, want: 400},
		"an end that is no time":             {body: `{"date":"2026-01-12","severity":"WARNING","expires_at":"soon"}`, want: 400},
		"an empty body":                      {body: " ", want: 400},
		"another method":                     {change: func(r *http.Request) { r.Method = http.MethodPut }, want: 405},
		"a hook that is not there":           {change: func(r *http.Request) { r.URL.Path = "/other" }, want: 410},
		"a timestamp five minutes old is ok": {at: hookTime.Add(-5*time.Minute + time.Second), want: 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHook(t)
			if test.secret == "" {
				test.secret = hookSecret
			}
			if test.id == "" {
				test.id = hookID
			}
			if test.body == "" {
				test.body = warningPayload
			}
			if test.at.IsZero() {
				test.at = hookTime
			}
			request := signedRequest(t, h.url, test.secret, test.id, test.body, test.at)
			if test.change != nil {
				test.change(request)
			}
			status, body, header := send(t, request)
			if status != test.want {
				t.Errorf("got %d %s, want %d", status, body, test.want)
			}
			if test.want == http.StatusOK {
				return
			}
			if len(h.Ledger()) != 0 || strings.Contains(h.screen.String(), "would") {
				t.Errorf("a refused delivery was worked on: %v\n%s", h.Ledger(), h.screen)
			}
			if header.Get(webhooks.HeaderWebhookSignature) != "" {
				t.Error("a refusal is signed")
			}
			for _, secret := range []string{hookKey, strings.TrimPrefix(hookSecret, "whsec_")} {
				if strings.Contains(body+h.screen.String(), secret) {
					t.Errorf("the refusal tells a secret: %s\n%s", body, h.screen)
				}
			}
		})
	}
}

func TestReceiverWorksOnAnIDOnce(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	for range 3 {
		send(t, signedRequest(t, h.url, hookSecret, hookID, warningPayload, hookTime))
	}
	// A later run of the same day has a run id of its own and meets the same claim.
	later := strings.Replace(warningPayload, "run-1", "run-2", 1)
	_, body, _ := send(t, signedRequest(t, h.url, hookSecret, hookID, later, hookTime))
	want := `{"receipt":"duplicate","run_id":"run-1","slack_message_ts":"1768204800.123456","ticket_id":"RET-2401"}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("receipt of the fourth delivery (-want +got):\n%s", diff)
	}
	_, body, _ = send(t, signedRequest(t, h.url, hookSecret, hookID+"_run-3", later, hookTime))
	want = `{"receipt":"done","run_id":"run-2","slack_message_ts":"1768204800.123457","ticket_id":"RET-2402"}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("receipt of another id (-want +got):\n%s", diff)
	}
	var got []string
	for _, entry := range h.Ledger() {
		got = append(got, fmt.Sprintf("%s: %d posts, %d tickets, %d attempts", entry.ID, entry.Posts, entry.Tickets, entry.Attempts))
	}
	wantLedger := []string{hookID + ": 1 posts, 1 tickets, 4 attempts", hookID + "_run-3: 1 posts, 1 tickets, 1 attempts"}
	if diff := cmp.Diff(wantLedger, got); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if !strings.Contains(h.screen.String(), "its content has changed since") {
		t.Errorf("the screen does not tell that the content changed:\n%s", h.screen)
	}
}

func TestReceiverWorksOnAnIDOnceWhenAllComeTogether(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	var together sync.WaitGroup
	for range 20 {
		request := signedRequest(t, h.url, hookSecret, hookID, warningPayload, hookTime)
		together.Go(func() {
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
		})
	}
	together.Wait()
	ledger := h.Ledger()
	if len(ledger) != 1 || ledger[0].Posts != 1 || ledger[0].Attempts != 20 {
		t.Errorf("ledger: got %+v, want one entry with 1 post and 20 attempts", ledger)
	}
}

func TestReceiverDropsWhatIsExpired(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	old := strings.Replace(warningPayload, `"expires_at":"2026-01-13T08:00:00Z"`, `"expires_at":"2026-01-12T08:00:00.123456Z"`, 1)
	for range 2 {
		status, body, _ := send(t, signedRequest(t, h.url, hookSecret, hookID, old, hookTime))
		if want := `{"receipt":"expired","run_id":"run-1"}`; status != http.StatusOK || body != want {
			t.Errorf("got %d %s, want 200 %s", status, body, want)
		}
	}
	if got := h.Ledger()[0]; got.Posts != 0 || got.Tickets != 0 || got.Attempts != 2 {
		t.Errorf("ledger: got %+v, want no post, no ticket, 2 attempts", got)
	}
}

func TestReceiverTakesEitherSecretWhileTheyChange(t *testing.T) {
	t.Parallel()
	receiver, err := shop.NewReceiver(shop.Options{
		Secrets: []string{otherSecret, hookSecret}, Now: func() time.Time { return hookTime },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{hookSecret, otherSecret} {
		answer := httptest.NewRecorder()
		receiver.ServeHTTP(answer, signedRequest(t, "/hook", secret, hookID, warningPayload, hookTime))
		key, err := webhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.VerifyIgnoringTimestamp(answer.Body.Bytes(), answer.Header()); answer.Code != http.StatusOK || err != nil {
			t.Errorf("got %d, signature %v, want 200 and a sound one", answer.Code, err)
		}
	}
}

func TestReceiverPrintsNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	payload := `{"date":"2026-01-12\u001b[2J","severity":"WARNING","brief_markdown":"x",
		"slack":{"channel":"#a\u001b]0;owned\u0007","text":"one\rReal Slack: posted\u2028two\u202ereversed\u009b31m"},
		"ticket":{"title":"t\u001b[31m","label":"l\nReal Jira: opened"},"export_urls":{"p1":"https://x.example/\u001b[1m"}}`
	send(t, signedRequest(t, h.url, hookSecret, "an-id", payload, hookTime))
	got := h.screen.String()
	for _, forbidden := range []string{"\x1b", "\a", "\r", "\u2028", "\u202e", "\u009b"} {
		if strings.Contains(got, forbidden) {
			t.Errorf("the screen holds %q", forbidden)
		}
	}
	for line := range strings.Lines(got) {
		if !strings.HasPrefix(line, "[local stand-in for Make.com] ") {
			t.Errorf("a line does not say what it comes from: %q", line)
		}
	}
	if !strings.Contains(got, "would post to Slack #a") {
		t.Errorf("the screen lacks the post:\n%s", got)
	}
}

func TestReceiverPrintsNoSecret(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	payload := `{"date":"2026-01-12","severity":"WARNING",
		"slack":{"text":"see (https://user:pass-word@files.example/p1.csv?X-Goog-Signature=abcdef0123), key ` + hookKey + ` ` + hookSecret + `
			or https://hook.eu1.make.com/q7hookpath and https://hooks.slack.com/services/T0/B0/slackpath"},
		"export_urls":{"p1":"https://files.example/p1.csv?sig=abcdef0123#abcdef0123"}}`
	send(t, signedRequest(t, h.url, hookSecret, "an-id", strings.Join(strings.Fields(payload), " "), hookTime))
	got := h.screen.String()
	for _, secret := range []string{
		hookKey, strings.TrimPrefix(hookSecret, "whsec_"), "abcdef0123", "pass-word", "q7hookpath", "slackpath",
	} {
		if strings.Contains(got, secret) {
			t.Errorf("the screen tells %q:\n%s", secret, got)
		}
	}
	if want := "see (https://files.example/p1.csv?…), key [secret] [secret]"; !strings.Contains(got, want) {
		t.Errorf("the screen lacks %q:\n%s", want, got)
	}
}

func TestNewReceiverWantsASoundSecret(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"none":          nil,
		"an empty one":  {""},
		"a short one":   {"whsec_c2hvcnQ="},
		"no base64":     {"whsec_not base64 at all, and long enough"},
		"one of two":    {hookSecret, "whsec_c2hvcnQ="},
		"a larger than": {"whsec_" + strings.Repeat("AAAA", 22)},
	}
	for name, secrets := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := shop.NewReceiver(shop.Options{Secrets: secrets})
			if err == nil {
				t.Fatal("got no error")
			}
			if strings.Contains(err.Error(), "c2hvcnQ") || strings.Contains(err.Error(), "not base64 at all") {
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}

func ExampleNewReceiver() {
	at := time.Date(2026, time.January, 19, 8, 0, 0, 0, time.UTC)
	receiver, err := shop.NewReceiver(shop.Options{
		Out: os.Stdout, Secrets: []string{hookSecret}, Now: func() time.Time { return at },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	body := `{"date":"2026-01-19","severity":"CRITICAL","brief_markdown":"Act today.","run_id":"run-7"}`
	key, _ := webhooks.NewWebhook(hookSecret)
	signature, _ := key.Sign("rop_2026-01-19_CRITICAL_production", at, []byte(body))
	request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/hook", strings.NewReader(body))
	request.Header.Set("Webhook-Id", "rop_2026-01-19_CRITICAL_production")
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	request.Header.Set("Webhook-Signature", signature)
	answer := httptest.NewRecorder()
	receiver.ServeHTTP(answer, request)
	fmt.Println(answer.Body)
	// Output:
	// [local stand-in for Make.com] CRITICAL playbook for 2026-01-19 (rop_2026-01-19_CRITICAL_production)
	// [local stand-in for Make.com] would post to Slack #retention-alerts, notifying <!channel>, ts 1768809600.000000:
	// [local stand-in for Make.com]   | <!channel> Act today.
	// [local stand-in for Make.com] would open Jira RET-2401 in RETENTION: Task, priority Highest, "Retention Alert CRITICAL - 2026-01-19"
	// [local stand-in for Make.com] audience P1: 0 customers, not exported
	// [local stand-in for Make.com] audience P2: 0 customers, not exported
	// [local stand-in for Make.com] audience P3: 0 customers, not exported
	// [local stand-in for Make.com] receipt done: Slack 1768809600.000000, ticket RET-2401
	// {"receipt":"done","run_id":"run-7","slack_message_ts":"1768809600.000000","ticket_id":"RET-2401"}
}
