package playbook_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/playbook"
)

// stored is a message as a person finds it in the archive.
type stored struct {
	RunID       string         `json:"run_id"`
	WebhookID   string         `json:"webhook_id"`
	ExpiresAt   time.Time      `json:"expires_at"`
	ContentType string         `json:"content_type"`
	Body        string         `json:"body"`
	MadeFrom    map[string]any `json:"made_from"`
}

// message reads the day's message from the archive.
func (h *house) message(t *testing.T) stored {
	t.Helper()
	var found stored
	if err := json.Unmarshal(h.document(t, "payloads/"+key+".json"), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// keep puts a message in the place of the one that is in the archive.
func (h *house) keep(t *testing.T, changed stored) {
	t.Helper()
	document, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Archive.Put(t.Context(), "payloads/"+changed.WebhookID+".json", document); err != nil {
		t.Fatal(err)
	}
}

const key = "rop_2026-01-12_WARNING_production"

func TestAMessageIsOneDocument(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(200, receipt))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
	if err != nil {
		t.Fatal(err)
	}
	sent, got := hook.requests()[0], h.message(t)
	want := stored{
		RunID: out.RunID, WebhookID: sent.header.Get("webhook-id"), ContentType: sent.header.Get("Content-Type"), Body: sent.body,
		ExpiresAt: h.clock.now().Add(playbook.DefaultFresh), MadeFrom: got.MadeFrom,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-sent +stored):\n%s", diff)
	}
	for name, value := range map[string]any{"rules_version": out.RulesVersion, "p2_count": 20.0, "export_state": "csv"} {
		if got.MadeFrom[name] != value {
			t.Errorf("made_from says %s %v, want %v", name, got.MadeFrom[name], value)
		}
	}
	if diff := cmp.Diff([]string{"runs/" + out.RunID + "/stage"}, h.kept(t, "runs/")); diff != "" {
		t.Errorf("beside it (-want +got):\n%s", diff)
	}
}

// TestWhatIsSentAgainIsWhatIsStored has the message hold what an encoder might write in another way.
func TestWhatIsSentAgainIsWhatIsStored(t *testing.T) {
	t.Parallel()
	hook := newHook(t, says(500, ""), says(500, ""), says(500, ""), says(200, `{"receipt":"done","ticket_id":"RET-1"}`))
	h := newHouse(t, functions.PhaseProduction, hook.address())
	_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
	changed := h.message(t)
	changed.Body = "{ \"b\" : \"<&> \u2028 \u00e9 e\u0301 \U0001f600 \\u0041\",\r\n\"a\":1.50}\n"
	changed.ContentType = "application/vnd.test+json"
	h.keep(t, changed)
	if _, err := h.Run(t.Context(), functions.TriggerPlaybookInput{}); err != nil {
		t.Fatal(err)
	}
	if got := hook.requests()[3]; got.body != changed.Body || got.header.Get("Content-Type") != changed.ContentType {
		t.Errorf("sent was %q as %s, stored is %q", got.body, got.header.Get("Content-Type"), changed.Body)
	}
}

func TestAMessageThatCannotBeReadIsNotGuessed(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"half a document":        `{"run_id":"01KRUN0001","webhook_id":"` + key + `","content_type":"application/json","bo`,
		"no body":                `{"run_id":"01KRUN0001","webhook_id":"` + key + `","content_type":"application/json"}`,
		"that of another day":    `{"run_id":"01KRUN0001","webhook_id":"rop_2026-01-11_WARNING_production","content_type":"application/json","body":"{}"}`,
		"nothing of ours at all": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook := newHook(t, says(500, ""), says(500, ""), says(500, ""), says(200, receipt))
			h := newHouse(t, functions.PhaseProduction, hook.address())
			_, _ = h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if err := h.Archive.Put(t.Context(), "payloads/"+key+".json", []byte(document)); err != nil {
				t.Fatal(err)
			}
			_, err := h.Run(t.Context(), functions.TriggerPlaybookInput{})
			if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Hint, "resend") {
				t.Errorf("got %+v, want failed_precondition that points to resend", problem)
			}
			out, err := h.Run(t.Context(), functions.TriggerPlaybookInput{Resend: true})
			if err != nil || out.DeliveryState != functions.DeliveryConfirmed {
				t.Fatalf("got %+v, %v; want a new message sent", out, err)
			}
			if got := webhookIDs(hook.requests()); len(got) != 2 || got[1] == key {
				t.Errorf("webhook ids %v, want a new one", got)
			}
		})
	}
}
