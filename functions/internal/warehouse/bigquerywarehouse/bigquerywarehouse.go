// Package bigquerywarehouse is the warehouse on BigQuery: a dataset of ours, and the dataset of the detection, which may
// be the same.
//
// URLs: bigquery://PROJECT/DATASET, with inputs=PROJECT.DATASET where the detection's tables lie elsewhere, location=EU
// for where the jobs run, and max_bytes_billed=N, over which a statement is refused before it bills anything.
//
// It does not create the input tables and never writes to them. Our own are made by ApplySchema, not when it is opened.
package bigquerywarehouse

import (
	"context"
	"net/url"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/oklog/ulid/v2"
	"google.golang.org/api/option"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
	"github.com/retentionops/retentionops/functions/internal/warehouse/driver"
)

// Scheme is the scheme of this driver's URLs.
const Scheme = "bigquery"

// attemptTimeout bounds a call that came without a deadline: the client repeats what it takes for passing until the
// context ends, which must therefore end.
const attemptTimeout = warehouse.AttemptTimeout

var (
	_ driver.Warehouse = (*Warehouse)(nil)
	_ driver.Checker   = (*Warehouse)(nil)
	_ driver.Schemer   = (*Warehouse)(nil)
	_ driver.Explainer = (*Warehouse)(nil)
)

func init() {
	warehouse.RegisterSchema(Scheme, func(_ context.Context, u *url.URL) (func(int) []string, error) {
		place, err := PlaceOf(u)
		if err != nil {
			return nil, err
		}
		return func(keepDays int) []string { return schemaOf(statementsAt(place), keepDays) }, nil
	})
	warehouse.Register(Scheme, func(ctx context.Context, u *url.URL) (driver.Warehouse, error) {
		place, err := PlaceOf(u)
		if err != nil {
			return nil, err
		}
		return New(ctx, place)
	})
}

// Warehouse is two datasets of BigQuery. It is safe for use by several goroutines.
type Warehouse struct {
	place  Place
	client *bigquery.Client
	sql    map[string]string // the statements, by name, with the names of our datasets in them
	newID  func() string     // names the jobs of a call that nobody repeats
	now    func() time.Time
	// The pauses between two looks at a job that runs.
	firstLook, longestLook time.Duration

	location cached[string] // of our dataset, where the place names none
}

// New makes the client of a warehouse and asks nothing of BigQuery. The options are the client's; tests name a place to
// connect to.
func New(ctx context.Context, place Place, options ...option.ClientOption) (*Warehouse, error) {
	// The client outlives the request that happened to be first. Its traces would go nowhere.
	options = append([]option.ClientOption{option.WithTelemetryDisabled()}, options...)
	client, err := bigquery.NewClient(context.WithoutCancel(ctx), place.Project, options...)
	if err != nil {
		return nil, functions.Errorf(functions.FailedPrecondition, "there are no credentials for BigQuery").
			WithHint("run as a service account, or on a laptop: gcloud auth application-default login").WithCause(err)
	}
	client.Location = place.Location
	return &Warehouse{
		place: place, client: client, sql: statementsAt(place), newID: func() string { return ulid.Make().String() }, now: time.Now,
		firstLook: 100 * time.Millisecond, longestLook: 2 * time.Second,
	}, nil
}

// Close lets go of the client.
func (w *Warehouse) Close() error {
	if err := w.client.Close(); err != nil {
		return functions.Errorf(functions.Internal, "close the warehouse").WithCause(err)
	}
	return nil
}

// bounded gives a context with a deadline: the caller's, or ours where it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, attemptTimeout)
}
