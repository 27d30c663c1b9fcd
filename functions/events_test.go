package functions_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/retentionops/retentionops/functions"
)

func TestAPauseWatchesTheContext(t *testing.T) {
	t.Parallel()
	const wait = 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := functions.Pause(t.Context(), wait); err != nil || time.Since(began) != wait {
			t.Errorf("got %v after %s, want nil after %s", err, time.Since(began), wait)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if err := functions.Pause(ctx, wait); err == nil || time.Since(began) != time.Second {
			t.Errorf("got %v after %s, want an error after 1s", err, time.Since(began))
		}
	})
}
