package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

func Example() {
	ctx := context.Background()
	w, err := warehouse.Open(ctx, "duckdb:") // in memory
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()

	day := functions.Date{Year: 2026, Month: time.January, Day: 12}
	_, err = w.ReplaceQueue(ctx, day, []retention.QueueRow{
		{RunDate: day, CustomerID: "0007", Tier: functions.P2, Score: 81.2},
		{RunDate: day, CustomerID: "0042", Tier: functions.P1, Score: 94.5},
	}, day.AddDays(-90))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = w.Queue(ctx, day, "", func(row retention.QueueRow) error {
		fmt.Println(row.Tier, row.CustomerID, row.Score)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// P1 0042 94.5
	// P2 0007 81.2
}

var monday = functions.Date{Year: 2026, Month: time.January, Day: 12}

// scripted is a driver whose every call goes to call, so that a test decides how each attempt ends.
type scripted struct {
	driver.Warehouse
	attempts int
	call     func(ctx context.Context, attempt int) error
}

func (s *scripted) next(ctx context.Context) error {
	s.attempts++
	return s.call(ctx, s.attempts)
}

func (s *scripted) AlertOn(ctx context.Context, date functions.Date) (retention.Alert, error) {
	return retention.Alert{Date: date}, s.next(ctx)
}

func (s *scripted) NewestAlert(ctx context.Context) (retention.Alert, error) {
	return retention.Alert{Date: monday}, s.next(ctx)
}

func (s *scripted) Customers(ctx context.Context, visit func(retention.Customer) error) (functions.Date, error) {
	if s.attempts > 0 {
		if err := visit(retention.Customer{ID: "0042"}); err != nil {
			return functions.Date{}, err
		}
	}
	return monday, s.next(ctx)
}

func (s *scripted) Exclusions(ctx context.Context, table string, visit func(string) error) error {
	if s.attempts > 0 {
		if err := visit(table); err != nil {
			return err
		}
	}
	return s.next(ctx)
}

func (s *scripted) ReplaceQueue(ctx context.Context, _ functions.Date, rows []retention.QueueRow, _ functions.Date) (int64, error) {
	return int64(len(rows)), s.next(ctx)
}

func (s *scripted) Queue(ctx context.Context, _ functions.Date, tier functions.Tier, visit func(retention.QueueRow) error) error {
	if s.attempts > 0 {
		if err := visit(retention.QueueRow{Tier: tier}); err != nil {
			return err
		}
	}
	return s.next(ctx)
}

func (s *scripted) QueueSummary(ctx context.Context, date functions.Date) (retention.QueueSummary, error) {
	return retention.QueueSummary{Date: date}, s.next(ctx)
}

func (s *scripted) AppendRun(ctx context.Context, _ retention.Run) error { return s.next(ctx) }

func (s *scripted) Runs(ctx context.Context, query driver.RunQuery) ([]retention.Run, error) {
	return []retention.Run{{RunID: query.RunID}}, s.next(ctx)
}

// steady takes the jitter out of the pauses.
func steady(d driver.Warehouse) *warehouse.Warehouse {
	w := warehouse.New(d)
	w.Jitter = func(pause time.Duration) time.Duration { return pause }
	return w
}

func TestRetry(t *testing.T) {
	t.Parallel()
	passing := functions.Errorf(functions.Unavailable, "busy")
	for _, c := range []struct {
		name     string
		call     func(ctx context.Context, attempt int) error
		want     functions.Code
		attempts int
		waited   time.Duration
	}{
		{"a success needs one attempt", func(context.Context, int) error { return nil }, "", 1, 0},
		{"a fault that passes is tried again after 2 seconds", func(_ context.Context, attempt int) error {
			if attempt == 1 {
				return passing
			}
			return nil
		}, "", 2, 2 * time.Second},
		{"the third pause is 8 seconds", func(_ context.Context, attempt int) error {
			if attempt < 4 {
				return passing
			}
			return nil
		}, "", 4, 14 * time.Second},
		{"after four attempts the fault stands", func(context.Context, int) error { return passing }, functions.Unavailable, 4, 14 * time.Second},
		{"an expired attempt passes, a wrapped one too", func(_ context.Context, attempt int) error {
			if attempt == 1 {
				return fmt.Errorf("read: %w", context.DeadlineExceeded)
			}
			return nil
		}, "", 2, 2 * time.Second},
		{"a mended fault is not repeated", func(_ context.Context, attempt int) error {
			if attempt == 1 {
				return passing
			}
			return functions.Errorf(functions.FailedPrecondition, "no table")
		}, functions.FailedPrecondition, 2, 2 * time.Second},
		{"not_found is an answer", func(context.Context, int) error { return functions.Errorf(functions.NotFound, "no row") }, functions.NotFound, 1, 0},
		{"an unknown error is final", func(context.Context, int) error { return errors.New("broken") }, functions.Internal, 1, 0},
		{
			"each attempt has a deadline of its own", func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() },
			functions.DeadlineExceeded, 4, 4*warehouse.AttemptTimeout + 14*time.Second,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, begin := &scripted{call: c.call}, time.Now()
				_, err := steady(fake).NewestAlert(t.Context())
				if got := functions.CodeOf(err); got != c.want {
					t.Errorf("got code %q (%v), want %q", got, err, c.want)
				}
				if fake.attempts != c.attempts {
					t.Errorf("got %d attempts, want %d", fake.attempts, c.attempts)
				}
				if waited := time.Since(begin); waited != c.waited {
					t.Errorf("waited %v, want %v", waited, c.waited)
				}
			})
		})
	}
}

func TestTheCallersContextWins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limit  func(context.Context) (context.Context, context.CancelFunc)
		waited time.Duration
	}{
		{"a pause that would outlast the deadline is not begun", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 3*time.Second)
		}, 2 * time.Second},
		{"a cancelled caller ends the pause", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(3*time.Second, cancel)
			return ctx, cancel
		}, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := c.limit(t.Context())
				defer cancel()
				fake := &scripted{call: func(context.Context, int) error { return functions.Errorf(functions.Unavailable, "busy") }}
				begin := time.Now()
				err := steady(fake).AppendRun(ctx, retention.Run{})
				var coded *functions.Error
				if !errors.As(err, &coded) || coded.Detail != "busy" {
					t.Errorf("got %v, want the last fault", err)
				}
				if fake.attempts != 2 {
					t.Errorf("got %d attempts, want 2", fake.attempts)
				}
				if waited := time.Since(begin); waited != c.waited {
					t.Errorf("waited %v, want %v", waited, c.waited)
				}
			})
		})
	}
}

func TestAnAttemptEndsWithTheCallersDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		fake := &scripted{call: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }}
		if _, err := steady(fake).NewestAlert(ctx); functions.CodeOf(err) != functions.DeadlineExceeded || fake.attempts != 1 {
			t.Errorf("got %v after %d attempts, want deadline_exceeded after 1", err, fake.attempts)
		}
	})
}

func TestEveryMethodRetriesAndPassesItsAnswer(t *testing.T) {
	t.Parallel()
	day := monday
	for name, call := range map[string]func(context.Context, *warehouse.Warehouse) (any, any, error){
		"AlertOn": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			got, err := w.AlertOn(ctx, day)
			return retention.Alert{Date: day}, got, err
		},
		"NewestAlert": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			got, err := w.NewestAlert(ctx)
			return retention.Alert{Date: day}, got, err
		},
		"Customers": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			got, err := w.Customers(ctx, func(retention.Customer) error { return nil })
			return day, got, err
		},
		"Exclusions": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			var got string
			err := w.Exclusions(ctx, "opted_out", func(entry string) error { got = entry; return nil })
			return "opted_out", got, err
		},
		"ReplaceQueue": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			got, err := w.ReplaceQueue(ctx, day, make([]retention.QueueRow, 3), day)
			return int64(3), got, err
		},
		"Queue": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			var got functions.Tier
			err := w.Queue(ctx, day, functions.P2, func(row retention.QueueRow) error { got = row.Tier; return nil })
			return functions.P2, got, err
		},
		"QueueSummary": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			got, err := w.QueueSummary(ctx, day)
			return retention.QueueSummary{Date: day}, got, err
		},
		"AppendRun": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			return nil, nil, w.AppendRun(ctx, retention.Run{})
		},
		"Runs": func(ctx context.Context, w *warehouse.Warehouse) (any, any, error) {
			got, err := w.Runs(ctx, warehouse.RunQuery{RunID: "01A"})
			return []retention.Run{{RunID: "01A"}}, got, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := &scripted{call: func(_ context.Context, attempt int) error {
					if attempt == 1 {
						return functions.Errorf(functions.Unavailable, "busy")
					}
					return nil
				}}
				want, got, err := call(t.Context(), warehouse.New(fake))
				if err != nil || fake.attempts != 2 {
					t.Errorf("got %v after %d attempts, want success after 2", err, fake.attempts)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The scripted driver visits nothing at its first attempt and one row at each later one.
func TestAReadIsRepeatedOnlyWhileNothingWasVisited(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(context.Context, *warehouse.Warehouse, func()) error{
		"Customers": func(ctx context.Context, w *warehouse.Warehouse, visited func()) error {
			_, err := w.Customers(ctx, func(retention.Customer) error { visited(); return nil })
			return err
		},
		"Queue": func(ctx context.Context, w *warehouse.Warehouse, visited func()) error {
			return w.Queue(ctx, monday, "", func(retention.QueueRow) error { visited(); return nil })
		},
		"Exclusions": func(ctx context.Context, w *warehouse.Warehouse, visited func()) error {
			return w.Exclusions(ctx, "opted_out", func(string) error { visited(); return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := &scripted{call: func(context.Context, int) error { return functions.Errorf(functions.Unavailable, "busy") }}
				visits := 0
				err := read(t.Context(), steady(fake), func() { visits++ })
				if functions.CodeOf(err) != functions.Unavailable || fake.attempts != 2 || visits != 1 {
					t.Errorf("got %v after %d attempts and %d visits, want the fault after 2 and 1", err, fake.attempts, visits)
				}
			})
		})
	}
}

func TestJitterStaysNearThePause(t *testing.T) {
	t.Parallel()
	w := warehouse.New(&scripted{})
	for range 1000 {
		if got := w.Jitter(10 * time.Second); got < 9*time.Second || got > 11*time.Second {
			t.Fatalf("got a pause of %v, want 10 s give or take a tenth", got)
		}
	}
}
