package shop_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions/internal/shop"
)

// only is the one entry of the ledger.
func (h *hook) only(t *testing.T) shop.Entry {
	t.Helper()
	ledger := h.Ledger()
	if len(ledger) != 1 {
		t.Fatalf("the ledger has %d entries, want 1", len(ledger))
	}
	return ledger[0]
}

func (h *hook) deliver(t *testing.T) (int, string, http.Header) {
	t.Helper()
	return send(t, signedRequest(t, h.url, hookSecret, hookID, warningPayload, hookTime))
}

func TestAScenarioThatFailsPostsNothingAndIsWorkedLater(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.Break(shop.ScenarioFails)
	for range 2 {
		if status, body, _ := h.deliver(t); status != http.StatusInternalServerError || body != "Scenario failed to complete.\n" {
			t.Errorf("got %d %q, want 500 as Make.com says it", status, body)
		}
	}
	if got := h.Ledger(); len(got) > 0 {
		t.Errorf("something was worked: %v", got)
	}
	h.Mend()
	if status, body, _ := h.deliver(t); status != http.StatusOK || !strings.Contains(body, `"receipt":"done"`) {
		t.Errorf("mended: got %d %q, want a receipt", status, body)
	}
	if entry := h.only(t); entry.Posts != 1 || entry.Tickets != 1 || len(h.Arrivals()) != 3 {
		t.Errorf("got %+v after %d deliveries, want one post and one ticket after 3", entry, len(h.Arrivals()))
	}
}

func TestAnAnswerThatIsLostComesBackAsTheFirstReceipt(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.Break(shop.AnswerLost)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	request := signedRequest(t, h.url, hookSecret, hookID, warningPayload, hookTime).WithContext(ctx)
	if answer, err := http.DefaultClient.Do(request); err == nil {
		answer.Body.Close()
		t.Errorf("got an answer: %s", answer.Status)
	}
	h.Mend()
	if _, body, _ := h.deliver(t); !strings.Contains(body, `"receipt":"duplicate"`) || !strings.Contains(body, `"ticket_id":"RET-2401"`) {
		t.Errorf("mended: got %q, want the first receipt", body)
	}
	if entry := h.only(t); entry.Posts != 1 || entry.Tickets != 1 {
		t.Errorf("got %+v, want one post and one ticket", entry)
	}
}

func TestASwitchedOffScenarioWorksItsQueueOnce(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.Break(shop.SwitchedOff)
	for range 3 {
		if status, body, header := h.deliver(t); status != http.StatusOK || body != "Accepted" || header.Get("Content-Type") != "text/plain" {
			t.Errorf("got %d %s %q, want 200 and a bare Accepted", status, header.Get("Content-Type"), body)
		}
	}
	if got := h.Ledger(); len(got) > 0 {
		t.Errorf("something was worked: %v", got)
	}
	h.Mend()
	if entry := h.only(t); entry.Posts != 1 || entry.Tickets != 1 || entry.Attempts != 3 {
		t.Errorf("got %+v, want one post and one ticket of 3", entry)
	}
	if !strings.Contains(h.screen.String(), "switched on again, with 3 in the queue") {
		t.Errorf("the screen does not tell of the queue:\n%s", h.screen)
	}
	if _, body, _ := h.deliver(t); !strings.Contains(body, `"receipt":"duplicate"`) {
		t.Errorf("after the queue: got %q, want the first receipt", body)
	}
}

func TestTroubleIsForAuthenticDeliveriesOnly(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.Break(shop.SwitchedOff)
	status, _, _ := send(t, signedRequest(t, h.url, otherSecret, hookID, warningPayload, hookTime))
	if status != http.StatusUnauthorized || len(h.Arrivals()) != 0 {
		t.Errorf("a forged delivery: got %d, %d counted", status, len(h.Arrivals()))
	}
}
