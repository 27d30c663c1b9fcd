package shop

import (
	"context"
	"net/url"
	"sync"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// The URLs of ports that are out of order. Their schemes are linked by LinkOutages alone: a program that does not play
// faults cannot open them by mistake.
const (
	SheetsDown       = "sheetsdown:" // a destination that is down
	WarehouseTimeout = "timesout:"   // a warehouse of which no statement ends
)

// LinkOutages makes the ports that are out of order known by their schemes. It may be called more than once.
func LinkOutages() { linkOutages() }

var linkOutages = sync.OnceFunc(func() {
	destination.Register("sheetsdown", func(context.Context, *url.URL) (destination.Destination, error) { return down{}, nil })
	warehouse.Register("timesout", func(context.Context, *url.URL) (driver.Warehouse, error) {
		return &Sleeper{asked: map[string]*Statement{}}, nil
	})
})

// down is a destination that takes nothing.
type down struct{}

var _ destination.Destination = down{}

func isDown() error {
	return functions.Errorf(functions.Unavailable, "Google Sheets is down (a stand-in plays this)").WithHint("try again later")
}

// Deliver implements destination.Destination.
func (down) Deliver(context.Context, destination.Audience) (string, error) { return "", isDown() }

// Find implements destination.Destination.
func (down) Find(context.Context, string, functions.Date, functions.Tier) (string, bool, error) {
	return "", false, isDown()
}

// Sleeper is a warehouse of which no statement ends: each waits until its attempt's deadline. It keeps what it was asked.
type Sleeper struct {
	mu    sync.Mutex
	asked map[string]*Statement // by the operation that its attempts belong to
	order []*Statement
}

// Statement is a statement that did not end.
type Statement struct {
	Name     string `json:"statement"`
	Attempts int    `json:"attempts"`
}

var _ driver.Warehouse = (*Sleeper)(nil)

// Asked tells what the warehouse was asked, in order.
func (s *Sleeper) Asked() []Statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := make([]Statement, len(s.order))
	for i, statement := range s.order {
		asked[i] = *statement
	}
	return asked
}

// sleep waits for the deadline of the attempt.
func (s *Sleeper) sleep(ctx context.Context, name string) error {
	s.count(driver.OperationFrom(ctx), name)
	<-ctx.Done()
	return functions.Errorf(functions.DeadlineExceeded, "the warehouse did not answer in time").WithCause(ctx.Err())
}

func (s *Sleeper) count(operation, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	statement := s.asked[operation]
	if statement == nil {
		statement = &Statement{Name: name}
		s.asked[operation], s.order = statement, append(s.order, statement)
	}
	statement.Attempts++
}

// AlertOn implements driver.Warehouse.
func (s *Sleeper) AlertOn(ctx context.Context, _ functions.Date) (retention.Alert, error) {
	return retention.Alert{}, s.sleep(ctx, "read the alert")
}

// NewestAlert implements driver.Warehouse.
func (s *Sleeper) NewestAlert(ctx context.Context) (retention.Alert, error) {
	return retention.Alert{}, s.sleep(ctx, "read the newest alert")
}

// Customers implements driver.Warehouse.
func (s *Sleeper) Customers(ctx context.Context, _ func(retention.Customer) error) (functions.Date, error) {
	return functions.Date{}, s.sleep(ctx, "read the customers")
}

// Exclusions implements driver.Warehouse.
func (s *Sleeper) Exclusions(ctx context.Context, _ string, _ func(entry string) error) error {
	return s.sleep(ctx, "read the exclusions")
}

// ReplaceQueue implements driver.Warehouse.
func (s *Sleeper) ReplaceQueue(ctx context.Context, _ functions.Date, _ []retention.QueueRow, _ functions.Date) (int64, error) {
	return 0, s.sleep(ctx, "write the queue")
}

// Queue implements driver.Warehouse.
func (s *Sleeper) Queue(ctx context.Context, _ functions.Date, _ functions.Tier, _ func(retention.QueueRow) error) error {
	return s.sleep(ctx, "read the queue")
}

// QueueSummary implements driver.Warehouse.
func (s *Sleeper) QueueSummary(ctx context.Context, _ functions.Date) (retention.QueueSummary, error) {
	return retention.QueueSummary{}, s.sleep(ctx, "sum up the queue")
}

// AppendRun implements driver.Warehouse.
func (s *Sleeper) AppendRun(ctx context.Context, run retention.Run) error {
	return s.sleep(ctx, "write the log row "+string(run.Status))
}

// Runs implements driver.Warehouse.
func (s *Sleeper) Runs(ctx context.Context, _ driver.RunQuery) ([]retention.Run, error) {
	return nil, s.sleep(ctx, "read the log")
}

// Close implements driver.Warehouse.
func (s *Sleeper) Close() error { return nil }
