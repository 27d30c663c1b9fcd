package cli_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
)

// serve starts a serve at this stand and answers its address. It is killed with the test.
func (s *stand) serve(t *testing.T) string {
	t.Helper()
	cmd := s.command(t, "", "serve", "--addr", "127.0.0.1:0")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if found := regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text()); found != "" {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return found
		}
	}
	t.Fatal("the serve does not begin")
	return ""
}

// TestFiftyTriggersAtOnceSendOnce calls one served warehouse fifty times at the same moment.
func TestFiftyTriggersAtOnceSendOnce(t *testing.T) {
	t.Parallel()
	const triggers = 50
	s := newStand(t, newShop(t))
	base := s.serve(t)
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		sent    []string           // runs that answered as the one that sent
		others  = map[string]int{} // what the others were told, and of which run
		waiting = make(chan struct{})
	)
	for range triggers {
		wg.Go(func() {
			<-waiting
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/trigger_playbook", strings.NewReader(`{"date":"latest"}`))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Content-Type", "application/json")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			var answer struct { // of a run, or a problem
				RunID         string                  `json:"run_id"`
				DeliveryState functions.DeliveryState `json:"delivery_state"`
				AlreadyDone   bool                    `json:"already_done"`
				Code          functions.Code          `json:"code"`
			}
			if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
				t.Errorf("status %d: %v", response.StatusCode, err)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case response.StatusCode == http.StatusOK && answer.DeliveryState == functions.DeliveryConfirmed && !answer.AlreadyDone:
				sent = append(sent, answer.RunID)
			case response.StatusCode == http.StatusOK && answer.DeliveryState == functions.DeliveryConfirmed,
				response.StatusCode == http.StatusConflict && answer.Code == functions.FailedPrecondition:
				others[answer.RunID]++
			default:
				t.Errorf("status %d: %+v", response.StatusCode, answer)
			}
		})
	}
	close(waiting)
	wg.Wait()
	if len(sent) != 1 {
		t.Fatalf("%d runs sent: %v", len(sent), sent)
	}
	if diff := cmp.Diff(map[string]int{sent[0]: triggers - 1}, others); diff != "" {
		t.Errorf("what the others were told, by run (-want +got):\n%s", diff)
	}
	s.once(t)
	if ledger := s.receiver.Ledger(); len(ledger) == 1 && ledger[0].Attempts != 1 {
		t.Errorf("the message arrived %d times", ledger[0].Attempts)
	}
	text, err := program(t, s.folder, "runs", "list", "--json", "--url", base).Output()
	if err != nil {
		t.Fatal(err)
	}
	var runs []functions.Run
	if err := json.Unmarshal(text, &runs); err != nil || len(runs) != 1 || runs[0].RunID != sent[0] || runs[0].Status != functions.RunSuccess {
		t.Errorf("the log has %+v, %v; want the one run", runs, err)
	}
}
