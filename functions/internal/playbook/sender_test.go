package playbook

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/retentionops/retentionops/functions"
)

var (
	testSecret   = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	olderSecret  = "whsec_" + base64.StdEncoding.EncodeToString([]byte("fedcba9876543210fedcba9876543210"))
	foreinSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("an entirely different secret here"))
	testNow      = time.Date(2026, 1, 12, 8, 0, 0, 0, time.UTC)
)

const testAPIKey = "make-api-key-that-nobody-may-see"

// request is what the receiver got.
type request struct {
	header http.Header
	body   string
}

// hook is a receiver that answers by a script, one handler an attempt; the last one answers the rest.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

func (h *hook) requests() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

func newHook(t *testing.T, script ...http.HandlerFunc) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.seen = append(h.seen, request{r.Header.Clone(), string(body)})
		answer := script[min(len(h.seen), len(script))-1]
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// cuts ends the connection without an answer.
func cuts(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// signs answers the receipt, signed with a secret.
func signs(secret, id string, at time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			panic(err)
		}
		signature, err := signer.Sign(id, at, []byte(done))
		if err != nil {
			panic(err)
		}
		says(http.StatusOK, done, "webhook-id", id, "webhook-timestamp", fmt.Sprint(at.Unix()), "webhook-signature", signature)(w, r)
	}
}

const done = `{"receipt":"done","slack_message_ts":"1768204800.000100","ticket_id":"RET-2401"}`

// message is a stored message with that body.
func messageOf(body string) *stored {
	return &stored{RunID: testRunID, WebhookID: testID, ContentType: payloadType, Body: body}
}

// newSender is a sender whose clock advances by its pauses, which it keeps.
func newSender(t *testing.T, url string, secrets ...string) (*sender, *[]time.Duration) {
	t.Helper()
	config := Config{URL: url, APIKey: testAPIKey, Secret: testSecret}
	if len(secrets) > 0 {
		config.PreviousSecret = secrets[0]
	}
	signers, err := config.signers()
	if err != nil {
		t.Fatal(err)
	}
	now, pauses := testNow, []time.Duration{}
	return &sender{
		client: http.DefaultClient, url: url, apiKey: config.APIKey, signers: signers, required: true,
		now: func() time.Time { return now }, jitter: func() float64 { return 0.5 },
		pause: func(ctx context.Context, wait time.Duration) error {
			pauses = append(pauses, wait)
			now = now.Add(wait)
			return ctx.Err()
		},
	}, &pauses
}

func TestRetries(t *testing.T) {
	t.Parallel()
	const (
		base = 5500 * time.Millisecond // five seconds and half of the jitter
		busy = 11 * time.Second        // ten seconds, in which Make.com counts, and half of the jitter
	)
	tests := []struct {
		name     string
		script   []http.HandlerFunc
		state    functions.DeliveryState
		status   int
		attempts int
		pauses   []time.Duration
	}{
		{"a receipt ends it", []http.HandlerFunc{says(200, done)}, functions.DeliveryConfirmed, 200, 1, []time.Duration{}},
		{"a bare Accepted is not asked again", []http.HandlerFunc{says(200, "Accepted")}, functions.DeliveryUnconfirmed, 200, 1, []time.Duration{}},
		{"a failure that passes is forgotten", []http.HandlerFunc{says(500, "Scenario failed to complete."), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{base}},
		{"a failure that stays is tried three times", []http.HandlerFunc{says(503, "")}, functions.DeliveryUnconfirmed, 503, 3, []time.Duration{base, base}},
		{"no answer at all is unknown", []http.HandlerFunc{cuts}, functions.DeliveryUnknown, 0, 3, []time.Duration{base, base}},
		{"no answer after an answer is unconfirmed", []http.HandlerFunc{says(500, ""), cuts}, functions.DeliveryUnconfirmed, 500, 3, []time.Duration{base, base}},
		{"a cut connection and then the first receipt", []http.HandlerFunc{cuts, says(200, `{"receipt":"duplicate","ticket_id":"RET-1"}`)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{base}},
		{"a first message in work and then its receipt", []http.HandlerFunc{cuts, says(200, `{"receipt":"in_progress"}`), says(200, done)}, functions.DeliveryConfirmed, 200, 3, []time.Duration{base, base}},
		{"a full queue that empties", []http.HandlerFunc{says(400, "Queue is full"), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{base}},
		{"a final no is not asked again", []http.HandlerFunc{says(410, "Webhook not found.")}, functions.DeliveryRefused, 410, 1, []time.Duration{}},
		{"a final no says nothing of a failure before it", []http.HandlerFunc{says(500, ""), says(401, "")}, functions.DeliveryUnconfirmed, 401, 2, []time.Duration{base}},
		{"nor of a connection that was cut", []http.HandlerFunc{cuts, says(410, "Webhook not found.")}, functions.DeliveryUnconfirmed, 410, 2, []time.Duration{base}},
		{"nor of a message in work", []http.HandlerFunc{says(200, `{"receipt":"in_progress"}`), says(404, "")}, functions.DeliveryUnconfirmed, 404, 2, []time.Duration{base}},
		{"nor of one that is too old by now", []http.HandlerFunc{cuts, says(200, `{"receipt":"expired"}`)}, functions.DeliveryUnconfirmed, 200, 2, []time.Duration{base}},
		{"a final no after a busy hook is one", []http.HandlerFunc{says(429, ""), says(400, "Queue is full"), says(401, "")}, functions.DeliveryRefused, 401, 3, []time.Duration{busy, base}},
		{"the pause asked for in seconds is kept", []http.HandlerFunc{says(429, "", "Retry-After", "15"), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{15 * time.Second}},
		{"a pause shorter than ours is not", []http.HandlerFunc{says(429, "", "Retry-After", "1"), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{busy}},
		{"a failure may ask for a pause too", []http.HandlerFunc{says(500, "", "Retry-After", "7"), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{7 * time.Second}},
		{"the pause asked for as a date is kept", []http.HandlerFunc{says(503, "", "Retry-After", testNow.Add(20*time.Second).Format(http.TimeFormat)), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{20 * time.Second}},
		{"a pause that does not fit leaves it for a later run", []http.HandlerFunc{says(429, "", "Retry-After", "3600"), says(200, done)}, functions.DeliveryUnconfirmed, 429, 1, []time.Duration{}},
		{"nor does one of more seconds than can be counted", []http.HandlerFunc{says(503, "", "Retry-After", "99999999999999999999"), says(200, done)}, functions.DeliveryUnconfirmed, 503, 1, []time.Duration{}},
		{"a pause that is over is ours", []http.HandlerFunc{says(503, "", "Retry-After", "-99999999999999999999"), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{base}},
		{"a senseless pause is ours", []http.HandlerFunc{says(429, "", "Retry-After", "-5 apples"), says(200, done)}, functions.DeliveryConfirmed, 200, 2, []time.Duration{busy}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, test.script...)
			s, pauses := newSender(t, hook.URL)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			var begun []int
			got := s.send(ctx, messageOf(`{"date":"2026-01-12"}`), func(attempt int) { begun = append(begun, attempt) })
			if got.state != test.state || got.status != test.status || got.attempts != test.attempts {
				t.Errorf("got %s, status %d, %d attempts (%s); want %s, status %d, %d attempts",
					got.state, got.status, got.attempts, got.why, test.state, test.status, test.attempts)
			}
			if diff := cmp.Diff(test.pauses, *pauses); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
			if len(hook.requests()) != test.attempts || len(begun) != test.attempts {
				t.Errorf("the hook saw %d requests and %d were announced, want %d", len(hook.requests()), len(begun), test.attempts)
			}
		})
	}
}

func TestEveryAttemptIsTheSameMessage(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(500, ""), cuts, says(200, done))
	s, _ := newSender(t, hook.URL, olderSecret)
	body := `{"date":"2026-01-12","severity":"WARNING"}`
	s.send(t.Context(), messageOf(body), func(int) {})
	times := map[string]bool{}
	for i, got := range hook.requests() {
		if got.body != body || got.header.Get("webhook-id") != testID || got.header.Get("x-make-apikey") != testAPIKey ||
			got.header.Get("Content-Type") != "application/json" {
			t.Errorf("attempt %d: body %s, headers %v", i+1, got.body, got.header)
		}
		times[got.header.Get("webhook-timestamp")] = true
		for _, secret := range []string{testSecret, olderSecret} {
			receiver, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := receiver.VerifyIgnoringTimestamp([]byte(got.body), got.header); err != nil {
				t.Errorf("attempt %d: the receiver does not know the signature: %v", i+1, err)
			}
		}
	}
	if len(times) != 3 {
		t.Errorf("timestamps %v: each attempt has its own", times)
	}
}

// TestSignature holds the signature against the field notes' test vector.
func TestSignature(t *testing.T) {
	t.Parallel()
	signers, err := Config{Secret: testSecret}.signers()
	if err != nil {
		t.Fatal(err)
	}
	got, err := signers[0].Sign("rop_2026-01-12_WARNING_pilot", time.Unix(1768204800, 0), []byte(`{"date":"2026-01-12","severity":"WARNING"}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := "v1,ZZCvD6Gwili9IrUHnivVnjBXWotW2h6OwW9gcg2ZImg="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheSecretWorksInBothDirections(t *testing.T) {
	t.Parallel()
	const good, bad = functions.DeliveryConfirmed, functions.DeliveryUnconfirmed
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   functions.DeliveryState
	}{
		{"an unsigned receipt counts", says(200, done), good},
		{"a receipt signed with the shared secret counts", signs(testSecret, testID, testNow), good},
		{"a receipt signed with the secret before it counts", signs(olderSecret, testID, testNow), good},
		{"a receipt signed with another secret does not", signs(foreinSecret, testID, testNow), bad},
		{"a receipt signed for another message does not", signs(testSecret, "rop_2026-01-11_WARNING_production", testNow), bad},
		{"a receipt signed long ago does not", signs(testSecret, testID, testNow.Add(-time.Hour)), bad},
		{"a receipt signed in the future does not", signs(testSecret, testID, testNow.Add(time.Hour)), bad},
		{"a signature without its other headers does not", says(200, done, "webhook-signature", "v1,AAAA"), bad},
		{"an empty list of signatures does not", says(200, done, "webhook-signature", "v1", "webhook-id", testID, "webhook-timestamp", fmt.Sprint(testNow.Unix())), bad},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newSender(t, newHook(t, test.answer).URL, olderSecret)
			got := s.send(t.Context(), messageOf(`{}`), func(int) {})
			if got.state != test.want {
				t.Errorf("got %s (%s), want %s", got.state, got.why, test.want)
			}
		})
	}
}

func TestARedirectIsNeverFollowed(t *testing.T) {
	t.Parallel()
	other := newHook(t, says(200, done))
	for _, status := range []int{301, 302, 303, 307, 308} {
		hook := newHook(t, says(status, "", "Location", other.URL))
		s, _ := newSender(t, hook.URL)
		got := s.send(t.Context(), messageOf(`{}`), func(int) {})
		if got.state != functions.DeliveryRefused || len(hook.requests()) != 1 || len(other.requests()) != 0 {
			t.Errorf("%d: got %s; the hook saw %d requests, the other host %d", status, got.state, len(hook.requests()), len(other.requests()))
		}
	}
}

// TestAnAnswerWithoutEndIsCut has the receiver write until nobody listens any more.
func TestAnAnswerWithoutEndIsCut(t *testing.T) {
	t.Parallel()
	written := make(chan int, 1)
	hook := newHook(t, func(w http.ResponseWriter, _ *http.Request) {
		total := 0
		defer func() { written <- total }()
		for line := []byte(`{"receipt":"done","ticket_id":"RET-1","x":"` + strings.Repeat("x", 8<<10)); total < 1<<30; {
			n, err := w.Write(line)
			if total += n; err != nil {
				return
			}
		}
	})
	s, _ := newSender(t, hook.URL)
	got := s.send(t.Context(), messageOf(`{}`), func(int) {})
	if got.state != functions.DeliveryUnconfirmed || !strings.Contains(got.why, "larger than 65536 bytes") {
		t.Errorf("got %s (%s), want unconfirmed as too large", got.state, got.why)
	}
	if total := <-written; total >= 1<<30 {
		t.Errorf("all of %d bytes were taken", total)
	}
}

// TestNoAnswerTellsNoSecret makes each way of getting no answer, and looks for the URL, the key and the signature.
func TestNoAnswerTellsNoSecret(t *testing.T) {
	t.Parallel()
	const path = "/hook-path-that-nobody-may-see"
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(says(200, done)))
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		says(500, fmt.Sprint(r.URL, r.Header))(w, r)
	}
	tests := []struct {
		name string
		ctx  context.Context
		url  string
		want string
	}{
		{"nobody listens", t.Context(), gone.URL, "nobody listens at the webhook's address"},
		{"the host is not known", t.Context(), "http://no-such-host.invalid", "host is not known"},
		{"the certificate is not trusted", t.Context(), untrusted.URL, "certificate is not trusted"},
		{"the connection is cut", t.Context(), newHook(t, cuts).URL, "the connection was cut"},
		{"the answer is cut in the middle", t.Context(), newHook(t, says(200, "{", "Content-Length", "100")).URL, "the connection was cut"},
		{"the time is used up", late, newHook(t, says(200, done)).URL, "no answer within 30s"},
		{"the run is stopped", stopped, newHook(t, says(200, done)).URL, "the run was stopped"},
		{"the receiver echoes what it got", t.Context(), newHook(t, echo).URL, "failed at the receiver (500)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newSender(t, test.url+path)
			got := s.send(test.ctx, messageOf(`{}`), func(int) {})
			if !strings.Contains(got.why, test.want) {
				t.Errorf("got %q, want something with %q", got.why, test.want)
			}
			text := fmt.Sprintf("%+v", got)
			for _, secret := range []string{path, test.url, testAPIKey, "v1,", strings.TrimPrefix(testSecret, "whsec_")} {
				if strings.Contains(text, secret) {
					t.Errorf("the delivery tells %q: %s", secret, text)
				}
			}
		})
	}
}

// TestWaitsMayBeShorter has a receiver that never answers and one that is busy.
func TestWaitsMayBeShorter(t *testing.T) {
	t.Parallel()
	silent := newHook(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s, _ := newSender(t, silent.URL)
	s.answerIn, s.between = 50*time.Millisecond, time.Second
	got := s.send(t.Context(), messageOf(`{}`), func(int) {})
	if want := "no answer within 50ms"; got.why != want || got.attempts != sendAttempts {
		t.Errorf("got %q after %d attempts, want %q after %d", got.why, got.attempts, want, sendAttempts)
	}
	s.jitter = func() float64 { return 0 }
	if got := []time.Duration{s.wait(0), s.wait(http.StatusTooManyRequests)}; got[0] != time.Second || got[1] != busyTimes*time.Second {
		t.Errorf("the pauses are %v", got)
	}
}

func TestAFinalNoThatIsNotSureTellsTheMend(t *testing.T) {
	t.Parallel()
	s, _ := newSender(t, newHook(t, says(410, "Webhook not found.")).URL)
	s.mayHaveRun = true // an earlier run had no answer
	got := s.send(t.Context(), messageOf(`{}`), func(int) {})
	if got.state != functions.DeliveryUnconfirmed || !strings.Contains(got.why, "make a new hook") {
		t.Errorf("got %s (%s), want unconfirmed with what to do", got.state, got.why)
	}
}

// TestAFaultBeforeTheSendingLeavesAFinalNo has nobody listen, so that nothing can have been worked.
func TestAFaultBeforeTheSendingLeavesAFinalNo(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s, _ := newSender(t, gone.URL)
	refusing := newHook(t, says(410, "Webhook not found."))
	pause := s.pause
	s.pause = func(ctx context.Context, wait time.Duration) error {
		s.url = refusing.URL // somebody mends the address in the meantime
		return pause(ctx, wait)
	}
	if got := s.send(t.Context(), messageOf(`{}`), func(int) {}); got.state != functions.DeliveryRefused || got.attempts != 2 {
		t.Errorf("got %s after %d attempts (%s), want refused after 2", got.state, got.attempts, got.why)
	}
}
