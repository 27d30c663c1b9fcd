package priority_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// overtaken lets something happen once, right after the table was replaced and before the builder can say so.
type overtaken struct {
	priority.Queues
	meanwhile func()
}

func (o *overtaken) ReplaceQueue(
	ctx context.Context, date functions.Date, rows []retention.QueueRow, expireBefore functions.Date,
) (int64, error) {
	replaced, err := o.Queues.ReplaceQueue(ctx, date, rows, expireBefore)
	if meanwhile := o.meanwhile; meanwhile != nil {
		o.meanwhile = nil
		meanwhile()
	}
	return replaced, err
}

// Two builds of one day at once leave the rows of the one and the record of the other: neither may be taken for the
// other's.
func TestARecordThatIsNotOfTheRowsIsNotTrusted(t *testing.T) {
	t.Parallel()
	fine := sound("fine", "ACTIVE", 3, "LOW", "100")
	one := []customer{sound("a", "ACTIVE", 5, "HIGH", "100"), fine}
	other := []customer{sound("b", "ACTIVE", 5, "HIGH", "100"), fine}
	w, book := stocked(t, one...), shipped(t)
	queues := &overtaken{Queues: w}
	b := builder(t, w)
	b.Queues = queues
	var built int64
	b.Now = func() time.Time { built++; return time.Date(2026, 1, 12, 6, 0, int(built), 0, time.UTC) }
	queues.meanwhile = func() {
		stock(t, w, other...)
		if _, err := b.Build(t.Context(), book, assess(t, w), priority.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Build(t.Context(), book, assess(t, w), priority.Options{}); err != nil {
		t.Fatal(err)
	}
	stock(t, w, one...)
	again, err := b.Build(t.Context(), book, assess(t, w), priority.Options{ReuseSame: true})
	if err != nil || again.TableUpdated == "" {
		t.Errorf("the queue of the other build was taken for this one's: %+v, %v", again, err)
	}
	if rows := queue(t, w); len(rows) != 1 || !strings.HasPrefix(rows[0], "P1 a ") {
		t.Errorf("the queue holds %q, want customer a", rows)
	}
	again, err = b.Build(t.Context(), book, assess(t, w), priority.Options{ReuseSame: true})
	if err != nil || again.TableUpdated != "" {
		t.Errorf("the same queue was written again: %+v, %v", again, err)
	}
}
