package shop

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// Trouble is a way in which a Receiver goes wrong on purpose, as Make.com is known to.
type Trouble string

// The troubles of a receiver.
const (
	// ScenarioFails is a module that fails before anything is posted: the answer is 500.
	ScenarioFails Trouble = "scenario fails"
	// AnswerLost is a scenario that posts everything, and whose answer never comes.
	AnswerLost Trouble = "answer lost"
	// SwitchedOff is a scenario that is switched off: what comes is queued, and the answer is a bare Accepted.
	SwitchedOff Trouble = "switched off"
)

// delivery is a message as it came.
type delivery struct {
	id   string
	body []byte
}

// Break makes the receiver go wrong from the next delivery on.
func (r *Receiver) Break(how Trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = how
}

// Mend ends the trouble. What lies in the queue of a scenario that was switched off is worked now, oldest first, as
// Make.com does when it is told to process old data.
func (r *Receiver) Mend() {
	r.mu.Lock()
	queue := r.queue
	r.trouble, r.queue = "", nil
	r.mu.Unlock()
	if len(queue) > 0 {
		r.printer.print(fmt.Sprintf("switched on again, with %d in the queue", len(queue)))
	}
	for _, old := range queue {
		if _, refused := r.work(old.id, old.body); refused != nil {
			r.printer.print("dropped from the queue: " + refused.reason)
		}
	}
}

// Arrivals tells when each authentic delivery came, whatever became of it.
func (r *Receiver) Arrivals() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.arrivals)
}

// count counts a delivery, and tells the trouble that it meets. A queue keeps what it meets.
func (r *Receiver) count(came delivery) Trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrivals = append(r.arrivals, r.now())
	if r.trouble == SwitchedOff {
		r.queue = append(r.queue, came)
	}
	return r.trouble
}

// stumble treats a delivery as the trouble wants it. The answers are those of Make.com, to the letter.
func (r *Receiver) stumble(w http.ResponseWriter, request *http.Request, trouble Trouble, came delivery) {
	switch trouble {
	case ScenarioFails:
		r.printer.print("[made to fail] answers 500 to " + came.id + ": a module failed, and nothing was posted")
		http.Error(w, "Scenario failed to complete.", http.StatusInternalServerError)
	case AnswerLost:
		if _, refused := r.work(came.id, came.body); refused != nil {
			r.printer.print("refused: " + refused.reason)
		}
		r.printer.print("[made to fail] never answers " + came.id)
		<-request.Context().Done() // the sender has given up
	case SwitchedOff:
		r.printer.print("[made to fail] the scenario is switched off: " + came.id + " is queued, and nothing else says so than a bare Accepted")
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "Accepted")
	}
}
