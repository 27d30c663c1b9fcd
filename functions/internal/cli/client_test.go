package cli

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// silent is a server that takes a call and never answers it.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestACallDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		caller := client{base: "http://127.0.0.1:8080", http: &http.Client{Transport: silent{}}}
		_, err := caller.call(t.Context(), functions.GetAlertDecision, nil)
		if functions.CodeOf(err) != functions.DeadlineExceeded {
			t.Errorf("got %v, want deadline_exceeded", err)
		}
		left, leave := context.WithTimeout(t.Context(), time.Second) // Ctrl-C
		defer leave()
		_, err = caller.call(left, functions.GetAlertDecision, nil)
		if coded, ok := errors.AsType[*functions.Error](err); !ok || coded.Detail != "interrupted before there was an answer" {
			t.Errorf("got %v, want a call that was interrupted", err)
		}
	})
}
